//! A replica set: its config, its elections, and what its members answer.

use std::collections::{BTreeMap, BTreeSet};

use kogge_mongo::{
    Access, Change, ConfigMember, Hello, Host, InitialSync, MemberId, MemberState, OpTime, PodName, ReplConfig,
    ReplStatus, Replication, Server, ServerState, SetName, StatusMember, Topology, majority,
};

use super::member::{Disk, Member, pod_of};

#[derive(Clone, Debug, Default)]
pub(crate) struct Set {
    pub(crate) config: Option<ReplConfig>,
    pub(crate) primary: Option<PodName>,
    pub(crate) term: i64,
    pub(crate) users: bool,
    /// May not become primary for now: it stepped down.
    pub(crate) stepped_down: Option<PodName>,
}

impl Set {
    pub(super) fn voter_ids(&self) -> BTreeSet<MemberId> {
        self.config.iter().flat_map(ReplConfig::voters).map(|m| m.id).collect()
    }

    pub(super) fn votes(&self) -> BTreeSet<Host> {
        let config = self.config.iter();
        config.flat_map(ReplConfig::voters).map(|m| m.host.clone()).collect()
    }

    pub(super) fn reconfig(&mut self, change: &Change) -> &mut ReplConfig {
        assert_eq!(self.primary.as_ref(), Some(&change.via), "not the primary");
        let config = self.config.as_mut().unwrap();
        assert_eq!(config.stamp, change.base, "planned on another config");
        config.stamp.version += 1;
        config
    }

    pub(super) fn changed(&mut self, change: &Change) -> &mut ConfigMember {
        let members = &mut self.reconfig(change).members;
        members.iter_mut().find(|m| m.id == change.id && m.host == change.host).unwrap()
    }

    pub(super) fn tick(&mut self, members: &mut BTreeMap<PodName, Member>) {
        let Some(config) = &mut self.config else { return };
        for listed in &config.members {
            if let Some(member) = members.values_mut().find(|m| m.up && !m.starting && m.is_at(&listed.host)) {
                member.disk = match member.disk {
                    Disk::Empty => Disk::Syncing,
                    Disk::Syncing | Disk::Synced => Disk::Synced,
                };
            }
        }
        let healthy = |host: &Host| members.values().any(|m| m.serves() && m.is_at(host));
        let voters: Vec<&ConfigMember> = config.voters().collect();
        let up = voters.iter().filter(|m| healthy(&m.host)).count();
        let primary_up = self.primary.as_ref().is_some_and(|pod| members[pod].serves());
        if up < majority(voters.len()) {
            self.primary = None;
        } else if !primary_up {
            let electable = voters.iter().filter(|m| m.priority > 0.0 && healthy(&m.host));
            let heirs = electable.map(|m| (pod_of(members, &m.host), m.priority));
            let heirs = heirs.filter(|(pod, _)| self.stepped_down.as_ref() != Some(pod));
            let heir = heirs.min_by(|(a, high), (b, low)| low.total_cmp(high).then_with(|| a.cmp(b)));
            self.primary = heir.map(|(pod, _)| pod);
            self.stepped_down = None;
            if self.primary.is_some() {
                self.term += 1;
                config.stamp.term = self.term;
            }
        }
    }

    pub(super) fn answer(
        &self,
        name: &SetName,
        pod: &PodName,
        member: &Member,
        members: &BTreeMap<PodName, Member>,
    ) -> ServerState {
        let config = self.config.as_ref().filter(|_| member.disk != Disk::Empty);
        let config = config.filter(|_| !member.starting);
        let listed = config.and_then(|c| Some((c, c.members.iter().find(|m| member.is_at(&m.host))?)));
        let holds_users = self.users && (listed.is_some() || member.starting && member.disk == Disk::Synced);
        let access = if holds_users { Access::Granted } else { Access::NoUsers };
        let Some((config, me)) = listed else {
            let removed = member.disk != Disk::Empty && !member.starting;
            let replication = if removed { Replication::Removed { config: None } } else { Replication::Starting };
            return ServerState { hello: Hello::default(), access, replication };
        };
        let primary = self.primary.as_ref() == Some(pod);
        let status = ReplStatus {
            set: name.clone(),
            my_state: self.state(pod, member),
            term: self.term,
            members: config.members.iter().map(|m| self.seen(m, members)).collect(),
            initial_sync: (member.disk == Disk::Syncing).then_some(InitialSync { percent: None }),
            oplog_bytes: None,
            kept_ranges: None,
        };
        ServerState {
            hello: Hello {
                set_name: Some(name.to_string()),
                writable_primary: primary,
                primary: self.primary.as_ref().map(|p| members[p].host.to_string()),
                me: Some(me.host.to_string()),
                max_wire_version: Some(21),
            },
            replication: Replication::Member {
                status,
                config: Some(config.clone()).filter(|_| access == Access::Granted),
            },
            access,
        }
    }

    fn seen(&self, listed: &ConfigMember, members: &BTreeMap<PodName, Member>) -> StatusMember {
        let behind = members.iter().find(|(_, m)| m.is_at(&listed.host));
        let (up, state, lag) = match behind {
            Some((pod, member)) if member.up => (true, self.state(pod, member), member.lag_ms),
            _ => (false, MemberState::Down, 0),
        };
        let optime_ms = Some(1_000_000 - lag).filter(|_| up);
        let seconds = u32::try_from((1_000_000 - lag) / 1_000).unwrap_or(0);
        let optime = up.then_some(OpTime { term: self.term, seconds, increment: 1 });
        StatusMember {
            id: listed.id,
            host: listed.host.clone(),
            state,
            up,
            optime_ms,
            optime,
            uptime_secs: Some(60),
            answered_ms_ago: None,
        }
    }

    fn state(&self, pod: &PodName, member: &Member) -> MemberState {
        member.state.unwrap_or(match member.disk {
            _ if member.starting => MemberState::Startup,
            Disk::Empty => MemberState::Startup,
            Disk::Syncing => MemberState::Startup2,
            Disk::Synced if self.primary.as_ref() == Some(pod) => MemberState::Primary,
            Disk::Synced => MemberState::Secondary,
        })
    }
}

pub(crate) fn config_member(
    id: MemberId,
    host: &Host,
    votes: u32,
    priority: f64,
    tags: &BTreeMap<String, String>,
) -> ConfigMember {
    ConfigMember { id, host: host.clone(), votes, priority, hidden: false, arbiter: false, tags: tags.clone() }
}

/// These members have not heard of the newest config yet.
pub(crate) fn hold_an_older_config(topology: &mut Topology, pods: &[&str]) {
    for pod in pods {
        let Server::Reachable(server) = &mut topology.members.get_mut(*pod).unwrap().server else {
            panic!("{pod}")
        };
        let Replication::Member { config: Some(config), .. } = &mut server.replication else { panic!("{pod}") };
        config.stamp.version -= 1;
    }
}
