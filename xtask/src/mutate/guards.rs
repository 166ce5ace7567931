//! The crates whose guards are listed, and the lists.

use std::fs;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::runs::{Run, Stage};
use crate::workspace;

/// A crate with a list of its guards.
pub(super) struct Subject {
    pub(super) name: &'static str,
    /// Its tests, the least powerful and the fastest first, for guards that name none.
    pub(super) stages: &'static [Stage],
    /// What its tests read of the checkout beside it.
    pub(super) reads: &'static [&'static str],
    /// Its tests that use crates which use it in turn, and what only they use.
    pub(super) beside: Option<Beside>,
}

/// Tests that are left out of the copy, as they would test the checkout's crate through another one.
pub(super) struct Beside {
    /// The file that names their modules.
    pub(super) main: &'static str,
    pub(super) modules: &'static [&'static str],
    /// How the names of the dependencies begin that only they use.
    pub(super) dependencies: &'static [&'static str],
}

/// Cases, then random goals and explorations of the model.
const PLANNER: &[Stage] = &[
    Stage { targets: &["--lib", "--test", "planner"], tests: &["--skip", "convergence"], opt_level: "0" },
    Stage {
        targets: &["--test", "planner", "--test", "model"],
        tests: &["convergence", "exhaustive", "bounded"],
        opt_level: "2",
    },
];

pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "kogge-mongo",
        stages: PLANNER,
        reads: &[],
        beside: Some(Beside {
            main: "tests/planner/main.rs",
            modules: &["beside", "wire"],
            dependencies: &[
                "bson",
                "futures",
                "jiff",
                "k8s-openapi",
                "kogge-",
                "mongodb",
                "mongosim",
                "tempfile",
                "tokio",
            ],
        }),
    },
    Subject { name: "kogge-etcd", stages: PLANNER, reads: &[], beside: None },
    Subject {
        name: "kogge-database",
        stages: &[Stage {
            targets: &["--lib", "--test", "federated_cluster", "--test", "federated_etcd"],
            tests: &[],
            opt_level: "0",
        }],
        reads: &["charts", "crates/kogge-etcd/tests/planner/support"],
        beside: None,
    },
];

/// A guard, and a change that drops it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Guard {
    /// What it holds, as a sentence.
    #[serde(rename = "guard")]
    pub(super) sentence: String,
    /// The file below `src`.
    pub(super) file: String,
    /// What occurs once in it.
    pub(super) search: String,
    /// What takes its place.
    pub(super) replace: String,
    /// The tests that catch its loss: a program, or `lib`, and a part of their names. Without them, all are run.
    pub(super) test: Option<String>,
}

impl Subject {
    pub(super) fn guards(&self) -> anyhow::Result<Vec<Guard>> {
        let list = format!("crates/{}/mutations.yaml", self.name);
        let text =
            fs::read_to_string(workspace::root().join(&list)).with_context(|| format!("cannot read {list}"))?;
        serde_saphyr::from_str(&text).with_context(|| format!("cannot parse {list}"))
    }
}

impl Guard {
    /// The file's text with the guard dropped.
    pub(super) fn apply(&self, text: &str) -> anyhow::Result<String> {
        let found = text.matches(&self.search).count();
        ensure!(found == 1, "{}: {:?} occurs {found} times in {}", self.sentence, self.search, self.file);
        Ok(text.replace(&self.search, &self.replace))
    }

    /// The run of the tests that it names.
    pub(super) fn run(&self) -> Option<Run> {
        self.test.as_deref().map(Run::named)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_mutation_still_applies() {
        for subject in SUBJECTS {
            let guards = subject.guards().unwrap();
            assert!(guards.len() >= 20, "{}", subject.name);
            let told: BTreeSet<&str> = guards.iter().map(|guard| guard.sentence.as_str()).collect();
            assert_eq!(told.len(), guards.len(), "two guards of {} are described alike", subject.name);
            for guard in guards {
                let file = workspace::root().join("crates").join(subject.name).join("src").join(&guard.file);
                let text = fs::read_to_string(&file).unwrap();
                assert_ne!(guard.apply(&text).unwrap(), text, "{} changes nothing", guard.sentence);
            }
        }
    }
}
