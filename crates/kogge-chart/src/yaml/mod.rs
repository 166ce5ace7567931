//! YAML as kubectl and Helm read it: the one reader for charts, for what templates render and for manifests.
//!
//! Both read YAML by `sigs.k8s.io/yaml`, which keeps much of YAML 1.1: `0027` is the number 23, and `12e4567`, which is
//! larger than any float, is a text. Where their reading loses what was written, such as the last digit of `1.10`, the
//! scalar is refused with the ways to write it. So a file means here what it means to them, or nothing.

mod error;
mod number;
mod scalar;
mod tree;
mod value;

pub use error::YamlError;
pub use tree::{Node, parse};

pub(crate) use number::{is_exact, normal};

use serde_json::Value;

/// The value of a text that holds one document; null where it holds none.
///
/// Fails with [`YamlError`], also where it holds several documents.
pub fn read(text: &str) -> Result<Value, YamlError> {
    read_node(text).and_then(|node| node.as_ref().map_or(Ok(Value::Null), Node::to_value))
}

/// The document of a text that holds one at most.
pub(crate) fn read_node(text: &str) -> Result<Option<Node>, YamlError> {
    let mut documents = parse(text)?;
    if let Some(second) = documents.get(1) {
        return Err(YamlError::structure(
            second.line(),
            "a second document begins here; write one only".to_owned(),
        ));
    }
    Ok(documents.pop())
}

/// A text without what differs between editors and not in meaning: the byte order mark and the line ends of Windows.
pub(crate) fn plain_text(bytes: &[u8]) -> Vec<u8> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut plain = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != b'\r' || bytes.get(at + 1) != Some(&b'\n') {
            plain.push(*byte);
        }
    }
    plain
}
