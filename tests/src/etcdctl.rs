//! `etcdctl`, unmodified, in a pod beside the database: it watches a prefix, and does more where it is asked to.

use std::time::Duration;

use anyhow::Context as _;
use kogge_api::FederatedEtcd;
use kogge_api::federated_cluster::TlsMode;
use kogge_lab::wait;
use serde_json::json;

use crate::Database;

/// The image that it is in, beside etcd.
const IMAGE: &str = "lab.kogge.dev/etcd:3.6";
const PROGRAM: &str = "/bin/etcdctl";
const DEADLINE: Duration = Duration::from_mins(1);

/// Where its certificate is mounted.
const CERTIFICATE: &str = "/certificate";

/// A pod with it.
pub struct Etcdctl<'a> {
    database: Database<'a, FederatedEtcd>,
    vdc: &'a str,
    name: String,
}

impl<'a> Etcdctl<'a> {
    /// Starts it in a data centre, and lets it watch a prefix. It has the URI that the status names, with TLS also what
    /// the administrator's Secret holds, and nothing else.
    pub async fn start(
        database: Database<'a, FederatedEtcd>,
        vdc: &'a str,
        watched: &str,
    ) -> anyhow::Result<Self> {
        let connection = database.get().await?.status.and_then(|status| status.connection);
        let uri = connection.context("the status names no URI")?.uri;
        let etcdctl = Self { database, vdc, name: format!("etcdctl-of-{}", database.name) };
        let mut environment = vec![json!({"name": "ETCDCTL_ENDPOINTS", "value": uri})];
        let (mut volumes, mut mounts) = (Vec::new(), Vec::new());
        if etcdctl.has_tls().await? {
            etcdctl.take_certificate().await?;
            volumes.push(json!({"name": "certificate", "secret": {"secretName": etcdctl.name}}));
            mounts.push(json!({"name": "certificate", "mountPath": CERTIFICATE}));
            environment.extend(
                [("ETCDCTL_CACERT", "ca.crt"), ("ETCDCTL_CERT", "tls.crt"), ("ETCDCTL_KEY", "tls.key")]
                    .map(|(name, file)| json!({"name": name, "value": format!("{CERTIFICATE}/{file}")})),
            );
        }
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": etcdctl.name, "namespace": database.namespace},
            "spec": {
                "containers": [{
                    "name": "etcdctl",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": [PROGRAM, "watch", "--prefix", watched],
                    "env": environment,
                    "volumeMounts": mounts,
                }],
                "volumes": volumes,
                "terminationGracePeriodSeconds": 2,
            },
        });
        database.harness.kubectl_apply(vdc, &pod).await?;
        let running = format!("--for=condition=Ready pod/{}", etcdctl.name);
        let wait: Vec<&str> =
            ["wait", "--timeout=60s", "-n", database.namespace].into_iter().chain(running.split(' ')).collect();
        database.harness.kubectl(vdc, &wait).await?;
        Ok(etcdctl)
    }

    async fn has_tls(&self) -> anyhow::Result<bool> {
        Ok(self.database.get().await?.spec.security.tls.mode != TlsMode::Disabled)
    }

    /// Brings what the administrator's Secret holds to its data centre, as a user would.
    pub async fn take_certificate(&self) -> anyhow::Result<()> {
        let mut data = serde_json::Map::new();
        for key in ["ca.crt", "tls.crt", "tls.key"] {
            data.insert(key.to_owned(), self.database.told(key).await.map_err(anyhow::Error::msg)?.into());
        }
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self.name, "namespace": self.database.namespace},
            "stringData": data,
        });
        self.database.harness.kubectl_apply(self.vdc, &secret).await
    }

    /// Runs it once more, and returns what it prints.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let Self { database, vdc, name } = self;
        let exec = [&["exec", name, "-n", database.namespace, "--", PROGRAM], arguments].concat();
        database.harness.kubectl(vdc, &exec).await
    }

    /// Waits until the watch has shown this line.
    pub async fn watched(&self, line: &str) -> anyhow::Result<()> {
        let Self { database, vdc, name } = self;
        wait::until(&format!("{line:?} watched in {vdc}"), DEADLINE, || async {
            let log = database.harness.kubectl(vdc, &["logs", name, "-n", database.namespace]).await;
            let log = log.map_err(|error| format!("{error:#}"))?;
            if log.lines().any(|shown| shown == line) { Ok(()) } else { Err(log) }
        })
        .await?;
        Ok(())
    }

    /// Ends it.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Self { database, vdc, name } = self;
        let (pod, secret) = (format!("pod/{name}"), format!("secret/{name}"));
        let delete = ["delete", &pod, &secret, "-n", database.namespace, "--wait=false", "--ignore-not-found"];
        database.harness.kubectl(vdc, &delete).await.map(drop)
    }
}
