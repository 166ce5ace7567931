use std::{sync::Arc, time::Duration};

use bson::doc;
use tokio::time::Instant;

use super::Replication;
use crate::{
    error::{CommandError, CommandResult, code},
    repl::coordinator::Effect,
};

const HAND_OFF: Duration = Duration::from_secs(10);

/// `replSetStepDown`'s parameters.
#[derive(Debug, Clone, Copy)]
pub struct StepDownRequest {
    /// How long not to stand again.
    pub period: Duration,
    /// How long to wait for a secondary to catch up.
    pub catch_up: Duration,
    /// Step down even if none does.
    pub force: bool,
}

impl Replication {
    /// Steps down once a successor has everything, and hands over to it.
    pub async fn step_down(self: &Arc<Self>, request: StepDownRequest) -> CommandResult<()> {
        if request.period < request.catch_up {
            return Err(CommandError::bad_value("stepdown period must be longer than secondaryCatchUpPeriodSecs"));
        }
        self.with_result(|c, _| match c.begin_step_down() {
            Ok(effects) => (Ok(()), effects),
            Err(e) => (Err(e), Vec::new()),
        })?;
        let began = Instant::now();
        self.finish_writes().await?;
        let successor = self
            .wait_for(Some(request.catch_up), |c| if c.is_leader() { c.successor().map(Some) } else { Some(None) })
            .await
            .flatten();
        if successor.is_none() && !request.force && self.look(crate::repl::Coordinator::is_leader) {
            self.with(|c, _| c.abandon_step_down());
            return Err(CommandError::new(
                code::EXCEEDED_TIME_LIMIT,
                "No electable secondaries caught up as of now. Please use the replSetStepDown command with the argument {force: true} to force node to step down.",
            ));
        }
        let left = request.period.saturating_sub(began.elapsed()).as_millis() as u64;
        self.with_result(|c, now| match c.step_down(now + left, now) {
            Ok(effects) => (Ok(()), effects),
            Err(e) => (Err(e), Vec::<Effect>::new()),
        })?;
        if let Some(host) = successor {
            self.hand_over(host);
        }
        Ok(())
    }

    /// Waits for the writes that are under way: what they log, a successor must hold. mongod takes the lock that all
    /// writes hold.
    async fn finish_writes(self: &Arc<Self>) -> CommandResult<()> {
        self.around.storage.write(|_| Ok(())).await?;
        self.with(|_, _| Vec::new());
        Ok(())
    }

    fn hand_over(self: &Arc<Self>, host: String) {
        let this = self.clone();
        tokio::spawn(async move {
            let command = doc! { "replSetStepUp": 1, "skipDryRun": true, "$db": "admin" };
            match this.around.peers.command(&host, &command, HAND_OFF).await {
                Ok(_) => tracing::info!(host, "handed over"),
                Err(e) => tracing::info!(host, error = %e, "could not hand over; an election will follow"),
            }
        });
    }
}
