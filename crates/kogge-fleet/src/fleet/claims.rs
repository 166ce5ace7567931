//! Which WorkerCluster a cluster belongs to. Pure.
//!
//! Two WorkerClusters that lead to one cluster would make one outage kill "two" data centres.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kogge_api::WorkerCluster;
use kogge_plan::WorkerName;

/// The clusters behind all WorkerClusters, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Claims {
    claims: BTreeMap<WorkerName, Claim>,
}

#[derive(Debug, Default)]
struct Claim {
    created: Option<Time>,
    /// From the WorkerCluster's status: this worker had the cluster first.
    pinned: Option<String>,
    /// From the last answer.
    seen: Option<String>,
}

impl Claims {
    /// Takes note of a WorkerCluster. What is pinned in its status counts before it was ever reached.
    pub(super) fn register(&mut self, name: &WorkerName, object: &WorkerCluster) {
        let claim = self.claims.entry(name.clone()).or_default();
        claim.created.clone_from(&object.metadata.creation_timestamp);
        claim.pinned = object.status.as_ref().and_then(|status| status.uid.clone());
    }

    /// Takes note of the cluster that answers, and tells whose it is.
    pub(super) fn claim(&mut self, name: &WorkerName, uid: &str) -> WorkerName {
        self.claims.entry(name.clone()).or_default().seen = Some(uid.to_owned());
        self.holder(uid).unwrap_or_else(|| name.clone())
    }

    /// Forgets a WorkerCluster.
    pub(super) fn release(&mut self, name: &WorkerName) {
        self.claims.remove(name);
    }

    /// Who pinned the cluster comes first, then the elder, then the first by name.
    fn holder(&self, uid: &str) -> Option<WorkerName> {
        let claimants = self.claims.iter().filter(|(_, claim)| match &claim.pinned {
            Some(pinned) => pinned == uid,
            None => claim.seen.as_deref() == Some(uid),
        });
        let first = claimants.min_by_key(|(name, claim)| {
            (claim.pinned.is_none(), claim.created.as_ref().map(|t| t.0), (*name).clone())
        });
        first.map(|(name, _)| name.clone())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use kogge_api::worker_cluster::{
        Access, AllowedNamespaces, KubeconfigSource, Limits, Network, SecretKey, WorkerClusterSpec,
        WorkerClusterStatus,
    };

    use super::*;

    fn worker(name: &str, created: i64, pinned: Option<&str>) -> (WorkerName, WorkerCluster) {
        let spec = WorkerClusterSpec {
            vdc: name.to_owned(),
            kubeconfig: KubeconfigSource {
                secret_ref: SecretKey { name: name.to_owned(), key: "kubeconfig".to_owned() },
            },
            access: Access::default(),
            network: Network::default(),
            allowed_namespaces: AllowedNamespaces { names: None, all: Some(true) },
            limits: Limits::default(),
            suspend: false,
        };
        let mut object = WorkerCluster::new(name, spec);
        object.metadata.creation_timestamp = Timestamp::from_second(created).ok().map(Time);
        object.status = Some(WorkerClusterStatus { uid: pinned.map(str::to_owned), ..Default::default() });
        (name.into(), object)
    }

    fn claims(workers: &[(WorkerName, WorkerCluster)]) -> Claims {
        let mut claims = Claims::default();
        for (name, object) in workers {
            claims.register(name, object);
        }
        claims
    }

    #[test]
    fn the_elder_holds_a_cluster_whoever_answers_first() {
        let workers = [worker("a", 200, None), worker("b", 100, None)];
        let mut claims = claims(&workers);
        assert_eq!(claims.claim(&"a".into(), "u"), "a".into(), "nobody else is known to lead there yet");
        assert_eq!(claims.claim(&"b".into(), "u"), "b".into());
        assert_eq!(claims.claim(&"a".into(), "u"), "b".into());
    }

    #[test]
    fn of_the_same_age_the_first_by_name_holds_it() {
        let mut claims = claims(&[worker("b", 100, None), worker("a", 100, None)]);
        claims.claim(&"b".into(), "u");
        claims.claim(&"a".into(), "u");
        assert_eq!(claims.claim(&"b".into(), "u"), "a".into());
    }

    #[test]
    fn who_had_it_first_keeps_it_even_while_silent() {
        let mut claims = claims(&[worker("new", 100, None), worker("old", 200, Some("u"))]);
        assert_eq!(claims.claim(&"new".into(), "u"), "old".into());
    }

    #[test]
    fn credentials_that_lead_elsewhere_claim_nothing_there() {
        let mut claims = claims(&[worker("a", 100, Some("mine")), worker("b", 200, None)]);
        claims.claim(&"a".into(), "u");
        assert_eq!(claims.claim(&"b".into(), "u"), "b".into());
    }

    #[test]
    fn a_removed_worker_lets_go() {
        let mut claims = claims(&[worker("a", 100, Some("u")), worker("b", 200, None)]);
        assert_eq!(claims.claim(&"b".into(), "u"), "a".into());
        claims.release(&"a".into());
        assert_eq!(claims.claim(&"b".into(), "u"), "b".into());
    }
}
