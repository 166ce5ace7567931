//! Makes what stands for secrets in this world: each different, none of them secret.

use kogge_api::ClusterId;
use kogge_database::secrets::{Certificate, Mint, MintError, Sample};

use super::ID;

/// Beside what it makes: why no server can work with the certificate of the user's; none where they can.
#[derive(Default)]
pub(crate) struct WorldMint(Sample, pub(super) Option<String>);

impl Mint for WorldMint {
    fn cluster_id(&mut self) -> ClusterId {
        ID.parse().unwrap()
    }

    fn check(&self, _: &str, _: &Certificate, _: &[String]) -> Result<(), String> {
        self.1.clone().map_or(Ok(()), Err)
    }

    fn key(&mut self) -> String {
        self.0.key()
    }

    fn password(&mut self) -> String {
        self.0.password()
    }

    fn authority(&mut self, name: &str) -> Result<Certificate, MintError> {
        self.0.authority(name)
    }

    fn leaf(&mut self, authority: &Certificate, names: &[String]) -> Result<Certificate, MintError> {
        self.0.leaf(authority, names)
    }

    fn client(&mut self, authority: &Certificate, user: &str, from: &[String]) -> Result<Certificate, MintError> {
        self.0.client(authority, user, from)
    }
}
