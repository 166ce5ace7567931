//! No value injects YAML, changes its type, or is lost.

#[cfg(test)]
mod support;

use std::sync::{Arc, LazyLock};

use kogge_chart::Chart;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{render_with, sample};

/// A template that puts one value everywhere that a value can stand.
const EVERYWHERE: &str = r#"# a comment {{values.s}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{cluster.name}}-x
  annotations:
    plain: {{values.s}}
    prefixed: a-{{values.s}}
    twice: {{values.s}}{{values.s}}
    single: 'a {{values.s}} b'
    double: "a {{values.s}} b"
data: {plain: {{values.s}}, 'b': "{{values.s}}"}
"#;

static BYTEDOC: LazyLock<Arc<Chart>> = LazyLock::new(|| support::bytedoc("1.1.0"));

fn strings() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[-:#{}\\[\\],&*!|>'\"%@` \n\t?~0-9a-z<=\\\\]{0,12}",
        prop::sample::select(vec![
            "true",
            "1e3",
            "a:",
            "- x",
            "null",
            "~",
            "a\nkind: Secret",
            "x}\n---\nkind: Secret",
            "\" , evil: \"b",
            "' x",
            "0777",
            "<<",
            "{{values.s}}",
            "# x",
            "a #b",
            "|\n",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "---",
            "",
        ])
        .prop_map(str::to_owned),
    ]
}

/// The object that a template renders.
#[cfg(test)]
fn object_of(template: &str, values: &Value) -> Value {
    let chart = sample(template, &[], "{}").unwrap();
    let rendered = render_with(&chart, values).unwrap();
    serde_json::to_value(&rendered.objects[0]).unwrap()
}

fn config_map(data: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: ll2022-x}}\ndata:\n{data}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_string_is_that_string_wherever_it_stands(s in strings()) {
        let object = object_of(EVERYWHERE, &json!({"s": s}));
        let annotations = &object["metadata"]["annotations"];
        prop_assert_eq!(&annotations["plain"], &json!(s));
        prop_assert_eq!(&annotations["prefixed"], &json!(format!("a-{s}")));
        prop_assert_eq!(&annotations["twice"], &json!(format!("{s}{s}")));
        prop_assert_eq!(&annotations["single"], &json!(format!("a {s} b")));
        prop_assert_eq!(&annotations["double"], &json!(format!("a {s} b")));
        prop_assert_eq!(annotations.as_object().unwrap().len(), 5);
        prop_assert_eq!(&object["data"], &json!({"plain": s, "b": s}));
        prop_assert_eq!(&object["kind"], "ConfigMap");
    }

    #[test]
    fn a_string_is_one_key_and_one_item(s in strings().prop_filter("a key of its own", |s| s != "z")) {
        let template = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: ll2022-x\n  annotations: {z: a, {{values.s}}: key}\nimagePullSecrets: [{name: {{values.s}}}, {name: b}]\n";
        let object = object_of(template, &json!({"s": s}));
        prop_assert_eq!(&object["metadata"]["annotations"], &json!({"z": "a", s.as_str(): "key"}));
        prop_assert_eq!(&object["imagePullSecrets"], &json!([{"name": s}, {"name": "b"}]));
    }

    #[test]
    fn a_string_in_a_configuration_file_is_that_string_there(s in strings()) {
        let object = object_of(&config_map("  f: |\n    a: 1\n    s: {{values.s}}\n    b: 2\n"), &json!({"s": s}));
        let file: Value = serde_saphyr::from_str(object["data"]["f"].as_str().unwrap()).unwrap();
        prop_assert_eq!(file, json!({"a": 1, "s": s, "b": 2}));
    }

    #[test]
    fn functions_for_yaml_and_json_write_what_reads_back(s in strings(), t in strings()) {
        let value = json!({"s": s, "list": [t, 1, true, null, {}], "t": {"u": [[s]]}});
        let template = config_map("  f: |{{nindent 4 (toYaml values.v)}}\n  g: {{quote (toJson values.v)}}\n");
        let object = object_of(&template, &json!({"v": value.clone()}));
        let merged: Value = serde_json::from_str(object["data"]["g"].as_str().unwrap()).unwrap();
        prop_assert_eq!(&merged, &value);
        let file: Value = serde_saphyr::from_str(object["data"]["f"].as_str().unwrap()).unwrap();
        prop_assert_eq!(file, value);
    }

    #[test]
    fn numbers_and_booleans_keep_their_type(number in any::<i32>(), flag: bool) {
        let template = "apiVersion: v1\nkind: Service\nmetadata: {name: ll2022-x}\nspec:\n  healthCheckNodePort: {{values.n}}\n  publishNotReadyAddresses: {{values.b}}\n  clusterIP: \"{{values.n}}\"\n  selector: {{toJson component.selector}}\n";
        let object = object_of(template, &json!({"n": number, "b": flag}));
        prop_assert_eq!(&object["spec"]["healthCheckNodePort"], &json!(number));
        prop_assert_eq!(&object["spec"]["publishNotReadyAddresses"], &json!(flag));
        prop_assert_eq!(&object["spec"]["clusterIP"], &json!(number.to_string()));
    }

    #[test]
    fn the_same_input_renders_the_same_bytes(s in strings(), n in any::<u16>()) {
        let values = json!({"podAnnotations": {"a": s, "b": n.to_string()}, "nodeSelector": {"c": s}});
        let bytes = || serde_json::to_vec(&render_with(&BYTEDOC, &values).unwrap().objects).unwrap();
        prop_assert_eq!(bytes(), bytes());
    }

    #[test]
    fn no_value_moves_an_object_out_of_its_namespace(s in strings()) {
        let template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ll2022-x\n  namespace: {{values.s}}\n";
        let chart = sample(template, &[], "{}").unwrap();
        match render_with(&chart, &json!({"s": s})) {
            Ok(rendered) => {
                prop_assert_eq!(rendered.objects[0].metadata.namespace.as_deref(), Some("databases"));
                prop_assert_eq!(s.as_str(), "databases");
            }
            Err(error) => prop_assert_eq!(error.reason(), "ChartRuleBroken"),
        }
    }

    #[test]
    fn every_string_of_the_chart_is_one_that_reads_back(s in strings()) {
        let values = json!({"podAnnotations": {"x": s}, "nodeSelector": {"y": s}, "spread": {"topologyKey": format!("k{s}")}, "imagePullSecrets": [format!("p{s}")]});
        let objects = render_with(&BYTEDOC, &values).unwrap().objects;
        let pod = &objects[2].data["spec"]["template"];
        prop_assert_eq!(&pod["metadata"]["annotations"]["x"], &json!(s));
        prop_assert_eq!(&pod["spec"]["nodeSelector"], &json!({"y": s}));
        prop_assert_eq!(&pod["spec"]["topologySpreadConstraints"][0]["topologyKey"], &json!(format!("k{s}")));
        prop_assert_eq!(&pod["spec"]["imagePullSecrets"], &json!([{"name": format!("p{s}")}]));
    }
}

#[test]
fn values_cannot_hold_the_characters_of_marks() {
    let chart = sample(&config_map("  a: {{values.s}}\n"), &[], "{}").unwrap();
    let error = render_with(&chart, &json!({"s": "\u{E000}0\u{E001}"})).unwrap_err();
    assert!(error.to_string().contains("values.s"), "{error}");
}
