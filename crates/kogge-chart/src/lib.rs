//! Pure: charts are compiled, values merged and checked, templates rendered to objects with a revision.
//!
//! The way of the data: a [`Chart`] is made of the files that somebody read, [`merge_values`] lays the user's values over
//! its own, [`check_values`] holds them against its schema, and [`render`] makes typed objects of a
//! [`RenderInput`]. [`revision`] names what they were made from; [`shape::overlay`] adds what is computed
//! anew in every pass.

mod chart;
mod context;
mod error;
mod files;
mod kinds;
mod manifest;
mod memory;
mod objects;
mod quantity;
mod render;
mod revision;
mod rule;
mod selector;
pub mod shape;
mod template;
mod typed;
mod values;
pub mod yaml;

pub use chart::Chart;
pub use context::{
    Capabilities, ClusterContext, ComponentContext, DiscoveryContext, PlacementContext, RenderInput,
    SecretsContext, TlsContext,
};
pub use error::{ChartError, Place, Violation};
pub use files::is_chart_file;
pub use kinds::WorkerKind;
pub use render::{Rendered, render};
pub use revision::{Revision, revision};
pub use rule::Rule;
pub use values::{Layer, MergedValues, REMOVE, check_values, merge_values};
