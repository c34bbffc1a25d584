//! `modules/`, `tables/` and `explain/` are embedded in the binary: a file added there must
//! build it anew.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../modules");
    println!("cargo:rerun-if-changed=tables");
    println!("cargo:rerun-if-changed=explain");
}
