//! A control cluster and a worker, API servers and controllers only, and the command line to run on them.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kogge_api::crd;
use kogge_lab::{Lab, LabSpec, Mode};
use kube::api::PostParams;
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The charts of the checkout.
pub(crate) const CHARTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts");

const LAB: &str = "cli";

pub(crate) struct Place {
    pub(crate) control: Client,
    pub(crate) worker: Client,
    folder: TempDir,
}

impl Place {
    /// Starts the clusters, and installs the definitions and the namespaces that a user has.
    pub(crate) async fn make() -> Result<Self> {
        let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let spec =
            LabSpec { name: LAB.to_owned(), workers: 1, mode: Mode::ApiAndControllers, control_routes: false };
        let lab = Lab::up(spec).await?;
        let place = Self {
            control: lab.control().client().await?,
            worker: lab.worker("vdc1")?.client().await?,
            folder: TempDir::new()?,
        };
        for cluster in lab.clusters() {
            place.write(cluster.name(), &cluster.kubeconfig())?;
        }
        let definitions: Api<CustomResourceDefinition> = Api::all(place.control.clone());
        for definition in crd::all() {
            let name = definition.name_any();
            definitions.create(&PostParams::default(), &definition).await?;
            let established = await_condition(definitions.clone(), &name, is_crd_established());
            tokio::time::timeout(Duration::from_secs(20), established).await.context("not established")??;
        }
        let namespaces: Api<Namespace> = Api::all(place.control.clone());
        for name in ["kogge-system", "databases"] {
            let namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
            namespaces.create(&PostParams::default(), &namespace).await?;
        }
        Ok(place)
    }

    /// The file of a cluster's administrator.
    pub(crate) fn kubeconfig(&self, cluster: &str) -> String {
        self.path(cluster).to_string_lossy().into_owned()
    }

    /// Keeps a kubeconfig under a name, and returns its path.
    pub(crate) fn write(&self, name: &str, kubeconfig: &str) -> Result<String> {
        std::fs::write(self.path(name), kubeconfig)?;
        Ok(self.kubeconfig(name))
    }

    /// Keeps a manifest, and returns its path.
    pub(crate) fn manifest(&self, manifest: &Value) -> Result<String> {
        let path = self.folder.path().join("manifest.yaml");
        std::fs::write(&path, manifest.to_string())?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// The operator's kubeconfig for the worker, which may make no namespaces.
    pub(crate) async fn operators(&self) -> Result<String> {
        let secrets: Api<Secret> = Api::namespaced(self.control.clone(), "kogge-system");
        let data = secrets.get("worker-vdc1").await?.data.and_then(|mut data| data.remove("kubeconfig"));
        self.write("operator", std::str::from_utf8(&data.context("the Secret has no kubeconfig")?.0)?)
    }

    /// Joins a worker, and returns what was said.
    pub(crate) fn join(&self, cluster: &str, arguments: &[&str]) -> Result<String> {
        let (control, worker) = (self.kubeconfig("control"), self.kubeconfig(cluster));
        kogge(&[arguments, &["--chart-dir", CHARTS, "--kubeconfig", &control, "--worker-kubeconfig", &worker]])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.kubeconfig"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = Lab::end(LAB) {
            eprintln!("the lab {LAB} may be left behind: {error}");
        }
    }
}

fn run(arguments: &[&[&str]]) -> Result<Output> {
    Ok(Command::new(env!("CARGO_BIN_EXE_kogge")).args(arguments.concat()).output()?)
}

/// Runs `kogge`, which must succeed, and returns what it printed.
pub(crate) fn kogge(arguments: &[&[&str]]) -> Result<String> {
    kogge_ends(0, arguments)
}

/// Runs `kogge`, which must end with that exit code, and returns what it printed.
pub(crate) fn kogge_ends(code: i32, arguments: &[&[&str]]) -> Result<String> {
    let Output { status, stdout, stderr } = run(arguments)?;
    if status.code() != Some(code) {
        let said = [stdout, stderr].concat();
        bail!("kogge {}: {status}: {}", arguments.concat().join(" "), String::from_utf8_lossy(&said));
    }
    Ok(String::from_utf8(stdout)?)
}

/// Runs `kogge`, which must fail, and returns what it said.
pub(crate) fn kogge_fails(arguments: &[&[&str]]) -> Result<String> {
    let output = run(arguments)?;
    if output.status.success() {
        bail!("kogge {} succeeds, but must not", arguments.concat().join(" "));
    }
    Ok(String::from_utf8(output.stderr)?)
}
