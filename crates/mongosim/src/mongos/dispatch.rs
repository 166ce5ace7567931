use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use tokio::time::Instant;

use super::{Mongos, SetMonitor};
use crate::{
    auth::{ClusterKey, Mechanism, Privilege, localhost_exception_grants, users},
    commands::{self, cursors, diagnostics, handshake, sasl},
    error::{CommandError, CommandResult, code},
    query::number,
    server::{Client, Request, Service},
    sharding::ROUTED,
};

/// How long to wait before a database that moves is looked for again.
const ASK_AGAIN: Duration = Duration::from_millis(20);
const CURSOR_LIMIT: Duration = Duration::from_mins(1);

impl Mongos {
    async fn hello(&self, client: &mut Client, request: &Request) -> CommandResult {
        handshake::await_topology(request, self.process_id, self.topology.subscribe()).await?;
        let counter = *self.topology.borrow();
        let version = handshake::topology_version(self.process_id, counter);
        self.quiesce.refuse_hello("Mongos").map_err(|refusal| refusal.with("topologyVersion", version))?;
        let hello = doc! { "isWritablePrimary": true, "msg": "isdbgrid" };
        let mut hello =
            handshake::complete(hello, request, client, self.process_id, counter, self.options.version);
        sasl::complete_hello(self, client, request, &mut hello).await?;
        Ok(hello)
    }

    async fn authorize(&self, client: &Client, request: &Request, need: Privilege<'_>) -> CommandResult<()> {
        if !self.options.auth || client.auth.allows(need) {
            return Ok(());
        }
        let candidate = self.options.localhost_bypass
            && client.auth.principal.is_none()
            && localhost_exception_grants(client.peer.ip(), false, &request.name, &request.db);
        if candidate && self.config_rows("admin", "system.users", doc! {}).await?.is_empty() {
            return Ok(());
        }
        Err(match client.auth.principal {
            None => {
                CommandError::new(code::UNAUTHORIZED, format!("Command {} requires authentication", request.name))
            }
            Some(_) => CommandError::unauthorized(&request.name, &request.db),
        })
    }

    async fn dispatch(&self, client: &mut Client, request: &Request) -> CommandResult {
        let unknown =
            || CommandError::new(code::COMMAND_NOT_FOUND, format!("no such command: '{}'", request.name));
        let need = commands::privilege(&request.name, &request.db).ok_or_else(unknown)?;
        match request.name.as_str() {
            "hello" | "isMaster" | "ismaster" => return self.hello(client, request).await,
            "ping" => return Ok(Document::new()),
            "saslContinue" => return sasl::proceed(client, request),
            _ if need == Privilege::Internal
                || request.name.starts_with("replSet")
                || request.name == "_isSelf" =>
            {
                return Err(unknown());
            }
            _ => {}
        }
        if request.name == "saslStart" {
            return sasl::start(self, client, request).await;
        }
        self.authorize(client, request, need).await?;
        if let Some(result) = diagnostics::run(client, request, self.options.version) {
            return result;
        }
        match request.name.as_str() {
            "getMore" => self.get_more(request).await,
            "killCursors" => self.kill_cursors(request).await,
            "rotateCertificates" => diagnostics::rotate_certificates(self.peers.tls(), self.options.version),
            "createUser"
            | "updateUser"
            | "dropUser"
            | "grantRolesToUser"
            | "revokeRolesFromUser"
            | "usersInfo"
            | "rolesInfo" => {
                let reads = matches!(request.name.as_str(), "usersInfo" | "rolesInfo");
                self.run_on(&self.config, &stripped(&request.body), reads).await
            }
            "serverStatus" => Ok(diagnostics::server_status("mongos", self.started, self.options.version)),
            "listDatabases" => {
                let mut reply = self.cluster_command(request).await?;
                if self.options.auth {
                    commands::show_only_readable(client, &mut reply);
                }
                Ok(reply)
            }
            _ => match need {
                Privilege::Read(_) | Privilege::Write(_) => self.route(request, need).await,
                _ => self.cluster_command(request).await,
            },
        }
    }

    /// Sends a command on data to where its database is.
    async fn route(&self, request: &Request, need: Privilege<'_>) -> CommandResult {
        let reads = matches!(need, Privilege::Read(_));
        let creates = !reads && !matches!(request.name.as_str(), "drop" | "dropDatabase" | "delete");
        let Some((set, reply)) = self.where_it_is(request, reads, creates).await? else { return empty(request) };
        if request.name == "dropDatabase" && crate::error::is_ok(&reply) {
            self.catalog.forget_database(&request.db);
        }
        let cursor = reply.get_document("cursor").ok().and_then(|c| c.get("id").and_then(number::as_i64));
        if let Some(id) = cursor.filter(|id| *id != 0) {
            let host = set.primary(Self::FIND_PRIMARY).await?;
            self.cursors.lock().insert(id, host);
        }
        Ok(reply)
    }

    /// Sends a command to the shard that has its database; where it has left that shard, the config servers are
    /// asked again until it has arrived.
    async fn where_it_is(
        &self,
        request: &Request,
        reads: bool,
        creates: bool,
    ) -> CommandResult<Option<(Arc<SetMonitor>, Document)>> {
        let db = database(request);
        let deadline = Instant::now() + Self::FIND_PRIMARY;
        let mut command = stripped(&request.body);
        if !matches!(db, "admin" | "config") {
            command.insert(ROUTED, Document::new());
        }
        loop {
            let Some(set) = self.set_of(db, creates).await? else { return Ok(None) };
            let reply =
                self.run_on(&set, &command, reads).await.inspect_err(|_| self.catalog.forget_database(db))?;
            let has_left = reply.get_i32("code").is_ok_and(|code| code == code::STALE_DB_VERSION);
            if !has_left || Instant::now() >= deadline {
                return Ok(Some((set, reply)));
            }
            self.catalog.forget_database(db);
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Learns the time of a set's reply, and tells the latest known where a reply has none.
    fn tell_time(&self, reply: &mut Document) {
        let mut latest = self.cluster_time.lock();
        if let Ok(told) = reply.get_timestamp("operationTime") {
            *latest = (*latest).max(told);
        } else if latest.time > 0 {
            reply.insert("operationTime", *latest);
        }
        if latest.time > 0 {
            reply.insert("$clusterTime", commands::causal::cluster_time(*latest));
        }
    }

    async fn get_more(&self, request: &Request) -> CommandResult {
        let id = request.body.get("getMore").and_then(number::as_i64).unwrap_or(0);
        let host = self
            .cursors
            .lock()
            .remove(&id)
            .ok_or_else(|| CommandError::new(code::CURSOR_NOT_FOUND, format!("cursor id {id} not found")))?;
        let mut reply = self
            .peers
            .command(&host, &stripped(&request.body), CURSOR_LIMIT)
            .await
            .map_err(|e| CommandError::new(code::HOST_UNREACHABLE, e.to_string()))?;
        reply.remove("$replData");
        let left = reply.get_document("cursor").ok().and_then(|c| c.get("id").and_then(number::as_i64));
        if left.is_some_and(|left| left != 0) {
            self.cursors.lock().insert(id, host);
        }
        Ok(reply)
    }

    async fn kill_cursors(&self, request: &Request) -> CommandResult {
        let ids = request.body.get_array("cursors").cloned().unwrap_or_default();
        let (mut killed, mut unknown) = (Vec::new(), Vec::new());
        for id in ids {
            let host = number::as_i64(&id).and_then(|id| self.cursors.lock().remove(&id));
            match host {
                Some(host) => {
                    let command = doc! { "killCursors": "", "cursors": [id.clone()], "$db": &request.db };
                    // The shard ends it by itself if it cannot be told.
                    drop(self.peers.command(&host, &command, CURSOR_LIMIT).await);
                    killed.push(id);
                }
                None => unknown.push(id),
            }
        }
        Ok(doc! { "cursorsKilled": killed, "cursorsNotFound": unknown, "cursorsAlive": [], "cursorsUnknown": [] })
    }
}

/// The database whose place decides where a command goes.
fn database(request: &Request) -> &str {
    match request.name.as_str() {
        "renameCollection" => request.body.get_str(&request.name).ok().and_then(|ns| ns.split('.').next()),
        _ => None,
    }
    .unwrap_or(&request.db)
}

/// What a database that nobody has answers.
fn empty(request: &Request) -> CommandResult {
    let ns = request.namespace().unwrap_or_else(|| format!("{}.$cmd.{}", request.db, request.name));
    match request.name.as_str() {
        "count" | "delete" => Ok(doc! { "n": 0 }),
        "distinct" => Ok(doc! { "values": [] }),
        "dropDatabase" => Ok(doc! { "dropped": &request.db }),
        "find" | "aggregate" | "listCollections" => Ok(cursors::reply(&ns, 0, "firstBatch", Vec::new())),
        _ => Err(CommandError::new(code::NAMESPACE_NOT_FOUND, format!("database {} not found", request.db))),
    }
}

/// A client's command without what concerns only the client and this mongos.
fn stripped(body: &Document) -> Document {
    let mut command = body.clone();
    for field in ["$clusterTime", "$configTime", "$readPreference"] {
        command.remove(field);
    }
    command
}

#[async_trait]
impl Service for Mongos {
    async fn run(&self, client: &mut Client, request: &Request) -> Document {
        let mut reply = match self.dispatch(client, request).await {
            Ok(mut reply) => {
                if !reply.contains_key("ok") {
                    reply.insert("ok", 1.0);
                }
                reply
            }
            Err(e) => e.to_reply(),
        };
        let code_of = |d: &Document| d.get("code").and_then(number::as_i64).map(|code| code as i32);
        let failed = code_of(&reply).filter(|_| !crate::error::is_ok(&reply));
        let concern = reply.get_document("writeConcernError").ok().and_then(code_of);
        if request.body.contains_key("txnNumber")
            && failed.or(concern).is_some_and(CommandError::is_retryable_write)
        {
            reply.insert("errorLabels", vec![Bson::String("RetryableWriteError".to_owned())]);
        }
        self.tell_time(&mut reply);
        reply
    }
}

#[async_trait]
impl sasl::Users for Mongos {
    async fn user(&self, db: &str, name: &str) -> CommandResult<Option<Document>> {
        let rows = self.config_rows("admin", "system.users", doc! { "_id": users::user_id(db, name) }).await?;
        Ok(rows.into_iter().next())
    }

    fn key(&self) -> Option<&ClusterKey> {
        self.key.as_ref()
    }

    fn enabled(&self) -> &[Mechanism] {
        &self.options.auth_mechanisms
    }
}
