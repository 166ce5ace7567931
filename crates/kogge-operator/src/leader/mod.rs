//! One writer (A7): leadership by a Lease, judged on the monotonic clock.
//!
//! Wall clocks of two machines are never compared. Whoever waits for the Lease measures, on its own monotonic
//! clock, how long the record has not changed; whoever holds it stops well before anybody else may take it.
//! This is the rule of client-go's `leaderelection` package.

mod elector;
mod record;

pub use elector::{Elector, ElectorError, Leadership};
pub use record::Timing;
