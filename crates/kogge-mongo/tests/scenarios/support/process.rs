//! A real mongod or mongos as a process.

use std::env;
use std::fmt;
use std::fs::{self, File};
use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;

use anyhow::{Context, Result};
use mongosim::options::ServerArgs;

/// The mongod that the scenarios run against instead of mongosim.
pub(crate) fn mongod() -> Option<PathBuf> {
    env::var_os("MONGOD").map(PathBuf::from)
}

fn mongos(mongod: &Path) -> PathBuf {
    env::var_os("MONGOS").map_or_else(|| mongod.with_file_name("mongos"), PathBuf::from)
}

/// Says that a scenario was not run, and why. Returns whether that is so.
pub(crate) fn not_on_a_real_mongod(scenario: &str, why: &str) -> bool {
    let real = mongod().is_some();
    if real {
        print(format_args!("{scenario} was not run against $MONGOD: {why}"));
    }
    real
}

/// Says once what the scenarios run on.
pub(crate) fn tell_what_runs() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| match mongod() {
        Some(mongod) => print(format_args!("the scenarios run on {}", mongod.display())),
        None => print(format_args!(
            "the scenarios run on mongosim; none was run on a real mongod, because $MONGOD is not set"
        )),
    });
}

/// Prints a line also where the test passes: the harness captures what the macros print, and not this.
fn print(line: fmt::Arguments<'_>) {
    let mut stderr = stderr().lock();
    writeln!(stderr, "{line}").unwrap();
}

/// A running server process.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Starts what `args` say; its output goes to a file beside its data.
    pub(crate) fn start(mongod: &Path, args: &ServerArgs, log: &Path) -> Result<Self> {
        let binary = if args.configdb.is_some() { mongos(mongod) } else { mongod.to_owned() };
        if let Some(dbpath) = &args.dbpath {
            fs::create_dir_all(dbpath)?;
        }
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new(&binary);
        command.args(flags(args)).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Self(command.spawn().with_context(|| binary.display().to_string())?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("a server was not ended: {error}");
        }
    }
}

fn flags(args: &ServerArgs) -> Vec<String> {
    let path = |path: &PathBuf| path.to_string_lossy().into_owned();
    let values = [
        ("--replSet", args.repl_set.clone()),
        ("--configdb", args.configdb.clone()),
        ("--dbpath", args.dbpath.as_ref().map(path)),
        ("--keyFile", args.key_file.as_ref().map(path)),
        ("--port", args.port.map(|port| port.to_string())),
        ("--bind_ip", (!args.bind_ip_all).then(|| "127.0.0.1".to_owned())),
    ];
    let switches =
        [("--configsvr", args.configsvr), ("--shardsvr", args.shardsvr), ("--bind_ip_all", args.bind_ip_all)];
    let values = values.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
    let switches = switches.into_iter().filter(|(_, on)| *on).map(|(flag, _)| flag.to_owned());
    let parameters = args.set_parameter.iter().map(|given| ["--setParameter".to_owned(), given.clone()]);
    values.flatten().chain(switches).chain(parameters.flatten()).collect()
}
