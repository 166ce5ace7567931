//! Command-line flags and the YAML configuration file, as mongod and mongos take them.

mod file;
mod sharding;
#[cfg(test)]
mod tests;
mod tls;
mod version;

use std::{collections::BTreeSet, net::IpAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{auth::Mechanism, failpoints::FailPoint, net::TlsOptions};
use file::{ConfigFile, read_file};
pub use sharding::ShardingParameters;
pub use tls::TlsArgs;
pub use version::ServerVersion;

/// Plays mongod and, with `--configdb`, mongos.
#[derive(Debug, Parser)]
#[command(name = "mongosim", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// A probe instead of a server.
    #[command(subcommand)]
    pub probe: Option<Probe>,
    /// The server's flags.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Probes for containers whose image holds only this binary.
#[derive(Debug, Clone, Subcommand)]
pub enum Probe {
    /// Succeeds when the server answers hello.
    Ping(ProbeArgs),
    /// Succeeds when the server is a primary, a secondary, or a mongos that serves.
    Ready(ProbeArgs),
}

/// Where a probe connects.
#[derive(Debug, Clone, Args)]
pub struct ProbeArgs {
    /// Host to connect to.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,
    /// Port to connect to.
    #[arg(long, default_value_t = 27017)]
    pub port: u16,
    /// Deadline in seconds.
    #[arg(long, default_value_t = 5)]
    pub timeout: u64,
}

/// Flags of mongod and mongos.
#[derive(Debug, Clone, Default, Args)]
pub struct ServerArgs {
    /// Replica set name.
    #[arg(long = "replSet")]
    pub repl_set: Option<String>,
    /// Member of a shard.
    #[arg(long)]
    pub shardsvr: bool,
    /// Member of the config servers.
    #[arg(long)]
    pub configsvr: bool,
    /// `set/host:port,…` of the config servers: plays mongos.
    #[arg(long)]
    pub configdb: Option<String>,
    /// Comma-separated addresses to listen on.
    #[arg(long = "bind_ip")]
    pub bind_ip: Option<String>,
    /// Listen on every address.
    #[arg(long = "bind_ip_all")]
    pub bind_ip_all: bool,
    /// Listen on IPv6 as well.
    #[arg(long)]
    pub ipv6: bool,
    /// Port; 27017, with --shardsvr 27018, with --configsvr 27019.
    #[arg(long)]
    pub port: Option<u16>,
    /// Data directory.
    #[arg(long)]
    pub dbpath: Option<PathBuf>,
    /// Shared key of the cluster; turns authentication on.
    #[arg(long = "keyFile")]
    pub key_file: Option<PathBuf>,
    /// Turns client authentication on.
    #[arg(long)]
    pub auth: bool,
    /// TLS between members and for clients.
    #[command(flatten)]
    pub tls: TlsArgs,
    /// Log file; standard output without it.
    #[arg(long)]
    pub logpath: Option<PathBuf>,
    /// Append to the log file.
    #[arg(long)]
    pub logappend: bool,
    /// YAML configuration file.
    #[arg(long, short = 'f')]
    pub config: Option<PathBuf>,
    /// `name=value`; may be given several times. Beside mongod's own parameters: `configLoadMillis`, how long a
    /// member with a configuration on disk answers 94 after its start (1000 without it), and `serverVersion`, the
    /// server that is played: 4.4, 5.0, 6.0, 7.0 (without it) or 8.0.
    #[arg(long = "setParameter")]
    pub set_parameter: Vec<String>,
    /// Size of the storage cache; accepted for compatibility.
    #[arg(long = "wiredTigerCacheSizeGB")]
    pub cache_size_gb: Option<f64>,
    /// Size of the oplog in MiB; 990 without it.
    #[arg(long = "oplogSize")]
    pub oplog_size: Option<u64>,
}

/// Why the options cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// The configuration file cannot be read.
    #[error("cannot read configuration file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The configuration file is not valid.
    #[error("configuration file {path}: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line and field.
        reason: String,
    },
    /// A flag or key has a value that it cannot have.
    #[error("{name}: {reason}")]
    Invalid {
        /// The flag.
        name: &'static str,
        /// What is wrong and how to mend it.
        reason: String,
    },
}

/// What a mongod is in a sharded cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterRole {
    /// Not part of one.
    None,
    /// `--shardsvr`.
    Shard,
    /// `--configsvr`.
    Config,
}

/// Flags and file merged and checked; flags win.
#[derive(Debug, Clone)]
pub struct Options {
    /// Replica set name.
    pub repl_set: Option<String>,
    /// Role in a sharded cluster.
    pub role: ClusterRole,
    /// Config set name and hosts: this is a mongos.
    pub config_db: Option<(String, Vec<String>)>,
    /// Addresses to listen on.
    pub bind: Vec<IpAddr>,
    /// Port to listen on; 0 takes any.
    pub port: u16,
    /// Data directory.
    pub dbpath: PathBuf,
    /// Keyfile; authentication is on when set.
    pub key_file: Option<PathBuf>,
    /// Client authentication.
    pub auth: bool,
    /// TLS, unless it is disabled.
    pub tls: Option<TlsOptions>,
    /// Log file.
    pub logpath: Option<PathBuf>,
    /// Most bytes of the oplog.
    pub oplog_bytes: u64,
    /// How a password may be proven (`authenticationMechanisms`).
    pub auth_mechanisms: Vec<Mechanism>,
    /// How long a router serves on after the signal to end (`mongosShutdownTimeoutMillisForSignaledShutdown`).
    pub router_quiesce: Duration,
    /// Parameters of sharded clusters.
    pub sharding: ShardingParameters,
    /// The localhost exception (`enableLocalhostAuthBypass`).
    pub localhost_bypass: bool,
    /// Whether commands for tests are known (`enableTestCommands`).
    pub test_commands: bool,
    /// Fail points that hold from the start.
    pub fail_points: BTreeSet<FailPoint>,
    /// How long a member takes to load the configuration on its disk (`configLoadMillis`).
    pub config_load: Duration,
    /// How long a signalled end may take (`shutdownTimeoutMillisForSignaledShutdown`).
    pub shutdown_timeout: Duration,
    /// The server that is played (`serverVersion`).
    pub version: ServerVersion,
}

impl Options {
    /// Merges flags with the configuration file, if one is named.
    pub fn resolve(args: ServerArgs) -> Result<Self, OptionsError> {
        let file = match &args.config {
            Some(path) => read_file(path)?,
            None => ConfigFile::default(),
        };
        let role = role(&args, &file)?;
        let config_db =
            args.configdb.clone().or(file.sharding.config_db).map(|text| parse_config_db(&text)).transpose()?;
        if config_db.is_some() && role != ClusterRole::None {
            return Err(invalid("--configdb", "cannot be used with --shardsvr or --configsvr"));
        }
        let default_port = match role {
            ClusterRole::None => 27017,
            ClusterRole::Shard => 27018,
            ClusterRole::Config => 27019,
        };
        let bind = if args.bind_ip_all || file.net.bind_ip_all {
            vec![IpAddr::from([0, 0, 0, 0])]
        } else {
            parse_bind(args.bind_ip.as_deref().or(file.net.bind_ip.as_deref()).unwrap_or("127.0.0.1"))?
        };
        let tls = TlsOptions::resolve(args.tls, file.net.tls)?;
        let key_file = args.key_file.or(file.security.key_file);
        let auth = args.auth || key_file.is_some() || file.security.authorization.as_deref() == Some("enabled");
        let mut auth_mechanisms = Mechanism::ALL.to_vec();
        let mut router_quiesce = SHUTDOWN_TIMEOUT;
        let mut sharding = ShardingParameters::default();
        let mut localhost_bypass = true;
        let mut test_commands = false;
        let mut fail_points = BTreeSet::new();
        let mut config_load = CONFIG_LOAD;
        let mut shutdown_timeout = SHUTDOWN_TIMEOUT;
        let mut version = ServerVersion::default();
        let from_file = file.set_parameter.iter().map(|(k, v)| (k.clone(), v.to_string().replace('"', "")));
        let from_args = args
            .set_parameter
            .iter()
            .map(|p| p.split_once('=').map_or((p.clone(), String::new()), |(k, v)| (k.to_owned(), v.to_owned())));
        for (name, value) in from_file.chain(from_args) {
            match name.as_str() {
                "enableLocalhostAuthBypass" => localhost_bypass = !matches!(value.as_str(), "0" | "false"),
                "enableTestCommands" => test_commands = !matches!(value.as_str(), "0" | "false"),
                "authenticationMechanisms" => auth_mechanisms = mechanisms(&value)?,
                "mongosShutdownTimeoutMillisForSignaledShutdown" if config_db.is_some() => {
                    router_quiesce = millis(&name, &value)?;
                }
                "logLevel"
                | "diagnosticDataCollectionEnabled"
                | "ShardingTaskExecutorPoolMinSize"
                | "ShardingTaskExecutorPoolMaxSize" => {}
                "shutdownTimeoutMillisForSignaledShutdown" => shutdown_timeout = millis(&name, &value)?,
                "serverVersion" => {
                    version = value.parse().map_err(|e: String| invalid("--setParameter", &e))?;
                }
                "configLoadMillis" => config_load = millis(&name, &value)?,
                other if sharding.set(other, &value)? => {}
                other if other.starts_with("failpoint.") => {
                    fail_points.extend(fail_point(other, &value)?);
                }
                other => {
                    return Err(invalid("--setParameter", &format!("unknown parameter {other}")));
                }
            }
        }
        Ok(Self {
            repl_set: args.repl_set.or(file.replication.repl_set_name),
            role,
            config_db,
            bind,
            port: args.port.or(file.net.port).unwrap_or(default_port),
            dbpath: args.dbpath.or(file.storage.db_path).unwrap_or_else(|| PathBuf::from("/data/db")),
            key_file,
            auth,
            tls,
            logpath: args.logpath.or(file.system_log.path),
            oplog_bytes: oplog_bytes(args.oplog_size.or(file.replication.oplog_size_mb))?,
            auth_mechanisms,
            router_quiesce,
            sharding,
            localhost_bypass,
            test_commands,
            fail_points,
            config_load,
            shutdown_timeout,
            version,
        })
    }
}

/// What mongod was seen to take, with all its data: it asks every host of its configuration whether it is this process.
const CONFIG_LOAD: Duration = Duration::from_secs(1);

/// The default of mongod and mongos.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(15);

fn millis(name: &str, value: &str) -> Result<Duration, OptionsError> {
    let wrong = |_| invalid("--setParameter", &format!("{name} must be a number of milliseconds, not {value:?}"));
    value.parse().map(Duration::from_millis).map_err(wrong)
}

/// The mechanisms that are known here, of a list that may name the server's others as well.
fn mechanisms(list: &str) -> Result<Vec<Mechanism>, OptionsError> {
    let names = list.split(',').map(str::trim);
    if let Some(unknown) = names.clone().find(|n| Mechanism::named(n).is_none() && *n != "MONGODB-X509") {
        return Err(invalid("authenticationMechanisms", &format!("{unknown} is no mechanism of the server")));
    }
    Ok(names.filter_map(Mechanism::named).collect())
}

/// `failpoint.<name>={"mode": "alwaysOn"}`.
fn fail_point(name: &str, value: &str) -> Result<Option<FailPoint>, OptionsError> {
    let unknown = || invalid("--setParameter", &format!("unknown fail point in {name}"));
    let point = name.strip_prefix("failpoint.").and_then(FailPoint::named).ok_or_else(unknown)?;
    Ok(value.contains("alwaysOn").then_some(point))
}

/// The server's own least for a size that it chooses by itself.
const DEFAULT_OPLOG_MIB: u64 = 990;

fn oplog_bytes(mib: Option<u64>) -> Result<u64, OptionsError> {
    match mib.unwrap_or(DEFAULT_OPLOG_MIB) {
        mib @ 1..=0xfff_ffff => Ok(mib * 1024 * 1024),
        _ => Err(invalid("--oplogSize", "must be a number of MiB of at least 1")),
    }
}

fn invalid(name: &'static str, reason: &str) -> OptionsError {
    OptionsError::Invalid { name, reason: reason.to_owned() }
}

fn role(args: &ServerArgs, file: &ConfigFile) -> Result<ClusterRole, OptionsError> {
    let named = match file.sharding.cluster_role.as_deref() {
        None => ClusterRole::None,
        Some("shardsvr") => ClusterRole::Shard,
        Some("configsvr") => ClusterRole::Config,
        Some(other) => {
            return Err(invalid("sharding.clusterRole", &format!("{other} is neither shardsvr nor configsvr")));
        }
    };
    match (args.shardsvr, args.configsvr) {
        (true, true) => Err(invalid("--shardsvr", "cannot be used with --configsvr")),
        (true, false) => Ok(ClusterRole::Shard),
        (false, true) => Ok(ClusterRole::Config),
        (false, false) => Ok(named),
    }
}

fn parse_config_db(text: &str) -> Result<(String, Vec<String>), OptionsError> {
    let wrong = || invalid("--configdb", "must be <set name>/<host:port>[,<host:port>…]");
    let (set, hosts) = text.split_once('/').ok_or_else(wrong)?;
    let hosts: Vec<String> =
        hosts.split(',').map(str::trim).filter(|h| !h.is_empty()).map(crate::net::with_default_port).collect();
    if set.is_empty() || hosts.is_empty() {
        return Err(wrong());
    }
    Ok((set.to_owned(), hosts))
}

fn parse_bind(text: &str) -> Result<Vec<IpAddr>, OptionsError> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| match part {
            "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
            "*" => Ok(IpAddr::from([0, 0, 0, 0])),
            other => other.parse().map_err(|_| {
                invalid("--bind_ip", &format!("{other} is not an address; use addresses, localhost or *"))
            }),
        })
        .collect()
}
