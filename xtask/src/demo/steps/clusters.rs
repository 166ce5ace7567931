//! The clusters: made by the lab, or given.

use std::path::PathBuf;

use kogge_lab::{Lab, LabSpec};

use crate::demo::stage::Stage;
use crate::demo::{Args, LAB};

/// The workers of the demo; the last one joins the database later.
const WORKERS: u8 = 4;

pub(in crate::demo) async fn run(args: &Args) -> anyhow::Result<Lab> {
    if !args.kubeconfigs.is_empty() {
        let lab = Lab::external(&args.external())?;
        for name in super::workers::VDCS {
            lab.worker(name)?;
        }
        return Ok(lab);
    }
    let lab = Lab::up(LabSpec::full(LAB, WORKERS)).await?;
    for cluster in lab.clusters() {
        println!("  {} {}", cluster.name(), cluster.api_server());
    }
    Ok(lab)
}

/// Brings the images into every node; clusters that ran already must be able to pull them.
pub(in crate::demo) async fn load(stage: &Stage, images: &[PathBuf]) -> anyhow::Result<()> {
    if stage.lab.name().is_none() {
        println!("  these clusters are not the lab's: load {images:?} into their nodes yourself");
        return Ok(());
    }
    for image in images {
        stage.lab.load_image(image).await?;
    }
    Ok(())
}
