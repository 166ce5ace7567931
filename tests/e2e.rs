//! The operator on real clusters: one database after another forms, grows, changes, is hurt, and ends.
//!
//! `cargo test -p kogge-e2e --test e2e [FILTER]`. With `KOGGE_E2E_KEEP` set the lab `e2e` is left standing, and
//! taken as it is by the next run; `KOGGE_E2E_SEED` repeats the random moments of an earlier run; with `KOGGE_E2E_SOAK` set the
//! long cases are shown instead.

mod cases;

use std::process::ExitCode;

use kogge_e2e::Suite;

fn main() -> anyhow::Result<ExitCode> {
    let cases = if std::env::var_os("KOGGE_E2E_SOAK").is_some() { cases::long() } else { cases::all() };
    Ok(Suite::new()?.run(cases))
}
