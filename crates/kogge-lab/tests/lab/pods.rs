//! A pod in every cluster that answers on port 8080 and can look around.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kogge_lab::images::SHELL_IMAGE;
use kogge_lab::{Cluster, Lab, wait};
use kube::Api;
use kube::api::{AttachParams, DeleteParams, PostParams};
use serde_json::json;
use tokio::io::AsyncReadExt;

const NAME: &str = "probe";
const EXEC_DEADLINE: Duration = Duration::from_secs(30);

/// The pod of one cluster.
pub(crate) struct Probe {
    pub(crate) cluster: Cluster,
    /// Its pod's address.
    pub(crate) address: String,
}

/// The pods of all clusters.
pub(crate) struct Probes(Vec<Probe>);

impl Probes {
    pub(crate) fn of(&self, cluster: &str) -> anyhow::Result<&Probe> {
        self.0.iter().find(|p| p.cluster.name() == cluster).ok_or_else(|| anyhow::anyhow!("no pod in {cluster}"))
    }
}

pub(crate) async fn start(lab: &Lab) -> anyhow::Result<Probes> {
    let started = lab.clusters().iter().map(|cluster| async move {
        create(cluster).await?;
        let address = address(cluster).await?;
        anyhow::Ok(Probe { cluster: cluster.clone(), address })
    });
    Ok(Probes(futures::future::try_join_all(started).await?))
}

async fn create(cluster: &Cluster) -> anyhow::Result<()> {
    let client = cluster.client().await?;
    let claims: Api<PersistentVolumeClaim> = Api::default_namespaced(client.clone());
    let claim = json!({
        "metadata": {"name": NAME},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}},
    });
    claims.create(&PostParams::default(), &serde_json::from_value(claim)?).await?;
    let pods: Api<Pod> = Api::default_namespaced(client);
    let pod = json!({
        "metadata": {"name": NAME},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": NAME,
                "image": SHELL_IMAGE,
                "command": ["sh", "-c", "mkdir /tmp/www; hostname > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"],
                "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            }],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": NAME}}],
        },
    });
    pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    Ok(())
}

/// The pod's address, once it is ready.
pub(crate) async fn address(cluster: &Cluster) -> anyhow::Result<String> {
    let pods: Api<Pod> = Api::default_namespaced(cluster.client().await?);
    let what = format!("{}: pod {NAME} ready", cluster.name());
    let address = wait::until(&what, Duration::from_secs(90), || {
        let pods = pods.clone();
        async move {
            let status = pods.get(NAME).await.map_err(|e| e.to_string())?.status.unwrap_or_default();
            let ready = status.conditions.iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True");
            let address = status.pod_ip.filter(|_| ready);
            address.ok_or_else(|| format!("{:?}", status.container_statuses))
        }
    })
    .await?;
    Ok(address)
}

impl Probe {
    /// Runs a shell script in the pod and returns what it writes, errors too.
    pub(crate) async fn run(&self, script: &str) -> anyhow::Result<String> {
        let pods: Api<Pod> = Api::default_namespaced(self.cluster.client().await?);
        let run = async {
            let mut process = pods
                .exec(NAME, ["sh", "-c", &format!("exec 2>&1; {script}")], &AttachParams::default().stderr(false))
                .await?;
            let mut output = String::new();
            if let Some(mut stdout) = process.stdout() {
                stdout.read_to_string(&mut output).await?;
            }
            process.join().await?;
            anyhow::Ok(output)
        };
        tokio::time::timeout(EXEC_DEADLINE, run).await?
    }

    /// Whether the pod gets an answer from another pod's address within two seconds.
    pub(crate) async fn reaches(&self, address: &str) -> anyhow::Result<bool> {
        let output = self.run(&format!("timeout 2 wget -q -O - http://{address}:8080/ || echo FAILED")).await?;
        Ok(output.trim() == NAME)
    }

    /// How many echo requests (ping) the pod has received.
    pub(crate) async fn echo_requests(&self) -> anyhow::Result<u64> {
        let snmp = self.run("cat /proc/net/snmp").await?;
        let mut rows = snmp.lines().filter_map(|line| line.strip_prefix("Icmp: "));
        let (names, values) = (rows.next().unwrap_or_default(), rows.next().unwrap_or_default());
        let echo = names.split(' ').zip(values.split(' ')).find(|(name, _)| *name == "InEchos");
        Ok(echo.ok_or_else(|| anyhow::anyhow!("no InEchos in {snmp}"))?.1.parse()?)
    }

    /// How often the pod's container was restarted.
    pub(crate) async fn restarts(&self) -> anyhow::Result<i32> {
        let pods: Api<Pod> = Api::default_namespaced(self.cluster.client().await?);
        let status = pods.get(NAME).await?.status.unwrap_or_default();
        Ok(status.container_statuses.iter().flatten().map(|c| c.restart_count).sum())
    }

    /// Deletes the pod.
    pub(crate) async fn delete(&self) -> anyhow::Result<()> {
        let pods: Api<Pod> = Api::default_namespaced(self.cluster.client().await?);
        pods.delete(NAME, &DeleteParams::default()).await?;
        Ok(())
    }
}
