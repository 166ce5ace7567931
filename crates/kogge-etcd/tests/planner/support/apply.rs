//! Steps carried out as the anchors, a worker's API or a server would.

use kogge_etcd::votes::quorum;
use kogge_etcd::{Action, ListedMember, MemberAnchor, MemberId, Pod, PodName, SMALL_LAG, Step, Url, ids};

use super::World;

impl World {
    /// Carries a step out, and panics where it breaks a law. What etcd itself would refuse is only noted: the planner
    /// cannot see connections.
    pub(crate) fn apply(&mut self, step: &Step) {
        match &step.action {
            Action::RecordSeed { seed } => {
                self.goal.seed = Some(seed.clone());
                let anchor = self.anchor_mut(&seed.pod);
                let removed = anchor.member_id.or(anchor.removed).filter(|id| *id != seed.member_id);
                let initialized = anchor.member_id == Some(seed.member_id) && anchor.initialized;
                *anchor = MemberAnchor { member_id: Some(seed.member_id), initialized, start: None, removed };
            }
            Action::AllowStart { pod, start } => self.anchor_mut(pod).start = Some(start.clone()),
            Action::RecordMember { pod, member_id } => {
                let anchor = self.anchor_mut(pod);
                let removed = anchor.member_id.or(anchor.removed);
                *anchor = MemberAnchor { member_id: Some(*member_id), initialized: false, start: None, removed };
            }
            Action::MarkInitialized { pod, member_id } => {
                let anchor = self.anchor_mut(pod);
                *anchor = MemberAnchor {
                    member_id: Some(*member_id),
                    initialized: true,
                    start: None,
                    removed: anchor.removed,
                };
            }
            Action::RecordRemoved { pod, member_id } => {
                *self.anchor_mut(pod) = MemberAnchor { removed: Some(*member_id), ..MemberAnchor::default() };
            }
            Action::ForgetMember { pod } => self.goal.leaving.retain(|m| &m.pod != pod),
            Action::FenceMember { pod, member_id } => {
                self.goal.recovery.fenced.insert(pod.clone(), *member_id);
                *self.anchor_mut(pod) = MemberAnchor { removed: Some(*member_id), ..MemberAnchor::default() };
            }
            Action::RestartPod { pod, uid } => self.restart(pod, uid),
            call => {
                if let Err(words) = self.call(call) {
                    self.refused.push(format!("{call}: {words}"));
                }
            }
        }
    }

    fn anchor_mut(&mut self, pod: &PodName) -> &mut MemberAnchor {
        let wanted = self.goal.members.iter_mut().map(|m| (&m.pod, &mut m.anchor));
        let mut known = wanted.chain(self.goal.leaving.iter_mut().map(|m| (&m.pod, &mut m.anchor)));
        known.find(|(known, _)| *known == pod).unwrap().1
    }

    fn restart(&mut self, pod: &PodName, uid: &str) {
        let Pod::Present(facts) = &self.nodes[pod].pod else { return };
        if facts.uid != uid {
            return;
        }
        let data = self.nodes[pod].runs().cloned();
        if let Some(group) = data.as_ref().and_then(|data| self.groups.get(&data.cluster)) {
            let id = data.unwrap().id;
            let voters = group.voters().count();
            let votes = group.listed(id).is_some_and(|m| !m.learner);
            let connected = group.connected(&self.nodes);
            if votes && group.has_quorum(&self.nodes) && connected.contains(&id) && voters > 2 {
                let left = group.live_voters(&self.nodes) - 1;
                assert!(left >= quorum(voters), "{pod} is restarted and {left} of {voters} voters are left");
                assert_ne!(group.leader, Some(id), "{pod} is restarted and leads");
            }
        }
        self.kill(pod);
    }

    fn call(&mut self, action: &Action) -> Result<(), String> {
        let now = self.now;
        let group = self.group().clone();
        let listed = |id: MemberId| group.listed(id).cloned().ok_or("NotFound: member not found".to_owned());
        if let Action::Defragment { pod } = action {
            self.defragment(pod);
            return Ok(());
        }
        if !group.has_quorum(&self.nodes) {
            return Err("DeadlineExceeded".to_owned());
        }
        let voters = group.voters().count();
        let active = group.active_voters(&self.nodes, now);
        match action {
            Action::AddLearner { peer_url, .. } => self.add_learner(peer_url, voters, active),
            Action::Promote { member_id, .. } => {
                if !listed(*member_id)?.learner {
                    return Err("FailedPrecondition: can only promote a learner member".to_owned());
                }
                self.promote(*member_id)
            }
            Action::Remove { member_id, .. } => {
                let member = listed(*member_id)?;
                self.remove(&member, voters, active)
            }
            Action::UpdatePeerUrl { member_id, peer_url, .. } => {
                assert!(!listed(*member_id)?.learner, "the update would promote a learner");
                self.change(|members| {
                    let member = members.iter_mut().find(|m| m.id == *member_id).unwrap();
                    member.peer_urls = vec![peer_url.clone()];
                });
                Ok(())
            }
            Action::MoveLeader { via, member_id, .. } => {
                if self.leader() != *via {
                    return Err("FailedPrecondition: not leader".to_owned());
                }
                assert!(!listed(*member_id)?.learner, "a learner cannot lead");
                if self.transfers_time_out {
                    return Err("Unavailable: leader transfer timed out".to_owned());
                }
                if group.connected(&self.nodes).contains(member_id) {
                    let group = self.group_mut();
                    (group.leader, group.term) = (Some(*member_id), group.term + 1);
                }
                Ok(())
            }
            Action::DisarmAlarm { alarm, .. } => {
                self.group_mut().alarms.remove(alarm);
                Ok(())
            }
            other => panic!("not a call: {other}"),
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<ListedMember>)) {
        let id = self.group().id;
        let mut group = self.groups.remove(&id).unwrap();
        group.change(&mut self.nodes, change);
        self.groups.insert(id, group);
    }

    fn add_learner(&mut self, url: &Url, voters: usize, active: usize) -> Result<(), String> {
        let group = self.group();
        if group.members().iter().any(|m| m.peer_urls.contains(url)) {
            return Err("FailedPrecondition: peerURLs exists".to_owned());
        }
        let limit = if self.version.series() < kogge_etcd::Series(3, 6) { 1 } else { self.goal.max_learners };
        if group.members().iter().filter(|m| m.learner).count() >= limit {
            return Err("FailedPrecondition: too many learner members in cluster".to_owned());
        }
        if voters > 1 && active < quorum(voters + 1) {
            return Err("Unavailable: unhealthy cluster".to_owned());
        }
        let id = ids::added_member_id(std::slice::from_ref(url), self.now as i64);
        assert!(!self.written.contains(&id), "an id is used twice");
        self.change(|members| {
            members.push(ListedMember { id, name: None, peer_urls: vec![url.clone()], learner: true });
        });
        Ok(())
    }

    /// etcd looks at the log only, and passes a dead learner. The laws are stricter.
    fn promote(&mut self, id: MemberId) -> Result<(), String> {
        let group = self.group();
        let node = group.node(&self.nodes, id);
        let applied = node.and_then(|node| node.data()).map_or(0, |data| data.applied);
        let commit = group.commit;
        if applied * 10 < commit * 9 {
            return Err(
                "FailedPrecondition: can only promote a learner member which is in sync with leader".to_owned()
            );
        }
        assert!(
            group.connected(&self.nodes).contains(&id),
            "a learner is promoted that the leader does not reach"
        );
        assert!(
            commit - applied <= SMALL_LAG,
            "a learner is promoted that is {} entries behind",
            commit - applied
        );
        self.change(|members| members.iter_mut().find(|m| m.id == id).unwrap().learner = false);
        Ok(())
    }

    fn remove(&mut self, member: &ListedMember, voters: usize, active: usize) -> Result<(), String> {
        let group = self.group();
        if !member.learner {
            let named = group.voters().filter(|m| m.name.is_some() && m.id != member.id).count();
            if named < quorum(voters - 1) || voters == 1 {
                return Err("Unknown: not enough started members".to_owned());
            }
            let connected = group.connected(&self.nodes).contains(&member.id);
            if connected && active - 1 < quorum(voters - 1) {
                return Err("Unavailable: unhealthy cluster".to_owned());
            }
            let left = group.live_voters(&self.nodes) - usize::from(connected);
            assert!(left >= quorum(voters - 1), "{left} of {} voters are left after a removal", voters - 1);
            assert_ne!(group.leader, Some(member.id), "the leader is removed");
        }
        self.change(|members| members.retain(|m| m.id != member.id));
        Ok(())
    }

    fn defragment(&mut self, pod: &PodName) {
        let node = self.node(pod);
        node.sizes.0 = node.sizes.1;
    }
}
