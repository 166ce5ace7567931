//! What is told of every group. It is made from the last observation whenever it is scraped, so that a
//! database that is gone, or a member that left, leaves nothing behind.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use kogge_engine::{EngineView, Group, GroupName, Health, MemberView};
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// The labels of what is told per group.
#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct PerGroup {
    /// `namespace/name` of the database.
    cluster: String,
    /// The group, as the resource's status names it.
    group: String,
}

/// The labels of what is told per member.
#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct PerMember {
    /// `namespace/name` of the database.
    cluster: String,
    /// The group.
    group: String,
    /// The member's pod.
    member: String,
}

/// The labels of what is counted per step of an engine.
#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct PerStep {
    /// `namespace/name` of the database.
    cluster: String,
    /// The group.
    group: String,
    /// The kind of step.
    step: String,
    /// How it ended: `Done`, or the error's reason.
    outcome: String,
}

/// A gauge per group: its name, what it tells, and its value where there is one.
type Gauge = (&'static str, &'static str, fn(&Observed) -> Option<f64>);

/// Every group as it was last observed.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups(Arc<Mutex<BTreeMap<String, Database>>>);

#[derive(Debug, Default)]
struct Database {
    groups: BTreeMap<String, Observed>,
    steps: BTreeMap<PerStep, u64>,
}

#[derive(Debug)]
struct Observed {
    group: Group,
    in_queue: bool,
    /// The last time that a member of it answered, in seconds since the epoch; none where none ever did.
    answered_at: Option<f64>,
}

impl Groups {
    /// Takes note of what a pass found. `name` gives a group's name for people, `queued` whether it waits for its
    /// turn.
    pub(super) fn observe<A>(
        &self,
        cluster: &str,
        view: &EngineView<A>,
        name: impl Fn(&GroupName) -> String,
        queued: impl Fn(&GroupName) -> bool,
    ) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|now| now.as_secs_f64());
        let mut databases = self.0.lock();
        let database = databases.entry(cluster.to_owned()).or_default();
        let mut before = std::mem::take(&mut database.groups);
        for (group_name, group) in &view.groups {
            let key = name(group_name);
            let known = before.remove(&key).and_then(|known| known.answered_at);
            let observed = Observed {
                in_queue: queued(group_name),
                answered_at: if group.health == Health::Unknown { known } else { now },
                group: group.clone(),
            };
            database.groups.insert(key, observed);
        }
    }

    pub(super) fn stepped(&self, cluster: &str, group: &str, step: &str, outcome: &str) {
        let [cluster, group, step, outcome] = [cluster, group, step, outcome].map(str::to_owned);
        let mut databases = self.0.lock();
        let database = databases.entry(cluster.clone()).or_default();
        *database.steps.entry(PerStep { cluster, group, step, outcome }).or_default() += 1;
    }

    pub(super) fn forget(&self, cluster: &str) {
        self.0.lock().remove(cluster);
    }
}

impl Collector for Groups {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let databases = self.0.lock();
        let groups: Vec<(PerGroup, &Observed)> = databases
            .iter()
            .flat_map(|(cluster, database)| {
                database.groups.iter().map(|(group, observed)| {
                    (PerGroup { cluster: cluster.clone(), group: group.clone() }, observed)
                })
            })
            .collect();
        let per_group = |value: fn(&Observed) -> Option<f64>| -> Vec<(PerGroup, f64)> {
            groups.iter().filter_map(|(labels, observed)| Some((labels.clone(), value(observed)?))).collect()
        };
        let gauges: [Gauge; 8] = [
            ("group_voters", "Voters in the newest configuration", |o| Some(o.group.voters as f64)),
            ("group_healthy_voters", "Voters that hold the data and can vote", |o| {
                Some(o.group.healthy_voters as f64)
            }),
            ("group_ready_members", "Members that are as the spec asks", |o| Some(o.group.ready as f64)),
            ("group_config_version", "Version of the newest configuration that a member holds", |o| {
                o.group.config_version.map(|version| version as f64)
            }),
            ("group_config_term", "Term of that configuration; -1 after a forced one", |o| {
                o.group.config_term.map(|term| term as f64)
            }),
            ("group_in_queue", "Whether it is queued to be changed", |o| Some(f64::from(u8::from(o.in_queue)))),
            (
                "group_disagreements",
                "Members of which they themselves, the others and their worker say different things",
                |o| Some(o.group.members.iter().filter(|m| m.disagreement.is_some()).count() as f64),
            ),
            (
                "group_last_observation_timestamp_seconds",
                "When a member of it answered last, in seconds since the epoch",
                |o| o.answered_at,
            ),
        ];
        for (name, help, value) in gauges {
            gauge(&mut encoder, name, help, per_group(value))?;
        }
        gauge(
            &mut encoder,
            "group_leader",
            "Which member leads: 1 for that one, 0 for the others",
            per_member(&groups, |observed, member| {
                Some(f64::from(u8::from(observed.group.leader.as_ref() == Some(&member.pod))))
            }),
        )?;
        gauge(
            &mut encoder,
            "group_replication_lag_seconds",
            "How far a member is behind the leader; absent while nobody knows",
            per_member(&groups, |_, member| member.lag_ms.map(|lag| lag as f64 / 1_000.0)),
        )?;
        let steps = databases.values().flat_map(|database| &database.steps);
        let mut family = encoder.encode_descriptor(
            "engine_steps",
            "Steps taken on databases by outcome",
            None,
            MetricType::Counter,
        )?;
        for (labels, count) in steps {
            ConstCounter::new(*count).encode(family.encode_family(labels)?)?;
        }
        Ok(())
    }
}

fn per_member(
    groups: &[(PerGroup, &Observed)],
    value: fn(&Observed, &MemberView) -> Option<f64>,
) -> Vec<(PerMember, f64)> {
    let of = |(PerGroup { cluster, group }, observed): &(PerGroup, &Observed)| -> Vec<(PerMember, f64)> {
        let members = observed.group.members.iter();
        members
            .filter_map(|member| {
                let labels =
                    PerMember { cluster: cluster.clone(), group: group.clone(), member: member.pod.to_string() };
                Some((labels, value(observed, member)?))
            })
            .collect()
    };
    groups.iter().flat_map(of).collect()
}

fn gauge<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: Vec<(L, impl EncodeGaugeValue)>,
) -> Result<(), fmt::Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
