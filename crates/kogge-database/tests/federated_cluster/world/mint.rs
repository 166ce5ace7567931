//! Makes what stands for secrets in this world: each different, none of them secret.

use kogge_api::ClusterId;
use kogge_database::secrets::{Certificate, Mint, MintError, Sample};

use super::ID;

#[derive(Default)]
pub(crate) struct WorldMint(Sample);

impl Mint for WorldMint {
    fn cluster_id(&mut self) -> ClusterId {
        ID.parse().unwrap()
    }

    fn check(&self, authority: &str, leaf: &Certificate, names: &[String]) -> Result<(), String> {
        self.0.check(authority, leaf, names)
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
