//! Replication: a pure coordinator that decides, and a runtime that sends, stores and waits.

pub mod commit_point;
pub mod config;
pub mod coordinator;
/// Elections.
pub mod election;
mod heartbeat;
mod liveness;
pub mod member;
mod parse;
pub mod reconfig_checks;
pub mod runtime;
mod settings;
mod status;
mod sync_source;
mod validate;
mod votes;

pub use config::{MemberConfig, ReplSetConfig};
pub use coordinator::{Coordinator, Effect, Millis};
pub use member::MemberState;
pub use runtime::Replication;
pub use settings::Settings;
pub use votes::{LastVote, VoteReply, VoteRequest};

#[cfg(test)]
mod tests;
