//! Identity: the namespace and the labels that Kogge knows its objects and pods by.

use kogge_api::labels;
use serde_json::{Map, Value, json};

use super::object::RenderedObject;
use crate::context::RenderInput;
use crate::revision::Revision;

/// Kogge's labels on an object of this placement, but for the revision.
pub(super) fn labels_of<'a>(input: &'a RenderInput<'_>) -> [(&'static str, &'a str); 5] {
    [
        (labels::CLUSTER_ID, input.cluster.id.as_str()),
        (labels::CLUSTER, &input.cluster.name),
        (labels::COMPONENT, &input.component.name),
        (labels::PLACEMENT, &input.placement.name),
        (labels::MANAGED_BY, labels::MANAGER),
    ]
}

/// Puts namespace and labels on an object and on its pod template.
///
/// An object that bears no placement's name, such as a Service, is the same for every placement and every
/// revision on a worker, so it gets neither label: two placements would write it in turn for ever. The
/// revision is on workloads and their pods only: what is named by its content belongs to many revisions.
pub(super) fn put_on(input: &RenderInput<'_>, revision: &Revision, object: &mut RenderedObject) {
    let workload = input.workload();
    let own = object.name() == workload || object.name().starts_with(&format!("{workload}-"));
    let value = &mut object.value;
    value["metadata"]["namespace"] = json!(input.cluster.namespace);
    let object_labels = labels_of(input).into_iter().filter(|(label, _)| own || *label != labels::PLACEMENT);
    set_labels(&mut value["metadata"], object_labels);
    if value.pointer("/spec/template").is_some() {
        set_labels(&mut value["metadata"], [(labels::REVISION, revision.as_str())]);
        let pod = &mut value["spec"]["template"]["metadata"];
        set_labels(pod, labels_of(input).into_iter().chain([(labels::REVISION, revision.as_str())]));
    }
}

fn set_labels<'a>(metadata: &mut Value, labels: impl IntoIterator<Item = (&'static str, &'a str)>) {
    if !metadata["labels"].is_object() {
        metadata["labels"] = Value::Object(Map::new());
    }
    for (label, text) in labels {
        metadata["labels"][label] = json!(text);
    }
}
