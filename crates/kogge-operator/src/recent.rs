//! Secrets beside the resources, which Kogge has no right to watch: read again when they were read some time ago.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use parking_lot::Mutex;

/// How old an answer may be. What somebody changes in the meantime is noticed then.
const MAX_AGE: Duration = Duration::from_secs(30);

/// Namespace and name.
type Key = (String, String);

/// What was read lately.
#[derive(Default)]
pub struct RecentSecrets(Mutex<BTreeMap<Key, (Instant, Option<Secret>)>>);

impl RecentSecrets {
    /// What was read lately, or else what is read now; what is too old is dropped.
    pub(crate) async fn get<E>(
        &self,
        namespace: &str,
        name: &str,
        read: impl Future<Output = Result<Option<Secret>, E>>,
    ) -> Result<Option<Secret>, E> {
        let key = (namespace.to_owned(), name.to_owned());
        if let Some((at, secret)) = self.0.lock().get(&key)
            && at.elapsed() <= MAX_AGE
        {
            return Ok(secret.clone());
        }
        let secret = read.await?;
        let mut kept = self.0.lock();
        kept.retain(|_, (at, _)| at.elapsed() <= MAX_AGE);
        kept.insert(key, (Instant::now(), secret.clone()));
        Ok(secret)
    }

    /// Forgets what is about to change.
    pub(crate) fn forget(&self, namespace: &str, name: &str) {
        self.0.lock().remove(&(namespace.to_owned(), name.to_owned()));
    }
}
