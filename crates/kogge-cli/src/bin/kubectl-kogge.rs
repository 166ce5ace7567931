//! `kubectl kogge`, the same as a plugin of kubectl.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    kogge_cli::main("kubectl kogge").await
}
