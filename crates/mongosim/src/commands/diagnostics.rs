//! Small commands that are the same on mongod and mongos.

use std::{sync::Arc, time::Instant};

use bson::{Bson, DateTime, Document, doc};

use super::handshake;
use crate::{
    auth,
    error::{CommandError, CommandResult, code},
    net::Tls,
    options::ServerVersion,
    server::{Client, Request},
};

/// `rotateCertificates`: reads certificates, keys and authorities again, for the connections to come.
pub fn rotate_certificates(tls: Option<&Arc<Tls>>, version: ServerVersion) -> CommandResult {
    if !version.rotates_certificates() {
        return Err(CommandError::new(code::COMMAND_NOT_FOUND, "no such command: 'rotateCertificates'"));
    }
    let refused = |reason: String| CommandError::new(code::INVALID_SSL_CONFIGURATION, reason);
    let tls = tls.ok_or_else(|| CommandError::new(code::ILLEGAL_OPERATION, "Must have TLS enabled"))?;
    tls.reload().map_err(|e| refused(e.to_string()))?;
    tracing::info!("certificates are read again");
    Ok(Document::new())
}

/// Runs a command of this family; `None` when it is of another.
pub fn run(client: &mut Client, request: &Request, version: ServerVersion) -> Option<CommandResult> {
    Some(match request.name.as_str() {
        "ping" | "endSessions" | "refreshSessions" | "killSessions" | "fsync" | "getnonce" => Ok(Document::new()),
        "setParameter" => set_parameter(request),
        "startSession" => {
            Ok(doc! { "id": { "id": auth::random_uuid() }, "timeoutMinutes": handshake::SESSION_MINUTES })
        }
        "buildInfo" | "buildinfo" => Ok(build_info(version)),
        "whatsmyuri" => Ok(doc! { "you": client.peer.to_string() }),
        "connectionStatus" => Ok(connection_status(client)),
        "logout" => {
            client.auth.principal = None;
            Ok(Document::new())
        }
        "getLog" => log(request),
        "hostInfo" => Ok(host_info()),
        "getCmdLineOpts" => Ok(doc! { "argv": [], "parsed": {} }),
        "listCommands" => Ok(doc! { "commands": {} }),
        _ => return None,
    })
}

/// What every server's `serverStatus` has.
pub fn server_status(process: &str, started: Instant, version: ServerVersion) -> Document {
    let uptime = started.elapsed();
    doc! {
        "host": hostname(),
        "version": version.full(),
        "process": process,
        "pid": i64::from(std::process::id()),
        "uptime": uptime.as_secs_f64().floor(),
        "uptimeMillis": uptime.as_millis() as i64,
        "localTime": DateTime::now(),
    }
}

/// What the machine calls itself.
pub fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}

fn host_info() -> Document {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    doc! {
        "system": {
            "currentTime": DateTime::now(),
            "hostname": hostname(),
            "cpuAddrSize": i32::try_from(usize::BITS).unwrap_or(64),
            "numCores": cores as i32,
            "cpuArch": std::env::consts::ARCH,
            "numaEnabled": false,
        },
        "os": { "type": "Linux", "name": std::env::consts::OS },
        "extra": {},
    }
}

/// `setParameter`, of what changes nothing here.
fn set_parameter(request: &Request) -> CommandResult {
    const KNOWN: [&str; 3] = ["logLevel", "quiet", "diagnosticDataCollectionEnabled"];
    let own = |key: &str| matches!(key, "setParameter" | "lsid" | "comment" | "txnNumber") || key.starts_with('$');
    match request.body.keys().find(|key| !own(key) && !KNOWN.contains(&key.as_str())) {
        Some(unknown) => Err(CommandError::new(
            code::INVALID_OPTIONS,
            format!("attempted to set unrecognized parameter [{unknown}], use help:true to see options"),
        )),
        None => Ok(doc! { "was": 0 }),
    }
}

/// `getLog`: the log goes to the process's output; none is kept to be asked for.
fn log(request: &Request) -> CommandResult {
    match request.body.get_str("getLog") {
        Ok("*") => Ok(doc! { "names": ["global", "startupWarnings"] }),
        Ok("global" | "startupWarnings") => Ok(doc! { "totalLinesWritten": 0, "log": [] }),
        Ok(name) => Err(CommandError::new(code::OPERATION_FAILED, format!("no RecentEntries named: {name}"))),
        Err(_) => Err(CommandError::new(code::TYPE_MISMATCH, "Argument to getLog must be of type String")),
    }
}

fn build_info(version: ServerVersion) -> Document {
    let full = version.full();
    let parts: Vec<Bson> =
        full.split('.').filter_map(|p| p.parse::<i32>().ok()).chain([0]).map(Bson::Int32).collect();
    doc! {
        "version": full,
        "versionArray": parts,
        "gitVersion": "mongosim",
        "modules": ["mongosim"],
        "bits": 64,
        "debug": false,
        "maxBsonObjectSize": crate::wire::MAX_DOCUMENT_BYTES,
        "storageEngines": ["redb"],
    }
}

fn connection_status(client: &Client) -> Document {
    let principal = client.auth.principal.as_ref();
    let users: Vec<Bson> =
        principal.iter().map(|p| Bson::Document(doc! { "user": &p.user, "db": &p.db })).collect();
    let roles: Vec<Bson> =
        principal.iter().flat_map(|p| &p.roles).map(|r| Bson::Document(r.to_document())).collect();
    doc! { "authInfo": { "authenticatedUsers": users, "authenticatedUserRoles": roles } }
}
