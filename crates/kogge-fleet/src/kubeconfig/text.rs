//! From the bytes of a kubeconfig to its text and its documents: editors and shells leave marks in both.

use std::borrow::Cow;

use super::KubeconfigError;
use super::document::Document;

/// The text: UTF-8 with a byte order mark or without, or UTF-16 as PowerShell's `>` writes it.
fn text(bytes: &[u8]) -> Result<Cow<'_, str>, KubeconfigError> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().copied().map(unit).collect();
        let text = String::from_utf16(&units).ok().filter(|_| rest.is_empty());
        text.map(Cow::Owned).ok_or(KubeconfigError::NotUtf8)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => {
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            std::str::from_utf8(text).map(Cow::Borrowed).map_err(|_| KubeconfigError::NotUtf8)
        }
    }
}

/// The first document of the text, as kubectl takes it; the empty one where there is none.
pub(super) fn document(bytes: &[u8]) -> Result<Document, KubeconfigError> {
    let text = text(bytes)?;
    // JSON may be indented by tabs, which YAML does not allow.
    if text.trim_start().starts_with('{')
        && let Ok(document) = serde_json::from_str(&text)
    {
        return Ok(document);
    }
    let documents: Vec<Document> = serde_saphyr::from_multiple(&text).map_err(|error| {
        // The parser's own words quote the document, and the document is a secret.
        let location = error.location();
        KubeconfigError::NotYaml {
            line: location.map_or(0, |l| l.line()),
            column: location.map_or(0, |l| l.column()),
        }
    })?;
    Ok(documents.into_iter().next().unwrap_or_default())
}
