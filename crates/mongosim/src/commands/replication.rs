use std::{sync::Arc, time::Duration};

use bson::{DateTime, Document, doc};

use crate::{
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    oplog::OpTime,
    query::number,
    repl::{
        Coordinator, MemberState, Replication, VoteRequest, election::ElectionReason, runtime::StepDownRequest,
    },
    server::Request,
};

const DEFAULT_CATCH_UP: Duration = Duration::from_secs(10);
const STEP_UP_WAIT: Duration = Duration::from_secs(5);

impl Mongod {
    /// `replSet*`.
    pub(crate) async fn replication_command(&self, request: &Request) -> CommandResult {
        let replication = self
            .replication
            .as_ref()
            .ok_or_else(|| CommandError::new(code::NO_REPLICATION_ENABLED, "not running with --replSet"))?;
        check_state(replication, &request.name)?;
        match request.name.as_str() {
            "replSetInitiate" => {
                let config = match request.body.get("replSetInitiate") {
                    Some(bson::Bson::Document(config)) => config.clone(),
                    _ => Document::new(),
                };
                replication.initiate(&config, &self.own_host()).await
            }
            "replSetReconfig" => {
                let config = request
                    .body
                    .get_document("replSetReconfig")
                    .map_err(|_| CommandError::bad_value("no configuration specified"))?;
                let force = request.body.get("force").and_then(number::as_bool).unwrap_or(false);
                replication.reconfig(config, force, max_time(&request.body)).await
            }
            "replSetGetConfig" => replication.look(|c| {
                let config = c.config().ok_or_else(CommandError::not_initialized)?;
                let mut reply = doc! { "config": config.to_document() };
                if request.body.get("commitmentStatus").and_then(number::as_bool) == Some(true) {
                    reply.insert("commitmentStatus", c.config_is_committed());
                }
                Ok(reply)
            }),
            "replSetGetStatus" => {
                let sync = replication.sync_status();
                let now = replication.now();
                replication.look(|c| c.status(DateTime::now(), now, sync))
            }
            "replSetStepDown" => step_down(replication, &request.body).await,
            "replSetFreeze" => freeze(replication, &request.body),
            "replSetStepUp" => step_up(replication).await,
            "replSetHeartbeat" => {
                let mut reply = replication.with_result(|c, now| c.on_heartbeat_request(&request.body, now))?;
                if request.body.get("checkEmpty").and_then(number::as_bool) == Some(true) {
                    reply.insert("hasData", self.has_user_data()?);
                }
                Ok(reply)
            }
            "replSetRequestVotes" => {
                Ok(replication.vote(&VoteRequest::from_document(&request.body)).await?.to_document())
            }
            _ => {
                update_position(replication, &request.body);
                Ok(Document::new())
            }
        }
    }

    /// `configureFailPoint`: all there are here belong to replication.
    pub(crate) fn configure_fail_point(&self, request: &Request) -> CommandResult {
        let replication = self.replication.as_ref();
        let replication = replication.ok_or_else(|| CommandError::bad_value("no fail point without --replSet"))?;
        replication.fail_points().configure(&request.body)
    }

    fn has_user_data(&self) -> CommandResult<bool> {
        let collections = self.storage.read()?.collections()?;
        Ok(collections.iter().any(|(ns, _)| !ns.starts_with("local.") && !ns.starts_with("config.")))
    }
}

/// What mongod checks before it looks at a command: in STARTUP, with or without a configuration on disk, it has none.
fn check_state(replication: &Replication, command: &str) -> CommandResult<()> {
    match command {
        "replSetHeartbeat" if replication.is_starting_up() => Err(CommandError::new(
            code::NOT_YET_INITIALIZED,
            "Received heartbeat while still initializing replication system",
        )),
        "replSetInitiate" | "replSetHeartbeat" => Ok(()),
        _ if replication.look(Coordinator::state) == MemberState::Startup => Err(CommandError::not_initialized()),
        _ => Ok(()),
    }
}

fn max_time(command: &Document) -> Option<Duration> {
    let millis = command.get("maxTimeMS").and_then(number::as_i64)?;
    u64::try_from(millis).ok().filter(|ms| *ms > 0).map(Duration::from_millis)
}

fn seconds(value: Option<&bson::Bson>, name: &str) -> CommandResult<Option<Duration>> {
    match value {
        None => Ok(None),
        Some(value) => number::as_i64(value)
            .and_then(|n| u64::try_from(n).ok())
            .map(|n| Some(Duration::from_secs(n)))
            .ok_or_else(|| CommandError::bad_value(format!("{name} must be a non-negative number of seconds"))),
    }
}

async fn step_down(replication: &Arc<Replication>, command: &Document) -> CommandResult {
    let force = command.get("force").and_then(number::as_bool).unwrap_or(false);
    let period = seconds(command.get("replSetStepDown"), "stepdown period")?.unwrap_or(Duration::from_mins(1));
    let given = seconds(command.get("secondaryCatchUpPeriodSecs"), "secondaryCatchUpPeriodSecs")?;
    let catch_up = match given {
        Some(catch_up) => catch_up,
        None if force => Duration::ZERO,
        None => DEFAULT_CATCH_UP,
    };
    replication.step_down(StepDownRequest { period, catch_up, force }).await?;
    Ok(Document::new())
}

fn freeze(replication: &Arc<Replication>, command: &Document) -> CommandResult {
    let period = seconds(command.get("replSetFreeze"), "replSetFreeze")?.unwrap_or_default();
    replication.with_result(|c, now| match c.freeze(now + period.as_millis() as u64, now) {
        Ok(effects) => (Ok(()), effects),
        Err(e) => (Err(e), Vec::new()),
    })?;
    Ok(Document::new())
}

async fn step_up(replication: &Arc<Replication>) -> CommandResult {
    replication.with(|c, now| c.stand(ElectionReason::StepUp, now));
    let mut changes = replication.changes();
    let elected = async {
        while !replication.look(crate::repl::Coordinator::is_leader) {
            if changes.changed().await.is_err() {
                break;
            }
        }
    };
    tokio::time::timeout(STEP_UP_WAIT, elected)
        .await
        .map(|()| Document::new())
        .map_err(|_| CommandError::new(125, "Election failed."))
}

fn update_position(replication: &Arc<Replication>, command: &Document) {
    let term = command
        .get_document("$replData")
        .ok()
        .and_then(|data| data.get("term").and_then(number::as_i64))
        .unwrap_or(-1);
    replication.with(|c, now| {
        let mut effects = c.learn_term(term, now);
        // Positions of a later term say nothing about what the present one has committed.
        if term == c.term() {
            for position in command.get_array("optimes").into_iter().flatten().filter_map(bson::Bson::as_document)
            {
                let id = position.get("memberId").and_then(number::as_i64).unwrap_or(-1);
                effects.extend(c.on_position(id, OpTime::from_bson(position.get("durableOpTime")), now));
            }
        }
        effects
    });
}
