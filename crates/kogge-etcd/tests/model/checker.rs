//! The state machine that `stateright` explores, its properties and its counts.

use std::io::{Write as _, stderr};
use std::time::Instant;

use kogge_etcd::FindingKind;
use stateright::{Checker as _, HasDiscoveries, Model, Property};

use crate::world::{Bounds, Disk, Gate, World};

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The operator looks, without one member, and plans.
    Observe(Option<usize>),
    /// The operator carries out its next step.
    Act,
    /// A gate looks, and starts its server if it may.
    Look(usize),
    /// A member applies its leader's log.
    Apply(usize),
    Elect,
    LoseDisk(usize),
    Kill(usize),
    /// The templates change.
    Roll,
}

#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) start: World,
}

const LAWS: &str = "no law is broken";
const GOAL: &str = "from every state the goal is reached, or it is said what is lost";

/// So many rounds reach every goal of three members.
const ROUNDS: usize = 60;

impl Scenario {
    /// A group that has not begun.
    pub(crate) fn bootstrap(name: &'static str, wanted: [bool; 3], left: Bounds) -> Self {
        Self { name, start: World::empty(wanted, left) }
    }

    /// A settled group that shall become another.
    pub(crate) fn settled(name: &'static str, from: [bool; 3], to: [bool; 3], left: Bounds) -> Self {
        let mut start = World::empty(from, Bounds::default()).healed();
        assert!(start.plan(None).settled(), "{name}: the first goal is not reached: {start:#?}");
        (start.wanted, start.left) = (to, left);
        Self { name, start }
    }
}

impl World {
    /// A fair run without faults; somebody empties the disks that gates hold as old.
    fn healed(&self) -> Self {
        let mut world = self.clone();
        // What was planned before the faults ended is forgotten.
        world.pending.clear();
        world.left = Bounds { deaths: u8::MAX, ..Bounds::default() };
        for _ in 0..ROUNDS {
            let plan = world.plan(None);
            if plan.settled() {
                break;
            }
            world = world.observe(None).unwrap_or(world);
            while let Some(next) = world.act() {
                world = next;
            }
            for slot in 0..3 {
                if world.slots[slot].gate == Gate::Old {
                    world.slots[slot].disk = Disk::Empty;
                    world.remake(slot);
                }
                world = world.look(slot).unwrap_or(world);
            }
            world = world.elect().unwrap_or(world);
            for slot in 0..3 {
                world = world.apply_log(slot).unwrap_or(world);
            }
        }
        world.left = self.left;
        world
    }

    fn reaches_its_goal(&self) -> bool {
        let healed = self.healed();
        let plan = healed.plan(None);
        let lost = [FindingKind::SeedLost, FindingKind::GroupLost, FindingKind::MajorityLost];
        healed.breach.is_none() && (plan.settled() || plan.findings.iter().any(|f| lost.contains(&f.kind)))
    }
}

impl Model for Scenario {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        vec![self.start.clone()]
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        // A breach ends the path: what follows from it tells nothing more.
        if world.breach.is_some() {
            return;
        }
        // An operator that looks again before it has carried out its plan is one that died.
        if world.pending.is_empty() || world.left.deaths > 0 {
            events.push(Event::Observe(None));
            if world.left.partial_views > 0 {
                events.extend((0..3).map(|slot| Event::Observe(Some(slot))));
            }
        }
        events.extend([Event::Act, Event::Elect]);
        events.extend((0..3).flat_map(|slot| [Event::Look(slot), Event::Apply(slot)]));
        if world.left.lost_disks > 0 {
            events.extend((0..3).map(Event::LoseDisk));
        }
        if world.left.kills > 0 {
            events.extend((0..3).map(Event::Kill));
        }
        if world.left.rollouts > 0 {
            events.push(Event::Roll);
        }
    }

    fn next_state(&self, world: &World, event: Event) -> Option<World> {
        match event {
            Event::Observe(hidden) => world.observe(hidden),
            Event::Act => world.act(),
            Event::Look(slot) => world.look(slot),
            Event::Apply(slot) => world.apply_log(slot),
            Event::Elect => world.elect(),
            Event::LoseDisk(slot) => {
                let mut next = world.clone();
                next.left.lost_disks -= 1;
                next.slots[slot].disk = Disk::Empty;
                next.remake(slot);
                next.disturbed = true;
                (world.slots[slot].disk != Disk::Empty).then_some(next)
            }
            Event::Kill(slot) => {
                let mut next = world.clone();
                next.left.kills -= 1;
                next.remake(slot);
                next.disturbed = true;
                Some(next)
            }
            Event::Roll => {
                let mut next = world.clone();
                (next.left.rollouts, next.revision) = (world.left.rollouts - 1, world.revision + 1);
                Some(next)
            }
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(LAWS, |_, world: &World| world.breach.is_none()),
            Property::always(GOAL, |_, world: &World| world.breach.is_some() || world.reaches_its_goal()),
        ]
    }
}

/// An exploration of more states, those that were met before among them, has bounds that are too wide.
const LIMIT: usize = 20_000_000;

/// Explores every state of a scenario and prints how many there are. Panics with the shortest counterexample found.
pub(crate) fn explore(scenario: Scenario) {
    let name = scenario.name;
    let begun = Instant::now();
    let builder = scenario.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).target_state_count(LIMIT);
    let checker = builder.spawn_bfs().join();
    let discoveries = checker.discoveries();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    // The harness captures what the macros print, and not this.
    let mut stderr = stderr().lock();
    writeln!(stderr, "model {name}: {states} states, depth {depth}, {:.1} s", begun.elapsed().as_secs_f64())
        .unwrap();
    drop(stderr);
    if let Some((property, path)) = discoveries.into_iter().next() {
        let last = path.last_state().clone();
        let plan = last.healed().plan(None);
        let events = path.into_actions();
        panic!("{name}: \"{property}\" does not hold after {events:#?}\n{last:#?}\nhealed: {plan:#?}");
    }
    assert!(checker.state_count() < LIMIT, "{name}: not explored within {LIMIT} states");
}
