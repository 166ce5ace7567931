use bson::Document;

use super::message::{WireError, frame, take_cstring, take_i32};

const OP_REPLY: i32 = 1;

/// A legacy `OP_QUERY` on `<db>.$cmd`: only handshakes still use it.
#[derive(Debug, Clone)]
pub struct OpQuery {
    /// The sender's id for this message.
    pub request_id: i32,
    /// The command, with `$db` taken from the collection name.
    pub body: Document,
}

impl OpQuery {
    pub(super) fn decode(request_id: i32, mut bytes: &[u8]) -> Result<Self, WireError> {
        let _flags = take_i32(&mut bytes)?;
        let namespace = take_cstring(&mut bytes)?;
        let db = namespace
            .strip_suffix(".$cmd")
            .ok_or_else(|| WireError::Malformed(format!("OP_QUERY on {namespace} is not supported")))?;
        let _skip = take_i32(&mut bytes)?;
        let _limit = take_i32(&mut bytes)?;
        let mut body = Document::from_reader(&mut bytes).map_err(|e| WireError::Malformed(e.to_string()))?;
        body.insert("$db", db);
        Ok(Self { request_id, body })
    }

    /// The bytes of an `OP_REPLY` with one document.
    pub fn encode_reply(request_id: i32, response_to: i32, reply: &Document) -> Result<Vec<u8>, WireError> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&8u32.to_le_bytes());
        bytes.extend_from_slice(&0i64.to_le_bytes());
        bytes.extend_from_slice(&0i32.to_le_bytes());
        bytes.extend_from_slice(&1i32.to_le_bytes());
        reply.to_writer(&mut bytes).map_err(|e| WireError::Malformed(e.to_string()))?;
        Ok(frame(OP_REPLY, request_id, response_to, &bytes))
    }
}
