//! Turns: how many groups are changed in one vdc at a time, over all databases. An initial sync or a restart
//! costs the data centre that it happens in, and a hundred groups may want one after the same edit.
//!
//! The queue rests on what each database observed at its last pass. It remembers beside that only who asked first;
//! when that is forgotten, somebody else is first.

use std::collections::{BTreeMap, BTreeSet};

use kogge_api::ClusterId;
use kogge_engine::{Engine, GroupName, Millis, Pod, PodName, Vdc};
use kogge_plan::Action;

use crate::plan::DatabasePlan;
use crate::prepared::Prepared;

/// What a database said longer ago than this is not counted any more: nobody waits for one that makes no passes.
const MAX_AGE: Millis = 60_000;

/// What one database has under way, and what it would begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Groups with a member that syncs or restarts, and the vdcs of these members.
    pub under_way: BTreeMap<GroupName, BTreeSet<Vdc>>,
    /// Groups that would begin a sync or a restart now, and where.
    pub wanted: BTreeMap<GroupName, BTreeSet<Vdc>>,
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
    under_way: BTreeMap<GroupName, BTreeSet<Vdc>>,
    waiting: BTreeMap<GroupName, Waiting>,
}

#[derive(Clone, Debug)]
struct Waiting {
    /// The lowest has waited longest.
    ticket: u64,
    vdcs: BTreeSet<Vdc>,
}

impl Queue {
    /// A queue that lets `limit` groups be changed in one vdc at a time.
    pub fn new(limit: usize) -> Self {
        Self { limit, databases: BTreeMap::new(), next_ticket: 0 }
    }

    /// Whether each of these databases has said what it has under way.
    pub fn knows<'a>(&self, mut databases: impl Iterator<Item = &'a ClusterId>) -> bool {
        databases.all(|id| self.databases.contains_key(id))
    }

    /// Takes note of what a database has under way and asks for. Returns the groups that have to wait; the others
    /// have their turn. Whoever asked first is first, as long as it goes on asking.
    pub fn ask(&mut self, id: &ClusterId, demand: Demand, now: Millis) -> BTreeSet<GroupName> {
        self.databases.retain(|other, entry| other == id || now.saturating_sub(entry.said_at) <= MAX_AGE);
        let mut before = self.databases.remove(id).unwrap_or_default();
        let mut waiting = BTreeMap::new();
        for (group, vdcs) in demand.wanted {
            let ticket = before.waiting.remove(&group).map_or_else(
                || {
                    self.next_ticket += 1;
                    self.next_ticket
                },
                |known| known.ticket,
            );
            waiting.insert(group, Waiting { ticket, vdcs });
        }
        self.databases.insert(id.clone(), Entry { said_at: now, under_way: demand.under_way, waiting });
        self.grant(id)
    }

    /// Forgets a database that is gone.
    pub fn forget(&mut self, id: &ClusterId) {
        self.databases.remove(id);
    }

    /// Gives turns to the groups of a database in the order in which they asked, and returns the others. Where a group is
    /// under way, another step of it adds nothing: what is broken everywhere must not keep its own repair waiting.
    fn grant(&mut self, id: &ClusterId) -> BTreeSet<GroupName> {
        let own = self.databases.get(id).map(|entry| entry.waiting.clone()).unwrap_or_default();
        let mut asking: Vec<(&GroupName, &Waiting)> = own.iter().collect();
        asking.sort_by_key(|(_, waiting)| waiting.ticket);
        let mut held = BTreeSet::new();
        for (group, waiting) in asking {
            let busy = self.databases.get(id).and_then(|entry| entry.under_way.get(group));
            let mut begun = waiting.vdcs.iter().filter(|vdc| busy.is_none_or(|busy| !busy.contains(*vdc)));
            if begun.any(|vdc| self.ahead(id, group, waiting.ticket, vdc) >= self.limit) {
                held.insert(group.clone());
            } else if let Some(entry) = self.databases.get_mut(id) {
                entry.waiting.remove(group);
                entry.under_way.entry(group.clone()).or_default().extend(waiting.vdcs.iter().cloned());
            }
        }
        held
    }

    /// How many other groups are changed in a vdc, or asked for it earlier.
    fn ahead(&self, id: &ClusterId, group: &GroupName, ticket: u64, vdc: &Vdc) -> usize {
        let count = |(other, entry): (&ClusterId, &Entry)| {
            let is_other = |name: &GroupName| other != id || name != group;
            let busy = |name: &GroupName| entry.under_way.get(name).is_some_and(|vdcs| vdcs.contains(vdc));
            let changed = entry.under_way.keys().filter(|name| is_other(name) && busy(name)).count();
            let earlier = entry.waiting.iter().filter(|(name, waiting)| {
                is_other(name) && !busy(name) && waiting.ticket < ticket && waiting.vdcs.contains(vdc)
            });
            changed + earlier.count()
        };
        self.databases.iter().map(count).sum()
    }
}

impl<E: Engine> DatabasePlan<E> {
    /// What the database has under way, by what was observed, and what this plan would begin.
    pub fn demand(&self, prepared: &Prepared<'_, E>) -> Demand {
        let mut demand = Demand::default();
        for (name, group) in &self.engine.groups {
            let listed = group.members.iter().filter(|member| member.listed);
            let busy = listed.filter(|m| m.in_transition || is_restarting(prepared.pods.get(&m.pod)));
            let vdcs: BTreeSet<Vdc> = busy.map(|member| member.vdc.clone()).collect();
            if !vdcs.is_empty() {
                demand.under_way.insert(name.clone(), vdcs);
            }
        }
        for step in &self.engine.steps {
            let begun = step.burdens.as_ref().and_then(|pod| vdc_of(prepared, pod));
            if let Some(vdc) = begun {
                demand.wanted.entry(step.group.clone()).or_default().insert(vdc);
            }
        }
        demand
    }

    /// Leaves out what these groups would begin: it is not their turn.
    pub fn hold_back(&mut self, groups: BTreeSet<GroupName>) {
        let held = |group: &GroupName| groups.contains(group);
        let burdened = self.engine.steps.iter().filter(|step| held(&step.group));
        let pods: BTreeSet<&PodName> = burdened.filter_map(|step| step.burdens.as_ref()).collect();
        self.restarts.retain(
            |action| !matches!(action, Action::Delete { key, .. } if pods.contains(&PodName::new(&*key.name))),
        );
        self.steps.retain(|step| !(held(&step.group) && step.burdens.is_some()));
        self.in_queue = groups;
    }
}

/// The data centre of a member that is wanted.
fn vdc_of<E: Engine>(prepared: &Prepared<'_, E>, pod: &PodName) -> Option<Vdc> {
    let member = prepared.members.iter().find(|member| member.pod == *pod)?;
    member.place.as_ref().map(|(_, vdc)| vdc.clone())
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

    fn at(sets: &[(&str, &[&str])]) -> BTreeMap<GroupName, BTreeSet<Vdc>> {
        sets.iter()
            .map(|(set, vdcs)| (GroupName::new(*set), vdcs.iter().map(|vdc| Vdc::new(*vdc)).collect()))
            .collect()
    }

    fn wants(sets: &[(&str, &[&str])]) -> Demand {
        Demand { under_way: BTreeMap::new(), wanted: at(sets) }
    }

    fn names(sets: &BTreeSet<GroupName>) -> Vec<&str> {
        sets.iter().map(GroupName::as_str).collect()
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
