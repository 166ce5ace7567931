//! The options that flags and files make.

use std::{fs, path::PathBuf};

use clap::Parser as _;

use super::{Cli, ClusterRole, Options};
use crate::net::TlsMode;

fn parse(args: &[&str]) -> Result<Options, String> {
    let cli =
        Cli::try_parse_from(std::iter::once("mongosim").chain(args.iter().copied())).map_err(|e| e.to_string())?;
    Options::resolve(cli.server).map_err(|e| e.to_string())
}

#[test]
fn flags_of_a_shard_member() {
    let options = parse(&["--replSet", "rs0", "--shardsvr", "--bind_ip_all", "--dbpath", "/d"]).unwrap();
    assert_eq!(options.repl_set.as_deref(), Some("rs0"));
    assert_eq!((options.role, options.port), (ClusterRole::Shard, 27018));
    assert!(!options.auth);
}

#[test]
fn tls_needs_a_certificate_and_a_chain_of_trust() {
    assert!(parse(&[]).unwrap().tls.is_none());
    assert!(parse(&["--tlsMode", "disabled"]).unwrap().tls.is_none());
    assert!(parse(&["--tlsMode", "sometimes"]).is_err());
    let files = ["--tlsCertificateKeyFile", "/c", "--tlsCAFile", "/a"];
    assert!(parse(&files).unwrap_err().contains("--tlsMode"));
    let on = ["--tlsMode", "requireTLS"];
    assert!(parse(&[&on[..], &files[..2]].concat()).unwrap_err().contains("--tlsCAFile"));
    assert!(parse(&[&on[..], &files[2..]].concat()).unwrap_err().contains("--tlsCertificateKeyFile"));
    let tls = parse(&[&on[..], &files].concat()).unwrap().tls.unwrap();
    assert_eq!((tls.mode, tls.cluster_file), (TlsMode::Require, PathBuf::from("/c")));
}

#[test]
fn unknown_flags_are_refused() {
    assert!(parse(&["--replicaSet", "rs0"]).is_err());
    assert!(parse(&["--setParameter", "noSuch=1"]).unwrap_err().contains("noSuch"));
    assert!(parse(&["--configdb", "h1,h2"]).unwrap_err().contains("--configdb"));
}

#[test]
fn the_file_gives_what_flags_leave_out() {
    let file = std::env::temp_dir().join(format!("mongosim-options-{}.yaml", std::process::id()));
    fs::write(&file, "net: {port: 4000, bindIp: 0.0.0.0}\nreplication: {replSetName: rs1}\nsharding: {clusterRole: configsvr}\n").unwrap();
    let options = parse(&["--config", file.to_str().unwrap(), "--port", "5000"]).unwrap();
    assert_eq!((options.port, options.role), (5000, ClusterRole::Config));
    assert_eq!(options.repl_set.as_deref(), Some("rs1"));
    fs::write(&file, "net: {prt: 4000}\n").unwrap();
    assert!(parse(&["--config", file.to_str().unwrap()]).unwrap_err().contains("prt"));
    fs::remove_file(&file).unwrap();
}

#[test]
fn times_are_mongods_own_unless_a_parameter_says_otherwise() {
    let times = |args: &[&str]| parse(args).map(|o| (o.config_load.as_millis(), o.shutdown_timeout.as_millis()));
    assert_eq!(times(&[]), Ok((1000, 15_000)));
    let both =
        ["--setParameter", "configLoadMillis=5", "--setParameter", "shutdownTimeoutMillisForSignaledShutdown=7"];
    assert_eq!(times(&both), Ok((5, 7)));
    assert!(times(&["--setParameter", "configLoadMillis=soon"]).unwrap_err().contains("configLoadMillis"));
    let file = std::env::temp_dir().join(format!("mongosim-times-{}.yaml", std::process::id()));
    fs::write(&file, "setParameter: {shutdownTimeoutMillisForSignaledShutdown: 9}\n").unwrap();
    assert_eq!(times(&["--config", file.to_str().unwrap()]), Ok((1000, 9)));
    fs::remove_file(&file).unwrap();
}
