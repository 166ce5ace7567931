//! Guarded writes, and what is made of their answers.

use std::sync::atomic::{AtomicUsize, Ordering};

use kogge_fleet::{Fence, FieldConflict, Fleet, Outcome, WriteContext, WriteError};
use kogge_plan::{Action, ApplyPrecondition, Object};
use serde_json::{Value, json};

use crate::api::{Api, Asked, Reply, failure};
use crate::support::{
    Lease, NAMESPACE, collection, config_map, connected, held, key, kubeconfig, options, until, worker,
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
    let Outcome::Applied { resource_version, conflicts } = outcome else { anyhow::bail!("{outcome:?}") };
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

#[tokio::test]
async fn a_refusal_says_what_to_do() -> anyhow::Result<()> {
    let (api, fleet) = start().await?;
    let create = apply(&config_map("a", "c1"), ApplyPrecondition::Absent);
    let mut missing = failure(404, "NotFound", "namespaces \"databases\" not found");
    missing["details"] = json!({"name": NAMESPACE, "kind": "namespaces"});
    for (code, status, reason, says) in [
        (404, missing, "NamespaceMissing", "create it there"),
        (403, failure(403, "Forbidden", "no patch"), "Forbidden", "kogge worker join"),
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
