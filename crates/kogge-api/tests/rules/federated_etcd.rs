//! The rules of a FederatedEtcd.

use serde_json::{Value, json};

use crate::harness::Verdict::{Passes, Refused};
use crate::harness::{Create, Update};

pub(crate) fn creates() -> Vec<Create> {
    let case = |what, spec, verdict| Create { what, spec, verdict };
    let window = |over: Value| {
        let mut window = json!({"start": "02:00", "duration": "4h"});
        json_patch::merge(&mut window, &over);
        json!({"maintenance": {"window": window}})
    };
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
        case("field_22: seven voters", json!({"membersPerPlacement": 7}), Passes),
        case(
            "field_22: eight voters",
            json!({"membersPerPlacement": 4, "placement": [{"name": "a", "vdc": "a"}, {"name": "b", "vdc": "b"}]}),
            Refused(
                "the cluster would have more than 7 members with role Voter, and Kogge lets at most 7 of them vote",
            ),
        ),
        case("a quota in bytes", json!({"quotaBackendBytes": 8_589_934_592_u64}), Passes),
        case("a quota with a unit", json!({"quotaBackendBytes": "8Gi"}), Passes),
        case(
            "a quota whose unit was forgotten",
            json!({"quotaBackendBytes": 8}),
            Refused("spec.quotaBackendBytes must be between 16Mi and 64Gi"),
        ),
        case(
            "a quota that is none",
            json!({"quotaBackendBytes": "8GB"}),
            Refused("spec.quotaBackendBytes must be between 16Mi and 64Gi"),
        ),
        case(
            "a quota below zero, which is none to etcd",
            json!({"quotaBackendBytes": -1}),
            Refused("spec.quotaBackendBytes must be between 16Mi and 64Gi"),
        ),
        case(
            "a quota that no volume holds",
            json!({"quotaBackendBytes": "65Gi", "storage": {"size": "100Gi"}}),
            Refused("spec.quotaBackendBytes must be between 16Mi and 64Gi"),
        ),
        case(
            "a quota larger than the volume",
            json!({"quotaBackendBytes": "2Gi", "storage": {"size": "1Gi"}}),
            Refused("spec.quotaBackendBytes must not be larger than spec.storage.size"),
        ),
        case(
            "a quota in bytes larger than the volume",
            json!({"quotaBackendBytes": 2_147_483_648_u64, "storage": {"size": "1Gi"}}),
            Refused("spec.quotaBackendBytes must not be larger than spec.storage.size"),
        ),
        case("a volume smaller than the quota that nobody set", json!({"storage": {"size": "1Gi"}}), Passes),
        case("a window on two days", window(json!({"days": ["Saturday", "Sunday"]})), Passes),
        case("a window every day", window(json!({})), Passes),
        case(
            "a day in another language",
            window(json!({"days": ["Samstag"]})),
            Refused("spec.maintenance.window.days must hold English names of weekdays"),
        ),
        case(
            "a time that no clock shows",
            window(json!({"start": "24:00"})),
            Refused("spec.maintenance.window.start must be a time of day in UTC"),
        ),
        case(
            "a window that is closed before a member is done",
            window(json!({"duration": "5m"})),
            Refused("spec.maintenance.window.duration must be between 30m and 24h"),
        ),
        case(
            "a window without an end",
            json!({"maintenance": {"window": {"start": "02:00"}}}),
            Refused("duration"),
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
        case("a larger quota", json!({"quotaBackendBytes": "2Gi"}), json!({"quotaBackendBytes": "4Gi"}), Passes),
        case(
            "another clusterID",
            json!({"clusterID": "abcd2345"}),
            json!({"clusterID": "abcd2346"}),
            Refused("spec.clusterID cannot change once it is set"),
        ),
        case(
            "field_06: the clusterID taken away, as kubectl replace does",
            json!({"clusterID": "abcd2345"}),
            json!({"clusterID": null}),
            Passes,
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
