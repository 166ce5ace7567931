//! The labs that tests may leave when they are stopped half-way.

use std::collections::BTreeSet;

use kogge_lab::Lab;

use crate::interrupt::unless_interrupted;
use crate::setup::blocking;

/// The labs of tests, by the names that the tests give them. They end them themselves, unless they are killed.
const LABS: [&str; 6] = ["api-rules", "cli", "e2e", "fleet-api", "lab-tests", "lab-tests-api"];

/// Does the work until it ends or is interrupted, and ends the labs of tests that it leaves.
pub(crate) async fn end_after(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    // Somebody may keep one to look at it.
    let before = standing();
    let result = unless_interrupted(work).await;
    for name in standing().into_iter().filter(|name| !before.contains(name)) {
        println!("ending the lab {name}");
        blocking(move || Lab::end(&name)).await?;
    }
    result
}

fn standing() -> BTreeSet<String> {
    Lab::standing().into_iter().filter(|name| LABS.contains(&name.as_str())).collect()
}
