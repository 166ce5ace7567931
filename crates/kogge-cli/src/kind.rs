//! A kind of database as the command line works on it, whatever its engine.

use std::marker::PhantomData;

use anyhow::Context as _;
use futures::future::LocalBoxFuture;
use kogge_engine::{Database, Engine};
use kogge_engine_client::Observe;
use kube::ResourceExt as _;
use kube::core::{ApiResource, CustomResourceExt as _, DynamicObject, Resource as _};

use crate::dry_run::{self, Environment, Sight};

/// A kind of database.
pub(crate) trait Kind: Sync {
    /// How the API server knows it.
    fn resource(&self) -> ApiResource;

    /// Its short names, as kubectl takes them.
    fn short_names(&self) -> &'static [&'static str];

    /// What a resource of this kind declares.
    fn database(&self, object: &DynamicObject) -> anyhow::Result<Database>;

    /// What the operator would see and do for a resource of this kind.
    fn look<'a>(
        &'a self,
        object: &'a DynamicObject,
        environment: &'a Environment<'a>,
    ) -> LocalBoxFuture<'a, anyhow::Result<Sight>>;
}

/// The kind of database that a client's engine runs.
pub(crate) const fn kind<C: Observe>() -> &'static dyn Kind {
    &Of::<C>(PhantomData)
}

struct Of<C>(PhantomData<fn() -> C>);

impl<C: Observe> Of<C> {
    fn parse(object: &DynamicObject) -> anyhow::Result<<C::Engine as Engine>::Resource> {
        let kind = <C::Engine as Engine>::Resource::kind(&());
        let parsed = object.clone().try_parse();
        parsed.with_context(|| format!("{kind} {} cannot be read", object.name_any()))
    }
}

impl<C: Observe> Kind for Of<C> {
    fn resource(&self) -> ApiResource {
        <C::Engine as Engine>::Resource::api_resource()
    }

    fn short_names(&self) -> &'static [&'static str] {
        <C::Engine as Engine>::Resource::shortnames()
    }

    fn database(&self, object: &DynamicObject) -> anyhow::Result<Database> {
        Ok(C::Engine::database(&Self::parse(object)?))
    }

    fn look<'a>(
        &'a self,
        object: &'a DynamicObject,
        environment: &'a Environment<'a>,
    ) -> LocalBoxFuture<'a, anyhow::Result<Sight>> {
        Box::pin(async move { dry_run::look::<C>(Self::parse(object)?, environment).await })
    }
}

impl dyn Kind {
    /// Whether kubectl knows it by that word: `fc`, `federatedcluster`, `federatedclusters` and the like.
    pub(crate) fn is_called(&self, word: &str) -> bool {
        let ApiResource { kind, plural, group, .. } = self.resource();
        let word = word.to_ascii_lowercase();
        let full = format!("{plural}.{group}");
        self.short_names().contains(&word.as_str()) || [kind.to_lowercase(), plural, full].contains(&word)
    }

    /// How a resource of this kind is written on the command line.
    pub(crate) fn written(&self, name: &str) -> String {
        let kind = self.resource().kind.to_lowercase();
        format!("{}/{name}", self.short_names().first().copied().unwrap_or(&kind))
    }
}
