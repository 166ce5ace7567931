//! A member that loses its disk: it is held back until its set has taken it out, and comes back as another member.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kogge_api::FederatedCluster;
use kogge_api::anchor::mongodb::{AnchoredMember, Record};
use kogge_api::federated_cluster::Component;
use kogge_api::gate::{self, Hold, HoldReason, Report};
use kogge_api::names;
use kogge_api::status::MemberStatus;
use kogge_e2e::{Database, Harness, HistoryClient, ready, voters};
use kogge_lab::wait;
use kube::Api;

/// How soon a wiped member's gate must have spoken, or an anchor say what was done.
const SPOKEN: Duration = Duration::from_secs(90);
/// How often the gate must have held before it counts that the server does not start.
const HELD: i32 = 2;
/// How long a member may take to come back.
const BACK: Duration = Duration::from_mins(4);
/// Where the client is; no member there is wiped first.
const CLIENT: &str = "vdc1";

pub(super) async fn a_wiped_volume_is_held_until_the_member_is_admitted_anew(
    harness: &Harness,
) -> anyhow::Result<()> {
    let database = super::scratch(harness, "gated").await?;
    let client = HistoryClient::start(database, CLIENT).await?;
    client.acknowledged(50).await?;

    // A voter, while the operator is away.
    let voter = Victim::of(database, &secondary(&database.get().await?)?).await?;
    harness.operator.kill().await?;
    voter.wipe().await?;
    let held = voter.held(HELD).await?;
    println!("\n{}, without an operator: {held}", voter.pod);
    ensure!(voter.record().await? == voter.before, "the anchor was changed while the operator was away");
    let acknowledged = client.acknowledged(1).await?;
    client.acknowledged(acknowledged + 50).await?;
    harness.operator.start(harness.lab.control()).await?;
    voter.back().await?;

    // Under the running server: the kubelet starts the container alone.
    let running = Victim::of(database, &secondary(&database.get().await?)?).await?;
    let held = running.wipe_under_its_server().await?;
    println!("{}, its container started again: {held}", running.pod);
    running.back().await?;

    // The primary, and the same again while it joins anew.
    let primary = Victim::of(database, &primary(&database.get().await?)?).await?;
    primary.wipe().await?;
    primary.held(1).await?;
    primary.back().await?;
    let again = Victim::of(database, &primary.pod).await?;
    again.wipe().await?;
    again.admitted().await?;
    again.wipe().await?;
    again.back().await?;

    let cluster = database.ready().await?;
    let voters = voters(&cluster);
    ensure!(voters.values().all(|count| *count == 3), "three voters in each set: {voters:?}");
    let verdict = client.check().await?;
    ensure!(verdict.lost == 0, "{verdict:?}");
    client.stop().await?;
    database.delete().await
}

/// A member whose volume is wiped.
struct Victim<'a> {
    database: Database<'a>,
    pod: String,
    vdc: String,
    before: AnchoredMember,
}

impl<'a> Victim<'a> {
    async fn of(database: Database<'a>, pod: &str) -> anyhow::Result<Self> {
        let cluster = database.get().await?;
        let vdc = shard(&cluster)?.iter().find(|m| m.name == pod).context("no such member")?.vdc.clone();
        let mut victim = Self { database, pod: pod.to_owned(), vdc, before: AnchoredMember::default() };
        victim.before = victim.record().await?;
        ensure!(victim.before.initialized, "{pod} holds no data yet");
        Ok(victim)
    }

    /// Wipes its volume, and lets its pod end as a node that is drained does.
    async fn wipe(&self) -> anyhow::Result<()> {
        let Self { database, pod, vdc, .. } = self;
        database.harness.lab.faults().wipe_volumes(vdc, database.namespace, pod).await?;
        let delete = ["delete", "pod", pod, "-n", database.namespace];
        database.harness.kubectl(vdc, &delete).await.map(drop)
    }

    /// Wipes its volume and touches nothing else, and waits until the gate holds in the server's own container.
    async fn wipe_under_its_server(&self) -> anyhow::Result<Hold> {
        let Self { database, pod, vdc, .. } = self;
        let uid = self.pod().await?.metadata.uid;
        database.harness.lab.faults().wipe_volumes(vdc, database.namespace, pod).await?;
        let what = format!("the gate to hold in the container of {pod}");
        let held = wait::until(&what, SPOKEN, || async {
            let seen = self.pod().await.map_err(|error| format!("{error:#}"))?;
            let status = seen.status.unwrap_or_default();
            let server = status.container_statuses.iter().flatten().find_map(last_word);
            match server {
                Some(hold) => Ok((seen.metadata.uid, hold)),
                None => Err(format!("{:?}", status.container_statuses)),
            }
        });
        let (same, hold) = held.await?;
        ensure!(same == uid, "another pod was made before its gate had held");
        ensure!(hold.reason == HoldReason::LostDisk, "{hold}");
        Ok(hold)
    }

    /// Waits until the gate has held that often, and makes sure that the server never started.
    async fn held(&self, often: i32) -> anyhow::Result<Hold> {
        let what = format!("the gate of {} to hold {often} times", self.pod);
        let held = wait::until(&what, SPOKEN, || async {
            let pod = self.pod().await.map_err(|error| format!("{error:#}"))?;
            let status = pod.status.unwrap_or_default();
            let started = status.container_statuses.iter().flatten().any(|container| {
                container.restart_count > 0
                    || container.state.as_ref().is_some_and(|state| state.waiting.is_none())
            });
            let gate = status.init_container_statuses.iter().flatten().find(|c| c.name == gate::CONTAINER);
            let hold = gate.and_then(last_word);
            match (gate, hold) {
                _ if started => Ok(Err(format!("the server of {} has started", self.pod))),
                (Some(gate), Some(hold)) if gate.restart_count + 1 >= often => Ok(Ok(hold)),
                (gate, hold) => Err(format!("{:?}, {hold:?}", gate.map(|gate| gate.restart_count))),
            }
        });
        let hold = held.await?.map_err(anyhow::Error::msg)?;
        ensure!(hold.reason == HoldReason::LostDisk, "{hold}");
        Ok(hold)
    }

    /// Waits until its anchor says that it was admitted anew, whether or not it has joined.
    async fn admitted(&self) -> anyhow::Result<()> {
        let what = format!("{} to be admitted anew", self.pod);
        let admitted = wait::until(&what, SPOKEN, || async {
            let record = self.record().await.map_err(|error| format!("{error:#}"))?;
            if record.member_id > self.before.member_id { Ok(()) } else { Err(format!("{record:?}")) }
        });
        Ok(admitted.await?)
    }

    /// Waits until it votes again as another member, and watches that it never votes before it holds the data.
    async fn back(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let early = |cluster: &FederatedCluster| {
            let member = shard(cluster).ok()?.iter().find(|member| member.name == self.pod)?;
            let empty = ["STARTUP", "STARTUP2", "RECOVERING"].contains(&member.state.as_str());
            (member.votes > 0 && empty).then(|| format!("{member:?}"))
        };
        // What the status says of it before is from before.
        self.admitted().await?;
        let healed = |cluster: &FederatedCluster| if early(cluster).is_some() { Ok(()) } else { ready(cluster) };
        let cluster = self.database.until("healed", BACK, healed).await?;
        ensure!(early(&cluster).is_none(), "it votes before it holds the data: {:?}", early(&cluster));
        let member = shard(&cluster)?.iter().find(|m| m.name == self.pod).context("it is not listed")?.clone();
        ensure!(member.votes == 1 && member.ready, "{member:?}");
        let record = self.record().await?;
        ensure!(
            record.initialized && record.member_id > self.before.member_id,
            "{:?} and {record:?}",
            self.before
        );
        let (was, is) = (self.before.member_id.unwrap_or_default(), record.member_id.unwrap_or_default());
        println!("{}: member {was} is member {is} after {:.0} s", self.pod, begun.elapsed().as_secs_f32());
        Ok(())
    }

    async fn pod(&self) -> anyhow::Result<Pod> {
        let client = self.database.harness.lab.worker(&self.vdc)?.client().await?;
        Ok(Api::namespaced(client, self.database.namespace).get(&self.pod).await?)
    }

    /// What the anchor beside it says of it.
    async fn record(&self) -> anyhow::Result<AnchoredMember> {
        let anchor = self.database.anchor::<Record>(&self.vdc).await?;
        Ok(anchor.record.members.get(&self.pod).cloned().unwrap_or_default())
    }
}

fn last_word(gate: &ContainerStatus) -> Option<Hold> {
    let ended = [&gate.state, &gate.last_state].into_iter().find_map(|state| state.as_ref()?.terminated.as_ref());
    Report::read(ended?.message.as_deref()?)?.hold().cloned()
}

fn shard(cluster: &FederatedCluster) -> anyhow::Result<&[MemberStatus]> {
    let status = cluster.status.as_ref().context("no status")?;
    let set = status.groups.get(&names::service("gated", Component::Shard(0)));
    Ok(&set.context("no shard")?.members)
}

fn primary(cluster: &FederatedCluster) -> anyhow::Result<String> {
    let member = shard(cluster)?.iter().find(|member| member.state == "PRIMARY");
    Ok(member.context("no primary")?.name.clone())
}

fn secondary(cluster: &FederatedCluster) -> anyhow::Result<String> {
    let member = shard(cluster)?.iter().find(|member| member.state == "SECONDARY" && member.vdc != CLIENT);
    Ok(member.context("no secondary")?.name.clone())
}
