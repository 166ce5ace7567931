//! The options that flags and files make.

use std::{fs, path::PathBuf};

use clap::Parser as _;

use super::{Cli, ClusterRole, Options};
use crate::{auth::Mechanism, net::TlsMode};

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

#[test]
fn a_router_serves_on_for_fifteen_seconds_unless_it_is_told_otherwise() {
    const MILLIS: &str = "mongosShutdownTimeoutMillisForSignaledShutdown=250";
    let router = ["--configdb", "cfg/h1"];
    assert_eq!(parse(&router).unwrap().router_quiesce.as_secs(), 15);
    let shorter = parse(&[&router[..], &["--setParameter", MILLIS]].concat()).unwrap();
    assert_eq!(shorter.router_quiesce.as_millis(), 250);
    assert!(parse(&["--setParameter", MILLIS]).unwrap_err().contains("unknown parameter"));
}

#[test]
fn mechanisms_are_those_of_the_server() {
    let of = |list: &str| parse(&["--setParameter", &format!("authenticationMechanisms={list}")]);
    assert_eq!(parse(&[]).unwrap().auth_mechanisms, Mechanism::ALL);
    assert_eq!(of("MONGODB-X509,SCRAM-SHA-256").unwrap().auth_mechanisms, [Mechanism::ScramSha256]);
    assert!(of("SCRAM-SHA-512").unwrap_err().contains("SCRAM-SHA-512"));
}
