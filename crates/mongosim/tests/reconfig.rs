//! Initiate and reconfig: each check with its code.

mod common;

use anyhow::Context;
use bson::doc;
use common::{Set, code, eventually, run};
use mongodb::bson::{Bson, Document};
use mongosim::testing::{Member, free_port, heal, member_args, partition};

fn with_members(set: &Set, members: Vec<Document>) -> Document {
    doc! { "_id": &set.name, "version": 1, "members": members }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_initiate_is_refused_by_code_and_can_be_repeated() -> anyhow::Result<()> {
    let mut set = Set::fresh("h05", 2)?;
    let own = set.members[0].host();
    let initiate = async |config: Document| code(&set.members[0], doc! { "replSetInitiate": config }).await;
    let member = |id: i32, host: &str| doc! { "_id": id, "host": host };
    let many = |n: i32, votes: bool| {
        let others = (1..n).map(|i| {
            let mut m = member(i, &format!("127.0.0.1:{}", 1000 + i));
            if !votes {
                m.extend(doc! { "votes": 0, "priority": 0 });
            }
            m
        });
        with_members(&set, std::iter::once(member(0, &own)).chain(others).collect())
    };
    assert_eq!(initiate(many(8, true)).await, 93, "eight voters");
    assert_eq!(initiate(many(51, false)).await, 93, "51 members");
    assert_eq!(initiate(with_members(&set, vec![member(0, &own), member(1, &own)])).await, 93, "duplicate host");
    assert_eq!(
        initiate(with_members(&set, vec![member(0, &own), member(1, "db.example:1")])).await,
        93,
        "mixed localhost"
    );
    assert_eq!(initiate(with_members(&set, vec![member(0, "127.0.0.1:1")])).await, 93, "self absent");
    let lame = doc! { "_id": 0, "host": &own, "priority": 0 };
    let other = member(1, &set.members[1].host());
    assert_eq!(initiate(with_members(&set, vec![lame, other])).await, 93, "self not electable");
    for extra in [doc! { "votes": 0 }, doc! { "hidden": true }, doc! { "secondaryDelaySecs": 5 }] {
        let mut m = doc! { "_id": 1, "host": set.members[1].host(), "priority": 1 };
        m.extend(extra);
        assert_eq!(initiate(with_members(&set, vec![member(0, &own), m])).await, 93);
    }
    let mut unknown = set.config();
    unknown.insert("surprise", 1);
    assert_eq!(initiate(unknown).await, 93, "unknown field");
    let mut other_name = set.config();
    other_name.insert("_id", "another");
    assert_eq!(initiate(other_name).await, 93, "another name");
    let unreachable = with_members(&set, vec![member(0, &own), member(1, &format!("127.0.0.1:{}", free_port()?))]);
    assert_eq!(initiate(unreachable).await, 74, "unreachable peer");
    let stranger = Member::spawn(member_args("stranger", &set.dir.path().join("s")))?;
    assert_eq!(
        initiate(with_members(&set, vec![member(0, &own), member(1, &stranger.host())])).await,
        103,
        "another --replSet"
    );
    set.members[1].kill();
    assert_eq!(code(&set.members[0], doc! { "replSetInitiate": set.config() }).await, 74);
    set.members[1].start()?;
    assert_eq!(code(&set.members[0], doc! { "replSetInitiate": set.config() }).await, 0, "a retry is safe");
    set.primary().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_has_a_config_is_refused() -> anyhow::Result<()> {
    let taken = Set::up("h06", 1).await?;
    let fresh = Set::fresh("h06", 1)?;
    let config = with_members(
        &fresh,
        vec![
            doc! { "_id": 0, "host": fresh.members[0].host() },
            doc! { "_id": 1, "host": taken.members[0].host() },
        ],
    );
    assert_eq!(code(&fresh.members[0], doc! { "replSetInitiate": config }).await, 103);
    Ok(())
}

async fn config_of(member: &Member) -> anyhow::Result<Document> {
    let mut config = run(member, doc! { "replSetGetConfig": 1 }).await?.get_document("config")?.clone();
    config.insert("version", config.get_i32("version")? + 1);
    Ok(config)
}

fn members_mut(config: &mut Document) -> anyhow::Result<&mut Vec<Bson>> {
    Ok(config.get_array_mut("members")?)
}

fn member_mut(config: &mut Document, index: usize) -> anyhow::Result<&mut Document> {
    members_mut(config)?[index].as_document_mut().context("a member is a document")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconfig_is_checked() -> anyhow::Result<()> {
    let set = Set::up("h11", 3).await?;
    let primary = set.primary().await?;
    let at = &set.members[primary];
    let reconfig =
        async |config: Document| code(at, doc! { "replSetReconfig": config, "maxTimeMS": 10_000 }).await;
    let good = config_of(at).await?;
    let secondary = &set.members[(primary + 1) % 3];
    assert_eq!(code(secondary, doc! { "replSetReconfig": good.clone() }).await, 10107);
    let mut stale = good.clone();
    stale.insert("version", 1);
    assert_eq!(reconfig(stale).await, 103, "stale version");
    let mut own_priority = good.clone();
    member_mut(&mut own_priority, primary)?.insert("priority", 0);
    assert_eq!(reconfig(own_priority).await, 104);
    let mut without_self = good.clone();
    members_mut(&mut without_self)?.remove(primary);
    assert_eq!(reconfig(without_self).await, 74);
    let mut new_id = good.clone();
    member_mut(&mut new_id, (primary + 1) % 3)?.insert("_id", 9);
    assert_eq!(reconfig(new_id).await, 103, "same host, new _id");
    let mut arbiter = good.clone();
    member_mut(&mut arbiter, (primary + 1) % 3)?.extend(doc! { "arbiterOnly": true, "priority": 0 });
    assert_eq!(reconfig(arbiter).await, 103, "arbiterOnly toggled");
    let mut newly = good.clone();
    member_mut(&mut newly, (primary + 1) % 3)?.insert("newlyAdded", true);
    assert_eq!(reconfig(newly).await, 93);
    let mut two_removed = good.clone();
    members_mut(&mut two_removed)?.retain(|m| m.as_document().unwrap().get_i32("_id").unwrap() == primary as i32);
    assert_eq!(reconfig(two_removed).await, 103, "two voters removed at once");
    let mut fewer_votes = good.clone();
    member_mut(&mut fewer_votes, (primary + 1) % 3)?.extend(doc! { "votes": 0, "priority": 0 });
    assert_eq!(reconfig(fewer_votes).await, 0);
    let status = run(at, doc! { "replSetGetStatus": 1 }).await?;
    assert_eq!(status.get_i32("votingMembersCount")?, 2);
    assert_eq!(reconfig(good).await, 103, "the version has moved on");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_is_a_ghost_and_comes_back() -> anyhow::Result<()> {
    let set = Set::up("h32", 3).await?;
    let primary = set.primary().await?;
    let at = &set.members[primary];
    let gone = (primary + 1) % 3;
    let mut config = config_of(at).await?;
    let removed = members_mut(&mut config)?.remove(gone);
    run(at, doc! { "replSetReconfig": config, "maxTimeMS": 10_000 }).await?;
    eventually("the removed member to know it", async || {
        code(&set.members[gone], doc! { "replSetGetStatus": 1 }).await == 93
    })
    .await?;
    let hello = run(&set.members[gone], doc! { "hello": 1 }).await?;
    assert!(!hello.contains_key("setName"));
    let mut config = config_of(at).await?;
    members_mut(&mut config)?.push(removed);
    run(at, doc! { "replSetReconfig": config, "maxTimeMS": 10_000 }).await?;
    set.all_secondary().await?;
    eventually("three voters", async || {
        run(at, doc! { "replSetGetStatus": 1 })
            .await
            .is_ok_and(|s| s.get_i32("votingMembersCount").ok() == Some(3))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_voter_that_is_not_there_does_not_count() -> anyhow::Result<()> {
    let set = Set::up("h24", 1).await?;
    let at = &set.members[0];
    let mut config = config_of(at).await?;
    members_mut(&mut config)?.push(doc! { "_id": 1, "host": format!("127.0.0.1:{}", free_port()?) }.into());
    run(at, doc! { "replSetReconfig": config, "maxTimeMS": 15_000 }).await?;
    let status = run(at, doc! { "replSetGetStatus": 1 }).await?;
    assert_eq!(status.get_i32("votingMembersCount")?, 1);
    let shown = run(at, doc! { "replSetGetConfig": 1 }).await?;
    assert!(!shown.to_string().contains("newlyAdded"));
    let direct = common::client(&at.uri()).await?;
    let stored = direct.database("local").collection::<Document>("system.replset").find_one(doc! {}).await?;
    assert!(stored.unwrap_or_default().to_string().contains("newlyAdded"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconfig_that_cannot_spread_is_installed_all_the_same() -> anyhow::Result<()> {
    let set = Set::up("h22", 3).await?;
    let primary = set.primary().await?;
    let at = &set.members[primary];
    let mut config = config_of(at).await?;
    config.get_document_mut("settings")?.insert("electionTimeoutMillis", 8000);
    run(at, doc! { "replSetReconfig": config, "maxTimeMS": 10_000 }).await?;
    // The quorum check has passed when the peers vanish: only what spreads by heartbeat is missing.
    let others: Vec<&Member> =
        set.members.iter().enumerate().filter(|(i, _)| *i != primary).map(|(_, m)| m).collect();
    let config = config_of(at).await?;
    let version = config.get_i32("version")?;
    partition(&[at], &others);
    let isolated = code(at, doc! { "replSetReconfig": config, "maxTimeMS": 500 }).await;
    assert!([74, 308, 50].contains(&isolated), "{isolated}");
    heal(&set.members.iter().collect::<Vec<_>>());
    let mut config = config_of(at).await?;
    config.insert("version", version + 5);
    run(at, doc! { "replSetReconfig": config, "maxTimeMS": 10_000 }).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_reconfig_brings_a_survivor_back() -> anyhow::Result<()> {
    let mut set = Set::up("h35", 3).await?;
    set.members[1].kill();
    set.members[2].kill();
    eventually("no primary", async || {
        run(&set.members[0], doc! { "hello": 1 })
            .await
            .is_ok_and(|h| !h.get_bool("isWritablePrimary").unwrap_or(true))
    })
    .await?;
    let mut config = config_of(&set.members[0]).await?;
    let version = config.get_i32("version")?;
    members_mut(&mut config)?.truncate(1);
    run(&set.members[0], doc! { "replSetReconfig": config, "force": true }).await?;
    let forced = run(&set.members[0], doc! { "replSetGetConfig": 1 }).await?.get_document("config")?.clone();
    assert!((version + 10_000..=version + 109_999).contains(&forced.get_i32("version")?));
    set.primary_among(&[0]).await?;
    Ok(())
}
