//! 11–24: reconfigurations, each check with its code.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kogge_mongo::errors::ErrorClass;
use kogge_mongo_client::StepError;
use mongodb::bson::{Bson, Document, doc};
use mongosim::options::ServerArgs;

use crate::support::{Edit, Lab, Operator, Release, Server, eventually, member, member_args, state, stays};

/// Holds a member in its initial sync.
const INITIAL_SYNC_HANGS: &str = "initialSyncHangBeforeCopyingDatabases";
/// Keeps a member from installing configs that it hears of.
const CONFIGS_ARE_NOT_LEARNT: &str = "blockHeartbeatReconfigFinish";

const NO_VOTE: fn() -> Document = || doc! { "votes": 0, "priority": 0 };

#[tokio::test(flavor = "multi_thread")]
async fn h11_a_secondary_refuses_a_safe_reconfig_with_10107() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let set = lab.up("h11", 3).await?;
    let secondary = &set.members[(set.primary().await? + 1) % 3];
    assert_eq!(secondary.reconfig(secondary.next_config().await?).await, 10107);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h12_a_stale_version_is_refused_with_103_and_one_read_anew_is_taken() -> Result<()> {
    let lab = Lab::with_room(1).await?;
    let set = lab.up("h12", 1).await?;
    let primary = &set.members[0];
    assert_eq!(primary.reconfig(primary.config().await?).await, 103);
    assert_eq!(primary.reconfig(primary.next_config().await?).await, 0);
    Ok(())
}

/// Voters join without their vote: two of them change no majority.
const NEWLY_ADDED: Release = Release(4, 9);

#[tokio::test(flavor = "multi_thread")]
async fn h13_two_voters_added_at_once_are_taken_without_their_votes_and_before_that_refused_with_103() -> Result<()>
{
    for release in Release::all()? {
        let lab = Lab::with_room(3).await?;
        let set = lab.fresh_with(1, release.member_args("h13")).await?;
        set.initiate(set.config()).await?;
        let joining = lab.fresh_with(2, release.member_args("h13")).await?;
        let primary = &set.members[0];
        let one = primary.next_config().await?.plus(member(1, &joining.members[0].host()));
        let two = one.clone().plus(member(2, &joining.members[1].host()));
        if release >= NEWLY_ADDED {
            assert_eq!(primary.reconfig(two).await, 0, "{release:?}");
            eventually("both to vote", async || primary.voting_members().await.ok() == Some(3)).await?;
        } else {
            assert_eq!(primary.reconfig(two).await, 103, "{release:?}");
            assert_eq!(primary.config().await?.members().len(), 1);
            assert_eq!(primary.reconfig(one).await, 0);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h14_one_voter_and_three_non_voters_are_added_at_once() -> Result<()> {
    let lab = Lab::with_room(5).await?;
    let mut set = lab.up("h14", 1).await?;
    set.members.extend(lab.fresh("h14", 4).await?.members);
    let mut config = set.members[0].next_config().await?;
    for (id, joining) in set.members.iter().enumerate().skip(1) {
        config = config.plus(member(id as i32, &joining.host()));
    }
    let config = (2..5).fold(config, |config, index| config.with_member(index, NO_VOTE()));
    assert_eq!(set.members[0].reconfig(config).await, 0);
    set.in_service().await?;
    let primary = &set.members[0];
    eventually("the new voter to count", async || primary.voting_members().await.ok() == Some(2)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn h15_a_new_voter_counts_once_it_is_secondary_and_the_version_rises_by_itself() -> Result<()> {
    let lab = Lab::with_room(2).await?;
    let set = lab.up("h15", 1).await?;
    let (primary, joining) = (&set.members[0], lab.server(member_args("h15")).await?);
    joining.fail_point(INITIAL_SYNC_HANGS, true).await?;
    let config = primary.next_config().await?.plus(member(1, &joining.host()));
    let version = config.get_i32("version")?;
    assert_eq!(primary.reconfig(config).await, 0);
    eventually("the initial sync", async || joining.state().await == Some(state::STARTUP2)).await?;
    stays("one vote while it syncs", Duration::from_millis(500), async || {
        primary.voting_members().await.ok() == Some(1)
    })
    .await?;
    assert_eq!(primary.config().await?.get_i32("version")?, version);
    assert_newly_added_is_hidden(primary).await?;

    joining.fail_point(INITIAL_SYNC_HANGS, false).await?;
    eventually("the new voter to count", async || primary.voting_members().await.ok() == Some(2)).await?;
    assert_eq!(joining.state().await, Some(state::SECONDARY));
    assert_eq!(primary.config().await?.get_i32("version")?, version + 1);
    Ok(())
}

/// `replSetGetConfig` hides `newlyAdded`; the stored config has it.
async fn assert_newly_added_is_hidden(primary: &Server) -> Result<Document> {
    let shown = primary.config().await?;
    assert!(!shown.to_string().contains("newlyAdded"), "{shown}");
    let found = primary.run_on("local", doc! { "find": "system.replset", "singleBatch": true }).await?;
    let stored = found.get_document("cursor")?.get_array("firstBatch")?;
    let stored = stored.first().and_then(Bson::as_document).context("no stored config")?;
    assert!(stored.to_string().contains("newlyAdded"), "{stored}");
    Ok(stored.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn h16_an_operator_with_the_config_of_before_the_bump_gets_103_and_recovers() -> Result<()> {
    let lab = Lab::with_room(2).await?;
    let mut operator = Operator::of_settled_set(&lab, "h16", 1).await?;
    let args = ServerArgs { key_file: Some(lab.key_file()?), configsvr: true, ..member_args("h16") };
    operator.set.members.push(lab.server(args).await?);
    let joining = operator.set.members[1].host();

    // A step is planned, and a config is held, on what stands before the new voter's bump.
    operator.set_goal().members[0].priority = 2;
    let planned = operator.plan().await;
    let step = planned.steps.first().context("a priority to set")?;
    let added = operator.next_config(0).await?.plus(member(1, &joining));
    let held = added.clone().with_member(0, doc! { "priority": 3 });
    let version = held.get_i32("version")?;
    operator.run(0, doc! { "replSetReconfig": added }).await?;
    eventually("the bump", async || {
        operator.next_config(0).await.is_ok_and(|config| config.get_i32("version").is_ok_and(|v| v > version + 1))
    })
    .await?;

    let refused = operator.run(0, doc! { "replSetReconfig": held }).await.unwrap_err();
    assert_eq!(driver_code(&refused), 103, "{refused}");
    let stale = operator.execute(step).await.unwrap_err();
    assert!(matches!(stale, StepError::Stale { .. }), "{stale}");
    assert_eq!(stale.class(), ErrorClass::NeedsObservation);
    let planned = operator.plan().await;
    operator.execute(planned.steps.first().context("the priority is still to be set")?).await?;
    let priority = operator.next_config(0).await?.member(0).get_f64("priority")?;
    assert!((priority - 2.0).abs() < f64::EPSILON, "{priority}");
    Ok(())
}

fn driver_code(error: &mongodb::error::Error) -> i32 {
    match error.kind.as_ref() {
        mongodb::error::ErrorKind::Command(refusal) => refusal.code,
        _ => -1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h17_the_stored_config_with_newly_added_is_refused_with_93() -> Result<()> {
    let lab = Lab::with_room(2).await?;
    let set = lab.up("h17", 1).await?;
    let (primary, joining) = (&set.members[0], lab.server(member_args("h17")).await?);
    joining.fail_point(INITIAL_SYNC_HANGS, true).await?;
    assert_eq!(primary.reconfig(primary.next_config().await?.plus(member(1, &joining.host()))).await, 0);
    let mut stored = assert_newly_added_is_hidden(primary).await?;
    stored.insert("version", stored.get_i32("version")? + 1);
    assert_eq!(primary.reconfig(stored).await, 93);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h18_a_primary_without_its_own_priority_is_refused_with_104_and_without_itself_with_74() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let set = lab.up("h18", 3).await?;
    let index = set.primary().await?;
    let primary = &set.members[index];
    let config = primary.next_config().await?;
    assert_eq!(primary.reconfig(config.clone().with_member(index, doc! { "priority": 0 })).await, 104);
    assert_eq!(primary.reconfig(config.minus(index)).await, 74);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h19_the_same_host_under_a_new_id_is_refused_with_103() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let set = lab.up("h19", 3).await?;
    let index = set.primary().await?;
    let (primary, other) = (&set.members[index], (index + 1) % 3);
    // Without a vote, so that no other check refuses it.
    assert_eq!(primary.reconfig(primary.next_config().await?.with_member(other, NO_VOTE())).await, 0);
    let renumbered = primary.next_config().await?.with_member(other, doc! { "_id": 9 });
    assert_eq!(primary.reconfig(renumbered).await, 103);
    Ok(())
}

async fn set_default_write_concern(primary: &Server) -> Result<()> {
    let majority = doc! { "setDefaultRWConcern": 1, "defaultWriteConcern": { "w": "majority" } };
    primary.run(majority).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn h20_arbiter_only_cannot_be_changed_and_a_second_arbiter_is_refused_with_103_since_5_3() -> Result<()> {
    for release in Release::all()? {
        let lab = Lab::with_room(5).await?;
        let set = lab.fresh_with(3, release.member_args("h20")).await?;
        set.initiate(set.config()).await?;
        let arbiters = lab.fresh_with(2, release.member_args("h20")).await?;
        let arbiter =
            |id: i32| doc! { "_id": id, "host": arbiters.members[id as usize - 3].host(), "arbiterOnly": true };
        let index = set.primary().await?;
        let primary = &set.members[index];
        let toggled = doc! { "arbiterOnly": true, "priority": 0 };
        let config = primary.next_config().await?.with_member((index + 1) % 3, toggled);
        assert_eq!(primary.reconfig(config).await, 103, "a member that bears data becomes an arbiter");

        set_default_write_concern(primary).await?;
        assert_eq!(primary.reconfig(primary.next_config().await?.plus(arbiter(3))).await, 0);
        eventually("the arbiter", async || arbiters.members[0].state().await == Some(state::ARBITER)).await?;
        let config = primary.next_config().await?.with_member(3, doc! { "arbiterOnly": false, "priority": 0 });
        assert_eq!(primary.reconfig(config).await, 103, "an arbiter becomes a member that bears data");
        let second = if release >= Release(5, 3) { 103 } else { 0 };
        assert_eq!(primary.reconfig(primary.next_config().await?.plus(arbiter(4))).await, second, "{release:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h21_an_arbiter_beside_two_members_needs_a_default_write_concern_since_5_0() -> Result<()> {
    for release in Release::all()? {
        let lab = Lab::with_room(3).await?;
        let set = lab.fresh_with(2, release.member_args("h21")).await?;
        set.initiate(set.config()).await?;
        let arbiter = lab.server(release.member_args("h21")).await?;
        let listed = doc! { "_id": 2, "host": arbiter.host(), "arbiterOnly": true };
        let primary = &set.members[set.primary().await?];
        let without = primary.reconfig(primary.next_config().await?.plus(listed.clone())).await;
        if release >= Release(5, 0) {
            assert_eq!(without, 103, "{release:?}");
            set_default_write_concern(primary).await?;
            assert_eq!(primary.reconfig(primary.next_config().await?.plus(listed)).await, 0);
        } else {
            assert_eq!(without, 0, "{release:?}");
        }
        eventually("the arbiter", async || arbiter.state().await == Some(state::ARBITER)).await?;
        assert_eq!(primary.voting_members().await?, 3);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h22_a_reconfig_that_does_not_spread_in_time_is_installed_and_holds_the_next_one() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let set = lab.up("h22", 3).await?;
    let index = set.primary().await?;
    let primary = &set.members[index];
    for other in set.others(index) {
        set.members[other].fail_point(CONFIGS_ARE_NOT_LEARNT, true).await?;
    }
    let config = primary.next_config().await?.with_member(index, doc! { "tags": { "vdc": "one" } });
    let version = config.get_i32("version")?;
    let short = |config: Document| doc! { "replSetReconfig": config, "maxTimeMS": 700 };
    assert_eq!(primary.code(short(config)).await, 50);
    assert_eq!(primary.config().await?.get_i32("version")?, version, "it is installed");
    assert_eq!(primary.code(short(primary.next_config().await?)).await, 308);
    assert_eq!(primary.config().await?.get_i32("version")?, version);

    for other in set.others(index) {
        set.members[other].fail_point(CONFIGS_ARE_NOT_LEARNT, false).await?;
    }
    assert_eq!(primary.reconfig(primary.next_config().await?).await, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h22_a_config_of_five_voters_is_committed_by_three_of_them() -> Result<()> {
    let lab = Lab::with_room(5).await?;
    let set = lab.up("h22-five", 5).await?;
    let index = set.primary().await?;
    let (primary, others) = (&set.members[index], set.others(index));
    for other in &others[1..] {
        set.members[*other].fail_point(CONFIGS_ARE_NOT_LEARNT, true).await?;
    }
    let held = |config: Document| doc! { "replSetReconfig": config, "maxTimeMS": 1500 };
    assert_eq!(primary.code(held(primary.next_config().await?)).await, 50, "two of five hold it");
    set.members[others[1]].fail_point(CONFIGS_ARE_NOT_LEARNT, false).await?;
    assert_eq!(primary.reconfig(primary.next_config().await?).await, 0, "three of five hold it");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h23_of_two_concurrent_reconfigs_on_one_base_at_most_one_is_taken() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let set = lab.up("h23", 3).await?;
    let index = set.primary().await?;
    let primary = &set.members[index];
    for round in 0..8 {
        let base = primary.next_config().await?;
        let version = base.get_i32("version")?;
        let tagged =
            |who: &str| base.clone().with_member(index, doc! { "tags": { "by": who, "in": round.to_string() } });
        let (one, two) = tokio::join!(primary.reconfig(tagged("one")), primary.reconfig(tagged("two")));
        let winner = match (one, two) {
            (0, 103 | 109 | 308) => "one",
            (103 | 109 | 308, 0) => "two",
            codes => panic!("round {round}: {codes:?}"),
        };
        let mut config = primary.config().await?;
        assert_eq!(config.get_i32("version")?, version);
        assert_eq!(config.member(index).get_document("tags")?.get_str("by")?, winner);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h24_a_new_voter_that_never_answers_is_listed_whatever_the_answer_and_does_not_vote() -> Result<()> {
    let releases = Release::all()?.into_iter().filter(|release| *release >= NEWLY_ADDED);
    futures::future::try_join_all(releases.map(silent_voter)).await.map(drop)
}

/// Up to 5.0 a reconfiguration asks every host whether it is this very process, and waits 30 s for one that says
/// nothing: longer than the command may take. The config is installed all the same.
async fn silent_voter(release: Release) -> Result<()> {
    let lab = Lab::with_room(1).await?;
    let set = lab.fresh_with(1, release.member_args("h24")).await?;
    set.initiate(set.config()).await?;
    // Connections are made, and nobody ever answers.
    let silent = TcpListener::bind(("127.0.0.1", 0))?;
    let primary = &set.members[0];
    let config = primary.next_config().await?.plus(member(1, &silent.local_addr()?.to_string()));
    let version = config.get_i32("version")?;
    let began = Instant::now();
    let code = primary.reconfig(config).await;
    if release < Release(5, 1) {
        assert_eq!(code, 50, "{release:?}");
    } else {
        assert_eq!(code, 0, "{release:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
    assert_eq!(primary.config().await?.get_i32("version")?, version, "it is installed");
    assert_eq!(primary.voting_members().await?, 1);
    assert!(primary.is_primary().await, "one vote is a majority of one");
    assert_newly_added_is_hidden(primary).await?;
    Ok(())
}
