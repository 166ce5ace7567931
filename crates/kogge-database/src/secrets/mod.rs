//! The secrets that a database cannot live without. They stand in Kogge's own namespace, in one Secret that says how
//! far their rotation is, and are copied to where they are used.

mod admin;
mod clients;
mod database;
mod generation;
mod issuer;
mod mint;
mod rotation;
mod stored;
mod user_steps;
mod users;

use kogge_api::ClusterId;

use super::problem::Problem;

pub(crate) use admin::holds;
pub use admin::{ADMIN_KEYS, taken_by};
pub use clients::ClientCertificates;
pub use database::{DatabaseSecrets, Granted};
pub use generation::{Generation, Mounted, Tls, server_names};
pub use issuer::{Issuer, Wanted};
pub use mint::{Certificate, Mint, MintError, Sample};
pub use stored::IncompleteSecret;
pub use user_steps::UsersStep;
pub use users::{Login, PreviousUsers, Users};

/// The secrets of a database that stands are gone.
pub fn lost(id: &ClusterId, namespace: &str) -> Problem {
    Problem::Refused {
        reason: "SecretsLost".to_owned(),
        message: format!(
            "the Secret {} is gone from namespace {namespace}, and the database exists; restore it from a backup: \
             without it no member can be reached",
            DatabaseSecrets::name(id)
        ),
    }
}
