//! The YAML configuration file: its sections and how it is read.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::Deserialize;

use super::OptionsError;
use crate::net::TlsMode;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ConfigFile {
    pub(super) net: NetSection,
    pub(super) storage: StorageSection,
    pub(super) replication: ReplicationSection,
    pub(super) sharding: ShardingSection,
    pub(super) security: SecuritySection,
    pub(super) system_log: SystemLogSection,
    operation_profiling: Option<serde_json::Value>,
    process_management: Option<serde_json::Value>,
    pub(super) set_parameter: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct NetSection {
    pub(super) port: Option<u16>,
    pub(super) bind_ip: Option<String>,
    pub(super) bind_ip_all: bool,
    ipv6: bool,
    pub(super) tls: TlsSection,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct TlsSection {
    pub(super) mode: Option<TlsMode>,
    pub(super) certificate_key_file: Option<PathBuf>,
    pub(super) cluster_file: Option<PathBuf>,
    #[serde(rename = "CAFile")]
    pub(super) ca_file: Option<PathBuf>,
    pub(super) allow_connections_without_certificates: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct StorageSection {
    pub(super) db_path: Option<PathBuf>,
    engine: Option<String>,
    journal: Option<serde_json::Value>,
    wired_tiger: Option<serde_json::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ReplicationSection {
    #[serde(rename = "replSetName")]
    pub(super) repl_set_name: Option<String>,
    #[serde(rename = "oplogSizeMB")]
    pub(super) oplog_size_mb: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ShardingSection {
    #[serde(rename = "clusterRole")]
    pub(super) cluster_role: Option<String>,
    #[serde(rename = "configDB")]
    pub(super) config_db: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct SecuritySection {
    pub(super) key_file: Option<PathBuf>,
    pub(super) authorization: Option<String>,
    cluster_auth_mode: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct SystemLogSection {
    destination: Option<String>,
    pub(super) path: Option<PathBuf>,
    log_append: Option<bool>,
    quiet: Option<bool>,
    verbosity: Option<i32>,
}

pub(super) fn read_file(path: &PathBuf) -> Result<ConfigFile, OptionsError> {
    let text = fs::read_to_string(path).map_err(|source| OptionsError::Read { path: path.clone(), source })?;
    serde_saphyr::from_str(&text).map_err(|e| OptionsError::Parse { path: path.clone(), reason: e.to_string() })
}
