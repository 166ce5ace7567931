//! What a person should know about names: which are stale, and which are not published.

use std::collections::BTreeSet;

use kogge_api::conditions::{Finding, database::DISCOVERY_STALE};

use crate::facts::{Destination, Source};

/// What is stale or disputed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiscoveryReport {
    /// Data centres whose pods were not seen lately: their names stay as they were.
    pub silent_sources: BTreeSet<String>,
    /// Workers that cannot be brought up to date: names there stay as they were.
    pub silent_destinations: BTreeSet<String>,
    /// Workers that have no Service for the names yet.
    pub without_service: BTreeSet<String>,
    /// Pods that are not published, because another one claims the name or the address.
    pub disputed: BTreeSet<String>,
}

impl DiscoveryReport {
    pub(crate) fn new(sources: &[Source], destinations: &[Destination], disputed: BTreeSet<&str>) -> Self {
        let silent = sources.iter().filter(|source| !source.current).map(|source| source.vdc.clone());
        let workers = |condition: fn(&Destination) -> bool| {
            destinations.iter().filter(|d| condition(d)).map(|d| d.worker.clone()).collect()
        };
        Self {
            silent_sources: silent.collect(),
            silent_destinations: workers(|destination| !destination.current),
            without_service: workers(|destination| destination.current && destination.service_uid.is_none()),
            disputed: disputed.into_iter().map(str::to_owned).collect(),
        }
    }

    /// Adds what another group's report says.
    pub fn add(&mut self, other: Self) {
        let Self { silent_sources, silent_destinations, without_service, disputed } = other;
        self.silent_sources.extend(silent_sources);
        self.silent_destinations.extend(silent_destinations);
        self.without_service.extend(without_service);
        self.disputed.extend(disputed);
    }

    /// The condition `DiscoveryStale`. Its words do not change while nothing happens.
    pub fn finding(&self) -> Finding {
        let Self { silent_sources, silent_destinations, without_service, disputed } = self;
        let parts = [
            ("SourceSilent", silent_sources, "not seen, so the names of its members stay as they were"),
            ("DestinationSilent", silent_destinations, "not reached, so names resolve there as they did"),
            ("AddressDisputed", disputed, "not published, because another pod has the same name or address"),
            ("ServiceMissing", without_service, "without the Service that names belong to"),
        ];
        let told: Vec<_> = parts.iter().filter(|(_, who, _)| !who.is_empty()).collect();
        let Some((reason, ..)) = told.first() else {
            return Finding::new(
                DISCOVERY_STALE,
                false,
                "Current",
                "every name is up to date in every data centre",
            );
        };
        let sentences: Vec<String> = told
            .iter()
            .map(|(_, who, what)| {
                format!("{}: {what}", who.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
            })
            .collect();
        Finding::new(DISCOVERY_STALE, true, *reason, sentences.join("; "))
    }
}
