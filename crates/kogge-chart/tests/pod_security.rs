//! Every pod of every chart is one that Pod Security's `restricted` takes, with values for a user other than root; with
//! the default values it lacks nothing but that user, whom the volumes must take on.

#[cfg(test)]
mod support;

use std::collections::BTreeSet;

use kogge_api::federated_cluster::Component;
use kogge_chart::{Chart, TlsContext, render};
use kube_core::DynamicObject;
use rstest::rstest;
use serde_json::{Value, json};
use support::{charts, input, merged};

/// What `restricted` asks for and the pods of these objects do not do, from
/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/>, v1.34; written without a look at Kogge's rules.
#[cfg(test)]
fn violations(objects: &[DynamicObject]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for pod in objects.iter().filter_map(|object| object.data.pointer("/spec/template/spec")) {
        let context = &pod["securityContext"];
        for field in ["hostNetwork", "hostPID", "hostIPC"] {
            if pod[field] == true {
                found.insert(field.to_owned());
            }
        }
        let allowed = [
            "configMap",
            "csi",
            "downwardAPI",
            "emptyDir",
            "ephemeral",
            "persistentVolumeClaim",
            "projected",
            "secret",
        ];
        for volume in pod["volumes"].as_array().into_iter().flatten() {
            let kinds = volume.as_object().unwrap().keys().filter(|kind| *kind != "name");
            found.extend(kinds.filter(|kind| !allowed.contains(&kind.as_str())).cloned());
        }
        let containers =
            ["initContainers", "containers"].iter().filter_map(|list| pod[*list].as_array()).flatten();
        for container in containers {
            let own = &container["securityContext"];
            let of_either = |field: &str| if own[field].is_null() { &context[field] } else { &own[field] };
            let holds = [
                ("privileged", own["privileged"] != true),
                ("allowPrivilegeEscalation", own["allowPrivilegeEscalation"] == false),
                ("drop", own["capabilities"]["drop"] == json!(["ALL"])),
                ("add", own["capabilities"]["add"].is_null()),
                ("procMount", own["procMount"].is_null()),
                ("seccompProfile", of_either("seccompProfile")["type"] == "RuntimeDefault"),
                ("runAsNonRoot", *of_either("runAsNonRoot") == true),
                ("runAsUser", *of_either("runAsUser") != 0),
                ("hostPort", !container["ports"].to_string().contains("hostPort")),
                ("host", !container.to_string().contains("\"host\":")),
            ];
            found.extend(holds.iter().filter(|(_, holds)| !holds).map(|(name, _)| (*name).to_owned()));
        }
    }
    found
}

/// Everything that the charts render, with TLS and without.
#[cfg(test)]
fn rendered(values: &Value) -> Vec<(String, Vec<DynamicObject>)> {
    let store = charts();
    let mut all = Vec::new();
    for name in store.names().unwrap() {
        for version in store.versions(&name).unwrap() {
            let chart = store.find(&name, &version.to_string()).unwrap();
            for (kind, tls) in chart.components.keys().flat_map(|kind| [(kind, false), (kind, true)]) {
                all.push((format!("{name} {version} {kind}"), objects(&chart, kind, tls, values)));
            }
        }
    }
    all
}

#[cfg(test)]
fn objects(chart: &Chart, kind: &str, tls: bool, values: &Value) -> Vec<DynamicObject> {
    // A value that the chart does not have is none of this chart's.
    let mut values = values.clone();
    values.as_object_mut().unwrap().retain(|name, _| chart.values.contains_key(name));
    let values = merged(chart, &values).unwrap();
    let mut input = input(chart, Component::Config, "vdc1", &values.values);
    kind.clone_into(&mut input.component.kind);
    input.secrets.tls =
        tls.then(|| TlsContext { mode: "requireTLS".to_owned(), secret: "ll2022-tls-1".to_owned() });
    input.discovery.of_engine.insert("peerPort".to_owned(), json!(2380));
    input.settings.insert("quotaBackendBytes".to_owned(), json!(2_147_483_648_u64));
    render(&input).unwrap().objects
}

#[test]
fn every_chart_is_restricted_where_it_runs_as_a_user() {
    let user = json!({
        "podSecurityContext": {"runAsNonRoot": true, "runAsUser": 999, "runAsGroup": 999, "fsGroup": 999},
        "keyFile": {"copy": true},
    });
    for (what, objects) in rendered(&user) {
        assert_eq!(violations(&objects), BTreeSet::new(), "{what}");
    }
}

#[test]
fn by_default_every_chart_lacks_a_user_alone() {
    for (what, objects) in rendered(&json!({})) {
        assert_eq!(violations(&objects), ["runAsNonRoot".to_owned()].into(), "{what}");
    }
}

#[rstest]
#[case(json!({}))]
#[case(json!({"keyFile": {"copy": true}}))]
fn field_41_every_container_has_requests_and_limits(#[case] values: Value) {
    for (what, objects) in rendered(&values) {
        for pod in objects.iter().filter_map(|object| object.data.pointer("/spec/template/spec")) {
            for container in
                ["initContainers", "containers"].iter().filter_map(|list| pod[*list].as_array()).flatten()
            {
                for bound in ["requests", "limits"] {
                    for name in ["cpu", "memory"] {
                        assert!(container["resources"][bound][name].is_string(), "{what}: {}", container["name"]);
                    }
                }
            }
        }
    }
}
