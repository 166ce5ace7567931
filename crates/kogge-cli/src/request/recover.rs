//! `kogge recover`: what may be lost with vdcs that are gone for good, the request to go on without them, its
//! approval, and the way back.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use kogge_api::conditions::database as types;
use kogge_api::labels;
use kogge_api::recovery::RecoveryRequest;
use kogge_engine::Database;
use kube::ResourceExt as _;

use super::recovery_view::Holdings;
use crate::ControlArgs;
use crate::database::{Present, Subject, Target, condition};
use crate::dry_run::{Environment, SightArgs};

/// What a person must have read before anything is forced.
const FENCE: &str = "Before the others go on without them, make sure that the members there never come back by themselves: \
power their machines off, or cut the vdc off from the other vdcs and from clients. If they live on unseen, two halves \
of one database take writes. Then run the command again with --fenced.";

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["lost", "approve", "readmit", "withdraw"])))]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// The vdcs, or placements, that are lost for good, with commas between them. Shows what the members that are
    /// left hold; with --fenced it is asked of the operator to go on without them
    #[arg(long, value_name = "VDC", value_delimiter = ',')]
    lost: Vec<String>,
    /// Says that nothing of what is lost runs any more, or ever reaches the other vdcs again by itself
    #[arg(long, requires = "lost")]
    fenced: bool,
    /// Only these groups, by their components, such as shard-0; by default all that lost their majority
    #[arg(long = "group", value_name = "GROUP", value_delimiter = ',')]
    groups: Vec<String>,
    /// Approves what the operator showed, by its hash; several with commas between them
    #[arg(long, value_name = "HASH", value_delimiter = ',')]
    approve: Vec<String>,
    /// Lets members of these vdcs join again, once their volumes were deleted
    #[arg(long, value_name = "VDC", value_delimiter = ',')]
    readmit: Vec<String>,
    /// Takes the request back
    #[arg(long)]
    withdraw: bool,
    /// How long to wait for the operator's answer, in seconds; 0 does not wait
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    #[command(flatten)]
    sight: SightArgs,
}

pub(crate) async fn run(args: Args, control: &ControlArgs) -> anyhow::Result<ExitCode> {
    let (subject, present) = Subject::open(&args.target, control).await?;
    if !args.lost.is_empty() {
        return declare(&args, control, &subject, &present).await;
    }
    if !args.approve.is_empty() {
        return approve(&args, &subject, &present).await;
    }
    let request =
        RecoveryRequest { readmit: set(&args.readmit), groups: set(&args.groups), ..RecoveryRequest::default() };
    let value = if args.withdraw { None } else { Some(serde_json::to_string(&request)?) };
    subject.annotate(&present, &[(labels::RECOVER, value), (labels::APPROVE, None)]).await?;
    if args.withdraw {
        println!("{}: the request is taken back; members that were given up stay held out", subject.full_name());
    } else {
        println!(
            "{}: members in {} join again as soon as their volumes are empty",
            subject.full_name(),
            args.readmit.join(", ")
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn declare(
    args: &Args,
    control: &ControlArgs,
    subject: &Subject,
    present: &Present,
) -> anyhow::Result<ExitCode> {
    let request = RecoveryRequest {
        lost: set(&args.lost),
        fenced: args.fenced,
        groups: set(&args.groups),
        ..RecoveryRequest::default()
    };
    let text = serde_json::to_string(&request)?;
    let mut asked = present.object.clone();
    asked.annotations_mut().insert(labels::RECOVER.to_owned(), text.clone());
    let environment =
        Environment { home: &subject.home, args: &args.sight, system_namespace: &control.system_namespace };
    let seen = subject.kind.look(&asked, &environment).await?;
    if !seen.holdings.is_empty() {
        println!("{}", Holdings(&seen.holdings));
    }
    for obstacle in seen.outline.told() {
        println!("{obstacle}");
    }
    if !args.fenced {
        println!("\nNothing was written. {FENCE}");
        return Ok(ExitCode::SUCCESS);
    }
    subject.annotate(present, &[(labels::RECOVER, Some(text))]).await?;
    println!("\n{}: asked to go on without {}", subject.full_name(), args.lost.join(", "));
    if args.wait == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let answer = |database: &Database| {
        let needed = condition(database, types::APPROVAL_NEEDED)?;
        match needed.reason.as_str() {
            "RequestRefused" | "RecoveryRefused" => Some(Err(needed.message.clone())),
            "MajorityLost" => Some(Ok(needed.message.clone())),
            _ => None,
        }
    };
    match subject.wait("the operator's answer", Duration::from_secs(args.wait), answer).await? {
        Ok(message) => {
            println!("The operator waits for approval: {message}");
            println!("The same by this command: kogge recover {} --approve HASH", subject.written());
            Ok(ExitCode::SUCCESS)
        }
        Err(refused) => bail!("{refused}"),
    }
}

async fn approve(args: &Args, subject: &Subject, present: &Present) -> anyhow::Result<ExitCode> {
    let asked = condition(&present.database, types::APPROVAL_NEEDED).filter(|needed| needed.status == "True");
    let known = asked.map(|needed| needed.message.as_str()).unwrap_or_default();
    if let Some(unknown) = args.approve.iter().find(|hash| !known.contains(hash.as_str())) {
        bail!("{} asks for no approval of {unknown}; it says: {known:?}", subject.full_name());
    }
    subject.annotate(present, &[(labels::APPROVE, Some(args.approve.join(",")))]).await?;
    println!("{}: approved", subject.full_name());
    if args.wait > 0 {
        let serves = |database: &Database| {
            condition(database, types::AVAILABLE).filter(|available| available.status == "True").map(drop)
        };
        subject.wait("a leader in every group", Duration::from_secs(args.wait), serves).await?;
        println!("{}: every group has a leader", subject.full_name());
    }
    Ok(ExitCode::SUCCESS)
}

fn set(words: &[String]) -> BTreeSet<String> {
    words.iter().cloned().collect()
}
