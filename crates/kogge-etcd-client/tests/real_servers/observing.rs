//! What is seen of groups that are well, and of members that are not.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, bail};
use kogge_engine_client::Loopback;
use kogge_etcd::{MemberId, Series, Server, Token, ids};
use kogge_etcd_client::{MEMBER_DEADLINE, METRICS};
use kogge_lab::Etcd;
use rstest::rstest;

use crate::group::{Group, observed, serving, unreachable};
use crate::server::TOKEN;

fn series(release: Etcd) -> Series {
    match release {
        Etcd::V3_5 => Series(3, 5),
        Etcd::V3_6 => Series(3, 6),
    }
}

#[rstest]
#[tokio::test]
async fn a_server_tells_who_it_is(#[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd) -> Result<()> {
    let group = Group::start(release, 1, 0).await?;
    let server = &group.servers[0];
    let state = group
        .seen("the versions", |topology| {
            let state = serving(topology, 0)?;
            // What the storage is follows what the cluster has agreed on.
            let followed = release == Etcd::V3_5 || state.storage_version == state.cluster_version;
            let told = state.cluster_version.is_some() && followed;
            if told { Ok(state.clone()) } else { Err(format!("{state:?}")) }
        })
        .await?;
    let id = ids::member_id(&[server.peer_url()], &Token::from(TOKEN));
    assert_eq!((state.member_id, state.cluster_id), (id, ids::cluster_id(&[id])), "as the planner computes them");
    assert!(state.leads() && !state.learner);
    assert_eq!((state.version.series(), state.cluster_version), (series(release), Some(series(release))));
    assert_eq!(state.storage_version, Some(Series(3, 6)).filter(|_| release == Etcd::V3_6));
    assert!(state.raft_term > 0 && state.raft_index >= state.applied_index && state.applied_index > 0);
    assert!(state.db_size >= state.db_size_in_use && state.db_size_in_use > 0);
    assert!(state.alarms.is_empty());
    let [member] = &state.members[..] else { bail!("{:?}", state.members) };
    assert_eq!((member.id, member.name.as_deref(), member.learner), (id, Some("m-0"), false));
    assert_eq!(member.peer_urls, [server.peer_url()]);
    assert_eq!(state.active_peers.map(|peers| peers.len()), Some(0));
    Ok(())
}

#[rstest]
#[tokio::test]
async fn a_group_is_seen_alike_by_all_its_members(#[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd) -> Result<()> {
    let group = Group::start(release, 3, 0).await?;
    // Without metrics ports, so the client ports tell of the connections.
    let addresses = group.addresses().into_iter().map(|(pod, mut listening)| {
        listening.ports.remove(METRICS.name);
        (pod, listening)
    });
    let access = group.access_by(Arc::new(Loopback::of(addresses.collect())));
    let topology = crate::wait::until("connections", async || {
        let topology = group.observe_by(&access).await;
        for index in 0..3 {
            let state = serving(&topology, index)?;
            if state.active_peers.as_ref().is_none_or(|peers| peers.len() != 2) {
                return Err(format!("{state:?}"));
            }
        }
        Ok(topology)
    })
    .await?;
    let ids: Vec<MemberId> =
        group.servers.iter().map(|server| ids::member_id(&[server.peer_url()], &Token::from(TOKEN))).collect();
    for index in 0..3 {
        let state = serving(&topology, index).map_err(anyhow::Error::msg)?;
        assert_eq!((state.member_id, state.cluster_id), (ids[index], ids::cluster_id(&ids)));
        assert!(ids.iter().all(|id| *id == state.member_id || state.active_peers.as_ref().unwrap().contains(id)));
        let follows = observed(&topology, index);
        assert!(follows.in_sync >= 1 && follows.serving_since.is_some(), "{follows:?}");
    }
    assert_eq!(
        topology.members.values().filter(|m| matches!(&m.server, Server::Serving(s) if s.leads())).count(),
        1
    );
    Ok(())
}

/// Cases 41 and 43: who is silent is unreachable, with a reason and a beginning, and nothing more.
#[rstest]
#[tokio::test]
async fn a_member_that_is_down_is_unreachable_and_costs_the_others_nothing(
    #[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd,
) -> Result<()> {
    let mut group = Group::start(release, 3, 0).await?;
    let down = (group.settled(3).await? + 1) % 3;
    group.servers[down].kill()?;
    let topology = group.observe().await;
    let reason = unreachable(&topology, down).map_err(anyhow::Error::msg)?;
    assert!(reason.contains("client port") && reason.contains("refused"), "{reason}");
    let since = |topology: &kogge_etcd::Topology| match &observed(topology, down).server {
        Server::Unreachable { since, .. } => Some(*since),
        _ => None,
    };
    let began = since(&topology);
    for other in (0..3).filter(|index| *index != down) {
        assert!(serving(&topology, other).is_ok(), "{topology:?}");
    }
    assert_eq!(since(&group.observe().await), began, "a silence keeps its beginning");
    group.servers[down].start()?;
    group.settled(3).await?;
    Ok(())
}

/// A member that has no quorum since its start tells what it knows on its peer port, and how far it is on its metrics.
#[rstest]
#[tokio::test]
async fn a_member_without_a_quorum_since_its_start_answers_on_its_peer_port_only(
    #[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd,
) -> Result<()> {
    let mut group = Group::start(release, 3, 0).await?;
    for server in &mut group.servers {
        server.kill()?;
    }
    group.servers[0].start()?;
    let peer = group
        .seen("the peer port", |topology| match &observed(topology, 0).server {
            Server::PeerOnly(peer) => Ok(peer.clone()),
            other => Err(format!("{other:?}")),
        })
        .await?;
    let ids: Vec<MemberId> =
        group.servers.iter().map(|s| ids::member_id(&[s.peer_url()], &Token::from(TOKEN))).collect();
    assert_eq!(peer.cluster_id, ids::cluster_id(&ids));
    assert_eq!(peer.members.len(), 3);
    assert!(peer.members.iter().all(|m| ids.contains(&m.id) && m.name.is_some() && !m.learner), "{peer:?}");
    assert_eq!(peer.version.series(), series(release));
    assert!(peer.raft_index.is_some(), "{peer:?}");
    Ok(())
}

/// A frozen server takes connections and answers nothing.
#[rstest]
#[tokio::test]
async fn a_frozen_server_is_unreachable_by_the_deadline(
    #[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd,
) -> Result<()> {
    let group = Group::start(release, 3, 0).await?;
    let leader = group.settled(3).await?;
    let frozen = (leader + 1) % 3;
    group.servers[frozen].freeze().await?;
    let began = Instant::now();
    let topology = group.observe().await;
    assert!(began.elapsed() < MEMBER_DEADLINE + MEMBER_DEADLINE / 4, "{:?}", began.elapsed());
    let reason = unreachable(&topology, frozen).map_err(anyhow::Error::msg)?;
    assert!(reason.contains("no answer within"), "{reason}");
    assert!(serving(&topology, leader).is_ok());
    let began = Instant::now();
    group.observe().await;
    assert!(began.elapsed() < MEMBER_DEADLINE / 4, "it is asked in the background: {:?}", began.elapsed());
    group.servers[frozen].thaw()?;
    group.settled(3).await?;
    Ok(())
}
