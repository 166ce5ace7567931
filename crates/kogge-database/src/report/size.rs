//! Keeps a status small enough for its object: an API server stores 1.5 MiB of one, and beside the status there are the
//! spec, and who owns each field, which takes half as much as the status.

use std::fmt::Write as _;

use kogge_engine::DatabaseStatus;

/// The most bytes that a status takes as JSON.
const MOST: usize = 640 << 10;
/// The most bytes of a text about one member.
const OF_A_MEMBER: usize = 200;
/// The same, where a status would be too large otherwise.
const SHORT: usize = 40;
/// The most bytes of a text about the whole database.
const OF_ALL: usize = 4 << 10;
/// The most bytes of a text about one placement.
const OF_A_PLACEMENT: usize = 1 << 10;
/// Databases that are named of those still to leave a shard, where a status would be too large otherwise.
const DRAINING: usize = 3;

/// The status, with texts that are too long cut off. What was left out is counted in its place.
pub(super) fn fitted(mut status: DatabaseStatus) -> DatabaseStatus {
    let mut longer = status.clone();
    shorten(&mut longer, OF_A_MEMBER);
    if size(&longer) <= MOST {
        return longer;
    }
    shorten(&mut status, SHORT);
    for draining in status.groups.values_mut().filter_map(|group| group.draining.as_mut()) {
        let more = draining.databases.len().saturating_sub(DRAINING);
        if more > 0 {
            draining.databases.truncate(DRAINING);
            draining.databases.push(format!("and {more} more"));
        }
    }
    status
}

fn shorten(status: &mut DatabaseStatus, of_a_member: usize) {
    for text in [&mut status.leaders, &mut status.where_, &mut status.waiting_for].into_iter().flatten() {
        cut(text, OF_ALL);
    }
    for member in status.groups.values_mut().flat_map(|group| &mut group.members) {
        for text in [&mut member.reason, &mut member.disagreement].into_iter().flatten() {
            cut(text, of_a_member);
        }
    }
    for message in status.placement.values_mut().filter_map(|placement| placement.message.as_mut()) {
        cut(message, OF_A_PLACEMENT);
    }
}

/// Cuts a text off, and says how much of it is gone. One that was cut off already stays as it is.
fn cut(text: &mut String, most: usize) {
    const ROOM: usize = 32;
    if text.len() <= most + ROOM {
        return;
    }
    let end = text.floor_char_boundary(most);
    let gone = text.len() - end;
    text.truncate(end);
    let _infallible = write!(text, "… (and {gone} bytes more)");
}

fn size(status: &DatabaseStatus) -> usize {
    // What cannot be written as JSON is refused where it is written.
    serde_json::to_vec(status).map_or(0, |text| text.len())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
    use kogge_api::conditions::database::ALL;
    use kogge_api::limits::DATABASE_PODS;
    use kogge_api::status::{DrainStatus, GroupStatus, MemberStatus, PlacementStatus, RoutersStatus, ShareStatus};

    use super::*;

    /// A status in which everything is as long as it can be.
    fn longest() -> DatabaseStatus {
        let (cluster, placement, vdc) = ("c".repeat(24), "p".repeat(13), "v".repeat(63));
        let shards = 128;
        let per_group = DATABASE_PODS / shards;
        let text = |of: &str| format!("{of} {}", "why ".repeat(1000));
        let shares = |count: u32| -> BTreeMap<String, ShareStatus> {
            (0..count)
                .map(|n| {
                    (format!("{placement}{n:03}"), ShareStatus { ready: 7, size: 7, ..ShareStatus::default() })
                })
                .collect()
        };
        let member = |shard: u32, n: u32| MemberStatus {
            name: format!("{cluster}-shard-{shard}-{placement}{n:03}-0"),
            vdc: vdc.clone(),
            state: "RECOVERING".to_owned(),
            votes: 1,
            priority: Some(1000),
            ready: false,
            reason: Some(text("it is not ready")),
            disagreement: Some(text("they disagree")),
        };
        let group = |shard: u32| GroupStatus {
            leader: Some(member(shard, 0).name),
            draining: Some(DrainStatus {
                databases: (0..100).map(|n| format!("{}{n}", "d".repeat(60))).collect(),
                chunks: u64::MAX,
                jumbo_chunks: u64::MAX,
            }),
            members: (0..per_group).map(|n| member(shard, n)).collect(),
            placement: shares(per_group),
            ..GroupStatus::default()
        };
        let condition = |type_: &&str| Condition {
            type_: (*type_).to_owned(),
            status: "Unknown".to_owned(),
            reason: "SomethingIsInTheWay".to_owned(),
            message: "m".repeat(OF_ALL),
            observed_generation: Some(i64::MAX),
            last_transition_time: Time("2026-01-01T00:00:00Z".parse().unwrap()),
        };
        DatabaseStatus {
            leaders: Some((0..shards).map(|shard| member(shard, 0).name).collect::<Vec<_>>().join(", ")),
            waiting_for: Some(text("it waits")),
            groups: (0..shards).map(|shard| (format!("{cluster}-shard-{shard}"), group(shard))).collect(),
            routers: Some(RoutersStatus { ready: 1, size: 1, placement: shares(20) }),
            placement: (0..20)
                .map(|n| {
                    let of = PlacementStatus { message: Some(text("it is ill")), ..PlacementStatus::default() };
                    (format!("{placement}{n:03}"), of)
                })
                .collect(),
            conditions: ALL.iter().map(condition).collect(),
            ..DatabaseStatus::default()
        }
    }

    #[test]
    fn field_42_the_longest_status_fits_and_says_what_it_leaves_out() {
        let before = longest();
        assert!(size(&before) > 4 << 20, "{} bytes", size(&before));
        let after = fitted(before);
        assert!(size(&after) <= MOST, "{} bytes", size(&after));
        let group = after.groups.values().next().unwrap();
        assert!(group.members[0].reason.as_ref().unwrap().ends_with("bytes more)"));
        assert_eq!(group.draining.as_ref().unwrap().databases.last().unwrap(), "and 97 more");
        assert_eq!(fitted(after.clone()), after, "a status that was read back is not cut again");
    }

    #[test]
    fn a_status_that_fits_is_left_alone() {
        let mut small = longest();
        small.groups.clear();
        small.placement.clear();
        (small.leaders, small.waiting_for) = (Some("a-0".to_owned()), None);
        assert_eq!(fitted(small.clone()), small);
    }
}
