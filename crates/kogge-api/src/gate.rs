//! The gate in the pod: what it says when it holds a member back, and where that is read.
//!
//! The gate is the first init container of every member. Where it holds, it ends with an exit code and the reason
//! as its termination message, so that `kubectl describe pod` tells the story and Kogge reads the same words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of the init container.
pub const CONTAINER: &str = "gate";

/// The image of the gate, where the operator is not told another.
pub const IMAGE: &str = "lab.kogge.dev/kogge-agent:dev";

/// Why the gate keeps a server from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HoldReason {
    /// The disk is empty, and the member held data: the engine admits it anew.
    LostDisk,
    /// The disk holds something, and not what a server of this member needs: a person looks at it.
    DamagedDisk,
    /// The disk is one that the member had before it was admitted anew: a person decides.
    OldDisk,
    /// The disk belongs to another member or database: a person decides.
    ForeignDisk,
    /// What the worker remembers of the database cannot be read, or is older than the disk.
    NoAnchor,
    /// The gate could not do its work.
    Failed,
}

impl HoldReason {
    const ALL: [Self; 6] =
        [Self::LostDisk, Self::DamagedDisk, Self::OldDisk, Self::ForeignDisk, Self::NoAnchor, Self::Failed];
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A member that is held back. Its text is `<reason>: <message>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Why, in one word.
    pub reason: HoldReason,
    /// Why, and what to do, as a sentence.
    pub message: String,
}

impl Hold {
    /// Reads what a gate left when it ended with an exit code other than 0. Words that are not the gate's own are
    /// a failure: nothing unknown is treated as fine.
    pub fn read(exit_code: i64, message: &str) -> Self {
        let known = message.trim().split_once(": ").and_then(|(word, rest)| {
            let reason = HoldReason::ALL.into_iter().find(|reason| reason.to_string() == word)?;
            Some(Self { reason, message: rest.to_owned() })
        });
        known.unwrap_or_else(|| Self {
            reason: HoldReason::Failed,
            message: match message.trim() {
                "" => format!("the gate ended with exit code {exit_code} and no word"),
                words => format!("the gate ended with exit code {exit_code}: {words}"),
            },
        })
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_gate_says_reads_back() {
        for reason in HoldReason::ALL {
            let hold = Hold { reason, message: "why: what to do".to_owned() };
            assert_eq!(Hold::read(75, &hold.to_string()), hold);
        }
    }

    #[test]
    fn words_of_others_are_a_failure() {
        for words in ["", "OOMKilled", "NewReason: from a later version"] {
            let hold = Hold::read(137, words);
            assert_eq!(hold.reason, HoldReason::Failed);
            assert!(hold.message.contains("137") && hold.message.contains(words), "{hold}");
        }
    }
}
