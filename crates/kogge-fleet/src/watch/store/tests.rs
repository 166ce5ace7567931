use kogge_api::worker_cluster::AllowedNamespaces;
use serde_json::json;

use super::*;
use crate::watch::kinds::slots;

fn object(name: &str, version: u64, cluster_id: &str) -> Object {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": name, "namespace": "databases", "uid": format!("uid-{name}"),
            "resourceVersion": version.to_string(), "labels": {"kogge.dev/cluster-id": cluster_id},
            "annotations": {"kogge.dev/applied-hash": "a"},
        },
    }))
    .unwrap()
}

fn all_slots() -> BTreeSet<Slot> {
    slots(&AllowedNamespaces { names: Some(vec!["databases".to_owned()]), all: None }, None)
}

fn config_maps() -> Slot {
    all_slots().into_iter().find(|slot| slot.kind.kind == "ConfigMap").unwrap()
}

/// A store that has seen these at its first list.
fn listed(objects: &[(&str, u64)]) -> Store {
    let mut store = Store::default();
    store.begin(&all_slots());
    for slot in all_slots() {
        list(&mut store, &slot, if slot == config_maps() { objects } else { &[] });
    }
    store
}

fn list(store: &mut Store, slot: &Slot, objects: &[(&str, u64)]) -> Effect {
    store.observe(slot, Event::Init);
    for (name, version) in objects {
        store.observe(slot, Event::InitApply(object(name, *version, "c1")));
    }
    store.observe(slot, Event::InitDone)
}

fn versions(store: &Store) -> Vec<(String, String)> {
    let of = |object: &Object| object.metadata.resource_version.clone().unwrap();
    store.objects().iter().map(|(key, object)| (key.name.clone(), of(object))).collect()
}

fn expect(store: &Store, expected: &[(&str, u64)]) {
    let expected: Vec<_> = expected.iter().map(|(name, v)| ((*name).to_owned(), v.to_string())).collect();
    assert_eq!(versions(store), expected);
}

fn touched(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

#[test]
fn complete_only_when_every_watch_has_listed() {
    let mut store = Store::default();
    assert!(!store.is_complete(), "nothing is watched");
    store.begin(&all_slots());
    let last = all_slots().len() - 1;
    for (at, slot) in all_slots().iter().enumerate() {
        assert!(!store.is_complete());
        let effect = list(&mut store, slot, &[]);
        assert!(effect.health_changed, "{at} of {last}");
    }
    assert!(store.is_complete());
}

#[test]
fn a_failed_watch_makes_the_view_partial_until_it_has_listed_again() {
    let mut store = listed(&[("a", 1)]);
    assert!(store.fail(&config_maps(), "403".to_owned()).health_changed);
    assert!(!store.fail(&config_maps(), "403".to_owned()).health_changed, "told once");
    assert!(!store.is_complete());
    assert_eq!(store.failure().unwrap().1, "403");
    expect(&store, &[("a", 1)]);
    store.observe(&config_maps(), Event::Init);
    assert!(!store.is_complete());
    assert!(store.observe(&config_maps(), Event::InitDone).health_changed);
    assert!(store.is_complete());
}

#[test]
fn a_relist_removes_what_it_does_not_show_and_tells_whose_it_was() {
    let mut store = listed(&[("a", 1), ("b", 2)]);
    let effect = list(&mut store, &config_maps(), &[("b", 2)]);
    assert_eq!(effect.touched, touched(&["c1"]));
    assert!(!effect.health_changed && !effect.relist);
    expect(&store, &[("b", 2)]);
    let effect = list(&mut store, &config_maps(), &[("b", 2)]);
    assert_eq!(effect, Effect::default(), "a list that shows nothing new tells nothing");
}

#[test]
fn a_relist_is_not_seen_before_it_is_done() {
    let mut store = listed(&[("a", 1)]);
    store.observe(&config_maps(), Event::Init);
    store.observe(&config_maps(), Event::InitApply(object("b", 3, "c1")));
    expect(&store, &[("a", 1)]);
    store.fail(&config_maps(), "reset".to_owned());
    expect(&store, &[("a", 1)]);
}

#[test]
fn a_list_of_a_store_that_was_set_back_counts() {
    let mut store = listed(&[("a", 100)]);
    list(&mut store, &config_maps(), &[("a", 7)]);
    expect(&store, &[("a", 7)]);
}

#[test]
fn events_older_than_what_is_held_are_dropped() {
    let mut store = listed(&[("a", 5)]);
    let slot = config_maps();
    assert_eq!(store.observe(&slot, Event::Apply(object("a", 4, "c1"))), Effect::default());
    assert_eq!(store.observe(&slot, Event::Delete(object("a", 4, "c1"))), Effect::default());
    assert_eq!(store.observe(&slot, Event::Apply(object("a", 5, "c1"))), Effect::default());
    expect(&store, &[("a", 5)]);
    assert_eq!(store.observe(&slot, Event::Delete(object("a", 6, "c1"))).touched, touched(&["c1"]));
    expect(&store, &[]);
}

#[test]
fn an_object_that_changes_hands_touches_both() {
    let mut store = listed(&[("a", 5)]);
    let effect = store.observe(&config_maps(), Event::Apply(object("a", 6, "c2")));
    assert_eq!(effect.touched, touched(&["c1", "c2"]));
}

#[test]
fn a_write_is_seen_at_once_and_old_events_do_not_undo_it() {
    let mut store = listed(&[("a", 5)]);
    assert_eq!(store.written(object("a", 8, "c1")).touched, touched(&["c1"]));
    store.observe(&config_maps(), Event::Apply(object("a", 6, "c1")));
    expect(&store, &[("a", 8)]);
}

#[test]
fn an_answer_that_lags_behind_a_deletion_brings_nothing_back() {
    // The API server answers the deletion of a Service with the Service.
    let mut store = listed(&[("a", 5)]);
    store.observe(&config_maps(), Event::Delete(object("a", 7, "c1")));
    for version in [5, 7] {
        assert_eq!(store.written(object("a", version, "c1")), Effect::default());
    }
    expect(&store, &[]);
    store.written(object("a", 8, "c1"));
    expect(&store, &[("a", 8)]);
}

#[test]
fn a_write_that_overtakes_a_list_is_kept_and_the_list_is_read_again() {
    let mut store = listed(&[]);
    let slot = config_maps();
    store.observe(&slot, Event::Init);
    store.written(object("new", 9, "c1"));
    let effect = store.observe(&slot, Event::InitDone);
    assert!(effect.relist, "the list may have been read before the write");
    expect(&store, &[("new", 9)]);
    // The next list was asked for after the write, so its word counts.
    let effect = list(&mut store, &slot, &[]);
    assert!(!effect.relist);
    expect(&store, &[]);
}

#[test]
fn a_list_older_than_a_write_does_not_undo_it() {
    let mut store = listed(&[("a", 5)]);
    let slot = config_maps();
    store.observe(&slot, Event::Init);
    store.written(object("a", 9, "c1"));
    store.observe(&slot, Event::InitApply(object("a", 5, "c1")));
    assert!(!store.observe(&slot, Event::InitDone).relist);
    expect(&store, &[("a", 9)]);
}

#[test]
fn field_40_what_kogge_did_not_apply_wakes_no_database() {
    let mut store = listed(&[]);
    let foreign = |version| {
        let mut object = object("foreign", version, "c1");
        object.metadata.annotations = None;
        object
    };
    let slot = config_maps();
    for version in 1..100 {
        assert_eq!(store.observe(&slot, Event::Apply(foreign(version))), Effect::default());
    }
    expect(&store, &[("foreign", 99)]);
    assert_eq!(store.observe(&slot, Event::Delete(foreign(100))), Effect::default());
    store.observe(&slot, Event::Init);
    store.observe(&slot, Event::InitApply(foreign(101)));
    assert_eq!(store.observe(&slot, Event::InitDone), Effect::default());
    // What somebody takes Kogge's mark from was Kogge's until then.
    store.observe(&slot, Event::Apply(object("ours", 102, "c1")));
    let mut unmarked = object("ours", 103, "c1");
    unmarked.metadata.annotations = None;
    assert_eq!(store.observe(&slot, Event::Apply(unmarked)).touched, touched(&["c1"]));
}

#[test]
fn what_is_watched_no_more_is_forgotten() {
    let mut store = listed(&[("a", 5)]);
    store.begin(&slots(&AllowedNamespaces { names: Some(vec!["other".to_owned()]), all: None }, None));
    expect(&store, &[]);
    assert!(!store.is_complete());
}
