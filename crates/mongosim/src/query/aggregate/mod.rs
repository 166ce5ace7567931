//! Aggregation pipelines: the stages that shells, drivers and operators use.

mod group;
mod project;

use bson::{Bson, Document, doc};

use super::{Filter, Sort, expression::Expression, lookup, number, path::parent_mut};
use crate::error::{CommandError, CommandResult, code};
use group::Group;
use project::Project;

enum Stage {
    Match(Filter),
    Count(String),
    Group(Group),
    Sort(Sort),
    Limit(usize),
    Skip(usize),
    Project(Project),
    AddFields(Vec<(String, Expression)>),
    Unset(Vec<String>),
    Unwind { path: String, index: Option<String>, keep_empty: bool },
    ReplaceRoot(Expression),
}

/// A checked pipeline.
pub struct Pipeline(Vec<Stage>);

impl Pipeline {
    /// Reads a pipeline; stages that are not implemented are refused (40324).
    pub fn parse(stages: &[Bson]) -> CommandResult<Self> {
        let mut parsed = Vec::with_capacity(stages.len());
        for stage in stages {
            parse_stage(stage, &mut parsed)?;
        }
        Ok(Self(parsed))
    }

    /// Runs it.
    pub fn run(&self, mut documents: Vec<Document>) -> CommandResult<Vec<Document>> {
        for stage in &self.0 {
            match stage {
                Stage::Match(filter) => documents.retain(|d| filter.matches(d)),
                Stage::Count(name) => {
                    let count = documents.len() as i32;
                    documents = if count == 0 { Vec::new() } else { vec![doc! { name: count }] };
                }
                Stage::Group(group) => documents = group.run(&documents)?,
                Stage::Sort(sort) => sort.sort(&mut documents),
                Stage::Limit(n) => documents.truncate(*n),
                Stage::Skip(n) => {
                    documents.drain(..(*n).min(documents.len()));
                }
                Stage::Project(project) => {
                    documents = documents.iter().map(|d| project.apply(d)).collect::<CommandResult<_>>()?;
                }
                Stage::AddFields(fields) => {
                    for document in &mut documents {
                        add_fields(document, fields)?;
                    }
                }
                Stage::Unset(paths) => {
                    for document in &mut documents {
                        for path in paths {
                            remove(document, path);
                        }
                    }
                }
                Stage::Unwind { path, index, keep_empty } => {
                    documents =
                        documents.iter().flat_map(|d| unwind(d, path, index.as_deref(), *keep_empty)).collect();
                }
                Stage::ReplaceRoot(root) => {
                    documents = documents.iter().map(|d| replaced(root, d)).collect::<CommandResult<_>>()?;
                }
            }
        }
        Ok(documents)
    }
}

fn wrong(message: impl Into<String>) -> CommandError {
    CommandError::new(code::FAILED_TO_PARSE, message)
}

/// Reads one stage; some stand for two.
fn parse_stage(stage: &Bson, stages: &mut Vec<Stage>) -> CommandResult<()> {
    let (name, value) =
        stage.as_document().filter(|d| d.len() == 1).and_then(|d| d.iter().next()).ok_or_else(|| {
            CommandError::new(40323, "A pipeline stage specification object must contain exactly one field.")
        })?;
    let document = || value.as_document().ok_or_else(|| wrong(format!("the {name} stage needs a document")));
    let text = || value.as_str().filter(|text| !text.is_empty());
    let size = || {
        number::as_i64(value)
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| wrong(format!("{name} needs a number that is not negative")))
    };
    let stage = match name.as_str() {
        "$match" => Stage::Match(Filter::parse(document()?)?),
        "$count" => {
            let field =
                text().ok_or_else(|| CommandError::new(40156, "the count field must be a non-empty string"))?;
            Stage::Count(field.to_owned())
        }
        "$group" => Stage::Group(Group::parse(document()?)?),
        "$sort" => Stage::Sort(Sort::parse(document()?)?),
        "$limit" => match size()? {
            0 => return Err(CommandError::new(15958, "the limit must be positive")),
            limit => Stage::Limit(limit),
        },
        "$skip" => Stage::Skip(size()?),
        "$project" => Stage::Project(Project::parse(document()?)?),
        "$addFields" | "$set" => Stage::AddFields(
            document()?
                .iter()
                .map(|(path, value)| Ok((path.clone(), Expression::parse(value)?)))
                .collect::<CommandResult<_>>()?,
        ),
        "$unset" => Stage::Unset(match value {
            Bson::String(path) => vec![path.clone()],
            Bson::Array(paths) => paths.iter().filter_map(|path| path.as_str().map(str::to_owned)).collect(),
            _ => return Err(CommandError::new(31002, "$unset specification must be a string or an array")),
        }),
        "$unwind" => parse_unwind(value)?,
        "$replaceRoot" => {
            let root = document()?.get("newRoot");
            let root =
                root.ok_or_else(|| CommandError::new(40231, "no newRoot specified for the $replaceRoot stage"))?;
            Stage::ReplaceRoot(Expression::parse(root)?)
        }
        "$replaceWith" => Stage::ReplaceRoot(Expression::parse(value)?),
        "$sortByCount" => {
            stages.push(Stage::Group(Group::parse(&doc! { "_id": value.clone(), "count": { "$sum": 1 } })?));
            Stage::Sort(Sort::parse(&doc! { "count": -1 })?)
        }
        other => {
            return Err(CommandError::new(
                code::LOCATION_UNKNOWN_STAGE,
                format!("Unrecognized pipeline stage name: '{other}'"),
            ));
        }
    };
    stages.push(stage);
    Ok(())
}

fn parse_unwind(value: &Bson) -> CommandResult<Stage> {
    let empty = Document::new();
    let (path, options) = match value {
        Bson::String(path) => (path.as_str(), &empty),
        Bson::Document(d) => (d.get_str("path").unwrap_or_default(), d),
        _ => ("", &empty),
    };
    let path = path
        .strip_prefix('$')
        .filter(|path| !path.is_empty())
        .ok_or_else(|| CommandError::new(28818, "path option to $unwind stage should be prefixed with a '$'"))?;
    Ok(Stage::Unwind {
        path: path.to_owned(),
        index: options.get_str("includeArrayIndex").ok().map(str::to_owned),
        keep_empty: options.get_bool("preserveNullAndEmptyArrays").unwrap_or(false),
    })
}

fn put(document: &mut Document, path: &str, value: Bson) -> CommandResult<()> {
    let parent = parent_mut(document, path, true).map_err(|e| CommandError::new(code::PATH_NOT_VIABLE, e))?;
    if let Some((parent, key)) = parent {
        parent.insert(key, value);
    }
    Ok(())
}

fn remove(document: &mut Document, path: &str) {
    if let Ok(Some((parent, key))) = parent_mut(document, path, false) {
        parent.remove(key);
    }
}

/// Sets each field to its value for the document as it was.
fn add_fields(document: &mut Document, fields: &[(String, Expression)]) -> CommandResult<()> {
    let values = fields.iter().map(|(_, value)| value.evaluate(document)).collect::<CommandResult<Vec<_>>>()?;
    for ((path, _), value) in fields.iter().zip(values) {
        match value {
            Some(value) => put(document, path, value)?,
            None => remove(document, path),
        }
    }
    Ok(())
}

fn unwind(document: &Document, path: &str, index: Option<&str>, keep_empty: bool) -> Vec<Document> {
    let row = |item: Option<&Bson>, at: Bson| {
        let mut row = document.clone();
        if let Some(item) = item {
            put(&mut row, path, item.clone()).ok()?;
        } else {
            remove(&mut row, path);
        }
        if let Some(index) = index {
            put(&mut row, index, at).ok()?;
        }
        Some(row)
    };
    match lookup(document, path).first() {
        Some(Bson::Array(items)) if !items.is_empty() => {
            items.iter().enumerate().filter_map(|(i, item)| row(Some(item), Bson::Int64(i as i64))).collect()
        }
        None | Some(Bson::Array(_) | Bson::Null) => {
            if keep_empty {
                row(None, Bson::Null).into_iter().collect()
            } else {
                Vec::new()
            }
        }
        Some(single) => row(Some(single), Bson::Null).into_iter().collect(),
    }
}

fn replaced(root: &Expression, document: &Document) -> CommandResult {
    match root.evaluate(document)? {
        Some(Bson::Document(root)) => Ok(root),
        _ => Err(CommandError::new(40228, "'newRoot' expression must evaluate to an object")),
    }
}

#[cfg(test)]
mod tests {
    use bson::bson;

    use super::*;

    fn run(stages: &Bson, documents: Vec<Document>) -> CommandResult<Vec<Document>> {
        Pipeline::parse(stages.as_array().unwrap())?.run(documents)
    }

    fn shop() -> Vec<Document> {
        vec![
            doc! { "_id": 1, "kind": "tea", "price": 3, "tags": ["hot", "green"] },
            doc! { "_id": 2, "kind": "tea", "price": 5, "tags": [] },
            doc! { "_id": 3, "kind": "cake", "price": 4.5 },
        ]
    }

    #[test]
    fn groups_add_up() {
        let stages = bson!([
            { "$group": { "_id": "$kind", "n": { "$sum": 1 }, "mean": { "$avg": "$price" }, "most": { "$max": "$price" }, "ids": { "$push": "$_id" } } },
            { "$sort": { "_id": -1 } },
        ]);
        let rows = run(&stages, shop()).unwrap();
        assert_eq!(rows[0], doc! { "_id": "tea", "n": 2, "mean": 4.0, "most": 5, "ids": [1, 2] });
        assert_eq!(rows[1], doc! { "_id": "cake", "n": 1, "mean": 4.5, "most": 4.5, "ids": [3] });
    }

    #[test]
    fn documents_are_reshaped() {
        let stages = bson!([
            { "$unwind": "$tags" },
            { "$set": { "of.tag": "$tags", "twice": { "$multiply": ["$price", 2] } } },
            { "$unset": ["tags", "price"] },
            { "$project": { "_id": 0, "of": 1, "kind": { "$concat": ["a ", "$kind"] }, "twice": 1 } },
        ]);
        let rows = run(&stages, shop()).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1], doc! { "of": { "tag": "green" }, "twice": 6, "kind": "a tea" });
        let kept = run(&bson!([{ "$unwind": { "path": "$tags", "preserveNullAndEmptyArrays": true } }]), shop());
        assert_eq!(kept.unwrap().len(), 4);
        let counted = run(&bson!([{ "$sortByCount": "$kind" }]), shop()).unwrap();
        assert_eq!(counted[0], doc! { "_id": "tea", "count": 2 });
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let code = |stages: Bson| run(&stages, Vec::new()).unwrap_err().code;
        assert_eq!(code(bson!([{ "$nosuch": 1 }])), 40324);
        assert_eq!(code(bson!([{ "$group": { "_id": 1, "a": { "$nosuch": 1 } } }])), 15952);
        assert_eq!(code(bson!([{ "$project": { "a": { "$nosuch": 1 } } }])), 168);
        assert_eq!(code(bson!([{ "$match": {}, "$limit": 1 }])), 40323);
    }
}
