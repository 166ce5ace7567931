//! Which tests are run, and what they come to.

use std::collections::BTreeSet;
use std::time::Duration;

/// A mutation may make a test run for ever.
pub(super) const LIMIT: Duration = Duration::from_mins(5);

/// A group of tests.
pub(super) struct Stage {
    pub(super) targets: &'static [&'static str],
    /// What the tests themselves are told to run.
    pub(super) tests: &'static [&'static str],
    /// Few and short tests are built faster than they are run.
    pub(super) opt_level: &'static str,
}

/// A call of `cargo test`.
pub(super) struct Run {
    pub(super) targets: Vec<String>,
    pub(super) tests: Vec<String>,
    pub(super) opt_level: &'static str,
}

impl From<&Stage> for Run {
    fn from(stage: &Stage) -> Self {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self { targets: owned(stage.targets), tests: owned(stage.tests), opt_level: stage.opt_level }
    }
}

impl Run {
    /// The tests of a program, or of the `lib`, whose names hold any of the words that follow.
    pub(super) fn named(test: &str) -> Self {
        let mut words = test.split_whitespace().map(str::to_owned);
        let target = match words.next() {
            Some(program) if program != "lib" => vec!["--test".to_owned(), program],
            _ => vec!["--lib".to_owned()],
        };
        Self { targets: target, tests: words.collect(), opt_level: "0" }
    }
}

/// What tests came to.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) failed: BTreeSet<String>,
    /// They did not end within [`LIMIT`].
    pub(super) endless: bool,
}

impl Outcome {
    /// Reads the names of the tests that failed from what their programs said.
    pub(super) fn read(said: &str) -> Self {
        let indented = said.lines().filter_map(|line| line.strip_prefix("    "));
        let failed = indented.filter(|line| line.contains("::") && !line.contains(' ')).map(str::to_owned);
        Self { failed: failed.collect(), endless: false }
    }

    /// No test told the loss.
    pub(super) fn is_missed(&self) -> bool {
        self.failed.is_empty() && !self.endless
    }

    /// With what other tests came to.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.failed.extend(other.failed);
        Self { endless: self.endless || other.endless, ..self }
    }

    /// The first few tests, and how many more.
    pub(super) fn summary(&self) -> String {
        let named: Vec<String> = self.failed.iter().take(3).map(|test| format!("`{test}`")).collect();
        match self.failed.len().saturating_sub(named.len()) {
            0 if named.is_empty() && self.endless => {
                format!("no test that fails; one does not end within {} s", LIMIT.as_secs())
            }
            0 if named.is_empty() => "**nothing**".to_owned(),
            0 => named.join(", "),
            more => format!("{} and {more} more", named.join(", ")),
        }
    }
}
