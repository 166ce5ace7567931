//! What Kubernetes' own controllers and kubelets do on a worker, a step of it at a time.

use std::collections::BTreeMap;

use kogge_api::labels;
use kogge_engine::Engine as _;
use kogge_plan::{Object, ObjectKey};
use serde_json::{Value, json};

use super::api_server::Worker;
use super::{Kind, NAMESPACE, SERVER, Servers};

impl Worker {
    /// Ends, starts and makes pods; then tells of them in statuses and EndpointSlices.
    pub(super) fn tick(&mut self, servers: &mut Servers) {
        self.collect_garbage();
        self.end_pods();
        self.start_pods(servers);
        let workloads: Vec<Object> = self.list("StatefulSet").chain(self.list("Deployment")).cloned().collect();
        for workload in &workloads {
            if kind(workload) == "StatefulSet" { self.keep_members(workload) } else { self.roll(workload) }
        }
        for workload in &workloads {
            self.tell(workload);
        }
        let services: Vec<Object> = self.list("Service").cloned().collect();
        for service in &services {
            self.publish(service);
        }
    }

    /// Pods go with their workloads, and slices with their Services.
    fn collect_garbage(&mut self) {
        let workloads: Vec<Object> = self.list("StatefulSet").chain(self.list("Deployment")).cloned().collect();
        let services: Vec<String> = self.list("Service").map(|service| name(service).to_owned()).collect();
        self.objects.retain(|key, object| match key.kind.as_str() {
            "Pod" => workloads.iter().any(|w| selects(&w.data["spec"]["selector"]["matchLabels"], object)),
            "EndpointSlice" => kogge_plan::object::label(object, "kubernetes.io/service-name")
                .is_none_or(|service| services.iter().any(|known| known == service)),
            _ => true,
        });
    }

    fn end_pods(&mut self) {
        self.objects.retain(|key, object| key.kind != "Pod" || object.metadata.deletion_timestamp.is_none());
    }

    /// A pod is pending, runs, and is ready once its server says so, in turn; one that crashes is never ready, and one
    /// that its gate holds never runs.
    fn start_pods(&mut self, servers: &mut Servers) {
        let pods: Vec<Object> = self.list("Pod").cloned().collect();
        for mut pod in pods {
            if self.holds(&mut pod, servers) {
                self.store(ObjectKey::of(&pod).unwrap(), pod);
                continue;
            }
            let crashes = self.crashing.iter().any(|r| Some(r.as_str()) == revision(&pod));
            match pod.data.pointer("/status/phase").and_then(Value::as_str) {
                Some("Pending") => {
                    self.addresses += 1;
                    let [high, low] = self.addresses.to_be_bytes();
                    let ip = format!("10.{}.{high}.{low}", self.subnet);
                    let init = pod.data["status"]["initContainerStatuses"].take();
                    pod.data["status"] = json!({"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]});
                    if !init.is_null() {
                        pod.data["status"]["initContainerStatuses"] = init;
                    }
                    if crashes {
                        pod.data["status"]["containerStatuses"] = crashing();
                    }
                }
                Some("Running")
                    if !crashes && pod.data.pointer("/status/containerStatuses") == Some(&crashing()) =>
                {
                    pod.data["status"].as_object_mut().unwrap().remove("containerStatuses");
                    pod.data["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
                }
                Some("Running") if !crashes && !waits(&pod) => {
                    let ready = if servers.are_ready(&name(&pod).into()) { "True" } else { "False" };
                    pod.data["status"]["conditions"] = json!([{"type": "Ready", "status": ready}]);
                }
                _ => {}
            }
            self.store(ObjectKey::of(&pod).unwrap(), pod);
        }
    }

    /// Every ordinal has its pod and its claim; a pod stays as it was made until someone deletes it.
    fn keep_members(&mut self, set: &Object) {
        let replicas = set.data["spec"]["replicas"].as_u64().unwrap();
        let replicas = if self.refuses_pods.is_some() { 0 } else { replicas };
        for ordinal in 0..replicas {
            let pod = format!("{}-{ordinal}", name(set));
            for claim in set.data["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
                let claim_name = format!("{}-{pod}", claim["metadata"]["name"].as_str().unwrap());
                if self.object("PersistentVolumeClaim", &claim_name).is_none() {
                    self.put(json!({
                        "apiVersion": "v1",
                        "kind": "PersistentVolumeClaim",
                        "metadata": {
                            "name": claim_name,
                            "namespace": NAMESPACE,
                            "labels": set.data["spec"]["selector"]["matchLabels"],
                        },
                        "spec": claim["spec"],
                    }));
                }
            }
            if self.object("Pod", &pod).is_none() {
                self.make_pod(set, &pod, &json!({"hostname": pod, "subdomain": set.data["spec"]["serviceName"]}));
            }
        }
        let surplus: Vec<String> =
            self.pods_of(set).skip(replicas as usize).map(|pod| name(pod).to_owned()).collect();
        for pod in &surplus {
            self.remove("Pod", pod);
        }
    }

    /// One pod more than asked for at most, and none fewer, while templates change.
    fn roll(&mut self, deployment: &Object) {
        let replicas = deployment.data["spec"]["replicas"].as_u64().unwrap() as usize;
        let template = template_revision(deployment).to_owned();
        let is_new = |pod: &&Object| revision(pod) == Some(template.as_str());
        let all = self.pods_of(deployment).count();
        let new = self.pods_of(deployment).filter(is_new).count();
        let ready = self.pods_of(deployment).filter(is_new).filter(|pod| is_ready(pod)).count();
        let old: Vec<String> =
            self.pods_of(deployment).filter(|pod| !is_new(pod)).map(|pod| name(pod).to_owned()).collect();
        old.iter().skip(replicas.saturating_sub(ready)).for_each(|pod| self.remove("Pod", pod));
        let surplus: Vec<String> =
            self.pods_of(deployment).filter(is_new).skip(replicas).map(|pod| name(pod).to_owned()).collect();
        for pod in &surplus {
            self.remove("Pod", pod);
        }
        if new < replicas && all <= replicas {
            let pod = format!("{}-{template}-{}", name(deployment), self.version);
            self.make_pod(deployment, &pod, &json!({}));
        }
    }

    fn make_pod(&mut self, workload: &Object, pod: &str, more: &Value) {
        let template = &workload.data["spec"]["template"];
        let mut spec = template["spec"].clone();
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.put(json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": pod, "namespace": NAMESPACE, "labels": template["metadata"]["labels"]},
            "spec": spec,
            "status": {"phase": "Pending"},
        }));
    }

    /// The pods that a workload selects, by name.
    fn pods_of<'a>(&'a self, workload: &'a Object) -> impl Iterator<Item = &'a Object> {
        self.list("Pod").filter(|pod| selects(&workload.data["spec"]["selector"]["matchLabels"], pod))
    }

    fn tell(&mut self, workload: &Object) {
        let ready = self.pods_of(workload).filter(|pod| is_ready(pod)).count();
        let status = json!({"observedGeneration": workload.metadata.generation, "readyReplicas": ready});
        self.edit(kind(workload), name(workload), |stored| stored.data["status"] = status);
    }

    /// The slice of a Service's local pods, with the Service's labels.
    fn publish(&mut self, service: &Object) {
        let pods = self.list("Pod").filter(|pod| selects(&service.data["spec"]["selector"], pod));
        let endpoints: Vec<Value> = pods
            .filter_map(|pod| Some((pod, pod.data.pointer("/status/podIP")?)))
            .map(|(pod, ip)| {
                json!({
                    "addresses": [ip],
                    "hostname": pod.data.pointer("/spec/hostname"),
                    "conditions": {"ready": is_ready(pod)},
                })
            })
            .collect();
        let mut own: BTreeMap<String, String> = service.metadata.labels.clone().unwrap_or_default();
        own.insert("kubernetes.io/service-name".to_owned(), name(service).to_owned());
        own.insert(labels::ENDPOINT_SLICE_MANAGED_BY.to_owned(), "endpointslice-controller.k8s.io".to_owned());
        self.put(json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": format!("{}-x7k2p", name(service)), "namespace": NAMESPACE, "labels": own},
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": ports(),
        }));
    }
}

/// The ports of a Service, as its slices list them.
fn ports() -> Vec<Value> {
    let all = [Kind::PORT].into_iter().chain(Kind::PEER_PORTS.iter().copied());
    all.map(|port| json!({"name": port.name, "port": port.number, "protocol": "TCP"})).collect()
}

/// The status of a container whose server always ends.
fn crashing() -> Value {
    json!([{"name": SERVER, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}])
}

/// Whether a pod's container does not run.
pub(super) fn waits(pod: &Object) -> bool {
    pod.data.pointer("/status/containerStatuses/0/state/waiting").is_some()
}

pub(crate) fn is_ready(pod: &Object) -> bool {
    pod.data.pointer("/status/conditions/0/status").is_some_and(|ready| ready == "True")
}

pub(crate) fn revision(object: &Object) -> Option<&str> {
    kogge_plan::object::label(object, labels::REVISION)
}

/// The revision of a workload's template.
pub(crate) fn template_revision(workload: &Object) -> &str {
    workload.data["spec"]["template"]["metadata"]["labels"][labels::REVISION].as_str().unwrap()
}

pub(crate) fn name(object: &Object) -> &str {
    object.metadata.name.as_deref().unwrap()
}

pub(crate) fn kind(object: &Object) -> &str {
    object.types.as_ref().map(|types| types.kind.as_str()).unwrap()
}

fn selects(selector: &Value, pod: &Object) -> bool {
    selector.as_object().is_some_and(|wanted| {
        wanted.iter().all(|(label, value)| kogge_plan::object::label(pod, label) == value.as_str())
    })
}
