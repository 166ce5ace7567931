//! The way of a person into a cluster: a kubeconfig on the machine that it is for.
//!
//! It may do what a Secret's may not: name files, run a program, act as someone else. The reader is the same.

use std::path::{Path, PathBuf};

use kube::config::{AuthInfo, ExecAuthCluster};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::document::{Document, Selected};
use super::server::Server;
use super::{KubeconfigError, material, text, token};
use crate::proxy::ProxyEnvironment;

/// Kubeconfig files, merged as kubectl merges them.
#[derive(Clone, Default)]
pub struct KubeconfigFiles {
    document: Document,
}

/// Why a kubeconfig file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file, or it may not be read.
    #[error("cannot read the kubeconfig {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no kubeconfig.
    #[error("cannot read the kubeconfig {}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KubeconfigError,
    },
}

impl KubeconfigFiles {
    /// Reads files in the order in which they win.
    pub fn read<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<Self, ReadError> {
        let mut merged = Document::default();
        for path in paths {
            let bytes = std::fs::read(path).map_err(|source| ReadError::File { path: path.to_owned(), source })?;
            let mut next = parse(&bytes).map_err(|source| ReadError::Content { path: path.to_owned(), source })?;
            next.set_folder(path.parent().unwrap_or(Path::new(".")));
            merged.merge(next);
        }
        Ok(Self { document: merged })
    }

    /// Reads a kubeconfig that is in no file: relative paths in it begin at the folder of this process.
    pub fn parse(kubeconfig: &[u8]) -> Result<Self, KubeconfigError> {
        let mut document = parse(kubeconfig)?;
        document.set_folder(Path::new("."));
        Ok(Self { document })
    }

    /// Reads the files that kubectl would take: those of `$KUBECONFIG`, or `~/.kube/config`; none where there are none.
    pub fn read_default() -> Result<Option<Self>, ReadError> {
        let listed: Vec<PathBuf> = std::env::var_os("KUBECONFIG")
            .map(|list| std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect())
            .unwrap_or_default();
        let home = || std::env::home_dir().map(|home| home.join(".kube/config"));
        let paths = if listed.is_empty() { home().into_iter().collect() } else { listed };
        let present: Vec<&Path> = paths.iter().map(PathBuf::as_path).filter(|path| path.exists()).collect();
        if present.is_empty() { Ok(None) } else { Self::read(present).map(Some) }
    }

    /// The names of the contexts.
    pub fn contexts(&self) -> impl Iterator<Item = &str> {
        self.document.contexts()
    }

    /// The way that a context describes, by default the current one.
    pub fn access(&self, context: Option<&str>) -> Result<Access, KubeconfigError> {
        Access::of(&self.document.select(context)?)
    }
}

/// How a person reaches a cluster.
#[derive(Clone)]
pub struct Access {
    /// The context.
    pub context: String,
    /// The context's namespace.
    pub namespace: Option<String>,
    /// The API server.
    pub server: Server,
    auth: AuthInfo,
}

impl Access {
    fn of(selected: &Selected) -> Result<Self, KubeconfigError> {
        let server = Server::of(selected)?;
        let auth = auth(selected, &server)?;
        Ok(Self { context: selected.context.clone(), namespace: selected.namespace.clone(), server, auth })
    }

    /// What kube makes a client of. Only that runs the program that a user's entry may ask for.
    pub fn config(&self, proxies: &ProxyEnvironment) -> Result<kube::Config, KubeconfigError> {
        let mut config = kube::Config::new(self.server.address.clone());
        config.root_cert = self.server.authorities.as_ref().map(|authorities| authorities.certificates.clone());
        config.accept_invalid_certs = self.server.insecure;
        config.tls_server_name.clone_from(&self.server.tls_server_name);
        config.proxy_url = proxies
            .of_server(&self.server.address, self.server.proxy.as_ref())
            .map_err(|error| KubeconfigError::Proxy { key: "HTTPS_PROXY".to_owned(), error })?;
        if let Some(namespace) = &self.namespace {
            config.default_namespace.clone_from(namespace);
        }
        config.auth_info = self.auth.clone();
        Ok(config)
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Document, KubeconfigError> {
    let document = text::document(bytes)?;
    document.check_names()?;
    Ok(document)
}

/// The user's entry in kube's terms, with what files hold in the place of their names.
fn auth(selected: &Selected, server: &Server) -> Result<AuthInfo, KubeconfigError> {
    let user = &selected.user;
    let at = |key: &str| selected.at_user(key);
    let folder = selected.user_folder.as_deref().unwrap_or(Path::new("."));
    let material = |data: &Option<String>, file: &Option<String>, key: &str| match (data, file) {
        (Some(data), _) => material::decode(data, &at(&format!("{key}-data"))).map(Some),
        (None, Some(path)) => material::read(path, folder, &at(key)).map(Some),
        (None, None) => Ok(None),
    };
    let certificate = material(&user.client_certificate_data, &user.client_certificate, "client-certificate")?;
    let key = material(&user.client_key_data, &user.client_key, "client-key")?;
    let pair = super::pair(certificate, key, &at)?;
    if let Some(text) = &user.token {
        token::check(text, &at("token"))?;
    }
    let mut exec: Option<kube::config::ExecConfig> = read_as(user.exec.clone(), &at("exec"))?;
    if let Some(exec) = &mut exec {
        // As in kubectl, what has no slash is looked for in PATH.
        exec.command = exec.command.take().map(|command| {
            let relative = command.contains('/') && Path::new(&command).is_relative();
            if relative { folder.join(command).display().to_string() } else { command }
        });
        if exec.provide_cluster_info {
            exec.cluster = Some(exec_cluster(selected, server)?);
        }
    }
    let mut inline = user.token.clone();
    if let (None, Some(path)) = (&inline, &user.token_file) {
        let content = material::read(path, folder, &at("tokenFile"))?;
        let content = String::from_utf8_lossy(&content).trim().to_owned();
        token::check(&content, &at("tokenFile"))?;
        inline = Some(content);
    }
    Ok(AuthInfo {
        username: user.username.clone(),
        password: user.password.clone().map(Into::into),
        token: inline.map(Into::into),
        client_certificate_data: pair.as_ref().map(|pair| super::encode(&pair.certificate)),
        client_key_data: pair.as_ref().map(|pair| super::encode(&pair.key).into()),
        impersonate: user.impersonate.clone(),
        impersonate_uid: user.impersonate_uid.clone(),
        impersonate_groups: read_as(user.impersonate_groups.clone(), &at("as-groups"))?,
        impersonate_user_extra: read_as(user.impersonate_extra.clone(), &at("as-user-extra"))?,
        auth_provider: read_as(user.auth_provider.clone(), &at("auth-provider"))?,
        exec,
        ..AuthInfo::default()
    })
}

/// What a program that asks for it is told of the cluster.
fn exec_cluster(selected: &Selected, server: &Server) -> Result<ExecAuthCluster, KubeconfigError> {
    let extensions: Option<Vec<kube::config::NamedExtension>> =
        read_as(selected.cluster.extensions.clone(), &selected.at_cluster("extensions"))?;
    let config = extensions.into_iter().flatten().find(|found| found.name == "client.authentication.k8s.io/exec");
    Ok(ExecAuthCluster {
        server: Some(server.address.to_string()),
        insecure_skip_tls_verify: server.insecure.then_some(true),
        certificate_authority_data: server.authorities.as_ref().map(|authorities| authorities.pem.clone()),
        proxy_url: selected.cluster.proxy_url.clone(),
        tls_server_name: server.tls_server_name.clone(),
        config: config.map(|found| found.extension),
    })
}

fn read_as<T: DeserializeOwned>(value: Option<Value>, key: &str) -> Result<Option<T>, KubeconfigError> {
    let read = value.map(serde_json::from_value).transpose();
    read.map_err(|_| KubeconfigError::BadShape { key: key.to_owned() })
}
