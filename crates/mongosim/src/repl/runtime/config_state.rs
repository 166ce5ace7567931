use super::Replication;
use crate::error::{CommandError, CommandResult, code};

/// What is being done to the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConfigState {
    /// There is a configuration on disk, and it has not been loaded yet.
    StartingUp,
    Uninitialized,
    Initiating,
    Steady,
    Reconfiguring,
    HeartbeatReconfiguring,
}

/// Holds a state until it is dropped, then goes back or on.
pub(super) struct ConfigGuard<'r> {
    replication: &'r Replication,
    after: ConfigState,
}

impl ConfigGuard<'_> {
    /// The change has been made.
    pub(super) fn done(mut self) {
        self.after = ConfigState::Steady;
    }
}

impl Drop for ConfigGuard<'_> {
    fn drop(&mut self) {
        *self.replication.config_state.lock() = self.after;
    }
}

impl Replication {
    /// Whether the configuration on disk has not been loaded yet.
    pub fn is_starting_up(&self) -> bool {
        *self.config_state.lock() == ConfigState::StartingUp
    }

    pub(super) fn begin_initiate(&self) -> CommandResult<ConfigGuard<'_>> {
        self.enter(ConfigState::Initiating, |state| match state {
            ConfigState::Uninitialized => Ok(()),
            _ => Err(CommandError::new(code::ALREADY_INITIALIZED, "already initialized")),
        })
    }

    pub(super) fn begin_reconfig(&self) -> CommandResult<ConfigGuard<'_>> {
        self.enter(ConfigState::Reconfiguring, |state| match state {
            ConfigState::Steady => Ok(()),
            ConfigState::Uninitialized => Err(CommandError::not_initialized()),
            _ => Err(CommandError::new(
                code::CONFIGURATION_IN_PROGRESS,
                "Cannot run replSetReconfig because the node is currently updating its configuration",
            )),
        })
    }

    pub(super) fn begin_heartbeat_reconfig(&self) -> CommandResult<ConfigGuard<'_>> {
        self.enter(ConfigState::HeartbeatReconfiguring, |state| match state {
            ConfigState::Steady | ConfigState::Uninitialized => Ok(()),
            _ => Err(CommandError::new(code::CONFIGURATION_IN_PROGRESS, "the configuration is being changed")),
        })
    }

    fn enter(
        &self,
        next: ConfigState,
        check: impl FnOnce(ConfigState) -> CommandResult<()>,
    ) -> CommandResult<ConfigGuard<'_>> {
        let mut state = self.config_state.lock();
        check(*state)?;
        let after = std::mem::replace(&mut *state, next);
        Ok(ConfigGuard { replication: self, after })
    }
}
