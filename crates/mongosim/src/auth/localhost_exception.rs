use std::net::IpAddr;

/// Whether the localhost exception lets an unauthenticated client run a command: the peer is
/// this host and there are no users yet. It grants making the first user, and
/// `replSetInitiate`/`replSetReconfig`, `replSetGetStatus` and `addShard`
/// (`authorization_session_impl.cpp`).
pub fn localhost_exception_grants(peer: IpAddr, has_users: bool, command: &str, db: &str) -> bool {
    let local = match peer {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback()),
    };
    if !local || has_users {
        return false;
    }
    match command {
        "createUser" => matches!(db, "admin" | "$external"),
        "grantRolesToUser" | "replSetInitiate" | "replSetReconfig" | "replSetGetStatus" | "addShard" => {
            db == "admin"
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_exactly_the_bootstrap() {
        let local = IpAddr::from([127, 0, 0, 1]);
        let remote = IpAddr::from([10, 1, 2, 3]);
        assert!(localhost_exception_grants(local, false, "createUser", "admin"));
        assert!(localhost_exception_grants(local, false, "replSetInitiate", "admin"));
        assert!(localhost_exception_grants(local, false, "addShard", "admin"));
        assert!(!localhost_exception_grants(local, true, "createUser", "admin"));
        assert!(!localhost_exception_grants(remote, false, "createUser", "admin"));
        assert!(!localhost_exception_grants(local, false, "createUser", "test"));
        assert!(!localhost_exception_grants(local, false, "insert", "admin"));
    }
}
