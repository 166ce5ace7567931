//! Which version the group may have next, and what must not happen while its members have two.
//!
//! etcd moves by one minor release at a time. The group agrees on a version once every listed member, learners and those
//! that never started too, tells it; until then binaries may go back, and below it they panic.

use std::collections::BTreeSet;

use crate::draft::Draft;
use crate::outcome::FindingKind;
use crate::topology::ListedMember;
use crate::version::{Series, Version};
use crate::view::GroupView;

/// The first minor release whose number of learners can be set.
const LEARNERS_SET_FROM: Series = Series(3, 6);

/// The patches that members must have before the next minor release: etcd's upgrade notes.
const LEAST_BEFORE: [(Series, Version); 2] =
    [(Series(3, 6), Version::new(3, 5, 32)), (Series(3, 7), Version::new(3, 6, 11))];

/// The minor releases of the servers that answer.
fn series(view: &GroupView<'_>) -> BTreeSet<Series> {
    view.servers.values().filter_map(|server| server.version()).map(Version::series).collect()
}

/// The version that the group agreed on, as the one says that knows most.
pub(crate) fn agreed(view: &GroupView<'_>) -> Option<Series> {
    view.servers.values().filter_map(|server| server.cluster_version()).max()
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

/// Whether the goal's version can be reached in one step, or why not.
pub(crate) fn verdict(view: &GroupView<'_>) -> Result<(), (FindingKind, String)> {
    let wanted = view.goal.version;
    let Some(agreed) = agreed(view) else {
        return if view.initiated() {
            Err(unknown(wanted, "no member tells the group's version"))
        } else {
            Ok(())
        };
    };
    if wanted.series() < agreed {
        return Err((
            FindingKind::VersionBehind,
            format!(
                "version {wanted} is below {agreed}, which the group agreed on, and its binaries would end at once; set a \
                 version of {agreed}, or downgrade with `etcdctl downgrade` first"
            ),
        ));
    }
    if wanted.series() > agreed.next() {
        return Err((
            FindingKind::VersionSkipped,
            format!(
                "version {wanted} skips a minor release: the group is at {agreed}; set a version of {} first",
                agreed.next()
            ),
        ));
    }
    if wanted.series() == agreed { Ok(()) } else { may_upgrade(view, wanted, agreed) }
}

fn may_upgrade(view: &GroupView<'_>, wanted: Version, agreed: Series) -> Result<(), (FindingKind, String)> {
    let begun = series(view).last().is_some_and(|newest| *newest > agreed);
    if let Some(silent) = silent(view).first().filter(|_| !begun) {
        return Err(unknown(wanted, &format!("{silent} does not tell its version")));
    }
    let least = LEAST_BEFORE.iter().find(|(series, _)| *series == wanted.series()).map(|(_, least)| *least);
    let old = view.servers.iter().find_map(|(pod, server)| {
        let version = server.version()?;
        (version.series() == agreed && least.is_some_and(|least| version < least)).then_some((pod, version))
    });
    match (old, least) {
        (Some((pod, version)), Some(least)) => Err((
            FindingKind::VersionTooOld,
            format!(
                "{pod} runs {version}, and before {} every member must have {least} or later; set version {least} first",
                wanted.series()
            ),
        )),
        _ => Ok(()),
    }
}

fn unknown(wanted: Version, why: &str) -> (FindingKind, String) {
    (FindingKind::VersionUnknown, format!("whether version {wanted} can be reached is not known: {why}"))
}

/// Listed members that do not tell their version.
fn silent(view: &GroupView<'_>) -> Vec<String> {
    let tells = |listed: &&ListedMember| view.pod_of(listed).is_some_and(|pod| view.servers.contains_key(pod));
    let silent = view.members.iter().filter(|listed| !tells(listed));
    silent.map(|m| view.pod_of(m).map_or_else(|| format!("member {}", m.id), ToString::to_string)).collect()
}

/// Says what keeps the goal's version from being reached, and who keeps the group from agreeing on it.
pub(crate) fn report(view: &GroupView<'_>, draft: &mut Draft) {
    // Nobody answers, or the group has just begun.
    let Some(agreed) = agreed(view) else { return };
    if let Err((kind, message)) = verdict(view) {
        draft.finding(kind, message);
        return;
    }
    let series = series(view);
    let new = view.goal.version.series();
    // Somebody still runs the old release: the rollout goes on.
    if new <= agreed || series.first().is_none_or(|oldest| *oldest < new) {
        return;
    }
    let silent = silent(view);
    if silent.is_empty() {
        draft.wait(format!("all members run {new}, and the group has not agreed on it yet"));
        return;
    }
    let message = format!(
        "the group stays at {agreed} because {} does not tell its version; bring it back, or remove it",
        silent.join(", ")
    );
    draft.wait(message.clone());
    draft.finding(FindingKind::VersionUnknown, message);
}
