//! What the planner said, in the model's terms: records for the anchors, and at most one deed on servers and pods.

use kogge_mongo::{Action, Change, Executor, MemberId, Plan, PodName, Step};

use crate::anchors::Remembered;
use crate::protocol::{LOWERED, Listed, SLOTS, Stamp};
use crate::scenario::Scenario;

/// What the planner said.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) records: Vec<Record>,
    pub(crate) deed: Option<Deed>,
    /// Nothing to do, nothing to wait for, everything as wanted.
    pub(crate) ready: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Record {
    Seed(usize, u8),
    Member(usize, Remembered),
    Forget(usize),
}

/// A step of the planner on servers and pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Deed {
    Initiate {
        seed: u8,
        id: u8,
        priority: u8,
    },
    CreateUsers {
        via: u8,
    },
    Reconfig(Reconfig),
    StepDown {
        slot: u8,
    },
    Restart {
        slot: u8,
        facts: u8,
    },
    /// A reconfiguration whose config was read and edited, on its way to the server.
    Command {
        via: u8,
        members: [Option<Listed>; SLOTS],
        version: u8,
    },
}

/// A change of one member in a config that was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reconfig {
    pub(crate) via: u8,
    pub(crate) base: Stamp,
    pub(crate) slot: u8,
    pub(crate) id: u8,
    pub(crate) edit: Edit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Edit {
    Add { votes: bool, priority: u8, hidden: bool, tags: u8 },
    Hidden(bool),
    Vote(bool),
    Priority(u8),
    Tags(u8),
    Remove,
}

impl Planned {
    pub(crate) fn of(scenario: &Scenario, plan: &Plan) -> Self {
        let mut planned = Self { records: Vec::new(), deed: None, ready: plan.ready() };
        for step in &plan.steps {
            match step.action.executor() {
                Executor::Anchor => planned.records.extend(record(scenario, step)),
                Executor::Kubernetes | Executor::Wire => {
                    assert!(planned.deed.is_none(), "two steps at once: {:#?}", plan.steps);
                    planned.deed = deed(scenario, step);
                }
            }
        }
        planned
    }

    /// Nothing is done.
    pub(crate) fn silent(&self) -> bool {
        self.records.is_empty() && self.deed.is_none()
    }
}

fn small(number: u32) -> u8 {
    u8::try_from(number).unwrap()
}

fn record(scenario: &Scenario, step: &Step) -> Option<Record> {
    let member = |pod, id: &MemberId, initialized| {
        Record::Member(scenario.slot_of(pod), Remembered { id: Some(small(id.0)), initialized })
    };
    match &step.action {
        Action::RecordSeed { pod, member_id } => Some(Record::Seed(scenario.slot_of(pod), small(member_id.0))),
        Action::ReserveMemberId { pod, member_id, .. } => Some(member(pod, member_id, false)),
        Action::MarkInitialized { pod, member_id } => Some(member(pod, member_id, true)),
        Action::ForgetMember { pod } => Some(Record::Forget(scenario.slot_of(pod))),
        _ => None,
    }
}

/// What a step does to servers and pods. Steps of sharding do nothing to a replica set.
fn deed(scenario: &Scenario, step: &Step) -> Option<Deed> {
    let slot = |pod: &PodName| u8::try_from(scenario.slot_of(pod)).unwrap();
    let reconfig = |change: &Change, edit| {
        Some(Deed::Reconfig(Reconfig {
            via: slot(&change.via),
            base: Stamp { term: change.base.term as u8, version: change.base.version as u8 },
            slot: u8::try_from(scenario.slot_at(&change.host)).unwrap(),
            id: small(change.id.0),
            edit,
        }))
    };
    let tags = |change: &Change, tags| scenario.tags_number(scenario.slot_at(&change.host), tags);
    match &step.action {
        Action::Initiate { seed, member, .. } => {
            let (id, priority) = (small(member.id.0), 2 * small(member.priority));
            Some(Deed::Initiate { seed: slot(seed), id, priority })
        }
        Action::CreateUsers { via } => Some(Deed::CreateUsers { via: slot(via) }),
        Action::AddMember { change, member } => {
            let (votes, priority, hidden) = (member.votes > 0, 2 * small(member.priority), member.hidden);
            reconfig(change, Edit::Add { votes, priority, hidden, tags: tags(change, &member.tags) })
        }
        Action::Promote { change } => reconfig(change, Edit::Vote(true)),
        Action::Demote { change } => reconfig(change, Edit::Vote(false)),
        Action::SetPriority { change, priority } => reconfig(change, Edit::Priority(2 * small(*priority))),
        Action::LowerPriority { change } => reconfig(change, Edit::Priority(LOWERED)),
        Action::SetTags { change, tags: wanted } => reconfig(change, Edit::Tags(tags(change, wanted))),
        Action::SetHidden { change, hidden } => reconfig(change, Edit::Hidden(*hidden)),
        Action::RemoveMember { change } => reconfig(change, Edit::Remove),
        Action::StepDown { pod } => Some(Deed::StepDown { slot: slot(pod) }),
        Action::RestartPod { pod, uid } => Some(Deed::Restart { slot: slot(pod), facts: uid.parse().unwrap() }),
        _ => None,
    }
}
