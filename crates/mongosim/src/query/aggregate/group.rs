use bson::{Bson, Document, doc};

use super::super::{compare, expression::Expression, number};
use crate::error::{CommandError, CommandResult, code};

/// `$group`, checked.
pub(super) struct Group {
    id: Expression,
    fields: Vec<(String, Accumulator, Expression)>,
}

#[derive(Clone, Copy)]
enum Accumulator {
    Sum,
    Average,
    Least,
    Greatest,
    First,
    Last,
    Push,
    AddToSet,
}

impl Group {
    pub(super) fn parse(group: &Document) -> CommandResult<Self> {
        let id = group
            .get("_id")
            .ok_or_else(|| CommandError::new(15955, "a group specification must include an _id"))?;
        let mut fields = Vec::new();
        for (field, value) in group.iter().filter(|(field, _)| *field != "_id") {
            let (name, operand) =
                value.as_document().filter(|d| d.len() == 1).and_then(|d| d.iter().next()).ok_or_else(|| {
                    CommandError::new(40234, format!("The field '{field}' must be an accumulator object"))
                })?;
            let accumulator = match name.as_str() {
                "$sum" | "$count" => Accumulator::Sum,
                "$avg" => Accumulator::Average,
                "$min" => Accumulator::Least,
                "$max" => Accumulator::Greatest,
                "$first" => Accumulator::First,
                "$last" => Accumulator::Last,
                "$push" => Accumulator::Push,
                "$addToSet" => Accumulator::AddToSet,
                other => {
                    return Err(CommandError::new(
                        code::LOCATION_UNKNOWN_ACCUMULATOR,
                        format!("unknown group operator '{other}'"),
                    ));
                }
            };
            let counts = name == "$count";
            let operand = if counts { Expression::Literal(Bson::Int32(1)) } else { Expression::parse(operand)? };
            fields.push((field.clone(), accumulator, operand));
        }
        Ok(Self { id: Expression::parse(id)?, fields })
    }

    pub(super) fn run(&self, documents: &[Document]) -> CommandResult<Vec<Document>> {
        let mut groups: Vec<(Bson, Vec<&Document>)> = Vec::new();
        for document in documents {
            let key = self.id.value(document)?;
            match groups.iter_mut().find(|(known, _)| compare(known, &key).is_eq()) {
                Some((_, members)) => members.push(document),
                None => groups.push((key, vec![document])),
            }
        }
        groups
            .into_iter()
            .map(|(key, members)| {
                let mut row = doc! { "_id": key };
                for (field, accumulator, operand) in &self.fields {
                    let values = members.iter().map(|d| operand.evaluate(d)).collect::<CommandResult<Vec<_>>>()?;
                    row.insert(field, accumulator.of(values));
                }
                Ok(row)
            })
            .collect()
    }
}

impl Accumulator {
    /// What the values of a group's documents come to; `None` stands for a missing field.
    fn of(self, values: Vec<Option<Bson>>) -> Bson {
        let sum = |values: &[Bson]| {
            values.iter().fold(Bson::Int32(0), |sum, value| number::add(&sum, value).unwrap_or(sum))
        };
        match self {
            Self::First => values.into_iter().next().flatten().unwrap_or(Bson::Null),
            Self::Last => values.into_iter().next_back().flatten().unwrap_or(Bson::Null),
            _ => {
                let values: Vec<Bson> = values.into_iter().flatten().collect();
                let present = || values.iter().filter(|value| !matches!(value, Bson::Null)).cloned();
                match self {
                    Self::Sum => sum(&values),
                    Self::Average => {
                        let numbers: Vec<f64> = values.iter().filter_map(number::as_f64).collect();
                        if numbers.is_empty() {
                            return Bson::Null;
                        }
                        Bson::Double(numbers.iter().sum::<f64>() / numbers.len() as f64)
                    }
                    Self::Least => present().min_by(compare).unwrap_or(Bson::Null),
                    Self::Greatest => present().max_by(compare).unwrap_or(Bson::Null),
                    Self::AddToSet => {
                        let mut set: Vec<Bson> = Vec::new();
                        for value in values {
                            if !set.iter().any(|known| compare(known, &value).is_eq()) {
                                set.push(value);
                            }
                        }
                        Bson::Array(set)
                    }
                    _ => Bson::Array(values),
                }
            }
        }
    }
}
