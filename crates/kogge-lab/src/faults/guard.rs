//! A fault that heals when it is dropped.

use std::sync::Arc;

use nix::sys::signal::Signal;

use crate::command::blocking;
use crate::components::Component;
use crate::context::{ClusterContext, LabContext};
use crate::error::{LabError, Result};
use crate::network;
use crate::process::{ProcessIdentity, signal};
use crate::runtime::{self, BaseImages};

/// What takes a fault back.
#[derive(Debug)]
pub(super) enum Undo {
    Plug(Box<ClusterContext>),
    RemoveTable(Arc<LabContext>, String),
    Start(Box<ClusterContext>, Component),
    Continue(ProcessIdentity),
    PowerOn(Box<ClusterContext>),
}

impl Undo {
    async fn run(self) -> Result<()> {
        match self {
            Self::Plug(cluster) => blocking(move || network::set_port(&cluster.lab, cluster.name(), true)).await,
            Self::RemoveTable(lab, table) => blocking(move || network::remove_fault(&lab, &table)).await,
            Self::Start(cluster, component) => runtime::bring_up_component(&cluster, component).await,
            Self::Continue(process) => blocking(move || signal(process, Signal::SIGCONT)).await,
            Self::PowerOn(cluster) => runtime::bring_up(&cluster, &BaseImages::new(Vec::new())).await.map(drop),
        }
    }
}

/// A fault that is in effect until it is healed or dropped.
#[derive(Debug)]
#[must_use = "a fault that is dropped is healed"]
pub struct Fault {
    what: String,
    undo: Option<Undo>,
}

impl Fault {
    pub(super) fn new(what: String, undo: Undo) -> Self {
        tracing::info!("fault: {what}");
        Self { what, undo: Some(undo) }
    }

    /// Takes the fault back and waits until what was broken works again.
    pub async fn heal(mut self) -> Result<()> {
        match self.undo.take() {
            Some(undo) => {
                undo.run().await?;
                tracing::info!("healed: {}", self.what);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Leaves the fault in effect when this guard goes.
    pub fn keep(mut self) {
        self.undo = None;
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        let Some(undo) = self.undo.take() else { return };
        // The caller's runtime may be the one that is dropping us, so healing gets a thread and a runtime of its own.
        let healed = std::thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|source| LabError::Io { what: "start a runtime".to_owned(), source })?;
            runtime.block_on(undo.run())
        })
        .join();
        match healed {
            Ok(Ok(())) => tracing::info!("healed: {}", self.what),
            Ok(Err(e)) => tracing::error!("{} could not be healed: {e}", self.what),
            Err(_) => tracing::error!("{} could not be healed: the healing thread ended early", self.what),
        }
    }
}
