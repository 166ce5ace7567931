//! Signatures of `$clusterTime`: given by members that hold the keys for them, asked for from clients that log in.

use bson::{Binary, Document, Timestamp, doc, spec::BinarySubtype};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::{
    auth::{ClusterKey, Principal},
    commands::causal,
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    oplog::OpTime,
    query::number,
    repl::MemberState,
    server::{Client, Request},
};

/// Bytes of the server's signatures.
const HASH: usize = 20;

impl Mongod {
    /// `$clusterTime` for a client; none where it could not be signed.
    pub(crate) fn time_for(&self, client: &Client, ts: Timestamp) -> Option<Document> {
        match &self.key {
            // Whoever may move the clock needs no proof.
            Some(key) if !is_member(client) => self.holds_time_keys().then(|| signed(key, ts)),
            _ => Some(causal::cluster_time(ts)),
        }
    }

    /// A later time than this member has seen needs a proof, and the keys for it are among the data that a first sync
    /// copies.
    pub(crate) fn check_cluster_time(&self, client: &Client, request: &Request) -> CommandResult<()> {
        let Ok(told) = request.body.get_document("$clusterTime") else { return Ok(()) };
        let Ok(ts) = told.get_timestamp("clusterTime") else { return Ok(()) };
        let is_news = OpTime::from(ts).ts > self.storage.last_applied().ts;
        if self.key.is_none() || is_member(client) || !is_news {
            return Ok(());
        }
        let signature = told.get_document("signature").ok();
        let id = signature.and_then(|s| s.get("keyId").and_then(number::as_i64)).unwrap_or(0);
        if id != 0 && self.holds_time_keys() {
            return Ok(());
        }
        Err(CommandError::new(
            code::KEY_NOT_FOUND,
            format!(
                "Cache Reader No keys found for HMAC that is valid for time: {{ ts: Timestamp({}, {}) }} with id: {id}",
                ts.time, ts.increment
            ),
        ))
    }

    fn holds_time_keys(&self) -> bool {
        self.replication.as_ref().is_none_or(|replication| {
            replication.look(|c| match c.state() {
                MemberState::Startup => !c.applied().is_null(),
                state => state != MemberState::Startup2,
            })
        })
    }
}

fn is_member(client: &Client) -> bool {
    client.auth.principal.as_ref().is_some_and(Principal::is_system)
}

/// Every member of a cluster has the same key, so that one's signature is another's.
fn signed(key: &ClusterKey, ts: Timestamp) -> Document {
    let secret = key.texts().next().unwrap_or_default().as_bytes();
    let id = Sha256::digest(secret).iter().take(8).fold(0_u64, |id, byte| (id << 8) | u64::from(*byte));
    let mut hash = vec![0; HASH];
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) {
        mac.update(&ts.time.to_be_bytes());
        mac.update(&ts.increment.to_be_bytes());
        hash = mac.finalize().into_bytes()[..HASH].to_vec();
    }
    let hash = Binary { subtype: BinarySubtype::Generic, bytes: hash };
    // Positive, and never the 0 of a time that nobody has signed.
    let id = ((id >> 1) | 1) as i64;
    doc! { "clusterTime": ts, "signature": { "hash": hash, "keyId": id } }
}
