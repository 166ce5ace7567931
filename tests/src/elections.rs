//! How many elections there were, and how many hand-overs, as the operator's own metrics tell it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;

use crate::Database;
use crate::metrics::{Sample, samples};

/// What an election takes at most by the protocol's own timers: ten seconds without a heartbeat, and its jitter.
pub const ELECTION: Duration = Duration::from_secs(12);

/// Each set's term, and how often its primary stepped down because Kogge asked for it.
#[derive(Debug)]
pub struct Elections(BTreeMap<String, Office>);

#[derive(Clone, Copy, Debug, Default)]
struct Office {
    term: i64,
    step_downs: i64,
}

impl Database<'_> {
    /// Counts them at present.
    pub async fn elections(&self) -> anyhow::Result<Elections> {
        Ok(Elections::of(&self.metrics().await?, &format!("{}/{}", self.namespace, self.name)))
    }
}

impl Elections {
    fn of(metrics: &str, cluster: &str) -> Self {
        let mut sets: BTreeMap<String, Office> = BTreeMap::new();
        for Sample { name, labels, value } in samples(metrics, cluster) {
            let label = |key| labels.get(key).copied();
            let Some(set) = label("group") else { continue };
            let office = sets.entry(set.to_owned()).or_default();
            match name {
                "kogge_group_config_term" => office.term = value as i64,
                "kogge_engine_steps_total"
                    if label("step") == Some("StepDown") && label("outcome") == Some("Done") =>
                {
                    office.step_downs = value as i64;
                }
                _ => {}
            }
        }
        Self(sets)
    }

    /// Fails unless every set had as many elections since as hand-overs, and there was one at all. A hand-over whose
    /// heir was not elected at once waits for an election's timeout, and takes two.
    pub fn were_hand_overs_since(&self, before: &Self) -> anyhow::Result<()> {
        let mut hand_overs = 0;
        for (set, now) in &self.0 {
            let before = before.0.get(set).copied().unwrap_or_default();
            let (elections, asked) = (now.term - before.term, now.step_downs - before.step_downs);
            ensure!(elections == asked, "{set}: {elections} elections for {asked} hand-overs");
            hand_overs += asked;
        }
        ensure!(hand_overs > 0, "nobody handed over");
        println!("{hand_overs} hand-overs, each with one election");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(term: u32, step_downs: u32) -> Elections {
        let set = r#"cluster="scratch/db",group="db-shard-0""#;
        let text = format!(
            "# TYPE kogge_group_config_term gauge\nkogge_group_config_term{{{set}}} {term}.0\n\
             kogge_group_config_term{{cluster=\"scratch/other\",group=\"db-shard-0\"}} 9.0\n\
             kogge_engine_steps_total{{{set},step=\"StepDown\",outcome=\"Done\"}} {step_downs}\n\
             kogge_engine_steps_total{{{set},step=\"StepDown\",outcome=\"Failed\"}} 7\n# EOF\n"
        );
        Elections::of(&text, "scratch/db")
    }

    #[test]
    fn an_election_more_than_hand_overs_is_told() {
        let before = counted(2, 1);
        counted(4, 3).were_hand_overs_since(&before).unwrap();
        let told = counted(5, 3).were_hand_overs_since(&before).unwrap_err().to_string();
        assert_eq!(told, "db-shard-0: 3 elections for 2 hand-overs");
        counted(2, 1).were_hand_overs_since(&before).unwrap_err();
    }
}
