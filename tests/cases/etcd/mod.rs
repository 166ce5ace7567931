//! etcd: one cluster over several data centres.

mod formation;
mod life;
mod member;
mod recovery;
mod tls;

pub(super) use formation::a_cluster_forms_in_three_data_centres;
pub(super) use life::every_answer_is_right_through_its_life;
pub(super) use recovery::a_lost_majority_is_restored_from_what_is_left;
pub(super) use tls::clients_with_a_certificate_are_answered_through_a_rotation;

use std::collections::BTreeMap;

use anyhow::Context as _;
use kogge_api::FederatedEtcd;
use kogge_api::status::GroupStatus;

/// What is said of the members' group.
fn group(cluster: &FederatedEtcd) -> anyhow::Result<&GroupStatus> {
    let status = cluster.status.as_ref().context("no status")?;
    status.groups.values().next().context("no group")
}

/// The pod that leads, and its data centre.
fn leader(cluster: &FederatedEtcd) -> anyhow::Result<(String, String)> {
    let group = group(cluster)?;
    let leader = group.leader.as_ref().context("no leader")?;
    let member = group.members.iter().find(|member| member.name == *leader).context("the leader is not listed")?;
    Ok((leader.clone(), member.vdc.clone()))
}

/// The voters by data centre.
fn voters(cluster: &FederatedEtcd) -> anyhow::Result<BTreeMap<&str, usize>> {
    let mut voters = BTreeMap::new();
    for member in group(cluster)?.members.iter().filter(|member| member.votes > 0) {
        *voters.entry(member.vdc.as_str()).or_default() += 1;
    }
    Ok(voters)
}
