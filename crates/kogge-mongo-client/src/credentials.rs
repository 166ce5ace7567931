//! Who the operator is to the database's servers.

use std::fmt;

/// A password: compared and sent, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Wraps a password.
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// One user in the `admin` database, by SCRAM-SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: Password,
    /// The password that it is being given: some servers know it already.
    pub next: Option<Password>,
}

impl User {
    /// The user with the password that it is being given; none where it keeps its own.
    pub(crate) fn renewed(&self) -> Option<Self> {
        Some(Self { name: self.name.clone(), password: self.next.clone()?, next: None })
    }
}

/// The users that Kogge makes in every set, both with the role `root`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The operator's own, for everything but its own creation.
    pub operator: User,
    /// The administrator's, for people; Kogge uses it only where the operator's is missing.
    pub admin: User,
}
