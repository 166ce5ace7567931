//! One lab of real clusters serves all of these tests, one after the other, because each of them breaks something.
//! They need root; without it only the API-only test runs.

mod ending;
mod faults;
mod network;
mod pods;

use std::time::Instant;

use kogge_lab::{ClusterStatus, Component, ComponentState, Lab, LabSpec, Mode};

const LAB: &str = "lab-tests";

#[tokio::test(flavor = "multi_thread")]
async fn clusters_of_the_lab_are_real_and_break_as_told() -> anyhow::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return Ok(());
    }
    show_progress();
    Lab::end(LAB)?;
    let lab = match Lab::up(LabSpec::full(LAB, 3)).await {
        Ok(lab) => lab,
        Err(e) => {
            Lab::attach(LAB)?.collect("clusters_of_the_lab").await?;
            Lab::end(LAB)?;
            return Err(e.into());
        }
    };
    let outcome = tests(&lab).await;
    if outcome.is_err() {
        let folder = lab.collect("clusters_of_the_lab").await?;
        eprintln!("objects and logs: {}", folder.display());
    }
    let left = ending::down_leaves_nothing(lab).await;
    outcome?;
    left?;
    ending::a_lab_killed_half_way_is_completed_by_the_next_up().await
}

async fn tests(lab: &Lab) -> anyhow::Result<()> {
    everything_runs(lab).await?;
    let pods = pods::start(lab).await?;
    network::pods_reach_each_other_across_clusters(&pods).await?;
    network::the_control_cluster_reaches_apis_but_no_pods_of_workers(lab, &pods).await?;
    network::a_mirrored_slice_resolves_in_another_cluster(lab, &pods).await?;
    faults::a_partition_drops_packets_both_ways_and_heals(lab, &pods).await?;
    faults::a_one_way_partition_leaves_the_other_way_open(lab, &pods).await?;
    faults::an_api_cut_leaves_pods_alone_and_a_pods_cut_the_api(lab, &pods).await?;
    faults::a_dropped_fault_heals(lab, &pods).await?;
    faults::a_killed_component_comes_back(lab).await?;
    faults::a_stopped_component_answers_nothing(lab).await?;
    faults::a_killed_pod_is_restarted(lab, &pods).await?;
    faults::a_crash_ends_pods_and_keeps_disks(lab, &pods).await
}

fn processes(cluster: &ClusterStatus) -> Vec<(Component, Option<i32>)> {
    cluster.components.iter().map(|c| (c.component, c.pid)).collect()
}

async fn everything_runs(lab: &Lab) -> anyhow::Result<()> {
    let before = lab.status().await?;
    let status = Lab::up(LabSpec::full(LAB, 3)).await?.status().await?;
    anyhow::ensure!(status.clusters.len() == 4, "control and three workers: {status}");
    for (cluster, before) in status.clusters.iter().zip(&before.clusters) {
        let ready = cluster.api.is_ok() && cluster.node == Some(Ok(()));
        let running = cluster.components.iter().all(|c| c.state == ComponentState::Running);
        anyhow::ensure!(ready && running && cluster.memory_bytes > 0, "{status}");
        anyhow::ensure!(processes(cluster) == processes(before), "a second `up` has nothing to do: {status}");
    }
    let names: Vec<_> = lab.clusters().iter().map(kogge_lab::Cluster::name).collect();
    anyhow::ensure!(names == ["control", "vdc1", "vdc2", "vdc3"], "{names:?}");
    Ok(())
}

#[tokio::test]
async fn an_api_server_alone_is_there_in_seconds() -> anyhow::Result<()> {
    const NAME: &str = "lab-tests-api";
    show_progress();
    Lab::end(NAME)?;
    let start = Instant::now();
    let lab = Lab::up(LabSpec { mode: Mode::ApiAndControllers, ..LabSpec::api_only(NAME) }).await?;
    eprintln!("API server after {:.1}s", start.elapsed().as_secs_f32());
    anyhow::ensure!(lab.clusters().len() == 1 && lab.control().api_server().starts_with("https://127.0.0.1:"));
    let api: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
        kube::Api::default_namespaced(lab.control().client().await?);
    api.create(
        &kube::api::PostParams::default(),
        &serde_json::from_value(serde_json::json!({"metadata": {"name": "x"}}))?,
    )
    .await?;

    let log = std::fs::read_to_string(lab.control().audit_log()?)?;
    let filter =
        kogge_lab::audit::Filter { user: Some("admin".to_owned()), ..kogge_lab::audit::Filter::default() };
    let writes = kogge_lab::audit::writes(&log, &filter);
    anyhow::ensure!(writes.iter().any(|w| w.resource == "configmaps" && w.name == "x"), "{writes:?}");

    let crash = lab.faults().crash("control").await?;
    anyhow::ensure!(api.get("x").await.is_err(), "a crashed API server answers nothing");
    crash.heal().await?;
    api.get("x").await?;
    anyhow::ensure!(lab.faults().partition("control").await.is_err(), "there is no network to break");
    let state = |status: kogge_lab::Status| {
        status.clusters[0].components.iter().find(|c| c.component == Component::Etcd).map(|c| c.state)
    };
    anyhow::ensure!(state(lab.status().await?) == Some(ComponentState::Running));
    lab.down().await?;
    anyhow::ensure!(Lab::attach(NAME).is_err(), "a lab that was ended cannot be attached to");
    Ok(())
}

fn show_progress() {
    let _ = tracing_subscriber::fmt()
        .with_env_filter("kogge_lab=info")
        .with_timer(tracing_subscriber::fmt::time::uptime())
        .with_ansi(false)
        .with_target(false)
        .with_writer(std::io::stderr)
        .try_init();
}
