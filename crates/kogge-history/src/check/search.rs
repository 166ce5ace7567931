//! The search for an order of the operations on one key.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::configuration::{Best, Configuration, Done, MOST_RUNNING, Used};
use super::meaning::{State, Step, Test};

/// What the search may cost for each key, before it ends undecided. Both are counts, so a verdict is the same on every
/// machine.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How often an operation may be tried next.
    pub steps: u64,
    /// How many configurations are kept at a time, of about 100 bytes each.
    pub configurations: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 20_000_000, configurations: 200_000 }
    }
}

/// The limit at which a search ended without a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// It would have taken more steps than this.
    Steps(u64),
    /// It would have kept more configurations than this.
    Configurations(usize),
    /// More operations than this were running at one time.
    Running(usize),
}

/// What came of a search.
pub(super) enum Found {
    /// There is an order.
    Order,
    /// There is none.
    NoOrder(Stuck),
    TooMuch(Exceeded),
}

/// Where no order works any more.
pub(super) struct Stuck {
    /// The operation that cannot have taken effect by the time at which it has.
    pub(super) step: usize,
    /// What the key may hold, by all that was answered before.
    pub(super) held: BTreeSet<State>,
    /// The other changes that were running.
    pub(super) running: Vec<usize>,
}

/// How many configurations are kept at first. An order is found with few of them, if there is one; only that there is none
/// takes all of them.
const FIRST_WIDTH: usize = 64;
const WIDER: usize = 16;

/// Looks for an order of the operations.
pub(super) fn search(steps: &[Step], limits: &Limits) -> Found {
    let mut width = FIRST_WIDTH.min(limits.configurations);
    let mut taken = 0;
    loop {
        let mut search = Search::new(steps, limits, width, taken);
        let found = search.pass();
        taken = search.taken;
        match found {
            Found::NoOrder(_) if search.left_out && width < limits.configurations => {
                width = width.saturating_mul(WIDER).min(limits.configurations);
            }
            Found::NoOrder(_) if search.left_out => return Found::TooMuch(Exceeded::Configurations(width)),
            other => return other,
        }
    }
}

struct Search<'a> {
    steps: &'a [Step],
    limits: &'a Limits,
    /// How many configurations are kept.
    width: usize,
    /// Whether some were not.
    left_out: bool,
    taken: u64,
    /// The operations that run and must take effect.
    slots: Vec<Option<usize>>,
    slot_of: BTreeMap<usize, usize>,
    closed: Vec<bool>,
    /// The operations that may take effect now or later or never, by the numbers of their kinds.
    optional: BTreeMap<usize, Alike>,
    kinds: usize,
    /// Who writes a value that an operation names.
    writers: BTreeMap<State, usize>,
}

/// Operations that nobody can tell apart, in the order of their calls.
struct Alike {
    test: Test,
    to: State,
    places: Vec<usize>,
}

/// What is kept first: those that used least, and of these those that did least.
type Rank = (usize, u32);

fn rank(known: &Configuration) -> Rank {
    (known.used.count(), known.done.count_ones())
}

/// Calls and returns in the order of time. Where a call and a return are at one moment, the call is first: the two
/// operations overlap, which allows more orders than the other way round.
fn events(steps: &[Step]) -> Vec<(u64, bool, usize)> {
    let calls = steps.iter().enumerate().map(|(place, step)| (step.called, false, place));
    let returns = steps.iter().enumerate().filter_map(|(place, step)| Some((step.by?, true, place)));
    let mut events: Vec<(u64, bool, usize)> = calls.chain(returns).collect();
    events.sort_unstable();
    events
}

impl<'a> Search<'a> {
    fn new(steps: &'a [Step], limits: &'a Limits, width: usize, taken: u64) -> Self {
        let changes = steps.iter().enumerate().filter_map(|(place, step)| Some((step.to?, place)));
        Self {
            steps,
            limits,
            width,
            left_out: false,
            taken,
            slots: Vec::new(),
            slot_of: BTreeMap::new(),
            closed: vec![false; steps.len()],
            optional: BTreeMap::new(),
            kinds: 0,
            writers: changes.filter(|(to, _)| to.is_named()).collect(),
        }
    }

    /// Passes through the history once.
    fn pass(&mut self) -> Found {
        let mut configurations = vec![Configuration::first()];
        for (_, is_return, place) in events(self.steps) {
            if !is_return {
                if let Err(exceeded) = self.open(place, &mut configurations) {
                    return Found::TooMuch(exceeded);
                }
                continue;
            }
            match self.close(place, &configurations) {
                Ok(next) if next.is_empty() => return Found::NoOrder(self.stuck(place, &configurations)),
                Ok(next) => configurations = self.without_the_impossible(next),
                Err(exceeded) => return Found::TooMuch(exceeded),
            }
        }
        Found::Order
    }

    /// An operation was called.
    fn open(&mut self, place: usize, configurations: &mut [Configuration]) -> Result<(), Exceeded> {
        let step = &self.steps[place];
        if let (None, Some(to)) = (step.by, step.to) {
            let mut known = self.optional.values_mut();
            if let Some(alike) = known.find(|alike| alike.test == step.test && alike.to == to) {
                alike.places.push(place);
            } else {
                self.optional.insert(self.kinds, Alike { test: step.test, to, places: vec![place] });
                self.kinds += 1;
            }
            return Ok(());
        }
        let free = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        if free == MOST_RUNNING {
            return Err(Exceeded::Running(MOST_RUNNING));
        }
        if free == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[free] = Some(place);
        self.slot_of.insert(place, free);
        if step.to.is_none() {
            for known in configurations.iter_mut().filter(|known| step.test.holds(known.state)) {
                known.done |= 1 << free;
            }
        }
        Ok(())
    }

    /// An operation has taken effect by now: keeps the configurations in which it has, and finds all others that lead to
    /// such, by way of what is running.
    fn close(&mut self, place: usize, configurations: &[Configuration]) -> Result<Vec<Configuration>, Exceeded> {
        let Some(slot) = self.slot_of.get(&place).copied() else { return Ok(configurations.to_vec()) };
        let bit = 1 << slot;
        let mut next = Best::default();
        let mut seen = Best::default();
        // Those that used least come first, so that what is worse than they are is never gone into.
        let mut open = BTreeSet::new();
        let mut sort = |open: &mut BTreeSet<(Rank, Configuration)>, known: Configuration| {
            if known.done & bit == 0 {
                open.insert((rank(&known), known));
            } else {
                next.insert(Configuration { done: known.done & !bit, ..known });
            }
        };
        for known in configurations {
            sort(&mut open, known.clone());
        }
        while let Some((_, known)) = open.pop_first() {
            if seen.len() >= self.width {
                self.left_out = true;
                break;
            }
            if !seen.insert(known.clone()) {
                continue;
            }
            for reached in self.reached_from(&known) {
                self.taken += 1;
                sort(&mut open, reached);
            }
            if self.taken > self.limits.steps {
                return Err(Exceeded::Steps(self.limits.steps));
            }
        }
        let mut next = next.into_vec();
        if next.len() > self.width {
            self.left_out = true;
            next.sort_by_cached_key(rank);
            next.truncate(self.width);
        }
        if !next.is_empty() {
            self.slots[slot] = None;
            self.slot_of.remove(&place);
            self.closed[place] = true;
        }
        Ok(next)
    }

    /// Forgets the swaps of unknown outcome whose comparison will never be true again: the key does not hold what they
    /// compare with, and who wrote it will not do so again. What used them is no better or worse for it.
    fn without_the_impossible(&mut self, configurations: Vec<Configuration>) -> Vec<Configuration> {
        let is_over = |alike: &Alike| match alike.test {
            Test::Is(state) => {
                let writer = self.writers.get(&state);
                writer.is_some_and(|writer| self.closed[*writer])
                    && configurations.iter().all(|known| known.state != state)
            }
            Test::Any | Test::IsNot(_) => false,
        };
        let over = self.optional.iter().filter(|(_, alike)| is_over(alike)).map(|(kind, _)| *kind);
        let over: BTreeSet<usize> = over.collect();
        if over.is_empty() {
            return configurations;
        }
        for alike in over.iter().filter_map(|kind| self.optional.remove(kind)) {
            for place in alike.places {
                self.closed[place] = true;
            }
        }
        let mut best = Best::default();
        for mut known in configurations {
            known.used.forget(&over);
            best.insert(known);
        }
        best.into_vec()
    }

    /// What one more change leads to.
    fn reached_from(&self, known: &Configuration) -> Vec<Configuration> {
        let mut reached = Vec::new();
        for (slot, place) in self.slots.iter().enumerate().filter_map(|(slot, place)| Some((slot, (*place)?))) {
            let step = &self.steps[place];
            let Some(to) = step.to.filter(|_| known.done & (1 << slot) == 0) else { continue };
            let is_next = step.after.is_none_or(|before| self.has_taken_effect(before, known));
            if is_next && step.test.holds(known.state) {
                reached.push(self.settled(to, known.done | 1 << slot, known.used.clone()));
            }
        }
        for (&kind, alike) in &self.optional {
            if alike.test.holds(known.state) && known.used.of(kind) < alike.places.len() {
                reached.push(self.settled(alike.to, known.done, known.used.with_one_more(kind)));
            }
        }
        reached
    }

    fn has_taken_effect(&self, place: usize, known: &Configuration) -> bool {
        self.closed[place] || self.slot_of.get(&place).is_some_and(|slot| known.done & (1 << slot) != 0)
    }

    /// A configuration in which all running operations that change nothing have taken effect if they may: to do so sooner
    /// takes no way from any other.
    fn settled(&self, state: State, mut done: Done, used: Used) -> Configuration {
        for (slot, place) in self.slots.iter().enumerate() {
            let Some(step) = place.map(|place| &self.steps[place]) else { continue };
            if step.to.is_none() && step.test.holds(state) {
                done |= 1 << slot;
            }
        }
        Configuration { state, done, used }
    }

    fn stuck(&self, step: usize, configurations: &[Configuration]) -> Stuck {
        let optional = self.optional.values().flat_map(|alike| &alike.places);
        let running = self.slots.iter().flatten().chain(optional).copied();
        let mut running: Vec<usize> =
            running.filter(|place| *place != step && self.steps[*place].to.is_some()).collect();
        running.sort_unstable();
        Stuck { step, held: configurations.iter().map(|known| known.state).collect(), running }
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps(most) => write!(f, "the search for an order ended after {most} steps"),
            Self::Configurations(most) => {
                write!(f, "the search found no order, but kept {most} configurations at a time only")
            }
            Self::Running(most) => {
                write!(
                    f,
                    "more than {most} operations were running at a time, the most that the search can follow"
                )
            }
        }
    }
}
