//! Roles, coarsely: what a command needs and what a role gives.

use bson::{Bson, Document, doc};

/// What a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege<'a> {
    /// Nothing: also before authentication.
    Public,
    /// Any user.
    Authenticated,
    /// To read a database.
    Read(&'a str),
    /// To write a database.
    Write(&'a str),
    /// To make and change users of a database.
    UserAdmin(&'a str),
    /// To look at the cluster.
    Monitor,
    /// To change the cluster.
    Manage,
    /// To be a member.
    Internal,
}

/// A role on a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Name, as `root` or `readWrite`.
    pub role: String,
    /// Database that it is defined on.
    pub db: String,
}

const ADMIN_ROLES: [&str; 12] = [
    "root",
    "readAnyDatabase",
    "readWriteAnyDatabase",
    "userAdminAnyDatabase",
    "dbAdminAnyDatabase",
    "clusterAdmin",
    "clusterManager",
    "clusterMonitor",
    "hostManager",
    "backup",
    "restore",
    "__system",
];
const DB_ROLES: [&str; 5] = ["read", "readWrite", "dbAdmin", "dbOwner", "userAdmin"];

/// The server's roles on a database.
pub fn known_roles(db: &str) -> impl Iterator<Item = Role> + use<'_> {
    let of_cluster: &[&str] = if db == "admin" { &ADMIN_ROLES } else { &[] };
    DB_ROLES.iter().chain(of_cluster).map(move |role| Role::new(role, db))
}

impl Role {
    /// A role.
    pub fn new(role: &str, db: &str) -> Self {
        Self { role: role.to_owned(), db: db.to_owned() }
    }

    /// Reads `"name"` (of `db`) or `{role, db}`.
    pub fn parse(value: &Bson, db: &str) -> Option<Self> {
        match value {
            Bson::String(name) => Some(Self::new(name, db)),
            Bson::Document(d) => Some(Self::new(d.get_str("role").ok()?, d.get_str("db").ok()?)),
            _ => None,
        }
    }

    /// `{role, db}`.
    pub fn to_document(&self) -> Document {
        doc! { "role": &self.role, "db": &self.db }
    }

    /// Whether this is a role of the server.
    pub fn is_known(&self) -> bool {
        DB_ROLES.contains(&self.role.as_str()) || (self.db == "admin" && ADMIN_ROLES.contains(&self.role.as_str()))
    }

    fn gives(&self, need: Privilege<'_>) -> bool {
        let own = |db: &str| self.db == db;
        let user_data = |db: &str| !matches!(db, "local" | "config");
        match (self.role.as_str(), need) {
            (_, Privilege::Internal) => self.role == "__system",
            (_, Privilege::Public | Privilege::Authenticated)
            | ("__system" | "root", _)
            | ("userAdminAnyDatabase", Privilege::UserAdmin(_))
            | ("clusterAdmin" | "clusterManager", Privilege::Manage | Privilege::Monitor)
            | ("clusterMonitor", Privilege::Monitor) => true,
            ("read" | "readWrite" | "dbOwner", Privilege::Read(db))
            | ("readWrite" | "dbOwner", Privilege::Write(db))
            | ("userAdmin" | "dbOwner", Privilege::UserAdmin(db)) => own(db),
            ("readAnyDatabase", Privilege::Read(db))
            | ("readWriteAnyDatabase", Privilege::Read(db) | Privilege::Write(db)) => user_data(db),
            ("clusterAdmin" | "clusterMonitor", Privilege::Read(db)) => matches!(db, "local" | "config"),
            _ => false,
        }
    }
}

/// Whether any of `roles` gives what is needed.
pub fn allows(roles: &[Role], need: Privilege<'_>) -> bool {
    need == Privilege::Public || roles.iter().any(|role| role.gives(need))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_give_what_they_say() {
        let root = [Role::new("root", "admin")];
        assert!(allows(&root, Privilege::Manage));
        assert!(!allows(&root, Privilege::Internal));
        let history = [Role::new("readWrite", "history")];
        assert!(allows(&history, Privilege::Write("history")));
        assert!(!allows(&history, Privilege::Write("other")));
        assert!(!allows(&history, Privilege::Monitor));
        let monitor = [Role::new("clusterMonitor", "admin")];
        assert!(allows(&monitor, Privilege::Monitor));
        assert!(!allows(&monitor, Privilege::Manage));
        assert!(!allows(&[], Privilege::Authenticated));
        assert!(allows(&[], Privilege::Public));
    }
}
