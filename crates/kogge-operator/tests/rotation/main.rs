//! Secrets that the operator makes, on real servers.

#[cfg(test)]
mod servers;
