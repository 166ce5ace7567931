//! Writes a history while it happens.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use thiserror::Error;

use crate::format;
use crate::history::{Operation, Outcome};

/// Takes the calls and returns of all clients. Every line is handed on at once and whole, so what was written is there
/// when the process is killed.
#[derive(Debug)]
pub struct Recorder<W>(Mutex<W>);

/// A history cannot be written.
#[derive(Debug, Error)]
pub enum RecordError {
    /// A line cannot be made.
    #[error("a line of the history cannot be made: {0}")]
    Line(#[from] serde_json::Error),
    /// A line cannot be written.
    #[error("a line of the history cannot be written: {0}")]
    Write(#[from] io::Error),
}

impl<W: Write> Recorder<W> {
    /// Writes to an empty file.
    pub fn new(file: W) -> Self {
        Self(Mutex::new(file))
    }

    /// Writes a call. An operation must not be sent before.
    pub fn call(&self, at: u64, client: &str, key: &str, operation: &Operation) -> Result<(), RecordError> {
        self.write(&format::call(at, client, key, operation)?)
    }

    /// Writes a return.
    pub fn returned(&self, at: u64, client: &str, outcome: &Outcome) -> Result<(), RecordError> {
        self.write(&format::returned(at, client, outcome)?)
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, line: &str) -> Result<(), RecordError> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes())?;
        Ok(file.flush()?)
    }
}
