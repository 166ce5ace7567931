//! A database, as its user sees it.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kogge_api::anchor::{Anchor, Record};
use kogge_api::conditions::database::READY;
use kogge_api::{FederatedCluster, FederatedEtcd, names};
use kogge_lab::{CONTROL, wait};
use kube::Api;
use serde_json::{Value, json};

use crate::{Harness, Kind};

/// How long a database may take to form or to change, on a machine with two cores and much else to do.
const SETTLING: Duration = Duration::from_mins(5);

/// How long a server that was told to end goes on: 15,000 ms where nothing says otherwise.
const QUIESCE_MS: u32 = 1_000;
/// How long a router serves on while nodes take it out of its Service: 10 s where nothing says otherwise.
const HAND_OVER_S: u32 = 3;

/// One database of a kind.
pub struct Database<'a, K = FederatedCluster> {
    /// Where it is.
    pub harness: &'a Harness,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    kind: PhantomData<fn() -> K>,
}

impl<K> Clone for Database<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Database<'_, K> {}

impl Harness {
    /// The MongoDB database of that name.
    pub fn database<'a>(&'a self, namespace: &'a str, name: &'a str) -> Database<'a> {
        Database { harness: self, namespace, name, kind: PhantomData }
    }

    /// The etcd cluster of that name.
    pub fn etcd<'a>(&'a self, namespace: &'a str, name: &'a str) -> Database<'a, FederatedEtcd> {
        Database { harness: self, namespace, name, kind: PhantomData }
    }
}

impl Database<'_, FederatedEtcd> {
    /// A member of etcd 3.5 in each of these data centres; it is torn down, volumes and all, as soon as it is deleted.
    pub fn manifest(&self, vdcs: &[&str]) -> Value {
        let placement: Vec<Value> = vdcs.iter().map(|vdc| json!({"name": vdc, "vdc": vdc})).collect();
        json!({
            "apiVersion": "kogge.dev/v1alpha1",
            "kind": "FederatedEtcd",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {
                "chartVersion": "1.0.0",
                "version": "3.5.35",
                "image": "lab.kogge.dev/etcd:3.5",
                "storage": {"size": "1Gi"},
                "placement": placement,
                "deletion": {"coolOff": "0s", "data": "Delete"},
            },
        })
    }
}

impl Database<'_> {
    /// One shard, config servers and a router in each of these data centres; it is torn down, volumes and all, as
    /// soon as it is deleted. Its members quiesce before they end, not for as long as they would by themselves.
    pub fn manifest(&self, vdcs: &[&str]) -> Value {
        let placement: Vec<Value> = vdcs.iter().map(|vdc| json!({"name": vdc, "vdc": vdc})).collect();
        json!({
            "apiVersion": "kogge.dev/v1alpha1",
            "kind": "FederatedCluster",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {
                "global": {"chartVersion": "1.0.0", "version": "7.0", "image": "lab.kogge.dev/mongosim:7.0"},
                "mongos": {"replicasPerPlacement": 1},
                "shard": {"storage": {"size": "1Gi"}},
                "config": {"storage": {"size": "1Gi"}},
                "placement": placement,
                "deletion": {"coolOff": "0s", "data": "Delete"},
                // Everything that ends takes as long as on a real server, but for the length of it.
                "values": {
                    "handOverSeconds": HAND_OVER_S,
                    "mongod": {"setParameter": {
                        "shutdownTimeoutMillisForSignaledShutdown": QUIESCE_MS,
                        // 1,024 chunks that move one by one, and 15 minutes until one may come back, are for no test.
                        "minNumChunksForSessionsCollection": 8,
                        "orphanCleanupDelaySecs": 5,
                    }},
                    "mongos": {"setParameter": {"mongosShutdownTimeoutMillisForSignaledShutdown": QUIESCE_MS}},
                },
            },
        })
    }
}

impl<K: Kind> Database<'_, K> {
    /// `kubectl apply`.
    pub async fn apply(&self, manifest: &Value) -> anyhow::Result<()> {
        self.harness.kubectl_apply(CONTROL, manifest).await
    }

    /// `kubectl patch --type merge`.
    pub async fn merge(&self, patch: Value) -> anyhow::Result<()> {
        self.patch("merge", &patch).await
    }

    /// `kubectl patch --type json`.
    pub async fn edit(&self, operations: Value) -> anyhow::Result<()> {
        self.patch("json", &operations).await
    }

    async fn patch(&self, kind: &str, patch: &Value) -> anyhow::Result<()> {
        let (kind, patch) = (format!("--type={kind}"), patch.to_string());
        let arguments = ["patch", K::SHORT, self.name, "-n", self.namespace, &kind, "-p", &patch];
        self.harness.kubectl(CONTROL, &arguments).await.map(drop)
    }

    /// `kubectl delete`, which does not wait for the teardown.
    pub async fn delete(&self) -> anyhow::Result<()> {
        let arguments =
            ["delete", K::SHORT, self.name, "-n", self.namespace, "--wait=false", "--ignore-not-found"];
        self.harness.kubectl(CONTROL, &arguments).await.map(drop)
    }

    fn api(&self) -> Api<K> {
        Api::namespaced(self.harness.control.clone(), self.namespace)
    }

    /// As it is now.
    pub async fn get(&self) -> anyhow::Result<K> {
        self.api().get(self.name).await.with_context(|| format!("no {} {}", K::kind(&()), self.name))
    }

    /// As it is now, if it is there.
    pub async fn find(&self) -> anyhow::Result<Option<K>> {
        Ok(self.api().get_opt(self.name).await?)
    }

    /// What a worker remembers of it.
    pub async fn anchor<R: Record>(&self, vdc: &str) -> anyhow::Result<Anchor<R>> {
        let client = self.harness.lab.worker(vdc)?.client().await?;
        let anchors: Api<ConfigMap> = Api::namespaced(client, self.namespace);
        let anchor = anchors.get(&names::anchor(self.name)).await?;
        Ok(Anchor::from_data(anchor.data.as_ref())?)
    }

    /// What the administrator's Secret says under a key; the error is what is missing.
    pub async fn told(&self, key: &str) -> Result<String, String> {
        let secrets: Api<Secret> = Api::namespaced(self.harness.control.clone(), self.namespace);
        let secret = secrets.get(&names::admin_secret(self.name)).await.map_err(|error| error.to_string())?;
        let value = secret.data.and_then(|mut data| data.remove(key)).ok_or_else(|| format!("it has no {key}"))?;
        Ok(String::from_utf8_lossy(&value.0).into_owned())
    }

    /// Waits until it is as `check` wants it; its error is what is still missing.
    pub async fn until(
        &self,
        what: &str,
        deadline: Duration,
        check: impl Fn(&K) -> Result<(), String>,
    ) -> anyhow::Result<K> {
        let api = self.api();
        let what = format!("{} {what}", self.name);
        let found = wait::until(&what, deadline, || async {
            let cluster = api.get(self.name).await.map_err(|error| error.to_string())?;
            check(&cluster).map(|()| cluster)
        });
        Ok(found.await?)
    }

    /// Waits until it is Ready for the spec that it has.
    pub async fn ready(&self) -> anyhow::Result<K> {
        self.until("ready", SETTLING, ready).await
    }

    /// Waits until its resource is gone.
    pub async fn gone(&self) -> anyhow::Result<()> {
        let api = self.api();
        wait::until(&format!("{} gone", self.name), SETTLING, || async {
            match api.get_opt(self.name).await.map_err(|error| error.to_string())? {
                None => Ok(()),
                Some(cluster) => Err(waiting(&cluster, "it is still there")),
            }
        })
        .await?;
        Ok(())
    }
}

/// What is missing until it is Ready for the spec that it has: the contract of `Ready`.
pub fn ready<K: Kind>(database: &K) -> Result<(), String> {
    match condition(database, READY) {
        None => Err("nothing has been reported yet".to_owned()),
        Some(ready) if ready.observed_generation != database.meta().generation => {
            Err("the change has not been seen yet".to_owned())
        }
        Some(ready) if ready.status == "True" => Ok(()),
        Some(ready) => Err(waiting(database, &format!("{}: {}", ready.reason, ready.message))),
    }
}

fn waiting<K: Kind>(database: &K, otherwise: &str) -> String {
    let waiting_for = database.status().and_then(|status| status.waiting_for.as_deref());
    waiting_for.unwrap_or(otherwise).to_owned()
}

/// The condition of that type.
pub fn condition<'a, K: Kind>(database: &'a K, type_: &str) -> Option<&'a Condition> {
    database.status()?.conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the present spec was judged so, with that reason; the error is what stands instead.
pub fn is<K: Kind>(database: &K, type_: &str, status: &str, reason: &str) -> Result<(), String> {
    let generation = database.meta().generation;
    match condition(database, type_) {
        Some(found) if (found.status.as_str(), found.reason.as_str()) == (status, reason) => {
            if found.observed_generation == generation {
                Ok(())
            } else {
                Err("of an earlier generation".to_owned())
            }
        }
        Some(found) => Err(format!("{type_} is {}, {}: {}", found.status, found.reason, found.message)),
        None => Err(format!("{type_} has not been reported yet")),
    }
}

/// The number of voters, by replica set.
pub fn voters(cluster: &FederatedCluster) -> BTreeMap<&str, usize> {
    let sets = cluster.status.iter().flat_map(|status| &status.groups);
    sets.map(|(name, set)| (name.as_str(), set.members.iter().filter(|m| m.votes > 0).count())).collect()
}
