//! What a scalar says.

use serde_json::Value;

use super::number;

/// What YAML 1.1 takes for true and false beside those words.
const TRUE: [&str; 8] = ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON"];
const FALSE: [&str; 8] = ["n", "N", "no", "No", "NO", "off", "Off", "OFF"];
/// What is a number to YAML and none to JSON.
const NOT_FINITE: [&str; 12] =
    [".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", ".nan", ".NaN", ".NAN"];

/// What a scalar says; `plain` where it stands without quotes. Fails with what is wrong and what to write.
pub(super) fn read(text: &str, plain: bool, tag: Option<&str>) -> Result<Value, String> {
    let unquoted = |plain: bool| if plain { resolved(text) } else { Ok(Value::from(text)) };
    let Some(tag) = tag else {
        return unquoted(plain);
    };
    let wanted: fn(&Value) -> bool = match tag {
        "!!str" | "!" => return Ok(Value::from(text)),
        "!!int" => Value::is_i64,
        "!!float" => Value::is_number,
        "!!bool" => Value::is_boolean,
        "!!null" => Value::is_null,
        _ => return Err(format!("the tag {tag} is not read here; write the value without it")),
    };
    match unquoted(plain)? {
        value if wanted(&value) => Ok(value),
        _ => Err(format!("the tag {tag} does not fit {text:?}; write the value without it")),
    }
}

fn resolved(text: &str) -> Result<Value, String> {
    let flag = |flag: bool| {
        Err(format!(
            "{text} is read as {flag} by kubectl and Helm; write {flag}, or for a text write it in quotes: \"{text}\""
        ))
    };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Ok(Value::Null),
        "true" | "True" | "TRUE" => Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => Ok(Value::Bool(false)),
        _ if TRUE.contains(&text) => flag(true),
        _ if FALSE.contains(&text) => flag(false),
        _ if NOT_FINITE.contains(&text) => Err(format!(
            "{text} is no number that Kubernetes can hold; write a number, or for a text write it in quotes: \"{text}\""
        )),
        _ => number::read(text),
    }
}
