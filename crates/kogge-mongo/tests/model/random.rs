//! Seven members in three and four data centres: random walks through everything that may happen, a fair run of the
//! planner from where they end. Every run of the tests takes the same walks; `cargo xtask soak walks` takes others.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;
use stateright::Model as _;

use crate::checker::Checked;
use crate::scenario::{Bounds, READER, STANDBY, Scenario, VOTER, Want};
use crate::world::Event;

const STEPS: usize = 90;
const BOUNDS: Bounds = Bounds {
    term: 6,
    log: 4,
    version: 60,
    crashes: 3,
    partitions: 2,
    lost_disks: 1,
    partial_views: 6,
    deaths: 6,
    rollouts: 1,
    set_back: true,
    copies: 0,
};

fn wants() -> impl Strategy<Value = Vec<Option<Want>>> {
    let want = prop_oneof![6 => Just(VOTER), 1 => Just(READER), 1 => Just(STANDBY), 2 => Just(None)];
    let some = |wants: &Vec<Option<Want>>| wants.contains(&VOTER);
    prop::collection::vec(want, 7).prop_filter("no voter", some)
}

fn slots() -> impl Strategy<Value = [usize; 7]> {
    prop_oneof![Just([0, 0, 0, 1, 1, 2, 2]), Just([0, 0, 1, 1, 2, 2, 3]), Just([0, 0, 0, 0, 1, 1, 2])]
}

/// Every second choice is the operators', so that they get somewhere among so many servers.
fn choose(events: &[Event], step: usize, index: Index) -> Event {
    let operators = |event: &&Event| matches!(event, Event::Observe(..) | Event::Act(..));
    let theirs: Vec<&Event> = events.iter().filter(operators).collect();
    if step.is_multiple_of(2) && !theirs.is_empty() { **index.get(&theirs) } else { *index.get(events) }
}

/// Set where walks are to be taken that no run took before.
const OTHERS: &str = "KOGGE_OTHER_WALKS";

fn seed() -> RngSeed {
    if std::env::var_os(OTHERS).is_some() { RngSeed::Random } else { RngSeed::Fixed(7) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_to_seven_members_the_goal_is_reached(
        slots in slots(),
        goals in prop::collection::vec(wants(), 1..4),
        two_operators in any::<bool>(),
        choices in prop::collection::vec(any::<Index>(), STEPS),
    ) {
        let goals: Vec<&[Option<Want>]> = goals.iter().map(Vec::as_slice).collect();
        let operators = if two_operators { vec![0, 0] } else { vec![0] };
        let scenario = Scenario::settled("seven", &slots, &goals);
        let model = Checked::new(Scenario { bounds: BOUNDS, operators, ..scenario });
        let mut world = model.start();
        let mut passed = Vec::new();
        let mut events = Vec::new();
        for (step, choice) in choices.iter().enumerate() {
            events.clear();
            model.actions(&world, &mut events);
            if events.is_empty() {
                break;
            }
            let event = choose(&events, step, *choice);
            if let Some(next) = model.next_state(&world, event) {
                passed.push(event);
                world = next;
                for property in model.properties() {
                    let holds = (property.condition)(&model, &world);
                    prop_assert!(holds, "{} after {:#?}\n{}", property.name, passed, world);
                }
            }
        }
    }
}
