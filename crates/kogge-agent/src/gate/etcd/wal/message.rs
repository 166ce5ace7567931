//! Messages of protocol buffers, as far as a log needs them.

/// A field of a message.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The number in a field.
pub(super) fn number(message: &[u8], tag: u64) -> Option<u64> {
    match field(message, tag)? {
        Field::Number(number) => Some(number),
        Field::Bytes(_) => None,
    }
}

/// The bytes in a field.
pub(super) fn bytes(message: &[u8], tag: u64) -> Option<&[u8]> {
    match field(message, tag)? {
        Field::Bytes(bytes) => Some(bytes),
        Field::Number(_) => None,
    }
}

fn field(mut message: &[u8], tag: u64) -> Option<Field<'_>> {
    loop {
        let key = varint(&mut message)?;
        let field = match key & 0x7 {
            0 => Field::Number(varint(&mut message)?),
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let (bytes, rest) = message.split_at_checked(length)?;
                message = rest;
                Field::Bytes(bytes)
            }
            _ => return None,
        };
        if key >> 3 == tag {
            return Some(field);
        }
    }
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Adds a field with a number.
pub(super) fn put_number(message: &mut Vec<u8>, tag: u64, number: u64) {
    put_varint(message, tag << 3);
    put_varint(message, number);
}

/// Adds a field with bytes.
pub(super) fn put_bytes(message: &mut Vec<u8>, tag: u64, bytes: &[u8]) {
    put_varint(message, tag << 3 | 2);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

fn put_varint(message: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        message.push(number as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
}
