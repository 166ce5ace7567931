//! The replica set by the published specification: terms, oplogs as sequences of entry terms, configs as
//! (members, version, term), elections, replication, rollback, commit points, reconfiguration.

use crate::guards::Guards;

/// Most members that a model has.
pub(crate) const SLOTS: usize = 8;

/// A set of slots, or of placements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Mask(pub(crate) u8);

impl Mask {
    pub(crate) const fn of(slot: usize) -> Self {
        Self(1 << slot)
    }

    pub(crate) const fn has(self, slot: usize) -> bool {
        self.0 >> slot & 1 == 1
    }

    pub(crate) fn insert(&mut self, slot: usize) {
        self.0 |= 1 << slot;
    }

    pub(crate) fn remove(&mut self, slot: usize) {
        self.0 &= !(1 << slot);
    }

    pub(crate) const fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn differs(self, other: Self) -> usize {
        (self.0 ^ other.0).count_ones() as usize
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        (0..SLOTS).filter(move |slot| self.has(*slot))
    }
}

/// Whether `part` is a majority of `whole`.
pub(crate) const fn is_majority(part: usize, whole: usize) -> bool {
    part * 2 > whole
}

/// A config's position: term first, then version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stamp {
    pub(crate) term: u8,
    pub(crate) version: u8,
}

/// [`kogge_mongo::LOWERED_PRIORITY`] in halves.
pub(crate) const LOWERED: u8 = 1;

/// A member as a config lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Listed {
    pub(crate) id: u8,
    pub(crate) votes: bool,
    /// In halves: a lowered one is 1.
    pub(crate) priority: u8,
    pub(crate) hidden: bool,
    /// Which of the scenario's tag sets it carries.
    pub(crate) tags: u8,
}

/// A config. `history` tells apart what two initiates made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Config {
    pub(crate) history: u8,
    pub(crate) stamp: Stamp,
    pub(crate) members: [Option<Listed>; SLOTS],
}

impl Config {
    pub(crate) fn lists(&self, slot: usize) -> bool {
        self.members[slot].is_some()
    }

    pub(crate) fn listed(&self) -> Mask {
        self.mask(|_| true)
    }

    pub(crate) fn voters(&self) -> Mask {
        self.mask(|listed| listed.votes)
    }

    pub(crate) fn electable(&self, slot: usize) -> bool {
        self.members[slot].is_some_and(|listed| listed.votes && listed.priority > 0)
    }

    pub(crate) fn has_majority(&self, of: Mask) -> bool {
        let voters = self.voters();
        is_majority(voters.and(of).count(), voters.count())
    }

    fn mask(&self, pick: impl Fn(&Listed) -> bool) -> Mask {
        let mut mask = Mask::default();
        for (slot, listed) in self.members.iter().enumerate() {
            if listed.as_ref().is_some_and(&pick) {
                mask.insert(slot);
            }
        }
        mask
    }
}

const ENTRIES: usize = 11;
const USERS: u8 = 0x80;

/// An oplog: the term of each entry, and whether the entry creates the first users.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Log {
    len: u8,
    entries: [u8; ENTRIES],
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.entries[..self.len()]).finish()
    }
}

impl Log {
    pub(crate) fn len(&self) -> usize {
        usize::from(self.len)
    }

    pub(crate) fn push(&mut self, term: u8, users: bool) {
        self.entries[self.len()] = term | if users { USERS } else { 0 };
        self.len += 1;
    }

    pub(crate) fn pop(&mut self) {
        self.len -= 1;
        self.entries[self.len()] = 0;
    }

    pub(crate) fn last_term(&self) -> u8 {
        self.len().checked_sub(1).map_or(0, |last| self.entries[last] & !USERS)
    }

    pub(crate) fn users(&self) -> bool {
        self.entries.iter().any(|entry| entry & USERS != 0)
    }

    pub(crate) fn starts_with(&self, prefix: &Self) -> bool {
        self.len >= prefix.len && self.entries[..prefix.len()] == prefix.entries[..prefix.len()]
    }

    /// Raft's order of oplogs: the term of the last entry, then the length.
    pub(crate) fn position(&self) -> (u8, u8) {
        (self.last_term(), self.len)
    }

    /// What an observer sees of it: how long it is, and whether the users are in it.
    pub(crate) fn outline(&self) -> Self {
        let mut outline = Self { len: self.len, entries: [0; ENTRIES] };
        if self.users() {
            outline.entries[0] = USERS;
        }
        outline
    }
}

/// A member's pod and its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pod {
    /// The process runs.
    Running,
    /// The process runs on a disk with data and has not loaded its config: it answers 94 and takes part in nothing.
    Starting,
    /// The process is down; the pod is there.
    Crashed,
    /// The pod was deleted and is not made again yet.
    Absent,
    /// The gate holds the process: its disk is empty and the anchor says that it held data.
    Gated,
}

/// One server. Its disk keeps everything but its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) pod: Pod,
    /// How often what the worker's API says of the pod has changed: its uid and its resourceVersion.
    pub(crate) facts: u8,
    /// The pod was made from the template before the present one.
    pub(crate) outdated: bool,
    pub(crate) term: u8,
    pub(crate) primary: bool,
    /// None on an empty disk.
    pub(crate) config: Option<Config>,
    /// It holds the set's data; a member without them syncs initially.
    pub(crate) synced: bool,
    pub(crate) log: Log,
}

impl Server {
    pub(crate) const EMPTY: Self = Self {
        pod: Pod::Running,
        facts: 0,
        outdated: false,
        term: 0,
        primary: false,
        config: None,
        synced: false,
        log: Log { len: 0, entries: [0; ENTRIES] },
    };

    pub(crate) fn up(&self) -> bool {
        self.pod == Pod::Running
    }

    /// Whether the process answers at all.
    pub(crate) fn answers(&self) -> bool {
        matches!(self.pod, Pod::Running | Pod::Starting)
    }

    pub(crate) fn stamp(&self) -> Stamp {
        self.config.map_or(Stamp::default(), |config| config.stamp)
    }

    pub(crate) fn stop(&mut self, pod: Pod) {
        self.pod = pod;
        self.primary = false;
        self.facts += 1;
    }

    /// Takes over a higher term.
    pub(crate) fn learn_term(&mut self, term: u8) {
        if term > self.term {
            self.term = term;
            self.primary = false;
        }
    }

    /// Two histories never merge.
    pub(crate) fn same_history(&self, other: &Self) -> bool {
        match (&self.config, &other.config) {
            (Some(a), Some(b)) => a.history == b.history,
            _ => true,
        }
    }
}

/// `to` hears a heartbeat of `from`: term and config come over. Returns whether anything changed.
pub(crate) fn heartbeat(servers: &mut [Server], to: usize, from: usize) -> bool {
    let (sender, before) = (servers[from], servers[to]);
    let Some(config) = sender.config else { return false };
    // An empty server is met only by those that list it.
    if before.config.is_none() && !config.lists(to) {
        return false;
    }
    let server = &mut servers[to];
    if !server.same_history(&sender) {
        return false;
    }
    server.learn_term(sender.term);
    if !server.primary && config.stamp > server.stamp() {
        server.config = Some(config);
    }
    *server != before
}

/// A secondary appends the entry that follows its last one at `from`.
pub(crate) fn get_entry(servers: &mut [Server], to: usize, from: usize) -> bool {
    let source = servers[from];
    let server = &mut servers[to];
    if server.primary
        || !server.synced
        || !source.synced
        || !server.same_history(&source)
        || source.log.len() <= server.log.len()
        || !source.log.starts_with(&server.log)
    {
        return false;
    }
    let entry = source.log.entries[server.log.len()];
    server.log.push(entry & !USERS, entry & USERS != 0);
    server.learn_term(source.term);
    let term = server.term;
    servers[from].learn_term(term);
    true
}

/// A secondary drops its last entry, which is of a lower term than the source's and not in its oplog.
pub(crate) fn roll_back(servers: &mut [Server], to: usize, from: usize) -> bool {
    let source = servers[from];
    let server = &mut servers[to];
    if server.primary
        || !server.synced
        || !source.synced
        || !server.same_history(&source)
        || server.log.len == 0
        || server.log.last_term() >= source.log.last_term()
        || source.log.starts_with(&server.log)
    {
        return false;
    }
    server.log.pop();
    true
}

/// Initial sync from a member that holds the data.
pub(crate) fn initial_sync(servers: &mut [Server], to: usize, from: usize) -> bool {
    let source = servers[from];
    let server = &mut servers[to];
    let listed = server.config.is_some_and(|config| config.lists(to));
    if server.synced || !listed || !source.synced || !server.same_history(&source) {
        return false;
    }
    (server.synced, server.log) = (true, source.log);
    true
}

/// Whether `voter` votes for `candidate` in the term after the candidate's.
fn grants(servers: &[Server], voter: usize, candidate: usize, term: u8, guards: &Guards) -> bool {
    let (server, wanting) = (&servers[voter], &servers[candidate]);
    server.config.is_some()
        && server.same_history(wanting)
        && (server.term < term || !guards.one_vote_per_term && server.term == term)
        && (server.stamp() <= wanting.stamp() || !guards.vote_for_newer_config)
        && (server.log.position() <= wanting.log.position() || !guards.vote_for_newer_oplog)
}

/// The candidate wins with the votes of `quorum`, which moves to the new term.
pub(crate) fn elect(servers: &mut [Server], candidate: usize, quorum: Mask, guards: &Guards) -> bool {
    let wanting = servers[candidate];
    let Some(config) = wanting.config else { return false };
    let term = wanting.term + 1;
    if wanting.primary
        || !wanting.synced
        || !config.electable(candidate)
        || guards.majority_elects && !config.has_majority(quorum)
        || !quorum.iter().all(|voter| voter == candidate || grants(servers, voter, candidate, term, guards))
    {
        return false;
    }
    for voter in quorum.iter() {
        servers[voter].learn_term(term);
    }
    let winner = &mut servers[candidate];
    (winner.primary, winner.term) = (true, term);
    winner.config = Some(Config { stamp: Stamp { term, ..config.stamp }, ..config });
    true
}

/// Members that hold all of the primary's oplog and are in its term.
fn acknowledging(servers: &[Server], primary: usize) -> Mask {
    let leader = &servers[primary];
    let mut mask = Mask::default();
    for (slot, server) in servers.iter().enumerate() {
        if server.synced
            && server.same_history(leader)
            && server.term == leader.term
            && server.log.starts_with(&leader.log)
        {
            mask.insert(slot);
        }
    }
    mask
}

/// Whether the primary's newest entry is committed now.
pub(crate) fn commits(servers: &[Server], primary: usize, guards: &Guards) -> bool {
    let leader = &servers[primary];
    leader.primary
        && leader.log.len > 0
        && (leader.log.last_term() == leader.term || !guards.commit_in_own_term)
        && leader.config.is_some_and(|config| config.has_majority(acknowledging(servers, primary)))
}

/// Whether the primary may reconfigure: its config and what was committed are held by a majority of it.
pub(crate) fn may_reconfigure(servers: &[Server], primary: usize, committed: &Log, guards: &Guards) -> bool {
    let leader = &servers[primary];
    let Some(config) = leader.config else { return false };
    let holding = |holds: &dyn Fn(&Server) -> bool| {
        let mut mask = Mask::default();
        for (slot, server) in servers.iter().enumerate() {
            if server.term == leader.term && server.same_history(leader) && holds(server) {
                mask.insert(slot);
            }
        }
        config.has_majority(mask)
    };
    let config_held = config.stamp.term == leader.term && holding(&|server| server.stamp() == config.stamp);
    let oplog_held = committed.len == 0
        || committed.last_term() == leader.term && holding(&|server| server.log.starts_with(committed));
    leader.primary && (config_held || !guards.config_committed) && (oplog_held || !guards.oplog_committed)
}
