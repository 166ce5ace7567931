//! Which member of which cluster a log is of: the first records of each of its files say so.
//!
//! A file is a row of frames, each the length of a record as a little-endian 64-bit number and the record, a message of
//! protocol buffers with its type in field 1 and its data in field 3; the upper byte of a length whose sign is set holds
//! padding (etcd 3.6, `server/storage/wal/decoder.go`). A record of type 1 holds the metadata: the member's ID in field 1,
//! the cluster's in field 2 (`api/etcdserverpb`, `Metadata`).

use kogge_api::anchor::etcd::Id;

/// The type of the record with the metadata.
const METADATA: u64 = 1;
/// The metadata come second, after a checksum.
const RECORDS: usize = 4;
/// Metadata are a few bytes.
const MAX_RECORD: usize = 1 << 10;

/// Whose a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// The member.
    pub(super) member_id: Id,
    /// The cluster.
    pub(super) cluster_id: Id,
}

/// Whose log begins with these bytes; none where they do not say.
pub(super) fn owner(mut file: &[u8]) -> Option<Owner> {
    for _ in 0..RECORDS {
        let (head, rest) = file.split_first_chunk::<8>()?;
        let frame = i64::from_le_bytes(*head) as u64;
        // The sign tells that the upper byte holds the padding in its lower three bits.
        let (length, padding) =
            if frame >> 63 == 1 { (frame & !(0xff << 56), frame >> 56 & 0x7) } else { (frame, 0) };
        let (length, padding) = (usize::try_from(length).ok()?, usize::try_from(padding).ok()?);
        if length > MAX_RECORD {
            return None;
        }
        let record = rest.get(..length)?;
        if number(record, 1) == Some(METADATA) {
            let metadata = bytes(record, 3)?;
            let (member_id, cluster_id) = (number(metadata, 1)?, number(metadata, 2)?);
            return Some(Owner { member_id: Id(member_id), cluster_id: Id(cluster_id) });
        }
        file = rest.get(length + padding..)?;
    }
    None
}

/// A field of a message.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn number(message: &[u8], tag: u64) -> Option<u64> {
    match field(message, tag)? {
        Field::Number(number) => Some(number),
        Field::Bytes(_) => None,
    }
}

fn bytes(message: &[u8], tag: u64) -> Option<&[u8]> {
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The beginning of a log as etcd 3.6 writes it: a checksum of nothing, then the metadata.
    pub(in crate::gate::etcd) fn log(member_id: u64, cluster_id: u64) -> Vec<u8> {
        let varint = |mut number: u64| {
            let mut bytes = Vec::new();
            while number >= 0x80 {
                bytes.push(number as u8 | 0x80);
                number >>= 7;
            }
            bytes.push(number as u8);
            bytes
        };
        let metadata = [vec![0x08], varint(member_id), vec![0x10], varint(cluster_id)].concat();
        let crc = vec![0x08, 0x04, 0x10, 0x00];
        let meta = [vec![0x08, 0x01, 0x10, 0x05, 0x1a], varint(metadata.len() as u64), metadata].concat();
        [crc, meta].into_iter().flat_map(|record| frame(&record)).collect()
    }

    fn frame(record: &[u8]) -> Vec<u8> {
        let padding = (8 - record.len() % 8) % 8;
        let mut head = record.len() as u64;
        if padding > 0 {
            head |= (0x80 | padding as u64) << 56;
        }
        [head.to_le_bytes().to_vec(), record.to_vec(), vec![0; padding]].concat()
    }

    #[test]
    fn a_log_tells_whose_it_is() {
        for (member_id, cluster_id) in
            [(0x8e9e_05c5_2164_694d, 0xcdf8_1819_4e3a_8c32), (1, 2), (u64::MAX, u64::MAX)]
        {
            let owner = owner(&log(member_id, cluster_id)).unwrap();
            assert_eq!((owner.member_id, owner.cluster_id), (Id(member_id), Id(cluster_id)));
        }
    }

    #[test]
    fn what_is_cut_short_or_no_log_tells_nothing() {
        let whole = log(7, 9);
        for length in 0..whole.len() - 8 {
            assert_eq!(owner(&whole[..length]), None, "{length} bytes");
        }
        for other in [&[0; 64][..], &[0xff; 64], b"not a log of anything, but long enough to be one"] {
            assert_eq!(owner(other), None);
        }
    }
}
