//! The cases on real clusters that are too long for every run of the tests.

use crate::cargo::cargo;
use crate::checks::labs;
use crate::command::run as run_command;

/// Set where the suite shows its long cases instead of the others.
const SOAK: &str = "KOGGE_E2E_SOAK";

/// Runs them; the lab goes with them, also when they are interrupted.
pub(crate) async fn run() -> anyhow::Result<()> {
    let mut tests = cargo(&["test", "--locked", "--workspace", "--test", "e2e"]);
    tests.env(SOAK, "1");
    labs::end_after(run_command(tests)).await
}
