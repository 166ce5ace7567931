use std::time::{Duration, Instant};

use anyhow::Context;
use mongodb::{
    Client, Collection,
    bson::{Document, doc},
    options::{ClientOptions, Credential, ReadConcern, WriteConcern},
};

use crate::Target;

const SELECTION: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(2);

/// The collection, with majority concerns and retryable writes.
pub(crate) async fn collection(target: &Target) -> anyhow::Result<Collection<Document>> {
    let mut options = ClientOptions::parse(&target.uri).await.context("--uri is not a connection string")?;
    if let (Some(username), Some(file)) = (&target.username, &target.password_file) {
        let password =
            std::fs::read_to_string(file).with_context(|| format!("--password-file {}", file.display()))?;
        options.credential = Some(
            Credential::builder()
                .username(username.clone())
                .password(password.trim_end_matches(['\r', '\n']).to_owned())
                .source(target.auth_source.clone())
                .build(),
        );
    }
    options.app_name = Some("kogge-history".to_owned());
    options.retry_writes = Some(true);
    options.retry_reads = Some(true);
    options.write_concern = Some(WriteConcern::majority());
    options.read_concern = Some(ReadConcern::majority());
    options.server_selection_timeout = Some(SELECTION);
    options.connect_timeout = Some(CONNECT);
    let client = Client::with_options(options)?;
    Ok(client.database(&target.database).collection(&target.collection))
}

/// Waits until the database answers, saying so; with a limit, fails at its end.
pub(crate) async fn wait_until_reachable(
    collection: &Collection<Document>,
    limit: Option<Duration>,
) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let Err(e) = collection.find_one(doc! { "_id": 0_i64 }).await else { return Ok(()) };
        if limit.is_some_and(|limit| began.elapsed() >= limit) {
            return Err(e).context("the database was not reachable in time");
        }
        println!("waiting for the database: {e}");
        tokio::time::sleep(PAUSE).await;
    }
}
