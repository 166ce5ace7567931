//! Deadlines, limits and breakers: what keeps one worker's trouble its own (A4).

use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kogge_api::conditions::{Status, worker_cluster as conditions};
use kogge_fleet::Fleet;
use kogge_plan::{Liveness, WorkerView};
use kube::Api as KubeApi;

use crate::api::{Api, Reply, failure};
use crate::support::{
    NAMESPACE, PATIENCE, connected, connected_hastily, hasty, kubeconfig, options, silence, until,
    until_condition, until_view, worker,
};

fn config_maps(fleet: &Fleet, name: &str) -> anyhow::Result<KubeApi<ConfigMap>> {
    Ok(KubeApi::namespaced(fleet.client(&name.into())?.0, NAMESPACE))
}

/// Pitfall E: a GET that is never answered stays pending without limit.
#[tokio::test]
async fn a_hung_read_ends_at_its_deadline() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let fleet = connected_hastily(&api).await?;
    api.rule(|asked| asked.is("GET", "/configmaps/hangs").then_some(Reply::Hang));
    let error = config_maps(&fleet, "w")?.get("hangs").await.unwrap_err();
    assert!(error.to_string().contains("no answer within"), "{error}");
    Ok(())
}

/// The same where the headers come and the body does not.
#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let fleet = connected(&api, options()).await?;
    api.rule(|asked| asked.is("GET", "/configmaps/breaks").then_some(Reply::ActThenBreak));
    assert!(config_maps(&fleet, "w")?.get("breaks").await.is_err());
    Ok(())
}

/// Pitfall D: kube retries a 503 sixteen times, which takes 210 s.
#[tokio::test]
async fn a_503_is_told_at_once() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let fleet = connected(&api, options()).await?;
    api.rule(|asked| {
        asked.is("GET", "/configmaps/busy").then(|| Reply::Json(503, failure(503, "ServiceUnavailable", "busy")))
    });
    assert!(config_maps(&fleet, "w")?.get("busy").await.is_err());
    assert_eq!(api.count(|asked| asked.is("GET", "/configmaps/busy")), 1);
    Ok(())
}

/// After some failures in a row, requests fail without being sent, until one is answered. Whatever else the fleet
/// asks meanwhile hangs as well, for an answer to it would reset the count.
#[tokio::test]
async fn the_breaker_opens_and_closes() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let fleet = connected_hastily(&api).await?;
    api.rule(|_| Some(Reply::Hang));
    let maps = config_maps(&fleet, "w")?;
    let mut tries = (0..).map(|number| format!("hangs-{number}"));
    let refused = async {
        loop {
            let name = tries.next().context("endless")?;
            let error = maps.get(&name).await.unwrap_err();
            if error.to_string().contains("several requests in a row") {
                return anyhow::Ok(name);
            }
        }
    };
    let refused = tokio::time::timeout(PATIENCE, refused).await.context("every request was sent")??;
    assert_eq!(api.count(|asked| asked.path.contains(&refused)), 0, "nothing was sent");
    api.behave();
    until("the breaker to close", async || matches!(maps.get_opt("free").await, Ok(None))).await
}

/// A4: while one worker hangs in all it is asked, another answers as fast as ever.
#[tokio::test]
async fn a_dead_worker_does_not_delay_another() -> anyhow::Result<()> {
    let (dead, live) = (Api::start("uid-dead").await?, Api::start("uid-live").await?);
    let fleet = Fleet::new(hasty());
    fleet.upsert(&worker("dead"), &kubeconfig(&dead));
    fleet.upsert(&worker("live"), &kubeconfig(&live));
    for name in ["dead", "live"] {
        until_view(&fleet, name, "it to be current", WorkerView::is_current).await?;
    }
    dead.rule(|_| Some(Reply::Hang));
    let to_dead = config_maps(&fleet, "dead")?;
    let pending: Vec<_> = (0..32)
        .map(|_| {
            tokio::spawn({
                let api = to_dead.clone();
                async move { api.get_opt("a").await }
            })
        })
        .collect();
    let to_live = config_maps(&fleet, "live")?;
    for _ in 0..50 {
        assert_eq!(to_live.get_opt("a").await?, None);
    }
    assert!(pending.iter().all(|task| !task.is_finished()), "the other was answered while these hang");
    until_view(&fleet, "dead", "its silence", |view| view.liveness != Liveness::Live).await?;
    assert!(fleet.snapshot().workers[&"live".into()].is_current());
    for task in pending {
        assert!(task.await?.is_err());
    }
    Ok(())
}

/// A worker that stops answering is silent soon, says why, keeps its objects, and comes back by itself.
#[tokio::test]
async fn silence_freezes_the_view_and_ends_by_itself() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    api.put(&crate::support::collection("configmaps"), crate::support::config_map("kept", "c1"));
    let fleet = connected_hastily(&api).await?;
    let key = crate::support::key("ConfigMap", "kept");
    assert!(crate::support::held(&fleet, &key).is_some());
    api.rule(|_| Some(Reply::Hang));
    let message = until_condition(&fleet, "w", conditions::API_REACHABLE, Status::False, "NoAnswer").await?;
    assert!(message.contains("check the way"), "{message}");
    assert_eq!(silence(&fleet, "w")?.0, "NoAnswer");
    let view = crate::support::view(&fleet, "w").unwrap();
    assert!(view.objects.contains_key(&key), "the view is frozen, not empty");
    assert!(!view.is_current());
    let Liveness::Silent { since: Some(since), .. } = view.liveness else { anyhow::bail!("it answered once") };
    assert!(since > Duration::from_millis(100), "{since:?}");
    // What is taken away meanwhile is gone from the view as soon as it is current again.
    api.mute(true);
    api.take(&crate::support::collection("configmaps"), "kept");
    api.mute(false);
    api.behave();
    until_view(&fleet, "w", "it to be back", WorkerView::is_current).await?;
    assert!(crate::support::held(&fleet, &key).is_none());
    Ok(())
}

/// What a worker that was never reached says.
#[tokio::test]
async fn each_way_to_be_unreachable_is_told_apart() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let other = Api::start("uid-2").await?;
    let fleet = Fleet::new(options());

    let mut refused = crate::support::document(&api);
    refused["clusters"][0]["cluster"]["server"] = serde_json::json!("https://127.0.0.1:1");
    fleet.upsert(&worker("refused"), &crate::support::secret(&refused));
    until_condition(&fleet, "refused", conditions::API_REACHABLE, Status::False, "ConnectionFailed").await?;

    let mut stranger = crate::support::document(&api);
    stranger["clusters"][0]["cluster"]["server"] = serde_json::json!(format!("https://{}", other.address));
    fleet.upsert(&worker("stranger"), &crate::support::secret(&stranger));
    let reason = "ServerCertificateRefused";
    until_condition(&fleet, "stranger", conditions::CREDENTIALS_VALID, Status::False, reason).await?;

    for (code, reason, type_) in [
        (401, "CredentialsRefused", conditions::CREDENTIALS_VALID),
        (403, "IdentityForbidden", conditions::PERMISSIONS_SUFFICIENT),
        (500, "ServerError", conditions::API_REACHABLE),
        (404, "NotKubernetes", conditions::API_REACHABLE),
    ] {
        let broken = Api::start("uid-3").await?;
        broken.rule(move |_| Some(Reply::Json(code, failure(code, "X", "x"))));
        let name = format!("answers-{code}");
        fleet.upsert(&worker(&name), &kubeconfig(&broken));
        until_condition(&fleet, &name, type_, Status::False, reason).await?;
        assert!(fleet.client(&name.as_str().into()).is_err());
    }
    Ok(())
}

/// Case 36: a worker that flaps stays silent, and nothing is listed anew each time it answers.
#[tokio::test]
async fn case_36_a_worker_that_flaps_counts_as_live_only_when_it_answers_steadily() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    // Long enough between probes that five answers in a row are not there before they are looked at.
    let slowly = kogge_fleet::FleetOptions { probe_period: Duration::from_millis(500), ..hasty() };
    let fleet = connected(&api, slowly).await?;
    api.rule(|_| Some(Reply::Hang));
    until_view(&fleet, "w", "its silence", |view| view.liveness != Liveness::Live).await?;
    // Another one with every view that begins anew.
    let (_, before) = fleet.client(&"w".into())?;
    for _ in 0..3 {
        api.behave();
        until_condition(&fleet, "w", conditions::API_REACHABLE, Status::Unknown, "Recovering").await?;
        assert_ne!(crate::support::view(&fleet, "w").unwrap().liveness, Liveness::Live);
        api.rule(|_| Some(Reply::Hang));
        until_condition(&fleet, "w", conditions::API_REACHABLE, Status::False, "NoAnswer").await?;
    }
    assert_eq!(fleet.client(&"w".into())?.1, before, "the view began anew though it never recovered");
    api.behave();
    until_view(&fleet, "w", "it to be back", WorkerView::is_current).await?;
    assert_eq!(fleet.client(&"w".into())?.1, before + 1);
    Ok(())
}

/// A worker cannot take the others' memory with an answer that never ends: the deadline or the limit ends it.
#[tokio::test]
async fn an_answer_without_an_end_is_an_error() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let fleet = connected(&api, options()).await?;
    api.rule(|asked| asked.is("GET", "/configmaps/endless").then_some(Reply::Flood));
    let error = config_maps(&fleet, "w")?.get("endless").await.unwrap_err().to_string();
    assert!(error.contains("larger than 64 MiB") || error.contains("no answer within"), "{error}");
    Ok(())
}

/// Nor with an event that never ends: watches have no deadline.
#[tokio::test]
async fn a_watch_line_without_an_end_ends_the_watch_and_is_told() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    api.rule(|asked| asked.is_watch("/configmaps").then_some(Reply::Flood));
    let fleet = Fleet::new(options());
    fleet.upsert(&worker("w"), &kubeconfig(&api));
    until("the watch to say why it ends", async || {
        let findings = fleet.status(&"w".into()).map(|found| found.conditions).unwrap_or_default();
        findings.iter().any(|finding| finding.message.contains("a line of its watch is larger than 8 MiB"))
    })
    .await?;
    api.behave();
    until_view(&fleet, "w", "it to be current", WorkerView::is_current).await
}
