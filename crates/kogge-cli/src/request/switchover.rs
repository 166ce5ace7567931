//! `kogge switchover`: leaders leave a vdc before its maintenance, and may come back after it.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use kogge_api::conditions::database as types;
use kogge_api::labels;
use kogge_engine::Database;

use crate::ControlArgs;
use crate::database::{Subject, Target, condition};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// The vdcs that no leader shall be in, with commas between them
    #[arg(
        long,
        value_name = "VDC",
        value_delimiter = ',',
        required_unless_present = "back",
        conflicts_with = "back"
    )]
    away_from: Vec<String>,
    /// Lets leaders be in every vdc again
    #[arg(long)]
    back: bool,
    /// How long to wait until it is done, in seconds; 0 does not wait
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    wait: u64,
}

pub(crate) async fn run(args: Args, control: &ControlArgs) -> anyhow::Result<ExitCode> {
    let (subject, present) = Subject::open(&args.target, control).await?;
    let vdcs = (!args.back).then(|| args.away_from.join(","));
    if !args.back {
        check(&args.away_from, &present.database)?;
    }
    subject.annotate(&present, &[(labels::AWAY_FROM, vdcs.clone())]).await?;
    match &vdcs {
        Some(vdcs) => println!("{}: leaders are asked to leave {vdcs}", subject.full_name()),
        None => println!("{}: leaders may be in every vdc", subject.full_name()),
    }
    if args.wait == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let reached = |database: &Database| {
        let switched = condition(database, types::SWITCHED_OVER)?;
        match switched.reason.as_str() {
            "RequestRefused" => Some(Err(switched.message.clone())),
            "InForce" if vdcs.as_ref().is_some_and(|vdcs| names(&switched.message, vdcs)) => Some(Ok(())),
            "NotAsked" if vdcs.is_none() => Some(Ok(())),
            _ => None,
        }
    };
    match subject.wait("the switchover", Duration::from_secs(args.wait), reached).await? {
        Ok(()) => println!("{}: done", subject.full_name()),
        Err(refused) => bail!("{refused}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a message speaks of these vdcs, and not of those of an earlier request.
fn names(message: &str, vdcs: &str) -> bool {
    let mut wanted: Vec<&str> = vdcs.split(',').collect();
    wanted.sort_unstable();
    message.contains(&format!("away from {} until", wanted.join(", ")))
}

fn check(vdcs: &[String], database: &Database) -> anyhow::Result<()> {
    let mut known: Vec<&str> = database.placements.iter().map(|placement| placement.vdc.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    match vdcs.iter().find(|vdc| !known.contains(&vdc.as_str())) {
        Some(unknown) => bail!("no placement is in vdc {unknown}; name one of {}", known.join(", ")),
        None => Ok(()),
    }
}
