//! `cargo xtask bench`: figures, each beside a baseline of the same run.

mod arrivals;
mod bare;
mod metrics;
mod process;
mod scale;
mod site;

/// What is measured.
#[derive(clap::Subcommand)]
pub(crate) enum Bench {
    /// Many databases on API servers without nodes, beside a bare client that applies the same objects
    Scale(scale::Args),
}

pub(crate) async fn run(what: Bench) -> anyhow::Result<()> {
    match what {
        Bench::Scale(args) => scale::run(args).await,
    }
}
