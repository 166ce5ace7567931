use std::cmp::Ordering;

use bson::{Bson, Document};

use super::{compare, lookup, number};
use crate::error::{CommandError, CommandResult};

/// An order of documents.
#[derive(Debug, Clone)]
pub struct Sort(Vec<(String, bool)>);

impl Sort {
    /// Reads `{field: 1, other: -1}`.
    pub fn parse(sort: &Document) -> CommandResult<Self> {
        sort.iter()
            .map(|(field, direction)| match number::as_i64(direction) {
                Some(1) => Ok((field.clone(), true)),
                Some(-1) => Ok((field.clone(), false)),
                _ => Err(CommandError::bad_value(format!("sort of {field} must be 1 or -1"))),
            })
            .collect::<CommandResult<_>>()
            .map(Self)
    }

    /// Whether the natural order is asked for, backwards.
    pub fn is_natural_backwards(&self) -> bool {
        matches!(self.0.as_slice(), [(field, false)] if field == "$natural")
    }

    /// Sorts.
    pub fn sort(&self, documents: &mut [Document]) {
        if self.0.is_empty() || self.0.iter().any(|(field, _)| field == "$natural") {
            return;
        }
        documents.sort_by(|a, b| {
            self.0
                .iter()
                .map(|(field, ascending)| {
                    let order = compare(first(a, field), first(b, field));
                    if *ascending { order } else { order.reverse() }
                })
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        });
    }
}

fn first<'d>(document: &'d Document, field: &str) -> &'d Bson {
    lookup(document, field).into_iter().next().unwrap_or(&Bson::Null)
}
