//! An etcd cluster through its life, while clients in two data centres record every answer.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use kogge_api::FederatedEtcd;
use kogge_e2e::{Database, EtcdClients, Harness, History, SCRATCH, VDCS};
use serde_json::json;

use super::member::Member;
use super::{group, leader, voters};
use crate::cases::crash::Killer;

/// How soon the others must follow another leader, and Kogge know of it.
const ELECTED: Duration = Duration::from_mins(1);
/// What the clients must be told at least after each change.
const ANSWERS: u64 = 100;

pub(in crate::cases) async fn every_answer_is_right_through_its_life(harness: &Harness) -> anyhow::Result<()> {
    let database = harness.etcd(SCRATCH, "tale");
    let mut killer = Killer::new()?;
    database.apply(&database.manifest(&VDCS[..3])).await?;
    killer.kill(2, "create", &database).await?;
    database.ready().await?;
    let mut life = Life { database, killer, history: History::of(database), clients: Vec::new() };
    for vdc in ["vdc1", "vdc3"] {
        life.clients.push(life.history.clients(vdc).await?);
    }
    life.answers().await?;

    life.grows_to_five().await?;
    life.rolls_a_chart_value_out().await?;
    life.is_upgraded().await?;
    life.loses_its_leader_s_data_centre().await?;
    life.loses_a_disk().await?;
    life.shrinks_to_three().await?;

    ensure!(life.killer.killed == 10, "the operator was killed {} times", life.killer.killed);
    let Life { mut history, clients, .. } = life;
    for clients in clients {
        history.end(clients).await?;
    }
    history.is_linearizable().await?;
    database.delete().await?;
    database.gone().await
}

struct Life<'a> {
    database: Database<'a, FederatedEtcd>,
    killer: Killer,
    history: History<'a>,
    clients: Vec<EtcdClients>,
}

impl Life<'_> {
    /// All clients are answered.
    async fn answers(&self) -> anyhow::Result<()> {
        for clients in &self.clients {
            self.history.answered(clients, ANSWERS).await?;
        }
        Ok(())
    }

    async fn grows_to_five(&mut self) -> anyhow::Result<()> {
        let placement = json!({"name": "vdc4", "vdc": "vdc4", "membersPerPlacement": 2});
        self.database.edit(json!([{"op": "add", "path": "/spec/placement/-", "value": placement}])).await?;
        self.killer.kill(2, "growth", &self.database).await?;
        let cluster = self.database.ready().await?;
        let voters = voters(&cluster)?;
        ensure!(voters == [("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 2)].into(), "{voters:?}");
        self.answers().await
    }

    async fn rolls_a_chart_value_out(&mut self) -> anyhow::Result<()> {
        let values = json!({"flags": {"max-request-bytes": 2_097_152}});
        self.database.merge(json!({"spec": {"values": values}})).await?;
        self.killer.kill(2, "rollout", &self.database).await?;
        self.database.ready().await?;
        self.answers().await
    }

    async fn is_upgraded(&mut self) -> anyhow::Result<()> {
        let next = json!({"version": "3.6.16", "chartVersion": "1.1.0", "image": "lab.kogge.dev/etcd:3.6"});
        self.database.merge(json!({"spec": next})).await?;
        self.killer.kill(2, "upgrade", &self.database).await?;
        let cluster = self.database.ready().await?;
        let version = cluster.status.and_then(|status| status.data_version);
        ensure!(version.as_deref() == Some("3.6"), "{version:?}");
        self.answers().await
    }

    /// Its clients there meet nobody but a server without a quorum, and are told nothing that is not so.
    async fn loses_its_leader_s_data_centre(&mut self) -> anyhow::Result<()> {
        let (before, vdc) = leader(&self.database.get().await?)?;
        let fault = self.database.harness.lab.faults().partition(&vdc).await?;
        let another = |cluster: &FederatedEtcd| match leader(cluster) {
            Ok((now, _)) if now != before => Ok(()),
            Ok((now, _)) => Err(format!("{now} is said to lead")),
            Err(error) => Err(format!("{error:#}")),
        };
        self.database.until("led from another data centre", ELECTED, another).await?;
        for clients in self.clients.iter().filter(|clients| clients.vdc() != vdc) {
            self.history.answered(clients, ANSWERS).await?;
        }
        fault.heal().await?;
        self.database.ready().await?;
        self.answers().await
    }

    async fn loses_a_disk(&mut self) -> anyhow::Result<()> {
        let cluster = self.database.get().await?;
        let (leader, _) = leader(&cluster)?;
        let victim = group(&cluster)?.members.iter().find(|member| member.name != leader && member.votes > 0);
        let victim = victim.context("no voter that follows")?;
        let member = Member { database: self.database, pod: victim.name.clone(), vdc: victim.vdc.clone() };
        let id = member.id().await?;
        member.lose_disk().await?;
        member.is_another_than(id).await?;
        let cluster = self.database.ready().await?;
        let voters: usize = voters(&cluster)?.values().sum();
        ensure!(voters == 5, "{voters} voters");
        self.answers().await
    }

    async fn shrinks_to_three(&mut self) -> anyhow::Result<()> {
        self.database.edit(json!([{"op": "remove", "path": "/spec/placement/3"}])).await?;
        self.killer.kill(2, "shrinking", &self.database).await?;
        let cluster = self.database.ready().await?;
        let voters = voters(&cluster)?;
        ensure!(voters == [("vdc1", 1), ("vdc2", 1), ("vdc3", 1)].into(), "{voters:?}");
        self.answers().await
    }
}
