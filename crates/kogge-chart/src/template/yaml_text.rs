//! Values as YAML text.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::yaml;

/// A value in block style, without a line break at its end. Keys are sorted.
pub(super) fn to_yaml(value: &Value) -> String {
    let mut text = String::new();
    write_block(value, 0, &mut text);
    text
}

/// A value as JSON that YAML reads the same.
pub(super) fn to_json(value: &Value) -> String {
    escape_unprintable(&value.to_string())
}

/// A string as YAML reads it back: plain where that is safe in any YAML, JSON-quoted otherwise.
pub(super) fn scalar(text: &str) -> Cow<'_, str> {
    if is_plain(text) { Cow::Borrowed(text) } else { Cow::Owned(quoted(text)) }
}

/// A string in double quotes.
pub(super) fn quoted(text: &str) -> String {
    to_json(&Value::from(text))
}

fn write_block(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (position, (key, inner)) in map.iter().enumerate() {
                if position > 0 {
                    text.push('\n');
                    text.push_str(&indent);
                }
                text.push_str(&scalar(key));
                text.push(':');
                if is_nested(inner) {
                    text.push('\n');
                    text.push_str(&indent);
                    text.push_str("  ");
                } else {
                    text.push(' ');
                }
                write_block(inner, depth + 1, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (position, inner) in items.iter().enumerate() {
                if position > 0 {
                    text.push('\n');
                    text.push_str(&indent);
                }
                text.push_str("- ");
                write_block(inner, depth + 1, text);
            }
        }
        Value::String(string) => text.push_str(&scalar(string)),
        other => text.push_str(&to_json(other)),
    }
}

fn is_nested(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// Whether every YAML reader takes the bare text for that very string, in block and flow, as value and key.
fn is_plain(text: &str) -> bool {
    let printable = !text.is_empty() && !text.chars().any(|c| c.is_control() || is_unprintable(c));
    printable && !is_legacy_scalar(text) && reads_back(text)
}

/// What YAML 1.1 takes for a boolean, a number or a date.
fn is_legacy_scalar(text: &str) -> bool {
    const WORDS: [&str; 12] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "<<", "="];
    let numeric = |c: char| c.is_ascii_hexdigit() || "+-_.:xXoOtTzZ ".contains(c);
    WORDS.contains(&text.to_ascii_lowercase().as_str())
        || (text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) && text.chars().all(numeric))
}

fn reads_back(text: &str) -> bool {
    let simple = |c: char| c.is_ascii_alphanumeric() || "-_/.".contains(c);
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(simple) {
        return true;
    }
    let reads = |text: String, value: Value| yaml::read(&text).is_ok_and(|read| read == value);
    reads(format!("- {text}"), json!([text]))
        && reads(format!("[{text}]"), json!([text]))
        && reads(format!("k: {text}\nl: 1"), json!({"k": text, "l": 1}))
        && reads(format!("{text}: 1"), json!({text: 1}))
}

/// Characters that JSON leaves as they are and that YAML does not allow, or reads as line breaks.
fn is_unprintable(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{a0}' | '\u{ad}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn escape_unprintable(json: &str) -> String {
    json.chars()
        .map(|c| if is_unprintable(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() })
        .collect::<Vec<_>>()
        .concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("true")]
    #[case("1e3")]
    #[case("a:")]
    #[case("- x")]
    #[case("a\nb")]
    #[case("a #b")]
    #[case("a: b")]
    #[case("0777")]
    #[case("1:20")]
    #[case("2001-01-01")]
    #[case("on")]
    #[case("")]
    #[case(" a")]
    #[case("a, b")]
    #[case("*a")]
    #[case("{a")]
    #[case("!a")]
    #[case("~")]
    #[case("<<")]
    fn quotes_what_yaml_would_misread(#[case] text: &str) {
        assert_eq!(scalar(text), serde_json::to_string(text).unwrap());
    }

    #[rstest]
    #[case("postgres")]
    #[case("10Gi")]
    #[case("registry.example/postgres:17.2")]
    #[case("/data/db")]
    #[case("a b")]
    fn leaves_what_yaml_reads_right(#[case] text: &str) {
        assert_eq!(scalar(text), text);
    }

    #[test]
    fn writes_blocks() {
        let value = json!({"a": {"b": [1, {"c": "x", "d": []}, ["y"]]}, "e": {}, "f": null, "g": "no"});
        let text = to_yaml(&value);
        assert_eq!(text, "a:\n  b:\n    - 1\n    - c: x\n      d: []\n    - - \"y\"\ne: {}\nf: null\ng: \"no\"");
        assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), value);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<String>().prop_map(Value::from),
            "[-:#{}\\[\\],&*!|>'\"%@` \n\t~0-9a-z]{0,8}".prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[-:#{}\\[\\],&*!|>'\"%@` ?\n~0-9a-z<]{0,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn yaml_reads_back_what_was_written(value in any_value()) {
            let text = to_yaml(&value);
            prop_assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), value, "{}", text);
        }
    }
}
