//! The rules of a FederatedEtcd.

use serde_json::json;

use crate::harness::Verdict::{Passes, Refused};
use crate::harness::{Create, Update};

pub(crate) fn creates() -> Vec<Create> {
    let case = |what, spec, verdict| Create { what, spec, verdict };
    vec![
        case("the smallest etcd", json!({}), Passes),
        case("a version in words", json!({"version": "newest"}), Refused("spec.version in body should match")),
        case("half a version", json!({"version": "3.6"}), Refused("spec.version")),
        case(
            "no member",
            json!({"membersPerPlacement": 0}),
            Refused("spec.membersPerPlacement must be at least 1: a database is not scaled to zero"),
        ),
        case("no placement", json!({"placement": []}), Refused("spec.placement needs at least one entry")),
        case(
            "learners alone",
            json!({"placement": [{"name": "vdc1", "vdc": "vdc1", "role": "Learner"}]}),
            Refused("at least one placement with role Voter must hold a member"),
        ),
        case(
            "an arbiter",
            json!({"placement": [{"name": "vdc1", "vdc": "vdc1", "role": "Arbiter"}]}),
            Refused("spec.placement[].role must be Voter or Learner"),
        ),
        case("TLS", json!({"security": {"tls": {"mode": "Require"}}}), Passes),
        case(
            "TLS for those who like it",
            json!({"security": {"tls": {"mode": "Prefer"}}}),
            Refused("spec.security.tls.mode must be Disabled or Require"),
        ),
        case(
            "passwords that are not there",
            json!({"security": {"rotation": {"passwords": 1}}}),
            Refused("etcd has no keyfile, and Kogge makes no users on it"),
        ),
    ]
}

pub(crate) fn updates() -> Vec<Update> {
    let case = |what, before, change, verdict| Update { what, before, change, verdict };
    vec![
        case("a later version", json!({}), json!({"version": "3.7.0"}), Passes),
        case(
            "another clusterID",
            json!({"clusterID": "abcd2345"}),
            json!({"clusterID": "abcd2346"}),
            Refused("spec.clusterID cannot change once it is set"),
        ),
        case(
            "TLS switched on",
            json!({}),
            json!({"security": {"tls": {"mode": "Require"}}}),
            Refused("spec.security.tls.mode cannot change"),
        ),
        case(
            "another data centre",
            json!({}),
            json!({"placement": [{"name": "vdc1", "vdc": "vdc2"}]}),
            Refused("spec.placement[].vdc cannot change"),
        ),
        case(
            "a larger volume",
            json!({}),
            json!({"storage": {"size": "20Gi"}}),
            Refused("storage.size cannot change"),
        ),
    ]
}
