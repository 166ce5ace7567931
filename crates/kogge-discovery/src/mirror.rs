//! The slices that should stand in every cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::discovery::v1::EndpointSlice;

use crate::claims::Claims;
use crate::facts::{Destination, Group, PodFact, Source};
use crate::report::DiscoveryReport;
use crate::slice::{Content, Family, is_mirrored, slice, slice_name, source_vdc};

/// The slices that should stand, and what is to be told about them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mirrored {
    /// The slices, by destination. A destination that is not listed was not seen well enough to say: nothing
    /// is written or removed there. In one that is listed, a mirrored slice of this group that is not
    /// in the list has no pods left, as was observed, and may go.
    pub slices: BTreeMap<String, Vec<EndpointSlice>>,
    /// What is stale, and what is disputed.
    pub report: DiscoveryReport,
}

/// The slices of a group in every destination: each other data centre's pods, one slice a family.
///
/// A source that was not seen live and complete freezes its slices as they are observed (G4): they are neither
/// changed nor removed. So does a data centre that is not among the sources at all; its pods are gone only
/// when it is a source that was seen without them.
pub fn mirror(group: &Group, sources: &[Source], destinations: &[Destination]) -> Mirrored {
    let claims = Claims::of(sources);
    let mut mirrored = Mirrored {
        slices: BTreeMap::new(),
        report: DiscoveryReport::new(sources, destinations, claims.disputed()),
    };
    for destination in destinations.iter().filter(|destination| destination.current) {
        if let Some(service_uid) = &destination.service_uid {
            let slices = slices_for(group, sources, destination, service_uid, &claims);
            mirrored.slices.insert(destination.worker.clone(), slices);
        }
    }
    mirrored
}

fn slices_for(
    group: &Group,
    sources: &[Source],
    destination: &Destination,
    service_uid: &str,
    claims: &Claims<'_>,
) -> Vec<EndpointSlice> {
    let observed: Vec<&EndpointSlice> = destination.slices.iter().filter(|s| is_mirrored(s)).collect();
    let known = sources.iter().map(|source| source.vdc.as_str());
    let vdcs: BTreeSet<&str> = known.chain(observed.iter().filter_map(|slice| source_vdc(slice))).collect();
    let pairs = vdcs.into_iter().flat_map(|vdc| Family::ALL.map(|family| (vdc, family)));
    pairs
        .filter_map(|(vdc, family)| {
            let all: Vec<&Source> = sources.iter().filter(|source| source.vdc == vdc).collect();
            // A cluster publishes its own pods itself: a second record of them would be a stale duplicate.
            let remote: Vec<&Source> =
                all.iter().copied().filter(|source| source.worker != destination.worker).collect();
            let content = if !all.is_empty() && remote.iter().all(|source| source.current) {
                Content::of_pods(&named(&remote, family, claims))?
            } else {
                let name = slice_name(&group.service, vdc, family);
                let frozen = observed.iter().find(|s| s.metadata.name.as_deref() == Some(name.as_str()))?;
                Content::of_slice(frozen)
            };
            Some(slice(group, vdc, family, service_uid, content))
        })
        .collect()
}

/// The pods of sources that are published, by host name. Those on their way out are among them: their members
/// are still in the group (G4). Those without an address are not.
fn named<'a>(
    sources: &[&'a Source],
    family: Family,
    claims: &Claims<'_>,
) -> BTreeMap<&'a str, (&'a PodFact, IpAddr)> {
    sources
        .iter()
        .flat_map(|source| &source.pods)
        .filter(|pod| !pod.phase.is_terminal())
        .filter_map(|pod| Some((pod, pod.address(family)?)))
        .filter(|(pod, address)| claims.allow(pod, *address))
        .map(|(pod, address)| (pod.name.as_str(), (pod, address)))
        .collect()
}
