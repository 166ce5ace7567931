//! Fields of an object that are not as Kogge applied them, and who made them so.

use std::collections::BTreeMap;
use std::fmt;

use crate::{ObjectKey, WorkerName};

/// Objects that a sentence names at most; the others are counted.
const NAMED: usize = 5;

/// A field that is not as Kogge applied it. Its words hold no values, which may be a Secret's (A12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The worker.
    pub worker: WorkerName,
    /// The object.
    pub key: ObjectKey,
    /// The field, such as `spec.replicas`.
    pub field: String,
    /// Who made it so, and what Kogge does about it.
    pub cause: Cause,
}

/// Who made a field differ, and what Kogge does about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Admission changes it whenever Kogge applies it: it is not applied again.
    Admission,
    /// Another manager owns it, and Kogge does not force it (A10).
    Owned {
        /// The manager.
        manager: String,
    },
    /// Another manager added items to a list, which an apply cannot remove.
    Extended {
        /// The manager.
        manager: String,
    },
    /// Another manager changed it, and Kogge puts it back.
    PutBack {
        /// The manager; none where the field was removed, which nobody owns then.
        manager: Option<String>,
    },
    /// `kubectl rollout restart`.
    Restart,
}

impl Drift {
    /// A stable word in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self.cause {
            Cause::Admission => "ChangedAtAdmission",
            Cause::Owned { .. } => "OwnedByOthers",
            Cause::Extended { .. } => "ExtendedByOthers",
            Cause::PutBack { .. } => "PutBack",
            Cause::Restart => "RestartDeclined",
        }
    }

    /// Whether it passes with the next write.
    pub fn is_put_back(&self) -> bool {
        matches!(self.cause, Cause::PutBack { .. })
    }
}

/// Drifts in sentences: one for each field, cause and worker, however many objects it is about.
pub fn in_words<'a>(drifts: impl IntoIterator<Item = &'a Drift>) -> Vec<String> {
    let mut objects: BTreeMap<(&WorkerName, &Cause, &str), Vec<String>> = BTreeMap::new();
    for Drift { worker, key, field, cause } in drifts {
        objects.entry((worker, cause, field.as_str())).or_default().push(key.to_string());
    }
    let sentence = |((worker, cause, field), objects): ((&WorkerName, &Cause, &str), Vec<String>)| {
        let more = objects.len().saturating_sub(NAMED);
        let named = objects[..objects.len() - more].join(", ");
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{worker}: {named}{more}: {}", words(cause, field))
    };
    objects.into_iter().map(sentence).collect()
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.worker, self.key, words(&self.cause, &self.field))
    }
}

fn words(cause: &Cause, field: &str) -> String {
    match cause {
        Cause::Admission => format!(
            "a mutating admission webhook or plugin of that cluster changes {field} whenever Kogge applies it. Kogge does \
             not apply it again. Exempt the object there (list the webhooks with `kubectl get \
             mutatingwebhookconfigurations`), or write the value of the cluster into the chart's values."
        ),
        Cause::Owned { manager } => format!(
            "{field} belongs to field manager {manager:?}, and Kogge leaves it as it is. Let that manager give the field \
             up, or write its value into the chart's values."
        ),
        Cause::Extended { manager } => format!(
            "field manager {manager:?} added to the list {field}, and server-side apply cannot remove what another \
             manager added. Remove it there."
        ),
        Cause::PutBack { manager: Some(manager) } => format!(
            "field manager {manager:?} changed {field}, and Kogge puts it back. Change the database's resource instead."
        ),
        Cause::PutBack { manager: None } => {
            format!("{field} was removed, and Kogge puts it back. Change the database's resource instead.")
        }
        Cause::Restart => format!(
            "`kubectl rollout restart` is not carried out: Kogge restarts members one at a time, and only while their \
             group keeps its majority. To restart them, change the annotations of the pods in the chart's values. To take \
             the request back, remove {field}."
        ),
    }
}
