//! Objects: what templates render is typed, held against Kogge's rules, named by content and labelled.

mod by_content;
mod gate;
mod identity;
mod kinds;
mod rules;
pub(crate) mod selector;
mod typed;

use kube_core::DynamicObject;
use serde_json::Value;

pub(crate) use by_content::name_by_content;
pub use kinds::WorkerKind;
pub(crate) use kinds::named_in;
pub use rules::Rule;

use crate::context::RenderInput;
use crate::error::{ChartError, Place};
use crate::revision::Revision;
use crate::template::Document;

/// An object that a template rendered, of a known kind, with every field known.
#[derive(Debug)]
pub(crate) struct RenderedObject {
    kind: &'static WorkerKind,
    value: Value,
    document: Document,
}

impl RenderedObject {
    fn name(&self) -> &str {
        name_of(&self.value)
    }

    fn title(&self) -> String {
        title_of(&self.value)
    }

    fn text_at(&self, pointer: &str) -> Option<&str> {
        self.value.pointer(pointer).and_then(Value::as_str)
    }

    /// Where a field stands, by its JSON pointer.
    fn place_of(&self, pointer: &str) -> Place {
        self.document.place_of(&dotted(pointer)).clone()
    }
}

/// A JSON pointer as the path of a field, such as `spec.containers[0].image`.
fn dotted(pointer: &str) -> String {
    pointer.split('/').skip(1).fold(String::new(), |path, segment| match segment.parse::<usize>() {
        Ok(index) => format!("{path}[{index}]"),
        Err(_) if path.is_empty() => segment.to_owned(),
        Err(_) => format!("{path}.{segment}"),
    })
}

fn name_of(value: &Value) -> &str {
    value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

fn title_of(value: &Value) -> String {
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or("object without kind");
    format!("{kind} {}", name_of(value)).trim_end().to_owned()
}

/// Makes an object of a document, and holds it against every rule.
pub(crate) fn check(input: &RenderInput<'_>, mut document: Document) -> Result<RenderedObject, ChartError> {
    let value = std::mem::take(&mut document.value);
    let kind = kinds::of(&value).ok_or_else(|| ChartError::Rule {
        place: document.place_of("kind").clone(),
        object: title_of(&value),
        rule: Rule::KnownKind,
        found: format!("{} {}", value["apiVersion"], value["kind"]),
    })?;
    typed::check(kind, &value).map_err(|fault| ChartError::Object {
        place: document.place_of(&fault.path).clone(),
        object: title_of(&value),
        message: fault.to_string(),
    })?;
    let object = RenderedObject { kind, value, document };
    rules::check(input, &object)?;
    Ok(object)
}

/// Refuses a second object of the same kind and name.
pub(crate) fn refuse_duplicate(earlier: &[RenderedObject], object: &RenderedObject) -> Result<(), ChartError> {
    let same = |other: &&RenderedObject| other.kind == object.kind && other.name() == object.name();
    let Some(other) = earlier.iter().find(same) else {
        return Ok(());
    };
    let message = format!("stands already in {}; rename one", other.place_of("/metadata/name"));
    Err(ChartError::Object { place: object.place_of("/metadata/name"), object: object.title(), message })
}

/// The object as it is applied, but for its shape.
pub(crate) fn finish(
    input: &RenderInput<'_>,
    revision: &Revision,
    mut object: RenderedObject,
) -> Result<DynamicObject, ChartError> {
    identity::put_on(input, revision, &mut object);
    let RenderedObject { kind: _, value, document } = object;
    let title = title_of(&value);
    serde_json::from_value(value).map_err(|error| ChartError::Object {
        place: document.place_of("metadata").clone(),
        object: title,
        message: error.to_string(),
    })
}
