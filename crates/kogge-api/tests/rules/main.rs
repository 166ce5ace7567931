//! Every rule of the definitions, on a real API server: what must be refused is refused with its sentence,
//! what must pass passes, on create and on update.

mod defaults;
mod federated_cluster;
mod federated_etcd;
mod harness;
mod worker_cluster;

use harness::{Resource, Server};

#[tokio::test]
async fn the_api_server_keeps_the_rules() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let clusters = Resource::federated_clusters(&server);
    let etcds = Resource::federated_etcds(&server);
    let workers = Resource::worker_clusters(&server);

    let mut failures = clusters.check_creates(&federated_cluster::creates()).await?;
    failures.extend(clusters.check_updates(&federated_cluster::updates()).await?);
    failures.extend(etcds.check_creates(&federated_etcd::creates()).await?);
    failures.extend(etcds.check_updates(&federated_etcd::updates()).await?);
    failures.extend(workers.check_creates(&worker_cluster::creates()).await?);
    failures.extend(workers.check_updates(&worker_cluster::updates()).await?);
    failures.extend(clusters.check_names(&federated_cluster::names()).await?);
    failures.extend(defaults::check(&clusters, &etcds, &workers).await?);
    failures.extend(defaults::check_values(&clusters).await?);
    failures.extend(federated_cluster::check_merge(&clusters).await?);
    assert!(failures.is_empty(), "{} of the rules do not hold:\n{}", failures.len(), failures.join("\n"));
    Ok(())
}
