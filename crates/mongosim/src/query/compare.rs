use std::cmp::Ordering;

use bson::Bson;

use super::number;
use crate::storage::type_order;

/// BSON's comparison order.
pub fn compare(left: &Bson, right: &Bson) -> Ordering {
    type_order(left).cmp(&type_order(right)).then_with(|| same_type(left, right))
}

fn same_type(left: &Bson, right: &Bson) -> Ordering {
    match (left, right) {
        (Bson::String(a) | Bson::Symbol(a), Bson::String(b) | Bson::Symbol(b)) => a.cmp(b),
        (Bson::Document(a), Bson::Document(b)) => {
            for ((ka, va), (kb, vb)) in a.iter().zip(b.iter()) {
                let order =
                    type_order(va).cmp(&type_order(vb)).then_with(|| ka.cmp(kb)).then_with(|| compare(va, vb));
                if order.is_ne() {
                    return order;
                }
            }
            a.len().cmp(&b.len())
        }
        (Bson::Array(a), Bson::Array(b)) => a
            .iter()
            .zip(b)
            .map(|(x, y)| compare(x, y))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| a.len().cmp(&b.len())),
        (Bson::Binary(a), Bson::Binary(b)) => {
            (a.bytes.len(), u8::from(a.subtype), &a.bytes).cmp(&(b.bytes.len(), u8::from(b.subtype), &b.bytes))
        }
        (Bson::ObjectId(a), Bson::ObjectId(b)) => a.cmp(b),
        (Bson::Boolean(a), Bson::Boolean(b)) => a.cmp(b),
        (Bson::DateTime(a), Bson::DateTime(b)) => a.cmp(b),
        (Bson::Timestamp(a), Bson::Timestamp(b)) => (a.time, a.increment).cmp(&(b.time, b.increment)),
        _ => match (number::as_i64(left), number::as_i64(right)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => match (number::as_f64(left), number::as_f64(right)) {
                (Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan())),
                _ => Ordering::Equal,
            },
        },
    }
}
