//! Clients that remember what a database told them, and check that it kept its word.

mod etcd;
mod mongodb;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Records what a database tells its clients, and checks that it kept its word.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// MongoDB: what was acknowledged with majority concern must be there
    #[command(subcommand)]
    Mongodb(mongodb::Command),
    /// etcd: all answers are recorded, and must be those of one linearizable store
    #[command(subcommand)]
    Etcd(etcd::Command),
    /// What `mongodb` does may be asked for without that word: pods of the lab and of the demo call it so.
    #[command(flatten)]
    Short(mongodb::Command),
    /// Says whether the answers in files of histories are those of one linearizable store
    Verify(verify::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        Command::Mongodb(command) | Command::Short(command) => mongodb::run(command).await,
        Command::Etcd(command) => etcd::run(command).await,
        Command::Verify(args) => verify::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pods_of_the_lab_and_of_the_demo_call_it_as_before() {
        let calls: [&[&str]; 6] = [
            &["write"],
            &["write", "--writers=8", "--pause=10"],
            &["check"],
            &["check", "--uri", "mongodb://elsewhere:27017/"],
            &["mongodb", "write", "--writers=8", "--record=/tmp/acknowledged", "--run=vdc1"],
            &["mongodb", "check", "--uri", "mongodb://elsewhere:27017/"],
        ];
        for call in calls {
            let cli = Cli::try_parse_from([&["kogge-history"], call].concat());
            let is_mongodb = matches!(cli, Ok(Cli { command: Command::Mongodb(_) | Command::Short(_) }));
            assert!(is_mongodb, "{call:?} is not understood");
        }
    }
}
