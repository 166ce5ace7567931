//! The records of a log's file.
//!
//! A file is a row of frames, each the length of a record as a little-endian 64-bit number and the record, a message of
//! protocol buffers with its type in field 1, a checksum in field 2 and its data in field 3; the upper byte of a length
//! whose sign is set holds padding (etcd 3.6, `server/storage/wal/decoder.go`). The checksums are one over all data so
//! far. What follows the last record is zero, or was being written when the machine lost its power.

use super::crc::crc32c;
use super::message::{bytes, number, put_bytes, put_number};

/// The member and the cluster.
pub(super) const METADATA: u64 = 1;
/// An entry of raft's.
pub(super) const ENTRY: u64 = 2;
/// What raft must not forget: term, vote, commit index.
pub(super) const STATE: u64 = 3;
/// The checksum that the file before ended with.
const CHECKSUM: u64 = 4;
/// The index that a snapshot was taken at.
pub(super) const SNAPSHOT: u64 = 5;

const HEAD: usize = 8;
/// A disk writes sectors of at least so many bytes whole.
const SECTOR: usize = 512;

/// A record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    /// Its type.
    pub(super) kind: u64,
    /// Its data.
    pub(super) data: &'a [u8],
}

/// A record whose checksum is not that of its data, and that was written whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged {
    /// Where in the file it begins.
    pub(super) offset: usize,
}

/// Reads the records of one file.
pub(super) struct Records<'a> {
    file: &'a [u8],
    /// Where the next record begins.
    pub(super) end: usize,
    /// The checksum over all data so far.
    pub(super) crc: u32,
}

impl<'a> Records<'a> {
    /// From the beginning of a file.
    pub(super) fn of(file: &'a [u8]) -> Self {
        Self { file, end: 0, crc: 0 }
    }

    /// The next record; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Record<'a>>, Damaged> {
        let damaged = Damaged { offset: self.end };
        let Some((length, padding, rest)) = self.file.get(self.end..).and_then(head) else { return Ok(None) };
        let (Some(record), Some(whole)) = (rest.get(..length), rest.get(..length + padding)) else {
            return Ok(None);
        };
        let fields = number(record, 1).zip(number(record, 2).and_then(|crc| u32::try_from(crc).ok()));
        let Some((kind, crc)) = fields else { return torn_or(whole, self.end, damaged) };
        let data = bytes(record, 3).unwrap_or_default();
        if kind == CHECKSUM {
            if self.crc != 0 && self.crc != crc {
                return Err(damaged);
            }
        } else if crc32c(self.crc, data) != crc {
            return torn_or(whole, self.end, damaged);
        }
        self.crc = crc;
        self.end += HEAD + whole.len();
        Ok(Some(Record { kind, data }))
    }
}

/// The length of the next record, that of its padding, and what follows.
fn head(file: &[u8]) -> Option<(usize, usize, &[u8])> {
    let (head, rest) = file.split_first_chunk::<HEAD>()?;
    let frame = u64::from_le_bytes(*head);
    // The sign tells that the upper byte holds the padding in its lower three bits.
    let padding = if frame >> 63 == 1 { frame >> 56 & 0x7 } else { 0 };
    let length = usize::try_from(frame & !(0xff << 56)).ok().filter(|length| *length > 0)?;
    // No addition of lengths that a file of this size cannot hold.
    (length <= rest.len()).then_some((length, usize::try_from(padding).ok()?, rest))
}

/// A record of which a sector never reached the disk ends the file: nobody was told that it is there. Any other is
/// damaged.
fn torn_or(whole: &[u8], offset: usize, damaged: Damaged) -> Result<Option<Record<'_>>, Damaged> {
    let first = (SECTOR - (offset + HEAD) % SECTOR).min(whole.len());
    let (first, others) = whole.split_at(first);
    let mut sectors = std::iter::once(first).chain(others.chunks(SECTOR));
    if sectors.any(|sector| sector.iter().all(|byte| *byte == 0)) { Ok(None) } else { Err(damaged) }
}

/// The frame of a record that follows on this checksum.
pub(super) fn frame(kind: u64, data: &[u8], crc: u32) -> Vec<u8> {
    let mut record = Vec::new();
    put_number(&mut record, 1, kind);
    put_number(&mut record, 2, crc32c(crc, data).into());
    put_bytes(&mut record, 3, data);
    let padding = (8 - record.len() % 8) % 8;
    let sign = if padding > 0 { (0x80 | padding as u64) << 56 } else { 0 };
    let mut frame = (record.len() as u64 | sign).to_le_bytes().to_vec();
    frame.extend_from_slice(&record);
    frame.resize(frame.len() + padding, 0);
    frame
}
