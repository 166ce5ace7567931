//! Server processes.

use std::env;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use kogge_api::gate::Disk;
use mongosim::testing::{SHORT_TIMES, free_port};

/// A server with its flags and its data: it can be killed and started again. Ended on drop.
pub(crate) struct Server {
    binary: PathBuf,
    flags: Vec<String>,
    log: PathBuf,
    address: SocketAddr,
    child: Option<Child>,
    data: Option<PathBuf>,
    started_on: Disk,
}

impl Server {
    /// A member of a replica set, in a folder of its own below `dir`.
    pub(crate) fn member(dir: &Path, name: &str, set: &str, role: &str, parameters: &[String]) -> Result<Self> {
        let data = dir.join(name);
        fs::create_dir_all(&data)?;
        let mut flags = ["--replSet", set, role, "--dbpath", &data.to_string_lossy()].map(str::to_owned).to_vec();
        let short = SHORT_TIMES.iter().filter(|_| env::var_os("MONGOD").is_none()).map(|time| (*time).to_owned());
        let parameters = short.chain(parameters.iter().cloned());
        flags.extend(parameters.flat_map(|parameter| ["--setParameter".to_owned(), parameter]));
        Self::new(binary("MONGOD")?, dir, name, flags, Some(data))
    }

    /// A router over the config servers.
    pub(crate) fn router(dir: &Path, name: &str, config_db: &str) -> Result<Self> {
        Self::new(binary("MONGOS")?, dir, name, vec!["--configdb".to_owned(), config_db.to_owned()], None)
    }

    fn new(
        binary: PathBuf,
        dir: &Path,
        name: &str,
        mut flags: Vec<String>,
        data: Option<PathBuf>,
    ) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let key = dir.join("keyfile");
        if !key.exists() {
            fs::write(&key, "a2V5IG9mIGEgdGVzdCBjbHVzdGVyIG9mIGtvZ2dl\n")?;
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        }
        flags.extend(["--bind_ip".to_owned(), address.ip().to_string()]);
        flags.extend(["--port".to_owned(), address.port().to_string()]);
        flags.extend(["--keyFile".to_owned(), key.to_string_lossy().into_owned()]);
        let log = dir.join(format!("{name}.log"));
        let mut server = Self { binary, flags, log, address, child: None, data, started_on: Disk::Data };
        server.start()?;
        Ok(server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// What the gate would have seen on its disk when it was started last.
    pub(crate) fn started_on(&self) -> Disk {
        self.started_on
    }

    pub(crate) fn start(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "started twice");
        if let Some(data) = &self.data {
            self.started_on = if fs::read_dir(data)?.next().is_some() { Disk::Data } else { Disk::Empty };
        }
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.binary);
        command.args(&self.flags).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn().with_context(|| format!("{}", self.binary.display()))?);
        Ok(())
    }

    /// kill -9, and wait until it is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("{}: {error}", self.address);
        }
    }
}

/// The server that `variable` names, else mongosim as this workspace builds it.
fn binary(variable: &str) -> Result<PathBuf> {
    static MONGOSIM: OnceLock<Option<PathBuf>> = OnceLock::new();
    if let Some(path) = env::var_os(variable) {
        return Ok(PathBuf::from(path));
    }
    let built = MONGOSIM.get_or_init(|| build_mongosim().map_err(|error| eprintln!("{error:#}")).ok());
    built.clone().context("mongosim does not build")
}

fn build_mongosim() -> Result<PathBuf> {
    // The whole workspace, as `cargo xtask test` builds it: one package alone would be other features, and
    // everything built once more.
    let status =
        Command::new(env!("CARGO")).args(["build", "--quiet", "--workspace", "--all-targets"]).status()?;
    ensure!(status.success(), "cargo build failed");
    let test = env::current_exe()?;
    let profile = test.ancestors().nth(2).context("the test runs outside a target folder")?;
    Ok(profile.join("mongosim"))
}
