//! Pure: the pods of all data centres become names and EndpointSlices.
//!
//! The headless Service of a group stands in every cluster with a selector, so that each cluster
//! publishes its own pods by itself. What is made here are the slices of the *other* clusters' pods, so that a
//! member's name resolves to the same address everywhere. What is written is a pure function of what was
//! observed: any writer produces the same bytes.

mod claims;
pub mod facts;
pub mod mirror;
pub mod report;
pub mod resolution;
pub mod slice;

pub use facts::{Destination, Group, PodFact, PodPhase, Port, Source};
pub use mirror::{Mirrored, mirror};
pub use report::DiscoveryReport;
pub use resolution::{Resolution, resolves_everywhere};
