//! The operator: the binary itself, on the network of the control cluster's node, with the rights that
//! `config/rbac` gives it. It is a process here, and no pod, so that it can be killed at any moment.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kogge_api::SYSTEM_NAMESPACE;
use kogge_lab::Cluster;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::harness::root;

/// Its ServiceAccount, and its name in the Lease: as a container that is restarted in its pod, it keeps it.
const IDENTITY: &str = "kogge";
/// What it logs: when a step begins as well, so that it can be killed within it.
const LOGGED: &str = "kogge=info,kogge_operator::database::carry_out=debug";
/// How long its token lasts, in seconds.
const TOKEN_SECONDS: i64 = 4 * 3600;

/// The operator's process.
pub struct OperatorProcess {
    program: PathBuf,
    kubeconfig: PathBuf,
    log: PathBuf,
    child: Mutex<Option<Child>>,
}

/// The operator's log, as it grows.
#[derive(Debug)]
pub struct OperatorLog {
    file: File,
    /// A line that is not whole yet.
    rest: String,
}

impl OperatorLog {
    /// The steps on members and routers that it has begun since it was asked last: each one's kind.
    pub fn steps_begun(&mut self) -> anyhow::Result<Vec<String>> {
        self.file.read_to_string(&mut self.rest)?;
        let whole = self.rest.rfind('\n').map_or(0, |end| end + 1);
        let lines: String = self.rest.drain(..whole).collect();
        let begun = lines.lines().filter(|line| line.contains("step begins"));
        let kind = |line: &str| Some(line.rsplit_once("action=\"")?.1.split_once('"')?.0.to_owned());
        Ok(begun.filter_map(kind).collect())
    }
}

impl OperatorProcess {
    pub(crate) fn of(program: PathBuf, folder: &Path) -> Self {
        Self {
            program,
            kubeconfig: folder.join("operator.kubeconfig"),
            log: folder.join("operator.log"),
            child: Mutex::new(None),
        }
    }

    /// Writes a kubeconfig with a token of its ServiceAccount, and begins a new log.
    pub(crate) async fn log_in(&self, control: &Cluster) -> anyhow::Result<()> {
        File::create(&self.log).with_context(|| format!("cannot write {}", self.log.display()))?;
        let accounts: Api<ServiceAccount> = Api::namespaced(control.client().await?, SYSTEM_NAMESPACE);
        let request = TokenRequest {
            spec: TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() },
            ..TokenRequest::default()
        };
        let token = accounts.create_token_request(IDENTITY, &PostParams::default(), &request).await?;
        let token = token.status.context("the API server gave no token")?.token;
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "control",
            "contexts": [{"name": "control", "context": {"cluster": "control", "user": IDENTITY}}],
            "clusters": [{"name": "control", "cluster": {
                "server": control.api_server(),
                "certificate-authority-data": BASE64.encode(control.ca_pem()?),
            }}],
            "users": [{"name": IDENTITY, "user": {"token": token}}],
        });
        fs::write(&self.kubeconfig, kubeconfig.to_string())
            .with_context(|| format!("cannot write {}", self.kubeconfig.display()))
    }

    /// Starts it. Its output is added to its log.
    pub async fn start(&self, control: &Cluster) -> anyhow::Result<()> {
        let log = || File::options().create(true).append(true).open(&self.log);
        let mut command = Command::from(control.program("kogge-operator", &self.program)?);
        command
            .args(["--log", LOGGED, "--log-text", "--listen", "0.0.0.0:8080", "--chart-dir"])
            .arg(root().join("charts"))
            .env("KUBECONFIG", &self.kubeconfig)
            .env("POD_NAMESPACE", SYSTEM_NAMESPACE)
            .env("POD_NAME", IDENTITY)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(log()?)
            .stderr(log()?)
            .kill_on_drop(true);
        let mut child = self.child.lock().await;
        *child = Some(command.spawn().context("cannot start the operator")?);
        Ok(())
    }

    /// What it logs from now on.
    pub fn follow(&self) -> anyhow::Result<OperatorLog> {
        let mut file = File::open(&self.log).with_context(|| format!("cannot read {}", self.log.display()))?;
        file.seek(SeekFrom::End(0))?;
        Ok(OperatorLog { file, rest: String::new() })
    }

    /// Kills it at once, as `kill -9` does.
    pub async fn kill(&self) -> anyhow::Result<()> {
        let mut child = self.child.lock().await;
        let mut child = child.take().context("the operator does not run")?;
        child.kill().await.context("the operator cannot be killed")
    }

    /// Whether it still runs; if it does not, it is started again, and the error says how it ended.
    pub(crate) async fn ensure(&self, control: &Cluster) -> anyhow::Result<()> {
        let ended = match self.child.lock().await.as_mut() {
            Some(child) => child.try_wait()?.map(|status| status.to_string()),
            None => Some("it was killed and not started again".to_owned()),
        };
        let Some(how) = ended else { return Ok(()) };
        self.start(control).await?;
        bail!("the operator ended by itself: {how}; see {}", self.log.display())
    }
}
