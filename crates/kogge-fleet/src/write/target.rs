//! The object that a write is about, on a worker that may be written to.

use std::sync::Arc;

use kogge_plan::api_refusal::Cause;
use kogge_plan::{ApiRefusal, Object, ObjectKey};
use kube::Api;
use kube::core::{ApiResource, Status};

use super::{Outcome, WriteContext, WriteError};
use crate::connection::GateError;
use crate::error::root_cause;
use crate::fleet::{Link, Worker};
use crate::watch::kinds::{is_metadata_only, resource_of};
use crate::watch::supervisor::normalized;

/// The API server gave a request up that took longer than its `timeout`.
const GATEWAY_TIMEOUT: u16 = 504;

/// Where a write goes.
pub(super) struct Target<'a> {
    pub(super) worker: &'a Worker,
    pub(super) key: ObjectKey,
    pub(super) namespace: String,
    pub(super) resource: ApiResource,
    pub(super) api: Api<Object>,
    link: Arc<Link>,
    context: WriteContext<'a>,
}

/// What the API server's answer, or its absence, says about a write.
pub(super) enum Failure {
    /// 409: something was not as expected.
    Conflict(Box<Status>),
    /// 404.
    NotFound(Box<Status>),
    /// Nobody knows whether it was made.
    Unknown {
        /// Why there is no answer.
        message: String,
        /// Whether it took longer than the deadline.
        timed_out: bool,
    },
    /// It was not made.
    Refused(WriteError),
}

impl<'a> Target<'a> {
    /// Refuses what must not be written to, before anything is sent.
    pub(super) fn new(
        worker: &'a Worker,
        system_namespace: &str,
        key: ObjectKey,
        context: WriteContext<'a>,
    ) -> Result<Self, WriteError> {
        let name = || worker.name().clone();
        if worker.is_suspended() {
            return Err(WriteError::Suspended { worker: name() });
        }
        let namespace =
            key.namespace.clone().ok_or_else(|| WriteError::Malformed { worker: name(), missing: "namespace" })?;
        if namespace != system_namespace && !worker.allows(&namespace) {
            return Err(WriteError::NamespaceNotAllowed { worker: name(), object: Box::new(key), namespace });
        }
        let link = worker.link()?;
        let resource = resource_of(&key);
        let api = Api::namespaced_with(link.client.clone(), &namespace, &resource);
        let target = Self { worker, key, namespace, resource, api, link, context };
        target.permit()?;
        Ok(target)
    }

    /// To be asked directly before each request that writes.
    pub(super) fn permit(&self) -> Result<(), WriteError> {
        if self.link.uid != self.context.worker_uid {
            return Err(WriteError::WrongCluster {
                worker: self.worker.name().clone(),
                expected: self.context.worker_uid.to_owned(),
                found: self.link.uid.clone(),
            });
        }
        if self.context.fence.is_leader() { Ok(()) } else { Err(WriteError::NotLeader) }
    }

    /// Whether nothing is to be changed.
    pub(super) fn dry_run(&self) -> bool {
        self.context.dry_run
    }

    /// Whether only the metadata of the object may come back.
    pub(super) fn metadata_only(&self) -> bool {
        is_metadata_only(&self.key)
    }

    /// Puts the object of an answer into the view.
    pub(super) fn observe(&self, object: Object) {
        let mut object = normalized(object, &self.resource);
        if self.metadata_only() {
            object.data = serde_json::Value::Object(serde_json::Map::new());
        }
        self.worker.written(object);
    }

    /// What a failed write means. A server's own errors (5xx) leave open whether the write was made.
    pub(super) fn failure(&self, error: kube::Error) -> Failure {
        if let Some(gate) = GateError::of(&error) {
            return if gate.was_sent() {
                Failure::Unknown { message: gate.to_string(), timed_out: true }
            } else {
                Failure::Refused(self.not_sent(gate.to_string()))
            };
        }
        match error {
            kube::Error::Api(status) => self.answered(status),
            kube::Error::BuildRequest(_) => Failure::Refused(WriteError::Malformed {
                worker: self.worker.name().clone(),
                missing: "name that can be sent",
            }),
            other => Failure::Unknown { message: root_cause(&other), timed_out: false },
        }
    }

    fn answered(&self, status: Box<Status>) -> Failure {
        let refusal = self.refusal(&status);
        if refusal.cause == Cause::Rights {
            self.worker.note_forbidden();
        }
        // A webhook and a policy deny with whatever status they like.
        let is_denial = refusal.is_webhook() || matches!(refusal.cause, Cause::PolicyDenied { .. });
        match status.code {
            _ if is_denial => Failure::Refused(self.refused(&status)),
            409 => Failure::Conflict(status),
            404 => Failure::NotFound(status),
            code if code >= 500 => {
                let timed_out = code == GATEWAY_TIMEOUT;
                Failure::Unknown { message: format!("{code}: {}", self.words(&status)), timed_out }
            }
            _ => Failure::Refused(self.refused(&status)),
        }
    }

    /// A read that had to come before the write failed, so nothing was written.
    pub(super) fn unread(&self, error: kube::Error) -> WriteError {
        match self.failure(error) {
            Failure::Refused(error) => error,
            Failure::Unknown { message, .. } => self.not_sent(message),
            Failure::Conflict(status) | Failure::NotFound(status) => self.refused(&status),
        }
    }

    pub(super) fn boxed_key(&self) -> Box<ObjectKey> {
        Box::new(self.key.clone())
    }

    pub(super) fn refused(&self, status: &Status) -> WriteError {
        WriteError::Refused {
            worker: self.worker.name().clone(),
            object: self.boxed_key(),
            refusal: Box::new(self.refusal(status)),
        }
    }

    fn refusal(&self, status: &Status) -> ApiRefusal {
        ApiRefusal::of(status).with_words(self.words(status))
    }

    fn not_sent(&self, message: String) -> WriteError {
        WriteError::NotSent { worker: self.worker.name().clone(), object: self.boxed_key(), message }
    }

    /// The API server's words, which for a Secret may quote it (A12): there, only the fields are named.
    pub(super) fn words(&self, status: &Status) -> String {
        if !self.metadata_only() {
            return status.message.clone();
        }
        let causes = status.details.iter().flat_map(|details| &details.causes);
        let fields: Vec<_> = causes.map(|cause| cause.field.as_str()).collect();
        format!("{} {}", status.reason, fields.join(", ")).trim_end().to_owned()
    }

    pub(super) fn log(&self, verb: &str, why: &str, result: &Result<Outcome, WriteError>) {
        let (worker, object) = (self.worker.name(), &self.key);
        match result {
            Ok(outcome) => tracing::info!(%worker, %object, verb, why, ?outcome, "written"),
            Err(error) => {
                tracing::warn!(%worker, %object, verb, why, reason = error.reason(), %error, "not written");
            }
        }
    }
}
