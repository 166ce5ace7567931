//! Charts are found and read; values are merged and held against the schema.
#![expect(clippy::disallowed_methods, reason = "the charts are read from folders")]

#[cfg(test)]
mod support;

use std::fs;

use kogge_chart::{Layer, check_values, merge_values};
use kogge_chart_store::ChartStore;
use rstest::rstest;
use serde_json::{Value, json};
use support::{bytedoc, charts, merged, sample};
use tempfile::TempDir;

#[cfg(test)]
fn copy_of_bytedoc() -> (TempDir, ChartStore) {
    let root = TempDir::new().unwrap();
    let (from, to) =
        (format!("{}/../../charts/bytedoc/1.0.0", env!("CARGO_MANIFEST_DIR")), root.path().join("bytedoc/1.0.0"));
    fs::create_dir_all(to.join("templates")).unwrap();
    for folder in ["", "templates"] {
        for entry in fs::read_dir(format!("{from}/{folder}")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, to.join(folder).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    let store = ChartStore::new([root.path().to_owned()]);
    (root, store)
}

#[test]
fn the_same_files_have_the_same_hash_anywhere() {
    let (root, store) = copy_of_bytedoc();
    let copy = store.find("bytedoc", "1.0.0").unwrap();
    assert_eq!(copy.content_hash, bytedoc("1.0.0").content_hash);
    assert_ne!(copy.content_hash, bytedoc("1.1.0").content_hash);
    fs::write(root.path().join("bytedoc/1.0.0/README.md"), "other").unwrap();
    assert_eq!(store.find("bytedoc", "1.0.0").unwrap().content_hash, copy.content_hash);
}

#[test]
fn a_changed_or_new_chart_is_noticed_without_a_restart() {
    let (root, store) = copy_of_bytedoc();
    let before = store.find("bytedoc", "1.0.0").unwrap();
    let values = root.path().join("bytedoc/1.0.0/values.yaml");
    fs::write(&values, fs::read_to_string(&values).unwrap() + "\n# changed\n").unwrap();
    assert_ne!(store.find("bytedoc", "1.0.0").unwrap().content_hash, before.content_hash);
    fs::create_dir_all(root.path().join("bytedoc/1.10.0-rc.1")).unwrap();
    fs::create_dir_all(root.path().join("bytedoc/not-a-version")).unwrap();
    let versions: Vec<String> = store.versions("bytedoc").unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(versions, ["1.0.0", "1.10.0-rc.1"]);
    assert_eq!(store.newest("bytedoc").unwrap().version.to_string(), "1.0.0");
}

#[rstest]
#[case("bytedoc", "9.9.9", "there is no chart bytedoc 9.9.9: its versions are 1.0.0, 1.1.0")]
#[case("nope", "1.0.0", "there is no chart nope 1.0.0: the charts are bytedoc")]
#[case("../charts/bytedoc", "1.0.0", "there is no chart")]
#[case("bytedoc", "../bytedoc/1.0.0", "there is no chart")]
fn a_missing_chart_is_named_with_what_there_is(#[case] name: &str, #[case] version: &str, #[case] needle: &str) {
    let error = charts().find(name, version).unwrap_err();
    assert_eq!(error.reason(), "ChartNotFound");
    assert!(error.to_string().contains(needle), "{error}");
}

#[rstest]
#[case("Chart.yaml", "version: 1.0.0", "version: 2.0.0", "says bytedoc 2.0.0, but its directory is bytedoc/1.0.0")]
#[case("Chart.yaml", "appVersion", "appversion", "Chart.yaml line 3: ")]
#[case("Chart.yaml", "members.yaml.hbs", "membres.yaml.hbs", "lists membres.yaml.hbs, which is not in templates/")]
#[case("Chart.yaml", ", mongod-config.yaml.hbs", "", "no component lists templates/mongod-config.yaml.hbs")]
#[case("values.yaml", "imagePullSecrets: []", "imagePullSecrets: [", "chart bytedoc 1.0.0, values.yaml line")]
#[case("values.schema.json", "\"type\": \"object\",", "\"type\": \"object\"", "values.schema.json line")]
#[case("values.schema.json", "\"type\": \"integer\"", "\"type\": \"whole\"", "is no valid JSON schema")]
#[case("templates/members.yaml.hbs", "{{image}}", "{{image", "templates/members.yaml.hbs line 2")]
fn a_broken_file_is_named(#[case] file: &str, #[case] from: &str, #[case] to: &str, #[case] needle: &str) {
    let (root, store) = copy_of_bytedoc();
    let path = root.path().join("bytedoc/1.0.0").join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from));
    fs::write(&path, text.replace(from, to)).unwrap();
    let error = store.find("bytedoc", "1.0.0").unwrap_err();
    assert_eq!(error.reason(), "ChartInvalid", "{error}");
    assert!(error.to_string().contains(needle), "{error}");
}

#[rstest]
#[case(json!({"terminationGracePeriodSeconds": "30"}), "values.terminationGracePeriodSeconds: ")]
#[case(json!({"spread": {"maxSkew": 0}}), "values.spread.maxSkew: ")]
#[case(json!({"mongod": {"net": {"port": 1}}}), "values.mongod: ")]
#[case(json!({"mongod": {"setParameter": {"a": [1]}}}), "values.mongod.setParameter.a: ")]
#[case(json!({"imagePullSecrets": ["a", 5]}), "values.imagePullSecrets.1: ")]
#[case(json!({"probes": {"liveness": null, "readiness": null, "starup": {}}}), "values.probes: ")]
fn a_value_that_does_not_fit_is_named(#[case] values: Value, #[case] needle: &str) {
    let error = merged(&bytedoc("1.0.0"), &values).unwrap_err();
    assert_eq!(error.reason(), "ValuesInvalid");
    assert!(error.to_string().contains(needle), "{error}");
}

#[test]
fn a_violation_names_the_layer() {
    let chart = bytedoc("1.0.0");
    let (cluster, placement) = (json!({"spread": {"maxSkew": 2}}), json!({"spread": {"maxSkew": 0}}));
    let layers = [
        Layer { source: "spec.values", values: cluster.as_object().unwrap() },
        Layer { source: "spec.placement[vdc1].values", values: placement.as_object().unwrap() },
    ];
    let error = check_values(&chart, &merge_values(&chart, &layers).unwrap()).unwrap_err();
    assert!(error.to_string().contains("(from spec.placement[vdc1].values)"), "{error}");
}

#[test]
fn later_layers_win_and_null_removes() {
    let chart = sample("", &[], "{a: {b: 1, c: 2}, d: [1, 2], e: null, f: {g: 1}}").unwrap();
    let (first, second) = (json!({"a": {"b": 3}, "d": [3], "f": {"g": null}}), json!({"a": {"c": null}, "f": 5}));
    let layers = [
        Layer { source: "first", values: first.as_object().unwrap() },
        Layer { source: "second", values: second.as_object().unwrap() },
    ];
    let merged = merge_values(&chart, &layers).unwrap();
    assert_eq!(Value::Object(merged.values), json!({"a": {"b": 3}, "d": [3], "e": null, "f": 5}));
    let sources: Vec<(&str, &str)> = merged.sources.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(sources, [("a.b", "first"), ("d", "first"), ("e", "values.yaml"), ("f", "second")]);
}

#[test]
fn values_nested_too_deep_are_refused() {
    let deep = (0..200).fold(json!(1), |inner, _| json!({"a": inner}));
    let error = merged(&sample("", &[], "{}").unwrap(), &json!({"a": deep})).unwrap_err();
    assert!(error.to_string().contains("nested deeper than"), "{error}");
}
