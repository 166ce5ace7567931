//! Each fault breaks what it names, nothing else, and heals.

use std::time::Duration;

use kogge_lab::{Cluster, Component, ComponentState, Lab, wait};
use tokio::net::TcpStream;

use crate::pods::{self, Probes};

/// How the host's connection to a cluster's API server ends.
#[derive(Debug, PartialEq, Eq)]
enum Reach {
    Connected,
    Refused,
    Silence,
}

async fn reach_api(cluster: &Cluster) -> Reach {
    let server = cluster.api_server();
    let connect = TcpStream::connect(server.trim_start_matches("https://").to_owned());
    match tokio::time::timeout(Duration::from_millis(1500), connect).await {
        Ok(Ok(_)) => Reach::Connected,
        Ok(Err(e)) if e.kind() == std::io::ErrorKind::ConnectionRefused => Reach::Refused,
        _ => Reach::Silence,
    }
}

pub(crate) async fn a_partition_drops_packets_both_ways_and_heals(lab: &Lab, pods: &Probes) -> anyhow::Result<()> {
    let (one, three) = (pods.of("vdc1")?, pods.of("vdc3")?);
    let between = lab.faults().partition_between("vdc1", "vdc3").await?;
    anyhow::ensure!(!one.reaches(&three.address).await? && !three.reaches(&one.address).await?, "packets pass");
    anyhow::ensure!(pods.of("vdc2")?.reaches(&three.address).await?, "others are hit");
    between.heal().await?;
    anyhow::ensure!(one.reaches(&three.address).await? && three.reaches(&one.address).await?, "not healed");

    let whole = lab.faults().partition("vdc3").await?;
    anyhow::ensure!(reach_api(&three.cluster).await == Reach::Silence, "something is refused or answered");
    anyhow::ensure!(!one.reaches(&three.address).await?, "packets pass");
    whole.heal().await?;
    anyhow::ensure!(
        one.reaches(&three.address).await? && reach_api(&three.cluster).await == Reach::Connected,
        "not healed"
    );
    Ok(())
}

pub(crate) async fn a_one_way_partition_leaves_the_other_way_open(lab: &Lab, pods: &Probes) -> anyhow::Result<()> {
    let (one, three) = (pods.of("vdc1")?, pods.of("vdc3")?);
    let fault = lab.faults().partition_one_way("vdc1", "vdc3").await?;
    let (before_one, before_three) = (one.echo_requests().await?, three.echo_requests().await?);
    one.run(&format!("ping -c 3 -W 1 {}", three.address)).await?;
    three.run(&format!("ping -c 3 -W 1 {}", one.address)).await?;
    let (at_one, at_three) =
        (one.echo_requests().await? - before_one, three.echo_requests().await? - before_three);
    anyhow::ensure!(
        at_one == 3 && at_three == 0,
        "{at_one} of 3 came the open way, {at_three} of 3 the closed one"
    );
    fault.heal().await?;
    Ok(())
}

pub(crate) async fn an_api_cut_leaves_pods_alone_and_a_pods_cut_the_api(
    lab: &Lab,
    pods: &Probes,
) -> anyhow::Result<()> {
    let (one, three) = (pods.of("vdc1")?, pods.of("vdc3")?);
    let api = lab.faults().cut_api("vdc3").await?;
    anyhow::ensure!(reach_api(&three.cluster).await == Reach::Silence, "the API server answers");
    anyhow::ensure!(one.reaches(&three.address).await?, "pods are cut off too");
    api.heal().await?;
    let cut = lab.faults().cut_pods("vdc3").await?;
    anyhow::ensure!(!one.reaches(&three.address).await? && !three.reaches(&one.address).await?, "packets pass");
    anyhow::ensure!(reach_api(&three.cluster).await == Reach::Connected, "the API server is cut off too");
    cut.heal().await?;
    anyhow::ensure!(one.reaches(&three.address).await?, "not healed");
    Ok(())
}

pub(crate) async fn a_dropped_fault_heals(lab: &Lab, pods: &Probes) -> anyhow::Result<()> {
    let (one, two) = (pods.of("vdc1")?, pods.of("vdc2")?);
    {
        let _fault = lab.faults().partition("vdc2").await?;
        anyhow::ensure!(!one.reaches(&two.address).await?, "packets pass");
    }
    anyhow::ensure!(one.reaches(&two.address).await?, "a fault outlives its guard");
    lab.faults().cut_pods("vdc2").await?.keep();
    anyhow::ensure!(!one.reaches(&two.address).await?, "a fault that is kept is gone");
    lab.faults().heal_all().await?;
    anyhow::ensure!(one.reaches(&two.address).await?, "heal_all leaves a fault");
    Ok(())
}

async fn state(lab: &Lab, cluster: &str, component: Component) -> anyhow::Result<ComponentState> {
    let status = lab.status().await?;
    let cluster = status.clusters.iter().find(|c| c.name == cluster);
    let found = cluster.and_then(|c| c.components.iter().find(|c| c.component == component));
    Ok(found.ok_or_else(|| anyhow::anyhow!("{component} is not shown"))?.state)
}

pub(crate) async fn a_killed_component_comes_back(lab: &Lab) -> anyhow::Result<()> {
    let fault = lab.faults().kill("vdc2", Component::ApiServer).await?;
    anyhow::ensure!(reach_api(lab.worker("vdc2")?).await == Reach::Refused, "a dead server's port refuses");
    anyhow::ensure!(state(lab, "vdc2", Component::ApiServer).await? == ComponentState::Missing);
    fault.heal().await?;
    anyhow::ensure!(state(lab, "vdc2", Component::ApiServer).await? == ComponentState::Running);
    anyhow::ensure!(reach_api(lab.worker("vdc2")?).await == Reach::Connected, "not healed");
    lab.faults().restart("vdc2", Component::Containerd).await?;
    anyhow::ensure!(state(lab, "vdc2", Component::Containerd).await? == ComponentState::Running);
    Ok(())
}

pub(crate) async fn a_stopped_component_answers_nothing(lab: &Lab) -> anyhow::Result<()> {
    let fault = lab.faults().stop("vdc2", Component::ApiServer).await?;
    anyhow::ensure!(state(lab, "vdc2", Component::ApiServer).await? == ComponentState::Stopped);
    let version = lab.worker("vdc2")?.client().await?;
    let answer = tokio::time::timeout(Duration::from_secs(2), version.apiserver_version()).await;
    anyhow::ensure!(answer.is_err(), "a stopped API server answers: {answer:?}");
    fault.heal().await?;
    tokio::time::timeout(Duration::from_secs(10), version.apiserver_version()).await??;
    Ok(())
}

pub(crate) async fn a_killed_pod_is_restarted(lab: &Lab, pods: &Probes) -> anyhow::Result<()> {
    let probe = pods.of("vdc1")?;
    let before = probe.restarts().await?;
    lab.faults().kill_pod("vdc1", "default", "probe").await?;
    wait::until("the restart of the killed pod", Duration::from_mins(1), || async {
        let restarts = probe.restarts().await.map_err(|e| e.to_string())?;
        if restarts > before { Ok(()) } else { Err(format!("{restarts} restarts")) }
    })
    .await?;
    Ok(())
}

pub(crate) async fn a_crash_ends_pods_and_keeps_disks(lab: &Lab, pods: &Probes) -> anyhow::Result<()> {
    let probe = pods.of("vdc2")?;
    probe.run("echo kept > /data/file; touch /dev/shm/lost; sync").await?;
    // The command line of this process is found in no other pod.
    probe.run("(setsid sleep 31536001 >/dev/null 2>&1 &)").await?;
    anyhow::ensure!(sleepers() == 1, "the pod's process is not seen on the host");
    let crash = lab.faults().crash("vdc2").await?;
    anyhow::ensure!(sleepers() == 0, "a process of a pod outlives the crash");
    anyhow::ensure!(reach_api(&probe.cluster).await != Reach::Connected, "a crashed cluster answers");
    crash.heal().await?;
    pods::address(&probe.cluster).await?;
    let output = wait::until("the pod after the crash", Duration::from_mins(1), || async {
        let output = probe.run("cat /data/file; ls /dev/shm").await.map_err(|e| e.to_string())?;
        if output.is_empty() { Err("no output".to_owned()) } else { Ok(output) }
    })
    .await?;
    anyhow::ensure!(output.trim() == "kept", "disks are kept and memory is not: {output}");
    lab.faults().wipe_volumes("vdc2", "default", "probe").await?;
    let output = probe.run("ls -A /data").await?;
    anyhow::ensure!(output.trim().is_empty(), "a wiped volume holds {output}");
    probe.delete().await
}

fn sleepers() -> usize {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let command_lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    command_lines.filter(|line| line == b"sleep\x0031536001\0").count()
}
