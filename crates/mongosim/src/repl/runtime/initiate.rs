use std::sync::Arc;

use bson::{Bson, Document, doc, oid::ObjectId};

use super::{CONFIG_NAMESPACE, Replication};
use crate::{
    commands::{FEATURE_VERSION_ID, VERSION_NAMESPACE},
    error::{CommandError, CommandResult, code},
    oplog::{Operation, OplogWriter},
    options::ClusterRole,
    repl::{MemberState, ReplSetConfig},
};

impl Replication {
    /// `replSetInitiate`: checks in the server's order; on failure the node is as before.
    pub async fn initiate(self: &Arc<Self>, given: &Document, me: &str) -> CommandResult {
        let guard = self.begin_initiate()?;
        let mut reply = doc! { "ok": 1.0 };
        let document = if given.is_empty() {
            reply.insert("info2", "no configuration specified. Using a default configuration for the set");
            reply.insert("me", me);
            self.default_config(me)
        } else {
            given.clone()
        };
        let mut config = ReplSetConfig::parse(&document)?;
        let wrong = |message: String| CommandError::new(code::INVALID_CONFIG, message);
        if config.name != self.around.set_name {
            return Err(wrong(format!(
                "Attempting to initiate a replica set with name {}, but command line reports {}; rejecting",
                config.name, self.around.set_name
            )));
        }
        config.term = 0;
        config.validate_for_initiate(self.around.role == ClusterRole::Config, self.around.version)?;
        let own = match self.find_self(&config, false).await.as_slice() {
            [own] => *own,
            [] => {
                let hosts: Vec<&str> = config.members.iter().map(|m| m.host.as_str()).collect();
                return Err(wrong(format!(
                    "No host described in new configuration with {{version: 1, term: 0}} for replica set {} maps to this node: {}",
                    config.name,
                    hosts.join(", ")
                )));
            }
            several => {
                let hosts: Vec<&str> = several.iter().map(|i| config.members[*i].host.as_str()).collect();
                return Err(wrong(format!("The hosts {} all map to this node", hosts.join(" and "))));
            }
        };
        if !config.members[own].is_electable() {
            return Err(wrong(format!(
                "This node, {}, is not electable under the new configuration",
                config.members[own].host
            )));
        }
        config.settings.set_replica_set_id(Bson::ObjectId(ObjectId::new()));
        self.check_quorum(&config, own).await?;
        self.store_first_config(&config).await?;
        self.with(|c, now| {
            let mut effects = c.set_follower_state(MemberState::Secondary, now);
            effects.extend(c.install_config(config, Some(own), now));
            effects
        });
        guard.done();
        Ok(reply)
    }

    fn default_config(&self, me: &str) -> Document {
        let mut config = doc! {
            "_id": &self.around.set_name,
            "version": 1,
            "members": [{ "_id": 0, "host": me }],
        };
        if self.around.role == ClusterRole::Config {
            config.insert("configsvr", true);
        }
        config
    }

    async fn store_first_config(&self, config: &ReplSetConfig) -> CommandResult<()> {
        let stored = config.to_internal_document();
        let feature = self.around.version.feature();
        self.around
            .storage
            .write(move |view| {
                view.put(CONFIG_NAMESPACE, &stored)?;
                let mut writer = OplogWriter::new(view, Some(-1))?;
                writer.log("", Operation::Noop(doc! { "msg": "initiating set" }), None)?;
                let version = doc! { "_id": FEATURE_VERSION_ID, "version": feature };
                writer.log(VERSION_NAMESPACE, Operation::Insert(version), None)
            })
            .await?;
        Ok(())
    }
}
