//! End to end: the operator on the lab's real clusters.
//!
//! One lab serves the whole run ([`Suite`]); the operator is a process of its own, so that it can be killed
//! ([`OperatorProcess`]); what is asked of a database goes through the API server, as a user's wishes do
//! ([`Database`]); what Kogge did is read from the workers and from the audit logs.

pub mod audit;
mod client;
mod database;
mod elections;
mod etcd_clients;
mod etcdctl;
mod harness;
mod holdings;
mod kind;
mod kubectl;
mod limit;
mod metrics;
mod operator_process;
mod probe;
mod suite;
mod workers;

pub use client::{HistoryClient, Service, Verdict};
pub use database::{Database, condition, is, ready, voters};
pub use elections::{ELECTION, Elections};
pub use etcd_clients::{EtcdClients, History};
pub use etcdctl::Etcdctl;
pub use harness::{DATABASES, Harness, SCRATCH, VDCS};
pub use holdings::Holdings;
pub use kind::Kind;
pub use metrics::Configs;
pub use operator_process::{OperatorLog, OperatorProcess};
pub use suite::{Case, Suite};
pub use workers::worker_name;
