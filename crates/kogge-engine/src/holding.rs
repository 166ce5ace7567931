//! What a member holds, by its own word.

use crate::names::{GroupName, PodName, Vdc};
use crate::pod::Pod;

/// What a member holds, by its own word: you decide by it before a majority is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Its group.
    pub group: GroupName,
    /// Its pod.
    pub pod: PodName,
    /// Its data centre.
    pub vdc: Vdc,
    /// It is declared lost.
    pub is_lost: bool,
    /// How it is and how far its data reaches, or why nobody knows; a phrase.
    pub says: String,
    /// When its last entry was written, in seconds since the epoch; none where that is not known.
    pub written_at: Option<i64>,
}

/// What is known of a member that does not answer: why, whether its pod runs, and which members still hear it.
pub fn silence(reason: &str, pod: &Pod, heard_by: &[PodName]) -> String {
    let pod = match pod {
        Pod::Unknown { reason } => format!("; its pod is not seen: {reason}"),
        Pod::Absent => "; it has no pod".to_owned(),
        Pod::Present(facts) if facts.running => "; its pod runs".to_owned(),
        Pod::Present(_) => "; its pod does not run".to_owned(),
    };
    let hearers: Vec<&str> = heard_by.iter().map(PodName::as_str).collect();
    let heard =
        if hearers.is_empty() { String::new() } else { format!("; still heard by {}", hearers.join(", ")) };
    format!("no answer ({reason}){pod}{heard}")
}
