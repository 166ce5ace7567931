//! Which cluster answers, whose it is, and how credentials change hands.

use kogge_api::conditions::{Status, worker_cluster as conditions};
use kogge_fleet::{Fleet, SecretLookup};
use kogge_plan::{Liveness, WorkerView};
use serde_json::json;

use crate::api::Api;
use crate::support::{
    NAMESPACE, collection, config_map, connected, created_at, document, hasty, held, key, kubeconfig, options,
    pinned, secret, silence, until, until_condition, until_view, view, worker,
};

#[tokio::test]
async fn a_worker_is_found_whole_and_told_so() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let fleet = connected(&api, options()).await?;
    for type_ in [
        conditions::API_REACHABLE,
        conditions::CREDENTIALS_VALID,
        conditions::CLAIMED,
        conditions::PERMISSIONS_SUFFICIENT,
        conditions::WATCH_HEALTHY,
        conditions::READY,
    ] {
        until("every condition to hold", async || {
            crate::support::conditions(&fleet, "w").iter().any(|f| f.type_ == type_ && f.status == Status::True)
        })
        .await?;
    }
    let findings = fleet.status(&"w".into()).unwrap();
    assert_eq!(findings.uid.as_deref(), Some("uid-1"));
    assert_eq!(findings.version.as_deref(), Some("v1.34.4"));
    Ok(())
}

#[tokio::test]
async fn of_two_workers_with_one_cluster_the_younger_is_refused() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let fleet = Fleet::new(options());
    fleet.upsert(&created_at(worker("young"), 200), &kubeconfig(&api));
    until_view(&fleet, "young", "it to be alone", WorkerView::is_current).await?;
    fleet.upsert(&created_at(worker("old"), 100), &kubeconfig(&api));
    until_view(&fleet, "old", "it to be current", WorkerView::is_current).await?;
    let message =
        until_condition(&fleet, "young", conditions::CLAIMED, Status::False, "UIDAlreadyClaimed").await?;
    assert!(message.contains("uid-1 is WorkerCluster old already"), "{message}");
    assert_eq!(silence(&fleet, "young")?.0, "UIDAlreadyClaimed");
    assert_eq!(fleet.status(&"young".into()).unwrap().uid, None, "it must not be pinned");
    assert!(fleet.client(&"young".into()).is_err());

    fleet.remove(&"old".into());
    until_view(&fleet, "young", "it to take over", WorkerView::is_current).await
}

#[tokio::test]
async fn field_01_the_control_cluster_is_refused_as_a_worker_and_never_connected() -> anyhow::Result<()> {
    let api = Api::start("uid-of-control").await?;
    let fleet = Fleet::new(options().within("uid-of-control"));
    // Also one that was joined before, and has its UID on record.
    for object in [worker("fresh"), pinned(worker("before"), "uid-of-control")] {
        fleet.upsert(&object, &kubeconfig(&api));
    }
    for name in ["fresh", "before"] {
        let message = until_condition(&fleet, name, conditions::CLAIMED, Status::False, "ControlCluster").await?;
        assert!(
            message.contains("is the control cluster itself") && message.contains("another cluster"),
            "{message}"
        );
        assert_eq!(silence(&fleet, name)?.0, "ControlCluster");
        assert!(fleet.client(&name.into()).is_err());
    }
    assert_eq!(fleet.status(&"fresh".into()).unwrap().uid, None, "it must not be pinned");
    Ok(())
}

#[tokio::test]
async fn credentials_that_lead_to_another_cluster_are_refused() -> anyhow::Result<()> {
    let api = Api::start("uid-2").await?;
    let fleet = Fleet::new(options());
    fleet.upsert(&pinned(worker("w"), "uid-1"), &kubeconfig(&api));
    let message = until_condition(&fleet, "w", conditions::CLAIMED, Status::False, "UIDChanged").await?;
    assert!(message.contains("uid-1") && message.contains("uid-2"), "{message}");
    assert_eq!(view(&fleet, "w").unwrap().uid.as_deref(), Some("uid-1"), "what it was stays known");
    assert!(fleet.client(&"w".into()).is_err());
    Ok(())
}

/// The address may come to lead elsewhere while the connection stands.
#[tokio::test]
async fn a_cluster_that_becomes_another_is_let_go() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let fleet = connected(&api, options()).await?;
    api.set_uid("uid-2");
    until_condition(&fleet, "w", conditions::CLAIMED, Status::False, "UIDChanged").await?;
    assert!(fleet.client(&"w".into()).is_err());
    assert_ne!(view(&fleet, "w").unwrap().liveness, Liveness::Live);
    Ok(())
}

#[tokio::test]
async fn a_changed_secret_is_swapped_in_without_a_restart() -> anyhow::Result<()> {
    let before = Api::start("uid-1").await?;
    let fleet = connected(&before, options()).await?;
    let after = Api::start("uid-1").await?;
    after.put(&collection("configmaps"), config_map("moved", "c1"));
    fleet.upsert(&worker("w"), &kubeconfig(&after));
    until("the objects behind the new address", async || held(&fleet, &key("ConfigMap", "moved")).is_some())
        .await?;
    until_view(&fleet, "w", "it to be current", WorkerView::is_current).await?;
    let asked = before.asked().len();
    until("probes at the new address", async || after.count(|a| a.path.ends_with("kube-system")) > 5).await?;
    assert_eq!(before.asked().len(), asked, "client and watches have both moved");
    Ok(())
}

/// A broken change is told, and what stands goes on.
#[tokio::test]
async fn a_broken_change_leaves_the_connection_alone() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let stranger = Api::start("uid-2").await?;
    let fleet = connected(&api, options()).await?;
    let mut unreachable = document(&api);
    unreachable["clusters"][0]["cluster"]["server"] = json!("https://127.0.0.1:1");
    let changes = [
        (SecretLookup::NoSecret, conditions::CREDENTIALS_VALID, "SecretMissing"),
        (secret(&json!({"current-context": "x"})), conditions::CREDENTIALS_VALID, "KubeconfigIncomplete"),
        (secret(&unreachable), conditions::CREDENTIALS_VALID, "ConnectionFailed"),
        (kubeconfig(&stranger), conditions::CLAIMED, "UIDChanged"),
    ];
    for (change, type_, reason) in changes {
        fleet.upsert(&worker("w"), &change);
        until_condition(&fleet, "w", type_, Status::False, reason).await?;
        until_condition(&fleet, "w", conditions::READY, Status::False, reason).await?;
        assert!(view(&fleet, "w").unwrap().is_current(), "{reason}: it is still observed");
        fleet.client(&"w".into())?;
        fleet.upsert(&worker("w"), &kubeconfig(&api));
        until_condition(&fleet, "w", conditions::READY, Status::True, "Ready").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_missing_permission_is_named_and_asked_for_again() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    api.grant(json!([{"verbs": ["get"], "apiGroups": ["apps"], "resources": ["statefulsets"]}]));
    let fleet = Fleet::new(options());
    fleet.upsert(&worker("w"), &kubeconfig(&api));
    let type_ = conditions::PERMISSIONS_SUFFICIENT;
    let message = until_condition(&fleet, "w", type_, Status::False, "PermissionMissing").await?;
    assert!(message.contains(&format!("patch statefulsets.apps in namespace {NAMESPACE};")), "{message}");
    Ok(())
}

/// A5: reviews are POSTs, so a settled worker is not asked for them.
#[tokio::test]
async fn a_settled_worker_sees_reads_only() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let fleet = connected(&api, options()).await?;
    until_condition(&fleet, "w", conditions::READY, Status::True, "Ready").await?;
    let settled = api.asked().len();
    until("more probes", async || api.asked().len() > settled + 10).await?;
    let writes: Vec<_> = api.asked().split_off(settled).into_iter().filter(|a| a.method != "GET").collect();
    assert!(writes.is_empty(), "{writes:?}");
    Ok(())
}

#[tokio::test]
async fn a_removed_worker_is_asked_no_more() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let fleet = connected(&api, hasty()).await?;
    fleet.remove(&"w".into());
    assert!(fleet.snapshot().workers.is_empty());
    assert!(fleet.client(&"w".into()).is_err());
    // A request on its way may still arrive; then there are none.
    tokio::time::sleep(hasty().probe_deadline).await;
    let asked = api.asked().len();
    tokio::time::sleep(hasty().probe_period * 4).await;
    assert_eq!(api.asked().len(), asked);
    Ok(())
}
