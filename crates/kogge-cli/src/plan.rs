//! `kogge plan`: what the operator would do next, in words or as data.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::ControlArgs;
use crate::cluster::Cluster;
use crate::database::{DatabaseManifest, Reference, Subject};
use crate::dry_run::{Environment, Outcome, Outline, SightArgs};

/// The exit code of a plan with changes, as `terraform plan -detailed-exitcode` has it.
const CHANGES: u8 = 2;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The database as kubectl names it, such as fc/ll2022 or fe/orders. The kind may be left out where one kind only has
    /// a database of that name; all of it, where --file holds one database only
    #[arg(value_name = "[KIND/]NAME", required_unless_present = "file")]
    database: Option<Reference>,
    /// Its namespace; by default that of the context
    #[arg(short, long)]
    namespace: Option<String>,
    /// A manifest that holds it as it shall be; by default what the control cluster holds is planned
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    sight: SightArgs,
    /// How the plan is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Output {
    /// In words
    #[default]
    Text,
    /// As data, without the content of Secrets
    Json,
}

/// Prints the plan. The exit code is 0 where nothing is to do, 2 where changes are, and 1 where a problem is in
/// the way that you must solve first.
pub(crate) async fn run(args: Args, control: &ControlArgs) -> anyhow::Result<ExitCode> {
    let home = Cluster::control(control)?;
    let (kind, object) = match (&args.file, &args.database) {
        (Some(file), reference) => {
            let manifest = DatabaseManifest::read(file, reference.as_ref())?;
            (manifest.kind, manifest.laid_over(&home, args.namespace.as_deref()).await?)
        }
        (None, Some(reference)) => {
            let (subject, present) = Subject::find(home.clone(), reference, args.namespace.as_deref()).await?;
            (subject.kind, present.object)
        }
        (None, None) => anyhow::bail!("name a database, or a manifest with --file"),
    };
    let environment = Environment { home: &home, args: &args.sight, system_namespace: &control.system_namespace };
    let outline = kind.look(&object, &environment).await?.outline;
    let text = match args.output {
        Output::Text => outline.to_string(),
        Output::Json => serde_json::to_string_pretty(&outline)? + "\n",
    };
    match io::stdout().write_all(text.as_bytes()) {
        // The reader has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    Ok(exit_code(&outline))
}

fn exit_code(outline: &Outline) -> ExitCode {
    match outline.outcome {
        Outcome::NothingToDo => ExitCode::SUCCESS,
        Outcome::Changes => ExitCode::from(CHANGES),
        Outcome::Problem => ExitCode::FAILURE,
    }
}
