//! The collection that is written and read.

use std::time::Duration;

use anyhow::Context as _;
use mongodb::options::{Acknowledgment, ClientOptions, CollectionOptions, Credential, ReadConcern, WriteConcern};
use mongodb::{Client, Collection};
use serde::{Deserialize, Serialize};

/// The deadline of one operation, the search for a server included.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);

/// Where the database is, and who asks.
#[derive(clap::Args)]
pub(crate) struct Target {
    /// The connection string, without credentials
    #[arg(long, env = "HISTORY_URI", default_value = "mongodb://localhost:27017/")]
    uri: String,
    /// The user
    #[arg(long, env = "HISTORY_USERNAME")]
    username: Option<String>,
    /// The password
    #[arg(long, env = "HISTORY_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// The database that is written to
    #[arg(long, env = "HISTORY_DATABASE", default_value = "kogge_history")]
    database: String,
}

/// One write.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// `<run>-<n>`: a write that is sent again by the driver is the same write.
    #[serde(rename = "_id")]
    pub(crate) id: String,
    /// The client that wrote it.
    pub(crate) run: String,
    /// Its number.
    pub(crate) n: i64,
}

impl Target {
    /// The collection, read and written with majority concern.
    pub(crate) async fn collection(&self) -> anyhow::Result<Collection<Entry>> {
        let mut options = ClientOptions::parse(&self.uri).await.context("the connection string cannot be read")?;
        options.app_name = Some("kogge-history".to_owned());
        options.connect_timeout = Some(Duration::from_secs(5));
        options.server_selection_timeout = Some(Duration::from_secs(10));
        if let (Some(username), Some(password)) = (&self.username, &self.password) {
            let credential = Credential::builder().username(username.clone()).password(password.clone());
            options.credential = Some(credential.source("admin".to_owned()).build());
        }
        let client = Client::with_options(options).context("the connection string cannot be used")?;
        let majority =
            WriteConcern::builder().w(Acknowledgment::Majority).w_timeout(Duration::from_secs(10)).build();
        let options =
            CollectionOptions::builder().write_concern(majority).read_concern(ReadConcern::majority()).build();
        Ok(client.database(&self.database).collection_with_options("writes", options))
    }
}
