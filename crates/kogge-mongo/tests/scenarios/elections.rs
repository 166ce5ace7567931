//! 25–31: who leads, and for how long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use mongodb::bson::{Document, doc, oid::ObjectId};

use crate::support::{Edit, Lab, Server, Set, ask, eventually, heal, not_on_a_real_mongod, partition, stays};

const PARTITION: &str = "nothing but mongosim can be partitioned";
/// Keeps a member from fetching what the primary writes.
const NOTHING_IS_FETCHED: &str = "stopReplProducer";

async fn write_on(server: &Server) -> Result<Document> {
    server.run_on("test", doc! { "insert": "c", "documents": [{}], "writeConcern": { "w": 1 } }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn h25_an_isolated_primary_steps_down_after_10_s_and_the_majority_elects_in_a_higher_term() -> Result<()> {
    if not_on_a_real_mongod("h25", PARTITION) {
        return Ok(());
    }
    let lab = Lab::with_room(3).await?;
    let set = lab.up("h25", 3).await?;
    let old = set.primary().await?;
    let others = set.others(old);
    // One of the others never stands: two candidates at once may split the votes, and need another election.
    let mut config = set.members[old].next_config().await?.with_member(others[0], doc! { "priority": 0 });
    // The timers that every set has unless it says otherwise.
    config.get_document_mut("settings")?.extend(doc! {
        "heartbeatIntervalMillis": 2000, "electionTimeoutMillis": 10_000, "heartbeatTimeoutSecs": 10,
    });
    assert_eq!(set.members[old].reconfig(config).await, 0);
    let term = set.members[old].term().await?;
    partition(&set, &[old], &others)?;
    let began = Instant::now();
    eventually("the isolated primary to step down", async || !set.members[old].is_primary().await).await?;
    let took = began.elapsed();
    assert!((Duration::from_secs(7)..Duration::from_secs(13)).contains(&took), "{took:?}");
    let new = set.primary_among(&others).await?;
    assert!(set.members[new].term().await? > term);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h26_a_primary_that_one_member_reaches_only_through_the_third_stays() -> Result<()> {
    if not_on_a_real_mongod("h26", PARTITION) {
        return Ok(());
    }
    let lab = Lab::with_room(3).await?;
    let set = lab.fresh("h26", 3).await?;
    // Longer than a heartbeat may go unanswered: else who asks in vain stands before it hears of the primary elsewhere.
    let mut config = set.config();
    config.get_document_mut("settings")?.insert("electionTimeoutMillis", 4000);
    set.initiate(config).await?;
    let primary = set.primary().await?;
    let (relay, far) = ((primary + 1) % 3, (primary + 2) % 3);
    let term = set.members[primary].term().await?;
    partition(&set, &[primary], &[far])?;
    stays("the primary leads in its term", Duration::from_secs(6), async || {
        // The word of the primary travels with what it writes.
        write_on(&set.members[primary]).await.is_ok() && set.members[primary].term().await.ok() == Some(term)
    })
    .await?;
    let source = set.members[far].status().await?.get_str("syncSourceHost")?.to_owned();
    assert_eq!(source, set.members[relay].host());
    // It still has every write, and its position reaches the primary.
    let everywhere = doc! { "insert": "c", "documents": [{}], "writeConcern": { "w": 3, "wtimeout": 10_000 } };
    let written = set.members[primary].run_on("test", everywhere).await?;
    assert!(!written.contains_key("writeConcernError"), "{written}");
    Ok(())
}

/// Asks all members all the time who takes writes, and in which term.
struct Watch {
    stop: Arc<AtomicBool>,
    seen: tokio::task::JoinHandle<BTreeMap<ObjectId, BTreeSet<String>>>,
}

impl Watch {
    fn over(set: &Set) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let hosts: Vec<String> = set.members.iter().map(Server::host).collect();
        let stopped = stop.clone();
        let seen = tokio::spawn(async move {
            let mut seen: BTreeMap<ObjectId, BTreeSet<String>> = BTreeMap::new();
            while !stopped.load(Ordering::Relaxed) {
                for host in &hosts {
                    let Ok(hello) = ask(host, "admin", &doc! { "hello": 1 }).await else { continue };
                    // A primary's `electionId` is made of its term.
                    if let Ok(election) = hello.get_object_id("electionId") {
                        seen.entry(election).or_default().insert(host.clone());
                    }
                }
            }
            seen
        });
        Self { stop, seen }
    }

    async fn writable_primaries_by_term(self) -> Result<BTreeMap<ObjectId, BTreeSet<String>>> {
        self.stop.store(true, Ordering::Relaxed);
        Ok(self.seen.await?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h27_a_split_that_heals_never_has_two_writable_primaries_in_a_term() -> Result<()> {
    if not_on_a_real_mongod("h27", PARTITION) {
        return Ok(());
    }
    let lab = Lab::with_room(3).await?;
    let set = lab.up("h27", 3).await?;
    let watch = Watch::over(&set);
    for _ in 0..3 {
        let old = set.primary().await?;
        partition(&set, &[old], &set.others(old))?;
        let new = set.primary_among(&set.others(old)).await?;
        let term = set.members[new].term().await?;
        heal(&set)?;
        eventually("all to follow the new primary", async || {
            !set.members[old].is_primary().await && set.members[old].term().await.is_ok_and(|t| t >= term)
        })
        .await?;
    }
    let seen = watch.writable_primaries_by_term().await?;
    assert!(seen.len() >= 4, "{seen:?}");
    assert!(seen.values().all(|hosts| hosts.len() == 1), "{seen:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h28_a_step_down_with_lagging_secondaries_is_refused_with_262_unless_forced() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let set = lab.up("h28", 3).await?;
    let index = set.primary().await?;
    let primary = &set.members[index];
    for other in set.others(index) {
        set.members[other].fail_point(NOTHING_IS_FETCHED, true).await?;
    }
    write_on(primary).await?;
    let step_down = doc! { "replSetStepDown": 60, "secondaryCatchUpPeriodSecs": 1 };
    assert_eq!(primary.code(step_down.clone()).await, 262);
    assert!(primary.is_primary().await);
    let mut forced = step_down;
    forced.insert("force", true);
    assert_eq!(primary.code(forced).await, 0);
    assert!(!primary.is_primary().await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h29_a_step_down_hands_over_and_keeps_the_old_primary_from_standing() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let mut set = lab.fresh("h29", 3).await?;
    // The third only votes: none but the old primary could follow the new one.
    let mut config = set.config().with_member(2, doc! { "priority": 0 });
    config.get_document_mut("settings")?.insert("electionTimeoutMillis", 3000);
    set.initiate(config).await?;
    let old = set.primary().await?;
    let began = Instant::now();
    assert_eq!(set.members[old].code(doc! { "replSetStepDown": 60 }).await, 0);
    let new = set.primary_among(&set.others(old)).await?;
    // By the hand-over, not by an election timeout.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    set.members[new].kill();
    stays("nobody stands", Duration::from_secs(7), async || !set.members[old].is_primary().await).await?;
    // What would make it stand at once is that it may again.
    set.members[old].run(doc! { "replSetFreeze": 0 }).await?;
    assert_eq!(set.primary_among(&[old]).await?, old);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h30_a_member_of_higher_priority_that_returns_takes_over_after_its_delay() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let mut set = lab.fresh("h30", 3).await?;
    set.initiate(set.config().with_member(2, doc! { "priority": 5 })).await?;
    eventually("the preferred member to lead", async || set.members[2].is_primary().await).await?;
    set.members[2].kill();
    let stand_in = set.primary_among(&[0, 1]).await?;
    let term = set.members[stand_in].term().await?;
    let began = Instant::now();
    set.members[2].start().await?;
    eventually("the preferred member to lead again", async || set.members[2].is_primary().await).await?;
    // Rank 0: one election timeout.
    assert!(began.elapsed() > Duration::from_millis(900), "{:?}", began.elapsed());
    assert!(set.members[2].term().await? > term);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h31_an_awaitable_hello_returns_at_a_step_down() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let set = lab.up("h31", 3).await?;
    let primary = &set.members[set.primary().await?];
    let host = primary.host();
    let awaiting =
        |known: &Document| doc! { "hello": 1, "topologyVersion": known.clone(), "maxAwaitTimeMS": 20_000_i64 };
    // What else moves the topology has moved it once this waits for a while.
    let mut known = primary.hello().await?.get_document("topologyVersion")?.clone();
    let waiting = loop {
        let command = awaiting(&known);
        let host = host.clone();
        let mut waiting = tokio::spawn(async move { ask(&host, "admin", &command).await });
        match tokio::time::timeout(Duration::from_secs(1), &mut waiting).await {
            Ok(early) => known = early??.get_document("topologyVersion")?.clone(),
            Err(_) => break waiting,
        }
    };
    let began = Instant::now();
    primary.run(doc! { "replSetStepDown": 20 }).await?;
    let hello = waiting.await??;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(!hello.get_bool("isWritablePrimary")?);
    let counter = |version: &Document| version.get_i64("counter");
    assert!(counter(hello.get_document("topologyVersion")?)? > counter(&known)?);
    Ok(())
}
