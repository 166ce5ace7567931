//! A spec that cannot be carried out: what runs is left alone, and its names are kept up to date.

use std::fs;
use std::path::Path;

use kogge_api::conditions::database as types;
use kogge_api::labels;
use kogge_chart_store::ChartStore;
use rstest::rstest;
use serde_json::{Value, json};

use crate::world::{SHARD, World};

type Changes = Vec<(&'static str, Value)>;

#[rstest]
#[case::no_such_version(vec![("global", json!({"chart": "bytedoc", "chartVersion": "9.9.9"}))], "ChartNotFound", "bytedoc 9.9.9")]
#[case::no_such_chart(vec![("global", json!({"chart": "other", "chartVersion": "1.0.0"}))], "ChartNotFound", "other")]
#[case::against_the_schema(vec![("values", json!({"terminationGracePeriodSeconds": "soon"}))], "ValuesInvalid", "terminationGracePeriodSeconds")]
#[case::unknown_value(vec![("values", json!({"nope": 1}))], "ValuesInvalid", "nope")]
fn what_runs_goes_on(#[case] changes: Changes, #[case] reason: &str, #[case] told: &str) {
    let mut world = World::three_settled();
    let before = world.picture();
    world.set(&changes);
    world.rounds(5);
    assert!(world.writes.is_empty(), "{:?}", world.writes);
    let invalid = world.condition(types::SPEC_VALID);
    assert_eq!((invalid.status.as_str(), invalid.reason.as_str()), ("False", reason));
    assert!(invalid.message.contains(told), "{}", invalid.message);
    assert_eq!(invalid.observed_generation, world.cluster.metadata.generation);
    assert_eq!(world.condition(types::READY).reason, reason);
    assert_eq!(world.condition(types::AVAILABLE).status, "True");
    assert_eq!(world.status().waiting_for, Some(invalid.message));

    world.worker("vdc1").remove("Pod", "ll2022-shard-0-vdc1-0");
    world.rounds(5);
    let written: Vec<_> = ["vdc1", "vdc2", "vdc3"].iter().flat_map(|vdc| world.written_on(vdc)).collect();
    assert!(!written.is_empty() && written.iter().all(|(kind, _)| kind == "EndpointSlice"), "{written:?}");
    assert_eq!(world.picture(), before);

    world.set(&[("global", json!({"chart": "bytedoc", "chartVersion": "1.0.0"})), ("values", json!({}))]);
    world.settle();
    assert_eq!(world.picture(), before);
}

#[test]
fn a_first_spec_that_does_not_render_is_told_and_nothing_is_written() {
    let mut world = World::three();
    world.chart_version("9.9.9");
    world.rounds(5);
    assert!(world.writes.is_empty() && world.secrets.is_none() && world.revisions.is_empty());
    let invalid = world.condition(types::SPEC_VALID);
    assert_eq!((invalid.status.as_str(), invalid.reason.as_str()), ("False", "ChartNotFound"));
    assert!(!world.is_ready());
    world.chart_version("1.0.0");
    world.settle();
}

#[rstest]
#[case::no_priority(json!({"priority": 0}), "NoElectableMember", "can become primary")]
#[case::readers(json!({"role": "ReadOnly"}), "NoElectableMember", "can become primary")]
#[case::standbys(json!({"role": "Standby"}), "NoElectableMember", "can become primary")]
#[case::nobody(json!({"shard": {"membersPerPlacement": 0}}), "NoMember", "shard-0")]
#[case::too_many(json!({"shard": {"membersPerPlacement": 17}}), "TooManyMembers", "51 members")]
fn field_22_field_23_what_no_plan_can_carry_out_is_refused_before_anything_is_made(
    #[case] over: Value,
    #[case] reason: &str,
    #[case] told: &str,
) {
    let placements: Value = ["vdc1", "vdc2", "vdc3"]
        .into_iter()
        .map(|vdc| {
            let mut placement = json!({"name": vdc, "vdc": vdc});
            placement.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
            placement
        })
        .collect();
    let mut world = World::three();
    let fit = world.cluster.spec.placement.clone();
    world.set(&[("placement", placements.clone())]);
    world.rounds(5);
    assert!(world.writes.is_empty() && world.secrets.is_none() && world.revisions.is_empty());
    let invalid = world.condition(types::SPEC_VALID);
    assert_eq!((invalid.status.as_str(), invalid.reason.as_str()), ("False", reason));
    assert!(invalid.message.contains(told), "{}", invalid.message);

    world.edit(|spec| spec.placement = fit);
    world.settle();
    world.forget_history();
    world.set(&[("placement", placements)]);
    world.rounds(5);
    assert!(world.writes.is_empty() && world.steps.is_empty(), "what runs goes on: {:?}", world.writes);
    assert_eq!(world.condition(types::SPEC_VALID).reason, reason);
    assert_eq!(world.condition(types::AVAILABLE).status, "True");
}

#[test]
fn field_42_a_database_larger_than_the_operator_holds_is_refused_with_its_numbers() {
    let mut world = World::three();
    world.set(&[("shard", json!({"shardCount": 128, "membersPerPlacement": 7}))]);
    world.rounds(3);
    assert!(world.writes.is_empty() && world.secrets.is_none());
    let invalid = world.condition(types::SPEC_VALID);
    assert_eq!(invalid.reason, "TooManyPods");
    assert!(
        invalid.message.contains("at most 1000") && invalid.message.contains("shardCount"),
        "{}",
        invalid.message
    );
}

#[test]
fn held_in_the_middle_of_a_rollout_it_goes_on_once_it_is_mended() {
    let mut world = World::three_settled();
    world.chart_version("1.1.0");
    world.rounds(20);
    world.chart_version("1.2.0");
    world.rounds(3);
    world.forget_history();
    world.rounds(20);
    let written: Vec<_> = ["vdc1", "vdc2", "vdc3"].iter().flat_map(|vdc| world.written_on(vdc)).collect();
    assert!(written.iter().all(|(kind, _)| kind == "EndpointSlice"), "{written:?}");
    assert!(world.servers.serve());
    world.chart_version("1.1.0");
    world.settle();
    assert_eq!(world.status().chart_version.as_deref(), Some("1.1.0"));
}

#[test]
fn an_invalid_spec_that_also_drops_a_placement_takes_nothing_away() {
    let mut world = World::three_settled();
    let before = world.picture();
    world.edit(|spec| {
        spec.placement.truncate(1);
        spec.global.chart_version = Some("9.9.9".to_owned());
    });
    world.rounds(20);
    assert!(world.writes.is_empty() && world.steps.is_empty(), "{:?} {:?}", world.writes, world.steps);
    assert_eq!(world.picture(), before);
    assert_eq!(world.servers.voters(SHARD).len(), 3);
}

#[test]
fn an_invalid_spec_that_also_changes_counts_changes_none() {
    let mut world = World::three_settled();
    let before = world.picture();
    world.set(&[("mongos", json!({"replicasPerPlacement": 2})), ("shard", json!({"membersPerPlacement": 2}))]);
    world.chart_version("9.9.9");
    world.rounds(20);
    assert!(world.writes.is_empty() && world.steps.is_empty(), "{:?} {:?}", world.writes, world.steps);
    assert_eq!(world.picture(), before);
    world.chart_version("1.0.0");
    world.settle();
    assert_eq!(world.status().summary.as_deref(), Some("15/15"));
}

#[test]
fn a_pause_stops_everything_but_the_names() {
    let mut world = World::three_settled();
    world.annotate(labels::PAUSE, Some("true"));
    world.chart_version("1.1.0");
    world.rounds(10);
    world.worker("vdc1").remove("Pod", "ll2022-shard-0-vdc1-0");
    world.rounds(5);
    let written: Vec<_> = ["vdc1", "vdc2", "vdc3"].iter().flat_map(|vdc| world.written_on(vdc)).collect();
    assert!(!written.is_empty() && written.iter().all(|(kind, _)| kind == "EndpointSlice"), "{written:?}");
    assert!(world.steps.is_empty());
    assert_eq!(world.condition(types::READY).reason, "Paused");
    assert_eq!(world.condition(types::ROLLOUT_PAUSED).reason, "Paused");
    world.annotate(labels::PAUSE, None);
    world.settle();
    assert_eq!(world.status().chart_version.as_deref(), Some("1.1.0"));
}

#[test]
fn a_pause_holds_a_rotation_of_users() {
    let mut world = World::three_settled();
    world.edit(|spec| {
        spec.security.rotation.passwords = 1;
        spec.security.rotation.grace = std::time::Duration::from_secs(5).into();
    });
    while world.status().security.unwrap().previous_user.is_none() {
        world.round();
    }
    world.annotate(labels::PAUSE, Some("true"));
    world.rounds(20);
    assert!(world.status().security.unwrap().previous_user.is_some(), "its grace is over, and it stays");
    world.annotate(labels::PAUSE, None);
    world.rounds(3);
    assert_eq!(world.status().security.unwrap().previous_user, None);
    world.settle();
}

/// The charts in a folder of their own, with each `values.yaml` as `edit` makes it.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the charts are in folders")]
fn charts_with(folder: &str, edit: impl Fn(String) -> String) -> ChartStore {
    let (from, to) =
        (Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts")), Path::new(env!("CARGO_TARGET_TMPDIR")));
    let to = to.join(folder);
    for version in ["1.0.0", "1.1.0"] {
        let (from, to) = (from.join("bytedoc").join(version), to.join("bytedoc").join(version));
        fs::create_dir_all(to.join("templates")).unwrap();
        for name in ["", "templates"] {
            for entry in fs::read_dir(from.join(name)).unwrap() {
                let entry = entry.unwrap();
                if entry.path().is_file() {
                    fs::copy(entry.path(), to.join(name).join(entry.file_name())).unwrap();
                }
            }
        }
        let values = to.join("values.yaml");
        fs::write(&values, edit(fs::read_to_string(from.join("values.yaml")).unwrap())).unwrap();
    }
    ChartStore::new([to])
}

#[rstest]
#[case::changed("changed", |text: String| text.replace("periodSeconds: 10", "periodSeconds: 11"), "a published version never changes")]
#[case::broken("broken", |_: String| "a: [".to_owned(), "values.yaml line")]
fn field_35_a_published_version_that_changed_restarts_nobody(
    #[case] folder: &str,
    #[case] edit: fn(String) -> String,
    #[case] told: &str,
) {
    let mut world = World::three_settled();
    let before = world.picture();
    world.charts = charts_with(folder, edit);
    world.rounds(5);
    assert!(world.writes.is_empty(), "{:?}", world.writes);
    let ready = world.condition(types::READY);
    assert_eq!(ready.status, "True");
    assert!(ready.message.contains("Kogge uses the copy of chart bytedoc 1.0.0"), "{}", ready.message);
    assert!(ready.message.contains(told), "{}", ready.message);
    assert_eq!(world.picture(), before);

    // It is scaled, and its values change, from what was kept.
    world.set(&[
        ("mongos", json!({"replicasPerPlacement": 2})),
        ("values", json!({"terminationGracePeriodSeconds": 75})),
    ]);
    world.settle();
    assert_ne!(world.picture(), before);

    // A version that the database does not run is taken as it is found.
    world.chart_version("1.1.0");
    if folder == "changed" {
        world.settle();
        assert_eq!(world.status().chart_version.as_deref(), Some("1.1.0"));
        assert!(!world.condition(types::READY).message.contains("copy of chart"));
    } else {
        world.rounds(5);
        assert_eq!(world.condition(types::SPEC_VALID).reason, "ChartInvalid");
    }
}

#[test]
fn a_database_grows_without_the_chart_that_it_was_made_from() {
    let mut world = World::three_settled();
    world.charts = ChartStore::default();
    world.rounds(3);
    assert!(world.writes.is_empty(), "{:?}", world.writes);
    assert!(world.condition(types::READY).message.contains("there is no chart bytedoc 1.0.0"));
    world.set(&[("mongos", json!({"replicasPerPlacement": 2}))]);
    world.settle();
}

#[test]
fn a_chart_of_another_engine_is_refused() {
    let mut world = World::three_settled();
    let before = world.picture();
    world.set(&[("global", json!({"chart": "etcd", "chartVersion": "1.0.0"}))]);
    world.rounds(3);
    let invalid = world.condition(types::SPEC_VALID);
    assert_eq!((invalid.status.as_str(), invalid.reason.as_str()), ("False", "ChartOfOtherEngine"));
    assert!(world.writes.is_empty() && world.picture() == before);
}

#[test]
fn a_suspended_worker_is_not_written_and_the_others_are() {
    let mut world = World::three_settled();
    world.worker("vdc2").suspended = true;
    world.set(&[("mongos", json!({"replicasPerPlacement": 2}))]);
    world.rounds(20);
    assert!(world.written_on("vdc2").is_empty(), "{:?}", world.written_on("vdc2"));
    assert!(world.written_on("vdc1").iter().any(|(kind, _)| kind == "Deployment"));
    assert_eq!(world.condition(types::READY).reason, "WorkerSuspended");
    world.worker("vdc2").suspended = false;
    world.settle();
}
