//! Cases that end at a server: the planner and the executor with a server of one's own.
#![expect(clippy::disallowed_methods, reason = "a server has a folder")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bson::{Document, doc};
use kogge_engine::Engine as _;
use kogge_mongo::{
    Action, Executor, Goal, Host, MemberAnchor, MemberId, MongoDb, Pod, ReplConfig, Replication, Server,
    ServerState, SetRole, Step, plan,
};
use kogge_mongo_client::{ClusterAccess, Credentials, Engine, Loopback, Password, StepError, User};
use mongosim::options::ServerArgs;
use mongosim::testing::{Member, free_port, member_args, write_key_file};
use tempfile::TempDir;

use crate::support::{SHARD, World};

const POD: &str = "ll-shard-0-vdc1-0";
const PASSWORD: &str = "a-password-for-tests";

/// A set of one server, and the operator's loop in its smallest form.
struct One {
    _dir: TempDir,
    server: Member,
    port: u16,
    goal: Goal,
    engine: Engine,
    taken: Vec<Step>,
}

impl One {
    fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let key_file = write_key_file(&dir.path().join("key"), "a key that all members have")?;
        let port = free_port()?;
        let data = dir.path().join("data");
        std::fs::create_dir(&data)?;
        let args = ServerArgs {
            key_file: Some(key_file),
            configsvr: true,
            port: Some(port),
            ..member_args(SHARD, &data)
        };
        let mut goal = World::shard(&[("vdc1", 1)]).goal;
        goal.routers.clear();
        goal.sets[0].role = SetRole::Config;
        goal.sets[0].members[0].host = Host::new(format!("127.0.0.1:{port}"));
        let server = Member::spawn(args)?;
        Ok(Self { _dir: dir, server, port, goal, engine: Engine::new(), taken: Vec::new() })
    }

    /// Starts the server anew where its config does not look for it.
    fn move_to_another_port(&mut self) -> Result<()> {
        self.server.stop();
        self.port = free_port()?;
        let port = self.port;
        self.server.set_args(|args| args.port = Some(port));
        self.server.start()?;
        self.goal.sets[0].members[0].host = Host::new(format!("127.0.0.1:{port}"));
        Ok(())
    }

    fn access(&self) -> ClusterAccess {
        let user = |name: &str| User::new(name, Password::new(PASSWORD));
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        ClusterAccess {
            reach: Arc::new(Loopback::new(MongoDb::PORT, BTreeMap::from([(POD.into(), address)]))),
            trust: None,
            credentials: Credentials { operator: user("kogge-operator"), admin: user("admin") },
        }
    }

    /// Waits until the server has loaded a config in which it does not find itself.
    async fn config_that_it_is_not_in(&self) -> Result<ReplConfig> {
        let mut last = None;
        for pass in 1..300_u64 {
            let mut topology = self.engine.observe(&self.access(), &self.goal, &BTreeMap::new(), pass * 100).await;
            match topology.members.remove(POD).map(|seen| seen.server) {
                Some(Server::Reachable(ServerState {
                    replication: Replication::Removed { config: Some(config) },
                    ..
                })) => return Ok(config),
                other => last = other,
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("it does not say that it was removed: {last:?}")
    }

    /// Carries out what is planned until nothing is left; the first step that is for a person ends it.
    async fn until_ready(&mut self) -> Result<()> {
        let access = self.access();
        let pods: BTreeMap<_, Pod> = World::shard(&[("vdc1", 1)])
            .observe()
            .members
            .into_iter()
            .map(|(pod, seen)| (pod, seen.pod))
            .collect();
        let mut last = None;
        for pass in 1..300_u64 {
            let topology = self.engine.observe(&access, &self.goal, &pods, pass * 100).await;
            let plan = plan(&self.goal, &topology, pass * 100);
            if plan.ready() {
                return Ok(());
            }
            for step in &plan.steps {
                match step.action.executor() {
                    Executor::Anchor => self.record(step),
                    _ => match self.engine.execute(&access, step).await {
                        Ok(_) => self.taken.push(step.clone()),
                        Err(error) if error.is_for_a_person() => return Err(error.into()),
                        Err(error) => eprintln!("{step}: {error}"),
                    },
                }
            }
            last = Some(plan);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("not ready: {last:#?}")
    }

    fn record(&mut self, step: &Step) {
        let set = &mut self.goal.sets[0];
        let mut reserve = |id: MemberId, initialized| {
            set.next_member_id = set.next_member_id.max(id.0 + 1);
            set.members[0].anchor = MemberAnchor { member_id: Some(id), initialized };
        };
        match &step.action {
            Action::RecordSeed { pod, member_id } => {
                reserve(*member_id, false);
                set.seed = Some(pod.clone());
            }
            Action::ReserveMemberId { member_id, .. } => reserve(*member_id, false),
            Action::MarkInitialized { member_id, .. } => reserve(*member_id, true),
            other => panic!("{other}"),
        }
    }

    async fn admin(&self, command: Document) -> Result<Document> {
        let uri =
            format!("mongodb://admin:{PASSWORD}@127.0.0.1:{}/?directConnection=true&authSource=admin", self.port);
        let client = mongodb::Client::with_uri_str(uri).await?;
        Ok(client.database("admin").run_command(command).await?)
    }

    async fn config(&self) -> Result<Document> {
        let reply = self.admin(doc! { "replSetGetConfig": 1 }).await?;
        Ok(reply.get_document("config").context("no config")?.clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_04_a_host_that_is_not_the_server_is_surfaced_with_its_name() -> Result<()> {
    let mut one = One::start()?;
    let nobody = format!("127.0.0.1:{}", free_port()?);
    one.goal.sets[0].members[0].host = Host::new(nobody.as_str());
    let error = one.until_ready().await.unwrap_err();
    assert!(error.to_string().contains(&nobody), "{error}");
    let error: StepError = error.downcast()?;
    assert!(["NodeNotFound", "InvalidReplicaSetConfig"].contains(&error.reason()), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn case_08_a_server_that_lost_its_host_is_renamed_by_a_direct_connection() -> Result<()> {
    let mut one = One::start()?;
    one.until_ready().await?;
    let old = one.goal.sets[0].members[0].host.clone();
    one.move_to_another_port()?;
    assert_eq!(one.config_that_it_is_not_in().await?.members[0].host, old);

    one.taken.clear();
    one.until_ready().await?;
    let names: Vec<_> = one.taken.iter().map(|step| step.action.name()).collect();
    assert_eq!(names, ["SetHost"]);
    let members = one.config().await?;
    let member = members.get_array("members")?[0].as_document().context("no member")?;
    assert_eq!(member.get_str("host")?, one.goal.sets[0].members[0].host.as_str());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn case_27_settings_that_the_planner_does_not_know_survive_its_steps() -> Result<()> {
    let mut one = One::start()?;
    one.until_ready().await?;
    let mut config = one.config().await?;
    config.get_document_mut("settings")?.insert("electionTimeoutMillis", 8_123);
    let version = config.get_i32("version")? + 1;
    config.insert("version", version);
    one.admin(doc! { "replSetReconfig": config }).await?;

    one.goal.sets[0].members[0].priority = 5;
    one.taken.clear();
    one.until_ready().await?;
    let names: Vec<_> = one.taken.iter().map(|step| step.action.name()).collect();
    assert_eq!(names, ["SetPriority"]);
    let config = one.config().await?;
    assert_eq!(config.get_document("settings")?.get_i32("electionTimeoutMillis")?, 8_123);
    Ok(())
}
