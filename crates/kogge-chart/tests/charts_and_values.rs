//! Charts are found and read; values are merged and held against the schema.
#![expect(clippy::disallowed_methods, reason = "the charts are read from folders")]

#[cfg(test)]
mod support;

use std::fs;

use kogge_chart::{Chart, Layer, REMOVE, check_values, merge_values};
use kogge_chart_store::ChartStore;
use rstest::rstest;
use serde_json::{Value, json};
use support::{bytedoc, charts, merged, render_with, sample};
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

#[test]
fn field_35_the_same_chart_with_other_line_ends_is_the_same_chart() {
    let (root, store) = copy_of_bytedoc();
    let before = bytedoc("1.0.0");
    let folder = root.path().join("bytedoc/1.0.0");
    for folder in [folder.clone(), folder.join("templates")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let text = fs::read_to_string(&path).unwrap();
                fs::write(&path, format!("\u{feff}{}", text.replace('\n', "\r\n"))).unwrap();
            }
        }
    }
    let after = store.find("bytedoc", "1.0.0").unwrap();
    assert_eq!(after.content_hash, before.content_hash);
    let revision = |chart: &Chart| render_with(chart, &json!({})).unwrap().revision;
    assert_eq!(revision(&after), revision(&before));
}

#[rstest]
#[case("templates/._members.yaml.hbs")]
#[case("templates/.#members.yaml.hbs")]
#[case("templates/members.yaml.hbs~")]
#[case("templates/members.yaml.hbs.orig")]
#[case("templates/.members.yaml.hbs.swp")]
#[case("templates/.DS_Store")]
#[case("templates/__MACOSX/members.yaml.hbs")]
#[case("__MACOSX/._values.yaml")]
#[case("Thumbs.db")]
#[case("values.yaml.rej")]
fn field_35_what_editors_and_archives_leave_behind_is_passed_over(#[case] stray: &str) {
    let (root, store) = copy_of_bytedoc();
    let path = root.path().join("bytedoc/1.0.0").join(stray);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"Mac OS X \x00\xff{{").unwrap();
    fs::create_dir_all(root.path().join("bytedoc/._1.0.0")).unwrap();
    fs::create_dir_all(root.path().join("__MACOSX/1.0.0")).unwrap();
    assert_eq!(store.find("bytedoc", "1.0.0").unwrap().content_hash, bytedoc("1.0.0").content_hash);
    assert_eq!(store.kinds().unwrap(), ChartStore::new([root.path().to_owned()]).kinds().unwrap());
}

#[test]
fn field_32_a_number_is_the_same_however_it_is_written() {
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ll2022-x}\ndata: {size: '{{values.size}}', list: '{{toJson values.list}}'}\n";
    let chart = |size: &str| sample(template, &[], &format!("{{size: {size}, list: [{size}]}}")).unwrap();
    let (one, float) = (chart("1"), chart("1.0"));
    let given = |value: Value| render_with(&one, &json!({"size": value, "list": [value]})).unwrap().revision;
    assert_eq!(given(json!(1.0)), given(json!(1)));
    assert_ne!(given(json!(1.5)), given(json!(1)));
    let rendered = |chart: &Chart| render_with(chart, &json!({})).unwrap().objects[0].data.clone();
    assert_eq!(rendered(&float), rendered(&one));
    assert_eq!(float.values, one.values);
}

#[test]
fn field_33_a_word_removes_what_null_removes_and_survives_kubectl() {
    let chart = sample("", &[], "{a: {b: 1, c: 2}, d: [1]}").unwrap();
    let layer = |values: &Value| {
        let values = values.as_object().unwrap().clone();
        let merged = merge_values(&chart, &[Layer { source: "spec.values", values: &values }]).unwrap();
        check_values(&chart, &merged).map(|()| Value::Object(merged.values))
    };
    let by_word = layer(&json!({"a": {"b": REMOVE, "x": {"y": REMOVE}}, "d": REMOVE, "nothing": REMOVE}));
    let by_null = layer(&json!({"a": {"b": null, "x": {"y": null}}, "d": null, "nothing": null}));
    assert_eq!(by_word.unwrap(), json!({"a": {"c": 2, "x": {}}}));
    assert_eq!(by_null.unwrap(), json!({"a": {"c": 2, "x": {}}}));
    let error = layer(&json!({"d": [1, REMOVE]})).unwrap_err().to_string();
    assert!(error.contains("values.d[1]: kogge.dev/remove removes"), "{error}");
    assert!(merged(&sample("", &[], "{a: kogge.dev/remove}").unwrap(), &json!({})).is_err());
}

#[rstest]
#[case("18446744073709552000")]
#[case("18446744073709551615")]
#[case("9223372036854775808")]
#[case("1e300")]
fn field_31_a_number_that_kubernetes_does_not_keep_is_refused(#[case] number: &str) {
    let values: Value = serde_json::from_str(&format!("{{\"a\": [{{\"id\": {number}}}]}}")).unwrap();
    let error = merged(&sample("", &[], "{}").unwrap(), &values).unwrap_err().to_string();
    assert!(error.contains("values.a[0].id: ") && error.contains("write it in quotes"), "{error}");
}

#[rstest]
#[case("umask: 0027", json!({"umask": 23}))]
#[case("hash: 12e4567", json!({"hash": "12e4567"}))]
#[case("day: 2001-01-01", json!({"day": "2001-01-01"}))]
#[case("mask: 0x1F", json!({"mask": 31}))]
#[case("size: 1_000", json!({"size": 1000}))]
#[case("id: 9223372036854775807", json!({"id": 9_223_372_036_854_775_807_i64}))]
fn field_30_and_31_the_values_of_a_chart_are_read_as_helm_reads_them(#[case] text: &str, #[case] values: Value) {
    assert_eq!(Value::Object(sample("", &[], text).unwrap().values), values);
}

#[rstest]
#[case(
    "tag: 1.10",
    "values.yaml line 2: tag: 1.10 is read as the number 1.1; write 1.1, or for a text write it in quotes: \"1.10\""
)]
#[case("build: 1e5", "values.yaml line 2: build: 1e5 is read as the number 100000; write 100000, or")]
#[case("id: 18446744073709551616", "values.yaml line 2: id: 18446744073709551616 is larger than")]
#[case("mode: on", "values.yaml line 2: mode: on is read as true by kubectl and Helm; write true, or")]
#[case("a: {b: [.inf]}", "values.yaml line 2: a.b[0]: .inf is no number that Kubernetes can hold")]
fn field_31_what_would_lose_what_is_written_is_refused_by_path(#[case] text: &str, #[case] message: &str) {
    let error = sample("", &[], &format!("# values\n{text}\n")).unwrap_err();
    assert_eq!(error.reason(), "ChartInvalid");
    assert!(error.to_string().contains(message), "{error}");
}
