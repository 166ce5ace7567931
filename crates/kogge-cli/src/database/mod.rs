//! Which database a command is about, and what the control cluster holds of it.

mod manifest;
mod reference;
mod subject;

pub(crate) use manifest::DatabaseManifest;
pub(crate) use reference::Reference;
pub(crate) use subject::{Present, Subject, Target, condition};
