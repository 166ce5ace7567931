//! Servers with a key file, not yet initiated.

use std::path::PathBuf;

use mongosim::{
    options::ServerArgs,
    testing::{Member, member_args, mongos_args, write_key_file},
};
use tempfile::TempDir;

/// Fresh servers that share a key.
pub(crate) struct Secured {
    dir: TempDir,
    key: PathBuf,
}

impl Secured {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let dir = TempDir::new()?;
        let key = write_key_file(&dir.path().join("key"), "dGhlIGtleSBvZiByZWFsIGNsaWVudHM")?;
        Ok(Self { dir, key })
    }

    /// Members of a set.
    pub(crate) fn members(
        &self,
        set: &str,
        count: usize,
        role: impl Fn(&mut ServerArgs),
    ) -> anyhow::Result<Vec<Member>> {
        (0..count)
            .map(|i| {
                let mut args = member_args(set, &self.dir.path().join(format!("{set}-{i}")));
                args.key_file = Some(self.key.clone());
                role(&mut args);
                Ok(Member::spawn(args)?)
            })
            .collect()
    }

    /// A router.
    pub(crate) fn mongos(&self, config_db: &str) -> anyhow::Result<Member> {
        let mut args = mongos_args(config_db);
        args.key_file = Some(self.key.clone());
        Ok(Member::spawn(args)?)
    }
}

/// `host:port,…`
pub(crate) fn seeds(members: &[Member]) -> String {
    members.iter().map(Member::host).collect::<Vec<_>>().join(",")
}

/// The line that initiates a set of these members with short timers, as one would type it.
pub(crate) fn initiate(set: &str, members: &[Member], more: &str) -> String {
    let hosts: Vec<String> = members
        .iter()
        .enumerate()
        .map(|(i, member)| format!("{{_id: {i}, host: '{}', tags: {{dc: 'dc{i}'}}}}", member.host()))
        .collect();
    format!(
        "rs.initiate({{_id: '{set}', {more}members: [{}], settings: {{heartbeatIntervalMillis: 100, electionTimeoutMillis: 1000, heartbeatTimeoutSecs: 1}}}})",
        hosts.join(", ")
    )
}
