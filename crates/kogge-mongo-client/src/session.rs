//! Driver clients to single servers, kept while what stands behind a pod's name is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kogge_engine::Engine as _;
use kogge_engine_client::{ClusterAccess, Tunnel, User};
use kogge_mongo::{MongoDb, PodName};
use mongodb::Client;
use mongodb::bson::Document;
use mongodb::options::{AuthMechanism, ClientOptions, Credential, ServerAddress, ServerMonitoringMode};
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::error::CommandError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const SELECTION_TIMEOUT: Duration = Duration::from_secs(4);
const MONITOR_INTERVAL: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(90);

/// As whom a session speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login<'a> {
    /// As nobody: `hello`, and what the localhost exception grants.
    Nobody,
    /// As a user of the `admin` database.
    User(&'a User),
}

/// One server, as one user.
#[derive(Clone)]
pub(crate) struct Session {
    client: Client,
    /// As the user's fallback.
    fallback: Option<Client>,
    _tunnel: Arc<Tunnel>,
}

impl Session {
    /// Runs a command on `admin`. A deadline that passes leaves the outcome unknown.
    pub(crate) async fn run(&self, command: Document, deadline: Duration) -> Result<Document, CommandError> {
        self.run_in("admin", command, deadline).await
    }

    /// Runs a command on a database. A deadline that passes leaves the outcome unknown.
    pub(crate) async fn run_in(
        &self,
        database: &str,
        command: Document,
        deadline: Duration,
    ) -> Result<Document, CommandError> {
        match (run_by(&self.client, database, command.clone(), deadline).await, &self.fallback) {
            (Err(CommandError::Login { .. }), Some(other)) => run_by(other, database, command, deadline).await,
            (answer, _) => answer,
        }
    }
}

async fn run_by(
    client: &Client,
    database: &str,
    command: Document,
    deadline: Duration,
) -> Result<Document, CommandError> {
    let name = command.keys().next().cloned().unwrap_or_default();
    let database = client.database(database);
    match timeout(deadline, database.run_command(command)).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(error)) => Err(CommandError::from_driver(name, &error)),
        Err(_) => Err(CommandError::Deadline { command: name, seconds: deadline.as_secs() }),
    }
}

struct Kept {
    identity: String,
    tunnel: Arc<Tunnel>,
    nobody: Option<Session>,
    user: Option<(User, Session)>,
}

/// The sessions of one database.
#[derive(Default)]
pub(crate) struct Sessions {
    kept: Mutex<BTreeMap<PodName, Kept>>,
}

impl Sessions {
    /// A session to a pod's server; no connection is made before its first command.
    pub(crate) async fn get(
        &self,
        access: &ClusterAccess,
        pod: &PodName,
        login: Login<'_>,
    ) -> Result<Session, CommandError> {
        let identity = access.reach.identity(pod).ok_or_else(|| CommandError::no_pod(pod))?;
        if let Some(session) = self.find(pod, &identity, login) {
            return Ok(session);
        }
        let known =
            self.kept.lock().get(pod).filter(|kept| kept.identity == identity).map(|kept| kept.tunnel.clone());
        let tunnel = if let Some(tunnel) = known {
            tunnel
        } else {
            let (reach, trust) = (access.reach.clone(), access.trust.clone());
            let opened = Tunnel::open(reach, pod, MongoDb::PORT, trust).await;
            Arc::new(opened.map_err(|e| CommandError::unreachable(&e))?)
        };
        let client = |login: Login<'_>| {
            Client::with_options(options(&tunnel, login))
                .map_err(|error| CommandError::from_driver("connect".to_owned(), &error))
        };
        let fallback = match login {
            Login::User(user) => user.fallback.as_deref(),
            Login::Nobody => None,
        };
        let fallback = fallback.map(|user| client(Login::User(user))).transpose()?;
        let session = Session { client: client(login)?, fallback, _tunnel: tunnel.clone() };
        let mut kept = self.kept.lock();
        if kept.get(pod).is_none_or(|kept| kept.identity != identity) {
            kept.insert(pod.clone(), Kept { identity, tunnel, nobody: None, user: None });
        }
        if let Some(entry) = kept.get_mut(pod) {
            match login {
                Login::Nobody => entry.nobody = Some(session.clone()),
                Login::User(user) => entry.user = Some((user.clone(), session.clone())),
            }
        }
        Ok(session)
    }

    /// Closes the session as nobody: the operator is let in.
    pub(crate) fn drop_nobody(&self, pod: &PodName) {
        if let Some(entry) = self.kept.lock().get_mut(pod) {
            entry.nobody = None;
        }
    }

    /// Closes the sessions of pods that are not wanted any more.
    pub(crate) fn keep_only(&self, pods: &BTreeSet<&PodName>) {
        self.kept.lock().retain(|pod, _| pods.contains(pod));
    }

    fn find(&self, pod: &PodName, identity: &str, login: Login<'_>) -> Option<Session> {
        let kept = self.kept.lock();
        let entry = kept.get(pod).filter(|kept| kept.identity == identity)?;
        match login {
            Login::Nobody => entry.nobody.clone(),
            Login::User(user) => entry.user.as_ref().filter(|(known, _)| known == user).map(|(_, s)| s.clone()),
        }
    }
}

/// One server, whatever it is: no `replicaSet=`, which would hide a server that is not initiated.
fn options(tunnel: &Tunnel, login: Login<'_>) -> ClientOptions {
    let host = ServerAddress::Tcp { host: tunnel.address.ip().to_string(), port: Some(tunnel.address.port()) };
    let mut options = ClientOptions::builder()
        .hosts(vec![host])
        .app_name("kogge".to_owned())
        .direct_connection(true)
        .connect_timeout(CONNECT_TIMEOUT)
        .server_selection_timeout(SELECTION_TIMEOUT)
        .server_monitoring_mode(ServerMonitoringMode::Poll)
        .heartbeat_freq(MONITOR_INTERVAL)
        .max_pool_size(2)
        .max_idle_time(IDLE)
        .retry_reads(false)
        .retry_writes(false)
        .build();
    if let Login::User(user) = login {
        options.credential = Some(
            Credential::builder()
                .username(user.name.clone())
                .password(user.password.reveal().to_owned())
                .source("admin".to_owned())
                .mechanism(AuthMechanism::ScramSha256)
                .build(),
        );
    }
    options
}
