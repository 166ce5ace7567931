//! What is told of every replica set. It is made from the last observation whenever it is scraped, so that a
//! database that is gone, or a member that left, leaves nothing behind.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use kogge_mongo::{Health, Plan, SetName, SetStatus};
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// The labels of what is told per replica set.
#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct PerSet {
    /// `namespace/name` of the FederatedCluster.
    cluster: String,
    /// The replica set, as the FederatedCluster's status names it.
    set: String,
}

/// The labels of what is told per member.
#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct PerMember {
    /// `namespace/name` of the FederatedCluster.
    cluster: String,
    /// The replica set.
    set: String,
    /// The member's pod.
    member: String,
}

/// The labels of what is counted per step of an engine.
#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct PerStep {
    /// `namespace/name` of the FederatedCluster.
    cluster: String,
    /// The replica set.
    set: String,
    /// The kind of step.
    step: String,
    /// How it ended: `Done`, or the error's reason.
    outcome: String,
}

/// A gauge per set: its name, what it tells, and its value where there is one.
type Gauge = (&'static str, &'static str, fn(&Observed) -> Option<f64>);

/// Every replica set as it was last observed.
#[derive(Clone, Debug, Default)]
pub(super) struct Sets(Arc<Mutex<BTreeMap<String, Database>>>);

#[derive(Debug, Default)]
struct Database {
    sets: BTreeMap<String, Observed>,
    steps: BTreeMap<PerStep, u64>,
}

#[derive(Debug)]
struct Observed {
    status: SetStatus,
    in_queue: bool,
    /// The last time that a member of it answered, in seconds since the epoch; none where none ever did.
    answered_at: Option<f64>,
}

impl Sets {
    /// Takes note of what a pass found. `name` gives a set's name for people, `queued` whether it waits for its
    /// turn.
    pub(super) fn observe(
        &self,
        cluster: &str,
        plan: &Plan,
        name: impl Fn(&SetName) -> String,
        queued: impl Fn(&SetName) -> bool,
    ) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|now| now.as_secs_f64());
        let mut databases = self.0.lock();
        let database = databases.entry(cluster.to_owned()).or_default();
        let mut before = std::mem::take(&mut database.sets);
        for (set, status) in &plan.sets {
            let key = name(set);
            let known = before.remove(&key).and_then(|known| known.answered_at);
            let observed = Observed {
                status: status.clone(),
                in_queue: queued(set),
                answered_at: if status.health == Health::Unknown { known } else { now },
            };
            database.sets.insert(key, observed);
        }
    }

    pub(super) fn stepped(&self, cluster: &str, set: &str, step: &str, outcome: &str) {
        let [cluster, set, step, outcome] = [cluster, set, step, outcome].map(str::to_owned);
        let mut databases = self.0.lock();
        let database = databases.entry(cluster.clone()).or_default();
        *database.steps.entry(PerStep { cluster, set, step, outcome }).or_default() += 1;
    }

    pub(super) fn forget(&self, cluster: &str) {
        self.0.lock().remove(cluster);
    }
}

impl Collector for Sets {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let databases = self.0.lock();
        let sets: Vec<(PerSet, &Observed)> = databases
            .iter()
            .flat_map(|(cluster, database)| {
                database
                    .sets
                    .iter()
                    .map(|(set, observed)| (PerSet { cluster: cluster.clone(), set: set.clone() }, observed))
            })
            .collect();
        let per_set = |value: fn(&Observed) -> Option<f64>| -> Vec<(PerSet, f64)> {
            sets.iter().filter_map(|(labels, observed)| Some((labels.clone(), value(observed)?))).collect()
        };
        let gauges: [Gauge; 8] = [
            ("replica_set_voters", "Voters in the newest configuration", |o| Some(o.status.voters as f64)),
            ("replica_set_healthy_voters", "Voters that hold the data and can vote", |o| {
                Some(o.status.healthy_voters as f64)
            }),
            ("replica_set_ready_members", "Members that are as the spec asks", |o| Some(o.status.ready as f64)),
            ("replica_set_config_version", "Version of the newest configuration that a member holds", |o| {
                o.status.config.map(|config| config.version as f64)
            }),
            ("replica_set_config_term", "Term of that configuration; -1 after a forced one", |o| {
                o.status.config.map(|config| config.term as f64)
            }),
            ("replica_set_in_queue", "Whether it waits for its turn to be changed", |o| {
                Some(f64::from(u8::from(o.in_queue)))
            }),
            (
                "replica_set_disagreements",
                "Members of which they themselves, the others and their worker say different things",
                |o| Some(o.status.members.iter().filter(|m| m.disagreement.is_some()).count() as f64),
            ),
            (
                "replica_set_last_observation_timestamp_seconds",
                "When a member of it answered last, in seconds since the epoch",
                |o| o.answered_at,
            ),
        ];
        for (name, help, value) in gauges {
            gauge(&mut encoder, name, help, per_set(value))?;
        }
        gauge(
            &mut encoder,
            "replica_set_primary",
            "Which member is primary: 1 for that one, 0 for the others",
            per_member(&sets, |observed, member| {
                Some(f64::from(u8::from(observed.status.primary.as_ref() == Some(&member.pod))))
            }),
        )?;
        gauge(
            &mut encoder,
            "replica_set_replication_lag_seconds",
            "How far a member is behind the primary; absent while nobody knows",
            per_member(&sets, |_, member| member.lag_ms.map(|lag| lag as f64 / 1_000.0)),
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
    sets: &[(PerSet, &Observed)],
    value: fn(&Observed, &kogge_mongo::MemberStatus) -> Option<f64>,
) -> Vec<(PerMember, f64)> {
    let of = |(PerSet { cluster, set }, observed): &(PerSet, &Observed)| -> Vec<(PerMember, f64)> {
        let members = observed.status.members.iter();
        members
            .filter_map(|member| {
                let labels =
                    PerMember { cluster: cluster.clone(), set: set.clone(), member: member.pod.to_string() };
                Some((labels, value(observed, member)?))
            })
            .collect()
    };
    sets.iter().flat_map(of).collect()
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
