//! The `kogge-lab` binary.

fn main() {}
