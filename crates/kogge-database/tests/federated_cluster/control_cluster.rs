//! The control cluster may fail at any request: what was asked for is lost, or done and not answered.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use kogge_api::conditions::database as types;
use kogge_plan::ObjectKey;
use proptest::prelude::*;
use serde_json::json;

use crate::world::{Fortune, World, fortune};

#[test]
fn a_pass_that_fails_shows_it_and_keeps_what_was_judged_before() {
    let mut world = World::three_settled();
    let before = world.status();
    world.fortunes = [Fortune::Lost].into();
    assert_eq!(world.round().failed.as_deref(), Some("ControlClusterSilent"));
    let ready = world.condition(types::READY);
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("Unknown", "ControlClusterSilent"));
    let conditions = |status: &kogge_api::DatabaseStatus| {
        let judged = status.conditions.iter().filter(|condition| condition.type_ != types::READY);
        judged.cloned().collect::<Vec<_>>()
    };
    assert_eq!(conditions(&world.status()), conditions(&before));
    world.settle();
}

#[test]
fn no_condition_vanishes_where_an_answer_of_the_first_passes_is_lost() {
    for answered in 0..24 {
        let mut world = World::three();
        world.fortunes = std::iter::repeat_n(Fortune::Answered, answered).chain([Fortune::AnswerLost]).collect();
        world.rounds(5);
        for type_ in types::ALL {
            world.condition(type_);
        }
    }
}

#[test]
fn every_condition_is_there_from_the_first_status_on() {
    let mut world = World::three();
    world.worker("vdc2").silent = true;
    world.rounds(5);
    for type_ in types::ALL {
        world.condition(type_);
    }
    assert_eq!(world.condition(types::QUORUM_AT_RISK).status, "Unknown");
    assert_eq!(world.condition(types::DELETION_PENDING).status, "False");
}

#[test]
fn the_administrators_secret_is_kept() {
    let mut world = World::three_settled();
    let data = |world: &World| world.admin_secret.clone().and_then(|secret| secret.data);
    let kept = data(&world);
    assert!(kept.is_some());
    world.admin_secret = None;
    world.round();
    assert_eq!(data(&world), kept);
    world.admin_secret.as_mut().unwrap().data.as_mut().unwrap().remove("password");
    world.round();
    assert_eq!(data(&world), kept, "whatever it lacks");
}

#[test]
fn field_26_a_certificate_that_is_not_there_or_not_whole_is_named() {
    let mut world = World::three();
    world.set(&[("security", json!({"tls": {"mode": "Require", "secretRef": {"name": "ours"}}}))]);
    world.rounds(5);
    assert_eq!(world.condition(types::SPEC_VALID).reason, "TlsSecretMissing");
    assert!(world.secrets.is_none() && world.writes.is_empty());
    let data = |keys: &[&str]| {
        let data: serde_json::Map<_, _> = keys.iter().map(|key| ((*key).to_owned(), json!("cGVt"))).collect();
        serde_json::from_value(json!({"metadata": {"name": "ours"}, "data": data})).unwrap()
    };
    world.named_secret = Some(data(&["tls.crt", "tls.key"]));
    world.rounds(2);
    let valid = world.condition(types::SPEC_VALID);
    assert!(valid.reason == "TlsSecretIncomplete" && valid.message.contains("ca.crt"), "{valid:?}");
    assert!(valid.message.contains("add the certificate of the authority") && !valid.message.contains("backup"));
    world.named_secret = Some(data(&["tls.crt", "tls.key", "ca.crt"]));
    world.find_unfit(Some("tls.crt has expired"));
    world.rounds(2);
    let valid = world.condition(types::SPEC_VALID);
    assert!(valid.reason == "TlsSecretUnfit" && valid.message.contains("tls.crt has expired"), "{valid:?}");
    assert!(world.secrets.is_none() && world.writes.is_empty());
    world.find_unfit(None);
    world.settle();
}

#[test]
fn what_nothing_runs_any_more_is_not_kept_for_ever() {
    let mut world = World::three_settled();
    for seconds in 0..13 {
        world.set(&[("values", json!({"terminationGracePeriodSeconds": 60 + seconds}))]);
        world.settle();
    }
    assert_eq!(world.revisions.len(), 10);
    world.chart_version("1.1.0");
    world.settle();
    assert_eq!(world.revisions.len(), 10);
}

fn rotate(world: &mut World) {
    world.set(&[("security", json!({"rotation": {"keyfile": 1, "passwords": 1}}))]);
    world.settle();
}

/// The objects of a database that was made and rotated where nothing fails.
fn undisturbed() -> &'static BTreeSet<(String, ObjectKey)> {
    static END: OnceLock<BTreeSet<(String, ObjectKey)>> = OnceLock::new();
    END.get_or_init(|| {
        let mut world = World::three_settled();
        rotate(&mut world);
        world.picture().into_keys().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a06_a_database_is_made_and_changed_whatever_fails(
        first in prop::collection::vec(fortune(), 0..80),
        then in prop::collection::vec(fortune(), 0..80),
    ) {
        let mut world = World::three();
        world.fortunes = first.into();
        world.settle();
        world.fortunes = then.into();
        rotate(&mut world);
        prop_assert_eq!(&world.picture().into_keys().collect::<BTreeSet<_>>(), undisturbed());
    }
}
