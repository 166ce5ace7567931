//! What servers tell by HTTP, and before they serve clients.

use std::time::Duration;

use kogge_engine::Port;
use kogge_etcd::{ClusterId, ListedMember, MemberId, PeerAnswer, Series, Url, Version};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tracing::debug;

use crate::access::{self, CLIENT, ClusterAccess, PEER};
use crate::dial::Member;
use crate::error::CallError;
use crate::metrics::{self, Metrics};
use crate::page::{Http, Page};
use crate::status;

/// All questions to one port end by then.
const DEADLINE: Duration = Duration::from_secs(2);
const MEMBERS: &str = "/members";
const VERSION: &str = "/version";
const METRICS: &str = "/metrics";

/// A member as `/members` lists it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: u64,
    #[serde(default)]
    name: Option<String>,
    #[serde(rename = "peerURLs", default)]
    peer_urls: Vec<String>,
    #[serde(default)]
    is_learner: bool,
}

/// `/version`.
#[derive(Deserialize)]
struct Versions {
    etcdserver: String,
    etcdcluster: String,
}

/// What the peer port of a server tells.
pub(crate) async fn ask(access: &ClusterAccess, member: &Member) -> Result<PeerAnswer, CallError> {
    let peer = async {
        let mut http = Http::open(access, member, PEER).await?;
        let (cluster_id, members) = members_of(&http.get(MEMBERS).await?)?;
        let versions: Versions = read(VERSION, &http.get(VERSION).await?)?;
        Ok((cluster_id, members, versions))
    };
    let (peer, metrics) = futures::join!(in_time(MEMBERS, peer), metrics(access, member, access::METRICS));
    let (cluster_id, members, versions) = peer?;
    Ok(PeerAnswer {
        cluster_id,
        members,
        version: version(&versions)?,
        cluster_version: status::series(&versions.etcdcluster),
        raft_index: metrics.and_then(|metrics| metrics.raft_index),
    })
}

/// The group's members as a server has them, from its peer port.
pub(crate) async fn members(
    access: &ClusterAccess,
    member: &Member,
) -> Result<(ClusterId, Vec<ListedMember>), CallError> {
    let asked = async { members_of(&Http::open(access, member, PEER).await?.get(MEMBERS).await?) };
    in_time(MEMBERS, asked).await
}

/// What a server that serves clients tells beside its status. The planner goes on without it, so no failure of it is
/// one of the observation.
pub(crate) async fn beside_status(access: &ClusterAccess, member: &Member) -> (Option<Series>, Option<Metrics>) {
    let cluster_version = async {
        let page = Http::open(access, member, CLIENT).await?.get(VERSION).await?;
        read::<Versions>(VERSION, &page)
    };
    let own_port = metrics(access, member, access::METRICS);
    let (version, metrics) = futures::join!(in_time(VERSION, cluster_version), own_port);
    let metrics = match metrics {
        Some(metrics) => Some(metrics),
        None => self::metrics(access, member, CLIENT).await,
    };
    let version =
        version.inspect_err(|error| debug!(pod = %member.pod, %error, "the cluster version is not told"));
    (version.ok().and_then(|versions| status::series(&versions.etcdcluster)), metrics)
}

async fn metrics(access: &ClusterAccess, member: &Member, port: Port) -> Option<Metrics> {
    let page = async { Http::open(access, member, port).await?.get(METRICS).await };
    match in_time(METRICS, page).await {
        Ok(page) => Some(metrics::read(&String::from_utf8_lossy(&page.body))),
        Err(error) => {
            debug!(pod = %member.pod, port = port.name, %error, "there are no metrics");
            None
        }
    }
}

async fn in_time<T>(
    call: &'static str,
    asked: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    timeout(DEADLINE, asked).await.unwrap_or_else(|_| Err(CallError::late(call, DEADLINE)))
}

fn members_of(page: &Page) -> Result<(ClusterId, Vec<ListedMember>), CallError> {
    let id = page.cluster_id.as_deref().and_then(|id| u64::from_str_radix(id, 16).ok());
    let id = id.ok_or_else(|| CallError::answer(MEMBERS, "it does not tell the id of its cluster"))?;
    let member = |member: Listed| ListedMember {
        id: MemberId(member.id),
        name: member.name.filter(|name| !name.is_empty()),
        peer_urls: member.peer_urls.into_iter().map(Url::from).collect(),
        learner: member.is_learner,
    };
    Ok((ClusterId(id), read::<Vec<Listed>>(MEMBERS, page)?.into_iter().map(member).collect()))
}

fn version(versions: &Versions) -> Result<Version, CallError> {
    versions
        .etcdserver
        .parse()
        .map_err(|error: kogge_etcd::VersionError| CallError::answer(VERSION, error.to_string()))
}

fn read<T: DeserializeOwned>(path: &'static str, page: &Page) -> Result<T, CallError> {
    serde_json::from_slice(&page.body).map_err(|error| CallError::answer(path, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(cluster_id: Option<&str>, body: &'static str) -> Page {
        Page { cluster_id: cluster_id.map(str::to_owned), body: body.into() }
    }

    #[test]
    fn members_are_read_as_a_server_lists_them() {
        let body = r#"[{"id":10276657743932975437,"peerURLs":["http://localhost:2380"],"name":"default",
            "clientURLs":["http://localhost:2379"]},{"id":7,"peerURLs":["http://b:2380"],"isLearner":true}]"#;
        let (id, members) = members_of(&page(Some("cdf818194e3a8c32"), body)).unwrap();
        assert_eq!(id.to_string(), "cdf818194e3a8c32");
        assert_eq!((members[0].id.to_string().as_str(), members[0].learner), ("8e9e05c52164694d", false));
        assert_eq!((members[1].name.as_deref(), members[1].learner), (None, true));
    }

    #[test]
    fn what_is_no_etcd_is_named() {
        for (id, body) in [(None, "[]"), (Some("xyz"), "[]"), (Some("7"), "<html>")] {
            let error = members_of(&page(id, body)).unwrap_err();
            assert!(error.to_string().contains(MEMBERS), "{error}");
        }
    }
}
