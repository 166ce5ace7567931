//! Which proxy a server is asked through: `proxy-url` of the kubeconfig, else what the environment says.
//!
//! The rules are those of Go's `net/http` and of client-go, so that Kogge takes the way that kubectl takes. kube's own
//! reading of the environment is not used: it compares NO_PROXY with the proxy instead of the server, and gives up at
//! an entry that it does not know.

mod no_proxy;

use std::fmt;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

use self::no_proxy::NoProxy;

/// Why a proxy cannot be used. Its address is not told: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It is no address.
    #[error("is not the address of a proxy: give one such as http://proxy.example:3128")]
    NotAnAddress,
    /// The proxy speaks something else.
    #[error("does not start with http://, https:// or socks5://: give the address of such a proxy")]
    Scheme,
    /// A SOCKS5 proxy that asks for a login.
    #[error(
        "holds a user for a SOCKS5 proxy, which Kogge cannot log in to: use a SOCKS5 proxy without login, or an http:// proxy"
    )]
    SocksLogin,
}

/// What the environment says about proxies: `HTTPS_PROXY` and `NO_PROXY`, in capitals or not.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProxyEnvironment {
    https_proxy: Option<String>,
    no_proxy: NoProxy,
}

impl fmt::Debug for ProxyEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proxy = self.https_proxy.as_ref().map(|_| "redacted");
        f.debug_struct("ProxyEnvironment").field("https_proxy", &proxy).field("no_proxy", &self.no_proxy).finish()
    }
}

impl ProxyEnvironment {
    /// This process's environment.
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// An environment whose variables `variable` tells.
    pub fn new(variable: impl Fn(&str) -> Option<String>) -> Self {
        let first =
            |names: [&str; 2]| names.into_iter().filter_map(&variable).find(|value| !value.trim().is_empty());
        Self {
            https_proxy: first(["HTTPS_PROXY", "https_proxy"]),
            no_proxy: NoProxy::parse(&first(["NO_PROXY", "no_proxy"]).unwrap_or_default()),
        }
    }

    /// The proxy to ask `server` through: the kubeconfig's own, which no NO_PROXY takes back, or the environment's.
    pub fn of_server(&self, server: &Uri, proxy_url: Option<&Uri>) -> Result<Option<Uri>, ProxyError> {
        if let Some(own) = proxy_url {
            return Ok(Some(own.clone()));
        }
        let plain = server.scheme() != Some(&Scheme::HTTPS);
        match &self.https_proxy {
            Some(proxy) if !plain && !self.no_proxy.covers(server) => of_environment(proxy).map(Some),
            _ => Ok(None),
        }
    }
}

/// A proxy's address without the login that may be in it.
pub fn shown(proxy: &Uri) -> String {
    let port = proxy.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", proxy.scheme_str().unwrap_or_default(), proxy.host().unwrap_or_default())
}

/// The proxy that `proxy-url` names. As in client-go, it must begin with `http://`, `https://` or `socks5://`.
pub(crate) fn of_kubeconfig(text: &str) -> Result<Uri, ProxyError> {
    match text.split_once("://") {
        Some((scheme, rest)) if !scheme.eq_ignore_ascii_case("socks5h") => address(scheme, rest),
        _ => Err(ProxyError::Scheme),
    }
}

/// The proxy that a variable names; where it says no scheme, it is an `http://` proxy.
fn of_environment(text: &str) -> Result<Uri, ProxyError> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    address(scheme, rest)
}

fn address(scheme: &str, rest: &str) -> Result<Uri, ProxyError> {
    let (scheme, port) = match scheme.to_ascii_lowercase().as_str() {
        "http" => ("http", 80),
        "https" => ("https", 443),
        // Names are resolved by the proxy in either case.
        "socks5" | "socks5h" => ("socks5", 1080),
        _ => return Err(ProxyError::Scheme),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (login, host) = authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
    if scheme == "socks5" && login.is_some() {
        return Err(ProxyError::SocksLogin);
    }
    let parsed: Authority = host.parse().map_err(|_| ProxyError::NotAnAddress)?;
    if parsed.host().is_empty() {
        return Err(ProxyError::NotAnAddress);
    }
    let has_port = !host.ends_with(']') && host.rsplit(':').next() != Some(host);
    let port = match parsed.port_u16() {
        Some(port) => port,
        None if has_port => return Err(ProxyError::NotAnAddress),
        None => port,
    };
    let login = login.map(|login| format!("{login}@")).unwrap_or_default();
    Uri::builder()
        .scheme(scheme)
        .authority(format!("{login}{}:{port}", parsed.host()))
        .path_and_query(PathAndQuery::from_static("/"))
        .build()
        .map_err(|_| ProxyError::NotAnAddress)
}

#[cfg(test)]
mod tests;
