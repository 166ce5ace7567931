//! Clients that work on a store and record what it tells them.
//!
//! The store is behind [`Register`]: what a client library has to do is to carry out one operation, and to tell an
//! error after which it certainly had no effect from one after which nobody knows.

mod clock;
mod drive;
mod generator;
mod recorder;
mod register;

pub use clock::{Clock, ClockError, Monotonic};
pub use drive::{Client, Plan, drive};
pub use generator::{Generator, Mix};
pub use recorder::{RecordError, Recorder};
pub use register::{Failure, Register};
