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

/// The sum, in the widest of the two types.
pub fn add(left: &Bson, right: &Bson) -> Option<Bson> {
    Some(match (left, right) {
        (Bson::Int32(a), Bson::Int32(b)) => {
            a.checked_add(*b).map_or_else(|| Bson::Int64(i64::from(*a) + i64::from(*b)), Bson::Int32)
        }
        (Bson::Double(_), _) | (_, Bson::Double(_)) => Bson::Double(as_f64(left)? + as_f64(right)?),
        _ => Bson::Int64(as_i64(left)?.checked_add(as_i64(right)?)?),
    })
}
