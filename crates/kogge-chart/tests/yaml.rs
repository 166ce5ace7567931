//! YAML means what it means to kubectl and Helm, or is refused with the way to write it.

use std::collections::BTreeSet;

use kogge_chart::yaml::{parse, read};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

/// What `sigs.k8s.io/yaml` makes of scalars; the file says how it was made.
const READINGS: &str = include_str!("yaml/sigs-k8s-io-yaml.tsv");

/// Scalars of that file that are refused, because what they are read as says less, or because YAML's readers differ.
const REFUSED: &[&str] = &[
    "08",
    "0899",
    "019",
    "1.10",
    "1.00",
    "1e5",
    "1E5",
    "1e+5",
    "12e45",
    "1e-400",
    "0e0",
    "00.5",
    "0777.5",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "0.1234567890123456789",
    "123456789.123456789012",
    "9007199254740993.0",
    "100000000000000000000",
    "1e16",
    "1e21",
    ".inf",
    "-.inf",
    "+.inf",
    ".Inf",
    ".INF",
    ".nan",
    ".NaN",
    "on",
    "On",
    "ON",
    "off",
    "Off",
    "yes",
    "Yes",
    "YES",
    "no",
    "No",
    "NO",
    "y",
    "Y",
    "n",
    "N",
    "!!int \"5\"",
    "!!bool on",
    "!!binary aGVsbG8=",
    "!foo bar",
    "!!timestamp 2001-01-01",
    "!!null x",
    "[0027, on, 1.10]",
    "{on: 1, 0027: 2, 1.10: 3, ~: 4, 1: 5, true: 6}",
    "{a: 1, a: 2}",
    "{<<: {a: 1}, b: 2}",
];

fn readings() -> impl Iterator<Item = (String, Option<Value>)> {
    READINGS.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (scalar, reading) = line.split_once('\t')?;
        let json: Option<Value> = serde_json::from_str(reading).ok();
        Some((serde_json::from_str(scalar).ok()?, json.map(|json| json["v"].clone())))
    })
}

#[test]
fn field_30_and_31_every_scalar_is_read_as_kubectl_and_helm_read_it_or_refused_by_path() {
    let mut refused = BTreeSet::new();
    for (scalar, theirs) in readings() {
        match read(&format!("v: {scalar}\n")) {
            Ok(ours) => {
                let theirs =
                    theirs.unwrap_or_else(|| panic!("{scalar:?} is an error to them, and {ours} to Kogge"));
                let same = ours["v"] == theirs || ours["v"].as_f64().is_some_and(|n| Some(n) == theirs.as_f64());
                assert!(same, "{scalar:?} is {theirs} to them, and {ours} to Kogge");
            }
            Err(error) => {
                assert!(error.path.as_deref().is_none_or(|path| path.starts_with('v')), "{error:?}");
                refused.insert(scalar);
            }
        }
    }
    let expected: BTreeSet<String> = REFUSED.iter().map(|scalar| (*scalar).to_owned()).collect();
    assert_eq!(refused, expected);
}

#[rstest]
#[case("1.10", "1.1")]
#[case("1e5", "100000")]
#[case("0899", "899")]
#[case("on", "true")]
#[case("0.1234567890123456789", "0.12345678901234568")]
#[case("18446744073709551616", "9223372036854775807")]
fn field_31_a_refusal_says_what_would_be_read_and_what_to_write(#[case] scalar: &str, #[case] read_as: &str) {
    let error = read(&format!("a:\n  - b: {scalar}\n")).unwrap_err();
    assert_eq!((error.line, error.path.as_deref()), (2, Some("a[0].b")));
    assert!(error.message.contains(read_as), "{error}");
    assert!(error.message.contains("write it in quotes"), "{error}");
    assert!(error.message.contains(&format!("\"{scalar}\"")), "{error}");
    assert_eq!(read(&format!("a: \"{scalar}\"")).unwrap(), json!({"a": scalar}));
    assert_eq!(read(&format!("a: '{scalar}'")).unwrap(), json!({"a": scalar}));
}

#[rstest]
#[case("on: push", "on")]
#[case("0027: a", "0027")]
#[case("1.10: a", "1.10")]
#[case("~: a", "~")]
fn field_31_a_key_that_is_not_read_as_it_is_written_is_refused(#[case] text: &str, #[case] key: &str) {
    let error = read(text).unwrap_err();
    assert!(error.message.contains(&format!("write it in quotes: \"{key}\"")), "{error}");
}

#[test]
fn a_key_may_be_a_whole_number_or_a_boolean() {
    assert_eq!(read("{1: a, true: b}").unwrap(), json!({"1": "a", "true": "b"}));
}

#[test]
fn field_36_anchors_and_aliases_work_and_a_merge_is_named() {
    let text = "a: &limits {cpu: 1}\nb: *limits\nc: [&x 5, *x]\n";
    assert_eq!(read(text).unwrap(), json!({"a": {"cpu": 1}, "b": {"cpu": 1}, "c": [5, 5]}));
    let error = read("a: &limits {cpu: 1}\nb:\n  <<: *limits\n  memory: 2\n").unwrap_err();
    assert_eq!(error.line, 3);
    assert!(error.message.contains("the merge key <<"), "{error}");
    assert!(read("a: &x [*x]").unwrap_err().message.contains("inside the value that it refers to"));
    assert!(read("a: *x").is_err());
}

#[test]
fn aliases_that_double_end_with_an_error() {
    let doubling: Vec<String> = (1..40).map(|n| format!("l{n}: &a{n} [*a{0}, *a{0}]\n", n - 1)).collect();
    let doubling = doubling.concat();
    let error = read(&format!("l0: &a0 [x]\n{doubling}")).unwrap_err();
    assert!(error.message.contains("with those that aliases repeat"), "{error}");
    let deepening: Vec<String> = (1..100).map(|n| format!("l{n}: &a{n} [*a{}]\n", n - 1)).collect();
    let deepening = deepening.concat();
    let error = read(&format!("l0: &a0 [x]\n{deepening}")).unwrap_err();
    assert!(error.message.contains("nested deeper than 64"), "{error}");
}

#[test]
fn field_35_line_ends_and_byte_order_marks_say_nothing() {
    let text = "a: |\n  one\n  two\nb: 1\n";
    assert_eq!(read(&text.replace('\n', "\r\n")).unwrap(), read(text).unwrap());
    assert_eq!(read(&format!("\u{feff}{text}")).unwrap(), read(text).unwrap());
}

#[test]
fn documents_are_read_one_by_one() {
    let documents = parse("kind: A\nv: 1e5\n---\n# nothing\n---\nkind: B\nv: 1\n").unwrap();
    assert_eq!(documents.iter().map(|d| d.text_of("kind")).collect::<Vec<_>>(), [Some("A"), None, Some("B")]);
    assert!(documents[0].to_value().is_err());
    assert_eq!(documents[2].to_value().unwrap(), json!({"kind": "B", "v": 1}));
    assert!(read("a: 1\n---\nb: 2\n").unwrap_err().message.contains("a second document"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = read(&text);
    }

    #[test]
    fn any_pieces_are_read_or_refused(pieces in prop::collection::vec(prop::sample::select(vec![
        "a", ":", " ", "\n", "- ", "[", "]", "{", "}", "&a ", "*a", "!!str ", "!x ", "'", "\"", "|", ">", "#", "---", "0", "1e",
        ".", "-", "+", "_", "?", ",", "<<", "~", "\u{e000}", "\u{feff}", "\r\n", "%YAML 1.1\n", "\t",
    ]), 0..24)) {
        let _ = read(&pieces.concat());
    }

    #[test]
    fn what_is_read_as_a_number_says_what_is_written(digits in "[-+]?[0-9_]{0,4}[.]?[0-9]{0,22}(e[-+]?[0-9]{1,3})?") {
        if let Ok(Value::Object(map)) = read(&format!("v: {digits}"))
            && let Some(number) = map["v"].as_f64()
        {
            let plain = digits.replace('_', "");
            let octal = plain.trim_start_matches(['-', '+']).starts_with('0') && !plain.contains('.') && plain.len() > 1;
            prop_assert!(octal || plain.parse().ok() == Some(number), "{digits} {number}");
        }
    }
}
