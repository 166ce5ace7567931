//! How long the verdict on 100,000 operations of 10 clients on 5 keys takes.

#[path = "../tests/support/generate.rs"]
mod generate;

use std::time::Instant;

use kogge_history::check::{Limits, check};
use kogge_history::history::{History, InvalidHistory};

const OPERATIONS: usize = 100_000;

fn main() -> Result<(), InvalidHistory> {
    for (what, with_revisions, overlap, unknown) in [
        ("with revisions, 2% unknown", true, 50, 20),
        ("without revisions, 2% unknown", false, 50, 20),
        ("with revisions, 20% unknown", true, 50, 200),
        ("without revisions, 20% unknown", false, 50, 200),
        ("without revisions, 40 clients", false, 200, 20),
    ] {
        if !std::env::args().any(|argument| argument == "--bench" || what.contains(&argument)) {
            continue;
        }
        let choices = generate::choices(1, OPERATIONS, 5, overlap, unknown);
        let history = History::new(generate::entries(&choices, with_revisions))?;
        let start = Instant::now();
        let verdict = check(&history, &Limits::default());
        println!("{what}: {verdict} after {} ms", start.elapsed().as_millis());
    }
    Ok(())
}
