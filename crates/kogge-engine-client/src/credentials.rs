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

    /// The password as text, for whoever sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// One user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: Password,
    /// Who to log in as where this user is refused: a member that is behind knows the user of before.
    pub fallback: Option<Box<User>>,
}

impl User {
    /// A user without a fallback.
    pub fn new(name: impl Into<String>, password: Password) -> Self {
        Self { name: name.into(), password, fallback: None }
    }

    /// The user with a fallback.
    #[must_use]
    pub fn or(self, fallback: Option<Self>) -> Self {
        Self { fallback: fallback.map(Box::new), ..self }
    }
}

/// The users that Kogge makes in every group, both with every right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The operator's own, for everything but its own creation.
    pub operator: User,
    /// The administrator's, for people; Kogge uses it only where the operator's is missing.
    pub admin: User,
}
