//! The file of a history: lines of JSON, one for a call and one for its return.
//!
//! ```json
//! {"event":"call","at":1200,"client":"vdc1-0","key":"k0","operation":{"put":{"value":"vdc1-0.17"}}}
//! {"event":"return","at":1900,"client":"vdc1-0","outcome":{"ok":{"revision":42,"effect":"written"}}}
//! ```
//!
//! A client has one operation at a time, so a return belongs to the last call of its client. The call is written
//! before the operation is sent: whatever an answer shows, the call that caused it stands before it. So a file that is
//! read while it is written, or that ends where its writer was killed, is a history as well, in which what has no
//! return is unknown.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::history::{Entry, Operation, Outcome};

/// What is said of an operation whose return is not in the file.
const NO_RETURN: &str = "no return was recorded";

/// What is wrong with a line.
#[derive(Debug, Error)]
pub enum FormatError {
    /// It cannot be read.
    #[error("line {line} is neither a call nor a return: {source}")]
    Json {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It is a return, but its client has called nothing since the one before.
    #[error("line {line} is a return to client {client}, which has no call before it")]
    NoCall {
        /// Its number, from 1.
        line: usize,
        /// The client.
        client: String,
    },
}

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase")]
enum Line<'a> {
    Call { at: u64, client: Cow<'a, str>, key: Cow<'a, str>, operation: Cow<'a, Operation> },
    Return { at: u64, client: Cow<'a, str>, outcome: Cow<'a, Outcome> },
}

/// The line of a call, with its line break.
pub fn call(at: u64, client: &str, key: &str, operation: &Operation) -> serde_json::Result<String> {
    let operation = Cow::Borrowed(operation);
    line(&Line::Call { at, client: client.into(), key: key.into(), operation })
}

/// The line of a return, with its line break.
pub fn returned(at: u64, client: &str, outcome: &Outcome) -> serde_json::Result<String> {
    line(&Line::Return { at, client: client.into(), outcome: Cow::Borrowed(outcome) })
}

fn line(line: &Line<'_>) -> serde_json::Result<String> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    Ok(text)
}

/// The operations in a file. A last line without a line break was cut off, and does not count.
pub fn read(text: &str) -> Result<Vec<Entry>, FormatError> {
    let mut entries = Vec::new();
    let mut open: BTreeMap<String, usize> = BTreeMap::new();
    let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    for (number, text) in lines.enumerate() {
        let line = number + 1;
        match serde_json::from_str::<Line<'_>>(text).map_err(|source| FormatError::Json { line, source })? {
            Line::Call { at, client, key, operation } => {
                let client = client.into_owned();
                // A call that is open until then stays without a return: its client was killed and started again.
                open.insert(client.clone(), entries.len());
                entries.push(Entry {
                    client,
                    key: key.into_owned(),
                    operation: operation.into_owned(),
                    called: at,
                    returned: None,
                    outcome: Outcome::Unknown(NO_RETURN.to_owned()),
                });
            }
            Line::Return { at, client, outcome } => {
                let called = open.remove(client.as_ref()).and_then(|place| entries.get_mut(place));
                let Some(entry) = called else {
                    return Err(FormatError::NoCall { line, client: client.into_owned() });
                };
                entry.returned = Some(at);
                entry.outcome = outcome.into_owned();
            }
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Answer, Effect, Expected, Version};

    fn entry(client: &str, called: u64, operation: Operation, outcome: Outcome) -> Entry {
        let returned = Some(called + 5);
        Entry { client: client.to_owned(), key: "k".to_owned(), operation, called, returned, outcome }
    }

    fn ok(revision: Option<u64>, effect: Effect) -> Outcome {
        Outcome::Ok(Answer { revision, effect })
    }

    fn written(entries: &[Entry]) -> serde_json::Result<String> {
        let mut text = String::new();
        for entry in entries {
            text += &call(entry.called, &entry.client, &entry.key, &entry.operation)?;
            if let Some(at) = entry.returned {
                text += &returned(at, &entry.client, &entry.outcome)?;
            }
        }
        Ok(text)
    }

    #[test]
    fn what_is_written_is_read() -> anyhow::Result<()> {
        let value = |value: &str| value.to_owned();
        let version = Version { value: value("a.1"), revision: Some(4) };
        let swap = |expected| Operation::Swap { expected, value: value("b.1") };
        let mut entries = vec![
            entry("a", 1, Operation::Put { value: value("a.1") }, ok(Some(4), Effect::Written)),
            entry("b", 2, Operation::Get, ok(Some(4), Effect::Held(Some(version)))),
            entry("b", 10, Operation::Get, ok(None, Effect::Held(None))),
            entry("c", 11, swap(Expected::Value(value("a.1"))), ok(None, Effect::Differed)),
            entry("c", 21, swap(Expected::Revision(4)), Outcome::Failed(value("no \"leader\"\n"))),
            entry("d", 22, Operation::Delete, ok(Some(5), Effect::Deleted { existed: true })),
            entry("d", 32, Operation::Delete, Outcome::Unknown(value("timed out"))),
        ];
        assert_eq!(read(&written(&entries)?)?, entries);
        entries.push(Entry {
            returned: None,
            ..entry("e", 40, Operation::Get, Outcome::Unknown(NO_RETURN.to_owned()))
        });
        assert_eq!(read(&written(&entries)?)?, entries);
        Ok(())
    }

    #[test]
    fn the_format_stays_as_it_is_described() -> anyhow::Result<()> {
        let put = Operation::Put { value: "vdc1-0.17".to_owned() };
        let text = call(1200, "vdc1-0", "k0", &put)? + &returned(1900, "vdc1-0", &ok(Some(42), Effect::Written))?;
        let described = "\
{\"event\":\"call\",\"at\":1200,\"client\":\"vdc1-0\",\"key\":\"k0\",\"operation\":{\"put\":{\"value\":\"vdc1-0.17\"}}}
{\"event\":\"return\",\"at\":1900,\"client\":\"vdc1-0\",\"outcome\":{\"ok\":{\"revision\":42,\"effect\":\"written\"}}}
";
        assert_eq!(text, described);
        Ok(())
    }

    #[test]
    fn what_was_cut_off_is_unknown() -> anyhow::Result<()> {
        let put = entry("a", 1, Operation::Put { value: "a.1".to_owned() }, ok(None, Effect::Written));
        let whole = written(std::slice::from_ref(&put))?;
        let cut = read(&whole[..whole.len() - 1])?;
        assert!(cut.len() == 1 && cut[0].is_unknown() && cut[0].returned.is_none(), "{cut:?}");

        let again = entry("a", 50, Operation::Get, ok(None, Effect::Held(None)));
        let killed = Entry { returned: None, ..put };
        let entries = read(&written(&[killed, again.clone()])?)?;
        assert!(entries[0].is_unknown() && entries[1] == again, "{entries:?}");
        Ok(())
    }

    #[test]
    fn a_bad_line_is_named() {
        let get = "{\"event\":\"call\",\"at\":1,\"client\":\"a\",\"key\":\"k\",\"operation\":\"get\"}\n";
        let bad = read(&format!("{get}{{}}\n"));
        assert!(matches!(bad, Err(FormatError::Json { line: 2, .. })), "{bad:?}");
        let outcome = Outcome::Unknown(String::new());
        let stray = returned(1, "b", &outcome).map(|line| read(&(get.to_owned() + &line)));
        assert!(matches!(stray, Ok(Err(FormatError::NoCall { line: 2, .. }))), "{stray:?}");
        let twice = returned(1, "a", &outcome).map(|line| read(&(get.to_owned() + &line + &line)));
        assert!(matches!(twice, Ok(Err(FormatError::NoCall { line: 3, .. }))), "{twice:?}");
    }
}
