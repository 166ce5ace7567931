//! What the runs of test programs came to.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// One run of a test program, as its output tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// How many tests passed.
    pub(crate) passed: usize,
    /// The tests that failed.
    pub(crate) failed: Vec<String>,
}

impl Outcome {
    /// Reads the lines of single tests.
    pub(crate) fn read(said: &str) -> Self {
        let mut outcome = Self::default();
        for line in said.lines() {
            // Others, such as `(should panic)`, may stand between a test's name and its result.
            let Some((name, result)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) else {
                continue;
            };
            match result.trim() {
                "ok" => outcome.passed += 1,
                "FAILED" => outcome.failed.push(name.split(" - ").next().unwrap_or(name).to_owned()),
                _ => {}
            }
        }
        outcome
    }
}

/// A test that failed at least once.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    times: u32,
    first: PathBuf,
}

/// Every test that failed, over all rounds.
#[derive(Debug, Default)]
pub(crate) struct Failures(BTreeMap<String, Failure>);

impl Failures {
    /// Counts a failure; the output of a test's first one is kept below `folder`.
    pub(crate) fn add(&mut self, folder: &Path, program: &str, test: &str, said: &str) -> anyhow::Result<()> {
        let name = format!("{program} {test}");
        if let Some(known) = self.0.get_mut(&name) {
            known.times += 1;
            return Ok(());
        }
        let first = folder.join(program).join(format!("{}.txt", test.replace("::", ".")));
        let parent = first.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        std::fs::write(&first, said).with_context(|| format!("cannot write {}", first.display()))?;
        self.0.insert(name, Failure { times: 1, first });
        Ok(())
    }

    /// How many tests failed.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, Failure { times, first }) in &self.0 {
            writeln!(f, "{times:>4} × {name}: {}", first.display())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_tests_are_read_and_others_are_not() {
        let said = "\nrunning 4 tests\ntest a::one ... ok\ntest a::two - should panic ... FAILED\n\
                    test a::three ... ignored, needs root\ntest four ... FAILED\n\nfailures:\n\n---- four stdout ----\n\
                    test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out\n";
        let outcome = Outcome::read(said);
        assert_eq!(outcome, Outcome { passed: 1, failed: vec!["a::two".to_owned(), "four".to_owned()] });
    }

    #[test]
    fn a_test_is_counted_each_time_and_its_first_output_is_kept() {
        let folder = std::env::temp_dir().join(format!("kogge-soak-{}", std::process::id()));
        let mut failures = Failures::default();
        for said in ["first", "second"] {
            failures.add(&folder, "mongosim/server", "a::b", said).unwrap();
        }
        failures.add(&folder, "mongosim/server", "c", "third").unwrap();
        let kept = folder.join("mongosim/server/a.b.txt");
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), "first");
        assert_eq!(failures.count(), 2);
        let table = failures.to_string();
        assert!(table.contains(&format!("2 × mongosim/server a::b: {}", kept.display())), "{table}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
