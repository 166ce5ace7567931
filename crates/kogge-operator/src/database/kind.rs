//! One kind of database: its resources, its engine, and the connections to its members.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use kogge_api::ClusterId;
use kogge_database::{Named, Rival};
use kogge_engine::{Database, Engine};
use kogge_engine_client::{Execute, Observe};
use kube::Client;
use kube::Resource as _;
use kube::runtime::controller::Controller;
use kube::runtime::reflector::Store;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::context::{Context, Declared};
use crate::undecodable::UndecodableObjects;
use crate::watch;

/// The engine that a client speaks for.
pub(super) type EngineOf<C> = <C as Observe>::Engine;
/// The resource that declares a database of that engine.
pub(super) type ResourceOf<C> = <EngineOf<C> as Engine>::Resource;

/// What the passes over one kind of database share.
pub(super) struct Kind<C> {
    /// What they share with everybody else.
    pub(super) context: Arc<Context>,
    connections: Mutex<BTreeMap<ClusterId, Arc<C>>>,
}

impl<C: Default> Kind<C> {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self { context, connections: Mutex::default() }
    }

    /// The connections to the members of a database. They are kept for speed; nothing is lost with them.
    pub(super) fn connections(&self, id: &ClusterId) -> Arc<C> {
        Arc::clone(self.connections.lock().entry(id.clone()).or_default())
    }

    /// Forgets a database that is gone; `name` is its namespace and name.
    pub(super) fn forget(&self, id: &ClusterId, name: &str) {
        self.connections.lock().remove(id);
        self.context.forget(id, name);
    }
}

/// A kind of database whose controller is ready to run.
pub(crate) trait Registered {
    /// Its databases.
    fn declared(&self) -> Arc<dyn Declared>;

    /// Runs its controller until told to stop.
    fn run(self: Box<Self>, context: Arc<Context>, stop: CancellationToken) -> BoxFuture<'static, ()>;
}

/// The kind of database that a client's engine runs.
pub(crate) fn kind<C: Execute>(client: &Client, undecodable: &UndecodableObjects) -> Box<dyn Registered> {
    Box::new(Registration::<C> { controller: watch::controller(client.clone(), undecodable) })
}

struct Registration<C: Execute> {
    controller: Controller<ResourceOf<C>>,
}

impl<C: Execute> Registered for Registration<C> {
    fn declared(&self) -> Arc<dyn Declared> {
        Arc::new(Resources::<EngineOf<C>>(self.controller.store()))
    }

    fn run(self: Box<Self>, context: Arc<Context>, stop: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(super::run::<C>(self.controller, context, stop))
    }
}

struct Resources<E: Engine>(Store<E::Resource>);

impl<E: Engine> Declared for Resources<E> {
    fn all(&self) -> Vec<Database> {
        self.0.state().iter().map(|resource| E::database(resource)).collect()
    }

    fn rivals(&self, of: &Database) -> Vec<Rival> {
        let is_another = |resource: &E::Resource| resource.meta().uid != of.metadata.uid;
        let can_meet = |resource: &E::Resource| {
            let meta = resource.meta();
            let named = Named {
                namespace: meta.namespace.as_deref().unwrap_or_default(),
                name: meta.name.as_deref().unwrap_or_default(),
                cluster_id: E::cluster_id(E::spec(resource)),
            };
            Rival::can_meet(Named::from(of), named)
        };
        let all = self.0.state();
        let near = all.iter().filter(|resource| is_another(resource) && can_meet(resource));
        near.map(|resource| Rival::of(&E::database(resource))).collect()
    }

    fn are_listed(&self) -> bool {
        // A store whose watch has ended never is.
        self.0.wait_until_ready().now_or_never().is_some_and(|listed| listed.is_ok())
    }
}
