use bson::{Bson, Document};

use super::{compare, lookup, number};
use crate::{
    error::{CommandError, CommandResult},
    storage::type_order,
};

/// A query, checked.
#[derive(Debug, Clone)]
pub struct Filter(Vec<Clause>);

#[derive(Debug, Clone)]
enum Clause {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Nor(Vec<Filter>),
    Field(String, Vec<Test>),
    Never,
}

#[derive(Debug, Clone)]
enum Test {
    Equal(Bson),
    NotEqual(Bson),
    Order(fn(std::cmp::Ordering) -> bool, Bson),
    In(Vec<Bson>),
    NotIn(Vec<Bson>),
    Exists(bool),
    Not(Vec<Test>),
}

impl Filter {
    /// Reads a query; operators that are not implemented are refused (2).
    pub fn parse(query: &Document) -> CommandResult<Self> {
        let mut clauses = Vec::new();
        for (key, value) in query {
            clauses.push(match key.as_str() {
                "$and" => Clause::And(parse_list(key, value)?),
                "$or" => Clause::Or(parse_list(key, value)?),
                "$nor" => Clause::Nor(parse_list(key, value)?),
                "$alwaysFalse" => Clause::Never,
                "$comment" => continue,
                _ if key.starts_with('$') => {
                    return Err(CommandError::bad_value(format!("unknown top level operator: {key}")));
                }
                _ => Clause::Field(key.clone(), parse_tests(value)?),
            });
        }
        Ok(Self(clauses))
    }

    /// Whether a document fits.
    pub fn matches(&self, document: &Document) -> bool {
        self.0.iter().all(|clause| match clause {
            Clause::And(all) => all.iter().all(|f| f.matches(document)),
            Clause::Or(any) => any.iter().any(|f| f.matches(document)),
            Clause::Nor(none) => !none.iter().any(|f| f.matches(document)),
            Clause::Field(path, tests) => {
                let found = lookup(document, path);
                tests.iter().all(|test| test.holds(&found))
            }
            Clause::Never => false,
        })
    }

    /// The `_id` that a document must have, if the query says so.
    pub fn id(&self) -> Option<&Bson> {
        self.0.iter().find_map(|clause| match clause {
            Clause::Field(path, tests) if path == "_id" => tests.iter().find_map(|test| match test {
                Test::Equal(value) => Some(value),
                _ => None,
            }),
            _ => None,
        })
    }

    /// The fields that a query fixes: what an upsert starts from.
    pub fn equalities(&self) -> Vec<(&str, &Bson)> {
        let mut fixed = Vec::new();
        for clause in &self.0 {
            match clause {
                Clause::And(all) => fixed.extend(all.iter().flat_map(Self::equalities)),
                Clause::Field(path, tests) => fixed.extend(tests.iter().filter_map(|test| match test {
                    Test::Equal(value) => Some((path.as_str(), value)),
                    _ => None,
                })),
                _ => {}
            }
        }
        fixed
    }
}

fn parse_list(key: &str, value: &Bson) -> CommandResult<Vec<Filter>> {
    let wrong = || CommandError::bad_value(format!("{key} must be a nonempty array of documents"));
    let list = value.as_array().filter(|list| !list.is_empty()).ok_or_else(wrong)?;
    list.iter().map(|item| Filter::parse(item.as_document().ok_or_else(wrong)?)).collect()
}

fn parse_tests(value: &Bson) -> CommandResult<Vec<Test>> {
    match value {
        Bson::Document(d) if d.keys().next().is_some_and(|k| k.starts_with('$')) => {
            d.iter().map(|(operator, operand)| parse_test(operator, operand)).collect()
        }
        Bson::RegularExpression(_) => Err(CommandError::bad_value("regular expressions are not supported")),
        other => Ok(vec![Test::Equal(other.clone())]),
    }
}

fn parse_test(operator: &str, operand: &Bson) -> CommandResult<Test> {
    let list = || {
        operand.as_array().cloned().ok_or_else(|| CommandError::bad_value(format!("{operator} needs an array")))
    };
    Ok(match operator {
        "$eq" => Test::Equal(operand.clone()),
        "$ne" => Test::NotEqual(operand.clone()),
        "$gt" => Test::Order(std::cmp::Ordering::is_gt, operand.clone()),
        "$gte" => Test::Order(std::cmp::Ordering::is_ge, operand.clone()),
        "$lt" => Test::Order(std::cmp::Ordering::is_lt, operand.clone()),
        "$lte" => Test::Order(std::cmp::Ordering::is_le, operand.clone()),
        "$in" => Test::In(list()?),
        "$nin" => Test::NotIn(list()?),
        "$exists" => Test::Exists(number::as_bool(operand).unwrap_or(true)),
        "$not" => Test::Not(parse_tests(operand)?),
        other => return Err(CommandError::bad_value(format!("unknown operator: {other}"))),
    })
}

impl Test {
    fn holds(&self, found: &[&Bson]) -> bool {
        match self {
            Self::Equal(value) => equals(found, value),
            Self::NotEqual(value) => !equals(found, value),
            Self::Order(accepts, value) => {
                any_value(found, |v| type_order(v) == type_order(value) && accepts(compare(v, value)))
            }
            Self::In(values) => values.iter().any(|value| equals(found, value)),
            Self::NotIn(values) => !values.iter().any(|value| equals(found, value)),
            Self::Exists(wanted) => found.is_empty() != *wanted,
            Self::Not(tests) => !tests.iter().all(|test| test.holds(found)),
        }
    }
}

fn equals(found: &[&Bson], value: &Bson) -> bool {
    (found.is_empty() && *value == Bson::Null) || any_value(found, |v| compare(v, value).is_eq())
}

/// Whether a value, or an element of an array among the values, passes.
fn any_value(found: &[&Bson], passes: impl Fn(&Bson) -> bool) -> bool {
    found.iter().any(|value| match value {
        Bson::Array(items) => passes(value) || items.iter().any(&passes),
        other => passes(other),
    })
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn matches(query: &Document, document: &Document) -> bool {
        Filter::parse(query).unwrap().matches(document)
    }

    #[test]
    fn operators() {
        assert!(matches(&doc! { "a": 1 }, &doc! { "a": 1.0 }));
        assert!(matches(&doc! { "a.b": { "$gt": 1, "$lte": 3 } }, &doc! { "a": { "b": 3 } }));
        assert!(!matches(&doc! { "a": { "$gt": 1 } }, &doc! { "a": "2" }));
        assert!(matches(&doc! { "a": { "$in": [1, 2] } }, &doc! { "a": [5, 2] }));
        assert!(matches(&doc! { "a": Bson::Null }, &doc! {}));
        assert!(matches(&doc! { "a": { "$exists": false } }, &doc! {}));
        assert!(matches(&doc! { "$or": [{ "a": 1 }, { "b": 2 }] }, &doc! { "b": 2 }));
        assert!(!matches(&doc! { "a": { "$ne": 1 } }, &doc! { "a": [1, 2] }));
    }

    #[test]
    fn unknown_operators_are_refused() {
        assert_eq!(Filter::parse(&doc! { "a": { "$near": 1 } }).unwrap_err().code, 2);
        assert_eq!(Filter::parse(&doc! { "$where": "1" }).unwrap_err().code, 2);
    }
}
