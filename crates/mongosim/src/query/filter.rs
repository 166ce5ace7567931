use bson::{Bson, Document};
use regex::{Regex, RegexBuilder};

use super::{compare, expression::Expression, lookup, number};
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
    Expression(Expression),
    Never,
}

#[derive(Debug, Clone)]
enum Test {
    Equal(Bson),
    NotEqual(Bson),
    Order(fn(std::cmp::Ordering) -> bool, Bson),
    In(Vec<Wanted>),
    NotIn(Vec<Wanted>),
    Pattern(Regex),
    Exists(bool),
    Size(i64),
    All(Vec<Test>),
    Element(ElementTest),
    Type(Vec<i64>),
    Remainder(i64, i64),
    Not(Vec<Test>),
}

/// What one element of an array must be.
#[derive(Debug, Clone)]
enum ElementTest {
    Document(Filter),
    Value(Vec<Test>),
}

/// A value of `$in`.
#[derive(Debug, Clone)]
enum Wanted {
    Value(Bson),
    Pattern(Regex),
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
                "$expr" => Clause::Expression(Expression::parse(value)?),
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
            Clause::Expression(expression) => expression.holds(document).unwrap_or(false),
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
        Bson::Document(d) if d.keys().next().is_some_and(|k| k.starts_with('$')) => d
            .iter()
            .filter(|(operator, _)| *operator != "$options")
            .map(|(operator, operand)| parse_test(operator, operand, d))
            .collect(),
        Bson::RegularExpression(regex) => {
            Ok(vec![Test::Pattern(pattern(regex.pattern.as_str(), regex.options.as_str())?)])
        }
        other => Ok(vec![Test::Equal(other.clone())]),
    }
}

fn parse_test(operator: &str, operand: &Bson, all: &Document) -> CommandResult<Test> {
    let array = || operand.as_array().ok_or_else(|| CommandError::bad_value(format!("{operator} needs an array")));
    let wanted = || array()?.iter().map(parse_wanted).collect::<CommandResult<Vec<_>>>();
    let whole = |value: Option<&Bson>| {
        value
            .and_then(number::as_i64)
            .ok_or_else(|| CommandError::bad_value(format!("{operator} needs a whole number")))
    };
    Ok(match operator {
        "$eq" => Test::Equal(operand.clone()),
        "$ne" => Test::NotEqual(operand.clone()),
        "$gt" => Test::Order(std::cmp::Ordering::is_gt, operand.clone()),
        "$gte" => Test::Order(std::cmp::Ordering::is_ge, operand.clone()),
        "$lt" => Test::Order(std::cmp::Ordering::is_lt, operand.clone()),
        "$lte" => Test::Order(std::cmp::Ordering::is_le, operand.clone()),
        "$in" => Test::In(wanted()?),
        "$nin" => Test::NotIn(wanted()?),
        "$regex" => {
            let (text, options) = match operand {
                Bson::RegularExpression(regex) => (regex.pattern.as_str(), regex.options.as_str()),
                Bson::String(text) => (text.as_str(), ""),
                _ => return Err(CommandError::bad_value("$regex has to be a string")),
            };
            Test::Pattern(pattern(text, all.get_str("$options").unwrap_or(options))?)
        }
        "$exists" => Test::Exists(number::as_bool(operand).unwrap_or(true)),
        "$size" => Test::Size(whole(Some(operand))?),
        "$all" => Test::All(array()?.iter().map(|value| Test::Equal(value.clone())).collect()),
        "$elemMatch" => match operand {
            Bson::Document(d) if d.keys().next().is_some_and(|k| k.starts_with('$') && !is_logical(k)) => {
                Test::Element(ElementTest::Value(parse_tests(operand)?))
            }
            Bson::Document(d) => Test::Element(ElementTest::Document(Filter::parse(d)?)),
            _ => return Err(CommandError::bad_value("$elemMatch needs an Object")),
        },
        "$type" => match operand {
            Bson::Array(types) => Test::Type(types.iter().map(type_number).collect::<CommandResult<_>>()?),
            single => Test::Type(vec![type_number(single)?]),
        },
        "$mod" => {
            let operands = array()?;
            match (whole(operands.first())?, whole(operands.get(1))?) {
                (0, _) => return Err(CommandError::bad_value("divisor cannot be 0")),
                (divisor, remainder) => Test::Remainder(divisor, remainder),
            }
        }
        "$not" => Test::Not(parse_tests(operand)?),
        other => return Err(CommandError::bad_value(format!("unknown operator: {other}"))),
    })
}

fn is_logical(operator: &str) -> bool {
    matches!(operator, "$and" | "$or" | "$nor" | "$expr")
}

fn parse_wanted(value: &Bson) -> CommandResult<Wanted> {
    Ok(match value {
        Bson::RegularExpression(regex) => {
            Wanted::Pattern(pattern(regex.pattern.as_str(), regex.options.as_str())?)
        }
        other => Wanted::Value(other.clone()),
    })
}

/// A pattern; what the server's own dialect has beyond regular languages is refused.
fn pattern(text: &str, options: &str) -> CommandResult<Regex> {
    if let Some(unknown) = options.chars().find(|option| !"imsxu".contains(*option)) {
        return Err(CommandError::new(51108, format!("invalid flag in regex options: {unknown}")));
    }
    RegexBuilder::new(text)
        .case_insensitive(options.contains('i'))
        .multi_line(options.contains('m'))
        .dot_matches_new_line(options.contains('s'))
        .ignore_whitespace(options.contains('x'))
        .build()
        .map_err(|e| CommandError::new(51091, format!("Regular expression is invalid: {e}")))
}

/// The number of a type that `$type` names; -1 for any number.
fn type_number(value: &Bson) -> CommandResult<i64> {
    let unknown = || CommandError::bad_value(format!("Unknown type name alias: {value}"));
    match value {
        Bson::String(name) => Ok(match name.as_str() {
            "number" => -1,
            "double" => 1,
            "string" => 2,
            "object" => 3,
            "array" => 4,
            "binData" => 5,
            "objectId" => 7,
            "bool" => 8,
            "date" => 9,
            "null" => 10,
            "int" => 16,
            "timestamp" => 17,
            "long" => 18,
            _ => return Err(unknown()),
        }),
        other => number::as_i64(other).ok_or_else(unknown),
    }
}

impl Test {
    fn holds(&self, found: &[&Bson]) -> bool {
        match self {
            Self::Equal(value) => equals(found, value),
            Self::NotEqual(value) => !equals(found, value),
            Self::Order(accepts, value) => {
                any_value(found, |v| type_order(v) == type_order(value) && accepts(compare(v, value)))
            }
            Self::In(values) => values.iter().any(|value| value.fits(found)),
            Self::NotIn(values) => !values.iter().any(|value| value.fits(found)),
            Self::Pattern(regex) => any_value(found, |v| v.as_str().is_some_and(|text| regex.is_match(text))),
            Self::Exists(wanted) => found.is_empty() != *wanted,
            Self::Size(size) => {
                found.iter().any(|v| v.as_array().is_some_and(|items| items.len() as i64 == *size))
            }
            Self::All(tests) => !tests.is_empty() && tests.iter().all(|test| test.holds(found)),
            Self::Element(test) => found.iter().filter_map(|v| v.as_array()).flatten().any(|item| test.fits(item)),
            Self::Type(types) => any_value(found, |v| {
                types.iter().any(|wanted| match wanted {
                    -1 => number::as_f64(v).is_some(),
                    number => i64::from(v.element_type() as u8) == *number,
                })
            }),
            Self::Remainder(divisor, remainder) => {
                any_value(found, |v| number::as_i64(v).is_some_and(|n| n.wrapping_rem(*divisor) == *remainder))
            }
            Self::Not(tests) => !tests.iter().all(|test| test.holds(found)),
        }
    }
}

impl ElementTest {
    fn fits(&self, item: &Bson) -> bool {
        match self {
            Self::Document(filter) => item.as_document().is_some_and(|document| filter.matches(document)),
            Self::Value(tests) => tests.iter().all(|test| test.holds(&[item])),
        }
    }
}

impl Wanted {
    fn fits(&self, found: &[&Bson]) -> bool {
        match self {
            Self::Value(value) => equals(found, value),
            Self::Pattern(regex) => any_value(found, |v| v.as_str().is_some_and(|text| regex.is_match(text))),
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
    fn patterns_and_arrays() {
        let document = doc! { "name": "Green tea", "tags": ["hot", "green"], "parts": [{ "n": 1, "ok": false }, { "n": 4, "ok": true }] };
        assert!(matches(&doc! { "name": { "$regex": "^green", "$options": "i" } }, &document));
        assert!(!matches(&doc! { "name": { "$regex": "^green" } }, &document));
        assert!(matches(&doc! { "tags": { "$all": ["green", "hot"], "$size": 2 } }, &document));
        assert!(matches(&doc! { "parts": { "$elemMatch": { "n": { "$gt": 3 }, "ok": true } } }, &document));
        assert!(!matches(&doc! { "parts": { "$elemMatch": { "n": 1, "ok": true } } }, &document));
        assert!(matches(&doc! { "name": { "$type": "string" }, "parts.n": { "$mod": [4, 0] } }, &document));
        assert!(matches(&doc! { "$expr": { "$eq": [{ "$size": "$tags" }, 2] } }, &document));
        assert_eq!(Filter::parse(&doc! { "a": { "$regex": "(" } }).unwrap_err().code, 51091);
    }

    #[test]
    fn unknown_operators_are_refused() {
        assert_eq!(Filter::parse(&doc! { "a": { "$near": 1 } }).unwrap_err().code, 2);
        assert_eq!(Filter::parse(&doc! { "$where": "1" }).unwrap_err().code, 2);
    }
}
