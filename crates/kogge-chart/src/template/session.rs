//! What one render of a template keeps and counts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::limits;
use super::marks::string_mark;

/// What one render collects and uses up.
#[derive(Debug, Default)]
pub(super) struct Session {
    strings: Mutex<Vec<String>>,
    steps: AtomicUsize,
}

impl Session {
    /// Keeps a string aside and returns its mark.
    pub(super) fn keep(&self, text: &str) -> String {
        let mut strings = self.strings.lock().unwrap_or_else(PoisonError::into_inner);
        strings.push(text.to_owned());
        string_mark(strings.len() - 1)
    }

    /// The strings that were kept aside, by the numbers of their marks.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.strings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts one tag passed or block entered.
    pub(super) fn step(&self) -> Result<(), String> {
        if self.steps.fetch_add(1, Ordering::Relaxed) < limits::STEPS {
            return Ok(());
        }
        Err(format!("more than {} tags and blocks were passed; loop over less", limits::STEPS))
    }
}
