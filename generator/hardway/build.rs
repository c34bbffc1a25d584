//! `modules/` is embedded in the binary: a file added there must build it again.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../../modules");
}
