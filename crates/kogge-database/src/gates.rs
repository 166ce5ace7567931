//! What the anchors say reaches a gate that waits for it: a kubelet looks at a pod's volumes when the pod changes.

use kogge_api::labels;
use kogge_engine::{Engine, EngineView};
use kogge_plan::{Action, ApplyPrecondition, Object, apply_if_needed};
use kube_core::TypeMeta;
use kube_core::metadata::ObjectMeta;
use serde_json::json;

use crate::prepared::Prepared;

impl<E: Engine> Prepared<'_, E> {
    /// The writes that let the kubelets bring the anchors into the pods whose gates wait for them.
    pub(crate) fn told_to_gates(&self, engine: &EngineView<E::Action>) -> Vec<Action> {
        let identity = &self.observation.identity;
        let told = engine.waiting_gates.iter().filter_map(|(pod, anchor)| {
            let placement = self.placement_of(pod.as_str())?;
            let (worker, view) = self.observation.worker_of(&placement, &self.anchor)?;
            let object = Object {
                types: Some(TypeMeta { api_version: "v1".to_owned(), kind: "Pod".to_owned() }),
                metadata: ObjectMeta {
                    name: Some(pod.to_string()),
                    namespace: Some(identity.namespace.clone()),
                    labels: Some([(labels::CLUSTER_ID.to_owned(), identity.id.to_string())].into()),
                    annotations: Some([(labels::ANCHOR.to_owned(), anchor.clone())].into()),
                    ..ObjectMeta::default()
                },
                data: json!({}),
            };
            let told = apply_if_needed(worker, object, view, identity.database()).ok()??;
            // Without the pod there is no gate to tell.
            matches!(&told, Action::Apply { precondition, .. } if *precondition != ApplyPrecondition::Absent)
                .then_some(told)
        });
        told.collect()
    }
}
