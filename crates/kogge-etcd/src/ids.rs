//! The ids that etcd will give, computed ahead, so that they are recorded before a process starts.
//!
//! Source: `computeMemberID` and `RaftCluster.genID` in `server/etcdserver/api/membership` of etcd 3.6.

use sha1::{Digest, Sha1};

use crate::names::{ClusterId, MemberId, Token, Url};

/// The id of a member that starts with `--initial-cluster-state=new`. The order of its peer URLs carries no meaning,
/// and neither does its name.
pub fn member_id(peer_urls: &[Url], token: &Token) -> MemberId {
    hashed_member_id(peer_urls, token.as_str(), "")
}

/// The id that `MemberAdd` gives to a member, at that time in seconds since 1970. It depends on the clock of the server
/// that is asked, so it cannot be known ahead.
pub fn added_member_id(peer_urls: &[Url], unix_seconds: i64) -> MemberId {
    hashed_member_id(peer_urls, "", &unix_seconds.to_string())
}

/// The id of a group that starts with these members. The order carries no meaning.
pub fn cluster_id(initial_members: &[MemberId]) -> ClusterId {
    let mut ids = initial_members.to_vec();
    ids.sort_unstable();
    let bytes: Vec<u8> = ids.iter().flat_map(|id| id.0.to_be_bytes()).collect();
    ClusterId(leading_u64(&bytes))
}

fn hashed_member_id(peer_urls: &[Url], token: &str, seconds: &str) -> MemberId {
    let mut urls: Vec<&str> = peer_urls.iter().map(Url::as_str).collect();
    urls.sort_unstable();
    MemberId(leading_u64(format!("{}{token}{seconds}", urls.concat()).as_bytes()))
}

/// The first eight bytes of a SHA-1, big-endian.
fn leading_u64(bytes: &[u8]) -> u64 {
    let digest = Sha1::digest(bytes);
    digest.iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(urls: &[&str]) -> Vec<Url> {
        urls.iter().map(|url| Url::from(*url)).collect()
    }

    /// The ids that every etcd with default flags shows.
    #[test]
    fn the_ids_of_a_default_etcd() {
        let member = member_id(&urls(&["http://localhost:2380"]), &"etcd-cluster".into());
        assert_eq!(member.to_string(), "8e9e05c52164694d");
        assert_eq!(cluster_id(&[member]).to_string(), "cdf818194e3a8c32");
    }

    /// The values of etcd's own `TestMemberTime`.
    #[test]
    fn etcds_own_examples() {
        let one = urls(&["http://10.0.0.8:2379"]);
        assert_eq!(member_id(&one, &"".into()), MemberId(14_544_069_596_553_697_298));
        assert_eq!(added_member_id(&one, 472_662_245), MemberId(2_448_790_162_483_548_276));
        for two in
            [["http://10.0.0.1:2379", "http://10.0.0.2:2379"], ["http://10.0.0.2:2379", "http://10.0.0.1:2379"]]
        {
            assert_eq!(member_id(&urls(&two), &"".into()), MemberId(16_552_244_735_972_308_939));
        }
    }

    #[test]
    fn another_incarnation_is_another_group() {
        let url = urls(&["https://a:2380"]);
        let ids: Vec<ClusterId> = (0..3).map(|n| cluster_id(&[member_id(&url, &Token::of("uid", n))])).collect();
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
        let (a, b) = (MemberId(1), MemberId(2));
        assert_eq!(cluster_id(&[a, b]), cluster_id(&[b, a]));
    }
}
