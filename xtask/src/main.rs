//! Development tasks: `cargo xtask <task>`.

mod generate;
mod workspace;

use clap::Parser;

/// Development tasks of Kogge.
#[derive(Parser)]
#[command(name = "cargo xtask", disable_version_flag = true)]
enum Task {
    /// Writes what is generated from the types: config/crd, config/rbac, docs/reference
    Gen {
        /// Writes nothing; fails where a file differs from what would be written
        #[arg(long)]
        check: bool,
    },
}

fn main() -> anyhow::Result<()> {
    match Task::parse() {
        Task::Gen { check: false } => generate::write(),
        Task::Gen { check: true } => generate::check(),
    }
}
