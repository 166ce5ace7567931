use crate::{error::CommandResult, mongod::Mongod, server::Request};
impl Mongod {
    pub(crate) async fn config_server_command(&self, _r: &Request) -> CommandResult {
        Ok(bson::Document::new())
    }
}
