//! Nodes as values.

use serde_json::{Map, Value};

use super::error::YamlError;
use super::scalar;
use super::tree::{Content, Node};

/// The key by which YAML 1.1 lays one map over another.
const MERGE: &str = "<<";

impl Node {
    /// What it says.
    ///
    /// Fails with [`YamlError`], which names the path and what to write, where the reading of kubectl and Helm would lose
    /// what is written.
    pub fn to_value(&self) -> Result<Value, YamlError> {
        self.to_value_with(&str::to_owned, &mut |_, _| {})
    }

    /// What it says, each text as `text_of` makes it; `seen` is told the path and the line of every value.
    pub(crate) fn to_value_with(
        &self,
        text_of: &dyn Fn(&str) -> String,
        seen: &mut dyn FnMut(&str, usize),
    ) -> Result<Value, YamlError> {
        Conversion { text_of, seen }.value(self, "")
    }
}

struct Conversion<'a> {
    text_of: &'a dyn Fn(&str) -> String,
    seen: &'a mut dyn FnMut(&str, usize),
}

impl Conversion<'_> {
    fn value(&mut self, node: &Node, path: &str) -> Result<Value, YamlError> {
        (self.seen)(path, node.line);
        let refused = |message: String| YamlError::value(node.line, path, message);
        let tag = node.tag.as_deref();
        match &node.content {
            Content::Scalar { text, plain } => {
                let value =
                    scalar::read(text, *plain, tag).map_err(|message| refused((self.text_of)(&message)))?;
                Ok(match value {
                    Value::String(text) => Value::String((self.text_of)(&text)),
                    other => other,
                })
            }
            Content::List(items) if matches!(tag, None | Some("!!seq")) => items
                .iter()
                .enumerate()
                .map(|(index, item)| self.value(item, &format!("{path}[{index}]")))
                .collect(),
            Content::Map(entries) if matches!(tag, None | Some("!!map")) => {
                let mut map = Map::new();
                for (key, inner) in entries {
                    let key_line = key.line;
                    let key = self.key(key, path)?;
                    let inner_path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    let value = self.value(inner, &inner_path)?;
                    if map.insert(key.clone(), value).is_some() {
                        let message = format!("the key {key} is in one map twice; remove one");
                        return Err(YamlError::value(key_line, &inner_path, message));
                    }
                }
                Ok(Value::Object(map))
            }
            Content::List(_) | Content::Map(_) => {
                Err(refused(format!("the tag {} is not read here; remove it", tag.unwrap_or_default())))
            }
        }
    }

    /// A key is a text, or a whole number or boolean that reads as it is written.
    fn key(&self, key: &Node, path: &str) -> Result<String, YamlError> {
        let refused = |message: String| YamlError::value(key.line, path, (self.text_of)(&message));
        let Content::Scalar { text, plain } = &key.content else {
            return Err(refused("a key must be a text, not a list or a map".to_owned()));
        };
        if *plain && text == MERGE {
            let message = "the merge key << is not read here; write out the fields that it brings, or put an alias in their place";
            return Err(refused(message.to_owned()));
        }
        let quoted =
            || refused(format!("the key {text} is not read as it is written; write it in quotes: \"{text}\""));
        match scalar::read(text, *plain, key.tag.as_deref()) {
            Ok(Value::String(text)) => Ok((self.text_of)(&text)),
            Ok(value) if is_written_as(&value, text) && !value.is_null() && !value.is_f64() => Ok(text.clone()),
            _ => Err(quoted()),
        }
    }
}

/// Whether JSON writes a scalar with these very characters.
fn is_written_as(value: &Value, text: &str) -> bool {
    let written = value.to_string();
    written == text
}
