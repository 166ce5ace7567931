//! Which version the group may have next, and what must not happen while its members have two.

use std::collections::BTreeSet;

use crate::version::Series;
use crate::view::GroupView;

/// The first minor release whose number of learners can be set.
const LEARNERS_SET_FROM: Series = Series(3, 6);

/// The minor releases of the servers that answer.
fn series(view: &GroupView<'_>) -> BTreeSet<Series> {
    view.servers.values().filter_map(|server| server.version()).map(crate::version::Version::series).collect()
}

/// Whether members may join or be promoted: not while members of two minor releases run, because each checks the number
/// of learners with its own limit.
pub(crate) fn may_join(view: &GroupView<'_>) -> Result<(), String> {
    let series = series(view);
    match (series.first(), series.last()) {
        (Some(oldest), Some(newest)) if oldest != newest => {
            Err(format!("no member joins or is promoted while members of {oldest} and of {newest} run"))
        }
        _ => Ok(()),
    }
}

/// How many learners the group may have now: every member checks with its own limit.
pub(crate) fn max_learners(view: &GroupView<'_>) -> usize {
    let fixed = series(view).first().is_some_and(|oldest| *oldest < LEARNERS_SET_FROM);
    if fixed { 1 } else { view.goal.max_learners }
}
