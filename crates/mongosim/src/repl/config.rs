//! A replica set's configuration.

use bson::{Bson, Document, doc};

use super::Settings;

/// One member.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberConfig {
    /// `_id`, for ever this member's.
    pub id: i64,
    /// `host:port`.
    pub host: String,
    /// Votes without data.
    pub arbiter_only: bool,
    /// Builds indexes.
    pub build_indexes: bool,
    /// Not shown to clients.
    pub hidden: bool,
    /// Priority as configured, 0 to 1000.
    pub priority: f64,
    /// Votes as configured, 0 or 1.
    pub votes: i64,
    /// Delay of replication in seconds.
    pub delay_secs: i64,
    /// Tags.
    pub tags: Document,
    /// Split-horizon names.
    pub horizons: Option<Document>,
    /// Joined and not yet synced: counts neither for votes nor elections.
    pub newly_added: bool,
}

impl MemberConfig {
    /// Whether the member votes now.
    pub fn is_voter(&self) -> bool {
        self.votes > 0 && !self.newly_added
    }

    /// The priority that counts now.
    pub fn effective_priority(&self) -> f64 {
        if self.newly_added { 0.0 } else { self.priority }
    }

    /// Whether the member can be elected.
    pub fn is_electable(&self) -> bool {
        !self.arbiter_only && self.effective_priority() > 0.0
    }

    fn to_document(&self, internal: bool) -> Document {
        let mut d = doc! {
            "_id": self.id as i32,
            "host": &self.host,
            "arbiterOnly": self.arbiter_only,
            "buildIndexes": self.build_indexes,
            "hidden": self.hidden,
            "priority": self.priority,
            "tags": self.tags.clone(),
            "secondaryDelaySecs": self.delay_secs,
            "votes": self.votes as i32,
        };
        if let Some(horizons) = &self.horizons {
            d.insert("horizons", horizons.clone());
        }
        if internal && self.newly_added {
            d.insert("newlyAdded", true);
        }
        d
    }
}

/// The configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplSetConfig {
    /// `_id`: the set's name.
    pub name: String,
    /// Rises with every change.
    pub version: i64,
    /// Term of the primary that made it; −1 after a forced change.
    pub term: i64,
    /// A set of config servers.
    pub configsvr: bool,
    /// The members, in the order that gives them their index.
    pub members: Vec<MemberConfig>,
    /// The settings.
    pub settings: Settings,
    /// `writeConcernMajorityJournalDefault`.
    pub majority_journal_default: bool,
}

/// Compares by term, then version; by version alone when either has no term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigVersion {
    /// `version`.
    pub version: i64,
    /// `term`.
    pub term: i64,
}

impl ConfigVersion {
    /// Before every configuration.
    pub const NONE: Self = Self { version: -2, term: -1 };

    /// Whether this one replaces `other`.
    pub fn is_newer_than(self, other: Self) -> bool {
        if self.term == -1 || other.term == -1 {
            self.version > other.version
        } else {
            (self.term, self.version) > (other.term, other.version)
        }
    }
}

impl ReplSetConfig {
    /// Version and term.
    pub fn config_version(&self) -> ConfigVersion {
        ConfigVersion { version: self.version, term: self.term }
    }

    /// The members that vote now, with their indexes.
    pub fn voters(&self) -> impl Iterator<Item = (usize, &MemberConfig)> {
        self.members.iter().enumerate().filter(|(_, m)| m.is_voter())
    }

    /// How many members vote now.
    pub fn voter_count(&self) -> usize {
        self.voters().count()
    }

    /// How many votes win.
    pub fn majority(&self) -> usize {
        self.voter_count() / 2 + 1
    }

    /// How many voters hold data.
    pub fn writable_voter_count(&self) -> usize {
        self.voters().filter(|(_, m)| !m.arbiter_only).count()
    }

    /// How many must hold a write for `w: "majority"`.
    pub fn write_majority(&self) -> usize {
        self.majority().min(self.writable_voter_count())
    }

    /// Whether the default write concern is a majority: not where arbiters make that fragile.
    pub fn implicit_majority(&self) -> bool {
        let arbiters = self.members.iter().filter(|m| m.arbiter_only).count();
        arbiters == 0 || self.writable_voter_count() > self.majority()
    }

    /// The member with this `_id`.
    pub fn member_by_id(&self, id: i64) -> Option<&MemberConfig> {
        self.members.iter().find(|m| m.id == id)
    }

    /// The index of the member at `host`.
    pub fn index_of_host(&self, host: &str) -> Option<usize> {
        self.members.iter().position(|m| m.host == host)
    }

    /// A member's rank by priority: 0 for the highest.
    pub fn priority_rank(&self, index: usize) -> usize {
        let own = self.members[index].effective_priority();
        self.members.iter().filter(|m| m.effective_priority() > own).count()
    }

    /// As `replSetGetConfig` shows it.
    pub fn to_document(&self) -> Document {
        self.document(false)
    }

    /// As it is stored and sent between members: with `newlyAdded`.
    pub fn to_internal_document(&self) -> Document {
        self.document(true)
    }

    fn document(&self, internal: bool) -> Document {
        let mut d = doc! { "_id": &self.name, "version": self.version as i32 };
        if self.term != -1 {
            d.insert("term", self.term as i32);
        }
        if self.configsvr {
            d.insert("configsvr", true);
        }
        let members: Vec<Bson> = self.members.iter().map(|m| Bson::Document(m.to_document(internal))).collect();
        d.extend(doc! {
            "members": members,
            "protocolVersion": 1_i64,
            "writeConcernMajorityJournalDefault": self.majority_journal_default,
            "settings": self.settings.to_document(),
        });
        d
    }
}
