//! When objects of databases appear on the workers, by watches of their kinds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use kogge_api::labels;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Config, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::site::NAMESPACE;

/// The kinds that a database without pods consists of.
const KINDS: [(&str, &str, &str); 5] = [
    ("", "v1", "ConfigMap"),
    ("", "v1", "Secret"),
    ("", "v1", "Service"),
    ("apps", "v1", "Deployment"),
    ("apps", "v1", "StatefulSet"),
];
/// How long nothing must appear before a database is taken for complete.
const QUIET: Duration = Duration::from_secs(3);

/// The kinds as the API servers know them.
pub(super) fn resources() -> impl Iterator<Item = ApiResource> {
    let kind = |(group, version, kind)| kube::core::GroupVersionKind::gvk(group, version, kind);
    KINDS.into_iter().map(kind).map(|kind| ApiResource::from_gvk(&kind))
}

/// What has appeared of one database.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Objects on all workers.
    pub(super) objects: usize,
    /// How often one of them changed afterwards.
    pub(super) changes: usize,
    /// When the last of them appeared.
    pub(super) last: Instant,
}

/// What has appeared, by the name of the database. The watches end with it.
pub(super) struct Arrivals {
    seen: watch::Receiver<BTreeMap<String, Seen>>,
    _watches: JoinSet<()>,
}

impl Arrivals {
    pub(super) fn follow(workers: &[(String, Client)]) -> Self {
        let (sender, seen) = watch::channel(BTreeMap::new());
        let sender = Arc::new(sender);
        let mut watches = JoinSet::new();
        for (_, client) in workers {
            for resource in resources() {
                let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &resource);
                let (config, sender) = (Config::default().labels(labels::CLUSTER_ID), Arc::clone(&sender));
                let mut known = std::collections::BTreeSet::new();
                watches.spawn(async move {
                    let mut objects = watcher(api, config).default_backoff().applied_objects().boxed();
                    while let Some(object) = objects.next().await {
                        let Ok(object) = object else { continue };
                        let Some(database) = object.labels().get(labels::CLUSTER).cloned() else { continue };
                        let is_new = known.insert(object.name_any());
                        sender.send_modify(|seen| {
                            let now = Instant::now();
                            let of = seen.entry(database).or_insert(Seen { objects: 0, changes: 0, last: now });
                            if is_new {
                                (of.objects, of.last) = (of.objects + 1, now);
                            } else {
                                of.changes += 1;
                            }
                        });
                    }
                });
            }
        }
        Self { seen, _watches: watches }
    }

    /// How many objects a database has once nothing more of it appears.
    pub(super) async fn complete(&mut self, database: &str, deadline: Duration) -> anyhow::Result<usize> {
        let end = Instant::now() + deadline;
        while Instant::now() < end {
            let seen = self.seen.borrow().get(database).copied();
            if let Some(seen) = seen.filter(|seen| seen.last.elapsed() >= QUIET) {
                return Ok(seen.objects);
            }
            // Something new, or the quiet that is waited for.
            let _news_or_quiet = tokio::time::timeout(QUIET, self.seen.changed()).await;
        }
        bail!("database {database} is not complete after {deadline:?}")
    }

    /// How often objects of all databases but one changed after they had appeared.
    pub(super) fn changes_beside(&self, database: &str) -> usize {
        self.seen.borrow().iter().filter(|(name, _)| *name != database).map(|(_, seen)| seen.changes).sum()
    }

    /// Waits until each of these databases has so many objects; when the last of them appeared.
    pub(super) async fn all(
        &mut self,
        databases: &[String],
        objects: usize,
        deadline: Duration,
    ) -> anyhow::Result<Instant> {
        let is_there = |seen: &BTreeMap<String, Seen>, name: &String| {
            seen.get(name).is_some_and(|seen| seen.objects >= objects)
        };
        let arrived = |seen: &BTreeMap<String, Seen>| databases.iter().all(|name| is_there(seen, name));
        let in_time = tokio::time::timeout(deadline, self.seen.wait_for(arrived)).await.is_ok();
        let seen = self.seen.borrow();
        if !in_time {
            let missing = databases.iter().filter(|name| !is_there(&seen, name)).count();
            bail!("{missing} of {} databases are not complete after {deadline:?}", databases.len());
        }
        let last = databases.iter().filter_map(|name| seen.get(name)).map(|seen| seen.last).max();
        last.context("no database was waited for")
    }
}
