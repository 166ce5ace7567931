//! Questions to servers that may not answer. A server that was silent the last time is asked in the background: the
//! others do not wait for its deadline again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::time::Duration;

use kogge_api::hysteresis::{ANSWERS_TO_RECOVER, Answered, Hysteresis};
use kogge_engine::{Millis, PodName};
use parking_lot::Mutex;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// How long an observation waits for a server that was silent the last time.
const PATIENCE: Duration = Duration::from_millis(300);

/// Why a server is silent, and since when.
#[derive(Clone, Debug)]
pub struct Silence {
    /// Why, in words.
    pub reason: String,
    /// Since when, on the clock of the observations.
    pub since: Millis,
    identity: Option<String>,
    /// A server that had answered before fell silent; one that never had is well with its first answer.
    health: Hysteresis,
}

struct Open<T> {
    identity: Option<String>,
    asked_at: Millis,
    answer: AbortOnDropHandle<Result<T, String>>,
}

/// The questions to the servers of one database.
pub struct Questions<T> {
    /// One server's observation ends by then; a server without an answer costs the others nothing, because all are asked
    /// at once.
    deadline: Duration,
    open: Mutex<BTreeMap<PodName, Open<T>>>,
    silent: Mutex<BTreeMap<PodName, Silence>>,
    /// What was behind a pod's name when it answered last.
    answered: Mutex<BTreeMap<PodName, Option<String>>>,
}

impl<T: Send + 'static> Questions<T> {
    /// Questions that are answered within `deadline`, or not at all.
    pub fn within(deadline: Duration) -> Self {
        Self { deadline, open: Mutex::default(), silent: Mutex::default(), answered: Mutex::default() }
    }

    /// Asks, or goes on waiting for the answer to the question that is open. Returns the answer and when it was asked
    /// for. `identity` is what is behind the pod's name: another one is a new question.
    pub async fn ask<F, E>(
        &self,
        pod: &PodName,
        identity: Option<String>,
        now: Millis,
        question: impl FnOnce() -> F,
    ) -> Result<(T, Millis), Silence>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let known = self.silent.lock().get(pod).filter(|silence| silence.identity == identity).cloned();
        let open = self.open.lock().remove(pod).filter(|open| open.identity == identity);
        let mut open = open.unwrap_or_else(|| Open {
            identity: identity.clone(),
            asked_at: now,
            answer: AbortOnDropHandle::new(tokio::spawn(in_time(self.deadline, question()))),
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
                self.recovered(pod, identity.as_ref())?;
                self.answered.lock().insert(pod.clone(), identity);
                Ok((answer, open.asked_at))
            }
            Ok(Err(reason)) => Err(self.remember(pod, identity, reason, now)),
            Err(ended) => Err(self.remember(pod, identity, ended.to_string(), now)),
        }
    }

    /// Gives up the questions to pods that are not wanted any more.
    pub fn keep_only(&self, pods: &BTreeSet<&PodName>) {
        self.open.lock().retain(|pod, _| pods.contains(pod));
        self.silent.lock().retain(|pod, _| pods.contains(pod));
        self.answered.lock().retain(|pod, _| pods.contains(pod));
    }

    /// Whether an answer ends a silence. What flaps has no say until it answers steadily.
    fn recovered(&self, pod: &PodName, identity: Option<&String>) -> Result<(), Silence> {
        let mut silent = self.silent.lock();
        if let Some(silence) = silent.get_mut(pod).filter(|silence| silence.identity.as_ref() == identity)
            && silence.health.answer() == Answered::Recovering
        {
            silence.reason =
                format!("it did not respond before, and counts again after {ANSWERS_TO_RECOVER} answers in a row");
            return Err(silence.clone());
        }
        silent.remove(pod);
        Ok(())
    }

    fn remember(&self, pod: &PodName, identity: Option<String>, reason: String, now: Millis) -> Silence {
        let mut silent = self.silent.lock();
        let since = silent.get(pod).map_or(now, |silence| silence.since);
        let mut health = Hysteresis::default();
        if self.answered.lock().get(pod) == Some(&identity) {
            health.fall_silent();
        }
        let silence = Silence { reason, since, identity, health };
        silent.insert(pod.clone(), silence.clone());
        silence
    }
}

async fn in_time<T, E: Display>(
    deadline: Duration,
    question: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match timeout(deadline, question).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", deadline.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = "pod-0";

    async fn ask(questions: &Questions<u32>, identity: &str, now: Millis, answers: bool) -> Result<u32, Silence> {
        let question = || async move { if answers { Ok(1) } else { Err("refused") } };
        questions.ask(&POD.into(), Some(identity.to_owned()), now, question).await.map(|(answer, _)| answer)
    }

    #[tokio::test]
    async fn a_first_answer_counts_at_once_and_a_silence_keeps_its_beginning() {
        let questions = Questions::within(Duration::from_secs(5));
        for now in 5..8 {
            let silence = ask(&questions, "a", now, false).await.unwrap_err();
            assert_eq!((silence.reason.as_str(), silence.since), ("refused", 5));
        }
        assert_eq!(ask(&questions, "a", 8, true).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_member_that_fell_silent_answers_five_times_before_it_counts() {
        let questions = Questions::within(Duration::from_secs(5));
        assert_eq!(ask(&questions, "a", 0, true).await.unwrap(), 1);
        assert!(ask(&questions, "a", 1, false).await.is_err());
        for _ in 1..ANSWERS_TO_RECOVER {
            assert!(ask(&questions, "a", 2, true).await.is_err());
        }
        assert!(ask(&questions, "a", 2, false).await.is_err(), "it flaps, and begins again");
        for _ in 1..ANSWERS_TO_RECOVER {
            assert!(ask(&questions, "a", 2, true).await.unwrap_err().reason.contains("5 answers in a row"));
        }
        assert_eq!(ask(&questions, "a", 3, true).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn another_pod_behind_the_name_is_no_recovery() {
        let questions = Questions::within(Duration::from_secs(5));
        assert_eq!(ask(&questions, "a", 0, true).await.unwrap(), 1);
        assert!(ask(&questions, "a", 1, false).await.is_err());
        assert_eq!(ask(&questions, "b", 2, true).await.unwrap(), 1);
    }
}
