//! The cluster's nodes as machines: from the topology to what `qemu` takes. Not here: how
//! QEMU is started and asked (`qemu`), and what is installed (`deploy`).

mod spec;

pub use spec::{base, guest, join_segment, leave_segment, machine, ports_free};
