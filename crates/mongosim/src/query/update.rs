use bson::{Bson, Document};

use super::{Filter, compare, number, path::parent_mut};
use crate::error::{CommandError, CommandResult, code};

/// An update, checked.
#[derive(Debug, Clone)]
pub enum Update {
    /// The whole document but its `_id`.
    Replace(Document),
    /// Operators, by name, path and operand.
    Modify(Vec<(Operator, String, Bson)>),
}

/// An update operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `$set`
    Set,
    /// `$setOnInsert`
    SetOnInsert,
    /// `$unset`
    Unset,
    /// `$inc`
    Inc,
    /// `$min`
    Min,
    /// `$max`
    Max,
    /// `$push`
    Push,
    /// `$addToSet`
    AddToSet,
    /// `$currentDate`, to a date
    CurrentDate,
}

impl Update {
    /// Reads an update; pipelines and operators that are not implemented are refused (9).
    pub fn parse(update: &Bson) -> CommandResult<Self> {
        let wrong = |message: String| CommandError::new(code::FAILED_TO_PARSE, message);
        let Bson::Document(update) = update else {
            return Err(wrong("update pipelines are not supported".into()));
        };
        if !update.keys().next().is_some_and(|k| k.starts_with('$')) {
            return Ok(Self::Replace(update.clone()));
        }
        let mut changes = Vec::new();
        for (name, operands) in update {
            let operator = match name.as_str() {
                "$set" => Operator::Set,
                "$setOnInsert" => Operator::SetOnInsert,
                "$unset" => Operator::Unset,
                "$inc" => Operator::Inc,
                "$min" => Operator::Min,
                "$max" => Operator::Max,
                "$push" => Operator::Push,
                "$addToSet" => Operator::AddToSet,
                "$currentDate" => Operator::CurrentDate,
                other => return Err(wrong(format!("Unknown modifier: {other}"))),
            };
            let operands = operands.as_document().ok_or_else(|| {
                wrong(format!("Modifiers operate on fields but we found another type for {name}"))
            })?;
            for (path, operand) in operands {
                let modifiers = operand.as_document().is_some_and(|d| d.keys().any(|k| k.starts_with('$')));
                if modifiers && matches!(operator, Operator::Push | Operator::AddToSet) {
                    return Err(wrong(format!("{name} takes one value here; its modifiers are not supported")));
                }
                changes.push((operator, path.clone(), operand.clone()));
            }
        }
        Ok(Self::Modify(changes))
    }

    /// Whether the whole document is replaced.
    pub fn is_replacement(&self) -> bool {
        matches!(self, Self::Replace(_))
    }

    /// The document after the update.
    pub fn apply(&self, document: &Document, inserting: bool) -> CommandResult {
        let mut changed = match self {
            Self::Replace(replacement) => {
                let mut changed = Document::new();
                if let Some(id) = document.get("_id").or_else(|| replacement.get("_id")) {
                    changed.insert("_id", id.clone());
                }
                changed.extend(replacement.clone());
                changed
            }
            Self::Modify(changes) => {
                let mut changed = document.clone();
                for (operator, path, operand) in changes {
                    operator.apply(&mut changed, path, operand, inserting)?;
                }
                changed
            }
        };
        if let (Some(before), Some(after)) = (document.get("_id"), changed.get("_id"))
            && compare(before, after).is_ne()
        {
            return Err(CommandError::new(
                code::IMMUTABLE_FIELD,
                "Performing an update on the path '_id' would modify the immutable field '_id'",
            ));
        }
        if let (Some(before), None) = (document.get("_id"), changed.get("_id")) {
            changed.insert("_id", before.clone());
        }
        Ok(changed)
    }

    /// The document that an upsert inserts, without an `_id` if neither side gives one.
    pub fn upsert(&self, filter: &Filter) -> CommandResult {
        let mut start = Document::new();
        for (path, value) in filter.equalities() {
            if self.is_replacement() && path != "_id" {
                continue;
            }
            let parent =
                parent_mut(&mut start, path, true).map_err(|e| CommandError::new(code::PATH_NOT_VIABLE, e))?;
            if let Some((parent, key)) = parent {
                parent.insert(key, value.clone());
            }
        }
        self.apply(&start, true)
    }
}

impl Operator {
    fn apply(self, document: &mut Document, path: &str, operand: &Bson, inserting: bool) -> CommandResult<()> {
        if self == Self::SetOnInsert && !inserting {
            return Ok(());
        }
        let parent = parent_mut(document, path, self != Self::Unset)
            .map_err(|e| CommandError::new(code::PATH_NOT_VIABLE, e))?;
        let Some((parent, key)) = parent else { return Ok(()) };
        match self {
            Self::Set | Self::SetOnInsert => {
                parent.insert(key, operand.clone());
            }
            Self::Unset => {
                parent.remove(key);
            }
            Self::CurrentDate => {
                parent.insert(key, bson::DateTime::now());
            }
            Self::Inc => {
                let current = parent.get(key).cloned().unwrap_or(Bson::Int32(0));
                let sum = number::add(&current, operand).ok_or_else(|| {
                    CommandError::new(
                        code::TYPE_MISMATCH,
                        format!("Cannot apply $inc to a value of non-numeric type at {path}"),
                    )
                })?;
                parent.insert(key, sum);
            }
            Self::Min | Self::Max => {
                let wanted =
                    if self == Self::Min { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
                if parent.get(key).is_none_or(|current| compare(operand, current) == wanted) {
                    parent.insert(key, operand.clone());
                }
            }
            Self::Push | Self::AddToSet => {
                let entry = parent.entry(key.to_owned()).or_insert(Bson::Array(Vec::new()));
                let Bson::Array(items) = entry else {
                    return Err(CommandError::bad_value(format!("The field '{path}' must be an array")));
                };
                if self == Self::Push || !items.iter().any(|item| compare(item, operand).is_eq()) {
                    items.push(operand.clone());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn apply(update: Document, document: &Document) -> CommandResult {
        Update::parse(&Bson::Document(update)).unwrap().apply(document, false)
    }

    #[test]
    fn operators() {
        let update = doc! { "$set": { "a.b": 1 }, "$inc": { "n": 2 }, "$unset": { "x": "" }, "$push": { "l": 3 } };
        let changed = apply(update, &doc! { "_id": 1, "n": 1, "x": 0 }).unwrap();
        assert_eq!(changed, doc! { "_id": 1, "n": 3, "a": { "b": 1 }, "l": [3] });
    }

    #[test]
    fn the_id_stays() {
        assert_eq!(apply(doc! { "a": 2 }, &doc! { "_id": 1, "b": 1 }).unwrap(), doc! { "_id": 1, "a": 2 });
        assert_eq!(apply(doc! { "$set": { "_id": 2 } }, &doc! { "_id": 1 }).unwrap_err().code, 66);
    }

    #[test]
    fn an_upsert_starts_from_the_query() {
        let filter = Filter::parse(&doc! { "_id": 7, "k": { "$eq": 1 } }).unwrap();
        let update = Update::parse(&Bson::Document(doc! { "$inc": { "n": 1 } })).unwrap();
        assert_eq!(update.upsert(&filter).unwrap(), doc! { "_id": 7, "k": 1, "n": 1 });
    }
}
