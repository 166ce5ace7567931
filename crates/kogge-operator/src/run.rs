//! Puts the parts together and runs them: everybody serves health, one leads.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use futures::future::join_all;
use kogge_api::WorkerCluster;
use kogge_api::rbac;
use kogge_api::worker_cluster::Access;
use kogge_chart_store::ChartStore;
use kogge_fleet::fleet::FleetOptions;
use kogge_fleet::{Fleet, RequiredRules};
use kube::Client;
use kube::runtime::events::{Recorder, Reporter};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::context::{Context, Turns};
use crate::control::Control;
use crate::http::{self, Readiness};
use crate::leader::{Elector, Timing};
use crate::metrics::Metrics;
use crate::own_objects::OwnObjects;
use crate::reachability::Reachability;
use crate::recent::RecentSecrets;
use crate::renders::{Renders, UnpackedRevisions};
use crate::settings::Settings;
use crate::undecodable::UndecodableObjects;
use crate::{engines, watch, worker_cluster};

/// The name of the Lease.
const LEASE: &str = "kogge-operator";

/// Runs until told to stop, or until leadership is lost.
pub async fn run(settings: Settings, client: Client, stop: CancellationToken) -> Result<()> {
    let metrics = Metrics::default();
    let readiness = Readiness::default();
    let serving = http::serve(settings.listen, metrics.clone(), readiness.clone(), stop.child_token());
    // Where the web server ends or panics, nobody could see how the operator does: it stops, to be started again.
    let stops_with_it = stop.clone().drop_guard();
    let serving = tokio::spawn(async move {
        let served = serving.await;
        drop(stops_with_it);
        served
    });
    let elector = Elector::new(client.clone(), &settings.namespace, LEASE, &settings.identity, Timing::default());
    // Who waits to lead is ready: it takes over as soon as the Lease is free.
    readiness.set(true);
    if elector.acquire(&stop).await {
        metrics.leading(true);
        let led = Box::pin(lead(&settings, client, &elector, metrics.clone(), &stop)).await;
        metrics.leading(false);
        stop.cancel();
        led?;
    }
    serving.await.context("the web server's task ended")?.context("the web server")?;
    Ok(())
}

/// Leads: runs the controllers until told to stop or until leadership is lost, then lets go of the Lease.
async fn lead(
    settings: &Settings,
    client: Client,
    elector: &Elector,
    metrics: Metrics,
    stop: &CancellationToken,
) -> Result<()> {
    let control = Control::new(client.clone(), elector.leadership());
    let controllers = stop.child_token();
    let renewing = CancellationToken::new();
    let working = async {
        let worked = work(settings, &control, elector, metrics, &controllers).await;
        renewing.cancel();
        worked
    };
    let keeping = async {
        elector.keep(&renewing).await;
        controllers.cancel();
    };
    let (worked, ()) = tokio::join!(working, keeping);
    worked
}

async fn work(
    settings: &Settings,
    control: &Control,
    elector: &Elector,
    metrics: Metrics,
    stop: &CancellationToken,
) -> Result<()> {
    let control_uid = control.uid().await?.context("namespace kube-system has no UID")?;
    let charts = Arc::new(ChartStore::new(settings.chart_dirs.clone()));
    let rendered = charts.kinds().unwrap_or_else(|error| {
        warn!(%error, "a chart cannot be used; what it renders is not asked of the workers' permissions");
        BTreeSet::new()
    });
    let required = RequiredRules {
        namespaced: rbac::worker_rules(&rendered, Access::PortForward),
        system: rbac::system_rules(),
        cluster: rbac::identity_rules(),
    };
    let client = control.client();
    let undecodable = UndecodableObjects::new(metrics.clone());
    let workers = watch::controller::<WorkerCluster>(client.clone(), &undecodable);
    let kinds = engines::registered(&client, &undecodable);
    let reporter = Reporter { controller: "kogge-operator".to_owned(), instance: Some(settings.identity.clone()) };
    let fleet = FleetOptions::new(settings.namespace.clone(), required).within(control_uid.clone());
    let context = Arc::new(Context {
        control: control.clone(),
        control_uid,
        namespace: settings.namespace.clone(),
        fleet: Fleet::new(fleet),
        charts,
        agent_image: settings.agent_image.clone(),
        leadership: elector.leadership(),
        metrics,
        recorder: Recorder::new(client, reporter),
        workers: workers.store(),
        undecodable,
        databases: kinds.iter().map(|kind| kind.declared()).collect(),
        turns: Turns::new(usize::from(settings.changes_per_vdc.get())),
        secrets: OwnObjects::default(),
        revisions: OwnObjects::default(),
        unpacked: UnpackedRevisions::default(),
        recent: RecentSecrets::default(),
        renders: Renders::default(),
        reachability: Reachability::default(),
        started: Instant::now(),
    });
    info!(control_uid = %context.control_uid, "the controllers start");
    let follow_secrets = context.secrets.follow(watch::labelled(context.own(), "secrets"));
    let follow_revisions = context.revisions.follow(watch::labelled(context.own(), "revision"));
    let databases = join_all(kinds.into_iter().map(|kind| kind.run(Arc::clone(&context), stop.clone())));
    tokio::join!(
        stop.run_until_cancelled(follow_secrets),
        stop.run_until_cancelled(follow_revisions),
        stop.run_until_cancelled(context.undecodable.tell(&context.control)),
        worker_cluster::run(workers, Arc::clone(&context), stop.clone()),
        databases,
    );
    warn!("the controllers have stopped");
    Ok(())
}
