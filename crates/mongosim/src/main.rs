//! The `mongosim` binary.

fn main() {}
