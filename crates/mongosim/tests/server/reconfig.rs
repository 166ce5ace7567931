//! What an initiate and a reconfiguration refuse beside the scenarios of `kogge-mongo`.

use crate::support::{self, Set, code, eventually, run};
use bson::doc;
use mongodb::bson::Document;
use mongosim::testing::Member;

/// What a member's reconfiguration begins with.
async fn next_config(member: &Member) -> anyhow::Result<Document> {
    let mut config = run(member, doc! { "replSetGetConfig": 1 }).await?.get_document("config")?.clone();
    config.insert("version", config.get_i32("version")? + 1);
    Ok(config)
}

fn with_members(mut config: Document, more: impl IntoIterator<Item = Document>) -> anyhow::Result<Document> {
    let members = config.get_array_mut("members")?;
    members.extend(more.into_iter().map(mongodb::bson::Bson::from));
    Ok(config)
}

async fn reconfig(member: &Member, config: Document) -> i32 {
    code(member, doc! { "replSetReconfig": config, "maxTimeMS": 15_000 }).await
}

async fn votes(member: &Member) -> Option<i32> {
    run(member, doc! { "replSetGetStatus": 1 }).await.ok()?.get_i32("votingMembersCount").ok()
}

async fn fail_point(member: &Member, name: &str, mode: &str) -> anyhow::Result<()> {
    run(member, doc! { "configureFailPoint": name, "mode": mode }).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_initiate_with_an_unknown_field_or_another_name_is_refused() -> anyhow::Result<()> {
    let set = Set::fresh("refused", 1)?;
    let initiate = async |config: Document| code(&set.members[0], doc! { "replSetInitiate": config }).await;
    let with = |key: &str, value: &str| {
        let mut config = set.config();
        config.insert(key, value);
        config
    };
    assert_eq!(initiate(with("surprise", "1")).await, 93);
    assert_eq!(initiate(with("_id", "another")).await, 93);
    assert_eq!(initiate(set.config()).await, 0, "a retry is safe");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_voters_are_not_removed_at_once() -> anyhow::Result<()> {
    let set = Set::up("removed", 3).await?;
    let primary = set.primary().await?;
    let mut config = next_config(&set.members[primary]).await?;
    config.get_array_mut("members")?.swap(0, primary);
    config.get_array_mut("members")?.truncate(1);
    let reconfig = doc! { "replSetReconfig": config, "maxTimeMS": 10_000 };
    assert_eq!(code(&set.members[primary], reconfig).await, 103);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_of_another_set_is_unfit_where_it_has_our_id_and_refused_where_it_has_another() -> anyhow::Result<()>
{
    let taken = Set::up("peer", 1).await?;
    let fresh = Set::fresh("peer", 1)?;
    let initiate = async |own: i32| {
        let members = [
            doc! { "_id": own, "host": fresh.members[0].host() },
            doc! { "_id": own + 1, "host": taken.members[0].host() },
        ];
        let config = doc! { "_id": "peer", "version": 1, "members": members.to_vec() };
        code(&fresh.members[0], doc! { "replSetInitiate": config }).await
    };
    assert_eq!(initiate(0).await, 74, "the peer is member 0 of its set, and hears from a member 0");
    assert_eq!(initiate(5).await, 103, "the peer has a config");
    assert_eq!(code(&fresh.members[0], doc! { "replSetGetConfig": 1 }).await, 94, "as fresh as before");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_new_voters_join_without_their_votes_and_get_them_once_they_have_synced() -> anyhow::Result<()> {
    const HELD: &str = "initialSyncHangBeforeCopyingDatabases";
    let set = Set::up("two", 1).await?;
    let joining = Set::fresh("two", 2)?;
    for member in &joining.members {
        fail_point(member, HELD, "alwaysOn").await?;
    }
    let primary = &set.members[0];
    let listed = joining.members.iter().enumerate().map(|(i, m)| doc! { "_id": i as i32 + 1, "host": m.host() });
    let config = with_members(next_config(primary).await?, listed)?;
    let version = config.get_i32("version")?;
    assert_eq!(reconfig(primary, config).await, 0);
    assert_eq!(votes(primary).await, Some(1));
    let stored = support::client(&primary.uri()).await?.database("local").collection::<Document>("system.replset");
    let stored = stored.find_one(doc! {}).await?.unwrap_or_default();
    assert_eq!(stored.to_string().matches("\"newlyAdded\": true").count(), 2, "{stored}");
    for member in &joining.members {
        fail_point(member, HELD, "off").await?;
    }
    eventually("all to vote", async || votes(primary).await == Some(3)).await?;
    assert_eq!(next_config(primary).await?.get_i32("version")?, version + 3, "one change by itself for each");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn before_5_0_voters_join_one_at_a_time_and_vote_at_once() -> anyhow::Result<()> {
    let set = Set::fresh_with("old", 1, &["serverVersion=4.4"])?;
    set.initiate(support::calm_settings()).await?;
    let joining = Set::fresh_with("old", 2, &["serverVersion=4.4"])?;
    for member in &joining.members {
        fail_point(member, "initialSyncHangBeforeCopyingDatabases", "alwaysOn").await?;
    }
    let primary = &set.members[0];
    let listed = |i: usize| doc! { "_id": i as i32 + 1, "host": joining.members[i].host() };
    let config = next_config(primary).await?;
    assert_eq!(reconfig(primary, with_members(config.clone(), [listed(0), listed(1)])?).await, 103);
    assert_eq!(reconfig(primary, with_members(config, [listed(0)])?).await, 0);
    assert_eq!(votes(primary).await, Some(2), "it votes although it holds nothing");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_that_does_not_spread_is_installed_and_the_next_waits_for_it() -> anyhow::Result<()> {
    const HELD: &str = "blockHeartbeatReconfigFinish";
    let set = Set::up("spread", 3).await?;
    let index = set.primary().await?;
    let primary = &set.members[index];
    for other in set.others(index) {
        fail_point(&set.members[other], HELD, "alwaysOn").await?;
    }
    let config = next_config(primary).await?;
    let version = config.get_i32("version")?;
    let late = run(primary, doc! { "replSetReconfig": config, "maxTimeMS": 500 }).await.unwrap_err();
    assert_eq!(support::code_of(&late), 50);
    let words =
        "Reconfig finished but failed to propagate to a majority :: caused by :: operation exceeded time limit";
    assert!(late.to_string().contains(words), "{late}");
    assert_eq!(next_config(primary).await?.get_i32("version")?, version + 1, "it is installed");
    let next = next_config(primary).await?;
    let held = code(primary, doc! { "replSetReconfig": next.clone(), "maxTimeMS": 500 }).await;
    assert_eq!(held, 308, "the one before has not reached a majority");
    // With more time, it waits until the one before has.
    let uri = primary.uri();
    let waiting = tokio::spawn(async move {
        let command = doc! { "replSetReconfig": next, "maxTimeMS": 15_000 };
        support::client(&uri).await?.database("admin").run_command(command).await.map_err(anyhow::Error::from)
    });
    for other in set.others(index) {
        fail_point(&set.members[other], HELD, "off").await?;
    }
    waiting.await??;
    assert_eq!(next_config(primary).await?.get_i32("version")?, version + 2);
    Ok(())
}

/// Adds an arbiter to a set of two members, and then another one, once there is a default write concern.
async fn arbiters(version: &str) -> anyhow::Result<(i32, i32)> {
    let parameter = format!("serverVersion={version}");
    let set = Set::fresh_with("arbiters", 2, &[&parameter])?;
    set.initiate(support::fast_settings()).await?;
    let arbiters = Set::fresh_with("arbiters", 2, &[&parameter])?;
    let arbiter = |i: usize| doc! { "_id": i as i32 + 2, "host": arbiters.members[i].host(), "arbiterOnly": true };
    let primary = &set.members[set.primary().await?];
    let without_default = reconfig(primary, with_members(next_config(primary).await?, [arbiter(0)])?).await;
    run(primary, doc! { "setDefaultRWConcern": 1, "defaultWriteConcern": { "w": 1 } }).await?;
    if without_default != 0 {
        assert_eq!(reconfig(primary, with_members(next_config(primary).await?, [arbiter(0)])?).await, 0);
    }
    let second = reconfig(primary, with_members(next_config(primary).await?, [arbiter(1)])?).await;
    Ok((without_default, second))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_of_arbiters_depends_on_the_version() -> anyhow::Result<()> {
    assert_eq!(arbiters("4.4").await?, (0, 0));
    assert_eq!(arbiters("5.0").await?, (103, 0));
    assert_eq!(arbiters("6.0").await?, (103, 103));
    Ok(())
}
