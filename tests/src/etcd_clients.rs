//! Clients of an etcd cluster whose answers are recorded: pods of workers, and the verdict on what they were told.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use kogge_api::FederatedEtcd;
use kogge_lab::{products, wait};
use serde_json::json;
use tokio::process::Command;

use crate::{Database, Harness};

const DEADLINE: Duration = Duration::from_secs(90);

/// One history: several pods' clients on the same keys.
pub struct History<'a> {
    database: Database<'a, FederatedEtcd>,
    run: String,
    ended: Vec<PathBuf>,
}

/// The clients of one pod.
pub struct EtcdClients {
    vdc: String,
    name: String,
}

impl EtcdClients {
    /// Their data centre.
    pub fn vdc(&self) -> &str {
        &self.vdc
    }
}

impl<'a> History<'a> {
    /// A history on keys that nothing has written yet.
    pub fn of(database: Database<'a, FederatedEtcd>) -> Self {
        Self { database, run: format!("run-{}", Timestamp::now().as_millisecond()), ended: Vec::new() }
    }

    /// Starts clients in a data centre. They find the members by the cluster's name, again whenever one fails them.
    pub async fn clients(&self, vdc: &str) -> anyhow::Result<EtcdClients> {
        let Database { harness, namespace, name, .. } = self.database;
        let clients = EtcdClients { vdc: vdc.to_owned(), name: format!("clients-of-{name}") };
        let cluster = self.database.get().await?;
        let uri = cluster.status.and_then(|status| status.connection).map(|connection| connection.uri);
        let uri = uri.context("the status names no URI")?;
        let endpoint = uri.strip_prefix("http://").with_context(|| format!("{uri} has TLS"))?;
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": clients.name, "namespace": namespace},
            "spec": {
                "containers": [{
                    "name": "history",
                    "image": products::HISTORY,
                    "imagePullPolicy": "IfNotPresent",
                    "args": ["etcd", "work"],
                    "env": [
                        {"name": "HISTORY_ENDPOINTS", "value": endpoint},
                        {"name": "HISTORY_RUN", "value": self.run},
                        {"name": "HISTORY_CLIENT", "value": vdc},
                    ],
                    "volumeMounts": [{"name": "record", "mountPath": "/record"}],
                }],
                "volumes": [{"name": "record", "emptyDir": {}}],
                "terminationGracePeriodSeconds": 2,
            },
        });
        harness.kubectl_apply(vdc, &pod).await?;
        Ok(clients)
    }

    /// Waits until that many more operations were answered.
    pub async fn answered(&self, clients: &EtcdClients, more: u64) -> anyhow::Result<()> {
        let EtcdClients { vdc, name } = clients;
        let before = self.count(clients).await.unwrap_or_default();
        let what = format!("{more} operations answered to {name} in {vdc}");
        wait::until(&what, DEADLINE, || async {
            let now = self.count(clients).await.map_err(|error| format!("{error:#}"))?;
            if now >= before + more { Ok(()) } else { Err(format!("{now} are, {before} were before")) }
        })
        .await?;
        Ok(())
    }

    async fn count(&self, clients: &EtcdClients) -> anyhow::Result<u64> {
        let EtcdClients { vdc, name } = clients;
        let log = self.harness().kubectl(vdc, &["logs", name, "-n", self.database.namespace, "--tail=3"]).await?;
        let told = log.lines().filter_map(|line| line.strip_prefix("answered ")?.split(',').next()?.parse().ok());
        Ok(told.max().unwrap_or_default())
    }

    /// Ends clients and keeps what they recorded.
    pub async fn end(&mut self, clients: EtcdClients) -> anyhow::Result<()> {
        let EtcdClients { vdc, name } = clients;
        let namespace = self.database.namespace;
        let end = ["exec", &name, "-n", namespace, "--", "/bin/kogge-history", "etcd", "end"];
        let text = self.harness().kubectl(&vdc, &end).await?;
        let file = self.harness().folder.join(format!("{}-{vdc}.jsonl", self.run));
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        self.ended.push(file);
        let delete = ["delete", "pod", &name, "-n", namespace, "--wait=false"];
        self.harness().kubectl(&vdc, &delete).await.map(drop)
    }

    /// Says what was recorded, and whether the answers are those of one linearizable store.
    pub async fn is_linearizable(self) -> anyhow::Result<()> {
        let verdict = Command::new(&self.harness().history).arg("verify").args(&self.ended).output().await?;
        let [said, erred] = [&verdict.stdout, &verdict.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        println!("{}", said.trim_end());
        let files: Vec<String> = self.ended.iter().map(|file| file.display().to_string()).collect();
        ensure!(verdict.status.success(), "{said}{erred}the history is in {}", files.join(" and "));
        Ok(())
    }

    fn harness(&self) -> &Harness {
        self.database.harness
    }
}
