//! What can be wrong with a chart, its values, or what it renders.

use std::fmt;

use crate::rule::Rule;

/// Where in a chart something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The chart's name and version, such as `bytedoc 1.0.0`.
    pub chart: String,
    /// The file inside the chart, such as `templates/shard.yaml.hbs`.
    pub file: String,
    /// The line in that file, counted from 1.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chart {}, {}", self.chart, self.file)?;
        self.line.map_or(Ok(()), |line| write!(f, " line {line}"))
    }
}

/// One value that the chart's schema does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path of the value, such as `values.probes.liveness`.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
    /// The layer that the value came from, where one layer set it.
    pub source: Option<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)?;
        self.source.as_ref().map_or(Ok(()), |source| write!(f, " (from {source})"))
    }
}

/// Why a chart cannot be used for what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChartError {
    /// There is no such chart, or no such version of it.
    #[error("there is no chart {wanted}: {available}")]
    NotFound {
        /// What was asked for.
        wanted: String,
        /// What there is instead, and where more can come from.
        available: String,
    },
    /// A chart's directory or file cannot be read.
    #[error("{path} cannot be read: {message}")]
    Unreadable {
        /// The path.
        path: String,
        /// The system's reason.
        message: String,
    },
    /// A file of the chart is not what it must be.
    #[error("{place}: {message}")]
    Invalid {
        /// Where.
        place: Place,
        /// What is wrong, and the mend.
        message: String,
    },
    /// The values do not fit the chart's schema.
    #[error("values do not fit chart {chart}: {}", join(.violations))]
    Values {
        /// The chart's name and version.
        chart: String,
        /// Every value that does not fit, at least one, in the order of the schema's check.
        violations: Vec<Violation>,
    },
    /// A template does not render.
    #[error("{place}: {message}")]
    Render {
        /// Where.
        place: Place,
        /// What is wrong, and the mend.
        message: String,
    },
    /// What a template renders is not an object that Kubernetes would take.
    #[error("{place}: {object}: {message}")]
    Object {
        /// Where.
        place: Place,
        /// The object's kind and name.
        object: String,
        /// The field and what is wrong with it.
        message: String,
    },
    /// What a template renders breaks a rule of Kogge's.
    #[error("{place}: {object} breaks the rule {rule:?}: {}; found {found}", .rule.demand())]
    Rule {
        /// Where.
        place: Place,
        /// The object's kind and name.
        object: String,
        /// The rule.
        rule: Rule,
        /// What the template renders instead.
        found: String,
    },
    /// The same inputs rendered two different texts.
    #[error("{place}: two renders of the same inputs differ; remove whatever in the template depends on chance")]
    NotDeterministic {
        /// Where.
        place: Place,
    },
}

impl ChartError {
    /// A stable reason for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "ChartNotFound",
            Self::Unreadable { .. } => "ChartUnreadable",
            Self::Invalid { .. } => "ChartInvalid",
            Self::Values { .. } => "ValuesInvalid",
            Self::Render { .. } | Self::NotDeterministic { .. } => "RenderFailed",
            Self::Object { .. } => "RenderedObjectInvalid",
            Self::Rule { .. } => "ChartRuleBroken",
        }
    }
}

fn join(violations: &[Violation]) -> String {
    violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
