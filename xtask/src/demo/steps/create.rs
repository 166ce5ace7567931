//! One apply, and a database forms.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use kogge_lab::CONTROL;

use crate::demo::limit;
use crate::demo::stage::{NAMESPACE, Stage};
use crate::workspace;

const MANIFEST: &str = "examples/ll2022.yaml";
const DEADLINE: Duration = Duration::from_mins(5);

pub(in crate::demo) async fn run(stage: &Stage) -> anyhow::Result<()> {
    let applied = Instant::now();
    match &stage.image {
        None => stage.kubectl(CONTROL, &["apply", "-f", MANIFEST]).await?,
        Some(image) => stage.kubectl_apply(CONTROL, &with_image(image)?).await?,
    }
    stage.database_ready(DEADLINE).await?;
    limit::tell(stage, applied.elapsed(), &["vdc1", "vdc2", "vdc3"], 2).await?;
    stage.kubectl(CONTROL, &["get", "fc", "-n", NAMESPACE, "-o", "wide"]).await
}

/// The manifest with another image of mongod.
fn with_image(image: &str) -> anyhow::Result<String> {
    let text =
        fs::read_to_string(workspace::root().join(MANIFEST)).with_context(|| format!("cannot read {MANIFEST}"))?;
    let Some(line) = text.lines().find(|line| line.trim_start().starts_with("image: ")) else {
        bail!("{MANIFEST} names no image that could be replaced");
    };
    let indent = line.len() - line.trim_start().len();
    Ok(text.replace(line, &format!("{}image: {image}", " ".repeat(indent))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_image_takes_the_place_of_the_example_s() -> anyhow::Result<()> {
        let text = with_image("mongo:7.0")?;
        assert!(text.contains("\n    image: mongo:7.0\n") && !text.contains("mongosim"), "{text}");
        Ok(())
    }
}
