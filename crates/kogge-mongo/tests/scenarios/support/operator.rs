//! The operator: the real engine observes the servers, the real planner plans, and the anchors are kept in
//! memory.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use kogge_api::gate::{Disk, Hold, HoldReason, Report};
use kogge_engine::Engine as _;
use kogge_mongo::{
    Action, Executor, Goal, Host, MemberAnchor, MemberGoal, MemberId, MemberRole, MongoDb, Plan, Pod, PodFacts,
    PodName, Recovery, SetGoal, SetName, SetRole, Step, Topology, Turns, plan,
};
use kogge_mongo_client::{ClusterAccess, Credentials, Engine, Loopback, Outcome, Password, StepError, User};
use mongodb::Client;
use mongodb::bson::Document;
use mongodb::options::ClientOptions;

use super::server::Server;
use super::set::{Lab, Set, member_args};
use super::waiting::wait_for;

const OPERATOR: &str = "kogge-operator";
const ADMIN: &str = "admin";

/// The operator of one set with authentication, each member in a vdc of its own.
pub(crate) struct Operator {
    pub(crate) set: Set,
    pub(crate) goal: Goal,
    /// Members whose pods do not run, by index.
    pub(crate) dead: BTreeSet<usize>,
    /// Members that the gates in their pods hold back, for their disks are empty, by index.
    pub(crate) held: BTreeSet<usize>,
    /// Members whose disks were emptied, and which start on what the gate has seen empty, by index.
    emptied: BTreeSet<usize>,
    /// Members that the operator does not reach, by index.
    pub(crate) blind_to: BTreeSet<usize>,
    /// Where the operator reaches a member instead of its own address, by index.
    pub(crate) relays: BTreeMap<usize, SocketAddr>,
    engine: Engine,
    started: Instant,
}

fn password(user: &str) -> String {
    format!("{user}-password")
}

/// The pod behind the member at an index.
pub(crate) fn pod(index: usize) -> PodName {
    PodName::new(format!("member-{index}"))
}

impl Operator {
    /// A set of config servers (which needs no router) with authentication, known to the operator and settled.
    pub(crate) async fn of_settled_set(lab: &Lab, name: &str, count: usize) -> Result<Self> {
        let args = mongosim::options::ServerArgs {
            key_file: Some(lab.key_file()?),
            configsvr: true,
            ..member_args(name)
        };
        let set = lab.fresh_with(count, args).await?;
        let mut config = set.config();
        config.insert("configsvr", true);
        set.initiate(config).await?;
        let members = (0..count).map(|index| MemberGoal {
            pod: pod(index),
            host: Host::new(set.members[index].host()),
            placement: format!("vdc{index}").into(),
            vdc: format!("vdc{index}").into(),
            priority: 1,
            role: MemberRole::Voter,
            anchor: MemberAnchor { member_id: Some(MemberId(index as u32)), initialized: true },
        });
        let goal = SetGoal {
            name: SetName::new(name),
            role: SetRole::Config,
            members: members.collect(),
            leaving: Vec::new(),
            seed: Some(pod(0)),
            next_member_id: count as u32,
            recovery: Recovery::default(),
            retired: false,
            removals: Turns::default(),
        };
        let goal = Goal { cluster: name.to_owned(), sets: vec![goal], ..empty_goal() };
        let (dead, held, emptied, blind_to) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (relays, engine) = (BTreeMap::new(), Engine::new());
        let mut operator =
            Self { set, goal, dead, held, emptied, blind_to, relays, engine, started: Instant::now() };
        operator.settle().await?;
        Ok(operator)
    }

    /// kill -9.
    pub(crate) fn kill(&mut self, index: usize) {
        self.set.members[index].kill();
        self.dead.insert(index);
    }

    /// kill -9, and the disk is emptied: the gate finds it so at the next start, and holds it.
    pub(crate) fn wipe(&mut self, index: usize) -> Result<()> {
        self.held.insert(index);
        self.empty(index)
    }

    /// kill -9, and the disk is emptied: the gate lets it start, for its member may come back only empty.
    pub(crate) fn empty(&mut self, index: usize) -> Result<()> {
        self.kill(index);
        self.emptied.insert(index);
        self.set.members[index].wipe()
    }

    /// Starts a member again.
    pub(crate) async fn start(&mut self, index: usize) -> Result<()> {
        self.dead.remove(&index);
        self.set.members[index].start().await
    }

    /// The one set's goal.
    pub(crate) fn set_goal(&mut self) -> &mut SetGoal {
        &mut self.goal.sets[0]
    }

    pub(crate) async fn observe(&self) -> Topology {
        self.engine.observe(&self.access(), &self.goal, &self.pods(), self.now()).await
    }

    /// What the planner says to a fresh observation.
    pub(crate) async fn plan(&self) -> Plan {
        let topology = self.observe().await;
        plan(&self.goal, &topology, self.now())
    }

    /// Carries a step out on the servers.
    pub(crate) async fn execute(&self, step: &Step) -> Result<Outcome, StepError> {
        self.engine.execute(&self.access(), step).await
    }

    /// Carries out what a plan says; what fails is planned again.
    pub(crate) async fn carry_out(&mut self, plan: &Plan) -> Result<()> {
        for step in &plan.steps {
            match step.action.executor() {
                Executor::Anchor => self.record(step)?,
                Executor::Wire => {
                    if let Err(error) = self.execute(step).await {
                        eprintln!("{step}: {error}");
                    }
                }
                Executor::Kubernetes => self.restart(step).await?,
            }
        }
        Ok(())
    }

    /// A pod starts again, and its gate reads the anchors: the only pods to be touched are those that were held.
    async fn restart(&mut self, step: &Step) -> Result<()> {
        let held =
            self.held.iter().copied().find(
                |index| matches!(&step.action, Action::RestartPod { pod: named, .. } if *named == pod(*index)),
            );
        let Some(index) = held else { bail!("no pod is to be touched: {step}") };
        if self.goal.sets[0].members[index].anchor.initialized {
            bail!("its gate would hold it again: {step}");
        }
        self.held.remove(&index);
        self.start(index).await
    }

    /// Plans and carries out until the goal is reached.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        self.run_until("the goal to be reached", Plan::ready).await
    }

    /// Plans and carries out until a plan is as expected.
    pub(crate) async fn run_until(&mut self, what: &str, holds: impl Fn(&Plan) -> bool) -> Result<()> {
        let began = Instant::now();
        loop {
            let plan = self.plan().await;
            if holds(&plan) {
                return Ok(());
            }
            if began.elapsed() > Duration::from_secs(40) {
                bail!("waited for {what}: {plan:#?}");
            }
            self.carry_out(&plan).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn record(&mut self, step: &Step) -> Result<()> {
        let set = self.set_goal();
        let anchor = |set: &mut SetGoal, pod: &PodName, id: MemberId, initialized| {
            set.next_member_id = set.next_member_id.max(id.0 + 1);
            for member in set.members.iter_mut().filter(|m| &m.pod == pod) {
                member.anchor = MemberAnchor { member_id: Some(id), initialized };
            }
        };
        match &step.action {
            Action::ReserveMemberId { pod, member_id, .. } => anchor(set, pod, *member_id, false),
            Action::MarkInitialized { pod, member_id } => anchor(set, pod, *member_id, true),
            Action::FenceMember { pod, member_id } => {
                set.recovery.fenced.insert(pod.clone(), *member_id);
            }
            Action::ForgetMember { pod } => set.leaving.retain(|member| &member.pod != pod),
            other => bail!("{other} is not to be recorded"),
        }
        Ok(())
    }

    /// Waits until the planner's answer is as expected.
    pub(crate) async fn plan_until(&self, what: &str, holds: impl Fn(&Plan) -> bool) -> Result<Plan> {
        let mut last = None;
        let found = wait_for(what, async || {
            let plan = self.plan().await;
            let holds = holds(&plan);
            last = Some(plan);
            holds.then_some(())
        })
        .await;
        match (found, last) {
            (Ok(()), Some(plan)) => Ok(plan),
            (Err(error), last) => Err(error.context(format!("{last:#?}"))),
            (Ok(()), None) => bail!("nothing was planned"),
        }
    }

    /// Runs a command as the operator's user.
    pub(crate) async fn run(&self, index: usize, command: Document) -> mongodb::error::Result<Document> {
        self.run_on(index, "admin", command).await
    }

    pub(crate) async fn run_on(
        &self,
        index: usize,
        db: &str,
        command: Document,
    ) -> mongodb::error::Result<Document> {
        let host = self.set.members[index].host();
        let password = password(OPERATOR);
        let uri = format!("mongodb://{OPERATOR}:{password}@{host}/?directConnection=true&authSource=admin");
        let mut options = ClientOptions::parse(uri).await?;
        options.server_selection_timeout = Some(Duration::from_secs(5));
        Client::with_options(options)?.database(db).run_command(command).await
    }

    /// A member's config with the next version.
    pub(crate) async fn next_config(&self, index: usize) -> Result<Document> {
        let mut reply = self.run(index, mongodb::bson::doc! { "replSetGetConfig": 1 }).await?;
        let config = reply.get_document_mut("config")?;
        config.insert("version", config.get_i32("version")? + 1);
        Ok(config.clone())
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn access(&self) -> ClusterAccess {
        let address = |server: &Server| SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
        let reached = self.set.members.iter().enumerate().filter(|(i, _)| !self.blind_to.contains(i));
        let way = |i: usize, server: &Server| self.relays.get(&i).copied().unwrap_or_else(|| address(server));
        let addresses = reached.map(|(i, server)| (pod(i), way(i, server)));
        let user = |name: &str| User::new(name, Password::new(password(name)));
        ClusterAccess {
            reach: Arc::new(Loopback::new(MongoDb::PORT, addresses.collect())),
            trust: None,
            credentials: Credentials { operator: user(OPERATOR), admin: user(ADMIN) },
        }
    }

    fn gate_report(&self, index: usize) -> Report {
        let message = "as the test says".to_owned();
        if self.held.contains(&index) {
            return Report::Held(Hold { reason: HoldReason::LostDisk, message });
        }
        let disk = if self.emptied.contains(&index) { Disk::Empty } else { Disk::Data };
        Report::Open { disk, message }
    }

    fn pods(&self) -> BTreeMap<PodName, Pod> {
        let facts = |index: usize| PodFacts {
            uid: pod(index).to_string(),
            running: !self.dead.contains(&index),
            ready: !self.dead.contains(&index),
            terminating: false,
            revision: Some("1".to_owned()),
            target_revision: Some("1".to_owned()),
            resolves_everywhere: true,
            gate: Some(self.gate_report(index)),
        };
        let seen = |index: usize| {
            if self.blind_to.contains(&index) {
                Pod::Unknown { reason: "its worker does not answer".to_owned() }
            } else {
                Pod::Present(facts(index))
            }
        };
        (0..self.set.members.len()).map(|index| (pod(index), seen(index))).collect()
    }
}

/// A step about a member.
pub(crate) fn step_about<'a>(plan: &'a Plan, host: &str) -> Option<&'a Step> {
    plan.steps.iter().find(|step| match &step.action {
        Action::AddMember { change, .. }
        | Action::Promote { change }
        | Action::Demote { change }
        | Action::RemoveMember { change } => change.host.as_str() == host,
        _ => false,
    })
}

fn empty_goal() -> Goal {
    Goal {
        cluster: String::new(),
        sets: Vec::new(),
        routers: Vec::new(),
        unseen: BTreeMap::new(),
        rollout_order: Vec::new(),
        away_from: BTreeSet::new(),
        rolling: false,
        balancer: Turns::default(),
        feature_compatibility_version: None,
        paused: false,
    }
}
