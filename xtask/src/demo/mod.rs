//! `cargo xtask demo`: the whole way of the data, on real clusters.

mod kubectl;
mod limit;
mod stage;
mod steps;

use std::collections::BTreeMap;
use std::path::PathBuf;

use kogge_lab::Lab;

use crate::interrupt::unless_interrupted;
use crate::setup::{self, blocking};
use crate::timeline::Timeline;
use stage::Stage;

/// The name of the demo's lab.
const LAB: &str = "demo";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave everything standing, however it ends, and say how to look at it and how to end it
    #[arg(long)]
    keep: bool,
    /// Another image, such as mongod=mongo:7.0, which the workers can pull
    #[arg(long = "image", value_name = "mongod=IMAGE", value_parser = image)]
    image: Option<String>,
    /// A cluster that runs already, in the place of the lab's; one for each of control, vdc1, vdc2, vdc3, vdc4
    #[arg(long = "kubeconfig", value_name = "NAME=FILE", value_parser = kubeconfig)]
    kubeconfigs: Vec<(String, PathBuf)>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let result = unless_interrupted(Box::pin(play(&args))).await;
    let ours = args.kubeconfigs.is_empty();
    if args.keep {
        println!("\n{}", farewell(ours));
        return result;
    }
    if ours {
        println!("\nending the lab");
        blocking(|| Lab::end(LAB)).await?;
    }
    result
}

async fn play(args: &Args) -> anyhow::Result<()> {
    let mut timeline = Timeline::start();
    if args.kubeconfigs.is_empty() {
        setup::prepare(&mut timeline).await?;
    }
    let built =
        timeline.step("build: operator, command line, mongosim, history client", steps::build::run()).await?;
    let lab = timeline.step("five clusters: control, vdc1, vdc2, vdc3, vdc4", steps::clusters::run(args)).await?;
    let stage = Stage::new(lab, built.kogge.clone(), args.image.clone()).await?;
    timeline.step("images into every node", steps::clusters::load(&stage, &built.images)).await?;
    timeline.step("the operator in the control cluster", steps::operator::run(&stage)).await?;
    timeline
        .step("four worker clusters join, with the rights that Kogge needs", steps::workers::run(&stage))
        .await?;
    timeline
        .step("kubectl apply -f examples/ll2022.yaml: three data centres, one shard", steps::create::run(&stage))
        .await?;
    timeline
        .step("clients write through mongos, with majority concern, from now on", steps::history::start(&stage))
        .await?;
    timeline.step("a fourth data centre with two members per set: five voters", steps::grow::run(&stage)).await?;
    timeline.step("chart 1.0.0 to 1.1.0, data centre by data centre", steps::rollout::run(&stage)).await?;
    timeline
        .step(
            "the data centre with the shard's primary is cut off, and returns",
            Box::pin(steps::partition::run(&stage)),
        )
        .await?;
    let verdict = timeline.step("every acknowledged write is looked for", steps::history::check(&stage)).await?;
    println!("\n{timeline}\n");
    stage.print_memory().await?;
    println!("{verdict}");
    verdict.nothing_lost()
}

fn farewell(ours: bool) -> String {
    let look = "kubectl --context control get fc -A -o wide; kubectl --context control get wc -o wide";
    if ours {
        format!(
            "Everything is ready. Look at it:\n  eval \"$(cargo run -q -p kogge-lab -- env --name {LAB})\"\n  {look}\n\
             End it:\n  cargo run -q -p kogge-lab -- down --name {LAB}"
        )
    } else {
        format!("Everything is ready, in your own clusters. Look at it:\n  {look}")
    }
}

fn image(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some(("mongod", image)) if !image.is_empty() => Ok(image.to_owned()),
        _ => Err("expected mongod=IMAGE, such as mongod=mongo:7.0".to_owned()),
    }
}

fn kubeconfig(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_owned(), file.into())),
        _ => Err("expected NAME=FILE, such as vdc1=/path/to/kubeconfig".to_owned()),
    }
}

impl Args {
    /// The clusters that run already, by name.
    fn external(&self) -> BTreeMap<String, PathBuf> {
        self.kubeconfigs.iter().cloned().collect()
    }
}
