//! Each way in which a kubeconfig can be unusable, with what to do about it.

use jiff::Timestamp;

use super::expiry::Credential;
use crate::proxy::ProxyError;

/// Why a kubeconfig is refused. Names of its parts are told, never their content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KubeconfigError {
    /// The bytes are no text.
    #[error("the kubeconfig is not UTF-8 text: store the file itself, not an archive or an encoding of it")]
    NotUtf8,
    /// The text is no YAML, or its shape is not a kubeconfig's.
    #[error(
        "the kubeconfig cannot be read at line {line}, column {column}: it must be YAML in the shape that `kubectl config view --raw --flatten` prints"
    )]
    NotYaml {
        /// The line, from 1; 0 where the parser does not say.
        line: u64,
        /// The column, from 1; 0 where the parser does not say.
        column: u64,
    },
    /// Nothing says which context to use.
    #[error("the kubeconfig has no current-context: set it with `kubectl config use-context`")]
    NoCurrentContext,
    /// The current context is not among the contexts.
    #[error("current-context is {context:?}, and contexts has no entry of that name: add it, or name another")]
    UnknownContext {
        /// The context.
        context: String,
    },
    /// The context's cluster is not among the clusters.
    #[error(
        "contexts[name={context}].context.cluster is {cluster:?}, and clusters has no entry of that name: add it, or name another"
    )]
    UnknownCluster {
        /// The context.
        context: String,
        /// The cluster that it names.
        cluster: String,
    },
    /// The context's user is not among the users.
    #[error(
        "contexts[name={context}].context.user is {user:?}, and users has no entry of that name: add it, or name another"
    )]
    UnknownUser {
        /// The context.
        context: String,
        /// The user that it names.
        user: String,
    },
    /// Two entries of one name.
    #[error("{list} has two entries named {name:?}: keep one of them, or give one another name")]
    DuplicateName {
        /// `clusters`, `users` or `contexts`.
        list: &'static str,
        /// The name.
        name: String,
    },
    /// A key has another shape than kubectl knows.
    #[error(
        "{key} has not the shape that kubectl reads: correct it as `kubectl config view --raw --flatten` prints it"
    )]
    BadShape {
        /// The offending key.
        key: String,
    },
    /// What `kubectl config view` prints in the place of a secret.
    #[error(
        "{key} holds what kubectl prints in the place of a secret: print it with `kubectl config view --raw --flatten`"
    )]
    Omitted {
        /// The offending key.
        key: String,
    },
    /// There is no address.
    #[error("{key} is missing: give the API server's address, such as https://192.0.2.1:6443")]
    NoServer {
        /// The offending key.
        key: String,
    },
    /// The address is none.
    #[error("{key} is not an address: give one such as https://192.0.2.1:6443, without a user or a password")]
    BadServer {
        /// The offending key.
        key: String,
    },
    /// The address has no TLS.
    #[error("{key} does not start with https://: credentials are never sent in the clear; give the TLS address")]
    NotHttps {
        /// The offending key.
        key: String,
    },
    /// TLS would not be checked.
    #[error(
        "{key} is true: without that check anyone in between could pose as the cluster; remove it and give certificate-authority-data"
    )]
    InsecureSkipTlsVerify {
        /// The offending key.
        key: String,
    },
    /// There is nothing to check the server's certificate against.
    #[error("{key} is missing: give the cluster's CA there, in base64; the system's own CAs are not used")]
    NoAuthority {
        /// The offending key.
        key: String,
    },
    /// A file of someone else's machine.
    #[error(
        "{key} names a file, which is not in the Secret: give the content as {instead} (`kubectl config view --raw --flatten` does that)"
    )]
    FilePath {
        /// The offending key.
        key: String,
        /// The key to use.
        instead: &'static str,
    },
    /// A program would have to be run.
    #[error(
        "{key} asks to run a program, and Kogge runs none: use a ServiceAccount's token or a client certificate; `kogge worker join` makes one"
    )]
    Exec {
        /// The offending key.
        key: String,
    },
    /// A plugin would be needed.
    #[error(
        "{key} asks for a plugin, and Kogge has none: use a ServiceAccount's token or a client certificate; `kogge worker join` makes one"
    )]
    AuthProvider {
        /// The offending key.
        key: String,
    },
    /// A proxy that Kogge cannot use.
    #[error("{key} {error}")]
    Proxy {
        /// The offending key, or variable of the environment.
        key: String,
        /// Why it cannot be used.
        error: ProxyError,
    },
    /// The name to expect in the server's certificate is none.
    #[error(
        "{key} is neither a DNS name nor an IP address: give the name that is in the API server's certificate"
    )]
    BadServerName {
        /// The offending key.
        key: String,
    },
    /// A file cannot be read.
    #[error("{key} names the file {path}, which cannot be read: {why}")]
    UnreadableFile {
        /// The offending key.
        key: String,
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// A password, which Kubernetes gave up long ago.
    #[error("{key} is a form of login that Kubernetes no longer has: use a token or a client certificate")]
    BasicAuth {
        /// The offending key.
        key: String,
    },
    /// Someone else's identity would be taken on.
    #[error("{key} asks to act as someone else: give the credentials of the identity that Kogge is to have")]
    Impersonation {
        /// The offending key.
        key: String,
    },
    /// The user has nothing to prove itself with.
    #[error(
        "users[name={user}].user has neither token nor client-certificate-data: give one; `kogge worker join` makes one"
    )]
    NoCredentials {
        /// The user.
        user: String,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error("{present} is there and {missing} is not: give both, or a token instead")]
    HalfAPair {
        /// The key that is there.
        present: String,
        /// The key that is missing.
        missing: String,
    },
    /// Not base64.
    #[error("{key} is not base64: encode the PEM file with `base64 -w0`")]
    BadBase64 {
        /// The offending key.
        key: String,
    },
    /// No certificate in PEM.
    #[error("{key} holds no certificate in PEM: it must decode to -----BEGIN CERTIFICATE-----")]
    BadCertificate {
        /// The offending key.
        key: String,
    },
    /// No private key in PEM.
    #[error("{key} holds no private key in PEM: it must decode to -----BEGIN PRIVATE KEY----- or its like")]
    BadKey {
        /// The offending key.
        key: String,
    },
    /// A private key under a passphrase.
    #[error(
        "{key} is encrypted with a passphrase, which nobody could type: give the key in the clear (`openssl pkey`)"
    )]
    EncryptedKey {
        /// The offending key.
        key: String,
    },
    /// A token that cannot be sent.
    #[error(
        "{key} holds white space or characters that no token has: give the token as one line, as it was issued"
    )]
    BadToken {
        /// The offending key.
        key: String,
    },
    /// The certificate and the key do not belong together, or TLS cannot use them.
    #[error(
        "{certificate} and {key} do not belong together: give the certificate and the key that were issued as one"
    )]
    UnusablePair {
        /// The certificate's key.
        certificate: String,
        /// The private key's key.
        key: String,
    },
    /// No client can be made, for a reason that none of the checks before found.
    #[error("no connection can be made with this kubeconfig: {why}")]
    Unusable {
        /// Why.
        why: String,
    },
    /// The time of the credentials is over.
    #[error(
        "the {credential} expired at {valid_until}: renew it with `kogge worker rotate`, or with `kogge worker join`"
    )]
    Expired {
        /// What ended.
        credential: Credential,
        /// The end of its validity.
        valid_until: Timestamp,
    },
}

impl KubeconfigError {
    /// A stable word in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotUtf8 | Self::NotYaml { .. } | Self::BadShape { .. } => "KubeconfigUnreadable",
            Self::DuplicateName { .. } => "KubeconfigAmbiguous",
            Self::Omitted { .. } => "KubeconfigSecretOmitted",
            Self::NoCurrentContext
            | Self::UnknownContext { .. }
            | Self::UnknownCluster { .. }
            | Self::UnknownUser { .. } => "KubeconfigIncomplete",
            Self::NoServer { .. } | Self::BadServer { .. } => "KubeconfigServerInvalid",
            Self::NotHttps { .. } | Self::InsecureSkipTlsVerify { .. } => "KubeconfigInsecure",
            Self::NoAuthority { .. } => "KubeconfigCAMissing",
            Self::FilePath { .. } | Self::UnreadableFile { .. } => "KubeconfigFilePath",
            Self::BadServerName { .. } => "KubeconfigServerNameInvalid",
            Self::Exec { .. } => "KubeconfigExec",
            Self::AuthProvider { .. } => "KubeconfigAuthProvider",
            Self::Proxy { .. } => "KubeconfigProxy",
            Self::BasicAuth { .. } => "KubeconfigBasicAuth",
            Self::Impersonation { .. } => "KubeconfigImpersonation",
            Self::NoCredentials { .. } | Self::HalfAPair { .. } => "KubeconfigCredentialsMissing",
            Self::BadBase64 { .. }
            | Self::BadCertificate { .. }
            | Self::BadKey { .. }
            | Self::EncryptedKey { .. }
            | Self::BadToken { .. }
            | Self::UnusablePair { .. }
            | Self::Unusable { .. } => "KubeconfigCredentialsInvalid",
            Self::Expired { .. } => "KubeconfigExpired",
        }
    }
}
