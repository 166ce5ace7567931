//! Kogge's own container images, packed from what cargo built.

use std::path::PathBuf;

use kogge_lab::products::{self, Programs};

use crate::setup::blocking;
use crate::workspace;

pub(crate) use kogge_lab::products::{HISTORY, PROGRAMS};

/// Packs all images from these programs, and returns their files.
pub(crate) async fn pack_all(programs: &Programs) -> anyhow::Result<Vec<PathBuf>> {
    let programs = programs.clone();
    blocking(move || products::pack_all(&workspace::root(), &programs)).await
}
