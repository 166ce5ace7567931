//! The `kogge-operator` binary.

use anyhow::{Context as _, Result};
use clap::Parser as _;
use kogge_fleet::{KubeconfigFiles, ProxyEnvironment};
use kogge_operator::settings::Settings;
use kube::{Client, Config};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> Result<()> {
    // Whoever installed a provider before has installed the same.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let settings = Settings::parse();
    log(&settings)?;
    let client = control().context("no way to the control cluster's API server")?;
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
    Box::pin(kogge_operator::run(settings, client, stop)).await
}

/// The control cluster: by a kubeconfig where there is one, as kubectl finds it, else the one that this pod runs in.
fn control() -> Result<Client> {
    let config = match KubeconfigFiles::read_default()? {
        Some(files) => files.access(None)?.config(&ProxyEnvironment::of_process())?,
        None => Config::incluster()?,
    };
    Ok(Client::try_from(config)?)
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
