//! Lives full of mishaps: the operator is killed anywhere, sees less than there is, and gets no answers.

use proptest::prelude::*;

use super::{Fate, Fortune, World};

#[derive(Clone, Debug)]
pub(crate) struct Round {
    fate: Fate,
    /// What becomes of the first requests to the control cluster.
    fortunes: Vec<Fortune>,
    /// The workers whose watches catch up before the pass.
    observed: Vec<bool>,
    /// Seconds that go by after it.
    seconds: usize,
}

pub(crate) fn round() -> impl Strategy<Value = Round> {
    let killed = (prop::collection::vec(0_usize..8, 4), 0_usize..3);
    let fate = prop_oneof![
        1 => Just(Fate::Lives),
        2 => killed.prop_map(|(writes, steps)| Fate::Killed { writes, steps }),
    ];
    let fortunes = prop::collection::vec(fortune(), 0..6);
    (fate, fortunes, prop::collection::vec(prop::bool::weighted(0.7), 4), 0_usize..3)
        .prop_map(|(fate, fortunes, observed, seconds)| Round { fate, fortunes, observed, seconds })
}

/// Most requests are answered.
pub(crate) fn fortune() -> impl Strategy<Value = Fortune> {
    prop_oneof![8 => Just(Fortune::Answered), 1 => Just(Fortune::Lost), 1 => Just(Fortune::AnswerLost)]
}

pub(crate) fn live_through(world: &mut World, rounds: &[Round]) {
    for Round { fate, fortunes, observed, seconds } in rounds {
        world.observe_some(observed);
        world.fortunes = fortunes.iter().copied().collect();
        world.pass(fate);
        world.fortunes.clear();
        (0..*seconds).for_each(|_| world.tick());
    }
}
