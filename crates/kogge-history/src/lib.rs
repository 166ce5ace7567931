//! Whether a store kept its word, judged by the answers that its clients got.
//!
//! A [`history::History`] says what clients asked of one register per key, when, and what came of it. It is
//! written by [`workload::drive()`], which sends operations to a [`workload::Register`], and kept as lines of JSON
//! ([`format`]). [`check::check()`] says whether the answers are those of one linearizable store: whether each
//! operation can have taken effect at one moment between its call and its return.
//!
//! [`history`], [`format`], [`check`] and [`summary`] are pure: no files, no clock, no randomness. Only [`workload`]
//! does IO, through the register and the recorder that it is given.
//!
//! ```
//! use kogge_history::check::{Limits, Verdict, check};
//! use kogge_history::format;
//! use kogge_history::history::History;
//!
//! let text = r#"{"event":"call","at":10,"client":"a","key":"k","operation":{"put":{"value":"a.1"}}}
//! {"event":"return","at":20,"client":"a","outcome":{"ok":{"effect":"written"}}}
//! {"event":"call","at":30,"client":"b","key":"k","operation":"get"}
//! {"event":"return","at":40,"client":"b","outcome":{"ok":{"effect":{"held":null}}}}
//! "#;
//! let history = History::new(format::read(text)?)?;
//! let Verdict::NotLinearizable(conflicts) = check(&history, &Limits::default()) else {
//!     return Err("a stale read was missed".into());
//! };
//! assert_eq!(conflicts[0].key, "k");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod check;
pub mod format;
pub mod history;
pub mod summary;
pub mod workload;
