//! The pipeline stages that drivers and operators use for counting.

use bson::{Bson, Document, doc};

use super::{Filter, Projection, Sort, compare, lookup, number};
use crate::error::{CommandError, CommandResult, code};

enum Stage {
    Match(Filter),
    Count(String),
    Group { id: Bson, sums: Vec<(String, Bson)> },
    Sort(Sort),
    Limit(usize),
    Skip(usize),
    Project(Option<Projection>),
}

/// A checked pipeline.
pub struct Pipeline(Vec<Stage>);

impl Pipeline {
    /// Reads a pipeline; stages that are not implemented are refused (40324).
    pub fn parse(stages: &[Bson]) -> CommandResult<Self> {
        stages.iter().map(parse_stage).collect::<CommandResult<_>>().map(Self)
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
                Stage::Group { id, sums } => documents = group(id, sums, &documents),
                Stage::Sort(sort) => sort.sort(&mut documents),
                Stage::Limit(n) => documents.truncate(*n),
                Stage::Skip(n) => {
                    documents.drain(..(*n).min(documents.len()));
                }
                Stage::Project(Some(projection)) => {
                    documents = documents.iter().map(|d| projection.apply(d)).collect();
                }
                Stage::Project(None) => {}
            }
        }
        Ok(documents)
    }
}

fn parse_stage(stage: &Bson) -> CommandResult<Stage> {
    let wrong = |message: &str| CommandError::new(code::FAILED_TO_PARSE, message);
    let (name, value) = stage
        .as_document()
        .filter(|d| d.len() == 1)
        .and_then(|d| d.iter().next())
        .ok_or_else(|| wrong("A pipeline stage specification object must contain exactly one field."))?;
    let document = || value.as_document().ok_or_else(|| wrong(&format!("{name} needs a document")));
    let size = || {
        number::as_i64(value)
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| wrong(&format!("{name} needs a number that is not negative")))
    };
    Ok(match name.as_str() {
        "$match" => Stage::Match(Filter::parse(document()?)?),
        "$count" => Stage::Count(value.as_str().ok_or_else(|| wrong("$count needs a field name"))?.to_owned()),
        "$group" => parse_group(document()?)?,
        "$sort" => Stage::Sort(Sort::parse(document()?)?),
        "$limit" => Stage::Limit(size()?),
        "$skip" => Stage::Skip(size()?),
        "$project" => Stage::Project(Projection::parse(document()?)?),
        other => {
            return Err(CommandError::new(
                code::LOCATION_UNKNOWN_STAGE,
                format!("Unrecognized pipeline stage name: '{other}'"),
            ));
        }
    })
}

fn parse_group(group: &Document) -> CommandResult<Stage> {
    let mut sums = Vec::new();
    for (field, value) in group.iter().filter(|(field, _)| *field != "_id") {
        let sum = value.as_document().and_then(|d| d.get("$sum")).ok_or_else(|| {
            CommandError::new(15952, format!("the only group operator supported is $sum, in field {field}"))
        })?;
        sums.push((field.clone(), sum.clone()));
    }
    Ok(Stage::Group { id: group.get("_id").cloned().unwrap_or(Bson::Null), sums })
}

fn group(id: &Bson, sums: &[(String, Bson)], documents: &[Document]) -> Vec<Document> {
    let mut groups: Vec<Document> = Vec::new();
    for document in documents {
        let key = evaluate(id, document);
        let position = groups.iter().position(|g| g.get("_id").is_some_and(|k| compare(k, &key).is_eq()));
        let index = position.unwrap_or_else(|| {
            let mut fresh = doc! { "_id": key };
            fresh.extend(sums.iter().map(|(field, _)| (field.clone(), Bson::Int32(0))));
            groups.push(fresh);
            groups.len() - 1
        });
        for (field, operand) in sums {
            let current = groups[index].get(field).cloned().unwrap_or(Bson::Int32(0));
            if let Some(sum) = number::add(&current, &evaluate(operand, document)) {
                groups[index].insert(field, sum);
            }
        }
    }
    groups
}

fn evaluate(expression: &Bson, document: &Document) -> Bson {
    match expression.as_str().and_then(|text| text.strip_prefix('$')) {
        Some(path) => lookup(document, path).first().map_or(Bson::Null, |v| (*v).clone()),
        None => expression.clone(),
    }
}
