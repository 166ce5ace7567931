//! A database of server processes, and the operator's loop around the engine in its smallest form: anchors in
//! memory, pods as processes, restarts as kill and start.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use kogge_api::gate::Report;
use kogge_engine::Engine as _;
use kogge_mongo::{
    Action, Executor, Goal, Host, LeavingMember, MemberAnchor, MemberGoal, MemberId, MemberRole, MongoDb, Plan,
    Pod, PodFacts, PodName, RouterGoal, SetGoal, SetName, SetRole, ShardingAction, Step, Topology, plan,
};
use kogge_mongo_client::{ClusterAccess, Credentials, Engine, Loopback, Password, User};
use tempfile::TempDir;

use crate::process::Server;

/// A database of processes.
pub(crate) struct Cluster {
    dir: TempDir,
    pub(crate) goal: Goal,
    pub(crate) servers: BTreeMap<PodName, Server>,
    revisions: BTreeMap<PodName, u32>,
    target: u32,
    engine: Engine,
    started: Instant,
    /// Every step that was carried out, in order.
    pub(crate) taken: Vec<Step>,
    /// What the members that are started next get as `--setParameter`.
    pub(crate) parameters: Vec<String>,
}

impl Cluster {
    pub(crate) fn new() -> Result<Self> {
        let mut dir = tempfile::tempdir()?;
        if env::var_os("KOGGE_TEST_KEEP").is_some() {
            dir.disable_cleanup(true);
            eprintln!("logs and data stay in {}", dir.path().display());
        }
        Ok(Self {
            dir,
            goal: Goal {
                cluster: "ll".to_owned(),
                sets: Vec::new(),
                routers: Vec::new(),
                unseen: BTreeMap::new(),
                rollout_order: Vec::new(),
                away_from: std::collections::BTreeSet::default(),
                rolling: false,
                balancer: kogge_mongo::Turns::default(),
                feature_compatibility_version: None,
                paused: false,
            },
            servers: BTreeMap::new(),
            revisions: BTreeMap::new(),
            target: 1,
            engine: Engine::new(),
            started: Instant::now(),
            taken: Vec::new(),
            parameters: Vec::new(),
        })
    }

    /// Wants a set with these members per vdc: new ones are started, missing ones shall leave.
    pub(crate) fn want(&mut self, set: &str, role: SetRole, shape: &[(&str, u32)]) -> Result<()> {
        let name = SetName::new(set);
        let at = self.goal.sets.iter().position(|known| known.name == name);
        let old = at.map(|at| self.goal.sets.remove(at));
        let flag = if role == SetRole::Config { "--configsvr" } else { "--shardsvr" };
        let mut members = Vec::new();
        for (vdc, n) in shape {
            for ordinal in 0..*n {
                let pod = PodName::new(format!("{set}-{vdc}-{ordinal}"));
                if !self.servers.contains_key(&pod) {
                    let server = Server::member(self.dir.path(), pod.as_str(), set, flag, &self.parameters)?;
                    self.servers.insert(pod.clone(), server);
                    self.revisions.insert(pod.clone(), self.target);
                }
                let known = old.iter().flat_map(|old| &old.members).find(|m| m.pod == pod);
                members.push(MemberGoal {
                    host: Host::new(self.servers[&pod].address().to_string()),
                    anchor: known.map_or_else(MemberAnchor::default, |m| m.anchor),
                    pod,
                    placement: (*vdc).into(),
                    vdc: (*vdc).into(),
                    priority: 1,
                    role: MemberRole::Voter,
                });
            }
        }
        let kept: BTreeSet<PodName> = members.iter().map(|m| m.pod.clone()).collect();
        let gone = old.iter().flat_map(|old| &old.members).filter(|m| !kept.contains(&m.pod));
        let leaving =
            gone.map(|m| LeavingMember { pod: m.pod.clone(), host: m.host.clone(), anchor: m.anchor }).collect();
        self.goal.sets.push(SetGoal {
            name,
            role,
            members,
            leaving,
            seed: old.as_ref().and_then(|old| old.seed.clone()),
            next_member_id: old.as_ref().map_or(0, |old| old.next_member_id),
            retired: old.as_ref().is_some_and(|old| old.retired),
            removals: old.as_ref().map(|old| old.removals).unwrap_or_default(),
            recovery: old.map(|old| old.recovery).unwrap_or_default(),
        });
        Ok(())
    }

    pub(crate) fn start_router(&mut self, pod: &str, config_set: &str) -> Result<()> {
        let config_db = format!("{config_set}/{}", self.hosts(config_set)?.join(","));
        let server = Server::router(self.dir.path(), pod, &config_db)?;
        self.servers.insert(pod.into(), server);
        self.goal.routers.push(RouterGoal { pod: pod.into(), placement: "vdc1".into() });
        Ok(())
    }

    /// Changes every member's template.
    pub(crate) fn roll(&mut self) {
        self.target += 1;
    }

    pub(crate) fn hosts(&self, set: &str) -> Result<Vec<String>> {
        let set = self.goal.sets.iter().find(|known| known.name.as_str() == set).context("no such set")?;
        Ok(set.members.iter().map(|m| m.host.to_string()).collect())
    }

    /// A URI as a client of the administrator's would use it.
    pub(crate) fn uri(&self, set: &str) -> Result<String> {
        let hosts = self.hosts(set)?.join(",");
        Ok(format!("mongodb://admin:admin-password@{hosts}/?replicaSet={set}&authSource=admin"))
    }

    pub(crate) fn router_uri(&self) -> String {
        let routers = self.goal.routers.iter().map(|router| self.servers[&router.pod].address().to_string());
        let routers: Vec<String> = routers.collect();
        format!("mongodb://admin:admin-password@{}/?authSource=admin", routers.join(","))
    }

    /// Forgets every connection, as a new operator process would.
    pub(crate) fn crash_operator(&mut self) {
        self.engine = Engine::new();
    }

    pub(crate) async fn observe(&mut self) -> Plan {
        let topology = self.topology().await;
        plan(&self.goal, &topology, self.now())
    }

    /// What every server answers.
    pub(crate) async fn topology(&mut self) -> Topology {
        let access = self.access();
        let pods = self.pods();
        self.engine.observe(&access, &self.goal, &pods, self.now()).await
    }

    /// One pass of the operator: observe, plan, carry out at most `limit` steps.
    pub(crate) async fn pass(&mut self, limit: usize) -> Result<Plan> {
        let plan = self.observe().await;
        let access = self.access();
        for step in plan.steps.iter().take(limit) {
            let outcome = match step.action.executor() {
                Executor::Anchor => self.record(step),
                Executor::Kubernetes => self.restart(step),
                Executor::Wire => match self.engine.execute(&access, step).await {
                    Ok(_) => Ok(()),
                    // Whatever the class, the next pass observes and plans again.
                    Err(error) => {
                        eprintln!("{step}: {error} ({:?})", error.class());
                        continue;
                    }
                },
            };
            outcome?;
            eprintln!("{:>6.1} s  {step}", self.started.elapsed().as_secs_f64());
            self.taken.push(step.clone());
        }
        Ok(plan)
    }

    /// Passes until the goal is reached.
    pub(crate) async fn until_ready(&mut self, deadline: Duration) -> Result<Plan> {
        let end = Instant::now() + deadline;
        loop {
            let plan = self.pass(usize::MAX).await?;
            if plan.ready() {
                return Ok(plan);
            }
            if Instant::now() > end {
                bail!("not ready after {deadline:?}: {plan:#?}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until something is so, for at most 30 s.
    pub(crate) async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(30);
        while !holds().await? {
            if Instant::now() > end {
                bail!("waited 30 s for {what}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.taken.iter().map(|step| step.action.name()).collect()
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn access(&self) -> ClusterAccess {
        let addresses: BTreeMap<PodName, SocketAddr> =
            self.servers.iter().map(|(pod, server)| (pod.clone(), server.address())).collect();
        let user = |name: &str| User::new(name, Password::new(format!("{name}-password")));
        ClusterAccess {
            reach: Arc::new(Loopback::new(MongoDb::PORT, addresses)),
            credentials: Credentials { operator: user("kogge-operator"), admin: user("admin") },
            trust: None,
        }
    }

    fn pods(&mut self) -> BTreeMap<PodName, Pod> {
        let target = self.target.to_string();
        let facts = self.servers.iter_mut().map(|(pod, server)| {
            let running = server.running();
            let facts = PodFacts {
                uid: server.address().to_string(),
                running,
                ready: running,
                terminating: false,
                revision: self.revisions.get(pod).map(ToString::to_string),
                target_revision: Some(target.clone()),
                resolves_everywhere: true,
                gate: Some(Report::Open { disk: server.started_on(), message: "as the test saw it".to_owned() }),
            };
            (pod.clone(), Pod::Present(facts))
        });
        facts.collect()
    }

    fn restart(&mut self, step: &Step) -> Result<()> {
        let Action::RestartPod { pod, .. } = &step.action else { bail!("{step}") };
        let server = self.servers.get_mut(pod).context("no such server")?;
        server.kill()?;
        server.start()?;
        self.revisions.insert(pod.clone(), self.target);
        Ok(())
    }

    fn record(&mut self, step: &Step) -> Result<()> {
        let set = self.goal.sets.iter_mut().find(|set| set.name == step.set).context("no such set")?;
        let anchor = |set: &mut SetGoal, pod: &PodName, id: MemberId, initialized| {
            set.next_member_id = set.next_member_id.max(id.0 + 1);
            for member in set.members.iter_mut().filter(|m| &m.pod == pod) {
                member.anchor = MemberAnchor { member_id: Some(id), initialized };
            }
        };
        match &step.action {
            Action::RecordSeed { pod, member_id } => {
                set.seed = Some(pod.clone());
                anchor(set, pod, *member_id, false);
            }
            Action::ReserveMemberId { pod, member_id, .. } => anchor(set, pod, *member_id, false),
            Action::MarkInitialized { pod, member_id } => anchor(set, pod, *member_id, true),
            Action::ForgetMember { pod } => set.leaving.retain(|m| &m.pod != pod),
            Action::FenceMember { pod, member_id } => {
                set.recovery.fenced.insert(pod.clone(), *member_id);
            }
            Action::Sharding { step: action } => {
                let action = action.clone();
                self.record_sharding(&step.set, &action)?;
            }
            other => bail!("{other} is no record"),
        }
        Ok(())
    }

    fn record_sharding(&mut self, set: &SetName, action: &ShardingAction) -> Result<()> {
        let at = self.goal.sets.iter().position(|known| known.name == *set).context("no such set")?;
        match action {
            ShardingAction::RecordDrain { number, .. } => self.goal.sets[at].removals.begun = *number,
            ShardingAction::RecordRemoval { number, .. } => {
                let goal = &mut self.goal.sets[at];
                (goal.removals.begun, goal.removals.ended) = (*number, *number);
                (goal.seed, goal.next_member_id) = (None, 0);
                goal.members.iter_mut().for_each(|member| member.anchor = MemberAnchor::default());
                if goal.retired {
                    self.goal.sets.remove(at);
                }
            }
            ShardingAction::RecordBalancerPause { number } => self.goal.balancer.begun = *number,
            ShardingAction::RecordBalancerResumed { number } => self.goal.balancer.ended = *number,
            other => bail!("{other} is no record"),
        }
        Ok(())
    }
}
