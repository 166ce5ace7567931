//! The rules of a WorkerCluster.

use serde_json::json;

use crate::harness::Verdict::{Passes, Refused};
use crate::harness::{Create, Update};

pub(crate) fn creates() -> Vec<Create> {
    let case = |what, spec, verdict| Create { what, spec, verdict };
    let either = Refused("spec.allowedNamespaces: give either names, or all: true");
    vec![
        case("the smallest", json!({}), Passes),
        case("every namespace", json!({"allowedNamespaces": {"names": null, "all": true}}), Passes),
        case("a list and all", json!({"allowedNamespaces": {"all": true}}), either),
        case("neither a list nor all", json!({"allowedNamespaces": {"names": null}}), either),
        case(
            "all: false",
            json!({"allowedNamespaces": {"names": null, "all": false}}),
            Refused("spec.allowedNamespaces.all is true or absent; to allow some, list them under names"),
        ),
        case(
            "an empty list",
            json!({"allowedNamespaces": {"names": []}}),
            Refused("spec.allowedNamespaces.names in body should have at least 1 items"),
        ),
        case(
            "one namespace twice",
            json!({"allowedNamespaces": {"names": ["a", "a"]}}),
            Refused("spec.allowedNamespaces.names[1]: Duplicate value"),
        ),
        case(
            "a vdc that is no label",
            json!({"vdc": "VDC 1"}),
            Refused(
                "spec.vdc must be lower-case letters, digits and dashes, because it is part of labels and names",
            ),
        ),
        case("no vdc", json!({"vdc": null}), Refused("spec.vdc: Required value")),
        case("no kubeconfig", json!({"kubeconfig": null}), Refused("spec.kubeconfig: Required value")),
        case(
            "a key with a slash",
            json!({"kubeconfig": {"secretRef": {"key": "a/b"}}}),
            Refused("spec.kubeconfig.secretRef.key in body should match"),
        ),
        case(
            "a mode that is not built",
            json!({"network": {"mode": "LoadBalancer"}}),
            Refused("supported values: \"Underlay\""),
        ),
        case(
            "an access that is not built",
            json!({"access": "Tunnel"}),
            Refused("supported values: \"PortForward\", \"Direct\""),
        ),
        case(
            "a domain that is none",
            json!({"network": {"clusterDomain": "cluster local"}}),
            Refused("spec.network.clusterDomain in body should match"),
        ),
        case("another domain", json!({"network": {"clusterDomain": "k8s.example.org"}}), Passes),
        case("the shortest timeout", json!({"limits": {"requestTimeout": "1s"}}), Passes),
        case(
            "a timeout too short",
            json!({"limits": {"requestTimeout": "500ms"}}),
            Refused("spec.limits.requestTimeout must be between 1s and 2m"),
        ),
        case(
            "a timeout too long",
            json!({"limits": {"requestTimeout": "3m"}}),
            Refused("spec.limits.requestTimeout must be between 1s and 2m"),
        ),
        case(
            "a timeout that is no duration",
            json!({"limits": {"requestTimeout": "soon"}}),
            Refused("spec.limits.requestTimeout"),
        ),
        case(
            "no request at a time",
            json!({"limits": {"concurrency": 0}}),
            Refused("spec.limits.concurrency in body should be greater than or equal to 1"),
        ),
    ]
}

pub(crate) fn updates() -> Vec<Update> {
    let case = |what, before, change, verdict| Update { what, before, change, verdict };
    let network = Refused("spec.network cannot change: every member's host name depends on it");
    vec![
        case(
            "another vdc",
            json!({}),
            json!({"vdc": "vdc2"}),
            Refused("spec.vdc cannot change: make another WorkerCluster and move the placements to it"),
        ),
        case("another domain", json!({}), json!({"network": {"clusterDomain": "example.org"}}), network),
        case(
            "back to the default domain",
            json!({"network": {"clusterDomain": "example.org"}}),
            json!({"network": null}),
            network,
        ),
        case("the default network, spelt out", json!({}), json!({"network": {"mode": "Underlay"}}), Passes),
        case("another kubeconfig", json!({}), json!({"kubeconfig": {"secretRef": {"name": "new"}}}), Passes),
        case("one namespace more", json!({}), json!({"allowedNamespaces": {"names": ["databases", "b"]}}), Passes),
        case("from a list to all", json!({}), json!({"allowedNamespaces": {"names": null, "all": true}}), Passes),
        case("suspended", json!({}), json!({"suspend": true}), Passes),
    ]
}
