//! What aggregation computes: paths, literals and a few operators.

use std::cmp::Ordering;

use bson::{Bson, Document};

use super::{compare, number};
use crate::error::{CommandError, CommandResult, code};

/// An expression, checked.
#[derive(Debug, Clone)]
pub enum Expression {
    /// `$$ROOT`
    Root,
    /// `$path`
    Path(String),
    /// A value that stands for itself.
    Literal(Bson),
    /// A document of expressions.
    Object(Vec<(String, Expression)>),
    /// An array of expressions.
    List(Vec<Expression>),
    /// An operator and its operands.
    Call(Operator, Vec<Expression>),
}

/// An operator of expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `$add`
    Add,
    /// `$subtract`
    Subtract,
    /// `$multiply`
    Multiply,
    /// `$concat`
    Concat,
    /// `$cond`
    Cond,
    /// `$ifNull`
    IfNull,
    /// `$size`
    Size,
    /// `$and`
    And,
    /// `$or`
    Or,
    /// `$not`
    Not,
    /// `$eq`
    Equal,
    /// `$ne`
    NotEqual,
    /// `$gt`
    Greater,
    /// `$gte`
    GreaterOrEqual,
    /// `$lt`
    Less,
    /// `$lte`
    LessOrEqual,
}

impl Operator {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "$add" => Self::Add,
            "$subtract" => Self::Subtract,
            "$multiply" => Self::Multiply,
            "$concat" => Self::Concat,
            "$cond" => Self::Cond,
            "$ifNull" => Self::IfNull,
            "$size" => Self::Size,
            "$and" => Self::And,
            "$or" => Self::Or,
            "$not" => Self::Not,
            "$eq" => Self::Equal,
            "$ne" => Self::NotEqual,
            "$gt" => Self::Greater,
            "$gte" => Self::GreaterOrEqual,
            "$lt" => Self::Less,
            "$lte" => Self::LessOrEqual,
            _ => return None,
        })
    }

    /// The number of operands that it takes; `None` for any.
    fn arity(self) -> Option<usize> {
        match self {
            Self::Size | Self::Not => Some(1),
            Self::Cond => Some(3),
            Self::Add | Self::Multiply | Self::Concat | Self::And | Self::Or | Self::IfNull => None,
            _ => Some(2),
        }
    }
}

impl Expression {
    /// Reads an expression; operators that are not implemented are refused (168).
    pub fn parse(value: &Bson) -> CommandResult<Self> {
        Ok(match value {
            Bson::String(text) => match text.strip_prefix("$$") {
                Some("ROOT" | "CURRENT") => Self::Root,
                Some(path) if path.starts_with("ROOT.") => Self::Path(path["ROOT.".len()..].to_owned()),
                Some(variable) => {
                    return Err(CommandError::new(17276, format!("Use of undefined variable: {variable}")));
                }
                None => match text.strip_prefix('$') {
                    Some(path) => Self::Path(path.to_owned()),
                    None => Self::Literal(value.clone()),
                },
            },
            Bson::Array(items) => Self::List(items.iter().map(Self::parse).collect::<CommandResult<_>>()?),
            Bson::Document(d) => match d.iter().next() {
                Some((name, operand)) if name.starts_with('$') => call(name, operand)?,
                _ => Self::Object(
                    d.iter()
                        .map(|(key, value)| Ok((key.clone(), Self::parse(value)?)))
                        .collect::<CommandResult<_>>()?,
                ),
            },
            other => Self::Literal(other.clone()),
        })
    }

    /// Its value for a document; `None` when there is none, as for a field that is missing.
    pub fn evaluate(&self, document: &Document) -> CommandResult<Option<Bson>> {
        Ok(match self {
            Self::Root => Some(Bson::Document(document.clone())),
            Self::Path(path) => field(document, path),
            Self::Literal(value) => Some(value.clone()),
            Self::Object(fields) => {
                let mut object = Document::new();
                for (key, expression) in fields {
                    object.extend(expression.evaluate(document)?.map(|value| (key.clone(), value)));
                }
                Some(Bson::Document(object))
            }
            Self::List(items) => {
                let values = items.iter().map(|item| item.value(document)).collect::<CommandResult<_>>()?;
                Some(Bson::Array(values))
            }
            Self::Call(operator, operands) => Some(apply(*operator, operands, document)?),
        })
    }

    /// Its value; null where there is none.
    pub fn value(&self, document: &Document) -> CommandResult<Bson> {
        Ok(self.evaluate(document)?.unwrap_or(Bson::Null))
    }

    /// Whether its value counts as true: neither missing, null, 0 nor false.
    pub fn holds(&self, document: &Document) -> CommandResult<bool> {
        Ok(self.evaluate(document)?.is_some_and(|value| is_true(&value)))
    }
}

fn call(name: &str, operand: &Bson) -> CommandResult<Expression> {
    if name == "$literal" {
        return Ok(Expression::Literal(operand.clone()));
    }
    let operator = Operator::named(name).ok_or_else(|| {
        CommandError::new(code::INVALID_PIPELINE_OPERATOR, format!("Unrecognized expression '{name}'"))
    })?;
    let operands = match operand {
        Bson::Array(items) => items.iter().map(Expression::parse).collect::<CommandResult<Vec<_>>>()?,
        Bson::Document(d) if operator == Operator::Cond => ["if", "then", "else"]
            .iter()
            .map(|key| {
                let missing = || CommandError::new(17080, format!("Missing '{key}' parameter to $cond"));
                Expression::parse(d.get(*key).ok_or_else(missing)?)
            })
            .collect::<CommandResult<Vec<_>>>()?,
        other => vec![Expression::parse(other)?],
    };
    match operator.arity() {
        Some(arity) if operands.len() != arity => Err(CommandError::new(
            16020,
            format!("Expression {name} takes exactly {arity} arguments. {} were passed in.", operands.len()),
        )),
        _ => Ok(Expression::Call(operator, operands)),
    }
}

fn apply(operator: Operator, operands: &[Expression], document: &Document) -> CommandResult<Bson> {
    match operator {
        Operator::Cond => {
            return operands[if operands[0].holds(document)? { 1 } else { 2 }].value(document);
        }
        Operator::IfNull => {
            for operand in operands {
                let value = operand.value(document)?;
                if value != Bson::Null {
                    return Ok(value);
                }
            }
            return Ok(Bson::Null);
        }
        Operator::And | Operator::Or => {
            let stops_at = operator == Operator::Or;
            for operand in operands {
                if operand.holds(document)? == stops_at {
                    return Ok(Bson::Boolean(stops_at));
                }
            }
            return Ok(Bson::Boolean(!stops_at));
        }
        Operator::Not => return Ok(Bson::Boolean(!operands[0].holds(document)?)),
        _ => {}
    }
    let values = operands.iter().map(|operand| operand.value(document)).collect::<CommandResult<Vec<_>>>()?;
    let ordered = |accepts: fn(Ordering) -> bool| Ok(Bson::Boolean(accepts(compare(&values[0], &values[1]))));
    match operator {
        Operator::Equal => ordered(Ordering::is_eq),
        Operator::NotEqual => ordered(Ordering::is_ne),
        Operator::Greater => ordered(Ordering::is_gt),
        Operator::GreaterOrEqual => ordered(Ordering::is_ge),
        Operator::Less => ordered(Ordering::is_lt),
        Operator::LessOrEqual => ordered(Ordering::is_le),
        Operator::Size => match &values[0] {
            Bson::Array(items) => Ok(Bson::Int32(items.len() as i32)),
            _ => Err(CommandError::new(17124, "The argument to $size must be an array")),
        },
        _ if values.contains(&Bson::Null) => Ok(Bson::Null),
        Operator::Concat => {
            let texts: Option<Vec<&str>> = values.iter().map(Bson::as_str).collect();
            let texts = texts.ok_or_else(|| CommandError::new(16702, "$concat only supports strings"))?;
            Ok(Bson::String(texts.concat()))
        }
        _ => {
            let combine = match operator {
                Operator::Subtract => number::subtract,
                Operator::Multiply => number::multiply,
                _ => number::add,
            };
            let mut numbers = values.into_iter();
            let first = numbers.next().unwrap_or(Bson::Int32(0));
            // A single operand must be a number as well.
            let first = number::add(&Bson::Int32(0), &first);
            numbers
                .fold(first, |left, right| combine(&left?, &right))
                .ok_or_else(|| CommandError::new(code::TYPE_MISMATCH, "arithmetic only supports numeric types"))
        }
    }
}

/// Truth as expressions see it.
fn is_true(value: &Bson) -> bool {
    !matches!(value, Bson::Null | Bson::Undefined) && number::as_bool(value).unwrap_or(true)
}

/// The value at a dotted path; arrays on the way give the values of their documents.
fn field(document: &Document, path: &str) -> Option<Bson> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let value = document.get(head)?;
    match rest {
        None => Some(value.clone()),
        Some(rest) => below(value, rest),
    }
}

fn below(value: &Bson, path: &str) -> Option<Bson> {
    match value {
        Bson::Document(sub) => field(sub, path),
        Bson::Array(items) => Some(Bson::Array(items.iter().filter_map(|item| below(item, path)).collect())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bson::{bson, doc};

    use super::*;

    fn value(expression: &Bson, document: &Document) -> CommandResult<Bson> {
        Expression::parse(expression)?.value(document)
    }

    #[test]
    fn operators() {
        let document = doc! { "a": 2, "b": 3.5, "l": [{ "x": 1 }, { "x": 2 }], "s": "t" };
        assert_eq!(value(&bson!({ "$add": ["$a", "$b", 1] }), &document).unwrap(), Bson::Double(6.5));
        assert_eq!(value(&bson!({ "$multiply": ["$a", 4] }), &document).unwrap(), Bson::Int32(8));
        assert_eq!(value(&bson!({ "$ifNull": ["$none", "$s"] }), &document).unwrap(), Bson::String("t".into()));
        assert_eq!(value(&bson!({ "$cond": [{ "$gt": ["$a", 1] }, "y", "n"] }), &document).unwrap(), bson!("y"));
        assert_eq!(value(&bson!("$l.x"), &document).unwrap(), bson!([1, 2]));
        assert_eq!(value(&bson!({ "k": "$a", "none": "$none" }), &document).unwrap(), bson!({ "k": 2 }));
        assert_eq!(value(&bson!({ "$add": ["$none", 1] }), &document).unwrap(), Bson::Null);
        assert_eq!(value(&bson!({ "$add": ["$s", 1] }), &document).unwrap_err().code, 14);
        assert_eq!(value(&bson!({ "$nosuch": 1 }), &document).unwrap_err().code, 168);
        assert_eq!(value(&bson!("$$nosuch"), &document).unwrap_err().code, 17276);
    }
}
