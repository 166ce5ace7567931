//! A spec, rendered as a whole: what is to stand, or what was accepted last and why the present spec is not.

use std::sync::Arc;

use kogge_api::WorkerCluster;
use kogge_chart::{Chart, ChartError};
use kogge_engine::{Database, Engine, Identity};

use crate::problem::Problem;
use crate::revisions::{Kept, Rollout};
use crate::secrets::Mounted;
use crate::template::{self, Surroundings, TemplateError};

/// What is to stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// The present spec, rendered; or, where it cannot be, what was accepted last.
    pub rollout: Arc<Rollout>,
    /// Why the present spec is not carried out.
    pub problem: Option<Problem>,
    /// What you should know of its chart, although the spec is carried out.
    pub notice: Option<String>,
}

/// Renders the spec. Where it cannot be rendered, what was accepted last goes on; the error is the problem of a
/// spec before which none was accepted.
///
/// `chart` is the one that [`ChartName::of`] names; `around` holds the [`oldest_version`] of the workers and what the pods
/// of a database that begins now, or with another chart version, take Kogge's own containers from; `mounted` is the
/// generation of secrets that the pods are to mount.
pub fn render<E: Engine>(
    database: &Database,
    spec: &E::Spec,
    identity: &Identity,
    kept: &Kept,
    chart: Result<Arc<Chart>, ChartError>,
    around: Surroundings<'_>,
    mounted: Mounted,
) -> Result<Rendered, Problem> {
    let mut frozen = match kept.frozen() {
        Some(frozen) => frozen.clone(),
        None => template::freeze::<E>(spec, identity, around),
    };
    let (chart, notice) = published(database, kept, chart);
    let checked = E::check(identity, spec).map_err(TemplateError::from);
    let rendered = checked.and_then(|()| Ok(chart?)).and_then(|chart| {
        if kept.newest().is_some_and(|newest| newest.chart_version != chart.version.to_string()) {
            around.agent_image.clone_into(&mut frozen.agent_image);
        }
        template::render_all::<E>(database, spec, identity, &chart, &frozen, mounted)
    });
    match rendered {
        Ok(rollout) => Ok(Rendered { rollout: Arc::new(rollout), problem: None, notice }),
        Err(error) => {
            let problem = Problem::InvalidSpec { reason: error.reason().to_owned(), message: error.to_string() };
            match kept.newest() {
                Some(last) => Ok(Rendered { rollout: Arc::clone(last), problem: Some(problem), notice: None }),
                None => Err(problem),
            }
        }
    }
}

/// The chart as the database was made from it, and what you should know where that is not what was found.
///
/// A published version never changes: its pods would restart for an edit that no spec asks for. So who runs it keeps what
/// was kept with its revisions, whether it was changed, is broken, or is no longer there.
fn published(
    database: &Database,
    kept: &Kept,
    found: Result<Arc<Chart>, ChartError>,
) -> (Result<Arc<Chart>, ChartError>, Option<String>) {
    let wanted = ChartName::of(database);
    let version = found.as_ref().map(|chart| chart.version.to_string()).ok().or(wanted.version);
    let archive = version.as_ref().and_then(|version| kept.chart(&wanted.name, version));
    let (Some(version), Some(archive)) = (version, archive) else {
        return (found, None);
    };
    if found.as_ref().is_ok_and(|chart| chart.content_hash == archive.content_hash) {
        return (found, None);
    }
    let why = match &found {
        Ok(_) => {
            "its files were changed after this database was made from it; a published version never changes, so \
                  publish the change under another version"
                .to_owned()
        }
        Err(error) => error.to_string(),
    };
    match archive.open(&version) {
        Ok(chart) => {
            let notice = format!(
                "Kogge uses the copy of chart {} {version} that it keeps for this database: {why}",
                wanted.name
            );
            (Ok(Arc::new(chart)), Some(notice))
        }
        Err(error) => (found.and(Err(error)), None),
    }
}

/// A chart, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartName {
    /// The chart.
    pub name: String,
    /// Its version; none for the newest.
    pub version: Option<String>,
}

impl ChartName {
    /// The chart that the spec names; without a version the one that is pinned, or else the newest.
    pub fn of(database: &Database) -> Self {
        let pinned = database.status.as_ref().and_then(|status| status.chart_version.clone());
        Self { name: database.chart.clone(), version: database.chart_version.clone().or(pinned) }
    }
}

/// The oldest Kubernetes version among the workers, such as `1.34.4`; empty while none is known.
pub fn oldest_version<'a>(workers: impl IntoIterator<Item = &'a WorkerCluster>) -> String {
    workers
        .into_iter()
        .filter_map(|worker| worker.status.as_ref()?.version.as_deref())
        .map(|version| version.trim_start_matches('v'))
        .min_by_key(|version| numbers(version))
        .unwrap_or_default()
        .to_owned()
}

fn numbers(version: &str) -> Vec<u32> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn worker(version: &str) -> WorkerCluster {
        serde_json::from_value(json!({
            "apiVersion": "kogge.dev/v1alpha1",
            "kind": "WorkerCluster",
            "metadata": { "name": "w" },
            "spec": {
                "vdc": "v",
                "kubeconfig": { "secretRef": { "name": "w" } },
                "allowedNamespaces": { "names": ["databases"] },
            },
            "status": { "version": version },
        }))
        .unwrap()
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let workers = [worker("v1.34.10"), worker("v1.34.9"), worker("v1.35.0-rc.1")];
        assert_eq!(oldest_version(&workers), "1.34.9");
        assert_eq!(oldest_version(&[]), "");
    }
}
