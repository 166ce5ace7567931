//! A mongod: storage, replication, and the dispatch of its commands.

use std::{net::IpAddr, sync::Arc, time::Instant};

use async_trait::async_trait;
use bson::{Bson, Document, doc, oid::ObjectId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    auth::{ClusterKey, Mechanism, Privilege, localhost_exception_grants, users},
    commands::{self, cursors::Cursors, diagnostics, handshake, sasl},
    error::{CommandError, CommandResult, code},
    net::PeerPool,
    oplog::{OpTime, OplogWriter},
    options::{ClusterRole, Options},
    repl::{Coordinator, MemberState, Replication},
    server::{Client, Request, Service},
    sharding::{Moves, Rounds},
    shutdown::Shutdown,
    storage::{Storage, StorageResult},
};

/// One mongod process.
pub struct Mongod {
    /// Its options.
    pub options: Options,
    pub(crate) process_id: ObjectId,
    pub(crate) storage: Storage,
    pub(crate) replication: Option<Arc<Replication>>,
    pub(crate) cursors: Cursors,
    pub(crate) peers: Arc<PeerPool>,
    pub(crate) key: Option<ClusterKey>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) started: Instant,
    pub(crate) moves: Moves,
    pub(crate) rounds: Rounds,
    standalone_topology: watch::Sender<i64>,
}

impl Mongod {
    /// A mongod over an opened store.
    pub fn new(
        options: Options,
        process_id: ObjectId,
        storage: Storage,
        replication: Option<Arc<Replication>>,
        peers: Arc<PeerPool>,
        key: Option<ClusterKey>,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            options,
            process_id,
            storage,
            replication,
            cursors: Cursors::default(),
            peers,
            key,
            shutdown,
            started: Instant::now(),
            moves: Moves::default(),
            rounds: Rounds::default(),
            standalone_topology: watch::Sender::new(0),
        }
    }

    /// Writes as the primary, or as a standalone without an oplog.
    pub(crate) async fn write<R: Send + 'static>(
        &self,
        change: impl FnOnce(&mut OplogWriter<'_, '_>) -> StorageResult<R> + Send + 'static,
    ) -> CommandResult<(R, OpTime)> {
        match &self.replication {
            Some(replication) => replication.write(change).await,
            None => Ok(self
                .storage
                .write(move |view| {
                    let mut writer = OplogWriter::new(view, None)?;
                    Ok((change(&mut writer)?, OpTime::NULL))
                })
                .await?),
        }
    }

    /// This node's name as an empty initiate would use it.
    pub(crate) fn own_host(&self) -> String {
        let bound_to_loopback = self.options.bind.iter().all(IpAddr::is_loopback);
        let host = if bound_to_loopback { "localhost".to_owned() } else { diagnostics::hostname() };
        format!("{host}:{}", self.options.port)
    }

    async fn hello(&self, client: &mut Client, request: &Request) -> CommandResult {
        let topology = match &self.replication {
            Some(replication) => replication.topology(),
            None => self.standalone_topology.subscribe(),
        };
        self.check_not_quiescing()?;
        handshake::await_topology(request, self.process_id, topology).await?;
        self.check_not_quiescing()?;
        let (hello, counter) = match &self.replication {
            Some(replication) => replication.look(|c| (c.hello(), c.topology_version())),
            None => (doc! { "isWritablePrimary": true }, 0),
        };
        let mut hello =
            handshake::complete(hello, request, client, self.process_id, counter, self.options.version);
        if self.options.role == ClusterRole::Config {
            hello.insert("configsvr", 2);
        }
        sasl::complete_hello(self, client, request, &mut hello).await?;
        Ok(hello)
    }

    fn check_not_quiescing(&self) -> CommandResult<()> {
        self.replication.as_ref().map_or(Ok(()), |replication| replication.check_not_quiescing())
    }

    fn authorize(&self, client: &Client, request: &Request, need: Privilege<'_>) -> CommandResult<()> {
        let open = !self.options.auth && need != Privilege::Internal;
        let trusted = !self.options.auth && self.key.is_none();
        if open || trusted || client.auth.allows(need) {
            return Ok(());
        }
        let bootstrap = self.options.localhost_bypass
            && client.auth.principal.is_none()
            && localhost_exception_grants(client.peer.ip(), self.has_users()?, &request.name, &request.db);
        if bootstrap {
            return Ok(());
        }
        let refusal = match client.auth.principal {
            None => {
                CommandError::new(code::UNAUTHORIZED, format!("Command {} requires authentication", request.name))
            }
            Some(_) => CommandError::unauthorized(&request.name, &request.db),
        };
        Err(refusal)
    }

    fn has_users(&self) -> CommandResult<bool> {
        let mut found = false;
        self.storage.read()?.scan(users::NAMESPACE, |_, _| {
            found = true;
            false
        })?;
        Ok(found)
    }

    /// Reads need a primary, or a secondary and a client that takes one.
    fn check_readable(&self, request: &Request) -> CommandResult<()> {
        let Some(replication) = &self.replication else { return Ok(()) };
        let (state, writable) = replication.look(|c| (c.state(), c.is_writable()));
        let mode = request.body.get_document("$readPreference").ok().and_then(|p| p.get_str("mode").ok());
        let secondary_ok = mode.is_some_and(|mode| mode != "primary");
        // What belongs to the node alone can be read in every state, as the server allows.
        if writable || (request.db == "local" && (secondary_ok || !state.is_readable())) {
            return Ok(());
        }
        if !state.is_readable() {
            return Err(CommandError::new(
                code::NOT_PRIMARY_OR_SECONDARY,
                "node is not in primary or recovering state",
            ));
        }
        if !secondary_ok {
            return Err(CommandError::new(code::NOT_PRIMARY_NO_SECONDARY_OK, "not primary and secondaryOk=false"));
        }
        Ok(())
    }

    async fn dispatch(&self, client: &mut Client, request: &Request) -> CommandResult {
        let need = commands::privilege(&request.name, &request.db).ok_or_else(|| {
            CommandError::new(code::COMMAND_NOT_FOUND, format!("no such command: '{}'", request.name))
        })?;
        self.check_cluster_time(client, request)?;
        self.authorize(client, request, need)?;
        match request.name.as_str() {
            "hello" | "isMaster" | "ismaster" => return self.hello(client, request).await,
            "saslStart" => return sasl::start(self, client, request).await,
            "saslContinue" => return sasl::proceed(client, request),
            "_isSelf" => return Ok(doc! { "id": self.process_id }),
            _ => {}
        }
        if let Some(result) = diagnostics::run(client, request, self.options.version) {
            return result;
        }
        if request.name.starts_with("replSet") {
            return self.replication_command(request).await;
        }
        match request.name.as_str() {
            "insert" | "update" | "delete" | "findAndModify" | "findandmodify" => {
                commands::unsupported::refuse(request)?;
                self.check_writable_database(request)?;
            }
            "create" | "createIndexes" | "renameCollection" => self.check_writable_database(request)?,
            "find" | "count" | "aggregate" | "distinct" => {
                commands::unsupported::refuse(request)?;
                self.check_readable(request)?;
                self.await_cluster_time(request).await?;
            }
            "dbStats" | "collStats" | "explain" | "listCollections" | "listIndexes" | "listDatabases" => {
                self.check_readable(request)?;
            }
            _ => {}
        }
        let _inside = self.enter_database(request).await?;
        match request.name.as_str() {
            "find" => self.find(request).await,
            "count" => self.count(request).await,
            "aggregate" => self.aggregate(request).await,
            "distinct" => self.distinct(request).await,
            "getMore" => self.get_more(request).await,
            "killCursors" => Ok(self.kill_cursors(request)),
            "insert" | "update" | "delete" => self.write_command(request).await,
            "findAndModify" | "findandmodify" => self.find_and_modify(request).await,
            "listDatabases" => {
                let mut reply = self.list_databases(request)?;
                if self.options.auth {
                    commands::show_only_readable(client, &mut reply);
                }
                Ok(reply)
            }
            "listCollections" => self.list_collections(request),
            "listIndexes" => self.list_indexes(request),
            "create" | "drop" | "dropDatabase" => self.change_catalog(request).await,
            "createIndexes" => self.create_indexes(request).await,
            "dropIndexes" => self.drop_indexes(request).await,
            "renameCollection" => self.rename_collection(request).await,
            "dbStats" => self.database_stats(request),
            "collStats" => self.collection_stats(request),
            "explain" => self.explain(request),
            "profile" => Self::profile(request),
            "serverStatus" => Ok(self.server_status()),
            "createUser" | "updateUser" | "dropUser" | "grantRolesToUser" | "revokeRolesFromUser" => {
                self.change_users(request).await
            }
            "usersInfo" => self.users_info(request),
            "rolesInfo" => Ok(Self::roles_info(request)),
            "configureFailPoint" if self.options.test_commands => self.configure_fail_point(request),
            "rotateCertificates" => diagnostics::rotate_certificates(self.peers.tls(), self.options.version),
            "getParameter" => self.get_parameter(request),
            "getDefaultRWConcern" => self.get_default_rw_concern(),
            "setDefaultRWConcern" => self.set_default_rw_concern(request).await,
            "setFeatureCompatibilityVersion" => self.set_feature_version(request).await,
            "shutdown" => {
                self.shut_down(Shutdown::by_command(&request.body)?).await?;
                // As on mongod, the end of the connection is the answer.
                std::future::pending().await
            }
            "shardingState" => Ok(doc! { "enabled": self.options.role == ClusterRole::Shard }),
            "_shardsvrDonateRange" => self.donate_range(request).await,
            "_shardsvrReceiveRange" => self.receive_range(request),
            "_shardsvrCloseDatabase" | "_shardsvrOpenDatabase" => self.set_database_open(request).await,
            name if name.starts_with("_configsvr") => self.config_server_command(request).await,
            name => Err(CommandError::new(code::COMMAND_NOT_FOUND, format!("no such command: '{name}'"))),
        }
    }

    /// Adds the labels that servers attach for drivers.
    fn label(&self, request: &Request, reply: &mut Document) {
        let retryable = request.body.contains_key("txnNumber");
        let code_of = |d: &Document| d.get_i32("code").ok();
        let failed = code_of(reply).filter(|_| !crate::error::is_ok(reply));
        let concern = reply.get_document("writeConcernError").ok().and_then(code_of);
        if retryable && failed.or(concern).is_some_and(CommandError::is_retryable_write) {
            reply.insert("errorLabels", vec!["RetryableWriteError"]);
        }
        if let Some(replication) = &self.replication
            && failed.is_some_and(CommandError::is_not_primary)
        {
            let counter = replication.look(Coordinator::topology_version);
            reply.insert("topologyVersion", doc! { "processId": self.process_id, "counter": counter });
        }
    }
}

#[async_trait]
impl Service for Mongod {
    async fn run(&self, client: &mut Client, request: &Request) -> Document {
        let mut reply = match self.dispatch(client, request).await {
            Ok(mut reply) => {
                if !reply.contains_key("ok") {
                    reply.insert("ok", 1.0);
                }
                reply
            }
            Err(e) => {
                tracing::debug!(command = request.name, error = %e, "refused");
                e.to_reply()
            }
        };
        self.label(request, &mut reply);
        self.tell_time(client, &mut reply);
        reply
    }
}

#[async_trait]
impl sasl::Users for Mongod {
    async fn user(&self, db: &str, name: &str) -> CommandResult<Option<Document>> {
        // Before the copy is complete nobody knows who the users are.
        let starting = self.replication.as_ref().is_some_and(|r| r.look(|c| c.state() == MemberState::Startup2));
        if starting {
            return Ok(None);
        }
        Ok(self.storage.read()?.get_by_id(users::NAMESPACE, &Bson::String(users::user_id(db, name)))?)
    }

    fn key(&self) -> Option<&ClusterKey> {
        self.key.as_ref()
    }

    fn enabled(&self) -> &[Mechanism] {
        &self.options.auth_mechanisms
    }
}
