//! Values: layers merged, with where each came from.

use std::collections::BTreeMap;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

use crate::chart::Chart;
use crate::error::{ChartError, Violation};
use crate::template::is_reserved;
use crate::yaml;

/// What removes what a layer below sets, as `null` does. `kubectl apply` takes each `null` out of what it sends, so a
/// person writes this.
pub const REMOVE: &str = "kogge.dev/remove";

/// The deepest nesting of values.
const MAX_DEPTH: usize = 32;
/// The most bytes of merged values, as JSON.
const MAX_BYTES: usize = 256 * 1024;
/// The most characters of one violation, which quotes the value.
const MAX_MESSAGE: usize = 300;
/// The most violations that one error names.
const MAX_VIOLATIONS: usize = 10;

/// A layer of values, such as those of a placement.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// What the layer is called, such as `spec.placement[vdc1].values`.
    pub source: &'a str,
    /// Its values.
    pub values: &'a Map<String, Value>,
}

/// Merged values, and where each came from.
#[derive(Clone, Debug, PartialEq)]
pub struct MergedValues {
    /// The values.
    pub values: Map<String, Value>,
    /// The layer of every leaf, by its path without the leading `values.`, such as `probes.port`.
    pub sources: BTreeMap<String, String>,
}

/// The chart's own values with the layers over them, later ones over earlier ones. Maps are merged key by
/// key, anything else is replaced, and `null` or [`REMOVE`] in a layer removes what is below it. Numbers are the same
/// however they are written: `1.0` is `1`.
///
/// Fails with [`ChartError::Values`] where values are nested too deep to be merged.
pub fn merge_values(chart: &Chart, layers: &[Layer<'_>]) -> Result<MergedValues, ChartError> {
    let mut merged = MergedValues { values: Map::new(), sources: BTreeMap::new() };
    let own = Layer { source: "values.yaml", values: &chart.values };
    for (position, layer) in [own].iter().chain(layers).enumerate() {
        if layer.values.values().any(|value| deeper_than(value, MAX_DEPTH)) {
            return Err(invalid(
                chart,
                "values",
                format!("nested deeper than {MAX_DEPTH} levels"),
                Some(layer.source.to_owned()),
            ));
        }
        // The chart's own null says that a value may be given, so it stays.
        let removes = position > 0;
        merge_map(&mut merged.values, layer, layer.values, "", removes, &mut merged.sources);
    }
    Ok(merged)
}

fn merge_map(
    below: &mut Map<String, Value>,
    layer: &Layer<'_>,
    above: &Map<String, Value>,
    prefix: &str,
    removes: bool,
    sources: &mut BTreeMap<String, String>,
) {
    for (key, value) in above {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match (below.get_mut(key), value) {
            (_, value) if removes && (value.is_null() || value == REMOVE) => {
                below.remove(key);
                forget(sources, &path);
            }
            (Some(Value::Object(lower)), Value::Object(upper)) => {
                merge_map(lower, layer, upper, &path, removes, sources);
            }
            (_, Value::Object(upper)) => {
                forget(sources, &path);
                let mut fresh = Map::new();
                merge_map(&mut fresh, layer, upper, &path, removes, sources);
                below.insert(key.clone(), Value::Object(fresh));
            }
            (_, value) => {
                forget(sources, &path);
                sources.insert(path, layer.source.to_owned());
                below.insert(key.clone(), yaml::normal(value));
            }
        }
    }
}

fn forget(sources: &mut BTreeMap<String, String>, path: &str) {
    let below = format!("{path}.");
    sources.retain(|at, _| at != path && !at.starts_with(&below));
}

fn deeper_than(value: &Value, depth: usize) -> bool {
    match value {
        Value::Object(map) => depth == 0 || map.values().any(|inner| deeper_than(inner, depth - 1)),
        Value::Array(items) => depth == 0 || items.iter().any(|inner| deeper_than(inner, depth - 1)),
        _ => false,
    }
}

/// Checks merged values against the chart's schema, and that they are of a kind that templates can take.
///
/// Fails with [`ChartError::Values`], which names every offending path and the layer it came from.
pub fn check_values(chart: &Chart, merged: &MergedValues) -> Result<(), ChartError> {
    let instance = Value::Object(merged.values.clone());
    if instance.to_string().len() > MAX_BYTES {
        return Err(invalid(chart, "values", format!("more than {} KiB", MAX_BYTES / 1024), None));
    }
    if let Some((path, message)) = fault_in(&instance, "values") {
        return Err(invalid(chart, &path, message, None));
    }
    let violations: Vec<Violation> = chart
        .schema
        .iter_errors(&instance)
        .take(MAX_VIOLATIONS)
        .map(|error| {
            let path = dotted(error.instance_path().as_str());
            let source = merged.sources.get(&path).cloned();
            let path = if path.is_empty() { "values".to_owned() } else { format!("values.{path}") };
            let said: String = error.to_string().chars().take(MAX_MESSAGE).collect();
            let message = mend(&error, &path).map_or_else(|| said.clone(), |mend| format!("{said}; {mend}"));
            Violation { path, message, source }
        })
        .collect();
    if violations.is_empty() {
        return Ok(());
    }
    Err(ChartError::Values { chart: chart.title(), violations })
}

fn invalid(chart: &Chart, path: &str, message: String, source: Option<String>) -> ChartError {
    let violation = Violation { path: path.to_owned(), message, source };
    ChartError::Values { chart: chart.title(), violations: vec![violation] }
}

/// A JSON pointer as the dotted path that users write.
fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~")
}

/// What to write instead of what the schema refuses, where that can be told.
fn mend(error: &ValidationError<'_>, path: &str) -> Option<String> {
    match (error.kind(), &**error.instance()) {
        (ValidationErrorKind::AdditionalProperties { unexpected }, _) => {
            let dotted = unexpected.iter().find(|name| name.contains('.'))?;
            let (parts, close) = (dotted.split('.'), "}".repeat(dotted.matches('.').count()));
            let nested = parts.collect::<Vec<_>>().join(": {");
            Some(format!("write {path}.{dotted} with each name in a map of its own: {nested}: …{close}"))
        }
        (ValidationErrorKind::Type { .. }, Value::String(text)) => {
            let read = yaml::read(text).ok().filter(|read| read.is_number() || read.is_boolean())?;
            Some(format!("write it without quotes: {read}"))
        }
        (ValidationErrorKind::Enum { .. }, Value::Bool(_)) => {
            Some("write the word in quotes: YAML takes on, off, yes and no for booleans".to_owned())
        }
        (ValidationErrorKind::Type { .. }, scalar @ (Value::Number(_) | Value::Bool(_))) => {
            let wants_text = error.to_string().contains("\"string\"");
            wants_text.then(|| format!("write it in quotes: \"{scalar}\""))
        }
        _ => None,
    }
}

/// The first value that no template can take, whatever the schema says: its path, and what is wrong with it.
fn fault_in(value: &Value, path: &str) -> Option<(String, String)> {
    let fault = |message: String| Some((path.to_owned(), message));
    let reserved =
        || fault("holds one of the characters U+E000 to U+E004, which templates keep for themselves".to_owned());
    match value {
        Value::String(text) if text == REMOVE => fault(format!(
            "{REMOVE} removes what a layer below sets, as the value of a key in spec.values; in a list or in the chart's own values it removes nothing"
        )),
        Value::String(text) => text.chars().any(is_reserved).then(reserved).flatten(),
        Value::Number(number) if !yaml::is_exact(number) => fault(format!(
            "{number} is larger than a number that Kubernetes keeps exactly, at most {}; write it in quotes, as a text",
            i64::MAX
        )),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| fault_in(item, &format!("{path}[{index}]")))
        }
        Value::Object(map) => map.iter().find_map(|(key, inner)| {
            if key.chars().any(is_reserved) {
                return reserved();
            }
            fault_in(inner, &format!("{path}.{key}"))
        }),
        _ => None,
    }
}
