use bson::{Bson, doc};

/// An order-preserving key for an `_id`: BSON's type order first, numbers of all types as one.
pub fn document_key(id: &Bson) -> Vec<u8> {
    let mut key = vec![type_order(id)];
    match id {
        Bson::Int32(n) => push_integer(&mut key, i64::from(*n)),
        Bson::Int64(n) => push_integer(&mut key, *n),
        Bson::Double(n) if n.fract() == 0.0 && n.abs() < 9e18 => push_integer(&mut key, *n as i64),
        Bson::Double(n) => {
            push_integer(&mut key, n.floor() as i64);
            key.extend_from_slice(&n.to_bits().to_be_bytes());
        }
        Bson::String(text) | Bson::Symbol(text) => key.extend_from_slice(text.as_bytes()),
        Bson::ObjectId(oid) => key.extend_from_slice(&oid.bytes()),
        Bson::Boolean(b) => key.push(u8::from(*b)),
        Bson::DateTime(t) => push_integer(&mut key, t.timestamp_millis()),
        Bson::Timestamp(t) => {
            key.extend_from_slice(&t.time.to_be_bytes());
            key.extend_from_slice(&t.increment.to_be_bytes());
        }
        other => {
            // The order among these does not matter, only that equal values have equal keys.
            key.extend(doc! { "": other.clone() }.to_vec().unwrap_or_default());
        }
    }
    key
}

/// BSON's comparison order of types.
pub fn type_order(value: &Bson) -> u8 {
    match value {
        Bson::MinKey => 0,
        Bson::Undefined => 4,
        Bson::Null => 5,
        Bson::Double(_) | Bson::Int32(_) | Bson::Int64(_) | Bson::Decimal128(_) => 10,
        Bson::Symbol(_) | Bson::String(_) => 15,
        Bson::Document(_) => 20,
        Bson::Array(_) => 25,
        Bson::Binary(_) => 30,
        Bson::ObjectId(_) => 35,
        Bson::Boolean(_) => 40,
        Bson::DateTime(_) => 45,
        Bson::Timestamp(_) => 47,
        Bson::RegularExpression(_) => 50,
        Bson::MaxKey => 127,
        _ => 60,
    }
}

fn push_integer(key: &mut Vec<u8>, n: i64) {
    key.extend_from_slice(&((n as u64) ^ (1 << 63)).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_values_do() {
        let sorted = [
            Bson::Int64(-5),
            Bson::Int32(0),
            Bson::Double(0.5),
            Bson::Int32(1),
            Bson::Int64(1 << 60),
            Bson::String("a".into()),
            Bson::String("ab".into()),
        ];
        let keys: Vec<_> = sorted.iter().map(document_key).collect();
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn equal_numbers_have_one_key() {
        assert_eq!(document_key(&Bson::Int32(7)), document_key(&Bson::Int64(7)));
        assert_eq!(document_key(&Bson::Int32(7)), document_key(&Bson::Double(7.0)));
    }
}
