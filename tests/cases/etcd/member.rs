//! A member whose disk is lost.

use std::time::Duration;

use anyhow::Context as _;
use kogge_api::FederatedEtcd;
use kogge_api::anchor::etcd::{AnchoredMember, Id, Record};
use kogge_e2e::Database;
use kogge_lab::wait;

/// How long a member may take to be removed and added again.
const READDED: Duration = Duration::from_mins(2);

/// A member of a cluster.
pub(super) struct Member<'a> {
    pub(super) database: Database<'a, FederatedEtcd>,
    pub(super) pod: String,
    pub(super) vdc: String,
}

impl Member<'_> {
    /// Wipes its volume, and lets its pod end as a node that is drained does.
    pub(super) async fn lose_disk(&self) -> anyhow::Result<()> {
        let Self { database, pod, vdc } = self;
        database.harness.lab.faults().wipe_volumes(vdc, database.namespace, pod).await?;
        let delete = ["delete", "pod", pod, "-n", database.namespace, "--wait=false"];
        database.harness.kubectl(vdc, &delete).await.map(drop)
    }

    /// Its ID, as the anchor beside it knows it.
    pub(super) async fn id(&self) -> anyhow::Result<Id> {
        self.record().await?.member_id.with_context(|| format!("{} has no ID", self.pod))
    }

    /// Waits until it has another ID than this, and holds data under it.
    pub(super) async fn is_another_than(&self, id: Id) -> anyhow::Result<()> {
        let what = format!("{} to be added again", self.pod);
        wait::until(&what, READDED, || async {
            let record = self.record().await.map_err(|error| format!("{error:#}"))?;
            let another = record.member_id.is_some_and(|now| now != id);
            if another && record.initialized { Ok(()) } else { Err(format!("{record:?}")) }
        })
        .await?;
        Ok(())
    }

    async fn record(&self) -> anyhow::Result<AnchoredMember> {
        let anchor = self.database.anchor::<Record>(&self.vdc).await?;
        Ok(anchor.record.members.get(&self.pod).cloned().unwrap_or_default())
    }
}
