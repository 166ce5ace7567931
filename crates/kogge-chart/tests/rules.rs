//! What a chart may not render, and how the refusal reads.

#[cfg(test)]
mod support;

use kogge_api::federated_cluster::Component;
use kogge_chart::{Rule, render, revision};
use rstest::rstest;
use serde_json::json;
use support::{failure, input, render_with, sample};

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
          resources: {requests: {cpu: 1m, memory: 1Gi}, limits: {cpu: 1m, memory: 1Gi}}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      containers:
        - name: a
          image: {{image}}
          command: [/kogge/kogge-agent, gate]
          args: [--data=/data, --, server]
          volumeMounts: [{name: kogge, mountPath: /kogge/}, {name: {{volumes.data}}, mountPath: /data}]
          resources: {requests: {cpu: 2m, memory: 1Gi}, limits: {cpu: 2m, memory: 1Gi}}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}}
      volumes: [{name: kogge, emptyDir: {}}]
      automountServiceAccountToken: false
      securityContext: {seccompProfile: {type: RuntimeDefault}}
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
#[case("metadata: {name: {{volumes.data}}}", "metadata: {name: data}", 31, "OwnVolumeClaims")]
#[case("- name: gate", "- name: other", 14, "StartsThroughGate")]
#[case("image: {{agent.image}}", "image: {{image}}", 14, "StartsThroughGate")]
#[case("mountPath: /kogge}", "mountPath: /elsewhere}", 16, "StartsThroughGate")]
#[case("command: [/kogge/kogge-agent, gate]", "command: [mongod]", 22, "StartsThroughGate")]
#[case("          command: [/kogge/kogge-agent, gate]\n", "", 20, "StartsThroughGate")]
#[case("--, server", "server", 23, "StartsThroughGate")]
#[case("--, server", "--", 23, "StartsThroughGate")]
#[case("mountPath: /kogge/}", "mountPath: /other}", 24, "StartsThroughGate")]
#[case(", {name: {{volumes.data}}, mountPath: /data}", "", 20, "StartsThroughGate")]
#[case(
    "      volumes: [",
    "        - {name: b, image: b, volumeMounts: [{name: {{volumes.data}}, mountPath: /data}]}\n      volumes: [",
    27,
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

/// What the pod of a proper chart is changed to, the rule that it breaks then, and the field that is named.
#[rstest]
#[case(
    "add: [NET_BIND_SERVICE]",
    "add: [SYS_ADMIN]",
    "Unprivileged",
    "containers[0].securityContext.capabilities.add"
)]
#[case(
    "drop: [ALL], add",
    "drop: [CHOWN], add",
    "Unprivileged",
    "containers[0].securityContext.capabilities.drop"
)]
#[case("drop: [ALL]}}", "drop: []}}", "Unprivileged", "initContainers[0].securityContext.capabilities.drop")]
#[case(
    "{allowPrivilegeEscalation: false, capabilities: {drop: [ALL], add",
    "{capabilities: {drop: [ALL], add",
    "Unprivileged",
    "containers[0].securityContext.allowPrivilegeEscalation: nothing"
)]
#[case(
    "{allowPrivilegeEscalation: false",
    "{privileged: true, allowPrivilegeEscalation: false",
    "Unprivileged",
    "initContainers[0].securityContext.privileged"
)]
#[case(
    "{allowPrivilegeEscalation: false",
    "{procMount: Unmasked, allowPrivilegeEscalation: false",
    "Unprivileged",
    "procMount"
)]
#[case(
    "{allowPrivilegeEscalation: false",
    "{seccompProfile: {type: Unconfined}, allowPrivilegeEscalation: false",
    "Unprivileged",
    "initContainers[0].securityContext.seccompProfile"
)]
#[case(
    "{allowPrivilegeEscalation: false",
    "{appArmorProfile: {type: Unconfined}, allowPrivilegeEscalation: false",
    "Unprivileged",
    "appArmorProfile.type"
)]
#[case(
    "{allowPrivilegeEscalation: false",
    "{seLinuxOptions: {type: spc_t}, allowPrivilegeEscalation: false",
    "Unprivileged",
    "seLinuxOptions.type"
)]
#[case(
    "{seccompProfile: {type: RuntimeDefault}}",
    "{seccompProfile: {type: Unconfined}}",
    "Unprivileged",
    "spec.template.spec.securityContext.seccompProfile.type"
)]
#[case(
    "{seccompProfile: {type: RuntimeDefault}}",
    "{}",
    "Unprivileged",
    "initContainers[0].securityContext.seccompProfile: nothing"
)]
#[case(
    "{seccompProfile: {type: RuntimeDefault}}",
    "{seccompProfile: {type: RuntimeDefault}, sysctls: [{name: a, value: b}]}",
    "Unprivileged",
    "sysctls"
)]
#[case(
    "    spec:\n      initContainers",
    "    metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/a: unconfined}}\n    spec:\n      initContainers",
    "Unprivileged",
    "metadata.annotations"
)]
#[case("      automount", "      hostNetwork: true\n      automount", "NoHostAccess", "hostNetwork")]
#[case("      automount", "      hostPID: true\n      automount", "NoHostAccess", "hostPID")]
#[case("      automount", "      hostIPC: true\n      automount", "NoHostAccess", "hostIPC")]
#[case("emptyDir: {}}]", "emptyDir: {}}, {name: b, hostPath: {path: /}}]", "NoHostAccess", "volumes[1].hostPath")]
#[case("emptyDir: {}}]", "emptyDir: {}}, {name: b, nfs: {server: a, path: /}}]", "NoHostAccess", "volumes[1].nfs")]
#[case(
    "          image: {{image}}",
    "          image: {{image}}\n          ports: [{containerPort: 1, hostPort: 1}]",
    "NoHostAccess",
    "ports[0].hostPort"
)]
#[case(
    "          image: {{image}}",
    "          image: {{image}}\n          livenessProbe: {tcpSocket: {port: 1, host: a}}",
    "NoHostAccess",
    "livenessProbe.tcpSocket.host"
)]
#[case(
    "emptyDir: {}}]",
    "emptyDir: {}}, {name: b, secret: {secretName: other}}]",
    "OwnSecrets",
    "volumes[1].secret.secretName: \"other\""
)]
#[case(
    "emptyDir: {}}]",
    "emptyDir: {}}, {name: b, projected: {sources: [{secret: {name: other}}]}}]",
    "OwnSecrets",
    "projected.sources[0].secret.name"
)]
#[case(
    "          image: {{image}}",
    "          image: {{image}}\n          env: [{name: a, valueFrom: {secretKeyRef: {name: other, key: b}}}]",
    "OwnSecrets",
    "env[0].valueFrom.secretKeyRef.name"
)]
#[case(
    "          image: {{agent.image}}",
    "          image: {{agent.image}}\n          envFrom: [{secretRef: {name: other}}]",
    "OwnSecrets",
    "initContainers[0].envFrom[0].secretRef.name"
)]
#[case(
    "automountServiceAccountToken: false",
    "automountServiceAccountToken: true",
    "OwnServiceAccount",
    "automountServiceAccountToken: true"
)]
#[case(
    "      automountServiceAccountToken: false\n",
    "",
    "OwnServiceAccount",
    "automountServiceAccountToken: nothing"
)]
#[case(
    "automountServiceAccountToken: false",
    "serviceAccountName: other",
    "OwnServiceAccount",
    "serviceAccountName: \"other\""
)]
#[case(
    "automountServiceAccountToken: false",
    "serviceAccountName: ll2022-x",
    "OwnServiceAccount",
    "serviceAccountName: \"ll2022-x\""
)]
#[case(
    "emptyDir: {}}]",
    "emptyDir: {}}, {name: b, projected: {sources: [{serviceAccountToken: {path: a}}]}}]",
    "OwnServiceAccount",
    "serviceAccountToken"
)]
#[case(
    "emptyDir: {}}]",
    "emptyDir: {}}, {name: b, persistentVolumeClaim: {claimName: data-other}}]",
    "OwnVolumeClaims",
    "claimName"
)]
#[case(
    "      automount",
    "      tolerations: [{operator: Exists}]\n      automount",
    "NoControlPlane",
    "tolerations[0]"
)]
#[case(
    "      automount",
    "      tolerations: [{key: db}, {key: node-role.kubernetes.io/control-plane, operator: Exists}]\n      automount",
    "NoControlPlane",
    "tolerations[1]"
)]
#[case(
    "      automount",
    "      tolerations: [{key: node-role.kubernetes.io/master}]\n      automount",
    "NoControlPlane",
    "tolerations[0]"
)]
#[case("      automount", "      nodeName: a\n      automount", "NoControlPlane", "nodeName")]
#[case(
    "      automount",
    "      priorityClassName: system-node-critical\n      automount",
    "NoControlPlane",
    "priorityClassName"
)]
#[case(
    "limits: {cpu: 1m, memory: 1Gi}",
    "limits: {cpu: 1m}",
    "RequestsAndLimits",
    "initContainers[0].resources.limits.memory: nothing"
)]
#[case(
    "limits: {cpu: 2m, memory: 1Gi}",
    "limits: {cpu: 0m, memory: 1Gi}",
    "RequestsAndLimits",
    "containers[0].resources.limits.cpu"
)]
#[case(
    "requests: {cpu: 2m, memory: 1Gi}",
    "requests: {}",
    "RequestsAndLimits",
    "containers[0].resources.requests.cpu: nothing"
)]
#[case(
    "          resources: {requests: {cpu: 1m, memory: 1Gi}, limits: {cpu: 1m, memory: 1Gi}}\n",
    "",
    "RequestsAndLimits",
    "initContainers[0].resources"
)]
#[case(
    "          image: {{image}}",
    "          image: {{image}}\n          readinessProbe: {tcpSocket: {port: 1}, httpGet: {port: 1}}",
    "OneOfEach",
    "containers[0].readinessProbe"
)]
#[case(
    "          image: {{image}}",
    "          image: {{image}}\n          readinessProbe: {periodSeconds: 1}",
    "OneOfEach",
    "containers[0].readinessProbe"
)]
#[case(
    "          image: {{image}}",
    "          image: {{image}}\n          lifecycle: {preStop: {sleep: {seconds: 1}, exec: {command: [a]}}}",
    "OneOfEach",
    "lifecycle.preStop"
)]
#[case(
    "          image: {{image}}",
    "          image: {{image}}\n          env: [{name: a, value: b, valueFrom: {fieldRef: {fieldPath: c}}}]",
    "OneOfEach",
    "env[0]"
)]
#[case("emptyDir: {}}]", "emptyDir: {}, configMap: {name: b}}]", "OneOfEach", "volumes[0]")]
fn field_33_37_and_41_a_pod_that_reaches_beyond_its_database_is_refused(
    #[case] from: &str,
    #[case] to: &str,
    #[case] rule: &str,
    #[case] field: &str,
) {
    assert!(SET.contains(from));
    let chart = sample(&SET.replacen(from, to, 1), &[], "{}").unwrap();
    let error = render_with(&chart, &json!({})).unwrap_err();
    assert_eq!(error.reason(), "ChartRuleBroken", "{error}");
    let (message, line) = failure::<()>(Err(error));
    assert!(message.contains(&format!("breaks the rule {rule}: ")), "{message}");
    assert!(message.contains(field), "{message}");
    assert!(line.is_some(), "{message}");
}

#[test]
fn field_37_a_rule_for_pods_is_waived_by_who_may_and_by_nobody_else() {
    let template = SET.replacen("      automount", "      hostNetwork: true\n      automount", 1);
    let chart = sample(&template, &[], "{}").unwrap();
    let values = serde_json::Map::new();
    let mut input = input(&chart, Component::Shard(0), "vdc1", &values);
    let strict = revision(&input);
    assert!(render(&input).is_err());
    input.waived.insert(Rule::NoHostAccess);
    assert_eq!(render(&input).unwrap().revision, strict, "a waiver restarts nothing");
}

#[test]
fn a_service_account_of_the_chart_s_own_is_taken() {
    let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ll2022-x}\n---\n";
    let set = SET.replacen("automountServiceAccountToken: false", "serviceAccountName: ll2022-x", 1);
    let chart = sample(&format!("{account}{set}"), &[], "{}").unwrap();
    assert_eq!(render_with(&chart, &json!({})).unwrap().objects.len(), 2);
}

#[rstest]
#[case(
    "image: {{image}}",
    "imagee: {{image}}",
    21,
    "spec.template.spec.containers[0].imagee: there is no such field"
)]
#[case("podManagementPolicy", "podManagementpolicy", 7, "spec.podManagementpolicy: there is no such field")]
#[case("serviceName: {{discovery.service}}", "serviceName: 5", 6, "spec.serviceName: invalid type")]
#[case("name: a\n", "name: a\n          ports: [{containerPort: many}]\n", 21, "containerPort")]
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
    assert_eq!(line, Some(37));
}

#[test]
fn empty_documents_are_no_objects() {
    let template = format!("{{{{#if values.shown}}}}\n{SET}{{{{/if}}}}\n---\n# nothing\n");
    let chart = sample(&template, &[], "{shown: false}").unwrap();
    assert_eq!(render_with(&chart, &json!({})).unwrap().objects.len(), 0);
}

#[test]
fn a_job_is_named_by_what_it_does() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: ll2022-init}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      automountServiceAccountToken: false\n      securityContext: {seccompProfile: {type: RuntimeDefault}}\n      containers: [{name: a, image: b, args: [{{values.a}}], securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}, resources: {requests: {cpu: 1m, memory: 1Mi}, limits: {cpu: 1m, memory: 1Mi}}}]\n";
    let chart = sample(job, &[], "{}").unwrap();
    let name = |a: &str| render_with(&chart, &json!({"a": a})).unwrap().objects[0].metadata.name.clone().unwrap();
    assert!(name("x").starts_with("ll2022-init-"));
    assert_eq!(name("x"), name("x"));
    assert_ne!(name("x"), name("y"));
}
