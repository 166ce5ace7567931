//! Real Kubernetes clusters on one machine, with faults, for tests and the demo.
//!
//! Every cluster has an etcd, API server, controller manager, scheduler, kubelet with containerd, kube-proxy and
//! CoreDNS of its own, in namespaces of its own. [`Lab::up`] makes them, [`Lab::faults`] breaks them,
//! [`Lab::down`] ends exactly what was started.

pub mod address_plan;
pub mod audit;
mod bootstrap;
pub mod cli;
mod cluster;
mod collect;
mod command;
mod components;
mod context;
mod digest;
mod env;
mod error;
mod etcd;
mod faults;
mod go_module;
pub mod images;
mod kubeconfig;
mod kubeparts;
mod lab;
mod network;
mod node;
mod pki;
mod process;
pub mod products;
mod record;
mod runtime;
pub mod setup;
mod spec;
mod start_time;
mod status;
mod sweep;
pub mod wait;

pub use cluster::Cluster;
pub use components::Component;
pub use env::ShellEnvironment;
pub use error::{LabError, Result};
pub use etcd::{Etcd, EtcdPrograms};
pub use faults::{Fault, Faults};
pub use images::ImageSpec;
pub use kubeparts::Binaries;
pub use lab::Lab;
pub use record::base_folder;
pub use spec::{CONTROL, LabName, LabSpec, Mode};
pub use start_time::start_time;
pub use status::{ClusterStatus, ComponentState, ComponentStatus, Status};
