//! What is known of one set, from what was observed of all.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::goal::SetGoal;
use crate::data::names::PodName;
use crate::data::replset::ReplConfig;
use crate::data::topology::{Millis, OBSERVATION_MAX_AGE, Replication, Server, Topology};
use crate::view::identity;
use crate::view::set::{Primary, SetView};

impl<'a> SetView<'a> {
    pub(crate) fn of(set: &'a SetGoal, topology: &'a Topology, now: Millis) -> Self {
        let wanted = set.members.iter().map(|m| &m.pod);
        let pods = wanted.chain(set.leaving.iter().map(|m| &m.pod));
        let observations: BTreeMap<_, _> =
            pods.filter_map(|pod| topology.members.get(pod).map(|seen| (pod, seen))).collect();
        let mut servers = BTreeMap::new();
        for (&pod, seen) in &observations {
            let fresh = now.saturating_sub(seen.observed_at) <= OBSERVATION_MAX_AGE;
            if let Server::Reachable(state) = &seen.server
                && fresh
            {
                servers.insert(pod, state);
            }
        }
        let answering: BTreeSet<&PodName> = servers.keys().copied().collect();
        let strangers = identity::strangers(set, &servers);
        servers.retain(|pod, _| !strangers.contains_key(*pod));
        let aliases = identity::aliases(set, &servers);
        let mut view =
            Self { set, observations, servers, strangers, aliases, answering, config: None, primary: None };
        view.silence_fenced();
        view.config = view.newest_config();
        view.primary = view.writable_primary();
        let silent = identity::silent_aliases(&view);
        view.aliases.extend(silent);
        view
    }

    /// Members that were declared lost have no say while the config of the others does not list them: they may
    /// have gone on by themselves, in a later term.
    fn silence_fenced(&mut self) {
        let fenced = &self.set.recovery.fenced;
        if fenced.is_empty() {
            return;
        }
        let others = self.servers.keys().filter(|pod| !fenced.contains_key(**pod));
        let config = others
            .filter_map(|pod| self.config_of(pod))
            .reduce(|one, other| if other.stamp.newer_than(one.stamp) { other } else { one });
        let set = self.set;
        let listed = |pod: &PodName| {
            config.is_some_and(|config| config.members.iter().any(|m| set.pod_of(&m.host) == Some(pod)))
        };
        self.servers.retain(|pod, server| {
            !fenced.contains_key(*pod) || listed(pod) || server.replication == Replication::Starting
        });
    }

    fn newest_config(&self) -> Option<&'a ReplConfig> {
        let mut newest: Option<&ReplConfig> = None;
        for server in self.servers.values() {
            if let Replication::Member { config: Some(config), .. } = &server.replication
                && newest.is_none_or(|known| config.stamp.newer_than(known.stamp))
            {
                newest = Some(config);
            }
        }
        newest
    }

    fn writable_primary(&self) -> Option<Primary<'a>> {
        let servers = self.servers.iter();
        servers
            .filter(|(_, server)| server.hello.writable_primary)
            .filter_map(|(&pod, &server)| match &server.replication {
                Replication::Member { status, config } => {
                    Some(Primary { pod, access: &server.access, status, config: config.as_ref() })
                }
                _ => None,
            })
            .max_by_key(|primary| primary.status.term)
    }
}
