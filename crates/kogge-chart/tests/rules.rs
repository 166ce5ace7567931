//! What a chart may not render, and how the refusal reads.

#[cfg(test)]
mod support;

use rstest::rstest;
use serde_json::json;
use support::{failure, render_with, sample};

const SET: &str = r"apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{component.workload}}
spec:
  serviceName: {{discovery.service}}
  podManagementPolicy: Parallel
  updateStrategy: {type: OnDelete}
  selector:
    matchLabels: {{toJson placement.selector}}
  template:
    spec:
      initContainers:
        - name: gate
          image: {{agent.image}}
          volumeMounts: [{name: kogge, mountPath: /kogge}]
      containers:
        - name: a
          image: {{image}}
          command: [/kogge/kogge-agent, gate]
          args: [--data=/data, --, server]
          volumeMounts: [{name: kogge, mountPath: /kogge/}, {name: {{volumes.data}}, mountPath: /data}]
      volumes: [{name: kogge, emptyDir: {}}]
  volumeClaimTemplates:
    - metadata: {name: {{volumes.data}}}
      spec: {accessModes: [ReadWriteOnce]}
";

#[test]
fn a_proper_chart_passes() {
    let chart = sample(SET, &[], "{}").unwrap();
    assert_eq!(render_with(&chart, &json!({})).unwrap().objects.len(), 1);
}

#[rstest]
#[case("podManagementPolicy: Parallel", "podManagementPolicy: OrderedReady", 7, "ParallelPodManagement")]
#[case("  podManagementPolicy: Parallel\n", "", 6, "ParallelPodManagement")]
#[case("type: OnDelete", "type: RollingUpdate", 8, "UpdateOnDelete")]
#[case("matchLabels: {{toJson placement.selector}}", "matchLabels: {app: x}", 10, "SelectsOwnPods")]
#[case(
    "matchLabels: {{toJson placement.selector}}",
    "matchLabels: {{toJson component.selector}}",
    10,
    "SelectsOwnPods"
)]
#[case("metadata: {name: {{volumes.data}}}", "metadata: {name: data}", 25, "OwnVolumeClaims")]
#[case("- name: gate", "- name: other", 14, "StartsThroughGate")]
#[case("image: {{agent.image}}", "image: {{image}}", 14, "StartsThroughGate")]
#[case("mountPath: /kogge}", "mountPath: /elsewhere}", 16, "StartsThroughGate")]
#[case("command: [/kogge/kogge-agent, gate]", "command: [mongod]", 20, "StartsThroughGate")]
#[case("          command: [/kogge/kogge-agent, gate]\n", "", 18, "StartsThroughGate")]
#[case("--, server", "server", 21, "StartsThroughGate")]
#[case("--, server", "--", 21, "StartsThroughGate")]
#[case("mountPath: /kogge/}", "mountPath: /other}", 22, "StartsThroughGate")]
#[case(", {name: {{volumes.data}}, mountPath: /data}", "", 18, "StartsThroughGate")]
#[case(
    "      volumes: [",
    "        - {name: b, image: b, volumeMounts: [{name: {{volumes.data}}, mountPath: /data}]}\n      volumes: [",
    23,
    "StartsThroughGate"
)]
#[case("  name: {{component.workload}}", "  name: other", 4, "OwnName")]
#[case("  name: {{component.workload}}", "  name: ll2022-", 4, "OwnName")]
#[case("  name: {{component.workload}}", "  name: ll2022-A", 4, "OwnName")]
#[case("metadata:\n  name", "metadata:\n  namespace: kube-system\n  name", 4, "OwnNamespace")]
#[case("metadata:\n  name", "metadata:\n  finalizers: [x]\n  name", 4, "PlainMetadata")]
#[case("metadata:\n  name", "metadata:\n  ownerReferences: []\n  name", 4, "PlainMetadata")]
#[case("metadata:\n  name", "metadata:\n  labels: {kogge.dev/cluster-id: zzzz2345}\n  name", 4, "OwnLabels")]
#[case("template:\n", "template:\n    metadata: {labels: {kogge.dev/revision: x}}\n", 12, "OwnLabels")]
#[case("kind: StatefulSet", "kind: DaemonSet", 2, "KnownKind")]
#[case("apps/v1\nkind: StatefulSet", "rbac.authorization.k8s.io/v1\nkind: ClusterRole", 2, "KnownKind")]
#[case("apps/v1\nkind: StatefulSet", "v1\nkind: Secret", 2, "KnownKind")]
fn a_broken_rule_is_named(#[case] from: &str, #[case] to: &str, #[case] line: usize, #[case] rule: &str) {
    assert!(SET.contains(from));
    let chart = sample(&SET.replacen(from, to, 1), &[], "{}").unwrap();
    let error = render_with(&chart, &json!({})).unwrap_err();
    assert_eq!(error.reason(), "ChartRuleBroken", "{error}");
    let (message, at) = failure::<()>(Err(error));
    assert!(message.contains(&format!("breaks the rule {rule}: ")), "{message}");
    assert_eq!(at, Some(line), "{message}");
}

#[rstest]
#[case(
    "image: {{image}}",
    "imagee: {{image}}",
    19,
    "spec.template.spec.containers[0].imagee: there is no such field"
)]
#[case("podManagementPolicy", "podManagementpolicy", 7, "spec.podManagementpolicy: there is no such field")]
#[case("serviceName: {{discovery.service}}", "serviceName: 5", 6, "spec.serviceName: invalid type")]
#[case("name: a\n", "name: a\n          ports: [{containerPort: many}]\n", 19, "containerPort")]
fn an_unknown_or_mistyped_field_is_named(
    #[case] from: &str,
    #[case] to: &str,
    #[case] line: usize,
    #[case] needle: &str,
) {
    let chart = sample(&SET.replacen(from, to, 1), &[], "{}").unwrap();
    let error = render_with(&chart, &json!({})).unwrap_err();
    assert_eq!(error.reason(), "RenderedObjectInvalid", "{error}");
    let (message, at) = failure::<()>(Err(error));
    assert!(message.contains(needle), "{message}");
    assert!(message.contains("StatefulSet ll2022-shard-0-vdc1"), "{message}");
    assert_eq!(at, Some(line), "{message}");
}

#[test]
fn one_object_cannot_stand_twice() {
    let chart = sample(&format!("{SET}---\n{SET}"), &[], "{}").unwrap();
    let (message, line) = failure(render_with(&chart, &json!({})));
    assert!(message.contains("is already defined in"), "{message}");
    assert_eq!(line, Some(31));
}

#[test]
fn empty_documents_are_no_objects() {
    let template = format!("{{{{#if values.on}}}}\n{SET}{{{{/if}}}}\n---\n# nothing\n");
    let chart = sample(&template, &[], "{on: false}").unwrap();
    assert_eq!(render_with(&chart, &json!({})).unwrap().objects.len(), 0);
}

#[test]
fn a_job_is_named_by_what_it_does() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: ll2022-init}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      containers: [{name: a, image: b, args: [{{values.a}}]}]\n";
    let chart = sample(job, &[], "{}").unwrap();
    let name = |a: &str| render_with(&chart, &json!({"a": a})).unwrap().objects[0].metadata.name.clone().unwrap();
    assert!(name("x").starts_with("ll2022-init-"));
    assert_eq!(name("x"), name("x"));
    assert_ne!(name("x"), name("y"));
}
