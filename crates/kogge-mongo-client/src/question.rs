//! Questions to servers that may not answer. A server that was silent the last time is asked in the
//! background: the others do not wait for its deadline again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kogge_mongo::{Millis, PodName};
use parking_lot::Mutex;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::engine::MEMBER_DEADLINE;
use crate::error::CommandError;

/// How long an observation waits for a server that was silent the last time.
const PATIENCE: Duration = Duration::from_millis(300);

/// Why a server is silent, and since when.
#[derive(Clone)]
pub(crate) struct Silence {
    pub(crate) reason: String,
    pub(crate) since: Millis,
    identity: Option<String>,
}

struct Open<T> {
    identity: Option<String>,
    asked_at: Millis,
    answer: AbortOnDropHandle<Result<T, CommandError>>,
}

/// The questions to one kind of server.
pub(crate) struct Questions<T> {
    open: Mutex<BTreeMap<PodName, Open<T>>>,
    silent: Mutex<BTreeMap<PodName, Silence>>,
}

impl<T> Default for Questions<T> {
    fn default() -> Self {
        Self { open: Mutex::default(), silent: Mutex::default() }
    }
}

impl<T: Send + 'static> Questions<T> {
    /// Asks, or goes on waiting for the answer to the question that is open. Returns the answer and when it
    /// was asked for. `identity` is what stands behind the pod's name: another one is asked anew.
    pub(crate) async fn ask<F>(
        &self,
        pod: &PodName,
        identity: Option<String>,
        now: Millis,
        question: impl FnOnce() -> F,
    ) -> Result<(T, Millis), Silence>
    where
        F: Future<Output = Result<T, CommandError>> + Send + 'static,
    {
        let known = self.silent.lock().get(pod).filter(|silence| silence.identity == identity).cloned();
        let open = self.open.lock().remove(pod).filter(|open| open.identity == identity);
        let mut open = open.unwrap_or_else(|| Open {
            identity: identity.clone(),
            asked_at: now,
            answer: AbortOnDropHandle::new(tokio::spawn(in_time(question()))),
        });
        let answer = if let Some(silence) = known {
            let Ok(answer) = timeout(PATIENCE, &mut open.answer).await else {
                self.open.lock().insert(pod.clone(), open);
                return Err(silence);
            };
            answer
        } else {
            (&mut open.answer).await
        };
        match answer {
            Ok(Ok(answer)) => {
                self.silent.lock().remove(pod);
                Ok((answer, open.asked_at))
            }
            Ok(Err(error)) => Err(self.remember(pod, identity, error.to_string(), now)),
            Err(ended) => Err(self.remember(pod, identity, ended.to_string(), now)),
        }
    }

    /// Gives up the questions to pods that are not wanted any more.
    pub(crate) fn keep_only(&self, pods: &BTreeSet<&PodName>) {
        self.open.lock().retain(|pod, _| pods.contains(pod));
        self.silent.lock().retain(|pod, _| pods.contains(pod));
    }

    fn remember(&self, pod: &PodName, identity: Option<String>, reason: String, now: Millis) -> Silence {
        let mut silent = self.silent.lock();
        let since = silent.get(pod).map_or(now, |silence| silence.since);
        let silence = Silence { reason, since, identity };
        silent.insert(pod.clone(), silence.clone());
        silence
    }
}

async fn in_time<T>(question: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    let late =
        || CommandError::Unreachable { reason: format!("no answer within {} s", MEMBER_DEADLINE.as_secs()) };
    timeout(MEMBER_DEADLINE, question).await.unwrap_or_else(|_| Err(late()))
}
