//! The rules that every chart keeps, and what each asks for.

/// A rule that every chart keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Only kinds that live in a namespace and give no rights.
    KnownKind,
    /// Only the cluster's own namespace.
    OwnNamespace,
    /// Only names that begin with the cluster's.
    OwnName,
    /// Only metadata that a template can know.
    PlainMetadata,
    /// Kogge's labels have the values that Kogge gives them.
    OwnLabels,
    /// Selectors match the pods of this database only.
    SelectsOwnPods,
    /// The members of a StatefulSet start together.
    ParallelPodManagement,
    /// The members of a StatefulSet are replaced by Kogge.
    UpdateOnDelete,
    /// Volume claims are this database's.
    OwnVolumeClaims,
    /// The server of a StatefulSet starts through the gate.
    StartsThroughGate,
}

impl Rule {
    /// What the rule asks for, and why.
    pub fn demand(self) -> &'static str {
        match self {
            Self::KnownKind => {
                "a chart renders Deployment, StatefulSet, Job, ConfigMap, Service, ServiceAccount, NetworkPolicy and PodDisruptionBudget only, none of which reaches beyond its namespace"
            }
            Self::OwnNamespace => "metadata.namespace is left out, or is {{cluster.namespace}}",
            Self::OwnName => {
                "metadata.name begins with {{cluster.name}}- and has only lower-case letters, digits, dashes and dots"
            }
            Self::PlainMetadata => {
                "metadata holds name, namespace, labels and annotations only, and no status is rendered"
            }
            Self::OwnLabels => {
                "labels of kogge.dev and app.kubernetes.io/managed-by are left out, or have Kogge's own values"
            }
            Self::SelectsOwnPods => {
                "a selector holds kogge.dev/cluster-id, and a workload's also the component and the placement; write {{toJson placement.selector}}, in a Service {{toJson component.selector}}"
            }
            Self::ParallelPodManagement => {
                "a StatefulSet has podManagementPolicy: Parallel, because a member that waits for one before it may wait without end"
            }
            Self::UpdateOnDelete => {
                "a StatefulSet has updateStrategy: {type: OnDelete}, because Kogge picks the next member across all data centres"
            }
            Self::StartsThroughGate => {
                "the first init container of a StatefulSet is named gate, has the image {{agent.image}} and mounts a volume at /kogge; every container that mounts a volume claim mounts the same, has command: [/kogge/kogge-agent, gate], and names its server after `--` in its args: the kubelet restarts a container alone, and an empty disk behind a voter's name must be held then as well"
            }
            Self::OwnVolumeClaims => {
                "a volume claim template is named {{volumes.data}}, or ends with -{{cluster.id}}, so that no other database ever mounts it"
            }
        }
    }
}
