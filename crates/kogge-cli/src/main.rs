//! The `kogge-cli` binary.

fn main() {}
