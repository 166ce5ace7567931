//! What people ask for beside the spec, by annotations: a switchover, a recovery, approvals.

use std::collections::{BTreeMap, BTreeSet};

use kogge_api::labels;
use kogge_api::recovery::RecoveryRequest;
use kogge_plan::ComponentKey;

use crate::database::{Database, PlacementFacts};
use crate::identity::Identity;
use crate::names::Vdc;

/// What was asked for. A request that cannot be carried out is refused as a whole, with a sentence, and the others
/// go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// The vdcs that no leader shall be in.
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
    /// The requests that a database's annotations hold. `placed` are the placements that were put on a worker, whether or
    /// not the spec still names them, with the UIDs of those.
    pub fn of(database: &Database, placed: &BTreeMap<String, String>) -> Self {
        let mut requests = Self {
            approved: database.annotation(labels::APPROVE).map(listed).unwrap_or_default(),
            vdcs: database.placements.iter().map(|p| (p.name.clone(), p.vdc.clone())).collect(),
            ..Self::default()
        };
        if let Some(vdcs) = database.annotation(labels::AWAY_FROM) {
            match requests.switchover(&database.placements, vdcs) {
                Ok(vdcs) => requests.away_from = vdcs,
                Err(refusal) => drop(requests.refused.insert(labels::AWAY_FROM, refusal)),
            }
        }
        if let Some(text) = database.annotation(labels::RECOVER) {
            match requests.recover(database, placed, text) {
                Ok(request) => requests.recovery = request,
                Err(refusal) => drop(requests.refused.insert(labels::RECOVER, refusal)),
            }
        }
        requests
    }

    /// Whether a recovery that was asked for is about a group.
    pub fn recovers(&self, component: &ComponentKey) -> bool {
        self.recovery.groups.is_empty() || self.recovery.groups.contains(component.as_str())
    }

    /// Whether a member's pod stands in one of these vdcs or placements, whether or not the spec still names them.
    pub fn is_within(
        &self,
        identity: &Identity,
        component: &ComponentKey,
        pod: &str,
        named: &BTreeSet<String>,
    ) -> bool {
        let placements = self.vdcs.iter().filter(|(name, vdc)| named.contains(*name) || named.contains(*vdc));
        placements.map(|(name, _)| name).chain(named).any(|name| identity.is_in(component, pod, name))
    }

    fn switchover(&self, placements: &[PlacementFacts], text: &str) -> Result<BTreeSet<Vdc>, String> {
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
        if !placements.iter().any(|placement| placement.may_lead && !named.contains(&placement.vdc)) {
            return Err(format!(
                "the annotation {} leaves no vdc in which a member may lead; leave at least one with a placement that has the role Voter and no priority of 0",
                labels::AWAY_FROM
            ));
        }
        Ok(named.into_iter().map(Vdc::from).collect())
    }

    fn recover(
        &self,
        database: &Database,
        placed: &BTreeMap<String, String>,
        text: &str,
    ) -> Result<RecoveryRequest, String> {
        let request: RecoveryRequest = serde_json::from_str(text).map_err(|error| {
            format!(
                "the annotation {} cannot be read: {error}; it looks like {{\"lost\":[\"vdc2\"],\"fenced\":true}}",
                labels::RECOVER
            )
        })?;
        let mut known: BTreeSet<&String> = self.vdcs.iter().flat_map(|(name, vdc)| [name, vdc]).collect();
        known.extend(placed.keys());
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
        let groups: Vec<&str> = database.groups().map(|component| component.key.as_str()).collect();
        if let Some(unknown) = request.groups.iter().find(|group| !groups.contains(&group.as_str())) {
            return Err(format!(
                "the annotation {} names the group {unknown}; name one of {}",
                labels::RECOVER,
                groups.join(", ")
            ));
        }
        Ok(request)
    }
}

fn listed(text: &str) -> BTreeSet<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn in_words<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use kogge_api::federated_cluster::{DeletionSpec, RolloutSpec, SecuritySpec};
    use serde_json::Map;

    use super::*;
    use crate::component::Component;

    fn asked(annotation: &str, value: &str) -> Requests {
        let component = |name: &str, rank, is_group| Component {
            rank,
            key: name.into(),
            kind: "component",
            index: 0,
            is_group,
        };
        let placement = |name: &str, vdc: &str, may_lead| PlacementFacts {
            name: name.to_owned(),
            vdc: vdc.to_owned(),
            worker_cluster: None,
            may_lead,
            values: Map::new(),
        };
        let database = Database {
            kind: String::new(),
            metadata: ObjectMeta {
                annotations: Some([(annotation.to_owned(), value.to_owned())].into()),
                ..ObjectMeta::default()
            },
            cluster_id: None,
            chart: String::new(),
            chart_version: None,
            image: None,
            values: Map::new(),
            placements: vec![
                placement("vdc1", "vdc1", true),
                placement("second", "vdc2", true),
                placement("reader", "vdc3", false),
            ],
            components: vec![
                component("config", 0, true),
                component("shard-0", 1, true),
                component("routers", 2, false),
            ],
            rollout: RolloutSpec::default(),
            deletion: DeletionSpec::default(),
            security: SecuritySpec::default(),
            status: None,
        };
        let placed = ["vdc1", "second", "gone"].map(|placement| (placement.to_owned(), "uid".to_owned()));
        Requests::of(&database, &placed.into())
    }

    #[test]
    fn a_switchover_names_vdcs_that_are_there_and_leaves_one() {
        assert_eq!(asked(labels::AWAY_FROM, "vdc1").away_from, BTreeSet::from([Vdc::from("vdc1")]));
        let refused =
            |annotation: &str| asked(labels::AWAY_FROM, annotation).refused.remove(labels::AWAY_FROM).unwrap();
        assert!(
            refused("vdc9").contains("names vdc vdc9, and no placement is in it; name one of vdc1, vdc2, vdc3")
        );
        assert!(refused("vdc1, vdc2").contains("leaves no vdc"), "nobody may lead in the third");
        assert!(refused(" , ").contains("names no vdc"));
    }

    #[test]
    fn a_recovery_is_refused_where_it_names_what_is_not_there() {
        let refused =
            |annotation: &str| asked(labels::RECOVER, annotation).refused.remove(labels::RECOVER).unwrap();
        assert!(refused("vdc2").contains("cannot be read"));
        assert!(refused(r#"{"lost":["vdc2"],"fence":true}"#).contains("unknown field `fence`"));
        assert!(refused(r#"{"lost":["vdc9"]}"#).contains("vdc9, which is neither a vdc nor a placement"));
        assert!(refused(r#"{"lost":["vdc2"],"readmit":["vdc2"]}"#).contains("say one of the two"));
        assert!(refused(r#"{"lost":["vdc2"],"groups":["shard-7"]}"#).contains("name one of config, shard-0"));
        assert!(asked(labels::RECOVER, r#"{"lost":["gone"]}"#).refused.is_empty());
    }

    #[test]
    fn what_is_lost_is_found_by_vdc_and_by_placement() {
        let identity = Identity {
            name: "ll2022".to_owned(),
            namespace: "databases".to_owned(),
            id: "abcdefgh".parse().unwrap(),
            cluster_domain: "cluster.local".to_owned(),
        };
        let requests = asked(labels::RECOVER, r#"{"lost":["vdc2","gone"],"fenced":true,"groups":["config"]}"#);
        let (config, lost) = ("config".into(), &requests.recovery.lost);
        let is_lost = |pod: &str| requests.is_within(&identity, &config, pod, lost);
        assert!(is_lost("ll2022-config-second-0") && is_lost("ll2022-config-gone-1"));
        assert!(!is_lost("ll2022-config-vdc1-0") && !is_lost("ll2022-config-second-blue-0"));
        assert!(requests.recovers(&config) && !requests.recovers(&"shard-0".into()));
    }
}
