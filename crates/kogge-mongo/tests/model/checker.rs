//! The state machine that `stateright` explores, its properties and its counts.

use std::fmt;
use std::io::{Write as _, stderr};
use std::sync::Arc;
use std::time::Instant;

use stateright::{Checker as _, HasDiscoveries, Model, Path, Property};

use crate::guards::Guards;
use crate::heal::{Healer, ROUNDS, stuck};
use crate::operator::Planner;
use crate::scenario::Scenario;
use crate::world::{Breach, Event, World};

/// A scenario with the planner and what is known of healing.
#[derive(Clone)]
pub(crate) struct Checked {
    pub(crate) scenario: Arc<Scenario>,
    pub(crate) planner: Arc<Planner>,
    pub(crate) healer: Arc<Healer>,
}

/// At most one primary in a term.
pub(crate) const ONE_PRIMARY: &str = "at most one primary per term";
/// What was acknowledged stays.
pub(crate) const NOTHING_LOST: &str = "an acknowledged majority write is never lost";
/// One voter at a time.
pub(crate) const ONE_VOTER: &str = "never more than one voter changed at once";
/// A majority stays healthy.
pub(crate) const MAJORITY: &str = "no step lowers the healthy voters below a majority";
/// The goal is reached.
pub(crate) const GOAL: &str = "from every state that can heal, the goal is reached";
/// Nothing is done then.
pub(crate) const SILENCE: &str = "nothing is done when the goal is reached";
/// One initiate, and only of what was recorded.
pub(crate) const ONE_SET: &str = "the set is initiated once, on the recorded seed";
/// Member ids are used once.
pub(crate) const MEMBER_IDS: &str = "no member id is used twice";
/// A primary is stepped down before its restart.
pub(crate) const STEP_DOWN_FIRST: &str = "no primary is restarted before it stepped down";
/// Votes come after joining and go before leaving.
pub(crate) const NO_VOTE_FIRST: &str = "members join and leave without a vote";
/// A later goal wins.
pub(crate) const NOT_UNDONE: &str = "what the newest goal wants is never taken away";

/// What holds the data stays.
pub(crate) const NEEDED: &str = "no wanted member that holds the data loses its vote or its place";

impl Checked {
    pub(crate) fn new(scenario: Scenario) -> Self {
        Self { scenario: Arc::new(scenario), planner: Arc::default(), healer: Arc::default() }
    }

    /// Where the scenario starts.
    pub(crate) fn start(&self) -> World {
        let empty = World::empty(&self.scenario);
        if !self.scenario.settled {
            return empty;
        }
        let in_earnest = Scenario { guards: Guards::ALL, ..Scenario::clone(&self.scenario) };
        let mut world = empty.healed(&in_earnest);
        for _ in 0..ROUNDS {
            world = world.round(&in_earnest, &self.planner);
        }
        assert!(world.is_settled(&in_earnest), "{}: the first goal is not reached:\n{world}", in_earnest.name);
        world
    }

    fn rounds(&self, world: &World) -> Option<usize> {
        self.healer.rounds(&self.scenario, &self.planner, world)
    }
}

impl Model for Checked {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        vec![self.start()]
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        // A breach ends the path: what follows from it tells nothing more.
        if world.history.clean() {
            world.events(&self.scenario, events);
        }
    }

    fn next_state(&self, world: &World, event: Event) -> Option<World> {
        let next = match event {
            Event::Observe(number, unseen, silent) => {
                world.observe(&self.scenario, &self.planner, number, unseen, silent)
            }
            Event::Act(number, at) => world.act(&self.scenario, number, at),
            event => world.after(&self.scenario, event),
        };
        next.filter(|next| self.within_boundary(next))
    }

    fn within_boundary(&self, world: &World) -> bool {
        let bounds = &self.scenario.bounds;
        world.servers.iter().all(|server| server.stamp().version <= bounds.version && server.term <= bounds.term)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONE_PRIMARY, |_, world: &World| world.one_primary_per_term()),
            Property::always(NOTHING_LOST, |_, world: &World| {
                world.holds_committed() && !world.history.has(Breach::Consensus)
            }),
            Property::always(ONE_VOTER, |_, world: &World| !world.history.has(Breach::ManyVoters)),
            Property::always(MAJORITY, |_, world: &World| !world.history.has(Breach::Majority)),
            Property::always(GOAL, |model: &Self, world: &World| {
                !world.history.clean() || model.rounds(world).is_some()
            }),
            Property::always(SILENCE, |model: &Self, world: &World| {
                !world.is_settled(&model.scenario)
                    || world.planned(&model.scenario, &model.planner).is_none_or(|planned| planned.silent())
            }),
            Property::always(ONE_SET, |_, world: &World| {
                !world.history.has(Breach::SecondInitiate) && !world.history.has(Breach::Unrecorded)
            }),
            Property::always(MEMBER_IDS, |_, world: &World| !world.history.has(Breach::MemberId)),
            Property::always(NO_VOTE_FIRST, |_, world: &World| !world.history.has(Breach::Vote)),
            Property::always(NEEDED, |_, world: &World| !world.history.has(Breach::Needless)),
            Property::always(STEP_DOWN_FIRST, |_, world: &World| !world.history.has(Breach::KilledPrimary)),
            Property::always(NOT_UNDONE, |_, world: &World| !world.history.has(Breach::Undone)),
        ]
    }
}

/// An exploration of more states, those that were met before among them, has bounds that are too wide.
const LIMIT: usize = 20_000_000;

/// How far to look.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extent {
    /// Every state within the scenario's bounds.
    Whole,
    /// States within this many events.
    Depth(usize),
}

/// Explores a scenario and prints how much was seen. Panics with the shortest counterexample found.
pub(crate) fn explore(scenario: Scenario, extent: Extent) {
    let name = scenario.name;
    let checked = Checked::new(scenario);
    let begun = Instant::now();
    let mut builder =
        checked.clone().checker().threads(2).finish_when(HasDiscoveries::AnyFailures).target_state_count(LIMIT);
    if let Extent::Depth(depth) = extent {
        builder = builder.target_max_depth(depth);
    }
    let checker = builder.spawn_bfs().join();
    let discoveries = checker.discoveries();
    print(format_args!(
        "model {name}: {} states, depth {}, goal within {} rounds, {:.1} s",
        checker.unique_state_count(),
        checker.max_depth(),
        checked.healer.longest(),
        begun.elapsed().as_secs_f64(),
    ));
    assert!(checker.state_count() < LIMIT, "{name}: not explored within {LIMIT} states");
    if let Some((property, path)) = discoveries.into_iter().next() {
        panic!("{name}: \"{property}\" does not hold:\n{}", checked.tell(property, path));
    }
}

/// Explores a scenario that must fail one of these properties, breadth first, and returns which, and the events that
/// lead there.
pub(crate) fn find_breach(scenario: Scenario, of: &[&'static str]) -> (&'static str, Vec<Event>) {
    let name = scenario.name;
    let checked = Checked::new(scenario);
    let begun = Instant::now();
    let wanted = HasDiscoveries::AnyOf(of.iter().copied().collect());
    let builder = checked.checker().threads(2).finish_when(wanted).target_state_count(LIMIT);
    let checker = builder.spawn_bfs().join();
    let seen = checker.unique_state_count();
    let mut found: Vec<(&'static str, Vec<Event>)> =
        checker.discoveries().into_iter().map(|(property, path)| (property, path.into_actions())).collect();
    found.retain(|(property, _)| of.contains(property));
    found.sort_by_key(|(_, events)| events.len());
    let Some((property, events)) = found.into_iter().next() else {
        panic!("{name}: not caught in {seen} states");
    };
    print(format_args!(
        "mutation {name}: caught by \"{property}\" after {} events, {seen} states, {:.1} s",
        events.len(),
        begun.elapsed().as_secs_f64()
    ));
    (property, events)
}

/// Prints a line also where the test passes: the harness captures what the macros print, and not this.
fn print(line: fmt::Arguments<'_>) {
    let mut stderr = stderr().lock();
    writeln!(stderr, "{line}").unwrap();
}

impl Checked {
    fn tell(&self, property: &str, path: Path<World, Event>) -> String {
        let last = path.last_state().clone();
        let mut told: Vec<String> = path.into_actions().iter().map(|event| format!("  {event:?}")).collect();
        told.push(last.to_string());
        if property == GOAL || property == SILENCE {
            let (end, said) = stuck(&self.scenario, &self.planner, &last);
            told.push(format!("healed, it ends in\n{end}where the planner says"));
            if let Some(plan) = said {
                told.extend(plan.steps.iter().map(|step| format!("  step: {step}")));
                told.extend(plan.waiting.iter().map(|waiting| format!("  waits for: {waiting}")));
                told.extend(plan.findings.iter().map(|finding| format!("  finds: {}", finding.message)));
            }
        }
        told.join("\n")
    }
}
