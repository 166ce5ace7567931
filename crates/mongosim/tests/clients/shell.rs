//! Sessions with the shell: lines are typed, and what is printed after each is looked at.

use std::{fmt::Write as _, process::Stdio, time::Duration};

use anyhow::{Context as _, bail};
use regex::Regex;
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

/// A whole session takes some seconds, most of them for the shell's own start.
const LIMIT: Duration = Duration::from_mins(1);
/// What keeps the shell from writing to its maker.
const CONFIG: &str =
    r#"{"userId":"0123456789abcdef01234567","enableTelemetry":false,"disableGreetingMessage":true}"#;

/// A line that is typed, and what must be among what is printed after it. `!` before a text says that it must not.
pub(crate) type Exchange<'a> = (&'a str, &'a [&'a str]);

/// Types the lines of a session, as a user would, and looks at what the shell prints after each.
pub(crate) async fn session(uri: &str, exchanges: &[Exchange<'_>]) -> anyhow::Result<()> {
    let printed = type_in(uri, exchanges.iter().map(|(line, _)| *line)).await?;
    let answers = answers(&printed)?;
    let mut wrong = String::new();
    for (i, (line, expected)) in exchanges.iter().enumerate() {
        let answer = answers.get(i).map_or("(the session had ended)", String::as_str);
        for text in *expected {
            let fits = match text.strip_prefix('!') {
                Some(absent) => !answer.contains(absent),
                None => answer.contains(text),
            };
            if !fits {
                writeln!(wrong, "> {line}\nexpected: {text}\nprinted:  {answer}\n")?;
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { bail!("{wrong}") }
}

async fn type_in(uri: &str, lines: impl Iterator<Item = &str>) -> anyhow::Result<String> {
    let clients = super::clients()?;
    let home = TempDir::new()?;
    std::fs::create_dir_all(home.path().join(".mongodb/mongosh"))?;
    std::fs::write(home.path().join(".mongodb/mongosh/config"), CONFIG)?;
    let mut shell = Command::new(clients.node())
        .arg(clients.mongosh())
        .args(["--norc", uri])
        .env("HOME", home.path())
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the shell")?;
    let mut stdin = shell.stdin.take().context("the shell has no input")?;
    for line in lines {
        stdin.write_all(format!("{line}\n").as_bytes()).await?;
    }
    drop(stdin);
    let output = timeout(LIMIT, shell.wait_with_output()).await.context("the session did not end in time")??;
    Ok(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

/// What is printed between one prompt and the next, on one line.
fn answers(printed: &str) -> anyhow::Result<Vec<String>> {
    let prompt = Regex::new(r"(?m)^(?:(?:\S+ )?\[[a-z: ]+\] )?[\w-]+> ")?;
    Ok(prompt
        .split(printed)
        .skip(1)
        .map(|answer| answer.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect())
}
