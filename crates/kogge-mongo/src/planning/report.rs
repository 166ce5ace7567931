//! What a person must know of a set; nothing is done about it here.

use kogge_api::gate::HoldReason;

use crate::data::finding::FindingKind;
use crate::data::goal::MemberGoal;
use crate::data::names::PodName;
use crate::data::replset::{ConfigMember, MemberState, majority};
use crate::data::topology::{Access, Millis, Replication};
use crate::planning::draft::Draft;
use crate::view::SetView;

/// What has been waited for this long needs a person.
const STUCK_AFTER: Millis = 20 * 60 * 1_000;
/// How long a member may be STARTUP whatever its oplog, in seconds.
const STARTUP_SECS: u64 = 30;
/// How long it may be STARTUP on top for each GiB of its oplog, in seconds.
const STARTUP_SECS_PER_GIB: u64 = 60;
/// The largest oplog that mongod makes by itself, in GiB.
const DEFAULT_OPLOG_GIB: u64 = 50;
const GIB: u64 = 1 << 30;

/// Reports everything that the observation shows by itself.
pub(crate) fn findings(view: &SetView<'_>, draft: &mut Draft<'_>) {
    strangers(view, draft);
    refusals(view, draft);
    for member in view.set.ordered_members() {
        lost_disk(view, member, draft);
        not_itself(view, member, draft);
        startup_overdue(view, member, draft);
        falling_behind(view, member, draft);
    }
    foreign_members(view, draft);
    majority_lost(view, draft);
}

/// Reports what has been waited for so long that it will hardly come about by itself. Nothing is passed over
/// to get on.
pub(crate) fn stuck(now: Millis, draft: &mut Draft<'_>) {
    let long = |since: Millis| now.saturating_sub(since) > STUCK_AFTER;
    let waits = draft.waiting.iter().filter(|waiting| waiting.since.is_some_and(long));
    let messages: Vec<String> = waits.map(|waiting| format!("for more than 20 minutes, {waiting}")).collect();
    for message in messages {
        draft.finding(FindingKind::Stuck, message);
    }
}

fn strangers(view: &SetView<'_>, draft: &mut Draft<'_>) {
    for (pod, whose) in &view.strangers {
        draft.finding(
            FindingKind::OtherSet,
            format!("the server of {pod} belongs to {whose}; find out who started it, Kogge leaves it alone"),
        );
        draft.wait_member(pod, format!("a server of {}, not of {whose}", view.set.name), None);
    }
}

fn refusals(view: &SetView<'_>, draft: &mut Draft<'_>) {
    for (pod, server) in &view.servers {
        if let Access::Refused { reason } = &server.access
            && !is_still_syncing(view, pod)
        {
            draft.finding(
                FindingKind::AccessRefused,
                format!(
                    "{pod} has users and refuses the operator's: {reason}; put the right password into the \
                     operator's Secret"
                ),
            );
        }
    }
}

/// Whether the others say that a member does not hold the set's data yet: its users come with the data.
fn is_still_syncing(view: &SetView<'_>, pod: &PodName) -> bool {
    let member = view.set.members.iter().find(|member| &member.pod == pod);
    member.and_then(|member| view.heard(&member.host)).is_some_and(|heard| !heard.state.healthy())
}

fn lost_disk(view: &SetView<'_>, member: &MemberGoal, draft: &mut Draft<'_>) {
    if view.lost_disk(member) {
        draft.finding(
            FindingKind::LostDisk,
            format!("{} held data and its disk is empty; it is removed and admitted under another id", member.pod),
        );
    } else if let Some(hold) = view.hold(member).filter(|hold| hold.reason != HoldReason::LostDisk) {
        draft.finding(FindingKind::HeldByGate, format!("{} is held back by its gate: {hold}", member.pod));
    }
}

/// A server that does not find itself in a config that has a place for it.
fn not_itself(view: &SetView<'_>, member: &MemberGoal, draft: &mut Draft<'_>) {
    let replication = view.server(&member.pod).map(|server| &server.replication);
    let Some(Replication::Removed { config: Some(config) }) = replication else { return };
    let (pod, host) = (&member.pod, &member.host);
    if config.by_host(host).is_some() {
        draft.finding(
            FindingKind::HostNotSelf,
            format!(
                "the server of {pod} does not find itself behind {host}, its host in the config (NodeNotFound): \
                 the name does not resolve to it there, or something else answers; correct its name"
            ),
        );
        return;
    }
    let place = config.members.iter().find(|m| Some(m.id) == member.anchor.member_id);
    if let Some(place) = place.filter(|m| view.pod_of(&m.host).is_none() && config.members.len() > 1) {
        draft.finding(
            FindingKind::HostNotSelf,
            format!(
                "the config calls {pod} {} and it does not find itself there; only a majority can rename it to \
                 {host}: let the old name resolve to it until it is renamed",
                place.host
            ),
        );
    }
}

/// A member that was heard starting for longer than the replay of its oplog explains.
fn startup_overdue(view: &SetView<'_>, member: &MemberGoal, draft: &mut Draft<'_>) {
    if view.state_of(&member.host) != Some(MemberState::Startup) {
        return;
    }
    let Some(heard) = view.heard(&member.host) else { return };
    let oplog = view.primary.and_then(|primary| primary.status.oplog_bytes);
    let gib = oplog.map_or(DEFAULT_OPLOG_GIB, |bytes| bytes.div_ceil(GIB));
    let deadline = STARTUP_SECS + STARTUP_SECS_PER_GIB * gib;
    if heard.state == MemberState::Startup && heard.uptime_secs.is_some_and(|secs| secs > deadline) {
        draft.finding(
            FindingKind::StartupOverdue,
            format!(
                "{} has been STARTUP for more than {deadline} s, which its oplog of {gib} GiB does not explain; \
                 look at its log, nothing is restarted",
                member.pod
            ),
        );
    }
}

/// A member that answers and has applied nothing for long: it may have fallen off the oplog. The time counts from when
/// it was last started or joined: what it lacks from before then says nothing yet.
fn falling_behind(view: &SetView<'_>, member: &MemberGoal, draft: &mut Draft<'_>) {
    let state = view.state_of(&member.host);
    let stale = matches!(state, Some(MemberState::Recovering | MemberState::Rollback));
    let runs = view.heard(&member.host).and_then(|heard| heard.uptime_secs);
    let long = runs.is_some_and(|secs| secs.saturating_mul(1_000) > STUCK_AFTER);
    if stale && long && view.lag_ms(&member.host).is_some_and(|lag| lag.unsigned_abs() > STUCK_AFTER) {
        draft.finding(
            FindingKind::Stuck,
            format!(
                "{} has been behind for more than 20 minutes and does not serve; look at its log, it may need its \
                 volume wiped",
                member.pod
            ),
        );
    }
}

fn foreign_members(view: &SetView<'_>, draft: &mut Draft<'_>) {
    let Some(config) = view.config else { return };
    for member in config.members.iter().filter(|m| view.pod_of(&m.host).is_none()) {
        draft.finding(FindingKind::ForeignMember, foreign(member));
    }
}

fn foreign(member: &ConfigMember) -> String {
    let ConfigMember { host, id, .. } = member;
    if member.arbiter {
        format!(
            "the config lists the arbiter {host} as member {id}; it is kept and its vote counts. Kogge makes none, \
             because it votes without data: let a small placement break the tie, then remove it by hand"
        )
    } else {
        format!(
            "the config lists {host} as member {id}, which is not ours; it is kept, remove it by hand if it is not \
             wanted"
        )
    }
}

fn majority_lost(view: &SetView<'_>, draft: &mut Draft<'_>) {
    let all_known = view.config.is_some_and(|config| config.voters().all(|m| view.state_of(&m.host).is_some()));
    let (healthy, voters) = view.voters();
    if view.primary_pod().is_none() && healthy < majority(voters) && all_known {
        draft.finding(
            FindingKind::MajorityLost,
            format!(
                "{healthy} of {voters} voters are healthy, {} are needed; nothing is forced, bring members back; where they are lost for good, see `kogge recover`",
                majority(voters)
            ),
        );
    }
}
