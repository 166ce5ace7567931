//! Reading rendered text: YAML with marks becomes values that know where they came from.

use std::collections::BTreeMap;

use serde_json::Value;

use super::compile::TemplateSet;
use super::engine::Text;
use super::marks::{Piece, pieces};
use super::yaml_text;
use crate::error::{ChartError, Place};
use crate::yaml::{self, Node, YamlError};

/// One document of a template, with the line of every field.
#[derive(Debug)]
pub(crate) struct Document {
    /// What it says.
    pub(crate) value: Value,
    /// Where it begins.
    start: Place,
    /// Where each field stands, by its path, such as `spec.containers[0].image`.
    fields: BTreeMap<String, Place>,
}

impl Document {
    /// Every document of a rendered text that is not empty.
    ///
    /// Fails with [`ChartError::Render`] where the text is no YAML, or holds a scalar that says less than is written.
    pub(crate) fn parse_all(
        templates: &TemplateSet,
        template: &str,
        text: &Text,
    ) -> Result<Vec<Self>, ChartError> {
        let reader = Reader { templates, template, text };
        let documents = yaml::parse(&text.yaml).map_err(|error| {
            reader.fault(error.line, format!("the rendered text is no YAML: {}", reader.shown(&error.message)))
        })?;
        documents
            .iter()
            .filter(|document| !document.is_empty())
            .map(|document| reader.document(document))
            .collect()
    }

    /// Where a field stands, or the nearest field around it.
    pub(crate) fn place_of(&self, path: &str) -> &Place {
        let mut path = path;
        loop {
            if let Some(place) = self.fields.get(path) {
                return place;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return &self.start,
            }
        }
    }
}

struct Reader<'a> {
    templates: &'a TemplateSet,
    template: &'a str,
    text: &'a Text,
}

impl Reader<'_> {
    fn place(&self, line: usize) -> Place {
        let origin = self.text.origins.get(line.saturating_sub(1)).or(self.text.origins.last());
        let file = origin.and_then(|origin| self.templates.files.get(origin.file));
        let file = file.map_or(self.template, String::as_str);
        self.templates.place(file, origin.map(|origin| origin.line))
    }

    fn fault(&self, line: usize, message: String) -> ChartError {
        ChartError::Render { place: self.place(line), message }
    }

    fn document(&self, node: &Node) -> Result<Document, ChartError> {
        let mut fields = BTreeMap::new();
        let mut seen = |path: &str, line: usize| {
            fields.insert(path.to_owned(), self.place(line));
        };
        let value = node
            .to_value_with(&|scalar| self.filled(scalar), &mut seen)
            .map_err(|error: YamlError| self.fault(error.line, error.detail()))?;
        Ok(Document { value, start: self.place(node.line()), fields })
    }

    /// A scalar with its inserted strings.
    fn filled(&self, scalar: &str) -> String {
        let pieces = pieces(scalar);
        let string = |number: usize| self.text.strings.get(number).map_or("", String::as_str);
        if let [Piece::String(number)] = pieces.as_slice() {
            return string(*number).to_owned();
        }
        let is_document = scalar.contains('\n');
        pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => (*text).into(),
                Piece::String(number) if is_document => yaml_text::scalar(string(*number)),
                Piece::String(number) => string(*number).into(),
            })
            .collect()
    }

    /// A message for people, with the strings that the marks stand for.
    fn shown(&self, message: &str) -> String {
        let string = |number: &usize| self.text.strings.get(*number).map_or("", String::as_str);
        pieces(message)
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => (*text).to_owned(),
                Piece::String(number) => string(number).chars().take(64).collect(),
            })
            .collect()
    }
}
