//! Which pods may be named, and by which address: a name never maps to an address that another pod may have
//! (G1), and staleness costs availability, never a wrong answer (G5).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::facts::{PodFact, Source};

/// Names and addresses that more than one pod of the group claims.
#[derive(Debug, Default)]
pub(crate) struct Claims<'a> {
    by_address: BTreeMap<IpAddr, Vec<&'a PodFact>>,
    by_name: BTreeMap<&'a str, Vec<&'a PodFact>>,
}

impl<'a> Claims<'a> {
    /// The claims of all pods that may still run, those of silent sources as they were last seen.
    pub(crate) fn of(sources: &'a [Source]) -> Self {
        let mut claims = Self::default();
        for pod in sources.iter().flat_map(|source| &source.pods).filter(|pod| !pod.phase.is_terminal()) {
            claims.by_name.entry(&pod.name).or_default().push(pod);
            for address in &pod.ips {
                claims.by_address.entry(*address).or_default().push(pod);
            }
        }
        claims
    }

    /// Whether a pod may be known by its name and an address.
    ///
    /// An address is given to a new pod while the API still shows it on one that is on its way out: the one
    /// that stays has it. Where that does not decide, nobody has it.
    pub(crate) fn allow(&self, pod: &PodFact, address: IpAddr) -> bool {
        wins(pod, self.by_address.get(&address)) && wins(pod, self.by_name.get(pod.name.as_str()))
    }

    /// The names that are not published, because another pod claims the name or the address.
    pub(crate) fn disputed(&self) -> BTreeSet<&'a str> {
        self.by_address
            .values()
            .chain(self.by_name.values())
            .flat_map(|pods| pods.iter().filter(|pod| !wins(pod, Some(pods))))
            .map(|pod| pod.name.as_str())
            .collect()
    }
}

fn wins(pod: &PodFact, claimants: Option<&Vec<&PodFact>>) -> bool {
    claimants
        .into_iter()
        .flatten()
        .filter(|other| other.uid != pod.uid)
        .all(|other| other.terminating && !pod.terminating)
}
