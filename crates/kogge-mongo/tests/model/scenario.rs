//! What is wanted, by whom, and how much may go wrong on the way.

use std::collections::BTreeMap;

use kogge_mongo::{
    Goal, Host, LeavingMember, MemberAnchor, MemberGoal, MemberId, MemberRole, Placement, PodName, Recovery,
    SetGoal, SetName, SetRole, Turns, Vdc,
};

use crate::anchors::{Anchor, Remembered};
use crate::guards::Guards;
use crate::protocol::{Mask, SLOTS};

pub(crate) const SET: &str = "db-config-7f3k2m9q";
const PLACEMENTS: [&str; 4] = ["vdc1", "vdc2", "vdc3", "vdc4"];

/// What a goal says of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) role: MemberRole,
    pub(crate) priority: u32,
}

/// A voter of priority 1.
pub(crate) const VOTER: Option<Want> = Some(Want { role: MemberRole::Voter, priority: 1 });
/// A member that never votes.
pub(crate) const READER: Option<Want> = Some(Want { role: MemberRole::ReadOnly, priority: 1 });

/// A hidden member that never votes.
pub(crate) const STANDBY: Option<Want> = Some(Want { role: MemberRole::Standby, priority: 1 });

/// A goal by slot; slots after the last are not wanted.
pub(crate) type Wants = Vec<Option<Want>>;

/// How often each thing may happen, and how far terms, oplogs and configs go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Highest term.
    pub(crate) term: u8,
    /// Longest oplog that client writes make.
    pub(crate) log: usize,
    /// Highest config version.
    pub(crate) version: u8,
    /// Processes that die.
    pub(crate) crashes: u8,
    /// Placements cut off from the others.
    pub(crate) partitions: u8,
    /// Disks lost behind a name that stays.
    pub(crate) lost_disks: u8,
    /// Observations that lack a placement or a member.
    pub(crate) partial_views: u8,
    /// Operators that die with something yet to do.
    pub(crate) deaths: u8,
    /// New templates.
    pub(crate) rollouts: u8,
    /// The control cluster is set back to the goal before.
    pub(crate) set_back: bool,
    /// Copies taken of a member and put back, or run beside it.
    pub(crate) copies: u8,
}

impl Bounds {
    /// Nothing goes wrong, and nothing goes on.
    pub(crate) const NONE: Self = Self {
        term: 0,
        log: 0,
        version: 0,
        crashes: 0,
        partitions: 0,
        lost_disks: 0,
        partial_views: 0,
        deaths: 0,
        rollouts: 0,
        set_back: false,
        copies: 0,
    };
}

/// One exploration.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// The placement of each slot.
    pub(crate) slots: Vec<usize>,
    /// The goals, one after the other.
    pub(crate) goals: Vec<Wants>,
    /// The vdcs that each goal keeps primaries out of; none where the list ends.
    pub(crate) away_from: Vec<Mask>,
    /// Start from the first goal reached, not from empty disks.
    pub(crate) settled: bool,
    /// The control cluster of each operator.
    pub(crate) operators: Vec<u8>,
    /// Nobody operates once the scenario has started.
    pub(crate) unattended: bool,
    /// Time passes between an executor's reading of a config and its command's arrival.
    pub(crate) slow_commands: bool,
    pub(crate) bounds: Bounds,
    pub(crate) guards: Guards,
}

impl Scenario {
    /// One operator; members by placement.
    pub(crate) fn new(name: &'static str, slots: &[usize], goals: &[&[Option<Want>]]) -> Self {
        assert!(slots.len() <= SLOTS && slots.iter().all(|placement| *placement < PLACEMENTS.len()));
        Self {
            name,
            slots: slots.to_vec(),
            goals: goals.iter().map(|wants| wants.to_vec()).collect(),
            away_from: Vec::new(),
            settled: false,
            operators: vec![0],
            unattended: false,
            slow_commands: false,
            bounds: Bounds::NONE,
            guards: Guards::ALL,
        }
    }

    /// The same, from the first goal reached.
    pub(crate) fn settled(name: &'static str, slots: &[usize], goals: &[&[Option<Want>]]) -> Self {
        Self { settled: true, ..Self::new(name, slots, goals) }
    }

    pub(crate) fn placements(&self) -> usize {
        self.slots.iter().max().map_or(0, |last| last + 1)
    }

    /// The slots in a placement.
    pub(crate) fn slots_in(&self, placement: usize) -> Mask {
        let mut mask = Mask::default();
        for (slot, at) in self.slots.iter().enumerate() {
            if *at == placement {
                mask.insert(slot);
            }
        }
        mask
    }

    pub(crate) fn placement(placement: usize) -> Placement {
        PLACEMENTS[placement].into()
    }

    pub(crate) fn pod(&self, slot: usize) -> PodName {
        let placement = self.slots[slot];
        let ordinal = self.slots[..slot].iter().filter(|at| **at == placement).count();
        PodName::new(format!("db-config-{}-{ordinal}", PLACEMENTS[placement]))
    }

    pub(crate) fn host(&self, slot: usize) -> Host {
        Host::new(format!("{}.db-config.ns.svc.cluster.local:27017", self.pod(slot)))
    }

    pub(crate) fn slot_of(&self, pod: &PodName) -> usize {
        (0..self.slots.len()).find(|slot| self.pod(*slot) == *pod).unwrap()
    }

    pub(crate) fn slot_at(&self, host: &Host) -> usize {
        (0..self.slots.len()).find(|slot| self.host(*slot) == *host).unwrap()
    }

    /// What goal number `goal` says of a slot.
    pub(crate) fn want(&self, goal: usize, slot: usize) -> Option<Want> {
        self.goals[goal].get(slot).copied().flatten()
    }

    pub(crate) fn away_from(&self, goal: usize) -> Mask {
        self.away_from.get(goal).copied().unwrap_or_default()
    }

    /// The tags of a slot under each role that any goal gives it; the position is the tags' number.
    pub(crate) fn tag_sets(&self, slot: usize) -> Vec<BTreeMap<String, String>> {
        let mut sets = Vec::new();
        for goal in 0..self.goals.len() {
            let Some(want) = self.want(goal, slot) else { continue };
            let tags = self.member(slot, want, None).tags();
            if !sets.contains(&tags) {
                sets.push(tags);
            }
        }
        sets
    }

    /// The number of a set of tags.
    pub(crate) fn tags_number(&self, slot: usize, tags: &BTreeMap<String, String>) -> u8 {
        let sets = self.tag_sets(slot);
        u8::try_from(sets.iter().position(|known| known == tags).unwrap()).unwrap()
    }

    /// Whether tags number `tags` are those that a goal asks for.
    pub(crate) fn has_wanted_tags(&self, goal: usize, slot: usize, tags: u8) -> bool {
        let wanted = self.want(goal, slot).map(|want| self.member(slot, want, None).tags());
        self.tag_sets(slot).get(usize::from(tags)) == wanted.as_ref()
    }

    fn member(&self, slot: usize, want: Want, anchor: Option<&Anchor>) -> MemberGoal {
        let placement = PLACEMENTS[self.slots[slot]];
        MemberGoal {
            pod: self.pod(slot),
            host: self.host(slot),
            placement: Placement::new(placement),
            vdc: Vdc::new(placement),
            priority: want.priority,
            role: want.role,
            anchor: anchor.map_or(MemberAnchor::default(), |anchor| remembered(anchor, slot)),
        }
    }

    /// The planner's goal, as the operator's assembly makes it from spec, anchors and fleet.
    pub(crate) fn goal(&self, number: usize, anchor: &Anchor, unseen: Mask) -> Goal {
        let slots = 0..self.slots.len();
        let wanted = slots.clone().filter_map(|slot| Some((slot, self.want(number, slot)?)));
        let leaving = slots.filter(|slot| anchor.members[*slot].is_some() && self.want(number, *slot).is_none());
        let set = SetGoal {
            name: SetName::new(SET),
            role: SetRole::Config,
            members: wanted.map(|(slot, want)| self.member(slot, want, Some(anchor))).collect(),
            leaving: leaving
                .map(|slot| LeavingMember {
                    pod: self.pod(slot),
                    host: self.host(slot),
                    anchor: remembered(anchor, slot),
                })
                .collect(),
            seed: anchor.seed.map(|slot| self.pod(slot.into())),
            next_member_id: anchor.next_id.into(),
            recovery: Recovery::default(),
            retired: false,
            removals: Turns::default(),
        };
        Goal {
            cluster: "db".to_owned(),
            sets: vec![set],
            routers: Vec::new(),
            unseen: unseen.iter().map(|at| (Self::placement(at), "not seen".to_owned())).collect(),
            rollout_order: Vec::new(),
            away_from: self.away_from(number).iter().map(|at| Vdc::new(PLACEMENTS[at])).collect(),
            rolling: false,
            balancer: Turns::default(),
            feature_compatibility_version: None,
            paused: false,
        }
    }
}

fn remembered(anchor: &Anchor, slot: usize) -> MemberAnchor {
    let Remembered { id, initialized } = anchor.members[slot].unwrap_or_default();
    MemberAnchor { member_id: id.map(|id| MemberId(id.into())), initialized }
}
