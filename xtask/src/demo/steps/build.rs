//! Programs and images.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::{cargo, images};

/// What the demo is played with.
pub(in crate::demo) struct Built {
    /// The `kogge` command line.
    pub(in crate::demo) kogge: PathBuf,
    /// The image files.
    pub(in crate::demo) images: Vec<PathBuf>,
}

pub(in crate::demo) async fn run() -> anyhow::Result<Built> {
    let programs = cargo::build(&["--workspace", "--bins"]).await?;
    let kogge = programs.get("kogge").context("cargo built no kogge")?.clone();
    Ok(Built { kogge, images: images::pack_all(&programs).await? })
}
