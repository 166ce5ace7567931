//! A lost majority: what a person may decide about it, and the members that the set went on without.
//!
//! A forced reconfiguration is outside of what replication guarantees. It is planned only where a person
//! declared vdcs lost and cut off, nothing that is observed contradicts that, and the hash of exactly this change
//! of exactly this config was approved. Afterwards the config has another position, so that an approval is
//! worth one force. The lost members come back only empty and under another `_id`: what they hold may never
//! have happened for the others.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::data::finding::FindingKind;
use crate::data::goal::MemberGoal;
use crate::data::names::{PodName, SetName};
use crate::data::plan::Approval;
use crate::data::replset::{ConfigMember, ConfigStamp, MemberState, OpTime, ReplConfig, ReplStatus, majority};
use crate::data::step::{Action, LostMember};
use crate::data::topology::{Access, Pod, Replication};
use crate::planning::admission;
use crate::planning::draft::Draft;
use crate::view::SetView;

/// Bytes of the digest that an approval's hash shows: sixteen hexadecimal digits.
const SHOWN: usize = 8;

/// Plans the one forced reconfiguration that was approved, or says what to approve, or why there is nothing to.
pub(crate) fn plan(view: &SetView<'_>, draft: &mut Draft<'_>) {
    report_held_out(view, draft);
    let Some(config) = view.config else { return };
    let lost = Lost::of(view, config);
    if lost.members.is_empty() {
        return;
    }
    if let Err(contradiction) = lost.check_gone(view) {
        return refuse(&contradiction, draft);
    }
    let survivors = config.voters().filter(|m| !lost.has(m) && view.healthy(&m.host)).count();
    if view.primary_pod().is_some() || survivors >= majority(config.voters().count()) {
        return;
    }
    match lost.ground(view, config) {
        Ok(ground) => ground.ask_or_force(view, &lost, draft),
        Err(obstacle) => refuse(&obstacle, draft),
    }
}

fn refuse(why: &str, draft: &mut Draft<'_>) {
    draft.finding(FindingKind::RecoveryRefused, format!("nothing is forced: {why}"));
    draft.wait("the obstacles to its recovery to be removed");
}

/// The members of a config that were declared lost.
struct Lost<'a> {
    members: Vec<(&'a PodName, &'a ConfigMember)>,
}

/// A survivor that answers: its status, and the last entry that it applied.
struct Survivor<'a> {
    pod: &'a PodName,
    listed: &'a ConfigMember,
    status: &'a ReplStatus,
    optime: OpTime,
}

/// What a force would start from.
struct Ground<'a> {
    config: &'a ReplConfig,
    survivors: Vec<Survivor<'a>>,
    /// The place in `survivors` of the one with the newest entry.
    newest: usize,
}

impl<'a> Lost<'a> {
    fn of(view: &SetView<'a>, config: &'a ReplConfig) -> Self {
        let lost = &view.set.recovery.lost;
        let members = config.members.iter();
        let members = members
            .filter_map(|m| Some((view.set.pod_of(&m.host)?, m)))
            .filter(|(pod, _)| lost.contains(*pod))
            .collect();
        Self { members }
    }

    fn has(&self, member: &ConfigMember) -> bool {
        self.members.iter().any(|(_, lost)| lost.id == member.id)
    }

    /// Looks for signs of life: what was declared lost must be silent for everybody.
    fn check_gone(&self, view: &SetView<'_>) -> Result<(), String> {
        for (pod, member) in &self.members {
            if view.answers(pod) {
                return Err(format!(
                    "{pod} was declared lost and answers; cut its vdc off, or take the request back"
                ));
            }
            if let Some(Pod::Present(facts)) = view.observations.get(*pod).map(|seen| &seen.pod)
                && facts.running
            {
                return Err(format!(
                    "{pod} was declared lost and its worker says that its pod runs; stop it there, or take the request back"
                ));
            }
            let hears = |status: &ReplStatus| status.members.iter().any(|m| m.host == member.host && m.up);
            if let Some((survivor, _)) =
                view.statuses().find(|(other, status)| !self.names(other) && hears(status))
            {
                return Err(format!(
                    "{survivor} still hears {pod}, which was declared lost; cut its vdc off, or take the request back"
                ));
            }
        }
        Ok(())
    }

    fn names(&self, pod: &PodName) -> bool {
        self.members.iter().any(|(lost, _)| *lost == pod)
    }

    fn ground(&self, view: &SetView<'a>, config: &'a ReplConfig) -> Result<Ground<'a>, String> {
        if !view.set.recovery.cut_off {
            return Err(format!(
                "it is not said yet that {} can never come back by themselves: stop them or cut their vdc off from the others, then say so with fenced: true",
                self.in_words()
            ));
        }
        let mut survivors = Vec::new();
        for member in config.members.iter().filter(|m| !self.has(m)) {
            match survivor(view, member) {
                Ok(survivor) => survivors.push(survivor),
                Err(unknown) if member.votes > 0 => return Err(unknown),
                // What does not vote stays in the config and is found again later.
                Err(_) => {}
            }
        }
        let newest =
            survivors.iter().enumerate().max_by_key(|(_, s)| (s.optime, s.listed.votes, s.listed.priority as u64));
        let Some((newest, chosen)) = newest else {
            return Err("no member is left that answers".to_owned());
        };
        if !survivors.iter().any(|s| s.listed.votes > 0 && s.listed.priority > 0.0 && !s.listed.arbiter) {
            return Err("no member that is left could become primary; bring one that votes back".to_owned());
        }
        if view.config_of(chosen.pod).is_none_or(|own| own.stamp != config.stamp) {
            return Err(format!("{} has the newest entry and not the newest config yet", chosen.pod));
        }
        Ok(Ground { config, survivors, newest })
    }

    fn in_words(&self) -> String {
        let words: Vec<String> = self.members.iter().map(|(pod, m)| format!("{pod} (member {})", m.id)).collect();
        words.join(", ")
    }

    fn to_members(&self) -> Vec<LostMember> {
        let mut members: Vec<LostMember> =
            self.members.iter().map(|(_, m)| LostMember { id: m.id, host: m.host.clone() }).collect();
        members.sort();
        members
    }
}

/// A member that is left, if everything about it is known that a force rests on.
fn survivor<'a>(view: &SetView<'a>, member: &'a ConfigMember) -> Result<Survivor<'a>, String> {
    let Some(pod) = view.set.pod_of(&member.host) else {
        return Err(format!("{} votes and is not ours; its state is not known", member.host));
    };
    let unknown = || format!("the state of {pod} is not known; bring it back, or declare its vdc lost as well");
    let server = view.server(pod).ok_or_else(unknown)?;
    if server.access != Access::Granted {
        return Err(format!("{pod} does not let the operator in"));
    }
    let Replication::Member { status, .. } = &server.replication else { return Err(unknown()) };
    if !matches!(status.my_state, MemberState::Secondary | MemberState::Arbiter) {
        return Err(format!("{pod} is {} and not SECONDARY yet", status.my_state));
    }
    let own = status.members.iter().find(|m| m.host == member.host).and_then(|m| m.optime);
    let optime = own.ok_or_else(|| format!("the last entry of {pod} is not known"))?;
    Ok(Survivor { pod, listed: member, status, optime })
}

impl Ground<'_> {
    fn ask_or_force(&self, view: &SetView<'_>, lost: &Lost<'_>, draft: &mut Draft<'_>) {
        let recovery = &view.set.recovery;
        let members = lost.to_members();
        let via = self.survivors[self.newest].pod;
        let hash = hash(&view.set.name, self.config.stamp, &members);
        if !recovery.approved.contains(&hash) {
            draft.approvals.push(Approval { set: view.set.name.clone(), what: self.what(lost), hash });
            draft.wait("approval of its recovery");
            return;
        }
        for (pod, member) in &lost.members {
            if recovery.fenced.get(*pod).is_none_or(|known| *known < member.id) {
                draft.step(
                    Action::FenceMember { pod: (*pod).clone(), member_id: member.id },
                    "the set goes on without it, so what it holds may be another history",
                    "the record in every anchor",
                );
            }
        }
        draft.step(
            Action::ForceReconfig { via: via.clone(), base: self.config.stamp, lost: members },
            format!("the majority is lost with {}, and its recovery was approved", lost.in_words()),
            "a primary to be elected among the members that are left",
        );
    }

    /// The change, what it rests on, and what is lost by it.
    fn what(&self, lost: &Lost<'_>) -> String {
        let Self { config, survivors, newest } = self;
        let chosen = &survivors[*newest];
        let mut text = format!(
            "go on without {}, by force, from the config of {} on {}; whatever was acknowledged after its last entry {} is lost",
            lost.in_words(),
            config.stamp,
            chosen.pod,
            chosen.optime
        );
        let others: Vec<String> = survivors
            .iter()
            .filter(|s| s.pod != chosen.pod)
            .map(|s| format!("{} has {}", s.pod, s.optime))
            .collect();
        if !others.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(text, " ({})", others.join(", "));
        }
        let known = survivors.iter().map(|s| s.status.term).max().unwrap_or(config.stamp.term);
        if known > chosen.optime.term {
            let _ = write!(
                text,
                "; term {known} is known and nobody here holds an entry of it, so the lost members may have had a later primary"
            );
        }
        text
    }
}

/// What stands for one force: this set, this config, these members.
fn hash(set: &SetName, base: ConfigStamp, lost: &[LostMember]) -> String {
    let mut digest = Sha256::new();
    digest.update(format!("force\n{set}\n{} {}\n", base.version, base.term));
    for LostMember { id, host } in lost {
        digest.update(format!("{id} {host}\n"));
    }
    digest.finalize().iter().take(SHOWN).fold(String::with_capacity(2 * SHOWN), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn report_held_out(view: &SetView<'_>, draft: &mut Draft<'_>) {
    let held: Vec<&MemberGoal> =
        view.set.ordered_members().into_iter().filter(|member| admission::is_held_out(view, member)).collect();
    for member in &held {
        draft.wait_member(&member.pod, "you to let it join again: it was declared lost", None);
    }
    if let Some(first) = held.first() {
        let pods: Vec<&str> = held.iter().map(|member| member.pod.as_str()).collect();
        draft.finding(
            FindingKind::HeldOut,
            format!(
                "{} went on without {}, and may never have seen what they hold; take their placement out of the spec, or let them join again empty: delete their volumes, then `kogge recover --readmit {}`",
                view.set.name,
                pods.join(", "),
                first.vdc
            ),
        );
    }
}
