//! Who reaches whom in a lab that is whole.

use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kogge_lab::{Lab, wait};
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use crate::pods::Probes;

pub(crate) async fn pods_reach_each_other_across_clusters(pods: &Probes) -> anyhow::Result<()> {
    for (from, to) in [("vdc1", "vdc3"), ("vdc3", "vdc1"), ("vdc2", "vdc1")] {
        let reached = pods.of(from)?.reaches(&pods.of(to)?.address).await?;
        anyhow::ensure!(reached, "a pod of {from} does not reach a pod of {to}");
    }
    Ok(())
}

pub(crate) async fn the_control_cluster_reaches_apis_but_no_pods_of_workers(
    lab: &Lab,
    pods: &Probes,
) -> anyhow::Result<()> {
    let (control, worker) = (pods.of("control")?, pods.of("vdc1")?);
    anyhow::ensure!(!control.reaches(&worker.address).await?, "control has a route to pods of vdc1");
    anyhow::ensure!(!worker.reaches(&control.address).await?, "vdc1 has a route to pods of control");
    for target in lab.workers() {
        let server = target.api_server();
        let (host, port) = server.trim_start_matches("https://").rsplit_once(':').unwrap_or_default();
        let output = control.run(&format!("nc -w 3 {host} {port} </dev/null && echo connected")).await?;
        anyhow::ensure!(output.contains("connected"), "control does not reach {server}: {output}");
    }
    Ok(())
}

pub(crate) async fn a_mirrored_slice_resolves_in_another_cluster(lab: &Lab, pods: &Probes) -> anyhow::Result<()> {
    let client = lab.worker("vdc1")?.client().await?;
    let remote = &pods.of("vdc3")?.address;
    let service = json!({"metadata": {"name": "db"}, "spec": {"clusterIP": "None", "ports": [{"name": "db", "port": 8080}]}});
    let slice = json!({
        "metadata": {"name": "db-vdc3", "labels": {"kubernetes.io/service-name": "db"}},
        "addressType": "IPv4",
        "ports": [{"name": "db", "port": 8080}],
        "endpoints": [{"addresses": [remote], "hostname": "db-0", "conditions": {"ready": true}}],
    });
    Api::<Service>::default_namespaced(client.clone())
        .create(&PostParams::default(), &serde_json::from_value(service)?)
        .await?;
    Api::<EndpointSlice>::default_namespaced(client)
        .create(&PostParams::default(), &serde_json::from_value(slice)?)
        .await?;
    let probe = pods.of("vdc1")?;
    wait::until("the mirrored name in vdc1", Duration::from_secs(30), || async {
        let output = probe.run("nslookup db-0.db.default.svc.cluster.local").await.map_err(|e| e.to_string())?;
        if output.contains(remote) { Ok(()) } else { Err(output) }
    })
    .await?;
    anyhow::ensure!(probe.reaches("db-0.db.default.svc.cluster.local").await?, "the mirrored name leads nowhere");
    Ok(())
}
