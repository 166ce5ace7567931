//! Servers that refuse, say nothing, or talk nonsense: each is unreachable with a reason, and together they
//! cost one deadline.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use async_trait::async_trait;
use kogge_engine::{Engine as _, Port};
use kogge_engine_client::Connection;
use kogge_mongo::{Goal, MongoDb, PodName, RouterServer, Server, SetGoal};
use kogge_mongo_client::{
    ClusterAccess, Credentials, Engine, Loopback, MEMBER_DEADLINE, MemberReach, Password, ReachError, User,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::goal::goal;

fn access(servers: BTreeMap<PodName, SocketAddr>) -> ClusterAccess {
    let user = |name: &str| User::new(name, Password::new("s3cret"));
    ClusterAccess {
        reach: Arc::new(Loopback::new(MongoDb::PORT, servers)),
        trust: None,
        credentials: Credentials { operator: user("operator"), admin: user("admin") },
    }
}

/// Accepts connections, writes `greeting`, and never answers.
async fn listener(greeting: &'static [u8]) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut connection, _)) = listener.accept().await {
            if connection.write_all(greeting).await.is_ok() {
                held.push(connection);
            }
        }
    });
    Ok(address)
}

#[tokio::test(flavor = "multi_thread")]
async fn members_without_an_answer_cost_one_deadline_together() -> Result<()> {
    let refused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?;
    let mut servers = BTreeMap::from([("refused".into(), refused)]);
    for pod in ["silent-0", "silent-1", "silent-2", "router"] {
        servers.insert(pod.into(), listener(b"").await?);
    }
    let garbage = b"HTTP/1.1 400 Bad Request\r\n\r\nnot a database at all, and quite a long answer";
    servers.insert("garbage".into(), listener(garbage).await?);
    let goal = goal(&["absent", "refused", "silent-0", "silent-1", "silent-2", "garbage"]);
    let access = access(servers);
    let engine = Engine::new();

    let started = Instant::now();
    let first = engine.observe(&access, &goal, &BTreeMap::new(), 1_000).await;
    let took = started.elapsed();
    assert!(took < 2 * MEMBER_DEADLINE, "{took:?}");
    let started = Instant::now();
    let second = engine.observe(&access, &goal, &BTreeMap::new(), 2_000).await;
    let took = started.elapsed();
    assert!(took < MEMBER_DEADLINE, "{took:?} for servers that were silent before");

    assert_eq!(first.members.len(), 6);
    for (pod, seen) in &second.members {
        let Server::Unreachable { reason, since } = &seen.server else { panic!("{pod}: {seen:?}") };
        assert_eq!(*since, 1_000, "{pod} is silent since the first observation");
        assert!(!reason.is_empty() && reason.len() < 200, "{pod}: {reason}");
        println!("{pod}: {reason}");
    }
    assert!(matches!(second.routers["router"].server, RouterServer::Unreachable { .. }));
    Ok(())
}

/// A way that is opened for ever: a worker's API that takes the request and says no more.
struct NeverOpens;

#[async_trait]
impl MemberReach for NeverOpens {
    fn identity(&self, _: &PodName) -> Option<String> {
        Some("uid/1".to_owned())
    }

    async fn connect(&self, _: &PodName, _: Port) -> Result<Connection, ReachError> {
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_sets_and_ways_that_never_open_cost_one_deadline_together() -> Result<()> {
    let silent = listener(b"").await?;
    let mut servers = BTreeMap::new();
    let sets = (0..30)
        .map(|set| {
            let pods = [0, 1, 2].map(|n| format!("set-{set}-{n}"));
            servers.extend(pods.iter().map(|pod| (PodName::new(pod.as_str()), silent)));
            let of_them = goal(&pods.each_ref().map(String::as_str)).sets.remove(0);
            SetGoal { name: format!("ll-shard-{set}").into(), ..of_them }
        })
        .collect();
    let goal = Goal { sets, ..goal(&["none"]) };
    let reaches: [Arc<dyn MemberReach>; 2] =
        [Arc::new(Loopback::new(MongoDb::PORT, servers)), Arc::new(NeverOpens)];
    for reach in reaches {
        let access = ClusterAccess { reach, ..access(BTreeMap::new()) };
        let engine = Engine::new();
        for limit in [2 * MEMBER_DEADLINE, MEMBER_DEADLINE] {
            let started = Instant::now();
            let seen = engine.observe(&access, &goal, &BTreeMap::new(), 1_000).await;
            let took = started.elapsed();
            println!("90 members without an answer: {took:?}");
            assert!(took < limit, "{took:?}");
            assert_eq!(seen.members.len(), 90);
        }
    }
    Ok(())
}

#[test]
fn a_password_is_never_shown() {
    let shown = format!("{:?}", access(BTreeMap::new()).credentials);
    assert!(!shown.contains("s3cret"), "{shown}");
}
