use bson::{Bson, Document};

use super::number;
use crate::error::{CommandError, CommandResult};

/// Which fields are shown: some, or all but some.
#[derive(Debug, Clone)]
pub struct Projection {
    include: bool,
    fields: Vec<String>,
    id: bool,
}

impl Projection {
    /// Reads a projection; an empty one shows everything.
    pub fn parse(projection: &Document) -> CommandResult<Option<Self>> {
        let mut id = None;
        let mut fields = Vec::new();
        let mut include = None;
        for (field, value) in projection {
            let shown = number::as_bool(value).ok_or_else(|| {
                CommandError::bad_value(format!("projection of {field}: only 0 and 1 are supported"))
            })?;
            if field == "_id" {
                id = Some(shown);
                continue;
            }
            if include.is_some_and(|i| i != shown) {
                return Err(CommandError::new(31254, "Cannot mix inclusion and exclusion in a projection"));
            }
            include = Some(shown);
            fields.push(field.clone());
        }
        if id.is_none() && include.is_none() {
            return Ok(None);
        }
        let include = include.unwrap_or(id == Some(true));
        Ok(Some(Self { include, fields, id: id.unwrap_or(true) }))
    }

    /// The shown part of a document.
    pub fn apply(&self, document: &Document) -> Document {
        let listed = |key: &str| {
            self.fields
                .iter()
                .find(|f| f.split('.').next() == Some(key))
                .map(|f| f.split_once('.').map(|(_, rest)| rest))
        };
        let mut shown = Document::new();
        for (key, value) in document {
            if key == "_id" {
                if self.id {
                    shown.insert(key, value.clone());
                }
                continue;
            }
            match listed(key) {
                None if !self.include => {
                    shown.insert(key, value.clone());
                }
                Some(None) if self.include => {
                    shown.insert(key, value.clone());
                }
                Some(Some(rest)) => {
                    if let Bson::Document(sub) = value {
                        let nested =
                            Self { include: self.include, fields: vec![rest.to_owned()], id: !self.include };
                        shown.insert(key, nested.apply(sub));
                    }
                }
                _ => {}
            }
        }
        shown
    }
}
