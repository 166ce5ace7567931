//! The commands that are no reconfiguration: initiate, first users, step-down, addShard.

use std::time::Duration;

use kogge_mongo::errors::code;
use kogge_mongo::{Host, NewMember, PodName, SetName, SetRole};
use mongodb::bson::{Document, doc};

use crate::engine::Wire;
use crate::error::{CommandError, StepError};
use crate::reconfig::new_member;
use crate::session::{Login, Session};
use kogge_engine_client::{Credentials, Outcome, User};

const INITIATE_DEADLINE: Duration = Duration::from_secs(30);
const USER_DEADLINE: Duration = Duration::from_secs(15);
const ADD_SHARD_DEADLINE: Duration = Duration::from_secs(30);
const STEP_DOWN_DEADLINE: Duration = Duration::from_secs(20);

/// How long the old primary may not be elected again, in seconds.
const STEP_DOWN_SECS: i32 = 60;
/// How long a secondary may take to catch up before the step-down is refused (code 262), in seconds.
const CATCH_UP_SECS: i32 = 10;

/// `replSetInitiate` with the seed alone, through the localhost exception.
pub(crate) async fn initiate(
    wire: Wire<'_>,
    set: &SetName,
    seed: &PodName,
    role: SetRole,
    member: &NewMember,
) -> Result<Outcome, StepError> {
    let mut config = doc! { "_id": set.as_str(), "version": 1, "members": [new_member(member)] };
    if role == SetRole::Config {
        config.insert("configsvr", true);
    }
    let nobody = wire.session(seed, Login::Nobody).await?;
    match nobody.run(doc! { "replSetInitiate": config }, INITIATE_DEADLINE).await {
        Ok(_) => Ok(Outcome::Done),
        Err(error) if error.code() == Some(code::ALREADY_INITIALIZED) => Ok(Outcome::AlreadyDone),
        Err(source) => Err(StepError::Command { pod: seed.clone(), source }),
    }
}

/// The administrator first, through the localhost exception, which its creation closes; then the operator,
/// by the administrator. A run that was cut short between the two goes on where it ended.
pub(crate) async fn create_users(wire: Wire<'_>, primary: &PodName) -> Result<Outcome, StepError> {
    let failed = |source| StepError::Command { pod: primary.clone(), source };
    let Credentials { operator, admin } = &wire.access.credentials;
    let nobody = wire.session(primary, Login::Nobody).await?;
    match create_user(&nobody, admin).await {
        Ok(_) => {}
        // The exception is closed: the administrator was created before, as its login will show.
        Err(error) if error.code() == Some(code::UNAUTHORIZED) => {}
        Err(error) => return Err(failed(error)),
    }
    let administrator = wire.session(primary, Login::User(admin)).await?;
    create_user(&administrator, operator).await.map_err(failed)
}

pub(crate) async fn create_user(session: &Session, user: &User) -> Result<Outcome, CommandError> {
    let command = doc! {
        "createUser": user.name.as_str(),
        "pwd": user.password.reveal(),
        "roles": [{ "role": "root", "db": "admin" }],
        "mechanisms": ["SCRAM-SHA-256"],
        "writeConcern": { "w": "majority", "wtimeout": 10_000 },
    };
    match session.run(command, USER_DEADLINE).await {
        Ok(_) => Ok(Outcome::Done),
        Err(error) if error.code() == Some(code::USER_EXISTS) => Ok(Outcome::AlreadyDone),
        Err(error) => Err(error),
    }
}

/// `replSetStepDown` without force: refused where no secondary catches up.
pub(crate) async fn step_down(wire: Wire<'_>, primary: &PodName) -> Result<Outcome, StepError> {
    let command = doc! { "replSetStepDown": STEP_DOWN_SECS, "secondaryCatchUpPeriodSecs": CATCH_UP_SECS };
    wire.as_operator(primary, command, STEP_DOWN_DEADLINE).await
}

/// `addShard`; naming the same set again is no error to the server.
pub(crate) async fn add_shard(
    wire: Wire<'_>,
    set: &SetName,
    router: &PodName,
    hosts: &[Host],
) -> Result<Outcome, StepError> {
    let hosts: Vec<&str> = hosts.iter().map(Host::as_str).collect();
    let command = doc! { "addShard": format!("{set}/{}", hosts.join(",")) };
    wire.as_operator(router, command, ADD_SHARD_DEADLINE).await
}

impl Wire<'_> {
    async fn session(&self, pod: &PodName, login: Login<'_>) -> Result<Session, StepError> {
        let session = self.sessions.get(self.access, pod, login).await;
        session.map_err(|source| StepError::Command { pod: pod.clone(), source })
    }

    pub(crate) async fn as_operator(
        &self,
        pod: &PodName,
        command: Document,
        deadline: Duration,
    ) -> Result<Outcome, StepError> {
        let operator = self.session(pod, Login::User(&self.access.credentials.operator)).await?;
        match operator.run(command, deadline).await {
            Ok(_) => Ok(Outcome::Done),
            Err(source) => Err(StepError::Command { pod: pod.clone(), source }),
        }
    }
}
