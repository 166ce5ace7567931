//! The users that Kogge makes.

use std::fmt;

/// The operator's own user of the first generation.
pub(super) const OPERATOR: &str = "kogge-operator";
/// The administrator's user of the first generation.
pub(super) const ADMIN: &str = "admin";

/// A user of the `admin` database and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: String,
}

/// The two users of one generation.
#[derive(Clone, PartialEq, Eq)]
pub struct Users {
    /// The generation, from 1. It is part of the users' names from 2 on.
    pub number: u32,
    /// The password of the operator's own user.
    pub operator: String,
    /// The password of the administrator.
    pub admin: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Users {
    /// The user that Kogge itself works as.
    pub fn operator(&self) -> Login {
        Login { user: self.name(OPERATOR), password: self.operator.clone() }
    }

    /// The administrator's user.
    pub fn admin(&self) -> Login {
        Login { user: self.name(ADMIN), password: self.admin.clone() }
    }

    fn name(&self, first: &str) -> String {
        if self.number > 1 { format!("{first}-{}", self.number) } else { first.to_owned() }
    }
}

/// The users of the previous generation, which still work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviousUsers {
    /// Who they are.
    pub users: Users,
    /// When the administrator's Secret was first seen to name the present user, in seconds since 1970. The grace
    /// counts from then; none until then.
    pub replaced_at: Option<i64>,
}
