//! The `mongosim` binary.

use std::{fs::OpenOptions, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Parser;
use mongosim::{
    node::Node,
    options::{Cli, Options},
    probe, storage,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Time for answers under way to go out after a clean stop.
const LINGER: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.probe {
        Some(asked) => probe::run(asked).await.map_err(anyhow::Error::from),
        None => serve(cli).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("mongosim: {e:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(cli: Cli) -> anyhow::Result<()> {
    let options = Options::resolve(cli.server)?;
    start_log(&options)?;
    let node = Node::start(options)?;
    tracing::info!(port = node.port(), "listening");
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => node.stop().await,
        _ = interrupt.recv() => node.stop().await,
        () = node.stopped() => {}
        () = node.failed() => std::process::exit(storage::EXIT_ABRUPT),
    }
    tracing::info!("stopping");
    tokio::time::sleep(LINGER).await;
    Ok(())
}

fn start_log(options: &Options) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_env("MONGOSIM_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    match &options.logpath {
        Some(path) => {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .with_context(|| format!("--logpath {}", path.display()))?;
            log.with_writer(file).init();
        }
        None => log.init(),
    }
    Ok(())
}
