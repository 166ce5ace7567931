use std::collections::BTreeMap;

use kogge_api::anchor::Anchor;
use kogge_api::anchor::mongodb::{AnchoredMember, Record};
use kogge_api::{Owner, labels};
use kogge_plan::epoch::{Epoch, desired_anchor, next_epoch};
use kogge_plan::ownership::{Identity, Ownership, Refusal, Verdict, WorkerVerdict, assess};
use kogge_plan::placement::{PlacementError, Placements, ResolvedPlacement};
use kogge_plan::{FleetView, Object, WorkerView, anchors};
use rstest::rstest;
use serde_json::json;

use crate::support::{ID, NAME, NAMESPACE, OTHER_ID, id, ours, partial, silent, view};

fn resource() -> Owner {
    Owner {
        kind: "FederatedCluster".to_owned(),
        namespace: NAMESPACE.to_owned(),
        name: NAME.to_owned(),
        uid: Some("uid-of-fc".to_owned()),
    }
}

fn identity() -> Identity {
    Identity { resource: resource(), cluster_id: Some(id()), epoch: Some(3), control_uid: "control".to_owned() }
}

fn placements() -> Placements {
    let resolved = [1, 2, 3].map(|n| {
        let name = format!("vdc{n}");
        let placement = ResolvedPlacement {
            name: name.clone(),
            vdc: name.clone(),
            worker: format!("w{n}").as_str().into(),
            uid: Some(format!("uid-{n}")),
            cluster_domain: "cluster.local".to_owned(),
        };
        (name, placement)
    });
    Placements { resolved: resolved.into(), errors: BTreeMap::new() }
}

fn fleet(views: [WorkerView; 3]) -> FleetView {
    FleetView { workers: ["w1".into(), "w2".into(), "w3".into()].into_iter().zip(views).collect() }
}

fn empty(n: u32) -> WorkerView {
    view(&format!("uid-{n}"), [])
}

fn anchor() -> Anchor<Record> {
    Anchor {
        cluster_id: id(),
        name: NAME.to_owned(),
        resource: Some(resource()),
        owner_uid: "control".to_owned(),
        epoch: 3,
        spec_hash: "h3".to_owned(),
        worker_uids: [("vdc1".to_owned(), "uid-1".to_owned())].into(),
        record: Record {
            next_member_id: [("config".to_owned(), 3)].into(),
            seeds: [("config".to_owned(), "ll2022-config-vdc1-0".to_owned())].into(),
            ..Record::default()
        },
    }
}

fn objects(anchor: &Anchor<Record>) -> [Object; 2] {
    anchors::objects(anchor, NAMESPACE).unwrap()
}

fn judged(views: [WorkerView; 3]) -> Ownership<Record> {
    assess::<Record>(&identity(), &placements(), &fleet(views))
}

#[test]
fn a_new_database_is_written_once_every_placement_was_seen_empty() {
    let ownership = judged([empty(1), empty(2), empty(3)]);
    assert_eq!(ownership.overall, Verdict::New);
    assert!(["w1", "w2", "w3"].iter().all(|worker| ownership.may_write(&(*worker).into())));
}

type Blind = fn(WorkerView) -> WorkerView;

#[rstest]
#[case::silent(silent)]
#[case::partial(partial)]
#[case::nameless(|view: WorkerView| WorkerView { uid: None, ..view })]
fn nothing_is_written_on_a_partial_view_and_the_missing_worker_is_named(#[case] blind: Blind) {
    let ownership = judged([empty(1), blind(empty(2)), empty(3)]);
    let Verdict::UnknownYet { missing } = &ownership.overall else { panic!("{:?}", ownership.overall) };
    assert_eq!(missing.keys().collect::<Vec<_>>(), ["vdc2"]);
    assert!(missing["vdc2"].contains("w2"), "{}", missing["vdc2"]);
    assert!(["w1", "w2", "w3"].iter().all(|worker| !ownership.may_write(&(*worker).into())));
}

#[test]
fn an_unknown_vdc_holds_a_new_database_and_not_a_running_one() {
    let mut placements = placements();
    placements.errors.insert(
        "vdc9".to_owned(),
        PlacementError::UnknownVdc { placement: "vdc9".into(), vdc: "vdc9".into(), known: "vdc1".into() },
    );
    let fresh = assess::<Record>(&identity(), &placements, &fleet([empty(1), empty(2), empty(3)]));
    assert!(matches!(fresh.overall, Verdict::UnknownYet { missing } if missing.contains_key("vdc9")));
    let running = fleet([view("uid-1", objects(&anchor())), empty(2), empty(3)]);
    assert!(matches!(assess::<Record>(&identity(), &placements, &running).overall, Verdict::Ours { .. }));
}

#[test]
fn a_namespace_that_is_not_watched_is_not_taken_for_empty() {
    let mut placements = placements();
    placements.errors.insert(
        "vdc2".to_owned(),
        PlacementError::NamespaceNotAllowed {
            placement: "vdc2".into(),
            worker: "w2".into(),
            namespace: NAMESPACE.into(),
        },
    );
    let ownership = assess::<Record>(&identity(), &placements, &fleet([empty(1), empty(2), empty(3)]));
    assert!(matches!(ownership.overall, Verdict::UnknownYet { missing } if missing.contains_key("vdc2")));
}

#[test]
fn an_anchor_anywhere_makes_it_ours_and_a_silent_worker_holds_only_itself() {
    let ownership = judged([view("uid-1", objects(&anchor())), silent(empty(2)), empty(3)]);
    assert!(matches!(ownership.overall, Verdict::Ours { .. }));
    assert!(ownership.may_write(&"w1".into()) && ownership.may_write(&"w3".into()));
    assert!(!ownership.may_write(&"w2".into()));
    assert_eq!(ownership.pinned_uid("vdc1"), Some("uid-1"));
}

/// An edit may replace every placement: a second database is not begun beside the one that stands.
#[test]
fn field_27_workers_that_every_placement_left_remember_the_database() {
    let mut moved = placements();
    moved.resolved.retain(|name, _| name == "vdc3");
    let left = fleet([view("uid-1", objects(&anchor())), empty(2), empty(3)]);
    let ownership = assess::<Record>(&identity(), &moved, &left);
    assert!(matches!(&ownership.overall, Verdict::Ours { anchor } if anchor.epoch == 3), "{ownership:?}");
}

#[test]
fn the_copy_in_the_system_namespace_speaks_when_the_namespace_is_gone() {
    let [_, copy] = objects(&anchor());
    let ownership = judged([view("uid-1", [copy]), empty(2), empty(3)]);
    assert!(matches!(ownership.overall, Verdict::Ours { .. }));
}

#[test]
fn anchors_are_joined_without_forgetting_anything() {
    let member = |initialized, member_id| AnchoredMember { initialized, member_id };
    let mut one = anchor();
    one.record.next_member_id.insert("shard-0".to_owned(), 2);
    one.record.members.insert("m0".to_owned(), member(true, Some(0)));
    one.record.members.insert("m1".to_owned(), member(false, Some(4)));
    let mut two = anchor();
    two.epoch = 2;
    two.record.next_member_id.insert("config".to_owned(), 7);
    two.record.members.insert("m0".to_owned(), member(false, Some(3)));
    two.record.members.insert("m2".to_owned(), member(true, None));
    two.record.seeds.insert("shard-0".to_owned(), "ll2022-shard-0-vdc1-0".to_owned());
    two.worker_uids.insert("vdc2".to_owned(), "uid-2".to_owned());
    for views in [[&one, &two], [&two, &one]] {
        let [first, second] = views.map(objects);
        let ownership = judged([view("uid-1", first), view("uid-2", second), empty(3)]);
        let Verdict::Ours { anchor } = ownership.overall else { panic!("{:?}", ownership.overall) };
        assert_eq!((anchor.epoch, anchor.spec_hash.as_str()), (3, "h3"));
        assert_eq!(anchor.record.next_member_id, [("config".to_owned(), 7), ("shard-0".to_owned(), 2)].into());
        // A member that came back under a new ID has not held data under it yet.
        assert_eq!(anchor.record.members["m0"], member(false, Some(3)));
        assert_eq!(anchor.record.members.len(), 3);
        assert_eq!(anchor.record.seeds.len(), 2);
        assert_eq!(anchor.worker_uids.len(), 2);
    }
}

#[rstest]
#[case("ForeignOwner", |a: &mut Anchor<Record>| a.owner_uid = "somebody".to_owned(), "somebody")]
#[case("ForeignClusterID", |a: &mut Anchor<Record>| a.cluster_id = OTHER_ID.parse().unwrap(), "spec.clusterID: zzzzzzzz")]
#[case("AnotherResource", |a: &mut Anchor<Record>| a.resource.as_mut().unwrap().kind = "FederatedEtcd".to_owned(),
    "clusterID abcdefgh belongs to databases/ll2022 (FederatedEtcd)")]
#[case("AnotherResource", |a: &mut Anchor<Record>| a.resource.as_mut().unwrap().namespace = "others".to_owned(), "others/ll2022")]
#[case("AnotherResource", |a: &mut Anchor<Record>| (a.resource, a.name) = (None, "other".to_owned()), "databases/other")]
#[case("EpochAhead", |a: &mut Anchor<Record>| a.epoch = 4, "set back")]
fn a_strange_anchor_refuses_a_new_database(
    #[case] reason: &str,
    #[case] change: fn(&mut Anchor<Record>),
    #[case] says: &str,
) {
    let mut strange = anchor();
    change(&mut strange);
    let ownership = judged([empty(1), view("uid-2", objects(&strange)), empty(3)]);
    let Verdict::Refused(refusal) = &ownership.overall else { panic!("{:?}", ownership.overall) };
    assert_eq!(refusal.reason(), reason);
    assert!(refusal.to_string().contains(says), "{refusal}");
    assert!(["w1", "w2", "w3"].iter().all(|worker| !ownership.may_write(&(*worker).into())));
}

#[test]
fn a_strange_anchor_keeps_a_running_database_from_that_worker_only() {
    let strange = Anchor { owner_uid: "somebody".to_owned(), ..anchor() };
    let ownership = judged([view("uid-1", objects(&anchor())), empty(2), view("uid-3", objects(&strange))]);
    assert!(matches!(ownership.overall, Verdict::Ours { .. }));
    assert!(ownership.may_write(&"w2".into()) && !ownership.may_write(&"w3".into()));
    assert_eq!(ownership.refusals().map(Refusal::reason).collect::<Vec<_>>(), ["ForeignOwner"]);
}

#[test]
fn an_epoch_ahead_stops_every_write() {
    let ahead = Anchor { epoch: 9, ..anchor() };
    let ownership = judged([view("uid-1", objects(&anchor())), empty(2), view("uid-3", objects(&ahead))]);
    assert!(!ownership.may_write(&"w1".into()) && !ownership.may_write(&"w2".into()));
}

#[test]
fn without_an_epoch_or_a_cluster_id_in_hand() {
    let running = || fleet([view("uid-1", objects(&anchor())), empty(2), empty(3)]);
    let adopting = Identity { epoch: None, ..identity() };
    assert!(matches!(assess::<Record>(&adopting, &placements(), &running()).overall, Verdict::Ours { .. }));
    let fresh = Identity { cluster_id: None, epoch: None, ..identity() };
    let Verdict::Refused(refusal) = assess::<Record>(&fresh, &placements(), &running()).overall else {
        panic!("taken")
    };
    assert!(refusal.to_string().contains(&format!("spec.clusterID: {ID}")), "adoption is offered: {refusal}");
}

#[test]
fn two_seeds_of_one_set_stop_every_write() {
    let mut other = anchor();
    other.record.seeds.insert("config".to_owned(), "ll2022-config-vdc2-0".to_owned());
    let ownership = judged([view("uid-1", objects(&anchor())), view("uid-2", objects(&other)), empty(3)]);
    assert!(matches!(&ownership.overall, Verdict::Refused(r) if r.reason() == "SeedsDisagree"));
    assert!(!ownership.may_write(&"w1".into()));
}

#[test]
fn a_placement_stays_on_the_cluster_that_the_anchor_names() {
    let ownership = judged([view("uid-new", []), view("uid-2", objects(&anchor())), empty(3)]);
    assert!(matches!(&ownership.workers[&"w1".into()],
        WorkerVerdict::Refused(r) if r.reason() == "WorkerReplaced"));
    assert!(!ownership.may_write(&"w1".into()) && ownership.may_write(&"w2".into()));
}

#[test]
fn parts_without_an_anchor_anywhere_are_never_initiated_over() {
    let volume = ours("PersistentVolumeClaim", "data-abcdefgh-x-0", &[], json!({}));
    let ownership = judged([empty(1), view("uid-2", [volume]), empty(3)]);
    assert!(matches!(&ownership.overall, Verdict::Refused(r) if r.reason() == "LeftBehind"));
}

/// What carries the label alone, such as what another tenant made in a namespace of its own, is nobody's part.
#[test]
fn field_03_a_label_alone_makes_nothing_a_part_of_a_database() {
    let mut elsewhere = ours("ConfigMap", "bait", &[], json!({}));
    elsewhere.metadata.namespace = Some("others".to_owned());
    let named = ours("ConfigMap", "bait", &[(labels::CLUSTER, "other")], json!({}));
    for bait in [elsewhere, named] {
        assert_eq!(judged([empty(1), view("uid-2", [bait]), empty(3)]).overall, Verdict::New);
    }
}

#[test]
fn an_anchor_made_again_for_a_resource_made_again_is_ours() {
    let mut before = anchor();
    before.resource.as_mut().unwrap().uid = Some("uid-before".to_owned());
    let ownership = judged([view("uid-1", objects(&before)), empty(2), empty(3)]);
    assert!(matches!(ownership.overall, Verdict::Ours { .. }));
}

#[test]
fn an_anchor_that_cannot_be_read_is_no_absent_one() {
    let [mut broken, _] = objects(&anchor());
    broken.data = json!({"data": {"anchor.json": "{"}});
    let ownership = judged([empty(1), view("uid-2", [broken]), empty(3)]);
    assert!(matches!(&ownership.overall, Verdict::Refused(r) if r.reason() == "AnchorUnreadable"));
}

#[rstest]
#[case::first(None, None, None, 1)]
#[case::unchanged(Some(4), Some("h"), Some(4), 4)]
#[case::changed(Some(4), Some("old"), Some(4), 5)]
#[case::crashed_before_the_anchors(Some(5), Some("h"), Some(4), 5)]
#[case::adopted(None, None, Some(7), 8)]
fn the_epoch_rises_with_every_accepted_change(
    #[case] status: Option<i64>,
    #[case] hash: Option<&str>,
    #[case] anchored: Option<i64>,
    #[case] number: i64,
) {
    let epoch = next_epoch(status, hash, "h", anchored);
    assert_eq!(epoch, Epoch { number, spec_hash: "h".to_owned() });
    assert_eq!(epoch.is_recorded(status, hash), status == Some(number) && hash == Some("h"));
}

#[test]
fn the_desired_anchor_keeps_what_is_remembered_and_pinned() {
    let present = Verdict::Ours { anchor: Box::new(anchor()) };
    let epoch = Epoch { number: 4, spec_hash: "h4".to_owned() };
    let seen = [("vdc1", "uid-new"), ("vdc4", "uid-4")].map(|(p, u)| (p.to_owned(), u.to_owned())).into();
    let desired = desired_anchor(&identity(), &id(), &epoch, &present, seen);
    assert_eq!((desired.epoch, desired.spec_hash.as_str()), (4, "h4"));
    assert_eq!(desired.worker_uids["vdc1"], "uid-1");
    assert_eq!(desired.worker_uids["vdc4"], "uid-4");
    assert_eq!(desired.record, anchor().record);
    let later = Epoch { number: 2, spec_hash: "h2".to_owned() };
    let kept = desired_anchor(&identity(), &id(), &later, &present, BTreeMap::new());
    assert_eq!((kept.epoch, kept.spec_hash.as_str()), (3, "h3"), "an epoch never falls");
}
