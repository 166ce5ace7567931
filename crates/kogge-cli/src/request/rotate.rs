//! `kogge rotate`: raises the numbers in `spec.security.rotation`.

use std::process::ExitCode;

use clap::ValueEnum;
use kogge_api::federated_cluster::RotationSpec;
use kogge_api::names;
use serde_json::{Value, json};

use crate::ControlArgs;
use crate::database::{Subject, Target};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// What to rotate; several at once share their restarts
    #[arg(required = true, value_enum)]
    what: Vec<What>,
}

/// What can be rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The key that members authenticate to each other by
    Keyfile,
    /// The certificates, by the same authority
    Certificates,
    /// The authority, and every certificate with it
    Authority,
    /// The users of the administrator and of Kogge itself, with new names and passwords
    Passwords,
}

pub(crate) async fn run(args: Args, control: &ControlArgs) -> anyhow::Result<ExitCode> {
    let (subject, present) = Subject::open(&args.target, control).await?;
    let rotation = &present.database.security.rotation;
    let raised = raised(rotation, &args.what);
    subject.edit(&present, &json!({ "spec": { "security": { "rotation": raised } } })).await?;
    println!("{}: asked for; `kubectl wait --for=condition=Ready` tells when it is done", subject.full_name());
    if args.what.contains(&What::Passwords) {
        let (secret, grace) = (names::admin_secret(present.database.name()), rotation.grace);
        println!("The previous user works for {grace} after Secret {secret} names the next one.");
    }
    Ok(ExitCode::SUCCESS)
}

/// The numbers of what is asked for, one higher than they are.
fn raised(present: &RotationSpec, what: &[What]) -> Value {
    let RotationSpec { keyfile, certificates, authority, passwords, grace: _ } = present;
    let numbers = what.iter().map(|what| {
        let (field, number) = match what {
            What::Keyfile => ("keyfile", keyfile),
            What::Certificates => ("certificates", certificates),
            What::Authority => ("authority", authority),
            What::Passwords => ("passwords", passwords),
        };
        (field.to_owned(), json!(number + 1))
    });
    Value::Object(numbers.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_raised_once() {
        let present = RotationSpec { keyfile: 4, ..RotationSpec::default() };
        let asked = [What::Keyfile, What::Passwords, What::Keyfile];
        assert_eq!(raised(&present, &asked), json!({ "keyfile": 5, "passwords": 1 }));
    }
}
