use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bson::{Document, doc};
use futures::{StreamExt, stream::FuturesUnordered};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    error::{CommandError, CommandResult, code, is_ok},
    net::PeerPool,
};

const CHECK_EVERY: Duration = Duration::from_secs(1);
const CHECK_IMPATIENTLY: Duration = Duration::from_millis(100);
const CHECK_LIMIT: Duration = Duration::from_secs(2);

/// Follows a replica set's primary.
pub(super) struct SetMonitor {
    name: String,
    peers: Arc<PeerPool>,
    hosts: Mutex<BTreeSet<String>>,
    primary: watch::Sender<Option<String>>,
    hurry: Notify,
}

impl SetMonitor {
    /// Starts following a set from some of its hosts.
    pub(super) fn start(
        name: &str,
        seeds: Vec<String>,
        peers: Arc<PeerPool>,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        let monitor = Arc::new(Self {
            name: name.to_owned(),
            peers,
            hosts: Mutex::new(seeds.into_iter().collect()),
            primary: watch::Sender::new(None),
            hurry: Notify::new(),
        });
        let this = monitor.clone();
        tokio::spawn(async move {
            loop {
                this.check().await;
                let pause = if this.primary.borrow().is_some() { CHECK_EVERY } else { CHECK_IMPATIENTLY };
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                    () = this.hurry.notified() => {}
                }
            }
        });
        monitor
    }

    /// The set's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The hosts known.
    pub(super) fn hosts(&self) -> Vec<String> {
        self.hosts.lock().iter().cloned().collect()
    }

    /// `set/host,…`
    pub(super) fn url(&self) -> String {
        format!("{}/{}", self.name, self.hosts().join(","))
    }

    /// Asks every host; a leader is taken as soon as it answers, so that a silent host delays nobody.
    async fn check(&self) {
        let hello = doc! { "hello": 1, "$db": "admin" };
        let hosts = self.hosts();
        let mut asked: FuturesUnordered<_> = hosts
            .iter()
            .map(|host| async {
                let reply = self.peers.command(host, &hello, CHECK_LIMIT).await.ok()?;
                (reply.get_str("setName").ok() == Some(self.name.as_str())).then_some((host.clone(), reply))
            })
            .collect();
        let mut newest = None;
        let mut named = BTreeSet::new();
        while let Some(answer) = asked.next().await {
            let Some((host, hello)) = answer else { continue };
            named.extend(listed(&hello));
            // Two may say that they lead while one has not heard of its end yet: the later one does.
            let election = hello.get_object_id("electionId").map_or([0; 12], |id| id.bytes());
            if hello.get_bool("isWritablePrimary").unwrap_or(false) && newest.is_none_or(|n| n < election) {
                newest = Some(election);
                *self.hosts.lock() = listed(&hello).collect();
                self.set_primary(Some(hello.get_str("me").unwrap_or(&host)));
            }
        }
        if newest.is_none() {
            self.set_primary(None);
            // The primary may be none of the hosts known so far: whoever answers knows the others.
            self.hosts.lock().extend(named);
        }
    }

    fn set_primary(&self, host: Option<&str>) {
        self.primary.send_if_modified(|known| {
            let differs = known.as_deref() != host;
            *known = host.map(str::to_owned);
            differs
        });
    }

    /// Runs a reading command on whoever answers first that it can, primary or not.
    pub(super) async fn read_anywhere(&self, command: &Document) -> CommandResult {
        let mut command = command.clone();
        command.insert("$readPreference", doc! { "mode": "secondaryPreferred" });
        let hosts = self.hosts();
        let mut asked: FuturesUnordered<_> =
            hosts.iter().map(|host| self.peers.command(host, &command, CHECK_LIMIT)).collect();
        while let Some(answer) = asked.next().await {
            if let Ok(reply) = answer
                && is_ok(&reply)
            {
                return Ok(reply);
            }
        }
        Err(CommandError::new(
            code::FAILED_TO_SATISFY_READ_PREFERENCE,
            format!("no member of {} could be read", self.name),
        ))
    }

    /// Whether a primary is known now.
    pub(super) fn has_primary(&self) -> bool {
        self.primary.borrow().is_some()
    }

    /// Forgets a primary that refused or did not answer, and looks anew at once.
    pub(super) fn forget(&self, host: &str) {
        self.primary.send_if_modified(|known| {
            let is_known = known.as_deref() == Some(host);
            if is_known {
                *known = None;
            }
            is_known
        });
        self.hurry.notify_one();
    }

    /// The primary, waited for.
    pub(super) async fn primary(&self, limit: Duration) -> CommandResult<String> {
        let mut primary = self.primary.subscribe();
        let found = tokio::time::timeout(limit, primary.wait_for(Option::is_some)).await;
        match found {
            Ok(Ok(host)) => Ok(host.clone().unwrap_or_default()),
            _ => Err(CommandError::new(
                code::FAILED_TO_SATISFY_READ_PREFERENCE,
                format!(
                    "Could not find host matching read preference {{ mode: \"primary\" }} for set {}",
                    self.name
                ),
            )),
        }
    }

    /// Ends when `host` is the primary no longer.
    pub(super) async fn deposed(&self, host: &str) {
        let mut primary = self.primary.subscribe();
        // The sender lives in this monitor, which the caller holds.
        drop(primary.wait_for(|known| known.as_deref() != Some(host)).await);
    }
}

/// The members that a reply names.
fn listed(hello: &Document) -> impl Iterator<Item = String> {
    ["hosts", "passives"]
        .into_iter()
        .filter_map(|list| hello.get_array(list).ok())
        .flatten()
        .filter_map(|host| host.as_str().map(str::to_owned))
}
