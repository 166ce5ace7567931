use bson::{Bson, Document};

use super::message::{WireError, frame, take_cstring, take_i32};

const CHECKSUM_PRESENT: u32 = 1;
/// No reply is expected, or further replies follow.
pub const MORE_TO_COME: u32 = 1 << 1;
/// The client takes several replies to one request.
pub const EXHAUST_ALLOWED: u32 = 1 << 16;
const OP_MSG: i32 = 2013;

/// An `OP_MSG`; document sequences are folded into the body as arrays.
#[derive(Debug, Clone)]
pub struct OpMsg {
    /// The sender's id for this message.
    pub request_id: i32,
    /// The request that this message answers, or 0.
    pub response_to: i32,
    /// Flag bits.
    pub flags: u32,
    /// The command or reply.
    pub body: Document,
}

impl OpMsg {
    pub(super) fn decode(request_id: i32, response_to: i32, mut bytes: &[u8]) -> Result<Self, WireError> {
        let flags = take_i32(&mut bytes)? as u32;
        let unknown = flags & 0xffff & !(CHECKSUM_PRESENT | MORE_TO_COME);
        if unknown != 0 {
            return Err(WireError::Malformed(format!("unknown required flag bits {unknown:#x}")));
        }
        if flags & CHECKSUM_PRESENT != 0 {
            let end = bytes.len().checked_sub(4).ok_or_else(|| malformed("checksum missing"))?;
            bytes = &bytes[..end];
        }
        let mut body = None;
        let mut sequences = Vec::new();
        while let Some((kind, rest)) = bytes.split_first() {
            bytes = rest;
            match kind {
                0 if body.is_none() => body = Some(take_document(&mut bytes)?),
                1 => sequences.push(take_sequence(&mut bytes)?),
                other => return Err(malformed(&format!("section of kind {other}"))),
            }
        }
        let mut body = body.ok_or_else(|| malformed("no body section"))?;
        for (name, documents) in sequences {
            body.insert(name, documents);
        }
        Ok(Self { request_id, response_to, flags, body })
    }

    /// The bytes of a message with one body section.
    pub fn encode(request_id: i32, response_to: i32, flags: u32, body: &Document) -> Result<Vec<u8>, WireError> {
        let mut bytes = flags.to_le_bytes().to_vec();
        bytes.push(0);
        body.to_writer(&mut bytes).map_err(|e| malformed(&e.to_string()))?;
        Ok(frame(OP_MSG, request_id, response_to, &bytes))
    }
}

fn malformed(what: &str) -> WireError {
    WireError::Malformed(what.to_owned())
}

fn take_document(bytes: &mut &[u8]) -> Result<Document, WireError> {
    Document::from_reader(bytes).map_err(|e| malformed(&e.to_string()))
}

fn take_sequence(bytes: &mut &[u8]) -> Result<(String, Vec<Bson>), WireError> {
    let size = take_i32(bytes)? - 4;
    let size = usize::try_from(size).map_err(|_| malformed("negative sequence size"))?;
    let (mut section, rest) = bytes.split_at_checked(size).ok_or_else(|| malformed("truncated sequence"))?;
    *bytes = rest;
    let name = take_cstring(&mut section)?;
    let mut documents = Vec::new();
    while !section.is_empty() {
        documents.push(Bson::Document(take_document(&mut section)?));
    }
    Ok((name, documents))
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn body_survives_a_round_trip() {
        let body = doc! { "ping": 1, "$db": "admin" };
        let bytes = OpMsg::encode(7, 3, EXHAUST_ALLOWED, &body).unwrap();
        let message = OpMsg::decode(7, 3, &bytes[16..]).unwrap();
        assert_eq!(message.body, body);
        assert_eq!(message.flags, EXHAUST_ALLOWED);
    }

    #[test]
    fn document_sequences_become_arrays() {
        let mut bytes = 0u32.to_le_bytes().to_vec();
        bytes.push(0);
        doc! { "insert": "c" }.to_writer(&mut bytes).unwrap();
        let mut section = b"documents\0".to_vec();
        doc! { "_id": 1 }.to_writer(&mut section).unwrap();
        doc! { "_id": 2 }.to_writer(&mut section).unwrap();
        bytes.push(1);
        bytes.extend_from_slice(&(section.len() as i32 + 4).to_le_bytes());
        bytes.extend_from_slice(&section);
        let message = OpMsg::decode(1, 0, &bytes).unwrap();
        assert_eq!(message.body, doc! { "insert": "c", "documents": [{ "_id": 1 }, { "_id": 2 }] });
    }

    #[test]
    fn truncated_and_unknown_messages_are_refused() {
        assert!(OpMsg::decode(1, 0, &[0, 0]).is_err());
        assert!(OpMsg::decode(1, 0, &[4, 0, 0, 0]).is_err());
        assert!(OpMsg::decode(1, 0, &[0, 0, 0, 0, 9]).is_err());
    }
}
