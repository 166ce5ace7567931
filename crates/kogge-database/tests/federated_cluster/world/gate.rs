//! The gate in a member's pod, as the kubelet tells of it in the pod's status.

use kogge_api::anchor::mongodb::Record;
use kogge_api::gate::{self, Disk, Hold, HoldReason, Report};
use kogge_plan::{Object, anchors};
use serde_json::{Value, json};

use super::api_server::Worker;
use super::controllers::name;

impl Worker {
    /// The init container of a pod that starts. It reads the anchor as it was when the pod was made: a mount may lag.
    /// Returns whether it holds the pod.
    pub(super) fn holds(&mut self, pod: &mut Object) -> bool {
        if pod.data.pointer("/status/phase").is_none_or(|phase| phase != "Pending") {
            return false;
        }
        if pod.data.pointer("/status/initContainerStatuses").is_some() {
            return true;
        }
        let report = self.look(name(pod));
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
    pub(crate) fn restart_container(&mut self, pod: &str) {
        let report = self.look(pod);
        let held = report.hold().is_some();
        let ended = ended(if held { gate::HELD.into() } else { 14 }, &report);
        let state = if held {
            json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended})
        } else {
            json!({"state": {"running": {}}, "lastState": ended})
        };
        self.edit("Pod", pod, |pod| {
            pod.data["status"]["containerStatuses"] = json!([named("mongod", state)]);
            if held {
                pod.data["status"].as_object_mut().unwrap().remove("conditions");
            }
        });
    }

    /// What the gate sees on a member's disk.
    fn look(&mut self, pod: &str) -> Report {
        let anchor =
            self.object("ConfigMap", "ll2022-anchor").map(|object| anchors::read::<Record>(object).unwrap());
        let record = anchor.and_then(|anchor| anchor.record.members.get(pod).cloned()).unwrap_or_default();
        let empty = !self.disks.contains(pod);
        if empty && record.initialized {
            return Report::Held(Hold { reason: HoldReason::LostDisk, message: "the disk is empty".to_owned() });
        }
        self.disks.insert(pod.to_owned());
        let disk = match (empty, record.initialized) {
            (true, _) => Disk::Empty,
            (false, true) => Disk::Data,
            (false, false) => Disk::Unused,
        };
        Report::Open { disk, message: "as its anchor says".to_owned() }
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
