//! What the log says of servers and clusters that stop answering: one line for each change, and none while nothing
//! changes. The client libraries' own lines, dozens a second and without a name, are left out by [`LOG`](crate::settings::LOG).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use kogge_engine::{Heard, Millis, PodName};
use parking_lot::Mutex;
use tracing::{info, warn};

/// What became of something that is asked again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    /// It does not answer any more.
    Lost {
        /// Why, as it was told.
        reason: String,
    },
    /// It answers again.
    Back {
        /// How long it did not.
        after: Duration,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { reason } => write!(f, "is unreachable: {reason}"),
            Self::Back { after } => write!(f, "is reachable again after {} s", after.as_secs()),
        }
    }
}

/// Since when each of some things does not answer; none while it does.
#[derive(Debug)]
struct Known<K>(BTreeMap<K, Option<Millis>>);

impl<K> Default for Known<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone> Known<K> {
    /// Takes in how it is now. `silent` says why it does not answer, if it does not. What was never seen to answer is
    /// not lost, but `is_due` where it should.
    fn change(&mut self, name: &K, silent: Option<&str>, is_due: bool, now: Millis) -> Option<Change> {
        let before = self.0.get(name).copied();
        match (before, silent) {
            (None | Some(None), None) => {
                self.0.insert(name.clone(), None);
                None
            }
            (Some(Some(_)), Some(_)) => None,
            (Some(Some(since)), None) => {
                self.0.insert(name.clone(), None);
                Some(Change::Back { after: Duration::from_millis(now.saturating_sub(since)) })
            }
            (None, Some(_)) if !is_due => None,
            (None | Some(None), Some(reason)) => {
                self.0.insert(name.clone(), Some(now));
                Some(Change::Lost { reason: reason.to_owned() })
            }
        }
    }
}

/// What answered last, over all workers and databases. It is lost with the process, and nothing rests on it.
#[derive(Debug, Default)]
pub struct Reachability {
    workers: Mutex<Known<String>>,
    servers: Mutex<BTreeMap<String, Known<PodName>>>,
}

impl Reachability {
    /// Logs where a worker's API server stopped answering, or answers again.
    pub(crate) fn of_worker(&self, worker: &str, silent: Option<&str>, now: Millis) {
        let change = self.workers.lock().change(&worker.to_owned(), silent, true, now);
        log(&format!("worker {worker}"), change);
    }

    /// Forgets a worker that is gone.
    pub(crate) fn worker_gone(&self, worker: &str) {
        self.workers.lock().0.remove(worker);
    }

    /// Logs which of a database's members and routers stopped answering, or answer again. One that starts for the
    /// first time was not lost.
    pub(crate) fn of_database(&self, database: &str, servers: &[Heard], now: Millis) {
        let mut databases = self.servers.lock();
        let known = databases.entry(database.to_owned()).or_default();
        let asked: BTreeSet<&PodName> = servers.iter().map(|server| &server.pod).collect();
        known.0.retain(|pod, _| asked.contains(pod));
        for Heard { pod, kind, silent } in servers {
            log(&format!("{kind} {pod} of {database}"), known.change(pod, silent.as_deref(), false, now));
        }
    }

    /// Forgets a database that is gone.
    pub(crate) fn database_gone(&self, database: &str) {
        self.servers.lock().remove(database);
    }
}

fn log(subject: &str, change: Option<Change>) {
    match change {
        Some(lost @ Change::Lost { .. }) => warn!("{subject} {lost}"),
        Some(back @ Change::Back { .. }) => info!("{subject} {back}"),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines for one thing that is asked once a second.
    fn lines(is_due: bool, answers: &[Option<&str>]) -> Vec<String> {
        let mut known = Known::default();
        let changes =
            (0..).zip(answers).map(|(second, silent)| known.change(&"it", *silent, is_due, second * 1000));
        changes.flatten().map(|change| change.to_string()).collect()
    }

    #[test]
    fn one_line_for_each_change_and_none_between() {
        let answers =
            [None, None, Some("no answer within 5 s"), Some("connection refused"), Some("no answer"), None, None];
        assert_eq!(
            lines(true, &answers),
            ["is unreachable: no answer within 5 s", "is reachable again after 3 s"],
            "another reason is no change"
        );
    }

    #[test]
    fn what_should_answer_is_missed_from_the_first_time_on() {
        let answers = [Some("the connection failed"), Some("the connection failed"), None];
        assert_eq!(
            lines(true, &answers),
            ["is unreachable: the connection failed", "is reachable again after 2 s"]
        );
    }

    #[test]
    fn what_starts_for_the_first_time_was_not_lost() {
        assert_eq!(lines(false, &[Some("it has no pod"), Some("it has no pod"), None]), Vec::<String>::new());
        assert_eq!(lines(false, &[Some("it has no pod"), None, Some("gone")]), ["is unreachable: gone"]);
    }
}
