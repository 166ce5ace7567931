//! New passwords for the users that Kogge made, set by set.

use std::time::Duration;

use kogge_mongo::PodName;
use mongodb::bson::doc;

use crate::credentials::{Credentials, User};
use crate::engine::{ClusterAccess, Engine};
use crate::error::{CommandError, StepError};
use crate::session::{Login, Session};

const DEADLINE: Duration = Duration::from_secs(15);

/// How far the new passwords came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Every set has them.
    All,
    /// The fence stopped it on the way.
    Stopped,
}

impl Engine {
    /// Gives both users the passwords that they are being given ([`User::next`]), on the primary of every replica
    /// set, and logs in with them. An error leaves some sets with the old ones: every session tries both, and to
    /// do it once more changes nothing where it was done. `may` is asked directly before each write; where it says
    /// no, nothing more is sent.
    pub async fn change_passwords(
        &self,
        access: &ClusterAccess,
        primaries: impl IntoIterator<Item = &PodName>,
        may: impl Fn() -> bool,
    ) -> Result<Told, StepError> {
        let Credentials { operator, admin } = &access.credentials;
        for primary in primaries {
            let failed = |source| StepError::Command { pod: primary.clone(), source };
            let session = self.session(access, primary, operator).await.map_err(failed)?;
            for user in [admin, operator] {
                if !may() {
                    return Ok(Told::Stopped);
                }
                change(&session, user).await.map_err(failed)?;
            }
            let Some(renewed) = operator.renewed() else { continue };
            let session = self.session(access, primary, &renewed).await.map_err(failed)?;
            session.run(doc! { "replSetGetStatus": 1 }, DEADLINE).await.map_err(failed)?;
        }
        Ok(Told::All)
    }

    async fn session(&self, access: &ClusterAccess, pod: &PodName, user: &User) -> Result<Session, CommandError> {
        self.sessions.get(&*access.reach, pod, Login::User(user)).await
    }
}

async fn change(session: &Session, user: &User) -> Result<(), CommandError> {
    let Some(next) = &user.next else { return Ok(()) };
    let command = doc! {
        "updateUser": user.name.as_str(),
        "pwd": next.reveal(),
        "mechanisms": ["SCRAM-SHA-256"],
        "writeConcern": { "w": "majority", "wtimeout": 10_000 },
    };
    session.run(command, DEADLINE).await.map(drop)
}
