//! Cores that are busy: tests share them with threads that never rest.

use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, ensure};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The calling thread, for the kernel.
const SELF: Pid = Pid::from_raw(0);

/// One thread for each core, at normal priority. They end with this, and with the process.
pub(crate) struct Load {
    cores: Vec<usize>,
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Keeps so many of the cores busy that this process may use, or all of them if they are fewer.
    pub(crate) fn start(count: usize) -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(SELF).context("cannot tell which cores there are")?;
        let allowed = (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false));
        let cores: Vec<usize> = allowed.take(count).collect();
        ensure!(!cores.is_empty(), "at least one core is needed");
        let ends = Arc::new(AtomicBool::new(false));
        let mut load = Self { cores, ends, threads: Vec::new() };
        for core in load.cores.clone() {
            let ends = load.ends.clone();
            load.threads
                .push(thread::Builder::new().name(format!("load-{core}")).spawn(move || burn(core, &ends))?);
        }
        Ok(load)
    }

    /// The cores, as `taskset` takes them.
    pub(crate) fn cores(&self) -> String {
        self.cores.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It has no way to panic, and nothing could be done about it.
            drop(thread.join());
        }
    }
}

fn burn(core: usize, ends: &AtomicBool) {
    let mut only = CpuSet::new();
    if let Err(error) = only.set(core).and_then(|()| sched_setaffinity(SELF, &only)) {
        eprintln!("the load is not bound to core {core}: {error}");
    }
    let mut sum = 0_u64;
    while !ends.load(Ordering::Relaxed) {
        for n in 0..100_000_u64 {
            sum = hint::black_box(sum.wrapping_mul(31).wrapping_add(n));
        }
    }
}
