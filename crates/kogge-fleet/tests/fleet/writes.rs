//! Guarded writes, and what is made of their answers.

use std::sync::atomic::{AtomicUsize, Ordering};

use kogge_fleet::{Fence, FieldConflict, Fleet, Outcome, WriteContext, WriteError};
use kogge_plan::{Action, ApplyPrecondition, Object};
use serde_json::{Value, json};

use crate::api::{Api, Asked, Reply, failure};
use crate::support::{
    Lease, NAMESPACE, collection, config_map, connected, connected_hastily, held, key, kubeconfig, options, until,
    worker,
};

const LEADER: WriteContext<'_> = WriteContext { fence: &Lease(true), worker_uid: "uid-1", dry_run: false };

fn apply(object: &Value, precondition: ApplyPrecondition) -> Action {
    let object: Object = serde_json::from_value(object.clone()).unwrap();
    Action::Apply { worker: "w".into(), object: Box::new(object), precondition, why: "a test".to_owned() }
}

fn delete(name: &str, uid: &str, resource_version: Option<&str>) -> Action {
    Action::Delete {
        worker: "w".into(),
        key: key("ConfigMap", name),
        uid: uid.to_owned(),
        resource_version: resource_version.map(str::to_owned),
        why: "a test".to_owned(),
    }
}

fn observed(object: &Value) -> ApplyPrecondition {
    let of = |field: &str| object["metadata"][field].as_str().unwrap().to_owned();
    ApplyPrecondition::Observed { uid: of("uid"), resource_version: of("resourceVersion") }
}

fn is_patch(asked: &Asked) -> bool {
    asked.method == "PATCH"
}

async fn start() -> anyhow::Result<(Api, Fleet)> {
    let api = Api::start("uid-1").await?;
    let fleet = connected(&api, options()).await?;
    Ok((api, fleet))
}

#[tokio::test]
async fn a_create_is_an_apply_and_is_seen_at_once() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    api.mute(true);
    let outcome = fleet.execute(&apply(&config_map("a", "c1"), ApplyPrecondition::Absent), LEADER).await?;
    let Outcome::Applied { resource_version, conflicts, .. } = outcome else { anyhow::bail!("{outcome:?}") };
    assert_eq!(conflicts, []);
    let held = held(&fleet, &key("ConfigMap", "a")).unwrap();
    assert_eq!(held.metadata.resource_version, Some(resource_version), "though no watch has told of it");
    let patches: Vec<_> = api.asked().into_iter().filter(is_patch).collect();
    assert_eq!(patches.len(), 1);
    assert!(patches[0].query.contains("fieldManager=kogge"), "{:?}", patches[0]);
    assert!(!patches[0].query.contains("force=true"), "{:?}", patches[0]);
    assert_eq!(patches[0].body["metadata"].get("resourceVersion"), None);
    assert_eq!(api.count(|asked| asked.method == "POST" && asked.path.contains("configmaps")), 0);
    Ok(())
}

#[tokio::test]
async fn an_old_event_does_not_undo_what_was_written() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    let maps = collection("configmaps");
    let before = api.put(&maps, config_map("a", "c1"));
    let key = key("ConfigMap", "a");
    until("the object", async || held(&fleet, &key).is_some()).await?;
    api.mute(true);
    let mut after = config_map("a", "c1");
    after["data"]["a"] = json!("2");
    fleet.execute(&apply(&after, observed(&before)), LEADER).await?;
    api.tell(&maps, json!({"type": "MODIFIED", "object": before}));
    api.mute(false);
    // The next event of the same watch shows that the old one has been read.
    api.put(&maps, config_map("marker", "c1"));
    until("the marker", async || held(&fleet, &crate::support::key("ConfigMap", "marker")).is_some()).await?;
    assert_eq!(held(&fleet, &key).unwrap().data["data"]["a"], "2");
    Ok(())
}

#[tokio::test]
async fn a_name_that_is_taken_is_left_alone() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    let mut foreign = config_map("a", "c1");
    foreign["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "Helm"});
    api.put(&collection("configmaps"), foreign);
    api.put(&collection("configmaps"), config_map("b", "another"));
    for (name, owner) in [("a", "\"Helm\""), ("b", "the database with clusterID another")] {
        let action = apply(&config_map(name, "c1"), ApplyPrecondition::Absent);
        let error = fleet.execute(&action, LEADER).await.unwrap_err();
        assert!(matches!(error, WriteError::NameTaken { .. }), "{error:?}");
        assert_eq!(error.reason(), "NameTaken");
        assert!(error.to_string().contains(owner), "{error}");
    }
    assert_eq!(api.count(is_patch), 0);
    Ok(())
}

#[tokio::test]
async fn what_is_ours_and_not_yet_observed_is_observed_first() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    api.mute(true);
    api.put(&collection("configmaps"), config_map("a", "c1"));
    let action = apply(&config_map("a", "c1"), ApplyPrecondition::Absent);
    assert!(matches!(fleet.execute(&action, LEADER).await?, Outcome::Stale { .. }));
    assert_eq!(api.count(is_patch), 0);
    Ok(())
}

#[tokio::test]
async fn an_update_holds_only_for_what_was_observed() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    let maps = collection("configmaps");
    let seen = api.put(&maps, config_map("a", "c1"));
    let changed = api.put(&maps, config_map("a", "c1"));
    let stale = fleet.execute(&apply(&config_map("a", "c1"), observed(&seen)), LEADER).await?;
    assert!(matches!(stale, Outcome::Stale { .. }), "{stale:?}");
    let applied = fleet.execute(&apply(&config_map("a", "c1"), observed(&changed)), LEADER).await?;
    assert!(matches!(applied, Outcome::Applied { .. }), "{applied:?}");
    Ok(())
}

/// A lease that is lost after it was asked for that often.
struct Losing(AtomicUsize);

impl Fence for Losing {
    fn is_leader(&self) -> bool {
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

#[tokio::test]
async fn leadership_is_asked_directly_before_the_write() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    let create = apply(&config_map("a", "c1"), ApplyPrecondition::Absent);
    for asked in 0..2 {
        let fence = Losing(AtomicUsize::new(asked));
        let context = WriteContext { fence: &fence, worker_uid: "uid-1", dry_run: false };
        assert_eq!(fleet.execute(&create, context).await, Err(WriteError::NotLeader));
    }
    assert_eq!(api.count(|asked| asked.is("GET", "/configmaps/a")), 1, "lost between the read and the write");
    let fence = Lease(false);
    let context = WriteContext { fence: &fence, worker_uid: "uid-1", dry_run: false };
    assert_eq!(fleet.execute(&delete("a", "u", None), context).await, Err(WriteError::NotLeader));
    assert_eq!(api.count(|asked| asked.method != "GET" && asked.path.contains("configmaps")), 0);
    Ok(())
}

#[tokio::test]
async fn nothing_is_written_where_it_must_not_be() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    let create = apply(&config_map("a", "c1"), ApplyPrecondition::Absent);

    let other = WriteContext { worker_uid: "uid-2", ..LEADER };
    assert_eq!(fleet.execute(&create, other).await.unwrap_err().reason(), "WrongCluster");

    let mut elsewhere = config_map("a", "c1");
    elsewhere["metadata"]["namespace"] = json!("elsewhere");
    let error = fleet.execute(&apply(&elsewhere, ApplyPrecondition::Absent), LEADER).await.unwrap_err();
    assert_eq!(error.reason(), "NamespaceNotAllowed");
    assert!(error.to_string().contains("spec.allowedNamespaces.names"), "{error}");

    let mut suspended = worker("w");
    suspended.spec.suspend = true;
    fleet.upsert(&suspended, &kubeconfig(&api));
    assert_eq!(fleet.execute(&create, LEADER).await.unwrap_err().reason(), "WorkerSuspended");
    assert!(fleet.snapshot().workers[&"w".into()].suspended);

    fleet.remove(&"w".into());
    assert_eq!(fleet.execute(&create, LEADER).await.unwrap_err().reason(), "UnknownWorker");
    assert_eq!(api.count(|asked| asked.path.contains("/configmaps/")), 0);
    Ok(())
}

fn conflict(fields: &[(&str, &str)]) -> Value {
    let causes: Vec<_> = fields
        .iter()
        .map(|(field, manager)| {
            json!({
                "reason": "FieldManagerConflict", "field": field,
                "message": format!("conflict with \"{manager}\" using v1"),
            })
        })
        .collect();
    let mut status = failure(409, "Conflict", "Apply failed with conflicts");
    status["details"] = json!({"causes": causes});
    status
}

/// Every kind that charts may render is seen again once it is written: what is not would be written for ever.
#[tokio::test]
async fn field_28_what_is_written_is_seen_whatever_its_kind() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    for kind in kogge_api::CHART_KINDS {
        let api_version = if kind.group.is_empty() {
            kind.version.to_owned()
        } else {
            format!("{}/{}", kind.group, kind.version)
        };
        let mut object = config_map("a", "c1");
        object["kind"] = json!(kind.kind);
        object["apiVersion"] = json!(api_version);
        fleet.execute(&apply(&object, ApplyPrecondition::Absent), LEADER).await?;
        let key = kogge_plan::ObjectKey::namespaced(&api_version, kind.kind, NAMESPACE, "a");
        assert!(held(&fleet, &key).is_some(), "{key}");
        let root = if kind.group.is_empty() {
            "/api/v1".to_owned()
        } else {
            format!("/apis/{}/{}", kind.group, kind.version)
        };
        api.take(&format!("{root}/namespaces/{NAMESPACE}/{}", kind.plural), "a");
        until("the watch to tell of its end", async || held(&fleet, &key).is_none()).await?;
    }
    Ok(())
}

/// A10: what decides about quorum is taken back, the rest is reported, and neither blocks the other.
#[tokio::test]
async fn conflicts_are_forced_or_reported_field_by_field() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    let mut set = config_map("s", "c1");
    set["apiVersion"] = json!("apps/v1");
    set["kind"] = json!("StatefulSet");
    set["metadata"]["annotations"] = json!({"example.com/note": "ours", "example.com/other": "ours"});
    set["spec"] = json!({"replicas": 3, "minReadySeconds": 5});
    let seen = api.put(&collection("statefulsets"), set.clone());
    api.rule(|asked| {
        (is_patch(asked) && !asked.query.contains("force=true")).then(|| {
            let fields =
                [(".spec.replicas", "hpa"), (".metadata.annotations.example.com/note", "kubectl-annotate")];
            Reply::Json(409, conflict(&fields))
        })
    });
    let outcome = fleet.execute(&apply(&set, observed(&seen)), LEADER).await?;
    let Outcome::Applied { conflicts, .. } = outcome else { anyhow::bail!("{outcome:?}") };
    let note = FieldConflict {
        field: ".metadata.annotations.example.com/note".to_owned(),
        manager: "kubectl-annotate".to_owned(),
    };
    assert_eq!(conflicts, [note]);
    let patches: Vec<_> = api.asked().into_iter().filter(is_patch).collect();
    assert_eq!(patches.len(), 2);
    assert_eq!(patches[1].body["metadata"]["annotations"], json!({"example.com/other": "ours"}));
    assert_eq!(patches[1].body["spec"], json!({"replicas": 3, "minReadySeconds": 5}));
    assert_eq!(patches[1].body["metadata"]["resourceVersion"], seen["metadata"]["resourceVersion"]);
    Ok(())
}

#[tokio::test]
async fn conflicts_that_are_only_reported_are_never_forced() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    let seen = api.put(&collection("configmaps"), config_map("a", "c1"));
    api.rule(|asked| {
        let takes_it = is_patch(asked) && asked.body["data"].get("a").is_some();
        takes_it.then(|| Reply::Json(409, conflict(&[(".data.a", "someone")])))
    });
    let outcome = fleet.execute(&apply(&config_map("a", "c1"), observed(&seen)), LEADER).await?;
    assert!(matches!(&outcome, Outcome::Applied { conflicts, .. } if conflicts.len() == 1), "{outcome:?}");
    assert_eq!(api.count(|asked| asked.query.contains("force=true")), 0);
    Ok(())
}

/// A3: a write whose answer is lost is unknown, and observation finds it out.
#[tokio::test]
async fn a_lost_answer_is_unknown_until_it_is_observed() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    for (name, reply) in [("hangs", 0), ("breaks", 1), ("fails", 2)] {
        api.behave();
        api.rule(move |asked| {
            is_patch(asked).then(|| match reply {
                0 => Reply::ActThenHang,
                1 => Reply::ActThenBreak,
                _ => Reply::Json(500, failure(500, "InternalError", "etcdserver: request timed out")),
            })
        });
        let create = apply(&config_map(name, "c1"), ApplyPrecondition::Absent);
        let outcome = fleet.execute(&create, LEADER).await?;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{name}: {outcome:?}");
        if reply < 2 {
            until("the watch to tell", async || held(&fleet, &key("ConfigMap", name)).is_some()).await?;
        } else {
            assert!(held(&fleet, &key("ConfigMap", name)).is_none());
        }
    }
    Ok(())
}

#[tokio::test]
async fn only_the_object_that_was_observed_is_deleted() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    let maps = collection("configmaps");
    let object = api.put(&maps, config_map("a", "c1"));
    let uid = object["metadata"]["uid"].as_str().unwrap();
    assert_eq!(fleet.execute(&delete("a", "another", None), LEADER).await?, Outcome::Gone);
    assert!(matches!(fleet.execute(&delete("a", uid, Some("1")), LEADER).await?, Outcome::Stale { .. }));
    assert!(api.object(&maps, "a").is_some());
    assert_eq!(fleet.execute(&delete("a", uid, None), LEADER).await?, Outcome::Deleted);
    assert!(api.object(&maps, "a").is_none());
    assert_eq!(fleet.execute(&delete("a", uid, None), LEADER).await?, Outcome::Gone);
    let background = api.count(|asked| {
        asked.method == "DELETE"
            && asked.body["propagationPolicy"] == "Background"
            && asked.body["preconditions"]["uid"] != Value::Null
    });
    assert_eq!(background, 4);
    Ok(())
}

/// A12: what a Secret holds appears in no view and no error.
#[tokio::test]
async fn a_secret_is_written_and_not_read() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    let mut secret = config_map("keyfile", "c1");
    secret["kind"] = json!("Secret");
    secret["data"] = json!({"key": "dDBwczNjcmV0"});
    let create = apply(&secret, ApplyPrecondition::Absent);
    api.rule(|asked| {
        let mut status = failure(422, "Invalid", "data[key]: Invalid value: \"t0ps3cret\"");
        status["details"] =
            json!({"causes": [{"reason": "FieldValueInvalid", "field": "data[key]", "message": "t0ps3cret"}]});
        is_patch(asked).then_some(Reply::Json(422, status))
    });
    let error = fleet.execute(&create, LEADER).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("t0ps3cret"), "{error}");
    assert!(error.to_string().contains("data[key]"), "{error}");
    api.behave();
    fleet.execute(&create, LEADER).await?;
    assert_eq!(api.object(&collection("secrets"), "keyfile").unwrap()["data"]["key"], "dDBwczNjcmV0");
    assert_eq!(held(&fleet, &key("Secret", "keyfile")).unwrap().data, json!({}));
    let patch = api.asked().into_iter().rfind(is_patch).unwrap();
    assert!(patch.accept.contains("as=PartialObjectMetadata"), "{}", patch.accept);
    Ok(())
}

const RBAC: &str = r#"configmaps "a" is forbidden: User "kogge" cannot patch resource "configmaps" in API group "" in the namespace "databases""#;
const WEBHOOK: &str = r#"admission webhook "policy.example.com" denied the request: no team label"#;
const QUOTA: &str =
    r#"pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=9, limited: pods=9"#;

/// A right that is missing is asked for again; what admission refuses is none.
#[tokio::test]
async fn field_24_only_a_missing_right_is_told_as_one() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    let reviews = || api.count(|asked| asked.path.ends_with("/selfsubjectrulesreviews"));
    let before = reviews();
    for (code, words) in [(403, WEBHOOK), (403, QUOTA), (403, RBAC)] {
        assert_eq!(reviews(), before, "{words}");
        api.behave();
        api.rule(move |asked| is_patch(asked).then(|| Reply::Json(code, failure(code, "Forbidden", words))));
        let error =
            fleet.execute(&apply(&config_map("a", "c1"), ApplyPrecondition::Absent), LEADER).await.unwrap_err();
        assert_eq!(error.to_string().contains("kogge worker join"), words == RBAC, "{error}");
    }
    until("the review", async || reviews() > before).await
}

/// A webhook that is slow: tried once and then after pauses, told by the same words meanwhile, and no fault of the
/// worker's.
#[tokio::test]
async fn field_25_a_write_that_hangs_is_not_sent_again_at_once_and_leaves_the_worker_live() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let fleet = connected_hastily(&api).await?;
    api.rule(|asked| is_patch(asked).then_some(Reply::Hang));
    let create = |name: &str| apply(&config_map(name, "c1"), ApplyPrecondition::Absent);
    let first = fleet.execute(&create("a"), LEADER).await?;
    assert!(matches!(first, Outcome::Unknown { timed_out: true, .. }), "{first:?}");
    for _ in 0..5 {
        assert_eq!(fleet.execute(&create("a"), LEADER).await?, first);
    }
    let patches: Vec<_> = api.asked().into_iter().filter(is_patch).collect();
    assert_eq!(patches.len(), 1);
    assert!(patches[0].query.contains("timeout=720ms"), "the server gives up first: {}", patches[0].query);
    // More of them than open the breaker.
    let many: Vec<_> = (0..8).map(|number| create(&format!("b-{number}"))).collect();
    let came = futures::future::join_all(many.iter().map(|create| fleet.execute(create, LEADER))).await;
    assert_eq!(came.len(), 8);
    assert!(fleet.snapshot().workers[&"w".into()].is_current());
    let (client, _) = fleet.client(&"w".into())?;
    let maps: kube::Api<k8s_openapi::api::core::v1::ConfigMap> = kube::Api::namespaced(client, NAMESPACE);
    assert!(maps.get_opt("free").await?.is_none(), "no breaker is open");
    // Other content is tried at once.
    api.behave();
    let mut other = config_map("a", "c1");
    other["metadata"]["annotations"]["kogge.dev/applied-hash"] = json!("another");
    let came = fleet.execute(&apply(&other, ApplyPrecondition::Absent), LEADER).await?;
    assert!(matches!(came, Outcome::Applied { .. }), "{came:?}");
    Ok(())
}

#[tokio::test]
async fn field_25_a_webhook_that_is_gone_is_told_by_name_and_not_asked_at_once() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    api.rule(|asked| {
        let words = r#"Internal error occurred: failed calling webhook "vault.example.com": failed to call webhook: Post "https://vault.svc:443/m?timeout=10s": dial tcp 10.0.0.1:443: connect: connection refused"#;
        is_patch(asked).then(|| Reply::Json(500, failure(500, "InternalError", words)))
    });
    let create = apply(&config_map("a", "c1"), ApplyPrecondition::Absent);
    let error = fleet.execute(&create, LEADER).await.unwrap_err();
    assert_eq!(error.reason(), "WebhookUnavailable");
    assert!(error.to_string().contains("vault.example.com") && error.is_transient(), "{error}");
    assert_eq!(fleet.execute(&create, LEADER).await.unwrap_err(), error);
    assert_eq!(api.count(is_patch), 1);
    Ok(())
}

#[tokio::test]
async fn field_38_warnings_of_the_api_server_come_with_the_outcome() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    let words = r#"would violate PodSecurity "restricted:latest": runAsNonRoot != true"#;
    let header = format!("299 - \"{}\"", words.replace('"', "\\\""));
    api.rule(move |asked| is_patch(asked).then(|| Reply::ActAndWarn(vec![header.clone(), header.clone()])));
    for dry_run in [true, false] {
        let create = apply(&config_map("a", "c1"), ApplyPrecondition::Absent);
        api.take(&collection("configmaps"), "a");
        let came = fleet.execute(&create, WriteContext { dry_run, ..LEADER }).await?;
        let Outcome::Applied { warnings, .. } = came else { anyhow::bail!("{came:?}") };
        assert_eq!(warnings, [words]);
    }
    // Not those of a Secret, which may quote it (A12).
    let mut secret = config_map("keyfile", "c1");
    secret["kind"] = json!("Secret");
    let came = fleet.execute(&apply(&secret, ApplyPrecondition::Absent), LEADER).await?;
    assert!(matches!(&came, Outcome::Applied { warnings, .. } if warnings.is_empty()), "{came:?}");
    Ok(())
}

#[tokio::test]
async fn field_38_why_a_stateful_set_makes_no_pods_is_read_from_its_events_now_and_then() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    let words = r#"create Pod s-0 in StatefulSet s failed error: pods "s-0" is forbidden: exceeded quota: q"#;
    api.put(
        &collection("events"),
        json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "s.1", "namespace": NAMESPACE},
            "involvedObject": {"kind": "StatefulSet", "name": "s", "namespace": NAMESPACE, "uid": "u"},
            "reason": "FailedCreate", "message": words, "lastTimestamp": "2026-12-01T00:00:00Z",
        }),
    );
    for _ in 0..5 {
        let why = fleet.why_no_pods(&"w".into(), &key("StatefulSet", "s"), "u").await;
        assert_eq!(why.as_deref(), Some(words));
    }
    let asked: Vec<_> = api.asked().into_iter().filter(|asked| asked.is_list("/events")).collect();
    assert_eq!(asked.len(), 1);
    for part in ["involvedObject.kind%3DStatefulSet", "involvedObject.uid%3Du", "limit=100"] {
        assert!(asked[0].query.contains(part), "{part}: {}", asked[0].query);
    }
    Ok(())
}

#[tokio::test]
async fn a_refusal_says_what_to_do() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    let create = apply(&config_map("a", "c1"), ApplyPrecondition::Absent);
    let mut missing = failure(404, "NotFound", "namespaces \"databases\" not found");
    missing["details"] = json!({"name": NAMESPACE, "kind": "namespaces"});
    for (code, status, reason, says) in [
        (404, missing, "NamespaceMissing", "create it there"),
        (403, failure(403, "Forbidden", RBAC), "Forbidden", "kogge worker join"),
        (400, failure(400, "BadRequest", WEBHOOK), "WebhookDenied", "no team label"),
        (409, failure(409, "Conflict", WEBHOOK), "WebhookDenied", "no team label"),
        (403, failure(403, "Forbidden", QUOTA), "QuotaExceeded", "limited: pods=9"),
        (422, failure(422, "Invalid", "spec.x: bad"), "Refused", "spec.x: bad"),
        (429, failure(429, "TooManyRequests", "slow down"), "Refused", "slow down"),
    ] {
        api.behave();
        api.rule(move |asked| is_patch(asked).then(|| Reply::Json(code, status.clone())));
        let error = fleet.execute(&create, LEADER).await.unwrap_err();
        assert_eq!(error.reason(), reason);
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(error.is_transient(), code == 429);
    }
    Ok(())
}
