//! A hostile template ends with an error that names file and line, never with a crash.

#[cfg(test)]
mod support;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;
use support::{failure, render_with, sample};

const HEAD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ll2022-x}\ndata:\n";

#[rstest]
#[case::itself("{{> a}}", &[("a", "\n{{> a}}")], 2, "a includes itself: a -> a")]
#[case::mutual("{{> a}}", &[("a", "{{> b}}"), ("b", "x\n\n{{> c}}"), ("c", "{{> a}}")], 1, "break the cycle")]
#[case::unknown_partial("x: 1\n{{> missing}}", &[], 2, "templates/_missing.hbs")]
#[case::dynamic_partial("x: 1\n{{> (lookup values \"a\")}}", &[], 2, "cannot be computed")]
#[case::unknown_function("x: 1\ny: {{now}}{{uuidv4 1}}", &[], 2, "there is no function uuidv4")]
#[case::unknown_function_inside("{{#if (env \"HOME\")}}{{/if}}", &[], 1, "there is no function env")]
#[case::unknown_block("\n\n{{#log 1}}{{/log}}", &[], 3, "there is no block #log")]
#[case::raw_insertion("\n{{{values.a}}}", &[], 2, "would insert YAML")]
#[case::tag_of_prometheus("a: 1\nb: '{{ $labels.instance }}'", &[], 2, r"for the text {{ write \{{")]
#[case::tag_of_helm("a: {{ .Values.a }}", &[], 1, r"for the text {{ write \{{")]
#[case::raw_block("{{{{raw}}}} {{ x }} {{{{/raw}}}}", &[], 1, r"for the text {{ write \{{")]
#[case::unclosed("a: {{#if values.a}}", &[], 1, "")]
#[case::wrong_close("{{#if values.a}}{{/each}}", &[], 1, "")]
fn a_chart_with_it_is_refused(
    #[case] template: &str,
    #[case] partials: &[(&str, &str)],
    #[case] line: usize,
    #[case] needle: &str,
) {
    let (message, at) = failure(sample(template, partials, "{}"));
    assert_eq!(at, Some(line), "{message}");
    assert!(message.contains(needle), "{message}");
    assert!(message.contains("chart sample 1.0.0, templates/"), "{message}");
}

#[rstest]
#[case::missing("  a: b\n  b: {{values.a.b}}\n", 6, "values.a.b is missing")]
#[case::missing_in_if("{{#if values.nope}}{{/if}}", 5, "values.nope is missing")]
#[case::missing_in_each("\n{{#each values.nope}}{{else}}{{/each}}", 6, "values.nope is missing")]
#[case::missing_in_with("{{#with values.nope}}{{else}}{{/with}}", 5, "values.nope is missing")]
#[case::missing_in_unless("{{#unless values.nope}}{{/unless}}", 5, "values.nope is missing")]
#[case::missing_in_call("  a: {{upper values.nope}}", 5, "values.nope is missing")]
#[case::missing_in_condition("{{#if (and values.set values.nope)}}{{/if}}", 5, "values.nope is missing")]
#[case::null("  a: {{values.nothing}}", 5, "values.nothing is null")]
#[case::map("  a: {{values.map}}", 5, "values.map is a map; insert it with toYaml")]
#[case::list("  a: {{values.list}}", 5, "values.list is a list")]
#[case::huge_range("{{#range 1001}}{{/range}}", 5, "more than 1000")]
#[case::wrong_range("{{#range -1}}{{/range}}", 5, "takes a count")]
#[case::nested_ranges(
    "{{#range 1000}}{{#range 1000}}{{#range 1000}}{{/range}}{{/range}}{{/range}}",
    5,
    "blocks were passed"
)]
#[case::giant(
    "{{#range 1000}}{{#range 9}}  {{sha256 \"a\"}}{{indent 100 (toYaml values.text)}}{{/range}}{{/range}}",
    5,
    "renders more than"
)]
#[case::indent("  a: {{indent 100000000000 (toYaml values.map)}}", 5, "more than 100")]
#[case::indent_of_a_value("  a: {{indent 2 values.text}}", 5, "takes what toYaml or toJson wrote")]
#[case::required("  a: {{required \"set values.map.x\" values.map.x}}", 5, "required: set values.map.x")]
#[case::no_yaml("  a: b\n    c: [\n", 6, "no YAML")]
#[case::merge("  a: &x {b: c}\n  c: {<<: *x}\n", 6, "data.c: the merge key << is not read here")]
#[case::lost_digits("  a: 1.10\n", 5, "data.a: 1.10 is read as the number 1.1")]
#[case::duplicate_key("  a: b\n  c: d\n  a: e\n", 7, "")]
#[case::deep_document(
    "  a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    5,
    "no YAML"
)]
fn rendering_it_fails(#[case] tail: &str, #[case] line: usize, #[case] needle: &str) {
    let values = "{set: true, nothing: null, map: {a: 1}, list: [1], text: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}";
    let chart = sample(&format!("{HEAD}{tail}"), &[], values).unwrap();
    let (message, at) = failure(render_with(&chart, &json!({})));
    assert_eq!(at, Some(line), "{message}");
    assert!(message.contains(needle), "{message}");
    assert!(message.contains("chart sample 1.0.0, templates/object.yaml.hbs line"), "{message}");
}

#[test]
fn field_36_a_backslash_makes_a_tag_a_text() {
    let tail =
        "  a: '\\{{ $labels.instance }} of {{values.job}}: \\{{ $value }}'\n  b: |\n    \\{{ range .Alerts }}\n";
    let chart = sample(&format!("{HEAD}{tail}"), &[], "{job: mongod}").unwrap();
    let rendered = render_with(&chart, &json!({})).unwrap();
    let data = &rendered.objects[0].data["data"];
    assert_eq!(data["a"], "{{ $labels.instance }} of mongod: {{ $value }}");
    assert_eq!(data["b"], "{{ range .Alerts }}\n");
}

#[test]
fn field_36_anchors_and_aliases_of_a_template_work() {
    let chart = sample(&format!("{HEAD}  a: &x {{{{values.job}}}}\n  b: *x\n"), &[], "{job: mongod}").unwrap();
    let rendered = render_with(&chart, &json!({})).unwrap();
    assert_eq!(rendered.objects[0].data["data"], json!({"a": "mongod", "b": "mongod"}));
}

#[test]
fn partials_that_double_end_with_an_error() {
    let doubling: Vec<(String, String)> = (0..30)
        .map(|n| (format!("p{n}"), format!("{{{{> p{0}}}}}{{{{> p{0}}}}}", n + 1)))
        .chain([("p30".to_owned(), String::new())])
        .collect();
    let partials: Vec<(&str, &str)> = doubling.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let (message, _) = failure(sample("{{> p0}}", &partials, "{}"));
    assert!(message.contains("partials nest deeper"), "{message}");
}

#[test]
#[expect(clippy::disallowed_types, reason = "only a thread of its own has a small stack")]
fn the_deepest_nesting_that_is_allowed_needs_little_stack() {
    let nested = |inner: &str| format!("{}{inner}{}", "{{#if values.shown}}".repeat(16), "{{/if}}".repeat(16));
    let call = "{{upper (upper (upper (upper (upper (upper (upper (upper (upper values.text))))))))}}";
    let partials: Vec<(String, String)> = (1..4)
        .map(|n| (format!("p{n}"), nested(&format!("{{{{> p{}}}}}", n + 1))))
        .chain([("p4".to_owned(), nested(call))])
        .collect();
    let chart = std::thread::Builder::new().stack_size(1024 * 1024).spawn(move || {
        let partials: Vec<(&str, &str)> = partials.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
        let template = format!("{HEAD}  a: {}", nested("{{> p1}}"));
        let chart = sample(&template, &partials, "{shown: true, text: x}").unwrap();
        render_with(&chart, &json!({})).map(|rendered| rendered.objects[0].data["data"]["a"].clone())
    });
    assert_eq!(chart.unwrap().join().unwrap().unwrap(), json!("X"));
}

#[test]
fn a_long_chain_of_partials_ends_with_an_error() {
    let chain: Vec<(String, String)> =
        (0..5_000).map(|n| (format!("p{n:04}"), format!("{{{{> p{:04}}}}}", (n + 1) % 5_000))).collect();
    let partials: Vec<(&str, &str)> = chain.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let (message, _) = failure(sample("{{> p0000}}", &partials, "{}"));
    assert!(message.contains("partials nest deeper"), "{message}");
}

#[test]
fn a_line_inside_a_partial_is_named() {
    let partial = "a: b\n{{#if values.shown}}\nb: {{values.nope}}\n{{/if}}\n";
    let chart = sample(&format!("{HEAD}  {{{{> part}}}}\n"), &[("part", partial)], "{shown: true}").unwrap();
    let (message, line) = failure(render_with(&chart, &json!({})));
    assert!(message.contains("templates/_part.hbs line 3: values.nope is missing"), "{message}");
    assert_eq!(line, Some(3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_a_template_or_an_error(text in any::<String>()) {
        if let Ok(chart) = sample(&text, &[], "{a: 1}") {
            let _ = render_with(&chart, &json!({}));
        }
    }

    #[test]
    fn any_tags_are_a_template_or_an_error(parts in prop::collection::vec(prop::sample::select(vec![
        "{{", "}}", "{{#if a}}", "{{/if}}", "{{else}}", "{{else if b}}", "{{^}}", "{{#each values}}", "{{/each}}", "(", ")",
        "[", "]", "\"", "'", "~", "{{> p}}", "{{!", "--}}", "{{!--", "{{values.a}}", "{{{", "}}}", "\\{{", " ", "\n", "a: ",
        "as |x|", "@index", "..", "/", "this", "{{#with values as |v|}}", "{{/with}}", "{{{{raw}}}}", "{{{{/raw}}}}", "=1",
        "{{toYaml values}}", "{{indent 2 (toYaml values)}}", "{{#range 3}}", "{{/range}}", "é", "\u{2028}",
    ]), 0..12)) {
        if let Ok(chart) = sample(&parts.concat(), &[("p", "{{@index}}\n")], "{a: 1}") {
            let _ = render_with(&chart, &json!({}));
        }
    }
}
