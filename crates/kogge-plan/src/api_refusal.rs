//! Why an API server refused a write, told by its words.
//!
//! A 403 is a missing right, a quota, a policy or a webhook, and a webhook answers with whatever status it likes; the
//! sentences are what tells them apart. They are those of the API server's own code (`apiserver/pkg/admission`,
//! `plugin/pkg/admission`), and have not changed for years.

use std::fmt;

use kube_core::Status;

/// Why a write was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRefusal {
    /// What refused it.
    pub cause: Cause,
    /// The API server's words; none where they may quote a Secret (A12).
    pub words: String,
    /// The HTTP status.
    pub code: u16,
}

/// What refused a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The credentials do not allow it.
    Rights,
    /// An admission webhook denied it.
    WebhookDenied {
        /// The webhook's name.
        webhook: String,
    },
    /// An admission webhook was not reached, or did not answer in time, and its `failurePolicy` is `Fail`.
    WebhookUnavailable {
        /// The webhook's name.
        webhook: String,
    },
    /// An admission webhook with side effects is in the way of a dry run.
    WebhookWithoutDryRun {
        /// The webhook's name.
        webhook: String,
    },
    /// An admission policy denied it.
    PolicyDenied {
        /// The policy's name.
        policy: String,
    },
    /// Pod Security admission.
    PodSecurity,
    /// A ResourceQuota.
    Quota,
    /// A LimitRange.
    LimitRange,
    /// The namespace is being deleted.
    NamespaceTerminating,
    /// Another admission plugin.
    Admission,
    /// The API server has too much to do.
    Busy,
    /// The object itself.
    Object,
}

impl ApiRefusal {
    /// Reads the answer to a write that was refused.
    pub fn of(status: &Status) -> Self {
        let refusal = |cause| Self { cause, words: status.message.clone(), code: status.code };
        let ends = |cause: &kube_core::response::StatusCause| cause.reason == "NamespaceTerminating";
        if status.details.iter().flat_map(|details| &details.causes).any(ends) {
            return refusal(Cause::NamespaceTerminating);
        }
        refusal(Cause::of(&status.message).unwrap_or(match status.code {
            403 => Cause::Admission,
            429 => Cause::Busy,
            _ => Cause::Object,
        }))
    }

    /// Reads words in which a controller passes a refusal on; none where they tell of no refusal.
    pub fn of_words(words: &str) -> Option<Self> {
        Some(Self { cause: Cause::of(words)?, words: words.to_owned(), code: 403 })
    }

    /// Without the API server's words, but for these.
    #[must_use]
    pub fn with_words(self, words: String) -> Self {
        Self { words, ..self }
    }

    /// A stable word in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self.cause {
            Cause::Rights => "Forbidden",
            Cause::WebhookDenied { .. } => "WebhookDenied",
            Cause::WebhookUnavailable { .. } => "WebhookUnavailable",
            Cause::WebhookWithoutDryRun { .. } => "WebhookWithoutDryRun",
            Cause::PolicyDenied { .. } => "PolicyDenied",
            Cause::PodSecurity => "PodSecurityViolated",
            Cause::Quota => "QuotaExceeded",
            Cause::LimitRange => "LimitRangeViolated",
            Cause::NamespaceTerminating => "NamespaceTerminating",
            Cause::Admission => "AdmissionDenied",
            Cause::Busy | Cause::Object => "Refused",
        }
    }

    /// Whether a webhook is at fault, which may let the same write pass that it does not let be rehearsed.
    pub fn is_webhook(&self) -> bool {
        matches!(
            self.cause,
            Cause::WebhookDenied { .. } | Cause::WebhookUnavailable { .. } | Cause::WebhookWithoutDryRun { .. }
        )
    }

    /// Whether the same write may succeed by itself later.
    pub fn is_transient(&self) -> bool {
        matches!(self.cause, Cause::WebhookUnavailable { .. } | Cause::Busy)
    }

    /// What to do about it.
    pub fn mend(&self) -> &'static str {
        match self.cause {
            Cause::Rights => "Run `kogge worker join` again to renew the Roles.",
            Cause::WebhookDenied { .. } => {
                "Change what the webhook objects to, or exempt Kogge's objects in its configuration."
            }
            Cause::WebhookUnavailable { .. } => {
                "Bring the webhook's server back, or remove its configuration from that cluster."
            }
            Cause::WebhookWithoutDryRun { .. } => {
                "Set `sideEffects: None` or `NoneOnDryRun` in the webhook's configuration, or exempt Kogge's objects there."
            }
            Cause::PolicyDenied { .. } => {
                "Change what the policy objects to, or exempt Kogge's objects in the policy's binding."
            }
            Cause::PodSecurity => {
                "Set the security contexts that the level asks for in the chart's values, or label the namespace with a \
                 lower `pod-security.kubernetes.io/enforce`."
            }
            Cause::Quota => "Raise the ResourceQuota, or ask for less in the chart's values.",
            Cause::LimitRange => "Change the resources in the chart's values, or the LimitRange.",
            Cause::NamespaceTerminating => "Wait until the namespace is gone, and create it again.",
            Cause::Admission => "An admission plugin of that cluster refuses it: change what it objects to.",
            Cause::Busy => "Kogge tries again.",
            Cause::Object => "Correct the chart or its values.",
        }
    }
}

impl fmt::Display for ApiRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cause, words, code } = self;
        let words = words.trim_end_matches('.');
        match cause {
            Cause::Rights => write!(f, "the credentials do not allow it: {words}.")?,
            Cause::WebhookDenied { webhook } => write!(f, "admission webhook {webhook:?} denied it: {words}.")?,
            Cause::WebhookUnavailable { webhook } => {
                write!(f, "admission webhook {webhook:?} was not reached or did not answer in time: {words}.")?;
            }
            Cause::WebhookWithoutDryRun { webhook } => {
                write!(f, "admission webhook {webhook:?} does not support dry run.")?;
            }
            Cause::PolicyDenied { policy } => write!(f, "admission policy {policy:?} denied it: {words}.")?,
            Cause::PodSecurity => write!(f, "Pod Security refused it: {words}.")?,
            Cause::Quota => write!(f, "a ResourceQuota refused it: {words}.")?,
            Cause::LimitRange => write!(f, "a LimitRange refused it: {words}.")?,
            Cause::NamespaceTerminating => write!(f, "its namespace is being deleted.")?,
            Cause::Admission | Cause::Busy | Cause::Object => {
                write!(f, "the API server answered {code}: {words}.")?;
            }
        }
        write!(f, " {}", self.mend())
    }
}

impl Cause {
    /// What the words tell of; none where they tell of nothing in particular.
    fn of(words: &str) -> Option<Self> {
        let has = |part: &str| words.contains(part);
        if let Some((webhook, rest)) = named(words, "admission webhook ", '"') {
            if rest.starts_with(" denied the request") {
                return Some(Self::WebhookDenied { webhook });
            }
            if rest.starts_with(" does not support dry run") {
                return Some(Self::WebhookWithoutDryRun { webhook });
            }
        }
        if let Some((webhook, _)) = named(words, "failed calling webhook ", '"') {
            return Some(Self::WebhookUnavailable { webhook });
        }
        if let Some((policy, rest)) = named(words, "AdmissionPolicy ", '\'')
            && rest.contains("denied request")
        {
            return Some(Self::PolicyDenied { policy });
        }
        let is_quota =
            ["exceeded quota: ", "failed quota: ", "status unknown for quota: ", "insufficient quota to "];
        let is_limit = [" usage per ", "limit to request ratio per "];
        match () {
            () if has("violates PodSecurity ") => Some(Self::PodSecurity),
            () if is_quota.iter().any(|part| has(part)) => Some(Self::Quota),
            () if is_limit.iter().any(|part| has(part)) => Some(Self::LimitRange),
            () if has("because it is being terminated") => Some(Self::NamespaceTerminating),
            () if has("forbidden: User \"") && has(" cannot ") => Some(Self::Rights),
            () => None,
        }
    }
}

/// What is quoted after a prefix, and the rest after the quote.
fn named<'w>(words: &'w str, prefix: &str, quote: char) -> Option<(String, &'w str)> {
    let quoted = words.split_once(prefix)?.1.strip_prefix(quote)?;
    quoted.split_once(quote).map(|(name, rest)| (name.to_owned(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn refused(code: u16, reason: &str, message: &str) -> ApiRefusal {
        let status = json!({"status": "Failure", "code": code, "reason": reason, "message": message, "details": {"causes": []}});
        ApiRefusal::of(&serde_json::from_value(status).unwrap())
    }

    /// The sentences of Kubernetes 1.30 to 1.36.
    #[rstest]
    #[case::rbac(
        403, "Forbidden",
        r#"statefulsets.apps "db" is forbidden: User "system:serviceaccount:kogge-system:kogge" cannot patch resource "statefulsets" in API group "apps" in the namespace "databases""#,
        "Forbidden", "kogge worker join")]
    #[case::rbac_with_an_authorizer_s_reason(
        403, "Forbidden",
        r#"configmaps is forbidden: User "jane" cannot create resource "configmaps" in API group "" in the namespace "a": requires one of ["container.configMaps.create"] permission(s)."#,
        "Forbidden", "kogge worker join")]
    #[case::webhook(
        403,
        "Forbidden",
        r#"admission webhook "policy.example.com" denied the request: no team label"#,
        "WebhookDenied",
        "policy.example.com"
    )]
    #[case::webhook_with_a_code_of_its_own(
        500,
        "",
        r#"admission webhook "policy.example.com" denied the request: database is locked"#,
        "WebhookDenied",
        "database is locked"
    )]
    #[case::webhook_without_a_word(
        400,
        "BadRequest",
        r#"admission webhook "validation.gatekeeper.sh" denied the request without explanation"#,
        "WebhookDenied",
        "validation.gatekeeper.sh"
    )]
    #[case::webhook_that_denies_by_the_words_of_rbac(
        403,
        "Forbidden",
        r#"admission webhook "w" denied the request: forbidden: User "a" cannot do this"#,
        "WebhookDenied",
        "exempt"
    )]
    #[case::no_dry_run(
        400,
        "BadRequest",
        r#"admission webhook "injector.example.com" does not support dry run"#,
        "WebhookWithoutDryRun",
        "sideEffects"
    )]
    #[case::webhook_is_not_there(
        500, "InternalError",
        r#"Internal error occurred: failed calling webhook "vault.example.com": failed to call webhook: Post "https://vault.default.svc:443/m?timeout=10s": dial tcp 10.0.0.1:443: connect: connection refused"#,
        "WebhookUnavailable", "vault.example.com")]
    #[case::webhook_without_endpoints(
        500, "InternalError",
        r#"Internal error occurred: failed calling webhook "a.b": failed to call webhook: Post "https://a.b.svc:443/?timeout=10s": no endpoints available for service "a""#,
        "WebhookUnavailable", "no endpoints available")]
    #[case::webhook_that_is_slow(
        500, "InternalError",
        r#"Internal error occurred: failed calling webhook "a.b": failed to call webhook: Post "https://a.b.svc:443/?timeout=14s": context deadline exceeded"#,
        "WebhookUnavailable", "deadline exceeded")]
    #[case::webhook_without_details(
        500,
        "InternalError",
        r#"Internal error occurred: failed calling webhook "a.b"; no further details available"#,
        "WebhookUnavailable",
        "a.b"
    )]
    #[case::policy(
        422, "Invalid",
        r#"statefulsets.apps "db" is forbidden: ValidatingAdmissionPolicy 'replicas' with binding 'replicas-binding' denied request: failed expression: object.spec.replicas <= 3"#,
        "PolicyDenied", "replicas")]
    #[case::policy_without_a_binding(
        422,
        "Invalid",
        r#"configmaps "a" is forbidden: ValidatingAdmissionPolicy 'p' denied request: no such key: x"#,
        "PolicyDenied",
        "binding"
    )]
    #[case::pod_security(
        403, "Forbidden",
        r#"pods "db-0" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "mongod" must set securityContext.allowPrivilegeEscalation=false)"#,
        "PodSecurityViolated", "pod-security.kubernetes.io/enforce")]
    #[case::quota(
        403, "Forbidden",
        r#"pods "db-0" is forbidden: exceeded quota: compute, requested: limits.memory=4Gi, used: limits.memory=30Gi, limited: limits.memory=32Gi"#,
        "QuotaExceeded", "limited: limits.memory=32Gi")]
    #[case::quota_on_what_is_not_given(
        403, "Forbidden",
        r#"pods "db-0" is forbidden: failed quota: compute: must specify limits.cpu for: keyfile; limits.memory for: keyfile"#,
        "QuotaExceeded", "limits.cpu for: keyfile")]
    #[case::quota_that_is_new(
        403,
        "Forbidden",
        r#"pods "db-0" is forbidden: status unknown for quota: compute, resources: pods"#,
        "QuotaExceeded",
        "compute"
    )]
    #[case::limit_range(
        403, "Forbidden",
        r#"pods "db-0" is forbidden: [maximum memory usage per Container is 1Gi, but limit is 4Gi, maximum cpu usage per Container is 1, but limit is 2]"#,
        "LimitRangeViolated", "maximum memory usage")]
    #[case::limit_range_by_ratio(
        403, "Forbidden",
        r#"pods "db-0" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000"#,
        "LimitRangeViolated", "ratio")]
    #[case::limit_range_without_a_request(
        403,
        "Forbidden",
        r#"pods "db-0" is forbidden: minimum cpu usage per Container is 100m.  No request is specified"#,
        "LimitRangeViolated",
        "No request"
    )]
    #[case::namespace(
        403, "Forbidden",
        r#"statefulsets.apps "db" is forbidden: unable to create new content in namespace a because it is being terminated"#,
        "NamespaceTerminating", "create it again")]
    #[case::service_account(
        403, "Forbidden",
        r#"pods "db-0" is forbidden: error looking up service account databases/none: serviceaccount "none" not found"#,
        "AdmissionDenied", "service account")]
    #[case::invalid(
        422,
        "Invalid",
        r#"StatefulSet.apps "db" is invalid: spec.replicas: Invalid value: -1"#,
        "Refused",
        "values"
    )]
    #[case::busy(429, "TooManyRequests", "the server has received too many requests", "Refused", "tries again")]
    fn field_24_a_refusal_is_told_by_its_cause_and_its_mend(
        #[case] code: u16,
        #[case] status_reason: &str,
        #[case] message: &str,
        #[case] reason: &str,
        #[case] says: &str,
    ) {
        let refusal = refused(code, status_reason, message);
        assert_eq!(refusal.reason(), reason, "{refusal}");
        assert!(refusal.to_string().contains(says), "{refusal}");
        let is_rbac = reason == "Forbidden";
        assert_eq!(refusal.to_string().contains("kogge worker join"), is_rbac, "{refusal}");
    }

    #[test]
    fn field_24_a_namespace_that_ends_is_known_by_its_cause() {
        let status = json!({"status": "Failure", "code": 403, "reason": "Forbidden", "message": "other words",
            "details": {"causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace", "message": ""}]}});
        let refusal = ApiRefusal::of(&serde_json::from_value(status).unwrap());
        assert_eq!(refusal.cause, Cause::NamespaceTerminating);
    }

    #[test]
    fn field_38_a_controller_s_words_are_read_as_the_server_s() {
        let words = r#"create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true"#;
        assert_eq!(ApiRefusal::of_words(words).unwrap().reason(), "PodSecurityViolated");
        assert_eq!(ApiRefusal::of_words("create Pod db-0 in StatefulSet db failed error: timed out"), None);
    }
}
