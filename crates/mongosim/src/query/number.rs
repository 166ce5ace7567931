//! Numbers of any BSON type.

use bson::Bson;

/// A whole number of any type.
pub fn as_i64(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(n) => Some(i64::from(*n)),
        Bson::Int64(n) => Some(*n),
        Bson::Double(n) if n.fract() == 0.0 && n.abs() < 9e18 => Some(*n as i64),
        _ => None,
    }
}

/// A number of any type.
pub fn as_f64(value: &Bson) -> Option<f64> {
    match value {
        Bson::Int32(n) => Some(f64::from(*n)),
        Bson::Int64(n) => Some(*n as f64),
        Bson::Double(n) => Some(*n),
        _ => None,
    }
}

/// Truth as the server reads options: `true`, or a number that is not 0.
pub fn as_bool(value: &Bson) -> Option<bool> {
    match value {
        Bson::Boolean(b) => Some(*b),
        other => as_f64(other).map(|n| n != 0.0),
    }
}

/// The sum, in the widest of the two types; `None` where it is none.
pub fn add(left: &Bson, right: &Bson) -> Option<Bson> {
    combine(left, right, i64::checked_add, |a, b| a + b)
}

/// The difference, as [`add`].
pub fn subtract(left: &Bson, right: &Bson) -> Option<Bson> {
    combine(left, right, i64::checked_sub, |a, b| a - b)
}

/// The product, as [`add`].
pub fn multiply(left: &Bson, right: &Bson) -> Option<Bson> {
    combine(left, right, i64::checked_mul, |a, b| a * b)
}

fn combine(
    left: &Bson,
    right: &Bson,
    whole: fn(i64, i64) -> Option<i64>,
    real: fn(f64, f64) -> f64,
) -> Option<Bson> {
    match (left, right) {
        (Bson::Double(_), _) | (_, Bson::Double(_)) => Some(Bson::Double(real(as_f64(left)?, as_f64(right)?))),
        (Bson::Int32(a), Bson::Int32(b)) => {
            let result = whole(i64::from(*a), i64::from(*b))?;
            Some(i32::try_from(result).map_or(Bson::Int64(result), Bson::Int32))
        }
        _ => Some(Bson::Int64(whole(as_i64(left)?, as_i64(right)?)?)),
    }
}
