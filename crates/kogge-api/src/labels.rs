//! Labels and annotations that Kogge puts on objects.

/// The clusterID of the database that an object belongs to. Watches select on its presence, and an object
/// whose value differs from the database's own is never written (A1, A7).
pub const CLUSTER_ID: &str = "kogge.dev/cluster-id";
/// The name of the FederatedCluster.
pub const CLUSTER: &str = "kogge.dev/cluster";
/// The component's name, such as `config` or `shard-0`.
pub const COMPONENT: &str = "kogge.dev/component";
/// The placement's name.
pub const PLACEMENT: &str = "kogge.dev/placement";
/// The revision of the template that an object, or a pod, was made from.
pub const REVISION: &str = "kogge.dev/revision";
/// What an object is for, where it is not a part of a chart: `anchor`, `keyfile`, `revision`, …
pub const ROLE: &str = "kogge.dev/role";
/// The vdc whose pods a mirrored EndpointSlice holds.
pub const SOURCE_VDC: &str = "kogge.dev/source-vdc";
/// The group whose members a mirrored EndpointSlice holds.
pub const GROUP: &str = "kogge.dev/group";

/// `managed-by` of objects that Kogge owns.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// `managed-by` of EndpointSlices; kube-controller-manager lists only its own.
pub const ENDPOINT_SLICE_MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// The value of both `managed-by` labels.
pub const MANAGER: &str = "kogge.dev";

/// Annotation: the hash of what Kogge applied last, so that an unchanged object is not written again (A5).
pub const APPLIED_HASH: &str = "kogge.dev/applied-hash";
/// Annotation (of pods): what the anchor says that the pod's gate waits for. A kubelet brings a changed ConfigMap into a
/// pod within a minute or more, and at once where the pod itself changes.
pub const ANCHOR: &str = "kogge.dev/anchor";
/// Annotation (of what Kogge keeps in the control cluster): the resource that a database belongs to, see
/// [`crate::Owner`].
pub const OWNER: &str = "kogge.dev/owner";
/// Annotation (of what `kogge worker join` makes): the UID of `kube-system` in the control cluster that it was made for.
pub const CONTROL_UID: &str = "kogge.dev/control-uid";
/// Annotation (of mirrored slices): the UIDs of the pods, by host name.
pub const POD_UIDS: &str = "kogge.dev/pod-uids";
/// Annotation by a user: pauses everything that Kogge would change.
pub const PAUSE: &str = "kogge.dev/pause";
/// Annotation by a user: the vdcs, with commas between them, that no leader shall be in.
pub const AWAY_FROM: &str = "kogge.dev/away-from";
/// Annotation by a user: which vdcs are lost for good, where groups lost their majority with them, as JSON; see
/// [`crate::recovery`].
pub const RECOVER: &str = "kogge.dev/recover";
/// Annotation by a user: approves the steps whose hashes it names, with commas between them.
pub const APPROVE: &str = "kogge.dev/approve";
