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
    let packages = images::PROGRAMS.iter().flat_map(|program| ["--package", program]);
    let arguments: Vec<&str> = ["--bins", "--package", "kogge-cli"].into_iter().chain(packages).collect();
    let programs = cargo::build(&arguments).await?;
    let kogge = programs.get("kogge").context("cargo built no kogge")?.clone();
    Ok(Built { kogge, images: images::pack_all(&programs).await? })
}
