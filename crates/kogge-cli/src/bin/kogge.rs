//! `kogge`, the command line.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    kogge_cli::main("kogge").await
}
