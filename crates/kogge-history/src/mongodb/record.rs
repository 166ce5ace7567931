//! The file of what was acknowledged.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

/// Takes the numbers of acknowledged writes, each with its line break, so that a line that is cut off by a
/// crash is told from a whole one.
pub(crate) struct Record(File);

impl Record {
    /// Opens the file to add to it.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(path);
        Ok(Self(file.with_context(|| format!("cannot write {}", path.display()))?))
    }

    /// Adds a number.
    pub(crate) fn add(&mut self, n: i64) -> anyhow::Result<()> {
        self.0.write_all(format!("{n}\n").as_bytes()).context("cannot add to the record")
    }
}

/// The numbers in the file.
pub(crate) fn read(path: &Path) -> anyhow::Result<BTreeSet<i64>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text)
}

fn parse(text: &str) -> anyhow::Result<BTreeSet<i64>> {
    text.split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'))
        .map(|line| line.parse().with_context(|| format!("{line:?} in the record is no number")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_off_does_not_count() -> anyhow::Result<()> {
        assert_eq!(parse("1\n2\n30")?, BTreeSet::from([1, 2]));
        assert!(parse("1\nx\n").is_err());
        Ok(())
    }
}
