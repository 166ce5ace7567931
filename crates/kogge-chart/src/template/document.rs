//! Reading rendered text: YAML with marks becomes values that know where they came from.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Spanned, budget, options};

use super::compile::TemplateSet;
use super::engine::Text;
use super::marks::{Piece, pieces};
use super::{limits, yaml_text};
use crate::error::{ChartError, Place};

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
    /// Fails with [`ChartError::Render`] where the text is no YAML.
    pub(crate) fn parse_all(
        templates: &TemplateSet,
        template: &str,
        text: &Text,
    ) -> Result<Vec<Self>, ChartError> {
        let options = options! {
            budget: budget! { max_depth: limits::DOCUMENT_DEPTH, max_aliases: 0, max_anchors: 0 },
        };
        let reader = Reader { templates, template, text };
        let documents: Vec<Spanned<Node>> = serde_saphyr::from_multiple_with_options(&text.yaml, options)
            .map_err(|error| {
                let line = error.location().map_or(1, |location| location.line() as usize);
                let message = reader.shown(&error.without_snippet().to_string());
                reader.fault(line, format!("the rendered text is no YAML: {message}"))
            })?;
        documents
            .into_iter()
            .filter(|document| !matches!(document.value, Node::Null))
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

    fn document(&self, node: Spanned<Node>) -> Result<Document, ChartError> {
        let start = self.place(node.referenced.line() as usize);
        let mut fields = BTreeMap::new();
        let value = self.value(node, "", &mut fields)?;
        Ok(Document { value, start, fields })
    }

    fn value(
        &self,
        node: Spanned<Node>,
        path: &str,
        fields: &mut BTreeMap<String, Place>,
    ) -> Result<Value, ChartError> {
        let line = node.referenced.line() as usize;
        fields.insert(path.to_owned(), self.place(line));
        Ok(match node.value {
            Node::Null => Value::Null,
            Node::Bool(flag) => Value::Bool(flag),
            Node::Number(number) => Value::Number(number),
            Node::String(scalar) => Value::String(self.filled(&scalar)),
            Node::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.into_iter().enumerate() {
                    list.push(self.value(item, &format!("{path}[{index}]"), fields)?);
                }
                Value::Array(list)
            }
            Node::Map(entries) => {
                let mut map = Map::new();
                for (key, inner) in entries {
                    let key = self.filled(&key);
                    let inner_line = inner.referenced.line() as usize;
                    let inner_path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    let inner = self.value(inner, &inner_path, fields)?;
                    if map.insert(key.clone(), inner).is_some() {
                        return Err(self.fault(inner_line, format!("the key {key} is given twice in one map")));
                    }
                }
                Value::Object(map)
            }
        })
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

/// YAML as it was written. Keys of a map are strings; a number or boolean as key is taken as its text.
#[derive(Debug)]
enum Node {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    List(Vec<Spanned<Node>>),
    Map(Vec<(String, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Node, E> {
        Number::from_f64(number).map(Node::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Node, E> {
        Ok(Node::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<Node>()? {
            let key = match key {
                Node::String(text) => text,
                Node::Number(number) => number.to_string(),
                Node::Bool(flag) => flag.to_string(),
                _ => return Err(A::Error::custom("a key must be a string")),
            };
            entries.push((key, access.next_value()?));
        }
        Ok(Node::Map(entries))
    }
}
