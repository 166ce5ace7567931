//! Roles and planned switchovers against servers, while a client writes.

use std::time::Duration;

use anyhow::{Context, Result};
use kogge_mongo::{LOWERED_PRIORITY, MemberRole, Plan, SetRole};

use crate::cluster::Cluster;
use crate::history::History;

const SET: &str = "ll-config-7f3k2m9q";
const FIVE: &[(&str, u32)] = &[("vdc1", 2), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1)];
const LIMIT: Duration = Duration::from_secs(150);

fn vdc_of_primary(plan: &Plan) -> Result<String> {
    let set = &plan.sets[SET];
    let primary = set.members.iter().find(|m| Some(&m.pod) == set.primary.as_ref());
    Ok(primary.context("no primary")?.vdc.to_string())
}

fn votes(plan: &Plan, vdc: &str) -> u32 {
    plan.sets[SET].members.iter().filter(|m| m.vdc.as_str() == vdc).map(|m| m.votes).sum()
}

/// Gives the members of vdc1 another role.
fn become_all(cluster: &mut Cluster, role: MemberRole) {
    let members = cluster.goal.sets[0].members.iter_mut();
    members.filter(|m| m.vdc.as_str() == "vdc1").for_each(|m| m.role = role);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_moves_away_and_voters_become_standbys_and_back() -> Result<()> {
    let mut cluster = Cluster::new()?;
    cluster.want(SET, SetRole::Config, FIVE)?;
    let plan = cluster.until_ready(LIMIT).await?;
    let history = History::start_on_config_servers(&cluster.uri(SET)?).await?;

    let left = vdc_of_primary(&plan)?;
    cluster.goal.away_from.insert(left.as_str().into());
    let plan = cluster.until_ready(LIMIT).await?;
    assert_ne!(vdc_of_primary(&plan)?, left);
    let inside = plan.sets[SET].members.iter().filter(|m| m.vdc.as_str() == left);
    assert!(inside.clone().all(|m| m.priority == LOWERED_PRIORITY && m.votes == 1));
    cluster.goal.away_from.clear();
    let plan = cluster.until_ready(LIMIT).await?;
    assert!(plan.sets[SET].members.iter().all(|m| m.priority >= 1.0 && m.votes == 1));

    // Both members of vdc1 change, so that the number of voters stays odd.
    become_all(&mut cluster, MemberRole::Standby);
    let plan = cluster.until_ready(LIMIT).await?;
    assert_eq!((votes(&plan, "vdc1"), plan.sets[SET].voters), (0, 3));
    let hidden = cluster.names().iter().filter(|name| **name == "SetHidden").count();
    assert_eq!(hidden, 2);
    become_all(&mut cluster, MemberRole::Voter);
    let plan = cluster.until_ready(LIMIT).await?;
    assert_eq!((votes(&plan, "vdc1"), plan.sets[SET].voters), (2, 5));

    let (acknowledged, lost) = history.check().await?;
    assert!(acknowledged > 20, "only {acknowledged} writes were acknowledged");
    assert!(lost.is_empty(), "{} of {acknowledged} acknowledged writes are lost: {lost:?}", lost.len());
    Ok(())
}
