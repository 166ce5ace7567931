//! The rules of a FederatedCluster.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::Verdict::{Passes, Refused};
use crate::harness::{Create, Resource, Update, Verdict};

fn placements(extra: &[Value]) -> Value {
    let all: Vec<Value> = extra
        .iter()
        .enumerate()
        .map(|(index, extra)| {
            let mut placement = json!({"name": format!("vdc{}", index + 1), "vdc": format!("vdc{}", index + 1)});
            json_patch::merge(&mut placement, extra);
            placement
        })
        .collect();
    json!({"placement": all})
}

pub(crate) fn names() -> BTreeMap<String, Verdict> {
    let long =
        Refused("metadata.name of a FederatedCluster must be 1 to 24 lower-case letters, digits and dashes");
    [
        ("a".to_owned(), Passes),
        ("a".repeat(24), Passes),
        ("a".repeat(25), long),
        ("1st".to_owned(), long),
        ("with.dot".to_owned(), long),
        ("Upper".to_owned(), Refused("must consist of lower case alphanumeric characters")),
    ]
    .into()
}

pub(crate) fn creates() -> Vec<Create> {
    let case = |what, spec, verdict| Create { what, spec, verdict };
    let mut cases = vec![
        case("the smallest", json!({}), Passes),
        case("a clusterID of one's own", json!({"clusterID": "abcd2345"}), Passes),
        case("a clusterID too short", json!({"clusterID": "abc"}), Refused("spec.clusterID")),
        case(
            "a clusterID in capitals",
            json!({"clusterID": "ABCD2345"}),
            Refused("spec.clusterID in body should match"),
        ),
        case("a chart version", json!({"global": {"chartVersion": "1.0.0-rc.1"}}), Passes),
        case(
            "half a chart version",
            json!({"global": {"chartVersion": "1.0"}}),
            Refused("spec.global.chartVersion"),
        ),
        case(
            "an engine version in words",
            json!({"global": {"version": "seven"}}),
            Refused("spec.global.version"),
        ),
        case("an image by digest", json!({"global": {"image": "r.example:5000/a/mongod:7.0@sha256:0a"}}), Passes),
        case(
            "an image with a line break",
            json!({"global": {"image": "mongod\ncommand: x"}}),
            Refused("spec.global.image in body should match"),
        ),
        case(
            "a chart that climbs out of its folder",
            json!({"global": {"chart": "../x"}}),
            Refused("spec.global.chart in body should match"),
        ),
        case(
            "a failure that rolls back",
            json!({"rollout": {"onFailure": "Rollback"}}),
            Refused("supported values: \"Pause\""),
        ),
        case("a day of soak", json!({"rollout": {"soak": "24h"}}), Passes),
        case(
            "more than a day",
            json!({"rollout": {"soak": "25h"}}),
            Refused("spec.rollout.soak must be between 0s and 24h"),
        ),
        case("a soak of no duration", json!({"rollout": {"soak": "a while"}}), Refused("spec.rollout.soak")),
        case("no grace", json!({"security": {"rotation": {"grace": "0s"}}}), Passes),
        case(
            "a grace of more than 30 days",
            json!({"security": {"rotation": {"grace": "721h"}}}),
            Refused("spec.security.rotation.grace must be between 0s and 720h (30 days)"),
        ),
        case("no cool-off", json!({"deletion": {"coolOff": "0s"}}), Passes),
        case(
            "a cool-off below zero",
            json!({"deletion": {"coolOff": "-1s"}}),
            Refused("spec.deletion.coolOff must be between 0s and 8760h (a year)"),
        ),
        case(
            "more than a year",
            json!({"deletion": {"coolOff": "8761h"}}),
            Refused("spec.deletion.coolOff must be between 0s and 8760h (a year)"),
        ),
        case(
            "data to be shredded",
            json!({"deletion": {"data": "Shred"}}),
            Refused("supported values: \"Retain\", \"Delete\""),
        ),
        case("free values", json!({"values": {"a": {"b": [1, true, null, "x"]}}}), Passes),
    ];
    cases.extend(counts());
    cases.extend(volumes());
    cases.extend(shares());
    cases.extend(bounds());
    cases
}

/// Field cases 20, 22, 23 and 42.
fn bounds() -> Vec<Create> {
    let case = |what, spec, verdict| Create { what, spec, verdict };
    let many = |count: usize, extra: &Value| placements(&vec![extra.clone(); count]);
    let with = |mut spec: Value, over: Value| {
        json_patch::merge(&mut spec, &over);
        spec
    };
    let rotation = |number: u64| json!({"security": {"rotation": {"passwords": number}}});
    let values = |count: usize| -> Value {
        (0..count).map(|n| (format!("k{n}"), json!(n))).collect::<serde_json::Map<_, _>>().into()
    };
    vec![
        case("field_20: a rotation counted in seconds", rotation(1_767_225_600), Passes),
        case(
            "field_20: a rotation counted in milliseconds",
            rotation(1_767_225_600_000),
            Refused("spec.security.rotation.passwords in body should be less than or equal to 2147483647"),
        ),
        case("field_20: 256 values", json!({"values": values(256)}), Passes),
        case("field_20: 257 values", json!({"values": values(257)}), Refused("spec.values")),
        case(
            "field_20: quantities as numbers and as texts",
            json!({"shard": {"resources": {"limits": {"cpu": 2, "memory": "4Gi"}}}}),
            Passes,
        ),
        case(
            "field_20: a quantity that is a novel",
            json!({"shard": {"resources": {"limits": {"cpu": "9".repeat(33)}}}}),
            Refused("spec.shard.resources.limits.cpu"),
        ),
        case(
            "field_22: 50 members",
            with(many(10, &json!({})), json!({"shard": {"membersPerPlacement": 5}})),
            Passes,
        ),
        case(
            "field_22: 56 members",
            with(many(8, &json!({})), json!({"shard": {"membersPerPlacement": 7}})),
            Refused(
                "spec.placement: each shard would have more than 50 members, and a replica set of MongoDB has at most 50",
            ),
        ),
        case(
            "field_22: 54 config servers, by the placements' own numbers",
            with(many(9, &json!({"config": {"membersPerPlacement": 6}})), json!({})),
            Refused("the replica set of the config servers would have more than 50 members"),
        ),
        case(
            "field_23: nobody with a priority",
            many(3, &json!({"priority": 0})),
            Refused("spec.placement: no member of a shard can become primary"),
        ),
        case(
            "field_23: nobody with a priority and a config server",
            placements(&[json!({"priority": 0}), json!({"config": {"membersPerPlacement": 0}})]),
            Refused("spec.placement: no member of the replica set of the config servers can become primary"),
        ),
        case("field_23: one with a priority", placements(&[json!({"priority": 0}), json!({})]), Passes),
        case(
            "field_42: more pods than the operator holds",
            with(many(7, &json!({})), json!({"shard": {"shardCount": 128, "membersPerPlacement": 7}})),
            Refused(
                "the database would have more than 1000 members and routers, and Kogge holds at most 1000 of them",
            ),
        ),
        case(
            "field_42: more shares than the operator holds",
            with(many(20, &json!({})), json!({"shard": {"shardCount": 128}})),
            Refused("times the placements are more than 1000, and Kogge holds at most 1000 of them"),
        ),
        case(
            "field_42: 128 shards of seven",
            with(many(7, &json!({})), json!({"shard": {"shardCount": 128}})),
            Passes,
        ),
    ]
}

fn counts() -> Vec<Create> {
    let case = |what, spec, verdict| Create { what, spec, verdict };
    vec![
        case(
            "no shard",
            json!({"shard": {"shardCount": 0}}),
            Refused(
                "spec.shard.shardCount must be at least 1: a database is not scaled to zero; to end it, delete the FederatedCluster",
            ),
        ),
        case(
            "a feature compatibility version of three parts",
            json!({"global": {"featureCompatibilityVersion": "7.0.1"}}),
            Refused("spec.global.featureCompatibilityVersion in body should match"),
        ),
        case("a feature compatibility version", json!({"global": {"featureCompatibilityVersion": "7.0"}}), Passes),
        case("128 shards", json!({"shard": {"shardCount": 128}}), Passes),
        case(
            "129 shards",
            json!({"shard": {"shardCount": 129}}),
            Refused("spec.shard.shardCount in body should be less than or equal to 128"),
        ),
        case(
            "no member of a shard",
            json!({"shard": {"membersPerPlacement": 0}}),
            Refused("spec.shard.membersPerPlacement must be at least 1: a database is not scaled to zero"),
        ),
        case(
            "8 members in a placement",
            json!({"shard": {"membersPerPlacement": 8}}),
            Refused("should be less than or equal to 7"),
        ),
        case(
            "no config server",
            json!({"config": {"membersPerPlacement": 0}}),
            Refused("spec.config.membersPerPlacement must be at least 1: a database is not scaled to zero"),
        ),
        case(
            "no router",
            json!({"mongos": {"replicasPerPlacement": 0}}),
            Refused("spec.mongos.replicasPerPlacement must be at least 1: a database is not scaled to zero"),
        ),
        case(
            "fewer than none",
            json!({"mongos": {"replicasPerPlacement": -1}}),
            Refused("spec.mongos.replicasPerPlacement"),
        ),
        case(
            "half a router",
            json!({"mongos": {"replicasPerPlacement": 1.5}}),
            Refused("spec.mongos.replicasPerPlacement"),
        ),
    ]
}

fn volumes() -> Vec<Create> {
    let case = |what, spec, verdict| Create { what, spec, verdict };
    let size = Refused("storage.size must be a quantity above zero, such as 10Gi");
    vec![
        case(
            "a volume and its class",
            json!({"shard": {"storage": {"size": "1.5Ti", "storageClassName": "fast"}}}),
            Passes,
        ),
        case("a size in words", json!({"shard": {"storage": {"size": "much"}}}), size),
        case("no size", json!({"config": {"storage": {"size": "0"}}}), size),
        case("a size below zero", json!({"config": {"storage": {"size": "-1Gi"}}}), size),
    ]
}

fn shares() -> Vec<Create> {
    let case = |what, spec, verdict| Create { what, spec, verdict };
    let name = Refused(
        "spec.placement[].name must be 1 to 16 lower-case letters, digits and dashes, a letter first: it becomes part of every member's host name",
    );
    let shard = Refused("spec.placement: at least one placement with role Voter must hold a member of each shard");
    let config = Refused("spec.placement: at least one placement with role Voter must hold a config server");
    let none = |component: &str, count: &str| json!({component: {count: 0}});
    let twenty: Vec<Value> = (0..20).map(|_| json!({})).collect();
    let twenty_one: Vec<Value> = (0..21).map(|_| json!({})).collect();
    vec![
        case(
            "no placement",
            json!({"placement": []}),
            Refused("spec.placement needs at least one entry: the last placement cannot be removed"),
        ),
        case("no list of placements", json!({"placement": null}), Refused("spec.placement: Required value")),
        case("20 placements", placements(&twenty), Passes),
        case(
            "21 placements",
            placements(&twenty_one),
            Refused("spec.placement: Too many: 21: must have at most 20 items"),
        ),
        case(
            "a name twice",
            placements(&[json!({}), json!({"name": "vdc1"})]),
            Refused("spec.placement[1]: Duplicate value"),
        ),
        case("a long name", placements(&[json!({"name": "a".repeat(16)})]), Passes),
        case("a name too long", placements(&[json!({"name": "a".repeat(17)})]), name),
        case("a name in capitals", placements(&[json!({"name": "VDC1"})]), name),
        case("a name with a digit first", placements(&[json!({"name": "1st"})]), name),
        case("no name", placements(&[json!({"name": null})]), Refused("spec.placement[0].name: Required value")),
        case("a placement without routers", placements(&[json!({}), none("mongos", "replicas")]), Passes),
        case(
            "a placement without members",
            placements(&[json!({}), none("shard", "membersPerPlacement")]),
            Passes,
        ),
        case("no member anywhere", placements(&[none("shard", "membersPerPlacement")]), shard),
        case("no config server anywhere", placements(&[none("config", "membersPerPlacement")]), config),
        case(
            "no router anywhere",
            placements(&[none("mongos", "replicas")]),
            Refused("spec.placement: at least one placement must hold a mongos; raise mongos.replicas of one"),
        ),
        case("readers beside a voter", placements(&[json!({}), json!({"role": "ReadOnly"})]), Passes),
        case("readers only", placements(&[json!({"role": "ReadOnly"})]), shard),
        case(
            "members with readers only",
            placements(&[none("shard", "membersPerPlacement"), json!({"role": "ReadOnly"})]),
            shard,
        ),
        case(
            "a tie-breaker without data",
            placements(&[json!({}), json!({"role": "Arbiter"})]),
            Refused("Kogge makes no arbiters: one votes without data"),
        ),
        case("standbys beside a voter", placements(&[json!({}), json!({"role": "Standby"})]), Passes),
        case("standbys only", placements(&[json!({"role": "Standby"})]), shard),
        case(
            "a priority of standbys",
            placements(&[json!({}), json!({"role": "Standby", "priority": 1})]),
            Refused(
                "spec.placement[].priority has no meaning with role Standby, whose members are never elected; remove it",
            ),
        ),
        case("a priority", placements(&[json!({"priority": 1000})]), Passes),
        case(
            "a priority too high",
            placements(&[json!({"priority": 1001})]),
            Refused("should be less than or equal to 1000"),
        ),
        case(
            "a priority of readers",
            placements(&[json!({}), json!({"role": "ReadOnly", "priority": 1})]),
            Refused(
                "spec.placement[].priority has no meaning with role ReadOnly, whose members are never elected; remove it",
            ),
        ),
    ]
}

pub(crate) fn updates() -> Vec<Update> {
    let case = |what, before, change, verdict| Update { what, before, change, verdict };
    let id = Refused("spec.clusterID cannot change once it is set: it is part of every replica set's name");
    let size = Refused("storage.size cannot change: this version does not grow volumes yet");
    let class = Refused("storage.storageClassName cannot change, be added or be taken away");
    let worker = Refused("spec.placement[].workerCluster cannot change: add a placement for the other cluster");
    let fast = |class: Value| json!({"shard": {"storage": {"storageClassName": class}}});
    vec![
        case("a clusterID, once", json!({}), json!({"clusterID": "abcd2345"}), Passes),
        case("another clusterID", json!({"clusterID": "abcd2345"}), json!({"clusterID": "abcd6789"}), id),
        case(
            "field_06: the clusterID taken away, as kubectl replace does",
            json!({"clusterID": "abcd2345"}),
            json!({"clusterID": null}),
            Passes,
        ),
        case("a placement more", json!({}), placements(&[json!({}), json!({})]), Passes),
        case("a placement less", placements(&[json!({}), json!({})]), placements(&[json!({})]), Passes),
        case(
            "the last placement taken away",
            json!({}),
            json!({"placement": []}),
            Refused("spec.placement needs at least one entry: the last placement cannot be removed"),
        ),
        case(
            "placements in another order",
            placements(&[json!({}), json!({})]),
            json!({"placement": [{"name": "vdc2", "vdc": "vdc2"}, {"name": "vdc1", "vdc": "vdc1"}]}),
            Passes,
        ),
        case(
            "another vdc",
            json!({}),
            placements(&[json!({"vdc": "vdc9"})]),
            Refused("spec.placement[].vdc cannot change: add a placement for the other data centre"),
        ),
        case(
            "another vdc under another order",
            placements(&[json!({}), json!({})]),
            json!({"placement": [{"name": "vdc2", "vdc": "vdc2"}, {"name": "vdc1", "vdc": "vdc2"}]}),
            Refused("spec.placement[].vdc cannot change"),
        ),
        case("a worker named later", json!({}), placements(&[json!({"workerCluster": "w"})]), worker),
        case(
            "another worker",
            placements(&[json!({"workerCluster": "w"})]),
            placements(&[json!({"workerCluster": "v"})]),
            worker,
        ),
        case(
            "a worker named no more",
            placements(&[json!({"workerCluster": "w"})]),
            placements(&[json!({})]),
            worker,
        ),
        case("a greater volume", json!({}), json!({"shard": {"storage": {"size": "20Gi"}}}), size),
        case(
            "the same size in other words",
            json!({}),
            json!({"shard": {"storage": {"size": "10240Mi"}}}),
            Passes,
        ),
        case("a smaller volume", json!({}), json!({"config": {"storage": {"size": "9Gi"}}}), size),
        case("a class added", json!({}), fast(json!("fast")), class),
        case("another class", fast(json!("fast")), fast(json!("slow")), class),
        case("a class taken away", fast(json!("fast")), fast(json!(null)), class),
        case("a shard more", json!({}), json!({"shard": {"shardCount": 2}}), Passes),
        case("a shard less", json!({"shard": {"shardCount": 2}}), json!({"shard": {"shardCount": 1}}), Passes),
        case("shards forgotten", json!({"shard": {"shardCount": 2}}), json!({"shard": null}), Passes),
        case(
            "scaled to zero",
            json!({}),
            json!({"shard": {"membersPerPlacement": 0}}),
            Refused("spec.shard.membersPerPlacement must be at least 1"),
        ),
        case(
            "another chart version",
            json!({"global": {"chartVersion": "1.0.0"}}),
            json!({"global": {"chartVersion": "1.1.0"}}),
            Passes,
        ),
    ]
}

/// Two managers own a placement each; neither removes the other's.
pub(crate) async fn check_merge(clusters: &Resource) -> anyhow::Result<Vec<String>> {
    let placement = |vdc: &str| json!({"name": vdc, "vdc": vdc});
    clusters.apply("merged", "one", &json!({"placement": [placement("vdc1"), placement("vdc2")]})).await?;
    let both = clusters.apply("merged", "two", &json!({"placement": [placement("vdc3")]})).await?;
    let fewer = clusters.apply("merged", "one", &json!({"placement": [placement("vdc1")]})).await?;
    let names = |spec: &Value| -> Vec<String> {
        let entries = spec["placement"].as_array().into_iter().flatten();
        entries.filter_map(|entry| entry["name"].as_str()).map(str::to_owned).collect()
    };
    let expected = [(&both, vec!["vdc1", "vdc2", "vdc3"]), (&fewer, vec!["vdc1", "vdc3"])];
    Ok(expected
        .into_iter()
        .filter(|(spec, expected)| names(spec) != *expected)
        .map(|(spec, expected)| format!("server-side apply: expected {expected:?}, found {:?}", names(spec)))
        .collect())
}
