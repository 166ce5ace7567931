//! 1–10: from fresh nodes to a set.

use std::time::Instant;

use anyhow::Result;
use mongodb::bson::{Document, doc};
use mongosim::testing::free_port;

use crate::support::{Edit, Lab, Set, member, member_args, state};

async fn initiate(set: &Set, config: Document) -> i32 {
    set.members[0].code(doc! { "replSetInitiate": config }).await
}

/// The first member and others that need not be there.
fn config_of(set: &Set, others: impl IntoIterator<Item = Document>) -> Document {
    let own = member(0, &set.members[0].host());
    let members: Vec<Document> = std::iter::once(own).chain(others).collect();
    doc! { "_id": &set.name, "version": 1, "members": members }
}

#[tokio::test(flavor = "multi_thread")]
async fn h01_a_fresh_node_is_a_replica_set_member_without_a_set() -> Result<()> {
    let lab = Lab::with_room(1).await?;
    let set = lab.fresh("h01", 1).await?;
    let hello = set.members[0].hello().await?;
    assert!(hello.get_bool("isreplicaset")?);
    for absent in ["setName", "hosts", "me"] {
        assert!(!hello.contains_key(absent), "{hello}");
    }
    assert!(!hello.get_bool("isWritablePrimary")?);
    assert!(!hello.get_bool("secondary")?);
    eprintln!("h01: wire versions up to {}", hello.get_i32("maxWireVersion")?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h02_a_fresh_node_answers_94_to_status_config_and_forced_reconfig() -> Result<()> {
    let lab = Lab::with_room(1).await?;
    let set = lab.fresh("h02", 1).await?;
    for command in [
        doc! { "replSetGetStatus": 1 },
        doc! { "replSetGetConfig": 1 },
        doc! { "replSetReconfig": set.config(), "force": true },
    ] {
        assert_eq!(set.members[0].code(command.clone()).await, 94, "{command}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h03_three_fresh_nodes_become_one_set_with_one_primary_in_term_1() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let set = lab.fresh("h03", 3).await?;
    let began = Instant::now();
    set.initiate(set.config()).await?;
    eprintln!("h03: in service {:?} after the initiate, with an election timeout of 1 s", began.elapsed());
    let primary = &set.members[set.primary().await?];
    let status = primary.status().await?;
    let members = status.get_array("members")?.iter().filter_map(|m| m.as_document());
    let states: Vec<i32> = members.filter_map(|m| m.get_i32("state").ok()).collect();
    assert_eq!(states.iter().filter(|s| **s == state::PRIMARY).count(), 1, "{states:?}");
    assert_eq!(states.len(), 3);
    assert_eq!(status.get_i64("term")?, 1);
    assert_eq!(primary.config().await?.get_i32("version")?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h04_a_second_initiate_is_refused_with_23() -> Result<()> {
    let lab = Lab::with_room(1).await?;
    let set = lab.up("h04", 1).await?;
    assert_eq!(initiate(&set, set.config()).await, 23);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h05_an_initiate_with_an_unreachable_peer_is_refused_with_74_and_can_be_retried() -> Result<()> {
    let lab = Lab::with_room(2).await?;
    let mut set = lab.fresh("h05", 2).await?;
    set.members[1].kill();
    assert_eq!(initiate(&set, set.config()).await, 74);
    set.members[1].start().await?;
    set.initiate(set.config()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn h06_a_peer_of_another_set_is_refused_with_74_or_where_it_has_another_id_with_103() -> Result<()> {
    let lab = Lab::with_room(2).await?;
    let taken = lab.up("h06", 1).await?;
    let fresh = lab.fresh("h06", 1).await?;
    let peer = |id: i32| member(id, &taken.members[0].host());
    // The peer is member 0 of its own set: it takes no heartbeat from another member 0, and is unfit.
    assert_eq!(initiate(&fresh, config_of(&fresh, [peer(1)])).await, 74);
    // From another member it does, and tells of its config.
    let members = vec![member(5, &fresh.members[0].host()), peer(6)];
    let config = doc! { "_id": "h06", "version": 1, "members": members };
    assert_eq!(initiate(&fresh, config).await, 103);
    assert_eq!(fresh.members[0].code(doc! { "replSetGetConfig": 1 }).await, 94, "as fresh as before");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h07_a_peer_that_runs_with_another_set_name_is_refused_with_103() -> Result<()> {
    let lab = Lab::with_room(2).await?;
    let set = lab.fresh("h07", 1).await?;
    let other = lab.server(member_args("h07-other")).await?;
    assert_eq!(initiate(&set, config_of(&set, [member(1, &other.host())])).await, 103);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h08_too_many_members_a_host_twice_and_mixed_localhost_are_refused_with_93() -> Result<()> {
    let lab = Lab::with_room(1).await?;
    let set = lab.fresh("h08", 1).await?;
    let host = |id: i32| format!("127.0.0.1:{}", 1000 + id);
    let eight_voters = config_of(&set, (1..8).map(|id| member(id, &host(id))));
    let non_voter = |id: i32| doc! { "_id": id, "host": host(id), "votes": 0, "priority": 0 };
    let fifty_one = config_of(&set, (1..51).map(non_voter));
    let host_twice = config_of(&set, [member(1, &set.members[0].host())]);
    let mixed_localhost = config_of(&set, [member(1, "db.example:27017")]);
    for (what, config) in [
        ("eight voters", eight_voters),
        ("51 members", fifty_one),
        ("a host twice", host_twice),
        ("mixed localhost", mixed_localhost),
    ] {
        assert_eq!(initiate(&set, config).await, 93, "{what}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h09_an_initiator_without_priority_or_not_listed_is_refused_with_93() -> Result<()> {
    let lab = Lab::with_room(2).await?;
    let set = lab.fresh("h09", 2).await?;
    let without_priority = set.config().with_member(0, doc! { "priority": 0 });
    assert_eq!(initiate(&set, without_priority).await, 93);
    let absent = set.config().minus(0);
    assert_eq!(initiate(&set, absent).await, 93);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h10_a_priority_without_a_vote_hidden_or_delayed_is_refused_with_93() -> Result<()> {
    let lab = Lab::with_room(1).await?;
    let set = lab.fresh("h10", 1).await?;
    let peer = format!("127.0.0.1:{}", free_port()?);
    for unfit in [doc! { "votes": 0 }, doc! { "hidden": true }, doc! { "secondaryDelaySecs": 5 }] {
        let mut other = doc! { "_id": 1, "host": &peer, "priority": 1 };
        other.extend(unfit.clone());
        assert_eq!(initiate(&set, config_of(&set, [other])).await, 93, "{unfit}");
    }
    Ok(())
}
