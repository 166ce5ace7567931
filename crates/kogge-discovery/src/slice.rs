//! A mirrored EndpointSlice: one source's pods of one address family, in another cluster.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kogge_api::labels;

use crate::facts::{Group, PodFact, Port};

/// Joins slices to their Service.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Makes kube-proxy pass a slice over.
const HEADLESS: &str = "service.kubernetes.io/headless";

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    fn address_type(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::V4 => "v4",
            Self::V6 => "v6",
        }
    }
}

impl PodFact {
    /// The one address of a family that the pod is known by (G2: a server may try only the first result).
    pub fn address(&self, family: Family) -> Option<IpAddr> {
        self.ips.iter().copied().find(|address| Family::of(*address) == family)
    }
}

/// `<service>-<source vdc>-v4|v6`.
pub fn slice_name(service: &str, source_vdc: &str, family: Family) -> String {
    format!("{service}-{source_vdc}-{}", family.suffix())
}

/// Whether a slice is one of Kogge's, and not one that Kubernetes makes.
pub fn is_mirrored(slice: &EndpointSlice) -> bool {
    label(slice, labels::ENDPOINT_SLICE_MANAGED_BY) == Some(labels::MANAGER)
}

/// The data centre whose pods a mirrored slice holds.
pub fn source_vdc(slice: &EndpointSlice) -> Option<&str> {
    label(slice, labels::SOURCE_VDC)
}

fn label<'a>(slice: &'a EndpointSlice, label: &str) -> Option<&'a str> {
    slice.metadata.labels.as_ref()?.get(label).map(String::as_str)
}

/// What a slice says: endpoints, and the UIDs of their pods by host name, as JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Content {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) pod_uids: Option<String>,
}

impl Content {
    /// What is to be said of pods, by host name; none where no pod has an address of the family.
    pub(crate) fn of_pods(pods: &BTreeMap<&str, (&PodFact, IpAddr)>) -> Option<Self> {
        if pods.is_empty() {
            return None;
        }
        let uids: BTreeMap<&str, &str> = pods.iter().map(|(name, (pod, _))| (*name, pod.uid.as_str())).collect();
        Some(Self {
            endpoints: pods.values().map(|(pod, address)| endpoint(pod, *address)).collect(),
            // A map of strings always serialises.
            pod_uids: serde_json::to_string(&uids).ok(),
        })
    }

    /// What an observed slice says.
    pub(crate) fn of_slice(slice: &EndpointSlice) -> Self {
        Self {
            endpoints: slice.endpoints.clone(),
            pod_uids: slice.metadata.annotations.as_ref().and_then(|a| a.get(labels::POD_UIDS)).cloned(),
        }
    }
}

fn endpoint(pod: &PodFact, address: IpAddr) -> Endpoint {
    Endpoint {
        addresses: vec![address.to_string()],
        conditions: Some(EndpointConditions {
            // CoreDNS drops what is not ready, and a starting member must be found by the others.
            ready: Some(true),
            serving: Some(pod.ready),
            terminating: Some(pod.terminating),
        }),
        hostname: Some(pod.name.clone()),
        ..Endpoint::default()
    }
}

/// The slice of a source in a destination whose Service has that UID.
pub(crate) fn slice(
    group: &Group,
    source_vdc: &str,
    family: Family,
    service_uid: &str,
    content: Content,
) -> EndpointSlice {
    EndpointSlice {
        metadata: ObjectMeta {
            name: Some(slice_name(&group.service, source_vdc, family)),
            namespace: Some(group.namespace.clone()),
            labels: Some(slice_labels(group, source_vdc)),
            annotations: content.pod_uids.map(|uids| [(labels::POD_UIDS.to_owned(), uids)].into()),
            owner_references: Some(vec![OwnerReference {
                api_version: "v1".to_owned(),
                kind: "Service".to_owned(),
                name: group.service.clone(),
                uid: service_uid.to_owned(),
                ..OwnerReference::default()
            }]),
            ..ObjectMeta::default()
        },
        address_type: family.address_type().to_owned(),
        endpoints: content.endpoints,
        ports: Some(group.ports.iter().map(port).collect()),
    }
}

fn port(port: &Port) -> EndpointPort {
    EndpointPort {
        name: Some(port.name.clone()),
        port: Some(port.number.into()),
        protocol: Some("TCP".to_owned()),
        ..EndpointPort::default()
    }
}

fn slice_labels(group: &Group, source_vdc: &str) -> BTreeMap<String, String> {
    [
        (SERVICE_NAME, group.service.as_str()),
        (labels::ENDPOINT_SLICE_MANAGED_BY, labels::MANAGER),
        (HEADLESS, ""),
        (labels::CLUSTER_ID, group.cluster_id.as_str()),
        (labels::CLUSTER, &group.cluster),
        (labels::COMPONENT, &group.component),
        (labels::GROUP, &group.name),
        (labels::SOURCE_VDC, source_vdc),
        (labels::MANAGED_BY, labels::MANAGER),
    ]
    .map(|(label, value)| (label.to_owned(), value.to_owned()))
    .into()
}
