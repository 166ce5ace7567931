//! The guarantees of discovery, by their number where they hold one.

#[cfg(test)]
mod mirror;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod resolution;
#[cfg(test)]
mod support;
