//! The rules that every chart keeps, and what each asks for.

/// A rule that every chart keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// No container has rights beyond those of its processes.
    Unprivileged,
    /// Pods share no namespace, path or port with their node.
    NoHostAccess,
    /// Pods read no Secret but those that Kogge made for them.
    OwnSecrets,
    /// Pods run as no account but their chart's own.
    OwnServiceAccount,
    /// Pods run on no machine of a control plane, and push none of its parts away.
    NoControlPlane,
    /// Every container says what it needs and what it may take.
    RequestsAndLimits,
    /// There is one of what Kubernetes takes one of.
    OneOfEach,
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
                "a volume claim template is named {{volumes.data}}, or ends with -{{cluster.id}}, and so does each claim that a pod mounts, so that no other database ever mounts it"
            }
            Self::Unprivileged => {
                "every container, init containers included, has securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}} and adds no capability but NET_BIND_SERVICE, the pod has securityContext: {seccompProfile: {type: RuntimeDefault}}, and nothing is privileged or takes such bounds away; values cannot change that"
            }
            Self::NoHostAccess => {
                "a pod has no hostNetwork, hostPID, hostIPC, hostPort or hostPath, no volume but configMap, secret, emptyDir, ephemeral, downwardAPI, projected and persistentVolumeClaim, and its probes name no host; values cannot change that"
            }
            Self::OwnSecrets => {
                "pods read the Secrets {{secrets.keyfile}} and {{secrets.tls.secret}} only; any other in the namespace belongs to somebody else"
            }
            Self::OwnServiceAccount => {
                "a pod has automountServiceAccountToken: false, or runs as a ServiceAccount that its own chart renders"
            }
            Self::NoControlPlane => {
                "a pod tolerates neither everything nor node-role.kubernetes.io/control-plane, names no node, and has no priority class of the system"
            }
            Self::RequestsAndLimits => {
                "every container, init containers included, has requests and limits of cpu and memory; write resources: {{toJson (resources component.resources values.resources)}}"
            }
            Self::OneOfEach => {
                "a probe or hook has one of exec, grpc, httpGet, tcpSocket and, in a hook, sleep; a volume has one source, and a variable a value or where it is from; values are merged, so take away what the chart sets by its path, as in tcpSocket: kogge.dev/remove"
            }
        }
    }
}
