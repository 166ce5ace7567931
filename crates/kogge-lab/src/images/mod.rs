//! Container images without a registry: packed here, imported into every node.

mod catalog;
mod closure;
mod import;
mod pack;

pub use catalog::{SHELL_IMAGE, base_images};
pub use pack::{ImageFile, ImageSpec, Layout, pack};

pub(crate) use catalog::COREDNS_IMAGE;
pub(crate) use import::import;
