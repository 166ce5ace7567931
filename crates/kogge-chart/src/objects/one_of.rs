//! Fields of which Kubernetes takes one: values are merged key by key, so a second one comes beside the first.

use serde_json::Value;

const PROBES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];
const ACTIONS: [&str; 5] = ["exec", "grpc", "httpGet", "sleep", "tcpSocket"];
const SOURCES: [&str; 5] = ["configMapKeyRef", "fieldRef", "fileKeyRef", "resourceFieldRef", "secretKeyRef"];

/// Whether a volume has more than one source.
pub(super) fn volume(volume: &Value) -> bool {
    let fields = volume.as_object().into_iter().flatten();
    fields.filter(|(field, value)| *field != "name" && !value.is_null()).count() > 1
}

/// Where a container has two of what can be one, or none of what must be one: the JSON pointer below the container.
pub(super) fn container(container: &Value) -> Option<String> {
    let probes = PROBES.into_iter().map(|probe| (probe.to_owned(), &container[probe]));
    let lifecycle = &container["lifecycle"];
    let hooks = ["postStart", "preStop"].into_iter().map(|hook| (format!("lifecycle/{hook}"), &lifecycle[hook]));
    let handler = probes.chain(hooks).find(|(_, handler)| handler.is_object() && count(handler, &ACTIONS) != 1);
    handler.map(|(at, _)| at).or_else(|| {
        let mut variables = container["env"].as_array().into_iter().flatten().enumerate();
        variables.find_map(|(index, variable)| {
            let twice =
                count(variable, &["value", "valueFrom"]) > 1 || count(&variable["valueFrom"], &SOURCES) > 1;
            twice.then(|| format!("env/{index}"))
        })
    })
}

fn count(value: &Value, fields: &[&str]) -> usize {
    fields.iter().filter(|field| value.get(**field).is_some_and(|value| !value.is_null())).count()
}
