use std::time::Duration;

use bson::{Bson, Document, doc};

use super::{DATABASES, SHARDS, config_server::Change};
use crate::{
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    net::with_default_port,
    repl::Coordinator,
    server::Request,
};

const ASK: Duration = Duration::from_secs(5);
const STORE: Duration = Duration::from_secs(20);
const OWN_DATABASES: [&str; 3] = ["admin", "config", "local"];

/// `set/host:port,…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardUrl {
    /// The set's name.
    pub set: String,
    /// Its hosts.
    pub hosts: Vec<String>,
}

impl ShardUrl {
    /// Reads a connection string.
    pub fn parse(text: &str) -> CommandResult<Self> {
        let (set, hosts) = text.split_once('/').filter(|(set, _)| !set.is_empty()).ok_or_else(|| {
            CommandError::bad_value(format!("{text}: a shard is given as <set>/<host:port>[,…]"))
        })?;
        let hosts: Vec<String> =
            hosts.split(',').map(str::trim).filter(|h| !h.is_empty()).map(with_default_port).collect();
        if hosts.is_empty() {
            return Err(CommandError::bad_value(format!("{text}: no hosts")));
        }
        Ok(Self { set: set.to_owned(), hosts })
    }

    fn is_localhost(hosts: &[String]) -> bool {
        hosts.iter().any(|h| h.starts_with("localhost:") || h.starts_with("127."))
    }
}

fn failed(message: String) -> CommandError {
    CommandError::new(code::OPERATION_FAILED, message)
}

fn illegal(message: String) -> CommandError {
    CommandError::new(code::ILLEGAL_OPERATION, message)
}

impl Mongod {
    /// `addShard`.
    pub(super) async fn add_shard(&self, request: &Request) -> CommandResult {
        let url = ShardUrl::parse(request.body.get_str(&request.name).unwrap_or_default())?;
        let given = request.body.get_str("name").ok().map(str::to_owned);
        if given.as_deref().is_some_and(str::is_empty) {
            return Err(CommandError::bad_value("shard name cannot be empty"));
        }
        let name = given.clone().unwrap_or_else(|| url.set.clone());
        if name == "config" {
            return Err(CommandError::bad_value("use of shard replica set with name 'config' is not allowed"));
        }
        if let Some(existing) = self.existing_shard(&url, given.as_deref())? {
            return Ok(doc! { "shardAdded": existing });
        }
        self.check_localhost(&url)?;
        let (primary, hello) = self.find_primary(&url).await?;
        let hosts = check_hello(&url, &hello)?;
        let databases = self.check_shard(&primary, &name).await?;
        self.write_identity(&primary, &name).await?;
        let mut changes = vec![(
            SHARDS,
            Change::Put(doc! { "_id": &name, "host": format!("{}/{}", url.set, hosts.join(",")), "state": 1 }),
        )];
        changes.extend(
            databases
                .into_iter()
                .map(|db| (DATABASES, Change::Put(doc! { "_id": db, "primary": &name, "partitioned": false }))),
        );
        self.store(changes).await?;
        Ok(doc! { "shardAdded": name })
    }

    /// The shard's name if this very set is one already.
    fn existing_shard(&self, url: &ShardUrl, given: Option<&str>) -> CommandResult<Option<String>> {
        for shard in self.storage.read()?.all(SHARDS)? {
            let id = shard.get_str("_id").unwrap_or_default();
            let other = ShardUrl::parse(shard.get_str("host").unwrap_or_default())?;
            if other.set == url.set {
                return match given {
                    Some(name) if name != id => Err(illegal(format!(
                        "A shard named {id} containing the replica set '{}' already exists",
                        url.set
                    ))),
                    _ => Ok(Some(id.to_owned())),
                };
            }
            if let Some(host) = url.hosts.iter().find(|host| other.hosts.contains(host)) {
                return Err(illegal(format!("{host} is already part of the existing shard {id}")));
            }
            if given.unwrap_or(&url.set) == id {
                return Err(illegal(format!("A shard named {id} already exists")));
            }
        }
        Ok(None)
    }

    fn check_localhost(&self, url: &ShardUrl) -> CommandResult<()> {
        let own: Vec<String> = self
            .replication
            .as_ref()
            .map(|r| r.look(|c| c.config().map(|c| c.members.iter().map(|m| m.host.clone()).collect())))
            .unwrap_or_default()
            .unwrap_or_default();
        if ShardUrl::is_localhost(&url.hosts) != ShardUrl::is_localhost(&own) {
            return Err(CommandError::new(
                code::INVALID_OPTIONS,
                "Can't use localhost as a shard since all shards need to communicate. Either use all shards and configdbs in localhost or all in actual IPs.",
            ));
        }
        Ok(())
    }

    pub(super) async fn find_primary(&self, url: &ShardUrl) -> CommandResult<(String, Document)> {
        let hello = doc! { "hello": 1, "$db": "admin" };
        let mut queue = url.hosts.clone();
        let mut seen = Vec::new();
        let mut why = "no host answered".to_owned();
        while let Some(host) = queue.pop() {
            if seen.contains(&host) {
                continue;
            }
            seen.push(host.clone());
            let reply = match self.peers.command(&host, &hello, ASK).await {
                Ok(reply) => reply,
                Err(e) => {
                    why = e.to_string();
                    continue;
                }
            };
            if reply.get_str("msg").ok() == Some("isdbgrid") {
                return Err(illegal(format!("{host} is a mongos and cannot be a shard")));
            }
            if reply.get_bool("isWritablePrimary").unwrap_or(false) {
                return Ok((host, reply));
            }
            queue.extend(reply.get_str("primary").ok().map(str::to_owned));
        }
        Err(CommandError::new(
            code::FAILED_TO_SATISFY_READ_PREFERENCE,
            format!(
                "Could not find host matching read preference {{ mode: \"primary\" }} for set {}: {why}",
                url.set
            ),
        ))
    }

    /// Checks what only the shard can say; its databases, which come with it.
    async fn check_shard(&self, primary: &str, name: &str) -> CommandResult<Vec<String>> {
        let state = self.ask_shard(primary, doc! { "shardingState": 1, "$db": "admin" }).await?;
        if !state.get_bool("enabled").unwrap_or(false) {
            return Err(CommandError::new(
                code::SHARDING_STATE_NOT_INITIALIZED,
                format!("Cannot accept sharding commands if {primary} is not started with --shardsvr"),
            ));
        }
        let concern = self.ask_shard(primary, doc! { "getDefaultRWConcern": 1, "$db": "admin" }).await?;
        if !concern.contains_key("defaultWriteConcern") && self.default_write_concern()?.is_none() {
            return Err(failed(
                "Cannot add a shard whose implicit default write concern is w:1: set the cluster-wide write concern first".into(),
            ));
        }
        let reply = self.ask_shard(primary, doc! { "listDatabases": 1, "nameOnly": true, "$db": "admin" }).await?;
        let names: Vec<String> = reply
            .get_array("databases")
            .into_iter()
            .flatten()
            .filter_map(|d| d.as_document()?.get_str("name").ok().map(str::to_owned))
            .filter(|db| !OWN_DATABASES.contains(&db.as_str()))
            .collect();
        for db in &names {
            let placed = self.storage.read()?.get_by_id(DATABASES, &Bson::String(db.clone()))?;
            if placed.is_some_and(|d| d.get_str("primary").ok() != Some(name)) {
                return Err(failed(format!(
                    "can't add shard '{name}' because a local database '{db}' exists in another shard"
                )));
            }
        }
        Ok(names)
    }

    async fn write_identity(&self, primary: &str, name: &str) -> CommandResult<()> {
        let config = self.replication.as_ref().and_then(|r| r.look(|c: &Coordinator| c.config().cloned()));
        let connection = config.map_or_else(String::new, |c| {
            let hosts: Vec<&str> = c.members.iter().map(|m| m.host.as_str()).collect();
            format!("{}/{}", c.name, hosts.join(","))
        });
        let identity = doc! { "shardName": name, "configsvrConnectionString": connection };
        let update = doc! {
            "update": "system.version",
            "updates": [{ "q": { "_id": "shardIdentity" }, "u": { "$set": identity }, "upsert": true }],
            "writeConcern": { "w": "majority" },
            "$db": "admin",
        };
        let reply = self.ask_shard(primary, update).await?;
        if reply.contains_key("writeErrors") || reply.contains_key("writeConcernError") {
            return Err(failed(format!("the shard identity could not be written: {reply}")));
        }
        Ok(())
    }

    pub(super) async fn ask_shard(&self, host: &str, command: Document) -> CommandResult {
        self.ask_shard_for(host, command, STORE).await
    }

    pub(super) async fn ask_shard_for(&self, host: &str, command: Document, limit: Duration) -> CommandResult {
        let reply = self
            .peers
            .command(host, &command, limit)
            .await
            .map_err(|e| CommandError::new(code::HOST_UNREACHABLE, e.to_string()))?;
        match CommandError::from_reply(&reply) {
            Some(refusal) => Err(refusal),
            None => Ok(reply),
        }
    }
}

/// Checks what hello says of the set; the hosts it lists.
fn check_hello(url: &ShardUrl, hello: &Document) -> CommandResult<Vec<String>> {
    let set = hello.get_str("setName").unwrap_or_default();
    if set != url.set {
        return Err(failed(format!(
            "the provided connection string has the set name {}, the hosts say {set:?}",
            url.set
        )));
    }
    if hello.contains_key("configsvr") {
        return Err(failed(format!("{} is a set of config servers and cannot be a shard", url.set)));
    }
    let listed: Vec<String> = ["hosts", "passives", "arbiters"]
        .iter()
        .filter_map(|list| hello.get_array(list).ok())
        .flatten()
        .filter_map(|h| h.as_str().map(str::to_owned))
        .collect();
    if let Some(host) = url.hosts.iter().find(|host| !listed.contains(host)) {
        return Err(failed(format!(
            "{host} does not belong to replica set {}; it has {}",
            url.set,
            listed.join(", ")
        )));
    }
    let hosts = hello.get_array("hosts").cloned().unwrap_or_default();
    Ok(hosts.iter().filter_map(|h| h.as_str().map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let url = ShardUrl::parse("rs0/a:1,b").unwrap();
        assert_eq!(url.hosts, ["a:1", "b:27017"]);
        assert!(ShardUrl::parse("a:1").is_err());
        assert!(ShardUrl::parse("rs0/").is_err());
    }
}
