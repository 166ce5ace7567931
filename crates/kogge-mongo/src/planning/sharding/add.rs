//! Shards that come: added when they have a primary.

use crate::data::names::Host;
use crate::data::step::Action;
use crate::planning::draft::Draft;
use crate::view::SetView;
use crate::view::routers::Routers;

/// Plans `addShard` for a shard that no router lists.
pub(crate) fn plan(routers: &Routers<'_>, view: &SetView<'_>, draft: &mut Draft<'_>) {
    if let Some(shard) = routers.shard(&view.set.name) {
        if shard.draining {
            draft.wait("the end of its removal, which was begun by hand and cannot be taken back");
        }
        return;
    }
    if !draft.steps.is_empty() {
        return;
    }
    let Some(config) = view.config.filter(|_| view.primary.is_some()) else {
        return;
    };
    // The registered hosts are where routers look first: the first growth comes before.
    if let Some(joining) = draft.waiting.iter().find_map(|w| w.member.as_ref())
        && view.silent_since(joining).is_none()
        && view.server(joining).is_some()
    {
        draft.wait(format!("{joining} to join before the shard is added"));
        return;
    }
    let hosts: Vec<Host> = config.voters().map(|m| m.host.clone()).collect();
    draft.step(
        Action::AddShard { via: routers.via(), hosts },
        "it has a primary and no router lists it as a shard",
        "the routers to list it",
    );
}
