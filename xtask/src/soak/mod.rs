//! Runs that last: what one run of the tests does not show.

mod flakes;
mod lab;
mod load;
mod outcome;
mod walks;

/// What is run for long.
#[derive(clap::Subcommand)]
pub(crate) enum Soak {
    /// Runs every test of mongosim and of the planner many times on busy cores, and names those that fail even once
    Flakes(flakes::Args),
    /// The cases on real clusters that are too long for every run of the tests
    Lab,
    /// Random walks of the planner's model that no run took before
    Walks(walks::Args),
}

pub(crate) async fn run(what: Soak) -> anyhow::Result<()> {
    match what {
        Soak::Flakes(args) => flakes::run(args).await,
        Soak::Lab => lab::run().await,
        Soak::Walks(args) => walks::run(args).await,
    }
}
