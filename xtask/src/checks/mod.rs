//! `cargo xtask test`

mod deny;
pub(crate) mod labs;
mod suite;
mod summary;

use crate::cargo::{self, cargo};
use crate::command::run as run_command;
use crate::timeline::Timeline;
use crate::{generate, images, setup};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only tests whose name holds this
    filter: Option<String>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    labs::end_after(all(args)).await
}

async fn all(args: Args) -> anyhow::Result<()> {
    let mut timeline = Timeline::start();
    timeline.step("formatting", run_command(cargo(&["fmt", "--all", "--check"]))).await?;
    timeline.step("generated files are as the types say", async { generate::check() }).await?;
    timeline
        .step(
            "lints",
            run_command(cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])),
        )
        .await?;
    timeline.step("licences, sources, one TLS stack", deny::check()).await?;
    setup::prepare(&mut timeline).await?;
    setup::tests(&mut timeline).await?;
    let programs = timeline.step("build", cargo::build(&["--workspace", "--all-targets"])).await?;
    timeline.step("images", images::pack_all(&programs)).await?;
    let summary = timeline.step("tests", suite::run(args.filter.as_deref())).await?;
    println!("\n{timeline}\n\n{summary}");
    Ok(())
}
