//! What keeps a listed member from being healthy, in words.

use crate::data::names::PodName;
use crate::data::replset::{ConfigMember, MemberState};
use crate::data::topology::{Replication, Server};
use crate::view::disk::waiting_for_gate;
use crate::view::set::SetView;

impl SetView<'_> {
    /// The sentence for a member that is listed and not healthy.
    pub(crate) fn trouble(&self, member: &ConfigMember, pod: &PodName) -> String {
        let wanted = self.set.members.iter().find(|wanted| &wanted.pod == pod);
        if let Some(hold) = wanted.and_then(|wanted| self.hold(wanted)) {
            return waiting_for_gate(hold);
        }
        if self.server(pod).is_some_and(|server| server.replication == Replication::ShuttingDown) {
            return "it to end and to start again, it is shutting down".to_owned();
        }
        if let Some(Server::Unreachable { reason, .. }) = self.observations.get(pod).map(|seen| &seen.server) {
            return format!("an answer from it ({reason})");
        }
        match self.state_of(&member.host) {
            Some(MemberState::Startup2) => match self.initial_sync_percent(pod) {
                Some(percent) => format!("its initial sync, {percent} %"),
                None => "its initial sync".to_owned(),
            },
            Some(state) => format!("it to become SECONDARY, it is {state}"),
            None => "its first answer".to_owned(),
        }
    }

    fn initial_sync_percent(&self, pod: &PodName) -> Option<u8> {
        match &self.server(pod)?.replication {
            Replication::Member { status, .. } => status.initial_sync?.percent,
            _ => None,
        }
    }
}
