//! What a command has made so far, so that it can take it back where it fails.

use crate::cluster::{Applied, Cluster, Manifest, Outcome};

/// What was made, in its order. What was there before is none of it, changed or not.
#[derive(Default)]
pub(super) struct Made<'a> {
    objects: Vec<(&'a Cluster, Manifest, String)>,
}

impl<'a> Made<'a> {
    /// Applies a manifest, and notes it down where that made the object.
    pub(super) async fn apply(
        &mut self,
        cluster: &'a Cluster,
        manifest: &Manifest,
        force: bool,
    ) -> anyhow::Result<()> {
        if let Applied { outcome: Outcome::Created, uid: Some(uid) } = cluster.apply(manifest, force).await? {
            self.objects.push((cluster, manifest.clone(), uid));
        }
        Ok(())
    }

    /// Takes everything back, the last first. What cannot be taken back is named.
    pub(super) async fn undo(self) {
        for (cluster, manifest, uid) in self.objects.into_iter().rev() {
            if let Err(error) = cluster.delete(&manifest, &uid).await {
                eprintln!("{}: {manifest} is left behind, delete it with kubectl: {error:#}", cluster.name);
            }
        }
    }
}
