//! The next generation of the users that Kogge made, and the end of the previous one, set by set.

use std::time::Duration;

use kogge_engine_client::{ClusterAccess, Credentials, Told, User};
use kogge_mongo::PodName;
use kogge_mongo::errors::code;
use mongodb::bson::doc;

use crate::engine::Engine;
use crate::error::{CommandError, StepError};
use crate::session::{Login, Session};
use crate::sets::create_user;

const DEADLINE: Duration = Duration::from_secs(15);

impl Engine {
    /// Creates users on the primary of every replica set, and logs in with them. An error leaves some sets without
    /// them; to do it once more changes nothing where it was done. A user of that name that has another password is
    /// somebody else's, and is left alone. `may` is asked directly before each write; where it says no, nothing more
    /// is sent.
    pub async fn create_users(
        &self,
        access: &ClusterAccess,
        primaries: impl IntoIterator<Item = &PodName>,
        next: &Credentials,
        may: impl Fn() -> bool,
    ) -> Result<Told, StepError> {
        for primary in primaries {
            let failed = |source| StepError::Command { pod: primary.clone(), source };
            let session = self.session(access, primary, &access.credentials.operator).await.map_err(failed)?;
            for user in [&next.admin, &next.operator] {
                if !may() {
                    return Ok(Told::Stopped);
                }
                create_user(&session, user).await.map_err(failed)?;
            }
            for user in [&next.admin, &next.operator] {
                self.log_in(access, primary, user).await?;
            }
        }
        Ok(Told::All)
    }

    /// Removes users by their names from the primary of every replica set, but only where the present users are let
    /// in. To do it once more changes nothing where it was done. `may` as above.
    pub async fn remove_users(
        &self,
        access: &ClusterAccess,
        primaries: impl IntoIterator<Item = &PodName>,
        names: &[String],
        may: impl Fn() -> bool,
    ) -> Result<Told, StepError> {
        let Credentials { operator, admin } = &access.credentials;
        let operator = User { fallback: None, ..operator.clone() };
        for primary in primaries {
            let failed = |source| StepError::Command { pod: primary.clone(), source };
            self.log_in(access, primary, admin).await?;
            self.log_in(access, primary, &operator).await?;
            let session = self.session(access, primary, &operator).await.map_err(failed)?;
            for name in names {
                if !may() {
                    return Ok(Told::Stopped);
                }
                remove(&session, name).await.map_err(failed)?;
            }
        }
        Ok(Told::All)
    }

    async fn log_in(&self, access: &ClusterAccess, pod: &PodName, user: &User) -> Result<(), StepError> {
        let failed = |source| match source {
            CommandError::Login { .. } => StepError::UserRefused { pod: pod.clone(), user: user.name.clone() },
            source => StepError::Command { pod: pod.clone(), source },
        };
        let session = self.session(access, pod, user).await.map_err(failed)?;
        session.run(doc! { "replSetGetStatus": 1 }, DEADLINE).await.map(drop).map_err(failed)
    }

    async fn session(&self, access: &ClusterAccess, pod: &PodName, user: &User) -> Result<Session, CommandError> {
        self.sessions.get(access, pod, Login::User(user)).await
    }
}

async fn remove(session: &Session, name: &str) -> Result<(), CommandError> {
    let command = doc! { "dropUser": name, "writeConcern": { "w": "majority", "wtimeout": 10_000 } };
    match session.run(command, DEADLINE).await {
        Err(error) if error.code() != Some(code::USER_NOT_FOUND) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
