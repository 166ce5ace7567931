//! Why a text is not read.

use std::fmt;

/// Why a text is not read as YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct YamlError {
    /// The line, counted from 1.
    pub line: usize,
    /// The path of the value, such as `spec.values.umask`; none where the text is no YAML at all.
    pub path: Option<String>,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl YamlError {
    /// The text is no YAML.
    pub(super) fn structure(line: usize, message: String) -> Self {
        Self { line, path: None, message }
    }

    /// A value is not read.
    pub(super) fn value(line: usize, path: &str, message: String) -> Self {
        Self { line, path: Some(path.to_owned()), message }
    }

    /// What is wrong, with the path and without the line.
    pub fn detail(&self) -> String {
        match self.path.as_deref() {
            Some("") | None => self.message.clone(),
            Some(path) => format!("{path}: {}", self.message),
        }
    }
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.detail())
    }
}
