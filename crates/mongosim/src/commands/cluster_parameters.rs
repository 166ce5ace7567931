use bson::{Bson, Document, doc};

use super::write_concern::WriteConcern;
use crate::{
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    oplog::Operation,
    options::ClusterRole,
    repl::runtime::Durability,
    server::Request,
};

/// Where cluster-wide settings live.
pub const RW_CONCERN_NAMESPACE: &str = "config.settings";
/// The `_id` of the default concerns.
pub const RW_CONCERN_ID: &str = "ReadWriteConcernDefaults";
/// Where the feature compatibility version lives.
pub const VERSION_NAMESPACE: &str = "admin.system.version";
/// Its `_id`.
pub const FEATURE_VERSION_ID: &str = "featureCompatibilityVersion";

impl Mongod {
    fn concern_defaults(&self) -> CommandResult<Document> {
        let id = Bson::String(RW_CONCERN_ID.to_owned());
        Ok(self.storage.read()?.get_by_id(RW_CONCERN_NAMESPACE, &id)?.unwrap_or_default())
    }

    /// The cluster-wide default write concern, if one is set.
    pub(crate) fn default_write_concern(&self) -> CommandResult<Option<Document>> {
        Ok(self.concern_defaults()?.get_document("defaultWriteConcern").ok().cloned())
    }

    /// What a write waits for when nobody says anything.
    pub(crate) fn implicit_durability(&self) -> Option<Durability> {
        let majority = self.options.version.has_implicit_majority()
            && self.replication.as_ref().is_some_and(|r| {
                r.look(|c| c.config().is_some_and(crate::repl::ReplSetConfig::implicit_majority))
            });
        majority.then_some(Durability::Majority)
    }

    /// `getDefaultRWConcern`.
    pub(crate) fn get_default_rw_concern(&self) -> CommandResult {
        let stored = self.concern_defaults()?;
        let mut reply = doc! {
            "defaultReadConcern": stored.get_document("defaultReadConcern").cloned().unwrap_or(doc! { "level": "local" }),
            "defaultReadConcernSource": if stored.contains_key("defaultReadConcern") { "global" } else { "implicit" },
            "defaultWriteConcernSource": if stored.contains_key("defaultWriteConcern") { "global" } else { "implicit" },
        };
        let implicit = self.implicit_durability().map(|_| doc! { "w": "majority", "wtimeout": 0 });
        if let Some(concern) = stored.get_document("defaultWriteConcern").ok().cloned().or(implicit) {
            reply.insert("defaultWriteConcern", concern);
        }
        Ok(reply)
    }

    /// `setDefaultRWConcern`; on a shard 51301, there it is the config servers' to set.
    pub(crate) async fn set_default_rw_concern(&self, request: &Request) -> CommandResult {
        if self.options.role == ClusterRole::Shard {
            return Err(CommandError::new(
                code::LOCATION_RWC_ON_SHARD,
                "'setDefaultRWConcern' may only be run on a non-sharded replica set or through mongos",
            ));
        }
        let mut stored = self.concern_defaults()?;
        stored.insert("_id", RW_CONCERN_ID);
        for key in ["defaultWriteConcern", "defaultReadConcern"] {
            match request.body.get_document(key) {
                Ok(concern) if key == "defaultWriteConcern" && concern.is_empty() => {
                    return Err(CommandError::new(
                        code::ILLEGAL_OPERATION,
                        "The global default write concern cannot be unset once it is set",
                    ));
                }
                Ok(concern) if concern.is_empty() => {
                    stored.remove(key);
                }
                Ok(concern) => {
                    stored.insert(key, concern.clone());
                }
                Err(_) => {}
            }
        }
        self.put_replicated(request, RW_CONCERN_NAMESPACE, stored).await?;
        self.get_default_rw_concern()
    }

    /// `setFeatureCompatibilityVersion`.
    pub(crate) async fn set_feature_version(&self, request: &Request) -> CommandResult {
        let version = request.body.get_str("setFeatureCompatibilityVersion").unwrap_or_default();
        let known = self.options.version.features();
        if !known.contains(&version) {
            return Err(CommandError::bad_value(format!(
                "Invalid feature compatibility version value '{version}'; expected one of {}",
                known.join(", ")
            )));
        }
        if self.options.version.confirms_features() && !request.body.get_bool("confirm").unwrap_or(false) {
            return Err(CommandError::new(
                7_369_100,
                "Once you have upgraded, downgrading is not easy: run the command again with 'confirm: true'",
            ));
        }
        let stored = doc! { "_id": FEATURE_VERSION_ID, "version": version };
        if self.feature_version()? == version {
            return Ok(Document::new());
        }
        self.put_replicated(request, VERSION_NAMESPACE, stored).await
    }

    fn feature_version(&self) -> CommandResult<String> {
        let id = Bson::String(FEATURE_VERSION_ID.to_owned());
        let stored = self.storage.read()?.get_by_id(VERSION_NAMESPACE, &id)?;
        Ok(stored
            .and_then(|d| d.get_str("version").ok().map(str::to_owned))
            .unwrap_or_else(|| self.options.version.feature().to_owned()))
    }

    /// `getParameter`, for the parameters that are there.
    pub(crate) fn get_parameter(&self, request: &Request) -> CommandResult {
        let mut reply = Document::new();
        if request.body.contains_key("featureCompatibilityVersion") {
            reply.insert("featureCompatibilityVersion", doc! { "version": self.feature_version()? });
        }
        if request.body.contains_key("enableLocalhostAuthBypass") {
            reply.insert("enableLocalhostAuthBypass", self.options.localhost_bypass);
        }
        if request.body.contains_key("authenticationMechanisms") {
            let enabled: Vec<&str> = self.options.auth_mechanisms.iter().map(|m| m.name()).collect();
            reply.insert("authenticationMechanisms", enabled);
        }
        if request.body.contains_key("orphanCleanupDelaySecs") {
            let delay = self.options.sharding.orphan_cleanup_delay;
            reply.insert("orphanCleanupDelaySecs", delay.as_secs() as i32);
        }
        if reply.is_empty() {
            return Err(CommandError::new(code::INVALID_OPTIONS, "no option found to get"));
        }
        Ok(reply)
    }

    /// Stores one document as the primary and waits as the command asks.
    pub(crate) async fn put_replicated(&self, request: &Request, ns: &str, document: Document) -> CommandResult {
        let concern = WriteConcern::of(&request.body, self)?;
        let ns = ns.to_owned();
        let ((), optime) = self
            .write(move |w| {
                let before = w.view().get_by_id(&ns, document.get("_id").unwrap_or(&Bson::Null))?;
                let operation = match before {
                    Some(before) => Operation::Update { before, after: document },
                    None => Operation::Insert(document),
                };
                w.log(&ns, operation, None)
            })
            .await?;
        let mut reply = Document::new();
        concern.wait(self, optime, &mut reply).await?;
        Ok(reply)
    }
}
