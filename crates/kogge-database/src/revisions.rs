//! Revisions, kept: what was rendered stands in the control cluster until nothing runs it any more, so that a
//! share whose turn has not come is never rendered anew.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kogge_api::{ClusterId, Owner, labels, names};
use kogge_chart::Capabilities;
use kogge_plan::Object;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::archive::ChartArchive;
use crate::problem::Problem;

/// Kept revisions beyond those in use.
const KEPT: usize = 10;
/// The most that one kept rollout may take in the API server, which refuses objects above 1.5 MiB.
const MAX_BYTES: usize = 1 << 20;

/// What one rollout rendered: the templates of every share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// The chart version that was rendered.
    pub chart_version: String,
    /// What was frozen when the database began.
    pub frozen: Frozen,
    /// The chart's files; none where an earlier Kogge kept the rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartArchive>,
    /// The shares, by `<component>/<placement>`.
    pub shares: BTreeMap<String, RenderedShare>,
}

/// Inputs of every rendering that are taken once, when a database begins: a change would restart its pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Frozen {
    /// `host:port` of the members that other components are told to begin with.
    #[serde(rename = "configSeeds")]
    pub seeds: Vec<String>,
    /// The oldest Kubernetes version among the workers.
    pub capabilities: Capabilities,
    /// The image of Kogge's own containers in the pods. It is taken anew with another chart version, which
    /// restarts the pods anyway.
    #[serde(default)]
    pub agent_image: String,
}

/// What was rendered for one share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenderedShare {
    /// The hash of the inputs.
    pub revision: String,
    /// The chart version that it came from.
    pub chart_version: String,
    /// The objects, without their shape.
    pub objects: Vec<Object>,
}

/// A rollout that cannot be kept, or not be read.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    /// Too large for the API server.
    #[error(
        "the rendered chart takes {size} bytes compressed, more than the {MAX_BYTES} that can be kept; make the chart or its values smaller"
    )]
    TooLarge {
        /// Its size.
        size: usize,
    },
    /// Not readable.
    #[error("the ControllerRevision {name} cannot be read: {why}; roll out the chart version again")]
    Malformed {
        /// The object.
        name: String,
        /// Why.
        why: String,
    },
    /// Not writable as JSON.
    #[error("a rendered object cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Not compressible.
    #[error("a rendered chart cannot be compressed: {0}")]
    Io(#[from] std::io::Error),
}

impl From<RevisionError> for Problem {
    fn from(error: RevisionError) -> Self {
        Self::Refused { reason: "RevisionsUnreadable".to_owned(), message: error.to_string() }
    }
}

/// Every rollout that is kept of one database.
#[derive(Debug, Default)]
pub struct Kept {
    rollouts: Vec<(String, i64, Arc<Rollout>)>,
}

impl Kept {
    /// Reads what is kept.
    pub fn read<'a>(revisions: impl IntoIterator<Item = &'a ControllerRevision>) -> Result<Self, RevisionError> {
        let mut rollouts = revisions
            .into_iter()
            .map(|stored| {
                let name = stored.metadata.name.clone().unwrap_or_default();
                let rollout = decode(&name, stored.data.as_ref().map(|d| &d.0))?;
                Ok((name, stored.revision, Arc::new(rollout)))
            })
            .collect::<Result<Vec<_>, RevisionError>>()?;
        rollouts.sort_by_key(|(_, number, _)| *number);
        Ok(Self { rollouts })
    }

    /// What was frozen when the database began; none before its first rollout.
    pub fn frozen(&self) -> Option<&Frozen> {
        self.rollouts.last().map(|(_, _, rollout)| &rollout.frozen)
    }

    /// The rollout that was accepted last.
    pub fn newest(&self) -> Option<&Arc<Rollout>> {
        self.rollouts.last().map(|(_, _, rollout)| rollout)
    }

    /// The chart of that name and version as it was when it was rendered last.
    pub fn chart(&self, name: &str, version: &str) -> Option<&ChartArchive> {
        let rendered = self.rollouts.iter().rev().filter(|(_, _, rollout)| rollout.chart_version == version);
        rendered.filter_map(|(_, _, rollout)| rollout.chart.as_ref()).find(|chart| chart.name == name)
    }

    /// The share of that revision.
    pub fn find(&self, share: &str, revision: &str) -> Option<&RenderedShare> {
        self.rollouts
            .iter()
            .rev()
            .filter_map(|(_, _, rollout)| rollout.shares.get(share))
            .find(|rendered| rendered.revision == revision)
    }

    /// Whether every share of a rollout is kept.
    pub fn holds(&self, rollout: &Rollout) -> bool {
        rollout.shares.iter().all(|(share, rendered)| self.find(share, &rendered.revision).is_some())
    }

    /// The object that keeps a rollout.
    pub fn object(
        &self,
        rollout: &Rollout,
        id: &ClusterId,
        namespace: &str,
        owner: &Owner,
    ) -> Result<ControllerRevision, RevisionError> {
        let packed = encode(rollout)?;
        if packed.len() > MAX_BYTES {
            return Err(RevisionError::TooLarge { size: packed.len() });
        }
        let number = self.rollouts.last().map_or(1, |(_, number, _)| number + 1);
        Ok(ControllerRevision {
            metadata: ObjectMeta {
                name: Some(names::system_object(id, &format!("revision-{number}"))),
                namespace: Some(namespace.to_owned()),
                labels: Some(system_labels(id, "revision")),
                annotations: Some([owner.annotation()].into()),
                ..ObjectMeta::default()
            },
            revision: number,
            data: Some(k8s_openapi::apimachinery::pkg::runtime::RawExtension(json!({
                "chartVersion": rollout.chart_version,
                "gzip": packed,
            }))),
        })
    }

    /// The names of those that nothing runs any more, beyond the newest ten.
    pub fn surplus(&self, in_use: &BTreeSet<(String, String)>) -> Vec<String> {
        let old = self.rollouts.len().saturating_sub(KEPT);
        let runs = |rollout: &Rollout| {
            rollout.shares.iter().any(|(share, r)| in_use.contains(&(share.clone(), r.revision.clone())))
        };
        self.rollouts[..old]
            .iter()
            .filter(|(_, _, rollout)| !runs(rollout))
            .map(|(name, ..)| name.clone())
            .collect()
    }
}

/// The labels of a database's own object in Kogge's namespace.
pub fn system_labels(id: &ClusterId, role: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (labels::CLUSTER_ID.to_owned(), id.to_string()),
        (labels::ROLE.to_owned(), role.to_owned()),
        (labels::MANAGED_BY.to_owned(), labels::MANAGER.to_owned()),
    ])
}

fn encode(rollout: &Rollout) -> Result<String, RevisionError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&serde_json::to_vec(rollout)?)?;
    Ok(BASE64.encode(encoder.finish()?))
}

fn decode(name: &str, data: Option<&Value>) -> Result<Rollout, RevisionError> {
    let malformed = |why: String| RevisionError::Malformed { name: name.to_owned(), why };
    let packed = data
        .and_then(|d| d.get("gzip"))
        .and_then(Value::as_str)
        .ok_or_else(|| malformed("it has no data.gzip".to_owned()))?;
    let bytes = BASE64.decode(packed).map_err(|e| malformed(e.to_string()))?;
    let mut text = Vec::new();
    GzDecoder::new(bytes.as_slice())
        .take(64 << 20)
        .read_to_end(&mut text)
        .map_err(|e| malformed(e.to_string()))?;
    serde_json::from_slice(&text).map_err(|e| malformed(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(version: &str) -> Rollout {
        let share = RenderedShare {
            revision: format!("rev-{version}"),
            chart_version: version.to_owned(),
            objects: Vec::new(),
        };
        Rollout {
            chart_version: version.to_owned(),
            frozen: Frozen::default(),
            chart: None,
            shares: [("config/vdc1".to_owned(), share)].into(),
        }
    }

    fn keep(versions: &[&str]) -> Vec<ControllerRevision> {
        let id = "abcdefgh".parse().unwrap();
        let owner = "FederatedCluster/databases/ll2022".parse().unwrap();
        let mut stored = Vec::new();
        for version in versions {
            let kept = Kept::read(&stored).unwrap();
            stored.push(kept.object(&rollout(version), &id, "kogge-system", &owner).unwrap());
        }
        stored
    }

    #[test]
    fn what_is_kept_reads_back() {
        let kept = Kept::read(&keep(&["1.0.0", "1.1.0"])).unwrap();
        assert!(kept.holds(&rollout("1.0.0")) && kept.holds(&rollout("1.1.0")));
        assert!(!kept.holds(&rollout("1.2.0")));
        assert_eq!(kept.find("config/vdc1", "rev-1.0.0").unwrap().chart_version, "1.0.0");
    }

    #[test]
    fn the_newest_ten_and_those_in_use_stay() {
        let versions: Vec<String> = (0..13).map(|n| format!("1.{n}.0")).collect();
        let kept = Kept::read(&keep(&versions.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
        let in_use = [("config/vdc1".to_owned(), "rev-1.1.0".to_owned())].into();
        assert_eq!(kept.surplus(&in_use), ["revision-1-abcdefgh", "revision-3-abcdefgh"]);
    }

    #[test]
    fn what_is_damaged_is_named() {
        let mut stored = keep(&["1.0.0"]);
        stored[0].data = None;
        let error = Kept::read(&stored).unwrap_err().to_string();
        assert!(error.contains("revision-1-abcdefgh"), "{error}");
    }
}
