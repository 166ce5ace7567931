//! The history client: a pod of a worker that writes through the routers with majority concern, and knows what was
//! acknowledged.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kogge_api::names;
use kogge_lab::{products, wait};
use kube::Api;
use serde_json::json;

use crate::Database;

const DEADLINE: Duration = Duration::from_secs(90);

/// A client in one data centre.
pub struct HistoryClient<'a> {
    database: Database<'a>,
    vdc: &'a str,
    name: String,
}

/// What a client met with during a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Writes that were acknowledged, of all that it made so far.
    pub acknowledged: u64,
    /// Writes that were not, of all that it made so far.
    pub failed: u64,
    /// The longest that an acknowledged write took, as far as the reports that were read reach.
    pub slowest: Duration,
}

/// What the client found when it looked for its writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Those of them that are not there.
    pub lost: u64,
}

impl<'a> HistoryClient<'a> {
    /// Starts a client that writes until it is stopped, as the administrator that the database's Secret names.
    pub async fn start(database: Database<'a>, vdc: &'a str) -> anyhow::Result<Self> {
        Self::start_in(database, vdc, "kogge_history").await
    }

    /// Starts a client that writes to a MongoDB database of its own.
    pub async fn start_in(database: Database<'a>, vdc: &'a str, written: &str) -> anyhow::Result<Self> {
        let name = match written {
            "kogge_history" => format!("client-of-{}", database.name),
            other => format!("client-of-{}-{other}", database.name),
        };
        let client = Self { database, vdc, name };
        let secrets: Api<Secret> = Api::namespaced(database.harness.control.clone(), database.namespace);
        let admin = names::admin_secret(database.name);
        let mut data =
            secrets.get(&admin).await.with_context(|| format!("no Secret {admin}"))?.data.unwrap_or_default();
        if data.contains_key("ca.crt")
            && let Some(uri) = data.get_mut("uri")
        {
            uri.0.extend_from_slice(b"&tlsCAFile=/client/ca.crt");
        }
        let from_secret = |variable: &str, key: &str| json!({"name": variable, "valueFrom": {"secretKeyRef": {"name": client.name, "key": key}}});
        // Several clients may write to one database, one after another.
        let run = format!("{vdc}-{}", Timestamp::now().as_millisecond());
        let metadata = json!({"name": client.name, "namespace": database.namespace});
        let manifests = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data},
            {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {
                "containers": [{
                    "name": "history",
                    "image": products::HISTORY,
                    "imagePullPolicy": "IfNotPresent",
                    "args": ["write"],
                    "env": [
                        {"name": "HISTORY_RUN", "value": run},
                        {"name": "HISTORY_DATABASE", "value": written},
                        from_secret("HISTORY_URI", "uri"),
                        from_secret("HISTORY_USERNAME", "username"),
                        from_secret("HISTORY_PASSWORD", "password"),
                    ],
                    "volumeMounts": [
                        {"name": "record", "mountPath": "/record"},
                        {"name": "client", "mountPath": "/client", "readOnly": true},
                    ],
                }],
                "volumes": [
                    {"name": "record", "emptyDir": {}},
                    {"name": "client", "secret": {"secretName": client.name}},
                ],
                "terminationGracePeriodSeconds": 2,
            }},
        ]});
        database.harness.kubectl_apply(vdc, &manifests).await?;
        Ok(client)
    }

    /// Waits until that many writes are acknowledged.
    pub async fn acknowledged(&self, enough: u64) -> anyhow::Result<u64> {
        let Self { vdc, name, .. } = self;
        let what = format!("{enough} writes acknowledged to {name} in {vdc}");
        let count = wait::until(&what, DEADLINE, || async {
            let log = self.log("--tail=20").await.map_err(|error| format!("{error:#}"))?;
            match Service::read(&log).acknowledged {
                count if count >= enough => Ok(count),
                _ => Err(format!("its log ends with: {}", log.lines().next_back().unwrap_or_default())),
            }
        });
        Ok(count.await?)
    }

    /// What it met with since then, once more writes were acknowledged.
    pub async fn service_since(&self, since: Timestamp) -> anyhow::Result<Service> {
        let before = Service::read(&self.log("--tail=20").await?).acknowledged;
        self.acknowledged(before + 1).await?;
        Ok(Service::read(&self.log(&format!("--since-time={since}")).await?))
    }

    async fn log(&self, part: &str) -> anyhow::Result<String> {
        let Self { database, vdc, name } = self;
        database.harness.kubectl(vdc, &["logs", name, "-n", database.namespace, part]).await
    }

    /// Looks for every write that was acknowledged so far.
    pub async fn check(&self) -> anyhow::Result<Verdict> {
        self.look(&[]).await
    }

    /// Looks for every write that was acknowledged so far on the servers behind a connection string.
    pub async fn check_at(&self, uri: &str) -> anyhow::Result<Verdict> {
        self.look(&["--uri", uri]).await
    }

    async fn look(&self, more: &[&str]) -> anyhow::Result<Verdict> {
        let Self { database, vdc, name } = self;
        let what = format!("what {name} in {vdc} finds");
        let mut check = vec!["exec", name, "-n", database.namespace, "--", "/bin/kogge-history", "check"];
        check.extend(more);
        let verdict = wait::until(&what, DEADLINE, || async {
            let said = match database.harness.kubectl(vdc, &check).await {
                Ok(said) => said,
                Err(error) => format!("{error:#}"),
            };
            Verdict::parse(&said).ok_or(said)
        });
        let verdict = verdict.await?;
        println!("{name} in {vdc}: writes acknowledged: {}, lost: {}", verdict.acknowledged, verdict.lost);
        ensure!(verdict.acknowledged > 0, "no write was acknowledged, so nothing is shown");
        Ok(verdict)
    }

    /// Ends the client.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Self { database, vdc, name } = self;
        let arguments = ["delete", "pod,secret", &name, "-n", database.namespace, "--wait=false"];
        database.harness.kubectl(vdc, &arguments).await.map(drop)
    }
}

impl Service {
    /// Reads the client's reports: `acknowledged 7, not acknowledged 0, the slowest since the last line 31 ms`.
    fn read(log: &str) -> Self {
        let reports = log.lines().filter_map(|line| {
            let (acknowledged, rest) = line.strip_prefix("acknowledged ")?.split_once(", not acknowledged ")?;
            let (failed, rest) = rest.split_once(", the slowest since the last line ")?;
            let slowest = rest.strip_suffix(" ms")?.parse().ok()?;
            Some(Self {
                acknowledged: acknowledged.parse().ok()?,
                failed: failed.parse().ok()?,
                slowest: Duration::from_millis(slowest),
            })
        });
        reports.fold(Self::default(), |known, told| Self { slowest: known.slowest.max(told.slowest), ..told })
    }
}

impl Verdict {
    fn parse(text: &str) -> Option<Self> {
        let counts = text.lines().find_map(|line| line.strip_prefix("writes acknowledged: "))?;
        let (acknowledged, lost) = counts.split_once(", lost: ")?;
        Some(Self { acknowledged: acknowledged.parse().ok()?, lost: lost.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_report_counts_and_the_slowest_of_all() {
        let log = "acknowledged 7, not acknowledged 0, the slowest since the last line 31 ms\n\
                   write 8 was not acknowledged: no server\n\
                   acknowledged 9, not acknowledged 1, the slowest since the last line 12 ms\n";
        let service = Service { acknowledged: 9, failed: 1, slowest: Duration::from_millis(31) };
        assert_eq!(Service::read(log), service);
        assert_eq!(Service::read("error: no server"), Service::default());
    }

    #[test]
    fn the_verdict_is_read_from_what_the_client_prints() {
        let verdict = Verdict { acknowledged: 4711, lost: 2 };
        assert_eq!(Verdict::parse("writes acknowledged: 4711, lost: 2\n"), Some(verdict));
        assert_eq!(Verdict::parse("error: no server"), None);
    }
}
