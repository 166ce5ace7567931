//! Rules that every chart keeps, so that what Kogge promises holds whatever a chart renders.

use kogge_api::{labels, names};
use serde_json::{Map, Value};

use super::gate;
use super::identity::labels_of;
use super::object::{RenderedObject, dotted, name_of};
use super::pods;
use crate::context::RenderInput;
use crate::error::ChartError;
use crate::rule::Rule;
use crate::selector;

pub(super) fn check(input: &RenderInput<'_>, object: &RenderedObject) -> Result<(), ChartError> {
    let checker = Checker { input, object };
    checker.metadata()?;
    checker.labels("/metadata/labels")?;
    checker.labels("/spec/template/metadata/labels")?;
    match object.kind.kind {
        "StatefulSet" => {
            checker.workload_selector()?;
            checker.stateful_set()
        }
        "Deployment" => checker.workload_selector(),
        "Service" => checker.selector("/spec/selector", false),
        "PodDisruptionBudget" => checker.selector("/spec/selector/matchLabels", false),
        "NetworkPolicy" => checker.selector("/spec/podSelector/matchLabels", false),
        _ => Ok(()),
    }?;
    match pods::breach(input, &object.value) {
        Some((rule, pointer)) => Err(checker.broken(rule, &pointer)),
        None => Ok(()),
    }
}

struct Checker<'a> {
    input: &'a RenderInput<'a>,
    object: &'a RenderedObject,
}

impl Checker<'_> {
    fn broken(&self, rule: Rule, pointer: &str) -> ChartError {
        let found = self.object.value.pointer(pointer).map_or_else(|| "nothing".to_owned(), Value::to_string);
        let field = dotted(pointer);
        ChartError::Rule {
            place: self.object.place_of(pointer),
            object: self.object.title(),
            rule,
            found: format!("{field}: {found}"),
        }
    }

    fn metadata(&self) -> Result<(), ChartError> {
        let metadata = self.object.value.get("metadata").and_then(Value::as_object);
        for key in metadata.into_iter().flat_map(Map::keys) {
            if !["name", "namespace", "labels", "annotations"].contains(&key.as_str()) {
                return Err(self.broken(Rule::PlainMetadata, &format!("/metadata/{key}")));
            }
        }
        if self.object.value.get("status").is_some() {
            return Err(self.broken(Rule::PlainMetadata, "/status"));
        }
        let namespace = self.object.text_at("/metadata/namespace");
        if namespace.is_some_and(|namespace| namespace != self.input.cluster.namespace) {
            return Err(self.broken(Rule::OwnNamespace, "/metadata/namespace"));
        }
        let prefix = format!("{}-", self.input.cluster.name);
        let rest = self.object.name().strip_prefix(&prefix).unwrap_or_default();
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if rest.is_empty() || !rest.chars().all(valid) || !rest.ends_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(self.broken(Rule::OwnName, "/metadata/name"));
        }
        Ok(())
    }

    fn labels(&self, pointer: &str) -> Result<(), ChartError> {
        let Some(found) = self.object.value.pointer(pointer).and_then(Value::as_object) else {
            return Ok(());
        };
        let own = labels_of(self.input);
        let reserved = |label: &str| label.starts_with("kogge.dev/") || label == labels::MANAGED_BY;
        for (label, text) in found.iter().filter(|(label, _)| reserved(label)) {
            if !own.iter().any(|(known, value)| known == label && text == value) {
                return Err(self.broken(Rule::OwnLabels, pointer));
            }
        }
        Ok(())
    }

    fn workload_selector(&self) -> Result<(), ChartError> {
        self.selector("/spec/selector/matchLabels", true)
    }

    /// A selector holds the clusterID, and no other value of Kogge's labels than this placement's.
    fn selector(&self, pointer: &str, of_placement: bool) -> Result<(), ChartError> {
        let RenderInput { cluster, component, placement, .. } = self.input;
        let wanted = if of_placement {
            selector::of_placement(&cluster.id, &component.name, &placement.name)
        } else {
            selector::of_component(&cluster.id, &component.name)
        };
        let found = self.object.value.pointer(pointer);
        let required = wanted.as_object().into_iter().flatten();
        let holds_all = required
            .filter(|(label, _)| of_placement || *label == labels::CLUSTER_ID)
            .all(|(label, value)| found.and_then(|found| found.get(label)) == Some(value));
        if !holds_all {
            return Err(self.broken(Rule::SelectsOwnPods, pointer));
        }
        // A label that changes with a rollout would take the workload away from its own pods.
        let names_revision = found.and_then(|found| found.get(labels::REVISION)).is_some();
        if names_revision { Err(self.broken(Rule::SelectsOwnPods, pointer)) } else { self.labels(pointer) }
    }

    fn stateful_set(&self) -> Result<(), ChartError> {
        if self.object.text_at("/spec/podManagementPolicy") != Some("Parallel") {
            return Err(self.broken(Rule::ParallelPodManagement, "/spec/podManagementPolicy"));
        }
        if self.object.text_at("/spec/updateStrategy/type") != Some("OnDelete") {
            return Err(self.broken(Rule::UpdateOnDelete, "/spec/updateStrategy/type"));
        }
        let id = &self.input.cluster.id;
        let suffix = format!("-{id}");
        let claims = self.object.value.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
        for (index, claim) in claims.into_iter().flatten().enumerate() {
            let name = name_of(claim);
            if name != names::volume_claim_template(id) && !name.ends_with(&suffix) {
                let pointer = format!("/spec/volumeClaimTemplates/{index}/metadata/name");
                return Err(self.broken(Rule::OwnVolumeClaims, &pointer));
            }
        }
        match gate::gap(&self.object.value, &self.input.agent_image) {
            Some(pointer) => Err(self.broken(Rule::StartsThroughGate, &pointer)),
            None => Ok(()),
        }
    }
}
