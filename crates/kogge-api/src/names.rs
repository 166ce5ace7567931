//! Names of objects and members: pure functions of the database, the component and the placement.
//!
//! A member's host name is the same in every cluster and never changes, so it may stand in a group's own list of its
//! members as long as the member is there.

use std::fmt::Display;

use crate::ClusterId;

/// `<cluster>-<component>`: the headless Service of a group, or the Service of the routers.
pub fn service(cluster: &str, component: impl Display) -> String {
    format!("{cluster}-{component}")
}

/// `<cluster>-<component>-<placement>`: the StatefulSet or Deployment of a placement's share.
///
/// At most 52 characters (with the bounds of the schema), which leaves room for a pod's ordinal and the
/// controller's hash within the 63 of a label.
pub fn workload(cluster: &str, component: impl Display, placement: &str) -> String {
    format!("{cluster}-{component}-{placement}")
}

/// `<cluster>-<component>-<placement>-<n>`: a member, its pod, and its key in the anchor.
pub fn member(cluster: &str, component: impl Display, placement: &str, ordinal: u32) -> String {
    format!("{cluster}-{component}-{placement}-{ordinal}")
}

/// The host name of a pod behind a headless Service.
pub fn host(pod: &str, service: &str, namespace: &str, cluster_domain: &str) -> String {
    format!("{pod}.{service}.{namespace}.svc.{cluster_domain}")
}

/// `<cluster>-<component>-<clusterID>`: the name that the members of a group know it by. The clusterID keeps a new
/// member from being taken in by another database of the same name.
pub fn group(cluster: &str, component: impl Display, id: &ClusterId) -> String {
    format!("{cluster}-{component}-{id}")
}

/// The name of the anchor of a database, in its namespace on every worker.
pub fn anchor(cluster: &str) -> String {
    format!("{cluster}-anchor")
}

/// The name of a database's own object in Kogge's namespace, where the databases of all namespaces meet.
pub fn system_object(id: &ClusterId, what: &str) -> String {
    format!("{what}-{id}")
}

/// The prefix of a database's volume claims, which carries the clusterID so that no other database of
/// that name ever mounts them.
pub fn volume_claim_template(id: &ClusterId) -> String {
    format!("data-{id}")
}

/// The Secret with the key that members authenticate to each other by. It never changes: another generation has
/// another name, so that a pod finds what it was made with.
pub fn keyfile_secret(cluster: &str, generation: u32) -> String {
    format!("{}-{generation}", keyfile_secrets(cluster))
}

/// What the names of all generations of that Secret begin with.
pub fn keyfile_secrets(cluster: &str) -> String {
    format!("{cluster}-keyfile")
}

/// The Secret with a component's certificate, of one generation.
pub fn tls_secret(cluster: &str, component: impl Display, generation: u32) -> String {
    format!("{}-{generation}", tls_secrets(cluster, component))
}

/// What the names of all generations of that Secret begin with.
pub fn tls_secrets(cluster: &str, component: impl Display) -> String {
    format!("{cluster}-{component}-tls")
}

/// The Secret, in the control cluster, with the credentials of the database's administrator.
pub fn admin_secret(cluster: &str) -> String {
    format!("{cluster}-admin")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federated_cluster::Component;

    #[test]
    fn the_longest_names_fit() {
        let cluster = "c".repeat(24);
        let placement = "p".repeat(16);
        let workload = workload(&cluster, Component::Shard(127), &placement);
        assert!(workload.len() <= 52, "{workload} has {} characters", workload.len());
    }

    #[test]
    fn a_member_is_named_the_same_everywhere() {
        let pod = member("ll2022", Component::Shard(0), "vdc1", 0);
        let host = host(&pod, &service("ll2022", Component::Shard(0)), "databases", "cluster.local");
        assert_eq!(host, "ll2022-shard-0-vdc1-0.ll2022-shard-0.databases.svc.cluster.local");
    }
}
