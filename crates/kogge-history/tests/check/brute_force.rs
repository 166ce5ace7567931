//! Another checker, which tries every order, to compare with.

use std::collections::BTreeMap;

use kogge_history::history::{Answer, Effect, Entry, Expected, Operation, Outcome};

/// What a register is in.
#[derive(Clone, Copy)]
struct State<'a> {
    holds: Option<&'a str>,
    /// The highest revision of a change so far.
    revision: u64,
}

/// Whether there is an order of these operations, which are all on one key.
pub(crate) fn has_order(entries: &[Entry]) -> bool {
    let mut revisions: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in entries {
        let Outcome::Ok(Answer { revision, effect }) = &entry.outcome else { continue };
        match effect {
            Effect::Held(Some(version)) => {
                revisions.extend(version.revision.map(|at| (version.value.as_str(), at)));
            }
            Effect::Written => revisions.extend(revision.map(|at| (entry.operation.value().unwrap(), at))),
            _ => {}
        }
    }
    let left: Vec<&Entry> = entries.iter().filter(|entry| !matches!(entry.outcome, Outcome::Failed(_))).collect();
    any_order(&left, State { holds: None, revision: 0 }, &revisions)
}

fn any_order<'a>(left: &[&'a Entry], state: State<'a>, revisions: &BTreeMap<&str, u64>) -> bool {
    let answered = left.iter().filter(|entry| !entry.is_unknown());
    let Some(first_return) = answered.filter_map(|entry| entry.returned).min() else { return true };
    left.iter().enumerate().any(|(place, entry)| {
        entry.called <= first_return
            && after(entry, state, revisions).is_some_and(|next| {
                let mut rest = left.to_vec();
                rest.remove(place);
                any_order(&rest, next, revisions)
            })
    })
}

/// The state after an operation, if it can take effect now with its answer.
fn after<'a>(entry: &'a Entry, state: State<'a>, revisions: &BTreeMap<&str, u64>) -> Option<State<'a>> {
    let effect = entry.effect();
    match &entry.operation {
        Operation::Get => match effect? {
            Effect::Held(version) => {
                (state.holds == version.as_ref().map(|version| version.value.as_str())).then_some(state)
            }
            _ => None,
        },
        Operation::Put { value } => write(value, state, revisions),
        Operation::Swap { expected, value } => {
            let is_expected = match expected {
                Expected::Value(value) => state.holds == Some(value.as_str()),
                Expected::Revision(0) => state.holds.is_none(),
                Expected::Revision(revision) => {
                    state.holds.is_some_and(|value| revisions.get(value) == Some(revision))
                }
            };
            match effect {
                Some(Effect::Differed) => (!is_expected).then_some(state),
                _ if is_expected => write(value, state, revisions),
                _ => None,
            }
        }
        Operation::Delete => {
            let existed = effect.is_none_or(|effect| *effect == Effect::Deleted { existed: true });
            if existed != state.holds.is_some() {
                return None;
            }
            let Outcome::Ok(Answer { revision: Some(revision), .. }) = entry.outcome else {
                return Some(State { holds: None, ..state });
            };
            if existed { at(revision, state).map(|next| State { holds: None, ..next }) } else { Some(state) }
        }
    }
}

fn write<'a>(value: &'a str, state: State<'a>, revisions: &BTreeMap<&str, u64>) -> Option<State<'a>> {
    let next = revisions.get(value).map_or(Some(state), |revision| at(*revision, state))?;
    Some(State { holds: Some(value), ..next })
}

fn at(revision: u64, state: State<'_>) -> Option<State<'_>> {
    (revision > state.revision).then_some(State { revision, ..state })
}
