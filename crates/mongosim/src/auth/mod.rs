//! Who may do what: cluster key, SCRAM, users, roles, the localhost exception.

mod client;
mod keyfile;
mod localhost_exception;
mod mechanism;
pub mod privilege;
pub mod scram;
pub mod users;

pub use client::{AuthState, Conversation, Principal};
pub use keyfile::{ClusterKey, KeyFileError};
pub use localhost_exception::localhost_exception_grants;
pub use mechanism::Mechanism;
pub use privilege::{Privilege, Role, known_roles};
pub use users::random_uuid;
