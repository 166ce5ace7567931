//! Hand-overs of the primary's office: only to a voter that can take it, never by force.

use crate::data::names::{Host, PodName};
use crate::data::replset::{ConfigMember, MemberState, ReplConfig};
use crate::data::step::Action;
use crate::planning::draft::Draft;
use crate::view::SetView;

/// A voter that suits and can take over from the primary: electable, SECONDARY and with small lag.
pub(crate) fn heir<'a>(
    view: &SetView<'a>,
    primary: &PodName,
    suits: impl Fn(&ConfigMember) -> bool,
) -> Option<&'a Host> {
    let mut successors = successors(view, primary);
    let heir = successors
        .find(|m| view.state_of(&m.host) == Some(MemberState::Secondary) && view.caught_up(&m.host) && suits(m));
    heir.map(|m| &m.host)
}

/// Whether the config has another voter that may ever take over from the primary, in whatever state it is now. Where
/// it has none, waiting for one would never end, and the office comes back to where it was.
pub(crate) fn has_successor(view: &SetView<'_>, primary: &PodName) -> bool {
    successors(view, primary).next().is_some()
}

fn successors<'a>(view: &SetView<'a>, primary: &PodName) -> impl Iterator<Item = &'a ConfigMember> {
    let voters = view.config.into_iter().flat_map(ReplConfig::voters);
    voters.filter(move |m| m.priority > 0.0 && !m.arbiter && view.pod_of(&m.host) != Some(primary))
}

/// Plans a step-down of the primary, if a voter that suits can take over; else says what is waited for.
///
/// The primary itself chooses which member it asks to stand, and whoever is elected takes writes once it has heard
/// the others. A member that was restarted at another address is still said to be up by those that have not reached it
/// there: asked to stand it is not found, and the set has no primary until an election times out.
pub(crate) fn step_down(
    view: &SetView<'_>,
    primary: &PodName,
    why: &str,
    suits: impl Fn(&ConfigMember) -> bool,
    draft: &mut Draft<'_>,
) {
    let Some(heir) = heir(view, primary, suits) else {
        draft.wait_member(primary, "an electable secondary with small lag to hand over to", None);
        return;
    };
    if let Some((member, other)) = view.not_met_yet() {
        draft.wait_member(member, format!("it to reach {other}, since one of them was just started"), None);
        return;
    }
    draft.step(
        Action::StepDown { pod: primary.clone() },
        format!("it is the primary, {why}, and {heir} has caught up"),
        "another member to become PRIMARY",
    );
}
