//! What can go wrong while a lab is made, used or ended.

use std::time::Duration;

/// Result with a [`LabError`].
pub type Result<T, E = LabError> = std::result::Result<T, E>;

/// A failure of the lab; each says what to do about it where something can be done.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A file or process operation of the operating system failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A command ended with an error.
    #[error("`{command}` failed ({status}): {stderr}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status.
        status: String,
        /// The end of its standard error.
        stderr: String,
    },
    /// A condition did not come true in time.
    #[error("{what}: not reached within {}s; last seen: {last}", deadline.as_secs())]
    Timeout {
        /// The condition.
        what: String,
        /// How long it was waited for.
        deadline: Duration,
        /// What the last look showed.
        last: String,
    },
    /// A component ended while it was needed.
    #[error("{cluster}: {component} ended: {last_words} (see {})", log.display())]
    Ended {
        /// The cluster.
        cluster: String,
        /// The component.
        component: &'static str,
        /// Its log.
        log: std::path::PathBuf,
        /// The log's last line.
        last_words: String,
    },
    /// The machine lacks something; the text says what and how to go on.
    #[error("{0}")]
    Missing(String),
    /// A name or value given by the caller cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// An API server refused or did not answer.
    #[error("cluster {cluster}: {source}")]
    Kube {
        /// The cluster's name.
        cluster: String,
        /// The client's error.
        source: Box<kube::Error>,
    },
    /// A certificate could not be made.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A document of the lab could not be written or read.
    #[error("{what}: {message}")]
    Document {
        /// Which document.
        what: String,
        /// What is wrong with it.
        message: String,
    },
}

impl LabError {
    /// Wraps a client error of `cluster`.
    pub(crate) fn kube(cluster: &str, source: kube::Error) -> Self {
        Self::Kube { cluster: cluster.to_owned(), source: Box::new(source) }
    }

    /// A document that cannot be written or read.
    pub(crate) fn document(what: impl Into<String>, message: impl std::fmt::Display) -> Self {
        Self::Document { what: what.into(), message: message.to_string() }
    }
}

/// Adds what was tried to an operating-system error.
pub(crate) trait IoContext<T> {
    /// Names the operation that failed.
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> IoContext<T> for std::io::Result<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| LabError::Io { what: what(), source })
    }
}
