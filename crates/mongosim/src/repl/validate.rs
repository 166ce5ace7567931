use std::collections::BTreeSet;

use super::{MemberConfig, ReplSetConfig};
use crate::{
    error::{CommandError, CommandResult, code},
    options::ServerVersion,
};

const MAX_MEMBERS: usize = 50;
const MAX_VOTERS: usize = 7;
const MAX_DELAY_SECS: i64 = 31_622_400;

fn wrong(message: impl Into<String>) -> CommandError {
    CommandError::new(code::INVALID_CONFIG, message)
}

impl ReplSetConfig {
    /// Checks the configuration by itself (`repl_set_config.cpp`); every error is 93.
    pub fn validate(&self, allow_multiple_arbiters: bool) -> CommandResult<()> {
        if self.name.is_empty() {
            return Err(wrong("_id: the set's name is empty"));
        }
        if !(1..=i64::from(i32::MAX)).contains(&self.version) {
            return Err(wrong(format!("version must be between 1 and {}, not {}", i32::MAX, self.version)));
        }
        if !(1..=MAX_MEMBERS).contains(&self.members.len()) {
            return Err(wrong(format!(
                "members: a set has 1 to {MAX_MEMBERS} members, not {}",
                self.members.len()
            )));
        }
        for (index, member) in self.members.iter().enumerate() {
            self.validate_member(member).map_err(|e| wrong(format!("members.{index}.{}", e.message)))?;
        }
        self.validate_together(allow_multiple_arbiters)
    }

    fn validate_member(&self, m: &MemberConfig) -> CommandResult<()> {
        if m.id < 0 {
            return Err(wrong(format!("_id: {} is negative", m.id)));
        }
        if !(0..=1).contains(&m.votes) {
            return Err(wrong(format!("votes must be 0 or 1, not {}", m.votes)));
        }
        if !(0.0..=1000.0).contains(&m.priority) {
            return Err(wrong(format!("priority must be between 0 and 1000, not {}", m.priority)));
        }
        if !(0..=MAX_DELAY_SECS).contains(&m.delay_secs) {
            return Err(wrong(format!("secondaryDelaySecs must be between 0 and {MAX_DELAY_SECS}")));
        }
        if m.arbiter_only {
            if m.priority > 0.0 {
                return Err(wrong("priority must be 0 for an arbiter"));
            }
            if m.votes == 0 {
                return Err(wrong("votes: an arbiter must vote"));
            }
            if !m.tags.is_empty() {
                return Err(wrong("tags: an arbiter has none"));
            }
        }
        if m.priority > 0.0 {
            if m.votes == 0 {
                return Err(wrong("priority must be 0 for a non-voting member"));
            }
            if m.delay_secs > 0 {
                return Err(wrong("priority must be 0 when secondaryDelaySecs is used"));
            }
            if m.hidden {
                return Err(wrong("priority must be 0 when hidden is true"));
            }
            if !m.build_indexes {
                return Err(wrong("priority must be 0 when buildIndexes is false"));
            }
        }
        if self.configsvr {
            if m.arbiter_only {
                return Err(wrong("arbiterOnly: arbiters are not allowed among config servers"));
            }
            if m.delay_secs > 0 {
                return Err(wrong("secondaryDelaySecs must be 0 for config servers"));
            }
            if !m.build_indexes {
                return Err(wrong("buildIndexes must be true for config servers"));
            }
        }
        Ok(())
    }

    fn validate_together(&self, allow_multiple_arbiters: bool) -> CommandResult<()> {
        let mut ids = BTreeSet::new();
        let mut hosts = BTreeSet::new();
        for m in &self.members {
            if !ids.insert(m.id) {
                return Err(wrong(format!("members: two have the _id {}", m.id)));
            }
            if !hosts.insert(&m.host) {
                return Err(wrong(format!("members: two have the host {}", m.host)));
            }
        }
        let local = self.members.iter().filter(|m| is_localhost(&m.host)).count();
        if local != 0 && local != self.members.len() {
            return Err(wrong(format!(
                "members: either all hosts are localhost or none is; found {local} of {}",
                self.members.len()
            )));
        }
        let voters = self.members.iter().filter(|m| m.votes > 0).count();
        if !(1..=MAX_VOTERS).contains(&voters) {
            return Err(wrong(format!("members: 1 to {MAX_VOTERS} may vote, not {voters}")));
        }
        if !self.members.iter().any(|m| !m.arbiter_only && m.priority > 0.0) {
            return Err(wrong("members: at least one must be electable, with priority above 0"));
        }
        if !allow_multiple_arbiters && self.members.iter().filter(|m| m.arbiter_only).count() > 1 {
            return Err(wrong("members: at most one arbiter is allowed"));
        }
        self.validate_horizons()
    }

    fn validate_horizons(&self) -> CommandResult<()> {
        let names =
            |m: &MemberConfig| -> BTreeSet<String> { m.horizons.iter().flat_map(|h| h.keys().cloned()).collect() };
        let expected = self.members.first().map(names).unwrap_or_default();
        let mut seen = BTreeSet::new();
        for m in &self.members {
            if names(m) != expected {
                return Err(wrong(format!("members: {} has other horizons than the first", m.host)));
            }
            for (name, value) in m.horizons.iter().flatten() {
                let host = value.as_str().ok_or_else(|| wrong(format!("horizons.{name} must be a string")))?;
                if !seen.insert(host.to_owned()) {
                    return Err(wrong(format!("horizons: {host} is used twice")));
                }
                let bare = host.rsplit_once(':').map_or(host, |(h, _)| h);
                if bare.parse::<std::net::IpAddr>().is_ok() {
                    return Err(wrong(format!("horizons.{name} must be a name, not an address")));
                }
            }
        }
        Ok(())
    }

    /// Further checks of an initiate: version 1, and nothing that only a running set has.
    pub fn validate_for_initiate(&self, configsvr_flag: bool, version: ServerVersion) -> CommandResult<()> {
        self.validate(version.allows_several_arbiters())?;
        if self.version != 1 {
            return Err(wrong(format!("version must be 1 in an initiate, not {}", self.version)));
        }
        if self.settings.replica_set_id().is_some() {
            return Err(wrong("settings.replicaSetId must not be given in an initiate"));
        }
        self.reject_newly_added()?;
        self.validate_role(configsvr_flag)
    }

    /// `newlyAdded` is the server's own field.
    pub fn reject_newly_added(&self) -> CommandResult<()> {
        match self.members.iter().find(|m| m.newly_added) {
            Some(m) => Err(wrong(format!("members: {} has newlyAdded, which cannot be given", m.host))),
            None => Ok(()),
        }
    }

    /// `configsvr` and `--configsvr` go together.
    pub fn validate_role(&self, configsvr_flag: bool) -> CommandResult<()> {
        match (self.configsvr, configsvr_flag) {
            (true, false) => Err(wrong("configsvr: true needs members that run with --configsvr")),
            (false, true) => Err(wrong("members that run with --configsvr need configsvr: true")),
            _ => Ok(()),
        }
    }
}

fn is_localhost(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost" || name.starts_with("127.") || name == "::1" || name == "[::1]"
}
