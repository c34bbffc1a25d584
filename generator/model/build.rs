//! `tables/` and `explain/` are embedded: a file added there must build them again.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=tables");
    println!("cargo:rerun-if-changed=explain");
}
