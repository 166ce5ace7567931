//! The engine's client as the operator sees it.

use std::collections::BTreeMap;

use kogge_engine_client::{
    CertificateError, ClusterAccess, Credentials, Execute, Observe, Outcome, Served, StepFailure, Told,
};
use kogge_mongo::errors::ErrorClass;
use kogge_mongo::{Goal, Millis, MongoDb, Pod, PodName, Step, Topology};

use crate::engine::Engine;
use crate::error::StepError;

impl Observe for Engine {
    type Engine = MongoDb;

    async fn observe(
        &self,
        access: &ClusterAccess,
        goal: &Goal,
        pods: &BTreeMap<PodName, Pod>,
        now: Millis,
    ) -> Topology {
        Self::observe(self, access, goal, pods, now).await
    }
}

impl Execute for Engine {
    type Error = StepError;

    async fn execute(&self, access: &ClusterAccess, step: &Step) -> Result<Outcome, StepError> {
        Self::execute(self, access, step).await
    }

    async fn create_users(
        &self,
        access: &ClusterAccess,
        leaders: &[PodName],
        users: &Credentials,
        may: impl Fn() -> bool + Send + Sync,
    ) -> Result<Told, StepError> {
        Self::create_users(self, access, leaders, users, may).await
    }

    async fn remove_users(
        &self,
        access: &ClusterAccess,
        leaders: &[PodName],
        names: &[String],
        may: impl Fn() -> bool + Send + Sync,
    ) -> Result<Told, StepError> {
        Self::remove_users(self, access, leaders, names, may).await
    }

    async fn reload_certificates(
        &self,
        access: &ClusterAccess,
        wanted: &BTreeMap<PodName, &str>,
        may: impl Fn() -> bool + Send + Sync,
    ) -> Result<Served<StepError>, CertificateError> {
        Self::reload_certificates(self, access, wanted, may).await
    }
}

impl StepFailure for StepError {
    fn reason(&self) -> &'static str {
        Self::reason(self)
    }

    fn is_for_a_person(&self) -> bool {
        Self::is_for_a_person(self)
    }

    fn is_final(&self) -> bool {
        self.class() == ErrorClass::NeedsPerson
    }
}
