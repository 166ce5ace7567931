//! A mongos.
use crate::{
    auth::ClusterKey,
    net::PeerPool,
    options::Options,
    server::{Client, Request, Service},
};
use bson::{Document, oid::ObjectId};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
/// stub
pub struct Mongos;
impl Mongos {
    /// stub
    pub fn start(
        _: Options,
        _: ObjectId,
        _: &str,
        _: Vec<String>,
        _: Arc<PeerPool>,
        _: Option<ClusterKey>,
        _: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self)
    }
}
#[async_trait::async_trait]
impl Service for Mongos {
    async fn run(&self, _: &mut Client, _: &Request) -> Document {
        Document::new()
    }
}
