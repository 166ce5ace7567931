//! The `kogge-agent` binary: Kogge's part in the pods of a worker.

mod gate;

use std::process::ExitCode;

use clap::Parser;

/// Kogge in the pods of a worker.
#[derive(Debug, Parser)]
#[command(name = "kogge-agent", version, about)]
enum Command {
    /// Lets a member's server start, or holds it back while its disk is not the one that the anchor records
    Gate(gate::Arguments),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Command::parse() {
        Command::Gate(arguments) => gate::run(&arguments).await,
    }
}
