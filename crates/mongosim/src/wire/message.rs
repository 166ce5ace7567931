use tokio::io::{AsyncRead, AsyncReadExt};

use super::{MAX_MESSAGE_BYTES, OpMsg, OpQuery};

const HEADER_BYTES: i32 = 16;
const OP_QUERY: i32 = 2004;
const OP_MSG: i32 = 2013;

/// Why a message could not be read; the connection is closed after any of them.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The socket failed or was closed within a message.
    #[error("connection failed: {0}")]
    Io(#[from] std::io::Error),
    /// The length is below a header's or above [`MAX_MESSAGE_BYTES`].
    #[error("message of {0} bytes is outside the bounds")]
    Length(i32),
    /// An op code that this server does not speak.
    #[error("op code {0} is not supported")]
    OpCode(i32),
    /// The body is not what its op code promises.
    #[error("malformed message: {0}")]
    Malformed(String),
}

/// One message from a peer.
#[derive(Debug)]
pub enum Message {
    /// `OP_MSG`, code 2013.
    Msg(OpMsg),
    /// `OP_QUERY`, code 2004.
    Query(OpQuery),
}

/// Reads one message; `None` when the peer closed between messages.
pub async fn read_message<R: AsyncRead + Unpin>(reader: &mut R) -> Result<Option<Message>, WireError> {
    let mut header = [0u8; HEADER_BYTES as usize];
    match reader.read_exact(&mut header).await {
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e.into()),
    }
    let field = |i: usize| i32::from_le_bytes([header[i], header[i + 1], header[i + 2], header[i + 3]]);
    let (length, request_id, response_to, op_code) = (field(0), field(4), field(8), field(12));
    if !(HEADER_BYTES..=MAX_MESSAGE_BYTES).contains(&length) {
        return Err(WireError::Length(length));
    }
    let mut body = vec![0u8; (length - HEADER_BYTES) as usize];
    reader.read_exact(&mut body).await?;
    match op_code {
        OP_MSG => OpMsg::decode(request_id, response_to, &body).map(|m| Some(Message::Msg(m))),
        OP_QUERY => OpQuery::decode(request_id, &body).map(|m| Some(Message::Query(m))),
        other => Err(WireError::OpCode(other)),
    }
}

/// Puts a header before a body.
pub(super) fn frame(op_code: i32, request_id: i32, response_to: i32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + HEADER_BYTES as usize);
    for field in [HEADER_BYTES + body.len() as i32, request_id, response_to, op_code] {
        out.extend_from_slice(&field.to_le_bytes());
    }
    out.extend_from_slice(body);
    out
}

/// Splits a little-endian `i32` off the front.
pub(super) fn take_i32(bytes: &mut &[u8]) -> Result<i32, WireError> {
    let (head, rest) =
        bytes.split_first_chunk::<4>().ok_or_else(|| WireError::Malformed("truncated integer".into()))?;
    *bytes = rest;
    Ok(i32::from_le_bytes(*head))
}

/// Splits a C string off the front.
pub(super) fn take_cstring(bytes: &mut &[u8]) -> Result<String, WireError> {
    let end =
        bytes.iter().position(|b| *b == 0).ok_or_else(|| WireError::Malformed("string without end".into()))?;
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    *bytes = &bytes[end + 1..];
    Ok(text)
}
