//! How old an observation may be, and how often it must be made.

/// Milliseconds on the caller's monotonic clock; only differences mean anything.
pub type Millis = u64;

/// An observation older than this counts as unknown.
pub const OBSERVATION_MAX_AGE: Millis = 30_000;

/// A state that costs a member its vote or its `_id`, or that proves it empty, has been observed so many times in a row.
pub const OBSERVATIONS_TO_BELIEVE: u32 = 3;
