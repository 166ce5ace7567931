//! Reading API servers' audit logs: who wrote what, when. Pure; the log is handed in.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// One request, as the audit log tells it (`audit.k8s.io/v1`, level Metadata).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(default)]
    stage: String,
    #[serde(default)]
    verb: String,
    #[serde(default)]
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
    #[serde(default)]
    request_received_timestamp: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectRef {
    #[serde(default)]
    resource: String,
    #[serde(default)]
    subresource: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct ResponseStatus {
    #[serde(default)]
    code: u16,
}

/// A write that an API server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// When it was received, in RFC 3339 (UTC, microseconds), which sorts as text.
    pub received: String,
    /// `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// The user.
    pub user: String,
    /// What the client calls itself.
    pub user_agent: String,
    /// Plural resource name, with `/subresource` if there is one.
    pub resource: String,
    /// The object's namespace; empty for cluster-scoped ones.
    pub namespace: String,
    /// The object's name; empty where the server chooses it.
    pub name: String,
    /// HTTP status of the answer.
    pub status: u16,
}

/// Which writes to look at. Everything is looked at by default.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Not received before this time (RFC 3339, UTC).
    pub since: Option<String>,
    /// Received before this time (RFC 3339, UTC).
    pub until: Option<String>,
    /// By user agents that begin so.
    pub user_agent_prefix: Option<String>,
    /// By users named so.
    pub user: Option<String>,
    /// In this namespace.
    pub namespace: Option<String>,
    /// Resources left out, such as `leases`.
    pub ignored_resources: BTreeSet<String>,
}

const WRITE_VERBS: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

/// Requests whose verb is a write but which change no object.
const NOT_WRITES: [&str; 9] = [
    "pods/portforward",
    "pods/exec",
    "pods/attach",
    "pods/proxy",
    "subjectaccessreviews",
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "localsubjectaccessreviews",
    "tokenreviews",
];

/// The writes in an audit log that `filter` lets through, in the log's order. A last line that is still being
/// written is left out.
pub fn writes(log: &str, filter: &Filter) -> Vec<Write> {
    log.lines()
        .filter_map(|line| serde_json::from_str::<Event>(line).ok())
        .filter_map(as_write)
        .filter(|w| filter.lets_through(w))
        .collect()
}

/// How many of the writes went to each resource.
pub fn count_by_resource(writes: &[Write]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for write in writes {
        *counts.entry(write.resource.as_str()).or_default() += 1;
    }
    counts
}

fn as_write(event: Event) -> Option<Write> {
    let object = event.object_ref;
    let resource = if object.subresource.is_empty() {
        object.resource
    } else {
        format!("{}/{}", object.resource, object.subresource)
    };
    let is_write = event.stage == "ResponseComplete"
        && WRITE_VERBS.contains(&event.verb.as_str())
        && !NOT_WRITES.contains(&resource.as_str());
    is_write.then_some(Write {
        received: event.request_received_timestamp,
        verb: event.verb,
        user: event.user.username,
        user_agent: event.user_agent,
        resource,
        namespace: object.namespace,
        name: object.name,
        status: event.response_status.code,
    })
}

impl Filter {
    /// Writes by Kogge's Lease keeping left out.
    pub fn without_leases() -> Self {
        Self { ignored_resources: BTreeSet::from(["leases".to_owned()]), ..Self::default() }
    }

    fn lets_through(&self, write: &Write) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        self.since.as_deref().is_none_or(|since| write.received.as_str() >= since)
            && self.until.as_deref().is_none_or(|until| write.received.as_str() < until)
            && self.user_agent_prefix.as_deref().is_none_or(|prefix| write.user_agent.starts_with(prefix))
            && is(&self.user, &write.user)
            && is(&self.namespace, &write.namespace)
            && !self.ignored_resources.contains(&write.resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(verb: &str, resource: &str, subresource: &str, second: u8, stage: &str) -> String {
        format!(
            r#"{{"kind":"Event","stage":"{stage}","verb":"{verb}","user":{{"username":"kogge"}},"userAgent":"kogge/0.1","objectRef":{{"resource":"{resource}","subresource":"{subresource}","namespace":"databases","name":"x"}},"responseStatus":{{"code":200}},"requestReceivedTimestamp":"2026-01-01T00:00:{second:02}.000000Z"}}"#
        )
    }

    fn log() -> String {
        [
            event("patch", "services", "", 1, "ResponseComplete"),
            event("get", "services", "", 2, "ResponseComplete"),
            event("update", "leases", "", 3, "ResponseComplete"),
            event("create", "pods", "portforward", 4, "ResponseComplete"),
            event("patch", "federatedclusters", "status", 5, "ResponseComplete"),
            event("patch", "services", "", 6, "ResponseStarted"),
            r#"{"stage":"ResponseComplete","verb":"cre"#.to_owned(),
        ]
        .join("\n")
    }

    #[test]
    fn only_answered_writes_count() {
        let all = writes(&log(), &Filter::default());
        let expected = BTreeMap::from([("services", 1), ("leases", 1), ("federatedclusters/status", 1)]);
        assert_eq!(count_by_resource(&all), expected);
    }

    #[test]
    fn a_filter_narrows_by_time_agent_user_namespace_and_resource() {
        let log = log();
        let count = |filter: Filter| writes(&log, &filter).len();
        assert_eq!(count(Filter::without_leases()), 2);
        assert_eq!(count(Filter { since: Some("2026-01-01T00:00:03".to_owned()), ..Filter::default() }), 2);
        assert_eq!(count(Filter { until: Some("2026-01-01T00:00:03".to_owned()), ..Filter::default() }), 1);
        assert_eq!(count(Filter { user_agent_prefix: Some("kogge/".to_owned()), ..Filter::default() }), 3);
        assert_eq!(count(Filter { user_agent_prefix: Some("kubectl".to_owned()), ..Filter::default() }), 0);
        assert_eq!(count(Filter { user: Some("admin".to_owned()), ..Filter::default() }), 0);
        assert_eq!(count(Filter { namespace: Some("default".to_owned()), ..Filter::default() }), 0);
    }
}
