//! What people ask for beside the spec, by annotations: a switchover, a recovery, approvals.

use std::collections::{BTreeMap, BTreeSet};

use kogge_api::anchor::Anchor;
use kogge_api::federated_cluster::{Component, Role};
use kogge_api::recovery::RecoveryRequest;
use kogge_api::{FederatedCluster, labels};
use kogge_mongo::{LeavingMember, MemberGoal, MemberId, PodName, Recovery, Vdc};

use crate::identity::Identity;

/// What was asked for. A request that cannot be carried out is refused as a whole, with a sentence, and the others
/// go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// The vdcs that no primary shall be in.
    pub away_from: BTreeSet<Vdc>,
    /// What a person says about vdcs that are lost.
    pub recovery: RecoveryRequest,
    /// The hashes that were approved.
    pub approved: BTreeSet<String>,
    /// Why a request is not carried out, by its annotation.
    pub refused: BTreeMap<&'static str, String>,
    /// The vdc of each placement that the spec names.
    vdcs: BTreeMap<String, String>,
}

impl Requests {
    /// The requests that a FederatedCluster carries.
    pub fn of(cluster: &FederatedCluster, anchor: &Anchor) -> Self {
        let annotation = |name: &str| cluster.metadata.annotations.as_ref()?.get(name).map(String::as_str);
        let placements = cluster.spec.placement.iter();
        let mut requests = Self {
            approved: approved(annotation(labels::APPROVE)),
            vdcs: placements.map(|p| (p.name.clone(), p.vdc.clone())).collect(),
            ..Self::default()
        };
        if let Some(vdcs) = annotation(labels::AWAY_FROM) {
            match requests.switchover(cluster, vdcs) {
                Ok(vdcs) => requests.away_from = vdcs,
                Err(refusal) => drop(requests.refused.insert(labels::AWAY_FROM, refusal)),
            }
        }
        if let Some(text) = annotation(labels::RECOVER) {
            match requests.recover(cluster, anchor, text) {
                Ok(request) => requests.recovery = request,
                Err(refusal) => drop(requests.refused.insert(labels::RECOVER, refusal)),
            }
        }
        requests
    }

    fn switchover(&self, cluster: &FederatedCluster, text: &str) -> Result<BTreeSet<Vdc>, String> {
        let named = listed(text);
        let known: BTreeSet<&String> = self.vdcs.values().collect();
        if named.is_empty() {
            return Err(format!(
                "the annotation {} names no vdc; name one of {}, or take the annotation away",
                labels::AWAY_FROM,
                in_words(known)
            ));
        }
        if let Some(unknown) = named.iter().find(|vdc| !known.contains(vdc)) {
            return Err(format!(
                "the annotation {} names vdc {unknown}, and no placement is in it; name one of {}",
                labels::AWAY_FROM,
                in_words(known)
            ));
        }
        let left = cluster.spec.placement.iter().any(|placement| {
            placement.role == Role::Voter && placement.priority != Some(0) && !named.contains(&placement.vdc)
        });
        if !left {
            return Err(format!(
                "the annotation {} leaves no vdc for the primaries; leave at least one with a placement that has the role Voter and a priority above 0",
                labels::AWAY_FROM
            ));
        }
        Ok(named.into_iter().map(Vdc::from).collect())
    }

    fn recover(&self, cluster: &FederatedCluster, anchor: &Anchor, text: &str) -> Result<RecoveryRequest, String> {
        let request: RecoveryRequest = serde_json::from_str(text).map_err(|error| {
            format!(
                "the annotation {} cannot be read: {error}; it looks like {{\"lost\":[\"vdc2\"],\"fenced\":true}}",
                labels::RECOVER
            )
        })?;
        let mut known: BTreeSet<&String> = self.vdcs.iter().flat_map(|(name, vdc)| [name, vdc]).collect();
        known.extend(anchor.worker_uids.keys());
        if let Some(unknown) = request.lost.iter().chain(&request.readmit).find(|name| !known.contains(name)) {
            return Err(format!(
                "the annotation {} names {unknown}, which is neither a vdc nor a placement of this database; name one of {}",
                labels::RECOVER,
                in_words(known)
            ));
        }
        if let Some(both) = request.lost.intersection(&request.readmit).next() {
            return Err(format!(
                "the annotation {} says of {both} both that it is lost and that it may join again; say one of the two",
                labels::RECOVER
            ));
        }
        let sets: BTreeSet<String> =
            Component::replica_sets(cluster.spec.shard.shard_count).map(|set| set.to_string()).collect();
        if let Some(unknown) = request.sets.iter().find(|set| !sets.contains(*set)) {
            return Err(format!(
                "the annotation {} names the replica set {unknown}; name one of {}",
                labels::RECOVER,
                in_words(&sets)
            ));
        }
        Ok(request)
    }

    /// What was decided about the lost majority of one replica set.
    pub fn recovery(
        &self,
        identity: &Identity,
        set: Component,
        members: &[MemberGoal],
        leaving: &[LeavingMember],
        anchor: &Anchor,
    ) -> Recovery {
        let request = &self.recovery;
        let asked = request.sets.is_empty() || request.sets.contains(&set.to_string());
        let pods = || members.iter().map(|m| &m.pod).chain(leaving.iter().map(|m| &m.pod));
        let within = |named: &BTreeSet<String>| -> BTreeSet<PodName> {
            pods().filter(|pod| asked && self.is_within(identity, pod, named)).cloned().collect()
        };
        Recovery {
            lost: within(&request.lost),
            cut_off: request.fenced,
            approved: self.approved.clone(),
            fenced: pods()
                .filter_map(|pod| Some((pod.clone(), MemberId(*anchor.fenced.get(pod.as_str())?))))
                .collect(),
            readmitted: within(&request.readmit),
        }
    }

    /// Whether a pod stands in one of the placements, or vdcs.
    fn is_within(&self, identity: &Identity, pod: &PodName, named: &BTreeSet<String>) -> bool {
        let placements = self.vdcs.iter().filter(|(name, vdc)| named.contains(*name) || named.contains(*vdc));
        placements.map(|(name, _)| name).chain(named).any(|name| identity.is_of(pod.as_str(), name))
    }
}

/// The hashes of an approval.
pub(crate) fn approved(annotation: Option<&str>) -> BTreeSet<String> {
    annotation.map(listed).unwrap_or_default()
}

fn listed(text: &str) -> BTreeSet<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn in_words<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(annotations: &serde_json::Value) -> Requests {
        let cluster = serde_json::from_value(json!({
            "apiVersion": "kogge.dev/v1alpha1",
            "kind": "FederatedCluster",
            "metadata": { "name": "ll2022", "namespace": "databases", "annotations": annotations },
            "spec": { "placement": [
                { "name": "vdc1", "vdc": "vdc1" },
                { "name": "second", "vdc": "vdc2" },
                { "name": "reader", "vdc": "vdc3", "role": "ReadOnly" },
            ] },
        }))
        .unwrap();
        Requests::of(&cluster, &anchor())
    }

    fn anchor() -> Anchor {
        serde_json::from_value(json!({
            "clusterID": "abcdefgh", "name": "ll2022", "ownerUID": "o", "epoch": 1, "specHash": "",
            "workerUIDs": { "vdc1": "a", "second": "b", "gone": "c" },
            "fenced": { "ll2022-config-second-0": 4 },
        }))
        .unwrap()
    }

    #[test]
    fn a_switchover_names_vdcs_that_are_there_and_leaves_one() {
        let vdcs = asked(&json!({ labels::AWAY_FROM: "vdc1" })).away_from;
        assert_eq!(vdcs, BTreeSet::from([Vdc::from("vdc1")]));
        let refused = |annotation: &str| {
            asked(&json!({ labels::AWAY_FROM: annotation })).refused.remove(labels::AWAY_FROM).unwrap()
        };
        assert!(
            refused("vdc9").contains("names vdc vdc9, and no placement is in it; name one of vdc1, vdc2, vdc3")
        );
        assert!(refused("vdc1, vdc2").contains("leaves no vdc"), "a reader takes no primary");
        assert!(refused(" , ").contains("names no vdc"));
    }

    #[test]
    fn a_recovery_is_refused_where_it_names_what_is_not_there() {
        let refused = |annotation: &str| {
            asked(&json!({ labels::RECOVER: annotation })).refused.remove(labels::RECOVER).unwrap()
        };
        assert!(refused("vdc2").contains("cannot be read"));
        assert!(refused(r#"{"lost":["vdc2"],"fence":true}"#).contains("unknown field `fence`"));
        assert!(refused(r#"{"lost":["vdc9"]}"#).contains("vdc9, which is neither a vdc nor a placement"));
        assert!(refused(r#"{"lost":["vdc2"],"readmit":["vdc2"]}"#).contains("say one of the two"));
        assert!(refused(r#"{"lost":["vdc2"],"sets":["shard-7"]}"#).contains("name one of config, shard-0"));
        assert!(asked(&json!({ labels::RECOVER: r#"{"lost":["gone"]}"# })).refused.is_empty());
    }

    #[test]
    fn what_is_lost_is_found_by_vdc_and_by_placement() {
        let identity = crate::engine::fixtures::identity();
        let requests = asked(&json!({
            labels::RECOVER: r#"{"lost":["vdc2","gone"],"fenced":true}"#,
            labels::APPROVE: "one, two",
        }));
        let leaving = ["second", "gone", "vdc1"].map(|placement| LeavingMember {
            anchor: kogge_mongo::MemberAnchor::default(),
            pod: format!("ll2022-config-{placement}-0").into(),
            host: "h".into(),
        });
        let recovery = requests.recovery(&identity, Component::Config, &[], &leaving, &anchor());
        let lost: Vec<&str> = recovery.lost.iter().map(PodName::as_str).collect();
        assert_eq!(lost, ["ll2022-config-gone-0", "ll2022-config-second-0"]);
        assert!(recovery.cut_off);
        assert_eq!(recovery.fenced["ll2022-config-second-0"], MemberId(4));
        assert_eq!(recovery.approved, BTreeSet::from(["one".to_owned(), "two".to_owned()]));
    }
}
