//! Clients in pods of two workers write all the time, each through the routers of its own data centre; in the
//! end, what was acknowledged must be there.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, bail};
use kogge_api::names;
use kogge_lab::CONTROL;
use serde_json::{Value, json};

use crate::demo::stage::{DATABASE, NAMESPACE, Stage, until};
use crate::images;

/// The data centres with a client. There are two, so that one goes on while the other's data centre is cut off.
const VDCS: [&str; 2] = ["vdc1", "vdc2"];
const CLIENT: &str = "history";
const DEADLINE: Duration = Duration::from_mins(1);

/// What the check found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::demo) struct Verdict {
    acknowledged: u64,
    lost: u64,
}

impl Verdict {
    pub(in crate::demo) fn nothing_lost(&self) -> anyhow::Result<()> {
        match self {
            Self { acknowledged: 0, .. } => bail!("no write was acknowledged, so nothing was shown"),
            Self { lost: 0, .. } => Ok(()),
            Self { lost, .. } => bail!("{lost} acknowledged writes are lost"),
        }
    }

    /// Reads what the client prints.
    fn parse(text: &str) -> Option<Self> {
        let counts = text.lines().find_map(|line| line.strip_prefix("writes acknowledged: "))?;
        let (acknowledged, lost) = counts.split_once(", lost: ")?;
        Some(Self { acknowledged: acknowledged.parse().ok()?, lost: lost.parse().ok()? })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "writes acknowledged: {}, lost: {}", self.acknowledged, self.lost)
    }
}

pub(in crate::demo) async fn start(stage: &Stage) -> anyhow::Result<()> {
    let credentials = credentials(stage).await?;
    for vdc in VDCS {
        stage.kubectl_apply(vdc, &manifests(vdc, &credentials).to_string()).await?;
    }
    for vdc in VDCS {
        until(DEADLINE, || async move {
            let log = stage.kubectl_output(vdc, &["logs", CLIENT, "-n", NAMESPACE, "--tail=1"]).await;
            let line = log.map_err(|error| error.to_string())?;
            match line.strip_prefix("acknowledged ").and_then(|rest| rest.split(',').next()) {
                Some(count) if count != "0" => {
                    println!("  {vdc}: {}", line.trim());
                    Ok(())
                }
                _ => Err(format!("{vdc}: the client says: {}", line.trim())),
            }
        })
        .await?;
    }
    Ok(())
}

pub(in crate::demo) async fn check(stage: &Stage) -> anyhow::Result<Verdict> {
    let mut sum = Verdict::default();
    for vdc in VDCS {
        let found = until(DEADLINE, || check_one(stage, vdc)).await?;
        println!("  {vdc}: {found}");
        sum.acknowledged += found.acknowledged;
        sum.lost += found.lost;
    }
    Ok(sum)
}

async fn check_one(stage: &Stage, vdc: &str) -> Result<Verdict, String> {
    let check = ["exec", CLIENT, "-n", NAMESPACE, "--", "/bin/kogge-history", "check"];
    let (printed, said) = stage.kubectl_answer(vdc, &check).await.map_err(|error| format!("{error:#}"))?;
    Verdict::parse(&printed).ok_or_else(|| format!("{vdc}: {}", said.trim()))
}

/// The administrator's credentials, as the control cluster holds them.
async fn credentials(stage: &Stage) -> anyhow::Result<Value> {
    let name = names::admin_secret(DATABASE);
    let text = stage.kubectl_output(CONTROL, &["get", "secret", &name, "-n", NAMESPACE, "-o", "json"]).await?;
    let secret: Value = serde_json::from_str(&text).context("kubectl printed no JSON")?;
    Ok(secret["data"].clone())
}

fn manifests(vdc: &str, credentials: &Value) -> Value {
    let from_secret = |variable: &str, key: &str| json!({"name": variable, "valueFrom": {"secretKeyRef": {"name": CLIENT, "key": key}}});
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": CLIENT, "namespace": NAMESPACE},
            "data": credentials,
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": CLIENT, "namespace": NAMESPACE},
            "spec": {
                "containers": [{
                    "name": CLIENT,
                    "image": images::HISTORY,
                    "imagePullPolicy": "IfNotPresent",
                    "args": ["write", "--writers=8", "--pause=10"],
                    "env": [
                        {"name": "HISTORY_RUN", "value": vdc},
                        from_secret("HISTORY_URI", "uri"),
                        from_secret("HISTORY_USERNAME", "username"),
                        from_secret("HISTORY_PASSWORD", "password"),
                    ],
                    "volumeMounts": [{"name": "record", "mountPath": "/record"}],
                }],
                "volumes": [{"name": "record", "emptyDir": {}}],
                "terminationGracePeriodSeconds": 5,
            },
        },
    ]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_read_from_what_the_client_prints() {
        let verdict = Verdict { acknowledged: 4711, lost: 2 };
        assert_eq!(Verdict::parse(&format!("{verdict}\n")), Some(verdict));
        assert_eq!(Verdict::parse("error: no server"), None);
        assert!(verdict.nothing_lost().is_err() && Verdict::default().nothing_lost().is_err());
    }
}
