//! The coordinator's hands: timers, peers, disk, and those who wait.

mod config_state;
mod effects;
mod fetcher;
mod gate;
mod initial_sync;
mod initiate;
mod install;
mod quiesce;
mod quorum;
mod reconfig;
mod reporter;
mod rollback;
mod step_down;
mod waiting;
pub use waiting::{Durability, Waited};

pub use gate::WriteGate;
pub use step_down::StepDownRequest;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bson::{Document, oid::ObjectId};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Coordinator, Effect, LastVote, MemberState, Millis, ReplSetConfig};
use crate::{
    error::CommandResult,
    failpoints::FailPoints,
    net::PeerPool,
    oplog::{OpTime, OplogWriter},
    options::{ClusterRole, ServerVersion},
    storage::{Storage, StorageResult},
};
use config_state::ConfigState;

/// Where the configuration is kept.
pub const CONFIG_NAMESPACE: &str = "local.system.replset";

/// What replication needs of its process.
pub struct Surroundings {
    /// `--replSet`.
    pub set_name: String,
    /// Role in a sharded cluster.
    pub role: ClusterRole,
    /// This process, for `_isSelf`.
    pub process_id: ObjectId,
    /// The data directory, for rolled-back documents.
    pub dbpath: PathBuf,
    /// The store.
    pub storage: Storage,
    /// The other members.
    pub peers: Arc<PeerPool>,
    /// Ends everything.
    pub shutdown: CancellationToken,
    /// Where it is held.
    pub fail_points: Arc<FailPoints>,
    /// How long it takes to load a configuration from disk.
    pub config_load: Duration,
    /// The server that is played.
    pub version: ServerVersion,
}

/// Replication of one process.
pub struct Replication {
    around: Surroundings,
    coordinator: Mutex<Coordinator>,
    config_state: Mutex<ConfigState>,
    gate: Arc<WriteGate>,
    started: Instant,
    changed: watch::Sender<u64>,
    topology: watch::Sender<i64>,
    sync_status: Mutex<Option<Document>>,
    quiesce_until: Mutex<Option<tokio::time::Instant>>,
}

impl Replication {
    /// Reads what is on disk; a stored configuration is loaded once the listener is up, see [`Self::start`].
    pub fn new(around: Surroundings, seed: u64) -> StorageResult<Arc<Self>> {
        let stored = around.storage.read()?.get_by_id(LastVote::NAMESPACE, &bson::Bson::Int32(0))?;
        let vote = stored.as_ref().and_then(LastVote::from_document).unwrap_or_default();
        let coordinator = Coordinator::new(&around.set_name, vote, around.storage.last_applied(), seed);
        let state = match stored_config(&around)? {
            Some(_) => ConfigState::StartingUp,
            None => ConfigState::Uninitialized,
        };
        Ok(Arc::new(Self {
            around,
            coordinator: Mutex::new(coordinator),
            config_state: Mutex::new(state),
            gate: Arc::default(),
            started: Instant::now(),
            changed: watch::Sender::new(0),
            topology: watch::Sender::new(0),
            sync_status: Mutex::default(),
            quiesce_until: Mutex::default(),
        }))
    }

    /// Starts timers and followers, and begins to load the stored configuration, if there is one.
    pub fn start(self: &Arc<Self>) -> StorageResult<()> {
        tokio::spawn(self.clone().run_timer());
        tokio::spawn(self.clone().run_fetcher());
        tokio::spawn(self.clone().run_reporter());
        if let Some(config) = stored_config(&self.around)? {
            let has_history = !self.needs_initial_sync()?;
            tokio::spawn(self.clone().load_config(config, has_history));
        }
        Ok(())
    }

    /// As mongod does it: its listener is up, but until it has found itself in its configuration it answers as one
    /// that has none, whatever it holds.
    async fn load_config(self: Arc<Self>, config: ReplSetConfig, has_history: bool) {
        tokio::select! {
            () = self.around.shutdown.cancelled() => return,
            () = tokio::time::sleep(self.around.config_load) => {}
        }
        if has_history {
            self.with(|c, now| c.set_follower_state(MemberState::Secondary, now));
        }
        self.install_stored(config).await;
        *self.config_state.lock() = ConfigState::Steady;
    }

    /// Milliseconds since the process began.
    pub fn now(&self) -> Millis {
        self.started.elapsed().as_millis() as Millis
    }

    /// Looks at the coordinator.
    pub fn look<R>(&self, look: impl FnOnce(&Coordinator) -> R) -> R {
        look(&self.coordinator.lock())
    }

    /// Tells the coordinator something and does what it asks for.
    pub fn with(self: &Arc<Self>, tell: impl FnOnce(&mut Coordinator, Millis) -> Vec<Effect>) {
        self.with_result(|c, now| ((), tell(c, now)));
    }

    /// As [`Self::with`], with an answer.
    pub fn with_result<R>(self: &Arc<Self>, tell: impl FnOnce(&mut Coordinator, Millis) -> (R, Vec<Effect>)) -> R {
        let (answer, effects) = {
            let mut coordinator = self.coordinator.lock();
            let now = self.now();
            let mut effects = coordinator.on_applied(self.around.storage.last_applied(), now);
            let (answer, more) = tell(&mut coordinator, now);
            effects.extend(more);
            self.gate.set(&coordinator);
            self.around.storage.pin_oplog(coordinator.commit_point().ts);
            let version = coordinator.topology_version();
            self.topology.send_if_modified(|seen| std::mem::replace(seen, version) != version);
            (answer, effects)
        };
        self.changed.send_modify(|n| *n += 1);
        self.perform(effects);
        answer
    }

    /// Counts what clients see changing, for awaitable hello.
    pub fn topology(&self) -> watch::Receiver<i64> {
        self.topology.subscribe()
    }

    /// Counts everything that replication takes note of.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Writes as the primary: `change` runs if this member still takes writes when its turn comes.
    /// Gives the optime to wait for.
    pub async fn write<R: Send + 'static>(
        &self,
        change: impl FnOnce(&mut OplogWriter<'_, '_>) -> StorageResult<R> + Send + 'static,
    ) -> CommandResult<(R, OpTime)> {
        let term = self.gate.writable_term().ok_or_else(crate::error::CommandError::not_primary)?;
        let gate = self.gate.clone();
        self.around
            .storage
            .write(move |view| {
                if gate.writable_term() != Some(term) {
                    return Ok(Err(crate::error::CommandError::not_primary()));
                }
                let mut writer = OplogWriter::new(view, Some(term))?;
                let result = change(&mut writer)?;
                Ok(Ok((result, writer.head())))
            })
            .await?
    }

    async fn run_timer(self: Arc<Self>) {
        let mut head = self.around.storage.head();
        let mut changed = self.changed.subscribe();
        loop {
            let now = self.now();
            let wait = self.look(|c| c.next_deadline(now)).saturating_sub(now);
            tokio::select! {
                () = self.around.shutdown.cancelled() => return,
                () = tokio::time::sleep(Duration::from_millis(wait)) => self.with(Coordinator::tick),
                Ok(()) = head.changed() => self.with(|_, _| Vec::new()),
                Ok(()) = changed.changed() => {}
            }
        }
    }

    /// Where this member can be held.
    pub fn fail_points(&self) -> &FailPoints {
        &self.around.fail_points
    }

    /// How far initial sync is, while it runs.
    pub fn sync_status(&self) -> Option<Document> {
        self.sync_status.lock().clone()
    }
}

fn stored_config(around: &Surroundings) -> StorageResult<Option<ReplSetConfig>> {
    let id = bson::Bson::String(around.set_name.clone());
    let stored = around.storage.read()?.get_by_id(CONFIG_NAMESPACE, &id)?;
    Ok(stored.and_then(|d| ReplSetConfig::parse(&d).ok()))
}
