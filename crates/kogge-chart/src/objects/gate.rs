//! Whether a StatefulSet's servers start through the gate, at every start and on every volume of the database.

use std::path::Path;

use kogge_api::gate;
use serde_json::Value;

/// Where a pod template does not start its servers through the gate: the JSON pointer of what is wrong or missing.
pub(super) fn gap(object: &Value, agent_image: &str) -> Option<String> {
    const POD: &str = "/spec/template/spec";
    let items = |pointer: &str| object.pointer(pointer).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let claims: Vec<&str> =
        items("/spec/volumeClaimTemplates").iter().filter_map(|c| c.pointer("/metadata/name")?.as_str()).collect();
    let init = items(&format!("{POD}/initContainers"));
    let Some(brings) = init.first().filter(|c| c["name"] == gate::CONTAINER && c["image"] == agent_image) else {
        return Some(format!("{POD}/initContainers"));
    };
    let Some(shared) = mounted_at(brings, Path::new(gate::PROGRAM).parent()?) else {
        return Some(format!("{POD}/initContainers/0/volumeMounts"));
    };
    let mut gated = false;
    for (at, container) in items(&format!("{POD}/containers")).iter().enumerate() {
        if !mounts(container).any(|(volume, _)| claims.contains(&volume)) {
            continue;
        }
        let words = |field: &str| container[field].as_array().into_iter().flatten().filter_map(Value::as_str);
        if !words("command").eq([gate::PROGRAM, gate::SUBCOMMAND]) {
            return Some(format!("{POD}/containers/{at}/command"));
        }
        if words("args").skip_while(|word| *word != "--").nth(1).is_none() {
            return Some(format!("{POD}/containers/{at}/args"));
        }
        if mounted_at(container, Path::new(gate::PROGRAM).parent()?) != Some(shared) {
            return Some(format!("{POD}/containers/{at}/volumeMounts"));
        }
        gated = true;
    }
    (!gated).then(|| format!("{POD}/containers"))
}

/// The volumes that a container mounts, and where.
fn mounts(container: &Value) -> impl Iterator<Item = (&str, &str)> {
    let mounts = container["volumeMounts"].as_array().into_iter().flatten();
    mounts.filter_map(|mount| Some((mount["name"].as_str()?, mount["mountPath"].as_str()?)))
}

fn mounted_at<'a>(container: &'a Value, folder: &Path) -> Option<&'a str> {
    mounts(container).find(|(_, path)| Path::new(path) == folder).map(|(volume, _)| volume)
}
