use super::{Privilege, Role, privilege, scram::ServerExchange};

/// An authenticated user of a connection.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Name.
    pub user: String,
    /// Database that the user is defined on.
    pub db: String,
    /// What the user may do.
    pub roles: Vec<Role>,
}

impl Principal {
    /// The members' own identity.
    pub fn system() -> Self {
        Self { user: "__system".into(), db: "local".into(), roles: vec![Role::new("__system", "admin")] }
    }

    /// Whether this is a member.
    pub fn is_system(&self) -> bool {
        self.db == "local" && self.user == "__system"
    }
}

/// A SASL conversation in progress.
pub struct Conversation {
    /// The exchange.
    pub exchange: ServerExchange,
    /// Who it is about.
    pub principal: Principal,
    /// Whether the server's signature has gone out, so that an empty message ends it.
    pub proven: bool,
    /// Whether the client asked to leave out the empty last message.
    pub skip_empty: bool,
}

/// Authentication state of one connection.
#[derive(Default)]
pub struct AuthState {
    /// The conversation in progress, if any.
    pub conversation: Option<Conversation>,
    /// Who is authenticated, if anyone.
    pub principal: Option<Principal>,
}

impl AuthState {
    /// Whether the connection's user has a privilege.
    pub fn allows(&self, need: Privilege<'_>) -> bool {
        privilege::allows(self.principal.as_ref().map_or(&[], |p| &p.roles), need)
    }
}
