//! Rendering one template to text, bounded.

use std::io::{self, Write};
use std::sync::Arc;

use handlebars::{Context, Handlebars, RenderError, RenderErrorReason, no_escape};
use serde_json::{Map, Value};

use super::compile::TemplateSet;
use super::marks::{Origin, take_line_marks};
use super::session::Session;
use super::{functions, limits};
use crate::error::ChartError;

/// Rendered text, before it is read as YAML.
#[derive(Debug, PartialEq)]
pub(crate) struct Text {
    /// YAML with marks in place of inserted strings.
    pub(super) yaml: String,
    /// The inserted strings, by the numbers of their marks.
    pub(super) strings: Vec<String>,
    /// Where each line came from.
    pub(super) origins: Vec<Origin>,
}

/// Renders a template of a chart.
///
/// Fails with [`ChartError::Render`].
pub(crate) fn render(templates: &TemplateSet, name: &str, context: &Value) -> Result<Text, ChartError> {
    let session = Arc::new(Session::default());
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(no_escape);
    functions::register(&mut registry, &session);
    for (name, template) in &templates.compiled {
        registry.register_template(name, template.clone());
    }
    let mut output = Bounded::default();
    Context::wraps(sorted(context))
        .and_then(|context| registry.render_with_context_to_write(name, &context, &mut output))
        .map_err(|error| failure(templates, name, &error))?;
    let (yaml, origins) = take_line_marks(&String::from_utf8_lossy(&output.bytes));
    Ok(Text { yaml, strings: session.take(), origins })
}

fn failure(templates: &TemplateSet, name: &str, error: &RenderError) -> ChartError {
    let message = match error.reason() {
        RenderErrorReason::MissingVariable(Some(path)) => {
            format!("{path} is missing; give it a value, or use (default {path} …)")
        }
        RenderErrorReason::IOError(error) => error.to_string(),
        other => other.to_string(),
    };
    let file = error.template_name.as_deref().unwrap_or(name);
    ChartError::Render { place: templates.place(file, error.line_no), message }
}

/// The same value with sorted keys, so that loops run in the same order in every build.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            Value::Object(
                entries.into_iter().map(|(key, inner)| (key.clone(), sorted(inner))).collect::<Map<_, _>>(),
            )
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        scalar => scalar.clone(),
    }
}

/// A buffer that refuses to grow beyond its bound.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
}

impl Write for Bounded {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + buffer.len() > limits::OUTPUT_BYTES {
            let bound = limits::OUTPUT_BYTES / 1024;
            return Err(io::Error::other(format!("the template renders more than {bound} KiB; split it")));
        }
        self.bytes.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
