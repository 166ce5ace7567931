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
    /// `$mul`
    Mul,
    /// `$rename`
    Rename,
    /// `$push`
    Push,
    /// `$addToSet`
    AddToSet,
    /// `$pull`, of one value
    Pull,
    /// `$pop`
    Pop,
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
                "$mul" => Operator::Mul,
                "$rename" => Operator::Rename,
                "$pull" => Operator::Pull,
                "$pop" => Operator::Pop,
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
                if path.is_empty() || path.split('.').any(|part| part.is_empty() || part.starts_with('$')) {
                    return Err(CommandError::bad_value(format!(
                        "'{path}' is no path that is supported: positional operators are not"
                    )));
                }
                let modifiers: Vec<&String> = operand
                    .as_document()
                    .map(|d| d.keys().filter(|k| k.starts_with('$')).collect())
                    .unwrap_or_default();
                match operator {
                    Operator::Push | Operator::AddToSet
                        if modifiers.iter().any(|modifier| *modifier != "$each") =>
                    {
                        return Err(wrong(format!("of the modifiers of {name} only $each is supported")));
                    }
                    Operator::Pull if operand.as_document().is_some() => {
                        return Err(wrong("$pull takes one value here; conditions are not supported".into()));
                    }
                    Operator::Rename if operand.as_str().is_none_or(|to| to.is_empty() || to.contains('$')) => {
                        return Err(CommandError::bad_value("The 'to' field for $rename must be a string"));
                    }
                    _ => {}
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
    /// Whether a field that is not there comes to be.
    fn makes_fields(self) -> bool {
        !matches!(self, Self::Unset | Self::Rename | Self::Pull | Self::Pop)
    }

    fn apply(self, document: &mut Document, path: &str, operand: &Bson, inserting: bool) -> CommandResult<()> {
        if self == Self::SetOnInsert && !inserting {
            return Ok(());
        }
        let parent = parent_mut(document, path, self.makes_fields())
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
            Self::Inc | Self::Mul => {
                let current = parent.get(key).cloned().unwrap_or(Bson::Int32(0));
                let (name, result) = match self {
                    Self::Inc => ("$inc", number::add(&current, operand)),
                    _ => ("$mul", number::multiply(&current, operand)),
                };
                let result = result.ok_or_else(|| {
                    CommandError::new(
                        code::TYPE_MISMATCH,
                        format!("Cannot apply {name} to a value of non-numeric type at {path}"),
                    )
                })?;
                parent.insert(key, result);
            }
            Self::Rename => {
                let Some(value) = parent.remove(key) else { return Ok(()) };
                let to = operand.as_str().unwrap_or_default();
                let parent =
                    parent_mut(document, to, true).map_err(|e| CommandError::new(code::PATH_NOT_VIABLE, e))?;
                if let Some((parent, key)) = parent {
                    parent.insert(key, value);
                }
            }
            Self::Pull | Self::Pop => {
                let Some(value) = parent.get_mut(key) else { return Ok(()) };
                let Bson::Array(items) = value else {
                    return Err(CommandError::bad_value(format!("The field '{path}' must be an array")));
                };
                match (self, number::as_i64(operand)) {
                    (Self::Pull, _) => items.retain(|item| compare(item, operand).is_ne()),
                    (_, Some(-1)) if !items.is_empty() => drop(items.remove(0)),
                    (_, Some(1)) => drop(items.pop()),
                    (_, Some(-1)) => {}
                    _ => return Err(CommandError::new(code::FAILED_TO_PARSE, "$pop expects 1 or -1")),
                }
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
                let each = operand.as_document().and_then(|d| d.get_array("$each").ok());
                for value in each.map_or(std::slice::from_ref(operand), Vec::as_slice) {
                    if self == Self::Push || !items.iter().any(|item| compare(item, value).is_eq()) {
                        items.push(value.clone());
                    }
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
    fn fields_and_arrays() {
        let before = doc! { "_id": 1, "n": 3, "old": "x", "l": [1, 2, 1] };
        let update = doc! { "$mul": { "n": 2 }, "$rename": { "old": "new.name" }, "$pull": { "l": 1 } };
        assert_eq!(apply(update, &before).unwrap(), doc! { "_id": 1, "n": 6, "l": [2], "new": { "name": "x" } });
        let update = doc! { "$push": { "l": { "$each": [3, 4] } }, "$unset": { "old": 1 }, "$inc": { "n": 1 } };
        assert_eq!(apply(update, &before).unwrap(), doc! { "_id": 1, "n": 4, "l": [1, 2, 1, 3, 4] });
        assert_eq!(apply(doc! { "$pop": { "l": -1 } }, &before).unwrap().get_array("l").unwrap().len(), 2);
        assert_eq!(apply(doc! { "$inc": { "old": 1 } }, &before).unwrap_err().code, 14);
        assert_eq!(apply(doc! { "$set": { "l": 5 } }, &before).unwrap().get_i32("l").unwrap(), 5);
        let refused = |update: Document| Update::parse(&Bson::Document(update)).unwrap_err().code;
        assert_eq!(refused(doc! { "$set": { "l.$": 1 } }), 2);
        assert_eq!(refused(doc! { "$push": { "l": { "$each": [1], "$slice": 2 } } }), 9);
        assert_eq!(refused(doc! { "$nosuch": { "a": 1 } }), 9);
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
