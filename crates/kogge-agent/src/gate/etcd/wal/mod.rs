//! Which member of which cluster a log is of: the first records of each of its files say so. The record with the metadata
//! holds the member's ID in field 1, the cluster's in field 2 (`api/etcdserverpb`, `Metadata`).

mod commit;
mod crc;
mod message;
mod record;

use kogge_api::anchor::etcd::Id;

pub(super) use commit::{LogError, commit_all};
use message::number;
use record::{METADATA, Records};

/// The metadata come second, after a checksum.
const RECORDS: usize = 4;

/// Whose a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// The member.
    pub(super) member_id: Id,
    /// The cluster.
    pub(super) cluster_id: Id,
}

/// Whose log begins with these bytes; none where they do not say.
pub(super) fn owner(file: &[u8]) -> Option<Owner> {
    let mut records = Records::of(file);
    for _ in 0..RECORDS {
        let record = records.next().ok()??;
        if record.kind == METADATA {
            let (member_id, cluster_id) = (number(record.data, 1)?, number(record.data, 2)?);
            return Some(Owner { member_id: Id(member_id), cluster_id: Id(cluster_id) });
        }
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use super::message::put_number;
    use super::*;

    /// The beginning of a log as etcd 3.6 writes it: a checksum of nothing, then the metadata.
    pub(in crate::gate::etcd) fn log(member_id: u64, cluster_id: u64) -> Vec<u8> {
        let mut metadata = Vec::new();
        put_number(&mut metadata, 1, member_id);
        put_number(&mut metadata, 2, cluster_id);
        // A length of 4, and as many bytes of padding.
        let crc = vec![4, 0, 0, 0, 0, 0, 0, 0x84, 0x08, 0x04, 0x10, 0x00, 0, 0, 0, 0];
        [crc, record::frame(METADATA, &metadata, 0)].concat()
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
