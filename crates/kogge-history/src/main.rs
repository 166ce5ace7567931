//! The `kogge-history` binary.

fn main() {}
