//! Turns: how many replica sets are changed in one vdc at a time, over all databases. An initial sync or a restart
//! costs the data centre that it happens in, and a hundred sets may want one after the same edit.
//!
//! The queue rests on what each database observed at its last pass. It remembers beside that only who asked first;
//! when that is forgotten, somebody else is first.

use std::collections::{BTreeMap, BTreeSet};

use kogge_api::ClusterId;
use kogge_mongo::{Action, MemberState, Millis, Pod, SetName, Vdc};

use crate::plan::DatabasePlan;
use crate::prepared::Prepared;

/// What a database said longer ago than this is not counted any more: nobody waits for one that makes no passes.
const MAX_AGE: Millis = 60_000;

/// What one database has under way, and what it would begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Sets with a member that syncs or restarts, and the vdcs of these members.
    pub under_way: BTreeMap<SetName, BTreeSet<Vdc>>,
    /// Sets that would begin a sync or a restart now, and where.
    pub wanted: BTreeMap<SetName, BTreeSet<Vdc>>,
}

/// Who may change what.
#[derive(Debug)]
pub struct Queue {
    limit: usize,
    databases: BTreeMap<ClusterId, Entry>,
    next_ticket: u64,
}

#[derive(Debug, Default)]
struct Entry {
    said_at: Millis,
    under_way: BTreeMap<SetName, BTreeSet<Vdc>>,
    waiting: BTreeMap<SetName, Waiting>,
}

#[derive(Clone, Debug)]
struct Waiting {
    /// The lowest has waited longest.
    ticket: u64,
    vdcs: BTreeSet<Vdc>,
}

impl Queue {
    /// A queue that lets `limit` sets be changed in one vdc at a time.
    pub fn new(limit: usize) -> Self {
        Self { limit, databases: BTreeMap::new(), next_ticket: 0 }
    }

    /// Whether each of these databases has said what it has under way.
    pub fn knows<'a>(&self, mut databases: impl Iterator<Item = &'a ClusterId>) -> bool {
        databases.all(|id| self.databases.contains_key(id))
    }

    /// Takes note of what a database has under way and asks for. Returns the sets that have to wait; the others
    /// have their turn. Whoever asked first is first, as long as it goes on asking.
    pub fn ask(&mut self, id: &ClusterId, demand: Demand, now: Millis) -> BTreeSet<SetName> {
        self.databases.retain(|other, entry| other == id || now.saturating_sub(entry.said_at) <= MAX_AGE);
        let mut before = self.databases.remove(id).unwrap_or_default();
        let mut waiting = BTreeMap::new();
        for (set, vdcs) in demand.wanted {
            let ticket = before.waiting.remove(&set).map_or_else(
                || {
                    self.next_ticket += 1;
                    self.next_ticket
                },
                |known| known.ticket,
            );
            waiting.insert(set, Waiting { ticket, vdcs });
        }
        self.databases.insert(id.clone(), Entry { said_at: now, under_way: demand.under_way, waiting });
        self.grant(id)
    }

    /// Forgets a database that is gone.
    pub fn forget(&mut self, id: &ClusterId) {
        self.databases.remove(id);
    }

    /// Gives turns to the sets of a database in the order in which they asked, and returns the others. Where a set is
    /// under way, another step of it adds nothing: what is broken everywhere must not keep its own repair waiting.
    fn grant(&mut self, id: &ClusterId) -> BTreeSet<SetName> {
        let own = self.databases.get(id).map(|entry| entry.waiting.clone()).unwrap_or_default();
        let mut asking: Vec<(&SetName, &Waiting)> = own.iter().collect();
        asking.sort_by_key(|(_, waiting)| waiting.ticket);
        let mut held = BTreeSet::new();
        for (set, waiting) in asking {
            let busy = self.databases.get(id).and_then(|entry| entry.under_way.get(set));
            let mut begun = waiting.vdcs.iter().filter(|vdc| busy.is_none_or(|busy| !busy.contains(*vdc)));
            if begun.any(|vdc| self.ahead(id, set, waiting.ticket, vdc) >= self.limit) {
                held.insert(set.clone());
            } else if let Some(entry) = self.databases.get_mut(id) {
                entry.waiting.remove(set);
                entry.under_way.entry(set.clone()).or_default().extend(waiting.vdcs.iter().cloned());
            }
        }
        held
    }

    /// How many other sets are changed in a vdc, or asked for it earlier.
    fn ahead(&self, id: &ClusterId, set: &SetName, ticket: u64, vdc: &Vdc) -> usize {
        let count = |(other, entry): (&ClusterId, &Entry)| {
            let is_other = |name: &SetName| other != id || name != set;
            let busy = |name: &SetName| entry.under_way.get(name).is_some_and(|vdcs| vdcs.contains(vdc));
            let changed = entry.under_way.keys().filter(|name| is_other(name) && busy(name)).count();
            let earlier = entry.waiting.iter().filter(|(name, waiting)| {
                is_other(name) && !busy(name) && waiting.ticket < ticket && waiting.vdcs.contains(vdc)
            });
            changed + earlier.count()
        };
        self.databases.iter().map(count).sum()
    }
}

impl DatabasePlan {
    /// What the database has under way, by what was observed, and what this plan would begin.
    pub fn demand(&self, prepared: &Prepared<'_>) -> Demand {
        let mut demand = Demand::default();
        for set in &prepared.goal.sets {
            let status = self.engine.sets.get(&set.name);
            let vdcs: BTreeSet<Vdc> = status
                .iter()
                .flat_map(|status| &status.members)
                .filter(|m| m.listed)
                .filter(|m| {
                    m.state.is_some_and(MemberState::in_transition) || is_restarting(prepared.pods.get(&m.pod))
                })
                .map(|m| m.vdc.clone())
                .collect();
            if !vdcs.is_empty() {
                demand.under_way.insert(set.name.clone(), vdcs);
            }
            let begun = self.engine.steps.iter().filter(|step| step.set == set.name);
            let begun: BTreeSet<Vdc> = begun
                .filter_map(|step| match &step.action {
                    Action::AddMember { member, .. } => set.members.iter().find(|m| m.host == member.host),
                    Action::RestartPod { pod, .. } => set.members.iter().find(|m| &m.pod == pod),
                    _ => None,
                })
                .map(|member| member.vdc.clone())
                .collect();
            if !begun.is_empty() {
                demand.wanted.insert(set.name.clone(), begun);
            }
        }
        demand
    }

    /// Leaves out what these sets would begin: it is not their turn.
    pub fn hold_back(&mut self, prepared: &Prepared<'_>, sets: BTreeSet<SetName>) {
        self.steps.retain(|step| !(sets.contains(&step.set) && matches!(step.action, Action::AddMember { .. })));
        let held = |pod: &str| {
            let of = prepared.goal.sets.iter().filter(|set| sets.contains(&set.name));
            of.flat_map(|set| &set.members).any(|member| member.pod.as_str() == pod)
        };
        self.restarts
            .retain(|action| !matches!(action, kogge_plan::Action::Delete { key, .. } if held(&key.name)));
        self.in_queue = sets;
    }
}

fn is_restarting(pod: Option<&Pod>) -> bool {
    match pod {
        Some(Pod::Present(facts)) => facts.terminating || !facts.ready,
        Some(Pod::Absent) => true,
        Some(Pod::Unknown { .. }) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ClusterId {
        name.parse().unwrap()
    }

    fn at(sets: &[(&str, &[&str])]) -> BTreeMap<SetName, BTreeSet<Vdc>> {
        sets.iter()
            .map(|(set, vdcs)| (SetName::new(*set), vdcs.iter().map(|vdc| Vdc::new(*vdc)).collect()))
            .collect()
    }

    fn wants(sets: &[(&str, &[&str])]) -> Demand {
        Demand { under_way: BTreeMap::new(), wanted: at(sets) }
    }

    fn names(sets: &BTreeSet<SetName>) -> Vec<&str> {
        sets.iter().map(SetName::as_str).collect()
    }

    #[test]
    fn no_more_than_so_many_sets_are_changed_in_a_vdc() {
        let mut queue = Queue::new(2);
        let all: &[(&str, &[&str])] =
            &[("s0", &["vdc1"]), ("s1", &["vdc1"]), ("s2", &["vdc1"]), ("s3", &["vdc2"])];
        assert_eq!(names(&queue.ask(&id("aaaaaaaa"), wants(all), 0)), ["s2"]);
        // Those that began are under way until they are seen to be through.
        let mut next = wants(&[("s2", &["vdc1"])]);
        next.under_way = at(&[("s0", &["vdc1"]), ("s1", &["vdc1"]), ("s3", &["vdc2"])]);
        assert_eq!(names(&queue.ask(&id("aaaaaaaa"), next.clone(), 1)), ["s2"]);
        next.under_way.remove("s0");
        assert!(queue.ask(&id("aaaaaaaa"), next, 2).is_empty());
    }

    #[test]
    fn the_bound_is_over_all_databases() {
        let mut queue = Queue::new(1);
        assert!(queue.ask(&id("aaaaaaaa"), wants(&[("s", &["vdc1"])]), 0).is_empty());
        assert_eq!(names(&queue.ask(&id("bbbbbbbb"), wants(&[("s", &["vdc1", "vdc2"])]), 0)), ["s"]);
        assert!(queue.ask(&id("cccccccc"), wants(&[("s", &["vdc3"])]), 0).is_empty());
        queue.ask(&id("aaaaaaaa"), Demand::default(), 1);
        assert!(queue.ask(&id("bbbbbbbb"), wants(&[("s", &["vdc1", "vdc2"])]), 1).is_empty());
    }

    #[test]
    fn a_set_that_is_under_way_does_not_wait_for_itself() {
        let mut queue = Queue::new(1);
        let demand = Demand { under_way: at(&[("s", &["vdc1"])]), wanted: at(&[("s", &["vdc1"])]) };
        assert!(queue.ask(&id("aaaaaaaa"), demand, 0).is_empty());
    }

    #[test]
    fn sets_that_are_broken_are_repaired_although_more_are_broken_than_may_change() {
        let mut queue = Queue::new(1);
        let repair = || Demand { under_way: at(&[("s", &["vdc1"])]), wanted: at(&[("s", &["vdc1"])]) };
        let broken = || Demand { under_way: at(&[("s", &["vdc1"])]), wanted: BTreeMap::new() };
        queue.ask(&id("aaaaaaaa"), broken(), 0);
        queue.ask(&id("bbbbbbbb"), broken(), 0);
        assert!(!queue.ask(&id("cccccccc"), wants(&[("s", &["vdc1"])]), 0).is_empty());
        assert!(queue.ask(&id("aaaaaaaa"), repair(), 1).is_empty());
        assert!(queue.ask(&id("bbbbbbbb"), repair(), 1).is_empty());
        let elsewhere = Demand { under_way: at(&[("s", &["vdc2"])]), wanted: at(&[("s", &["vdc1"])]) };
        assert!(!queue.ask(&id("dddddddd"), elsewhere, 1).is_empty());
    }

    #[test]
    fn who_asked_first_is_first() {
        let mut queue = Queue::new(1);
        let wanted = || wants(&[("s", &["vdc1"])]);
        assert!(queue.ask(&id("aaaaaaaa"), wanted(), 0).is_empty());
        assert!(!queue.ask(&id("bbbbbbbb"), wanted(), 1).is_empty());
        assert!(!queue.ask(&id("cccccccc"), wanted(), 2).is_empty());
        queue.ask(&id("aaaaaaaa"), Demand::default(), 3);
        assert!(!queue.ask(&id("cccccccc"), wanted(), 4).is_empty(), "the one before it has its turn");
        // Whoever had its turn asks again behind the others.
        assert!(!queue.ask(&id("aaaaaaaa"), wanted(), 5).is_empty());
        assert!(queue.ask(&id("bbbbbbbb"), wanted(), 6).is_empty());
        queue.ask(&id("bbbbbbbb"), Demand::default(), 7);
        assert!(!queue.ask(&id("aaaaaaaa"), wanted(), 8).is_empty());
        assert!(queue.ask(&id("cccccccc"), wanted(), 9).is_empty());
    }

    #[test]
    fn nobody_waits_for_one_that_makes_no_passes_any_more() {
        let mut queue = Queue::new(1);
        assert!(queue.ask(&id("aaaaaaaa"), wants(&[("s", &["vdc1"])]), 0).is_empty());
        assert!(!queue.ask(&id("bbbbbbbb"), wants(&[("s", &["vdc1"])]), MAX_AGE).is_empty());
        assert!(queue.ask(&id("bbbbbbbb"), wants(&[("s", &["vdc1"])]), MAX_AGE + 1).is_empty());
        let mut queue = Queue::new(1);
        queue.ask(&id("aaaaaaaa"), wants(&[("s", &["vdc1"])]), 0);
        queue.forget(&id("aaaaaaaa"));
        assert!(queue.ask(&id("bbbbbbbb"), wants(&[("s", &["vdc1"])]), 1).is_empty());
    }
}
