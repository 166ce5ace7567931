//! What finds, changes, sorts and shapes documents.

pub mod aggregate;
mod compare;
pub mod expression;
mod filter;
pub mod number;
mod path;
mod projection;
mod sort;
mod update;

pub use compare::compare;
pub use filter::Filter;
pub use path::lookup;
pub use projection::Projection;
pub use sort::Sort;
pub use update::Update;
