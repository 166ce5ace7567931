//! A client in a pod of a worker writes all the time; in the end, what was acknowledged must be there.

use std::fmt;

use anyhow::bail;

use crate::demo::stage::Stage;

/// What the check found.
pub(in crate::demo) struct Verdict {
    acknowledged: u64,
    lost: u64,
}

impl Verdict {
    pub(in crate::demo) fn nothing_lost(&self) -> anyhow::Result<()> {
        match self {
            Self { acknowledged: 0, .. } => bail!("no write was acknowledged, so nothing was shown"),
            Self { lost: 0, .. } => Ok(()),
            Self { lost, .. } => bail!("{lost} acknowledged writes are lost"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "writes acknowledged: {}, lost: {}", self.acknowledged, self.lost)
    }
}

pub(in crate::demo) async fn start(_stage: &Stage) -> anyhow::Result<()> {
    bail!("to be written")
}

pub(in crate::demo) async fn check(_stage: &Stage) -> anyhow::Result<Verdict> {
    bail!("to be written")
}
