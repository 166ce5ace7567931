//! Watches on bad days.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::ensure;
use futures::{Stream, StreamExt as _};
use kogge_api::conditions::{Status, worker_cluster as conditions};
use kogge_fleet::{Change, Fleet, FleetOptions};
use kogge_plan::WorkerView;
use serde_json::json;

use crate::api::{Api, Asked, Reply, failure};
use crate::support::{
    collection, config_map, connected, held, key, kubeconfig, options, until, until_condition, until_view, worker,
};

fn expired() -> serde_json::Value {
    failure(410, "Expired", "too old resource version: 1 (2)")
}

/// The first `times` requests that match are answered with 410.
fn gone(api: &Api, times: usize, matches: impl Fn(&Asked) -> bool + Send + Sync + 'static) -> Arc<AtomicUsize> {
    let left = Arc::new(AtomicUsize::new(times));
    let counter = Arc::clone(&left);
    api.rule(move |asked| {
        let take = |left: usize| left.checked_sub(1);
        (matches(asked) && counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok())
            .then(|| Reply::Json(410, expired()))
    });
    left
}

/// Waits until a change of this database's objects in the worker is told; others may be told before.
async fn until_told(changes: &mut (impl Stream<Item = Change> + Unpin), cluster_id: &str) -> anyhow::Result<()> {
    let cluster_ids = BTreeSet::from([cluster_id.to_owned()]);
    let expected = Change::Objects { worker: "w".into(), cluster_ids };
    let told = changes.any(async |change| change == expected);
    ensure!(tokio::time::timeout(Duration::from_secs(10), told).await?, "the changes ended");
    Ok(())
}

/// Pitfall A: after a 410 at its start, kube's watcher asks for the same resourceVersion for ever.
#[tokio::test]
async fn a_410_at_the_start_of_a_watch_lists_again() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let left = gone(&api, 1, |asked| asked.is_watch("/configmaps"));
    let fleet = Fleet::new(options());
    fleet.upsert(&worker("w"), &kubeconfig(&api));
    until("the refusal", async || left.load(Ordering::SeqCst) == 0).await?;
    until("another list", async || api.count(|asked| asked.is_list("/configmaps")) >= 2).await?;
    until_view(&fleet, "w", "the worker to be current", WorkerView::is_current).await?;
    api.put(&collection("configmaps"), config_map("later", "c1"));
    until("what came later", async || held(&fleet, &key("ConfigMap", "later")).is_some()).await
}

/// Pitfall B: objects that are gone at a relist are told by no event.
#[tokio::test]
async fn what_is_gone_at_a_relist_is_removed_and_told() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let maps = collection("configmaps");
    api.put(&maps, config_map("stays", "c1"));
    api.put(&maps, config_map("goes", "c2"));
    let fleet = connected(&api, options()).await?;
    until("the watch", async || api.count(|asked| asked.is_watch("/configmaps")) > 0).await?;
    let mut changes = Box::pin(fleet.changes());
    api.mute(true);
    api.take(&maps, "goes");
    api.mute(false);
    api.tell(&maps, json!({"type": "ERROR", "object": expired()}));
    until_told(&mut changes, "c2").await?;
    assert!(held(&fleet, &key("ConfigMap", "goes")).is_none());
    assert!(held(&fleet, &key("ConfigMap", "stays")).is_some());
    until_view(&fleet, "w", "the worker to be current", WorkerView::is_current).await
}

/// Pitfall C: a shared reflector drops deletions, and one slow subscriber stalls it.
#[tokio::test]
async fn a_slow_subscriber_stalls_nobody_and_deletions_are_told() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let fleet = connected(&api, options()).await?;
    let maps = collection("configmaps");
    api.put(&maps, config_map("goes", "c2"));
    let mut slow = Box::pin(fleet.changes());
    for round in 0..1500 {
        api.put(&maps, config_map(&format!("m{}", round % 10), "c1"));
    }
    api.put(&maps, config_map("last", "c1"));
    until("the last of them", async || held(&fleet, &key("ConfigMap", "last")).is_some()).await?;
    assert_eq!(slow.next().await, Some(Change::Everything), "it is told that it missed something");

    let mut quick = Box::pin(fleet.changes());
    api.take(&maps, "goes");
    until("the deletion", async || held(&fleet, &key("ConfigMap", "goes")).is_none()).await?;
    until_told(&mut quick, "c2").await
}

/// Pitfall G: a server without streaming lists answers 422, and kube never falls back.
#[tokio::test]
async fn lists_are_not_streamed_and_only_our_label_is_asked_for() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let _fleet = connected(&api, options()).await?;
    until("every watch", async || api.count(|asked| asked.query.contains("watch=true")) >= 12).await?;
    let listing: Vec<_> = api.asked().into_iter().filter(|asked| asked.query.contains("labelSelector")).collect();
    assert_eq!(listing.len(), 24, "a list and a watch for each of twelve kinds");
    for asked in &listing {
        assert!(asked.query.contains("labelSelector=kogge.dev%2Fcluster-id"), "{asked:?}");
        assert!(!asked.query.contains("sendInitialEvents"), "{asked:?}");
    }
    Ok(())
}

#[tokio::test]
async fn secrets_are_watched_without_their_bodies() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let mut secret = config_map("keyfile", "c1");
    secret["kind"] = json!("Secret");
    api.put(&collection("secrets"), secret);
    let fleet = connected(&api, options()).await?;
    until("the watch", async || api.count(|asked| asked.is_watch("/secrets")) > 0).await?;
    for asked in api.asked().iter().filter(|asked| asked.path.ends_with("/secrets")) {
        assert!(asked.accept.contains("as=PartialObjectMetadata"), "{asked:?}");
    }
    let secret = held(&fleet, &key("Secret", "keyfile")).unwrap();
    assert_eq!(secret.data, json!({}));
    assert_eq!(secret.types.as_ref().unwrap().kind, "Secret");
    Ok(())
}

#[tokio::test]
async fn objects_carry_their_type_and_what_kogge_did_not_apply_no_managed_fields() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let mut object = config_map("a", "c1");
    // Items of a list have no type of their own.
    object.as_object_mut().unwrap().remove("kind");
    object.as_object_mut().unwrap().remove("apiVersion");
    object["metadata"]["managedFields"] = json!([{"manager": "kogge", "operation": "Apply"}]);
    object["metadata"]["annotations"] = json!({});
    api.put(&collection("configmaps"), object);
    let fleet = connected(&api, options()).await?;
    let object = held(&fleet, &key("ConfigMap", "a")).unwrap();
    assert_eq!(object.metadata.managed_fields, None);
    assert_eq!(object.data["data"]["a"], "1");
    Ok(())
}

/// A connection that died without a word is found out by its silence.
#[tokio::test]
async fn a_watch_that_says_nothing_is_begun_again() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let _fleet = connected(&api, FleetOptions { watch_timeout: Duration::from_secs(1), ..options() }).await?;
    until("another watch", async || api.count(|asked| asked.is_watch("/pods")) >= 2).await
}

#[tokio::test]
async fn a_watch_that_fails_makes_the_view_partial_and_says_why() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    api.rule(|asked| {
        asked.is_list("/pods").then(|| Reply::Json(403, failure(403, "Forbidden", "pods is forbidden")))
    });
    let fleet = Fleet::new(options());
    fleet.upsert(&worker("w"), &kubeconfig(&api));
    let message = until_condition(&fleet, "w", conditions::WATCH_HEALTHY, Status::False, "WatchFailed").await?;
    assert_eq!(message, "the watch of pods in namespace databases fails: 403: pods is forbidden");
    let view = crate::support::view(&fleet, "w").unwrap();
    assert!(!view.complete && !view.is_current());
    api.behave();
    until_view(&fleet, "w", "the worker to be current", WorkerView::is_current).await
}

#[tokio::test]
async fn watches_follow_the_allowed_namespaces() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    api.put(&collection("configmaps"), config_map("a", "c1"));
    let fleet = connected(&api, options()).await?;
    let mut elsewhere = worker("w");
    elsewhere.spec.allowed_namespaces.names = Some(vec!["other".to_owned()]);
    fleet.upsert(&elsewhere, &kubeconfig(&api));
    until("the other namespace", async || api.count(|a| a.path == "/api/v1/namespaces/other/pods") > 0).await?;
    until("the first to be left", async || held(&fleet, &key("ConfigMap", "a")).is_none()).await?;
    until_view(&fleet, "w", "the worker to be current", WorkerView::is_current).await
}
