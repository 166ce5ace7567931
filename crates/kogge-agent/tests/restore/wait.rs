//! Waiting on conditions.

use std::thread::sleep;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(5);
const DEADLINE: Duration = Duration::from_mins(1);

/// Looks until `probe` finds what it looks for; its error says what is missing.
pub(crate) fn until<T>(what: &str, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match probe() {
            Ok(found) => return found,
            Err(missing) => assert!(begun.elapsed() < DEADLINE, "{what}: not reached; last seen: {missing}"),
        }
        sleep(POLL);
    }
}
