//! Who the operator is to the database's servers.

use kogge_engine_client::{Password, Trust};

/// A user with the role `root`: changes of the membership ask for no less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: Password,
}

/// How the operator shows who it is. A login by password needs a quorum; the common name of a client certificate
/// (`--client-cert-auth`) does not, so it is the better way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// TLS on the client port; without it Kogge connects to it without TLS.
    pub client: Option<Trust>,
    /// TLS on the peer port; without it Kogge connects to it without TLS.
    pub peer: Option<Trust>,
    /// Who to log in as where a server asks for a login.
    pub user: Option<User>,
}
