//! The chart bytedoc: everything that it renders, in every version.

#[cfg(test)]
mod support;

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kogge_api::federated_cluster::Component;
use kogge_api::labels;
use kogge_chart::shape::{Shape, Storage, overlay};
use kogge_chart::{Rendered, render, revision};
use kube_core::DynamicObject;
use rstest::rstest;
use serde_json::{Value, json};
use support::{bytedoc, charts, input, merged};

#[cfg(test)]
fn rendered(version: &str, component: Component, placement: &str, values: &Value) -> Rendered {
    let chart = bytedoc(version);
    let merged = merged(&chart, values).unwrap();
    render(&input(&chart, component, placement, &merged.values)).unwrap()
}

fn shape() -> Shape {
    Shape {
        replicas: 3,
        storage: Some(Storage { size: Quantity("20Gi".to_owned()), class: Some("fast".to_owned()) }),
        labels: BTreeMap::new(),
    }
}

#[cfg(test)]
fn object<'a>(objects: &'a [DynamicObject], kind: &str) -> &'a DynamicObject {
    objects.iter().find(|o| o.types.as_ref().unwrap().kind == kind).unwrap()
}

#[rstest]
fn renders(
    #[values("1.0.0", "1.1.0")] version: &str,
    #[values("config", "shard-0", "mongos")] component: &str,
    #[values("vdc1", "vdc2")] placement: &str,
) {
    let rendered = rendered(version, component.parse().unwrap(), placement, &json!({}));
    insta::assert_yaml_snapshot!(format!("{version}-{component}-{placement}"), rendered.objects);
}

#[test]
fn renders_with_everything_set() {
    let values = json!({
        "mongod": {"setParameter": {"logLevel": "1"}, "replication": {"oplogSizeMB": 100}},
        "imagePullSecrets": ["pull: secret"],
        "keyFile": {"copy": true},
        "podSecurityContext": {"runAsUser": 999},
        "priorityClassName": "high",
        "podAnnotations": {"example.com/a": "true", "example.com/b": "x: y"},
        "tolerations": [{"key": "db", "operator": "Exists"}],
        "nodeSelector": {"disk": "1e3"},
        "probes": {"liveness": null},
    });
    insta::assert_yaml_snapshot!(rendered("1.1.0", Component::Shard(0), "vdc1", &values).objects);
}

#[test]
fn the_new_version_restarts_members_and_routers() {
    for component in Component::all(1) {
        let old = rendered("1.0.0", component, "vdc1", &json!({}));
        let new = rendered("1.1.0", component, "vdc1", &json!({}));
        assert_ne!(old.revision, new.revision);
    }
    let newest = charts().newest("bytedoc").unwrap();
    assert_eq!(newest.version.to_string(), "1.1.0");
}

/// How long a server goes on after SIGTERM by its own default, in seconds.
const QUIESCE: u64 = 15;
/// How long a primary that is told to end waits for a secondary to catch up, in seconds.
const CATCH_UP: u64 = 10;
/// What a server must at least have left to flush and close its files, in seconds.
const FLUSH: u64 = 10;

#[rstest]
fn the_grace_period_covers_all_that_a_pod_does_to_end(
    #[values("1.0.0", "1.1.0")] version: &str,
    #[values("config", "shard-0", "mongos")] component: &str,
    #[values(json!({}), json!({"handOverSeconds": 30, "terminationGracePeriodSeconds": 60}))] values: Value,
) {
    let component: Component = component.parse().unwrap();
    let rendered = rendered(version, component, "vdc1", &values);
    let kind = if component.is_replica_set() { "StatefulSet" } else { "Deployment" };
    let pod = &object(&rendered.objects, kind).data["spec"]["template"]["spec"];
    let hand_over = pod["containers"][0].pointer("/lifecycle/preStop/sleep/seconds").and_then(Value::as_u64);
    assert_eq!(hand_over.is_some(), !component.is_replica_set(), "routers alone are in a Service that balances");
    let catch_up = if component.is_replica_set() { CATCH_UP } else { 0 };
    let needed = hand_over.unwrap_or_default() + catch_up + QUIESCE + FLUSH;
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace >= needed, "{component}: {grace} s, of {needed} s");
}

#[rstest]
#[case(json!({"handOverSeconds": 31}), "handOverSeconds")]
#[case(json!({"terminationGracePeriodSeconds": 59}), "terminationGracePeriodSeconds")]
#[case(json!({"probes": {"readiness": null}}), "readiness")]
fn what_would_cut_a_hand_over_short_is_refused(
    #[values("1.0.0", "1.1.0")] version: &str,
    #[case] values: Value,
    #[case] named: &str,
) {
    let error = merged(&bytedoc(version), &values).unwrap_err().to_string();
    assert!(error.contains(named), "{error}");
}

#[rstest]
fn a_router_leaves_its_service_only_when_the_next_one_is_in_it(#[values("1.0.0", "1.1.0")] version: &str) {
    let rendered = rendered(version, Component::Mongos, "vdc1", &json!({"handOverSeconds": 7}));
    let spec = &object(&rendered.objects, "Deployment").data["spec"];
    assert_eq!(spec["strategy"]["rollingUpdate"], json!({"maxSurge": 1, "maxUnavailable": 0}));
    assert_eq!(spec["minReadySeconds"], 7);
    let router = &spec["template"]["spec"]["containers"][0];
    assert_eq!(router["lifecycle"], json!({"preStop": {"sleep": {"seconds": 7}}}));
    assert!(router["readinessProbe"].is_object());
}

#[test]
fn services_are_the_same_in_every_placement_and_revision() {
    for component in Component::all(1) {
        let one = rendered("1.0.0", component, "vdc1", &json!({}));
        let other = rendered("1.1.0", component, "vdc2", &json!({}));
        assert_eq!(object(&one.objects, "Service"), object(&other.objects, "Service"));
    }
}

#[test]
fn the_shape_is_no_part_of_the_revision() {
    let rendered = rendered("1.0.0", Component::Shard(0), "vdc1", &json!({}));
    let laid = overlay(&rendered.objects, &shape());
    let set: StatefulSet = object(&laid, "StatefulSet").clone().try_parse().unwrap();
    let spec = set.spec.unwrap();
    assert_eq!(spec.replicas, Some(3));
    let claim = &spec.volume_claim_templates.unwrap()[0];
    assert_eq!(claim.metadata.name.as_deref(), Some("data-abcd2345"));
    let claim = claim.spec.clone().unwrap();
    assert_eq!(claim.storage_class_name.as_deref(), Some("fast"));
    assert_eq!(claim.resources.unwrap().requests.unwrap()["storage"], Quantity("20Gi".to_owned()));
    assert_eq!(overlay(&laid, &shape()), laid, "a shape over its own result changes nothing");
    let plain: Vec<&Value> = rendered.objects.iter().map(|o| &o.data["spec"]["template"]).collect();
    let shaped: Vec<&Value> = laid.iter().map(|o| &o.data["spec"]["template"]).collect();
    assert_eq!(plain, shaped, "a shape does not touch pods");
}

#[test]
fn the_revision_follows_every_input_and_nothing_else() {
    let chart = bytedoc("1.0.0");
    let values = merged(&chart, &json!({})).unwrap().values;
    let base = input(&chart, Component::Mongos, "vdc1", &values);
    let same = revision(&base);
    assert_eq!(revision(&base.clone()), same);

    let mut changed = vec![];
    let mut other = base.clone();
    other.image.push('x');
    changed.push(revision(&other));
    let mut other = base.clone();
    other.discovery.of_engine.insert("configSeeds".to_owned(), json!(["h:1"]));
    changed.push(revision(&other));
    let mut other = base.clone();
    other.capabilities.kube_version = "1.35.0".to_owned();
    changed.push(revision(&other));
    let mut other = base.clone();
    other.cluster.id = "zzzz2345".parse().unwrap();
    changed.push(revision(&other));
    let more = merged(&chart, &json!({"terminationGracePeriodSeconds": 61})).unwrap().values;
    changed.push(revision(&input(&chart, Component::Mongos, "vdc1", &more)));
    changed.push(revision(&input(&chart, Component::Mongos, "vdc2", &values)));
    changed.push(same);
    changed.sort();
    changed.dedup();
    assert_eq!(changed.len(), 7);
}

#[test]
fn a_changed_config_is_a_new_config_map_that_its_pods_mount() {
    let old = rendered("1.0.0", Component::Config, "vdc1", &json!({}));
    let new = rendered("1.0.0", Component::Config, "vdc1", &json!({"mongod": {"systemLog": {"verbosity": 1}}}));
    let name = |r: &Rendered| object(&r.objects, "ConfigMap").metadata.name.clone().unwrap();
    assert_ne!(name(&old), name(&new));
    for rendered in [&old, &new] {
        let pod = &object(&rendered.objects, "StatefulSet").data["spec"]["template"]["spec"];
        assert_eq!(pod["volumes"][0]["configMap"]["name"], json!(name(rendered)));
    }
}

#[test]
fn the_revision_labels_pods_and_selects_none() {
    for component in Component::all(1) {
        let rendered = rendered("1.0.0", component, "vdc1", &json!({}));
        for object in &rendered.objects {
            let labels = object.metadata.labels.as_ref().unwrap();
            assert_eq!(labels[labels::CLUSTER_ID], "abcd2345");
            assert_eq!(object.metadata.namespace.as_deref(), Some("databases"));
            assert!(!object.data["spec"]["selector"].to_string().contains(labels::REVISION));
            if let Some(pod) = object.data.pointer("/spec/template/metadata/labels") {
                assert_eq!(pod[labels::REVISION], json!(rendered.revision));
                assert_eq!(labels[labels::REVISION], rendered.revision.as_str());
            }
        }
    }
}

const CACHE: &str = "values.mongod.storage.wiredTiger.engineConfig.cacheSizeGB";

#[cfg(test)]
fn with_cache(version: &str, component: Component, cache: &Value, limit: Option<&str>) -> Result<(), String> {
    let chart = bytedoc(version);
    let values = json!({"mongod": {"storage": {"wiredTiger": {"engineConfig": {"cacheSizeGB": cache}}}}});
    let values = merged(&chart, &values).map_err(|error| error.to_string())?;
    let mut input = input(&chart, component, "vdc1", &values.values);
    let limit = limit.map(|limit| ("memory".to_owned(), Quantity(limit.to_owned())));
    input.component.resources.limits.extend(limit);
    render(&input).map(drop).map_err(|error| error.to_string())
}

#[rstest]
#[case(json!(23), Some("23Gi"))]
#[case(json!(24), Some("23Gi"))]
#[case(json!(1.5), Some("1536Mi"))]
#[case(json!(2), None)]
fn field_34_a_cache_that_fills_the_memory_limit_is_refused(
    #[values("1.0.0", "1.1.0")] version: &str,
    #[case] cache: Value,
    #[case] limit: Option<&str>,
) {
    let error = with_cache(version, Component::Shard(0), &cache, limit).unwrap_err();
    assert!(
        error.contains(&format!("{CACHE}: {cache}Gi leaves nothing of the memory limit of shard-0")),
        "{error}"
    );
    assert!(error.contains("write less, or raise resources.limits.memory of shard-0"), "{error}");
    assert_eq!(with_cache(version, Component::Mongos, &cache, limit), Ok(()), "routers have no cache");
}

#[rstest]
fn field_34_a_cache_below_the_limit_is_taken(#[values("1.0.0", "1.1.0")] version: &str) {
    assert_eq!(with_cache(version, Component::Config, &json!(12), Some("23Gi")), Ok(()));
    assert_eq!(with_cache(version, Component::Shard(0), &json!(0.5), None), Ok(()));
}

#[rstest]
#[case(
    json!({"mongod": {"storage.wiredTiger.engineConfig.cacheSizeGB": 12}}),
    "write values.mongod.storage.wiredTiger.engineConfig.cacheSizeGB with each name in a map of its own: \
     storage: {wiredTiger: {engineConfig: {cacheSizeGB: …}}}"
)]
#[case(
    json!({"mongod": {"storage": {"wiredTiger": {"engineConfig.cacheSizeGB": 12}}}}),
    "write values.mongod.storage.wiredTiger.engineConfig.cacheSizeGB with each name in a map of its own"
)]
#[case(
    json!({"mongod": {"storage": {"wiredTiger": {"engineConfig": {"cacheSizeGB": "23"}}}}}),
    "values.mongod.storage.wiredTiger.engineConfig.cacheSizeGB: \"23\" is not of type \"number\"; write it without quotes: 23"
)]
#[case(
    json!({"mongod": {"operationProfiling": {"slowOpThresholdMs": "100"}}}),
    "values.mongod.operationProfiling.slowOpThresholdMs: \"100\" is not of type \"integer\"; write it without quotes: 100"
)]
#[case(json!({"mongod": {"operationProfiling": {"mode": false}}}), "write the word in quotes")]
#[case(json!({"nodeSelector": {"a": 1}}), "values.nodeSelector.a: 1 is not of type \"string\"; write it in quotes: \"1\"")]
fn field_34_what_mongod_would_not_take_is_refused_with_what_to_write(
    #[values("1.0.0", "1.1.0")] version: &str,
    #[case] values: Value,
    #[case] message: &str,
) {
    let error = merged(&bytedoc(version), &values).unwrap_err();
    assert_eq!(error.reason(), "ValuesInvalid");
    assert!(error.to_string().contains(message), "{error}");
}

/// The README's example: another kind of probe.
#[rstest]
fn field_33_another_probe_takes_the_place_of_the_chart_s(#[values("1.0.0", "1.1.0")] version: &str) {
    let exec = json!({"command": ["true"]});
    let probe = |tcp: &Value| json!({"probes": {"liveness": {"exec": exec, "tcpSocket": tcp}}});
    for removed in [json!("kogge.dev/remove"), json!(null)] {
        let rendered = rendered(version, Component::Shard(0), "vdc1", &probe(&removed));
        let pod = &object(&rendered.objects, "StatefulSet").data["spec"]["template"]["spec"];
        let liveness = &pod["containers"][0]["livenessProbe"];
        assert_eq!((&liveness["exec"], liveness.get("tcpSocket")), (&exec, None));
    }
    let values = merged(&bytedoc(version), &json!({"probes": {"liveness": {"exec": exec}}})).unwrap();
    let chart = bytedoc(version);
    let error = render(&input(&chart, Component::Shard(0), "vdc1", &values.values)).unwrap_err().to_string();
    assert!(error.contains("breaks the rule OneOfEach"), "{error}");
    assert!(error.contains("tcpSocket: kogge.dev/remove"), "{error}");
    assert!(error.contains("spec.template.spec.containers[0].livenessProbe: "), "{error}");
}

/// Values that would loosen what confines a pod.
#[rstest]
#[case(json!({"securityContext": {"privileged": true}}), "Unprivileged")]
#[case(json!({"securityContext": {"allowPrivilegeEscalation": true}}), "Unprivileged")]
#[case(json!({"securityContext": {"allowPrivilegeEscalation": "kogge.dev/remove"}}), "Unprivileged")]
#[case(json!({"securityContext": {"capabilities": {"drop": []}}}), "Unprivileged")]
#[case(json!({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}), "Unprivileged")]
#[case(json!({"securityContext": "kogge.dev/remove"}), "values: ")]
#[case(json!({"podSecurityContext": {"seccompProfile": {"type": "Unconfined"}}}), "Unprivileged")]
#[case(json!({"podSecurityContext": "kogge.dev/remove"}), "")]
#[case(json!({"tolerations": [{"operator": "Exists"}]}), "NoControlPlane")]
#[case(json!({"priorityClassName": "system-cluster-critical"}), "NoControlPlane")]
#[case(json!({"probes": {"liveness": {"tcpSocket": {"host": "10.0.0.1"}}}}), "NoHostAccess")]
#[case(
    json!({"podAnnotations": {"container.apparmor.security.beta.kubernetes.io/mongod": "unconfined"}}),
    "Unprivileged"
)]
#[case(json!({"resources": {"limits": {"memory": "kogge.dev/remove"}}}), "values.resources.limits: ")]
fn field_37_values_loosen_nothing(
    #[values("1.0.0", "1.1.0")] version: &str,
    #[values("shard-0", "mongos")] component: &str,
    #[case] values: Value,
    #[case] named: &str,
) {
    let chart = bytedoc(version);
    let outcome = merged(&chart, &values)
        .and_then(|values| render(&input(&chart, component.parse().unwrap(), "vdc1", &values.values)));
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains(named), "{error}");
}
