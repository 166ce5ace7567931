//! The `kogge-operator` binary.

fn main() {}
