//! The gate in a member's pod, as the kubelet tells of it in the pod's status.

use kogge_api::gate::{self, Report};
use kogge_plan::Object;
use serde_json::{Value, json};

use super::api_server::Worker;
use super::controllers::name;
use super::{SERVER, Servers};

impl Worker {
    /// The init container of a pod that starts. It reads the anchor as it was when the pod was made: a mount may lag.
    /// Returns whether it holds the pod.
    pub(super) fn holds(&self, pod: &mut Object, servers: &mut Servers) -> bool {
        if pod.data.pointer("/status/phase").is_none_or(|phase| phase != "Pending") {
            return false;
        }
        if pod.data.pointer("/status/initContainerStatuses").is_some() {
            return true;
        }
        let report = servers.look(&name(pod).into(), pod.metadata.uid.as_deref().unwrap(), &self.record());
        let held = report.hold().is_some();
        let ended = ended(if held { gate::HELD.into() } else { 0 }, &report);
        let state = if held {
            json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended})
        } else {
            json!({"state": ended})
        };
        pod.data["status"]["initContainerStatuses"] = json!([named(gate::CONTAINER, state)]);
        held
    }

    /// The kubelet starts a member's container again, and nothing else of the pod: its gate looks again.
    pub(super) fn restart_container(&mut self, pod: &str, servers: &mut Servers) {
        let uid = self.object("Pod", pod).unwrap().metadata.uid.clone().unwrap();
        let report = servers.look(&pod.into(), &uid, &self.record());
        let held = report.hold().is_some();
        let ended = ended(if held { gate::HELD.into() } else { 14 }, &report);
        let state = if held {
            json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended})
        } else {
            json!({"state": {"running": {}}, "lastState": ended})
        };
        self.edit("Pod", pod, |pod| {
            pod.data["status"]["containerStatuses"] = json!([named(SERVER, state)]);
            if held {
                pod.data["status"].as_object_mut().unwrap().remove("conditions");
            }
        });
    }
}

fn named(container: &str, mut status: Value) -> Value {
    status["name"] = json!(container);
    status
}

fn ended(exit_code: i64, report: &Report) -> Value {
    json!({"terminated": {
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:00Z",
        "exitCode": exit_code,
        "message": report.to_string(),
    }})
}
