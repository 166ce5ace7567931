//! The folder of a history, and how its clients are asked to end.
//!
//! Each process of clients writes a file of its own. A file `end` asks the clients to end, a file `ended` says that
//! nothing more will be written: only then are the files the whole history.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::sleep;

/// How often it is looked for a file.
const INTERVAL: Duration = Duration::from_millis(100);

/// The folder.
pub(super) struct Record<'a>(pub(super) &'a Path);

impl Record<'_> {
    /// A new file for the clients of one process.
    pub(super) fn create(&self, name: &str) -> anyhow::Result<File> {
        let path = self.0.join(format!("{name}.jsonl"));
        File::create_new(&path).with_context(|| format!("cannot make {}", path.display()))
    }

    /// Waits until somebody asks for the end.
    pub(super) async fn until_end_is_asked(&self) {
        while !self.end().exists() {
            sleep(INTERVAL).await;
        }
    }

    /// Says that the clients have ended.
    pub(super) fn say_ended(&self) -> anyhow::Result<()> {
        touch(&self.ended())
    }

    /// Asks the clients to end, and waits until they have.
    pub(super) async fn end_clients(&self, deadline: Duration) -> anyhow::Result<()> {
        touch(&self.end())?;
        let ended = async {
            while !self.ended().exists() {
                sleep(INTERVAL).await;
            }
        };
        let within = tokio::time::timeout(deadline, ended).await;
        ensure!(within.is_ok(), "the clients have not ended within {} s", deadline.as_secs());
        Ok(())
    }

    /// The whole history.
    pub(super) fn read(&self) -> anyhow::Result<String> {
        let reading = || format!("cannot read {}", self.0.display());
        let mut text = String::new();
        for entry in fs::read_dir(self.0).with_context(reading)? {
            let path = entry.with_context(reading)?.path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                let file = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                // A process that was killed may leave half a line.
                text += &file[..file.rfind('\n').map_or(0, |end| end + 1)];
            }
        }
        Ok(text)
    }

    fn end(&self) -> PathBuf {
        self.0.join("end")
    }

    fn ended(&self) -> PathBuf {
        self.0.join("ended")
    }
}

fn touch(path: &Path) -> anyhow::Result<()> {
    File::create(path).map(drop).with_context(|| format!("cannot make {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn the_history_is_whole_once_its_clients_have_ended() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let record = Record(folder.path());
        record.create("a")?.write_all(b"1\n")?;
        record.create("b")?.write_all(b"2\n3")?;
        assert!(record.create("a").is_err(), "a file is written once");
        let clients = async {
            record.until_end_is_asked().await;
            record.say_ended()
        };
        let (asked, ended) = tokio::join!(record.end_clients(Duration::from_mins(1)), clients);
        asked.and(ended)?;
        let text = record.read()?;
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["1", "2"]);
        Ok(())
    }
}
