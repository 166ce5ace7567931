//! The `kogge-operator` binary.

use anyhow::{Context as _, Result};
use clap::Parser as _;
use kogge_operator::settings::Settings;
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> Result<()> {
    // Whoever installed a provider before has installed the same.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let settings = Settings::parse();
    log(&settings)?;
    let client = Client::try_default().await.context("no way to the control cluster's API server")?;
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    kogge_operator::run(settings, client, stop).await
}

fn log(settings: &Settings) -> Result<()> {
    let filter = EnvFilter::try_new(&settings.log).context("--log is not a filter as for RUST_LOG")?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    if settings.log_text {
        subscriber.init();
    } else {
        subscriber.json().flatten_event(true).init();
    }
    Ok(())
}
