//! Small commands that are the same on mongod and mongos.

use std::sync::Arc;

use bson::{Bson, Document, doc};

use crate::{
    error::{CommandError, CommandResult, code},
    net::Tls,
    server::{Client, Request},
};

/// The server version that is played.
pub const VERSION: &str = "7.0.14";
/// The feature compatibility version of a fresh server.
pub const FEATURE_VERSION: &str = "7.0";

/// `rotateCertificates`: reads certificates, keys and authorities again, for the connections to come.
pub fn rotate_certificates(tls: Option<&Arc<Tls>>) -> CommandResult {
    let refused = |reason: String| CommandError::new(code::INVALID_SSL_CONFIGURATION, reason);
    let tls = tls.ok_or_else(|| CommandError::new(code::ILLEGAL_OPERATION, "Must have TLS enabled"))?;
    tls.reload().map_err(|e| refused(e.to_string()))?;
    tracing::info!("certificates are read anew");
    Ok(Document::new())
}

/// Runs a command of this family; `None` when it is of another.
pub fn run(client: &mut Client, request: &Request) -> Option<CommandResult> {
    Some(match request.name.as_str() {
        "ping" | "endSessions" | "refreshSessions" | "killSessions" | "setParameter" | "fsync" | "getnonce" => {
            Ok(Document::new())
        }
        "startSession" => Err(CommandError::new(115, "explicit sessions are made by drivers")),
        "buildInfo" | "buildinfo" => Ok(build_info()),
        "whatsmyuri" => Ok(doc! { "you": client.peer.to_string() }),
        "connectionStatus" => Ok(connection_status(client)),
        "logout" => {
            client.auth.principal = None;
            Ok(Document::new())
        }
        "getLog" => Ok(doc! { "totalLinesWritten": 0, "log": [] }),
        "hostInfo" => Ok(doc! { "system": { "numCores": 1 }, "os": { "type": "Linux" } }),
        "getCmdLineOpts" => Ok(doc! { "argv": [], "parsed": {} }),
        "serverStatus" => Ok(
            doc! { "version": VERSION, "process": "mongosim", "pid": i64::from(std::process::id()), "localTime": bson::DateTime::now() },
        ),
        "listCommands" => Ok(doc! { "commands": {} }),
        _ => return None,
    })
}

fn build_info() -> Document {
    let parts: Vec<Bson> =
        VERSION.split('.').filter_map(|p| p.parse::<i32>().ok()).chain([0]).map(Bson::Int32).collect();
    doc! {
        "version": VERSION,
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
