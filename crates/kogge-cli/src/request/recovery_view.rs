//! What the members say before a majority is given up: who answers, and how far each one's data reaches.

use std::fmt::{self, Display, Formatter};

use k8s_openapi::jiff::Timestamp;
use kogge_engine::Holding;

/// The members of all groups as they answered, group by group.
pub(super) struct Holdings<'a>(pub(super) &'a [Holding]);

impl Display for Holdings<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for group in self.0.chunk_by(|one, next| one.group == next.group) {
            if let Some(Holding { group, .. }) = group.first() {
                writeln!(f, "{group}:")?;
            }
            for Holding { pod, vdc, is_lost, says, written_at, .. } in group {
                let lost = if *is_lost { " (declared lost)" } else { "" };
                let at = written_at.and_then(|seconds| Timestamp::from_second(seconds).ok());
                let at = at.map(|at| format!(", {at}")).unwrap_or_default();
                writeln!(f, "  {pod} in {vdc}{lost}: {says}{at}")?;
            }
        }
        Ok(())
    }
}
