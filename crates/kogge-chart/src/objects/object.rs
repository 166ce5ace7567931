//! An object that a template rendered.

use serde_json::Value;

use crate::error::Place;
use crate::kinds::WorkerKind;
use crate::template::Document;

/// An object that a template rendered, of a known kind, with every field known.
#[derive(Debug)]
pub(crate) struct RenderedObject {
    pub(super) kind: &'static WorkerKind,
    pub(super) value: Value,
    pub(super) document: Document,
}

impl RenderedObject {
    pub(super) fn name(&self) -> &str {
        name_of(&self.value)
    }

    pub(super) fn title(&self) -> String {
        title_of(&self.value)
    }

    pub(super) fn text_at(&self, pointer: &str) -> Option<&str> {
        self.value.pointer(pointer).and_then(Value::as_str)
    }

    /// The memory limit of the main container of its pods, which is the first; none where it has no pods, or no limit.
    pub(crate) fn memory_limit(&self) -> Option<&Value> {
        self.value.pointer("/spec/template/spec/containers/0/resources/limits/memory")
    }

    /// Where a field stands, by its JSON pointer.
    pub(super) fn place_of(&self, pointer: &str) -> Place {
        self.document.place_of(&dotted(pointer)).clone()
    }
}

/// A JSON pointer as the path of a field, such as `spec.containers[0].image`.
pub(super) fn dotted(pointer: &str) -> String {
    pointer.split('/').skip(1).fold(String::new(), |path, segment| match segment.parse::<usize>() {
        Ok(index) => format!("{path}[{index}]"),
        Err(_) if path.is_empty() => segment.to_owned(),
        Err(_) => format!("{path}.{segment}"),
    })
}

pub(super) fn name_of(value: &Value) -> &str {
    value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn title_of(value: &Value) -> String {
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or("object without kind");
    format!("{kind} {}", name_of(value)).trim_end().to_owned()
}
