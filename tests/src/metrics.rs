//! What the operator's own metrics say of a database.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use http::{Request, Uri};
use kube::{Client, Config};

use crate::Database;

/// A line of the metrics.
#[derive(Debug)]
pub(crate) struct Sample<'a> {
    pub(crate) name: &'a str,
    pub(crate) labels: BTreeMap<&'a str, &'a str>,
    pub(crate) value: f64,
}

/// The version of each replica set's config, and how often each kind of step was carried out on it. The version rises with
/// every reconfiguration and with nothing else, so two that are equal had no config between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configs {
    versions: BTreeMap<String, i64>,
    steps: BTreeMap<(String, String), i64>,
}

/// The steps that change no replica set's config.
const NO_RECONFIGURATIONS: [&str; 4] = ["StepDown", "RestartPod", "StopBalancer", "StartBalancer"];

impl Database<'_> {
    /// The operator's metrics as text.
    pub(crate) async fn metrics(&self) -> anyhow::Result<String> {
        let api_server: Uri = self.harness.lab.control().api_server().parse()?;
        let host = api_server.host().context("the API server's URL has no host")?;
        let client = Client::try_from(Config::new(format!("http://{host}:8080").parse()?))?;
        Ok(client.request_text(Request::get("/metrics").body(Vec::new())?).await?)
    }

    /// Its configs at present.
    pub async fn configs(&self) -> anyhow::Result<Configs> {
        Ok(Configs::of(&self.metrics().await?, &format!("{}/{}", self.namespace, self.name)))
    }
}

impl Configs {
    fn of(metrics: &str, cluster: &str) -> Self {
        let (mut versions, mut steps) = (BTreeMap::new(), BTreeMap::new());
        for sample in samples(metrics, cluster) {
            let label = |key| sample.labels.get(key).map(|value| (*value).to_owned());
            let Some(set) = label("group") else { continue };
            match (sample.name, label("step")) {
                ("kogge_group_config_version", _) => {
                    versions.insert(set, sample.value as i64);
                }
                ("kogge_engine_steps_total", Some(step)) => {
                    *steps.entry((set, step)).or_default() += sample.value as i64;
                }
                _ => {}
            }
        }
        Self { versions, steps }
    }

    /// Fails unless every set had the same config all the time since, and no step was even tried that changes one.
    pub fn are_unchanged_since(&self, before: &Self) -> anyhow::Result<()> {
        ensure!(!self.versions.is_empty(), "no version of a config is known");
        ensure!(self.versions == before.versions, "{:?} were {:?}", self.versions, before.versions);
        for (step, count) in &self.steps {
            let earlier = before.steps.get(step).copied().unwrap_or_default();
            let harmless = NO_RECONFIGURATIONS.contains(&step.1.as_str());
            ensure!(harmless || *count == earlier, "{} was tried on {}", step.1, step.0);
        }
        Ok(())
    }
}

/// The samples about a database.
pub(crate) fn samples<'a>(metrics: &'a str, cluster: &str) -> impl Iterator<Item = Sample<'a>> {
    metrics.lines().filter_map(read).filter(move |sample| sample.labels.get("cluster") == Some(&cluster))
}

fn read(line: &str) -> Option<Sample<'_>> {
    let (name, rest) = line.split_once('{')?;
    let (labels, value) = rest.rsplit_once("} ")?;
    let labels = labels.split("\",").filter_map(|label| label.trim_end_matches('"').split_once("=\""));
    Some(Sample { name, labels: labels.collect(), value: value.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configs(version: u32, demoted: u32, restarted: u32) -> Configs {
        let set = r#"cluster="scratch/db",group="db-shard-0""#;
        let text = format!(
            "kogge_group_config_version{{{set}}} {version}.0\n\
             kogge_group_config_version{{cluster=\"scratch/other\",group=\"db-shard-0\"}} 9.0\n\
             kogge_engine_steps_total{{{set},step=\"Demote\",outcome=\"Failed\"}} {demoted}\n\
             kogge_engine_steps_total{{{set},step=\"RestartPod\",outcome=\"Done\"}} {restarted}\n# EOF\n"
        );
        Configs::of(&text, "scratch/db")
    }

    #[test]
    fn a_config_or_a_step_more_is_a_change_and_a_restart_is_none() {
        let before = configs(7, 1, 3);
        configs(7, 1, 9).are_unchanged_since(&before).unwrap();
        configs(8, 1, 3).are_unchanged_since(&before).unwrap_err();
        let told = configs(7, 2, 3).are_unchanged_since(&before).unwrap_err().to_string();
        assert_eq!(told, "Demote was tried on db-shard-0");
    }
}
