//! Charts in folders: read, checked and kept until their files change. What charts are, and what is made of them, is
//! `kogge-chart`, which has no files.

mod files;
mod store;

pub use store::ChartStore;
