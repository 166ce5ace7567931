use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Replication;
use crate::{
    error::{CommandError, CommandResult, code},
    oplog::OpTime,
    repl::{Coordinator, config::ConfigVersion},
};

/// What to wait for after a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A majority of the voters.
    Majority,
    /// So many members.
    Members(usize),
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// What was waited for is so.
    Done,
    /// Time ran out.
    TimedOut,
}

impl Replication {
    /// Waits until `ready` gives an answer, or until the deadline.
    pub(super) async fn wait_for<R>(
        &self,
        limit: Option<Duration>,
        mut ready: impl FnMut(&Coordinator) -> Option<R>,
    ) -> Option<R> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            if let Some(answer) = self.look(&mut ready) {
                return Some(answer);
            }
            let timeout = async {
                match deadline {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = changed.changed() => {}
                () = timeout => return None,
                () = self.around.shutdown.cancelled() => return None,
            }
        }
    }

    /// Waits until a write is as durable as asked. Losing the primaryship in between is an error:
    /// the write may or may not survive.
    pub async fn await_durable(
        &self,
        optime: OpTime,
        durability: Durability,
        limit: Option<Duration>,
    ) -> CommandResult<Waited> {
        // A writable primary's newest entry is of its own term: while the term lasts, so does its history.
        let outcome = self
            .wait_for(limit, |c| {
                let leads = c.is_leader() && c.term() == optime.term;
                let enough = match durability {
                    Durability::Majority => c.commit_point() >= optime && c.commit_point().term == optime.term,
                    Durability::Members(n) => leads && c.count_holding(optime) >= n,
                };
                if enough {
                    return Some(Ok(Waited::Done));
                }
                (!leads).then(|| {
                    Err(CommandError::new(
                        code::INTERRUPTED_BY_STATE_CHANGE,
                        "operation was interrupted: the primary stepped down",
                    ))
                })
            })
            .await;
        match outcome {
            Some(result) => result,
            None if self.around.shutdown.is_cancelled() => {
                Err(CommandError::new(code::INTERRUPTED_AT_SHUTDOWN, "interrupted at shutdown"))
            }
            None => Ok(Waited::TimedOut),
        }
    }

    /// Waits until the configuration is committed.
    pub(super) async fn await_config_committed(&self, limit: Option<Duration>, late: i32) -> CommandResult<()> {
        self.wait_for(limit, |c| {
            if !c.is_writable() {
                return Some(Err(CommandError::not_primary()));
            }
            c.config_is_committed().then_some(Ok(()))
        })
        .await
        .unwrap_or_else(|| {
            Err(CommandError::new(
                late,
                "Cannot run replSetReconfig because the current config: it has not been committed yet by a majority in time",
            ))
        })
    }

    /// Waits until a majority has an installed configuration. Every failure leaves it installed; a command whose time
    /// is up by then fails, though it may have spread.
    pub(super) async fn await_propagation(
        &self,
        version: ConfigVersion,
        deadline: Option<Instant>,
    ) -> CommandResult<()> {
        let late = || {
            Err(CommandError::new(
                code::MAX_TIME_MS_EXPIRED,
                "Reconfig finished but failed to propagate to a majority :: caused by :: operation exceeded time limit",
            ))
        };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return late();
        }
        self.wait_for(left, |c| {
            if !c.is_leader() {
                return Some(Err(CommandError::new(
                    code::PRIMARY_STEPPED_DOWN,
                    "stepped down while waiting for the new configuration to spread; it is installed",
                )));
            }
            let needed = c.config()?.majority();
            (c.voters_with_config(version) >= needed).then_some(Ok(()))
        })
        .await
        .unwrap_or_else(late)
    }

    /// Waits until everything applied here when it was asked is committed.
    pub async fn await_committed(&self, optime: OpTime, limit: Option<Duration>) -> bool {
        self.wait_for(limit, |c| (c.commit_point() >= optime).then_some(())).await.is_some()
    }
}
