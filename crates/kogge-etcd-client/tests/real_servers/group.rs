//! Groups of servers, and one engine that looks at them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use kogge_engine::ErrorClass;
use kogge_engine_client::{Listening, Loopback, MemberReach, Outcome};
use kogge_etcd::{
    Action, Goal, ListedMember, MemberAnchor, MemberGoal, MemberObservation, MemberRole, PodName, ServerState,
    Step, Topology, Version,
};
use kogge_etcd_client::{ClusterAccess, Credentials, Engine, StepError};
use kogge_lab::Etcd;
use tempfile::TempDir;

use crate::server::{ELECTION_MILLIS, Server, free_ports};
use crate::wait::until;

/// How servers are started, and how Kogge comes to them.
#[derive(Default)]
pub(crate) struct Security {
    /// Flags of every server.
    pub(crate) flags: Vec<String>,
    /// Whether their URLs are https.
    pub(crate) tls: bool,
    /// Who Kogge is.
    pub(crate) credentials: Credentials,
}

/// Servers, some of them started.
pub(crate) struct Group {
    pub(crate) servers: Vec<Server>,
    pub(crate) engine: Engine,
    pub(crate) security: Security,
    began: Instant,
    _dir: TempDir,
}

pub(crate) fn pod(index: usize) -> PodName {
    PodName::new(format!("m-{index}"))
}

impl Group {
    /// A group of `voters` that are started together, and servers that are not started yet.
    pub(crate) async fn start(release: Etcd, voters: usize, more: usize) -> Result<Self> {
        Self::start_with(release, voters, more, |_| Ok(Security::default())).await
    }

    pub(crate) async fn start_with(
        release: Etcd,
        voters: usize,
        more: usize,
        security: impl FnOnce(&Path) -> Result<Security>,
    ) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let security = security(dir.path())?;
        let scheme = if security.tls { "https" } else { "http" };
        let ports = free_ports(3 * (voters + more))?;
        let server = |(index, ports): (usize, &[u16])| {
            Server::new(release, dir.path(), pod(index).as_str(), scheme, [ports[0], ports[1], ports[2]])
        };
        let servers = ports.chunks(3).enumerate().map(server).collect::<Result<Vec<_>>>()?;
        let mut group = Self { servers, engine: Engine::new(), security, began: Instant::now(), _dir: dir };
        let initial: Vec<String> =
            group.servers[..voters].iter().map(|s| format!("{}={}", s.name, s.peer_url())).collect();
        for server in &mut group.servers[..voters] {
            server.start_as("new", &initial.join(","), &group.security.flags)?;
        }
        group.settled(voters).await?;
        Ok(group)
    }

    /// Starts a server that the group has added.
    pub(crate) fn join(&mut self, index: usize, listed: &[ListedMember]) -> Result<()> {
        let own = self.servers[index].peer_url();
        let name = |member: &ListedMember| {
            let own = member.peer_urls.contains(&own).then(|| pod(index).to_string());
            format!("{}={}", own.or(member.name.clone()).unwrap_or_default(), member.peer_urls[0])
        };
        let initial: Vec<String> = listed.iter().map(name).collect();
        self.servers[index].start_as("existing", &initial.join(","), &self.security.flags)
    }

    /// All servers, as members of one database.
    pub(crate) fn goal(&self) -> Goal {
        let member = |server: &Server| MemberGoal {
            pod: PodName::new(server.name.clone()),
            peer_url: server.peer_url(),
            client_url: server.client_url(),
            placement: "vdc1".into(),
            vdc: "vdc1".into(),
            role: MemberRole::Voter,
            anchor: MemberAnchor::default(),
        };
        Goal {
            database: "orders".to_owned(),
            uid: "uid".to_owned(),
            members: self.servers.iter().map(member).collect(),
            leaving: Vec::new(),
            seed: None,
            unseen: BTreeMap::new(),
            rollout_order: Vec::new(),
            rolling: false,
            away_from: [].into(),
            max_learners: 1,
            version: Version::new(3, 6, 0),
            quota_bytes: 2 << 30,
            window: kogge_etcd::Window::NotSet,
            auto_compaction: true,
            recovery: kogge_etcd::Recovery::default(),
            paused: false,
        }
    }

    /// Where each server is.
    pub(crate) fn addresses(&self) -> BTreeMap<PodName, Listening> {
        let address = |server: &Server| (PodName::new(server.name.clone()), server.listening());
        self.servers.iter().map(address).collect()
    }

    pub(crate) fn access(&self) -> ClusterAccess {
        self.access_by(Arc::new(Loopback::of(self.addresses())))
    }

    pub(crate) fn access_by(&self, reach: Arc<dyn MemberReach>) -> ClusterAccess {
        let credentials = self.security.credentials.clone();
        ClusterAccess { reach, credentials, election_timeout: Duration::from_millis(ELECTION_MILLIS) }
    }

    /// What the engine sees now.
    pub(crate) async fn observe(&self) -> Topology {
        self.observe_by(&self.access()).await
    }

    pub(crate) async fn observe_by(&self, access: &ClusterAccess) -> Topology {
        self.engine.observe(access, &self.goal(), &BTreeMap::new(), self.now()).await
    }

    pub(crate) fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Observes until `probe` finds what it looks for.
    pub(crate) async fn seen<T>(&self, what: &str, probe: impl Fn(&Topology) -> Result<T, String>) -> Result<T> {
        let found = until(what, async || probe(&self.observe().await)).await;
        found.with_context(|| self.servers.iter().map(Server::last_words).collect::<Vec<_>>().join("\n"))
    }

    /// The first `count` servers serve, list as many members, and follow one leader, whose index is returned.
    pub(crate) async fn settled(&self, count: usize) -> Result<usize> {
        self.seen("a settled group", |topology| {
            let states: Vec<&ServerState> =
                (0..count).map(|index| serving(topology, index)).collect::<Result<_, _>>()?;
            let leader = states[0].leader.ok_or("no leader")?;
            if states.iter().any(|s| s.leader != Some(leader) || s.members.len() != count) {
                return Err(format!("{states:?}"));
            }
            states.iter().position(|s| s.member_id == leader).ok_or_else(|| "the leader is another".to_owned())
        })
        .await
    }

    /// Carries an action out.
    pub(crate) async fn execute(&self, action: Action) -> Result<Outcome, StepError> {
        self.engine.execute(&self.access(), &step(action)).await
    }

    /// Carries an action out, and again where etcd refuses it for the time being: it wants connections that are five
    /// seconds old. The group is observed before each time.
    pub(crate) async fn execute_patiently(&self, action: &Action) -> Result<Outcome> {
        let outcome = until("a change", async || {
            self.observe().await;
            match self.execute(action.clone()).await {
                Err(error) if error.class() == ErrorClass::Transient => Err(error.to_string()),
                outcome => Ok(outcome),
            }
        });
        match outcome.await? {
            Ok(outcome) => Ok(outcome),
            Err(error) => bail!("{action}: {error}"),
        }
    }
}

pub(crate) fn step(action: Action) -> Step {
    Step { action, reason: "a test wants it".to_owned(), waits_for: "the test looks".to_owned() }
}

pub(crate) fn observed(topology: &Topology, index: usize) -> &MemberObservation {
    &topology.members[&pod(index)]
}

/// A server's state, if it serves.
pub(crate) fn serving(topology: &Topology, index: usize) -> Result<&ServerState, String> {
    match &observed(topology, index).server {
        kogge_etcd::Server::Serving(state) => Ok(state),
        other => Err(format!("{}: {other:?}", pod(index))),
    }
}

/// Why a server is unreachable.
pub(crate) fn unreachable(topology: &Topology, index: usize) -> Result<&str, String> {
    match &observed(topology, index).server {
        kogge_etcd::Server::Unreachable { reason, .. } => Ok(reason),
        other => Err(format!("{}: {other:?}", pod(index))),
    }
}
