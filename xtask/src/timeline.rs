//! Steps with their times, so that a reader sees where the time goes and what is being waited for.

use std::fmt;
use std::time::{Duration, Instant};

/// The steps so far.
pub(crate) struct Timeline {
    start: Instant,
    done: Vec<(String, Duration)>,
}

impl Timeline {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), done: Vec::new() }
    }

    /// Runs a step: its name before, its time after.
    pub(crate) async fn step<T>(
        &mut self,
        name: impl Into<String>,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let name = name.into();
        let begun = Instant::now();
        println!("\n[{}] {name}", Seconds(self.start.elapsed()));
        let result = work.await;
        let took = begun.elapsed();
        match &result {
            Ok(_) => println!("[{}] done: {name}, {}", Seconds(self.start.elapsed()), Seconds(took)),
            Err(_) => println!("[{}] FAILED: {name}, {}", Seconds(self.start.elapsed()), Seconds(took)),
        }
        self.done.push((name, took));
        result
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, took) in &self.done {
            writeln!(f, "{:>9}  {name}", Seconds(*took).to_string())?;
        }
        write!(f, "{:>9}  in all", Seconds(self.start.elapsed()).to_string())
    }
}

/// A time as minutes and seconds.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f32();
        if seconds < 60.0 {
            write!(f, "{seconds:.1} s")
        } else {
            write!(f, "{}:{:04.1} min", self.0.as_secs() / 60, seconds % 60.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_say_them() {
        assert_eq!(Seconds(Duration::from_millis(900)).to_string(), "0.9 s");
        assert_eq!(Seconds(Duration::from_secs(125)).to_string(), "2:05.0 min");
    }
}
