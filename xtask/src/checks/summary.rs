//! What test programs counted together.

use std::fmt;
use std::ops::AddAssign;

/// Counts of tests, and the programs that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    programs: u32,
    passed: u32,
    failed: u32,
    ignored: u32,
    failed_programs: Vec<String>,
}

impl Summary {
    /// Takes in what a program printed and how it ended. One that ends badly without a failed test has failed
    /// itself, and counts as one test.
    pub(crate) fn add(&mut self, program: &str, said: &str, succeeded: bool) {
        let before = self.failed;
        said.lines().for_each(|line| self.add_line(line));
        self.programs += 1;
        if !succeeded {
            self.failed = self.failed.max(before + 1);
            self.failed_programs.push(program.to_owned());
        }
    }

    /// Whether every program ended well.
    pub(crate) fn succeeded(&self) -> bool {
        self.failed == 0 && self.failed_programs.is_empty()
    }

    /// Adds the closing line of a test program; other lines count nothing.
    fn add_line(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        for part in counts.split([';', '.']) {
            let mut words = part.split_whitespace();
            if let (Some(Ok(count)), Some(what)) = (words.next().map(str::parse::<u32>), words.next()) {
                match what {
                    "passed" => self.passed += count,
                    "failed" => self.failed += count,
                    "ignored" => self.ignored += count,
                    _ => {}
                }
            }
        }
    }
}

impl AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        self.programs += other.programs;
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.failed_programs.extend(other.failed_programs);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { programs, passed, failed, ignored, failed_programs } = self;
        for program in failed_programs {
            writeln!(f, "failed: {program}")?;
        }
        write!(f, "{programs} test programs\ntests: {passed} passed, {failed} failed, {ignored} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: &str = "test a::b ... ok\n\
        test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
    const FAILED: &str =
        "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.50s";

    #[test]
    fn closing_lines_add_up() {
        let mut summary = Summary::default();
        summary.add("kogge-plan/lib", FINE, true);
        assert!(summary.succeeded());
        summary.add("kogge-plan/rules", FAILED, false);
        assert!(!summary.succeeded());
        assert_eq!(
            summary.to_string(),
            "failed: kogge-plan/rules\n2 test programs\ntests: 15 passed, 2 failed, 1 skipped"
        );
    }

    #[test]
    fn a_program_that_dies_has_failed() {
        let mut summary = Summary::default();
        summary.add("kogge-plan/rules", "test a::b ... ok\n", false);
        assert_eq!(
            summary.to_string(),
            "failed: kogge-plan/rules\n1 test programs\ntests: 0 passed, 1 failed, 0 skipped"
        );
    }
}
