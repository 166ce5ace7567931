//! Keyfile, certificates and TLS, made anew while the database runs.
#![expect(clippy::disallowed_methods, reason = "one test changes a copy of a chart on disk")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use kogge_api::federated_cluster::TlsMode;
use kogge_chart::Chart;
use kogge_database::secrets::{DatabaseSecrets, Mounted};
use kogge_database::template::{Surroundings, freeze, render_all};
use kogge_engine::{Engine as _, Identity};
use kogge_mongo::MongoDb;
use rstest::rstest;

use crate::world::{Fate, ID, World, name};

const VDCS: [&str; 3] = ["vdc1", "vdc2", "vdc3"];

fn secrets(world: &World) -> DatabaseSecrets {
    DatabaseSecrets::read(world.secrets.as_ref().unwrap()).unwrap()
}

fn secrets_on(world: &mut World, vdc: &str) -> BTreeSet<String> {
    world.worker(vdc).list("Secret").map(|secret| name(secret).to_owned()).collect()
}

/// The Secrets that pods mount all stand beside them, in every pass.
fn mounts_stand(world: &mut World) {
    for vdc in VDCS {
        let standing = secrets_on(world, vdc);
        for pod in world.worker(vdc).list("Pod") {
            let volumes = pod.data["spec"]["volumes"].as_array().unwrap();
            for mounted in volumes.iter().filter_map(|volume| volume["secret"]["secretName"].as_str()) {
                assert!(standing.contains(mounted), "{} mounts {mounted}, which {vdc} lacks", name(pod));
            }
        }
    }
}

#[test]
fn a_database_begins_with_the_tls_that_it_asks_for() {
    let mut world = World::three();
    world.edit(|spec| spec.security.tls.mode = TlsMode::Require);
    world.settle();
    let told = world.status().security.unwrap();
    assert_eq!((told.tls_mode, told.generation, told.rotating), (TlsMode::Require, 1, None));
    let expected = ["ll2022-config-tls-1", "ll2022-keyfile-1", "ll2022-mongos-tls-1", "ll2022-shard-0-tls-1"];
    assert_eq!(secrets_on(&mut world, "vdc1"), expected.map(str::to_owned).into());
    let mounted = world.worker("vdc1").object("StatefulSet", "ll2022-config-vdc1").unwrap();
    let text = serde_json::to_string(mounted).unwrap();
    assert!(text.contains("--tlsMode=requireTLS") && text.contains("ll2022-config-tls-1"), "{text}");
    assert!(world.status().connection.unwrap().uri.ends_with("?tls=true"));
}

#[test]
fn without_tls_no_template_speaks_of_it() {
    let mut world = World::three_settled();
    let text = serde_json::to_string(world.worker("vdc1").object("StatefulSet", "ll2022-config-vdc1").unwrap());
    assert!(!text.unwrap().contains("tls"));
    assert_eq!(secrets_on(&mut world, "vdc1"), ["ll2022-keyfile-1".to_owned()].into());
}

#[rstest]
#[case::undisturbed(0)]
#[case::killed_every_other_pass(2)]
#[case::killed_in_two_of_three_passes(3)]
fn keyfile_and_authority_are_made_anew(#[case] killed: usize) {
    let mut world = World::three();
    world.edit(|spec| spec.security.tls.mode = TlsMode::Require);
    world.settle();
    let before = secrets(&world);
    world.edit(|spec| {
        spec.security.rotation.keyfile = 1;
        spec.security.rotation.authority = 1;
    });
    let mut generations = BTreeSet::new();
    for round in 0..600 {
        mounts_stand(&mut world);
        generations.insert(secrets(&world).current.number);
        if killed > 0 && round % killed > 0 {
            let _ = world.pass(&Fate::Killed { writes: vec![1, 0, 2], steps: 1 });
            world.tick();
        } else {
            let _ = world.round();
        }
        if world.is_ready() {
            break;
        }
    }
    world.settle();
    let after = secrets(&world);
    assert_eq!(generations, [1, 2, 3, 4].into());
    assert_ne!(after.current.keys, before.current.keys);
    assert_ne!(after.current.tls.as_ref().unwrap().trust, before.current.tls.as_ref().unwrap().trust);
    assert_eq!(after.previous, None);
    for vdc in VDCS {
        assert!(secrets_on(&mut world, vdc).iter().all(|name| name.ends_with("-4")), "{vdc}");
    }
    world.forget_history();
    world.rounds(5);
    assert!(world.writes.is_empty(), "A5: {:?}", world.writes);
}

/// A pod that crashes before the rollout reaches it is started with what it was made with.
#[test]
fn a_secret_that_running_pods_mount_is_put_back() {
    let mut world = World::three_settled();
    world.edit(|spec| spec.security.rotation.keyfile = 1);
    while secrets(&world).current.number == 1 {
        world.round();
    }
    world.worker("vdc3").remove("Secret", "ll2022-keyfile-1");
    // What is written in the control cluster ends a pass, and the change is kept and recorded there first.
    world.rounds(4);
    mounts_stand(&mut world);
    world.settle();
}

#[test]
fn new_certificates_restart_nothing_where_servers_read_them_again() {
    let mut world = World::three();
    world.edit(|spec| spec.security.tls.mode = TlsMode::Require);
    world.settle();
    let pods = |world: &mut World| -> BTreeSet<Option<String>> {
        let of = |vdc| world.worker(vdc).list("Pod").map(|pod| pod.metadata.uid.clone()).collect::<Vec<_>>();
        VDCS.into_iter().flat_map(of).collect()
    };
    let (before, running) = (secrets(&world), pods(&mut world));
    world.edit(|spec| spec.security.rotation.certificates = 1);
    world.settle();
    let after = secrets(&world);
    assert_eq!((after.current.number, after.reloading), (1, false));
    assert_ne!(after.current.tls.unwrap().leaves, before.current.tls.unwrap().leaves);
    assert_eq!(pods(&mut world), running);
    let changed = ("Secret".to_owned(), "ll2022-config-tls-1".to_owned());
    assert!(world.written_on("vdc1").contains(&changed));
}

#[test]
fn tls_is_turned_on_step_by_step() {
    let mut world = World::three_settled();
    world.edit(|spec| spec.security.tls.mode = TlsMode::Require);
    let mut modes = Vec::new();
    for _ in 0..600 {
        mounts_stand(&mut world);
        let mode = secrets(&world).current.tls_mode();
        if modes.last() != Some(&mode) {
            modes.push(mode);
        }
        let _ = world.round();
        if world.is_ready() {
            break;
        }
    }
    world.settle();
    assert_eq!(modes, [TlsMode::Disabled, TlsMode::Allow, TlsMode::Prefer, TlsMode::Require]);
}

#[test]
fn a_password_comes_with_the_next_user_and_the_previous_one_stays_for_the_grace() {
    let mut world = World::three_settled();
    world.edit(|spec| {
        spec.security.rotation.passwords = 1;
        spec.security.rotation.grace = Duration::from_mins(1).into();
    });
    world.settle();
    let told = world.status().security.unwrap();
    let previous = told.previous_user.unwrap();
    assert_eq!((previous.name.as_str(), told.rotating, told.generation), ("admin", None, 1));
    assert_eq!(secrets(&world).users.admin().user, "admin-2");
    world.forget_history();
    let stored = world.secrets.clone();
    world.rounds(3);
    assert!(world.writes.is_empty() && world.secrets == stored, "A5: nothing happens within the grace");
    while world.status().security.unwrap().previous_user.is_some() {
        let before = world.clock();
        world.round();
        let known = secrets(&world).previous_users.is_some();
        assert!(known || before >= previous.removed_at, "it was removed at {before:?}");
        assert!(world.is_ready(), "{:?}", world.status().conditions);
    }
    assert!(world.clock() >= previous.removed_at && world.writes.is_empty());
}

#[test]
fn a_silent_data_centre_holds_a_rotation() {
    let mut world = World::three_settled();
    world.worker("vdc3").silent = true;
    world.edit(|spec| spec.security.rotation.keyfile = 1);
    world.rounds(60);
    assert_eq!(secrets(&world).current.number, 1, "pods that are not seen may run anything");
    assert!(!world.is_ready());
    world.worker("vdc3").silent = false;
    world.settle();
    assert_eq!(secrets(&world).current.number, 3);
}

#[test]
fn users_are_made_only_while_every_member_is_seen() {
    let mut world = World::three_settled();
    world.edit(|spec| spec.security.rotation.passwords = 1);
    while secrets(&world).next_users.is_none() {
        world.round();
    }
    world.worker("vdc3").silent = true;
    world.rounds(10);
    assert_eq!(secrets(&world).users.admin().user, "admin", "a set may be there that nobody sees");
    world.worker("vdc3").silent = false;
    world.settle();
    assert_eq!(secrets(&world).users.admin().user, "admin-2");
}

#[test]
fn a_chart_that_mounts_no_certificate_is_refused_with_tls() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../charts/bytedoc/1.0.0");
    let mut files = BTreeMap::new();
    for folder in [folder.clone(), folder.join("templates")] {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap).filter(|e| e.path().is_file()) {
            let name = entry.path().strip_prefix(folder.parent().unwrap()).unwrap().to_str().unwrap().to_owned();
            let name = name.trim_start_matches("1.0.0/").to_owned();
            let text = fs::read_to_string(entry.path()).unwrap();
            files.insert(
                name,
                text.replace("secretName: {{secrets.tls.secret}}", "secretName: {{secrets.keyfile}}").into_bytes(),
            );
        }
    }
    let chart = Chart::from_files("bytedoc", "1.0.0", &files).unwrap();
    let identity = Identity {
        name: "ll2022".to_owned(),
        namespace: "databases".to_owned(),
        id: ID.parse().unwrap(),
        cluster_domain: "cluster.local".to_owned(),
    };
    let cluster = World::three().cluster;
    let (database, spec) = (MongoDb::database(&cluster), &cluster.spec);
    let around = Surroundings { kube_version: "1.34.4", agent_image: "registry.example/agent:1" };
    let frozen = freeze::<MongoDb>(spec, &identity, around);
    let render = |mode| render_all::<MongoDb>(&database, spec, &identity, &chart, &frozen, Mounted::first(mode));
    assert!(render(TlsMode::Disabled).is_ok());
    let error = render(TlsMode::Require).unwrap_err();
    assert_eq!(error.reason(), "ChartWithoutTls");
    assert!(error.to_string().contains("requireTLS") && error.to_string().contains("bytedoc 1.0.0"), "{error}");
}
