//! etcd's answers in the planner's types.

use std::collections::BTreeSet;

use kogge_etcd::{
    Alarm, AlarmKind, ClusterId, ListedMember, MemberId, Series, ServerState, Url, Version, VersionError,
};

use crate::error::CallError;
use crate::messages::{Call as _, Member, ResponseHeader, StatusRequest, StatusResponse};
use crate::metrics::Metrics;

/// Who answered: the ids of its group and its own.
pub(crate) fn ids(header: Option<ResponseHeader>) -> Result<(ClusterId, MemberId), CallError> {
    let header = header.ok_or_else(|| CallError::answer(StatusRequest::NAME, "it has no header"))?;
    Ok((ClusterId(header.cluster_id), MemberId(header.member_id)))
}

/// `Status`, and what other answers of the same server add to it.
pub(crate) fn server_state(
    status: &StatusResponse,
    members: Vec<ListedMember>,
    cluster_version: Option<Series>,
    metrics: Option<Metrics>,
) -> Result<ServerState, CallError> {
    let (cluster_id, member_id) = ids(status.header)?;
    Ok(ServerState {
        member_id,
        cluster_id,
        leader: Some(status.leader).filter(|leader| *leader != 0).map(MemberId),
        raft_term: status.raft_term,
        raft_index: status.raft_index,
        applied_index: status.raft_applied_index,
        db_size: u64::try_from(status.db_size).unwrap_or_default(),
        db_size_in_use: u64::try_from(status.db_size_in_use).unwrap_or_default(),
        learner: status.is_learner,
        version: status.version.parse().map_err(|error| unreadable(&error))?,
        cluster_version,
        storage_version: series(&status.storage_version),
        alarms: status.errors.iter().filter_map(|error| alarm(error)).collect(),
        members,
        active_peers: metrics.map(|metrics| metrics.active_peers),
    })
}

fn unreadable(error: &VersionError) -> CallError {
    CallError::answer(StatusRequest::NAME, error.to_string())
}

/// A version of which only major and minor count. Absent where it is not decided yet, or not known to the release.
pub(crate) fn series(text: &str) -> Option<Series> {
    text.parse::<Version>().ok().map(Version::series)
}

/// The group's members, as they were listed.
pub(crate) fn listed(members: Vec<Member>) -> Vec<ListedMember> {
    let member = |member: Member| ListedMember {
        id: MemberId(member.id),
        name: Some(member.name).filter(|name| !name.is_empty()),
        peer_urls: member.peer_urls.into_iter().map(Url::from).collect(),
        learner: member.is_learner,
    };
    members.into_iter().map(member).collect()
}

/// An alarm as `Status` writes it: the text form of its message, `memberID:123 alarm:NOSPACE`. Other errors are none.
fn alarm(error: &str) -> Option<Alarm> {
    let field = |name: &str| error.split_whitespace().find_map(|word| word.strip_prefix(name));
    let kind = match field("alarm:")? {
        "NOSPACE" => AlarmKind::NoSpace,
        "CORRUPT" => AlarmKind::Corrupt,
        _ => return None,
    };
    // A zero is left out.
    let id = field("memberID:").map_or(Ok(0), str::parse).ok()?;
    Some(Alarm { member_id: MemberId(id), kind })
}

/// What tells memberships apart: who is in the group, under which URLs, and who votes. A name comes by itself, with the
/// member's first start.
pub(crate) fn membership(members: &[ListedMember]) -> BTreeSet<(MemberId, bool, BTreeSet<&Url>)> {
    members.iter().map(|m| (m.id, m.learner, m.peer_urls.iter().collect())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> StatusResponse {
        StatusResponse {
            header: Some(ResponseHeader { cluster_id: 0xcdf8, member_id: 0x8e9e }),
            version: "3.6.14".to_owned(),
            leader: 0x8e9e,
            ..StatusResponse::default()
        }
    }

    #[test]
    fn alarms_are_read_from_the_errors_and_other_errors_are_no_alarms() {
        let errors = ["etcdserver: no leader", "memberID:10501334649042878790 alarm:NOSPACE ", "alarm:CORRUPT "];
        let status = StatusResponse { errors: errors.map(str::to_owned).to_vec(), leader: 0, ..status() };
        let state = server_state(&status, Vec::new(), None, None).unwrap();
        let no_space = Alarm { member_id: MemberId(10_501_334_649_042_878_790), kind: AlarmKind::NoSpace };
        let corrupt = Alarm { member_id: MemberId(0), kind: AlarmKind::Corrupt };
        assert_eq!(state.alarms, BTreeSet::from([no_space, corrupt]));
        assert_eq!(state.leader, None);
    }

    #[test]
    fn what_a_release_does_not_tell_is_absent() {
        let state = server_state(&status(), Vec::new(), series("not_decided"), None).unwrap();
        assert!(state.leads());
        assert_eq!((state.storage_version, state.cluster_version, state.active_peers), (None, None, None));
        let told = StatusResponse { storage_version: "3.6.0".to_owned(), ..status() };
        let state = server_state(&told, Vec::new(), series("3.6.0"), None).unwrap();
        assert_eq!((state.storage_version, state.cluster_version), (Some(Series(3, 6)), Some(Series(3, 6))));
    }

    #[test]
    fn an_answer_without_a_header_or_a_version_is_none() {
        let headless = StatusResponse { header: None, ..status() };
        let garbage = StatusResponse { version: "latest".to_owned(), ..status() };
        for (answer, what) in [(headless, "header"), (garbage, "latest")] {
            let error = server_state(&answer, Vec::new(), None, None).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
    }

    #[test]
    fn a_member_without_a_name_was_never_started() {
        let member = |name: &str| Member {
            id: 7,
            name: name.to_owned(),
            peer_urls: vec!["http://a:1".to_owned()],
            is_learner: true,
        };
        let names: Vec<_> = listed(vec![member(""), member("a")]).into_iter().map(|m| m.name).collect();
        assert_eq!(names, [None, Some("a".to_owned())]);
        assert_eq!(membership(&listed(vec![member("")])), membership(&listed(vec![member("a")])));
    }
}
