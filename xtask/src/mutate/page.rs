//! The page that says what catches the loss of each guard.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, bail};

use super::Trial;
use super::guards::{Guard, SUBJECTS, Subject};
use crate::workspace;

const PAGE: &str = "docs/engine/mutations.md";
/// Where the page's tables begin; what stands above is written by hand.
const TABLES: &str = "<!-- written by `cargo xtask mutate` -->\n";

/// Writes a row for each guard of each list: what its trial came to, or what the page says of it so far.
pub(super) fn write(tried: &Subject, trials: &[Trial]) -> anyhow::Result<()> {
    let page = workspace::root().join(PAGE);
    let text = fs::read_to_string(&page).with_context(|| format!("cannot read {PAGE}"))?;
    let Some((above, tables)) = text.split_once(TABLES) else { bail!("{PAGE} has no line {TABLES}") };
    let mut text = format!("{above}{TABLES}");
    for subject in SUBJECTS {
        let heading = format!("### `{}`\n", subject.name);
        let before =
            tables.split_once(&heading).map_or("", |(_, rows)| rows.split("\n###").next().unwrap_or_default());
        let trials = if subject.name == tried.name { trials } else { &[] };
        writeln!(text, "\n{heading}\n| Guard | In | Dropped, it is caught by |\n|---|---|---|")?;
        for Guard { sentence: guard, file, .. } in subject.guards()? {
            let start = format!("| {guard} | `{file}` | ");
            let outcome =
                trials.iter().find(|trial| trial.guard.sentence == guard).and_then(|trial| trial.outcome.as_ref());
            match (outcome, before.lines().find(|row| row.starts_with(&start))) {
                (Some(outcome), _) => writeln!(text, "{start}{} |", outcome.summary())?,
                (None, Some(row)) => writeln!(text, "{row}")?,
                (None, None) => writeln!(text, "{start}not tried yet |")?,
            }
        }
    }
    fs::write(page, text)?;
    Ok(())
}
