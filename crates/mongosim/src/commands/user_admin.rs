use bson::{Bson, Document, doc};

use super::write_concern::WriteConcern;
use crate::{
    auth::users,
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    oplog::Operation,
    query::Filter,
    server::Request,
};

impl Mongod {
    /// `createUser`, `updateUser`, `grantRolesToUser`, `revokeRolesFromUser`, `dropUser`.
    pub(crate) async fn change_users(&self, request: &Request) -> CommandResult {
        let concern = WriteConcern::of(&request.body, self)?;
        let db = request.db.clone();
        let name = users::name(&request.body, &request.name)?.to_owned();
        let id = Bson::String(users::user_id(&db, &name));
        let stored = self.storage.read()?.get_by_id(users::NAMESPACE, &id)?;
        let after = match (request.name.as_str(), stored) {
            ("createUser", Some(_)) => return Err(users::already_exists(&db, &name)),
            ("createUser", None) => Some(users::from_create(&request.body, &db)?),
            (_, None) => return Err(users::not_found(&db, &name)),
            ("updateUser", Some(stored)) => Some(users::apply_update(stored, &request.body, &db)?),
            ("revokeRolesFromUser", Some(stored)) => Some(users::revoke(stored, &request.body, &db)?),
            ("grantRolesToUser", Some(stored)) => Some(users::grant(stored, &request.body, &db)?),
            (_, Some(_)) => None,
        };
        let creates = request.name == "createUser";
        let (outcome, optime) = self
            .write(move |w| {
                let before = w.view().get_by_id(users::NAMESPACE, &id)?;
                let operation = match (before, after) {
                    // Another client made the user in between.
                    (Some(_), _) if creates => return Ok(Err(users::already_exists(&db, &name))),
                    (None, Some(after)) => Operation::Insert(after),
                    (Some(before), Some(after)) => Operation::Update { before, after },
                    (Some(before), None) => Operation::Delete(before),
                    (None, None) => return Ok(Err(users::not_found(&db, &name))),
                };
                w.log(users::NAMESPACE, operation, None)?;
                Ok(Ok(()))
            })
            .await?;
        outcome?;
        let mut reply = Document::new();
        concern.wait(self, optime, &mut reply).await?;
        Ok(reply)
    }

    /// `usersInfo`.
    pub(crate) fn users_info(&self, request: &Request) -> CommandResult {
        let query = match request.body.get("usersInfo") {
            Some(Bson::String(name)) => doc! { "_id": users::user_id(&request.db, name) },
            Some(Bson::Document(d)) if d.contains_key("user") => {
                let db = d.get_str("db").unwrap_or(&request.db);
                doc! { "_id": users::user_id(db, d.get_str("user").unwrap_or_default()) }
            }
            Some(Bson::Document(d)) if d.contains_key("forAllDBs") => doc! {},
            Some(Bson::Int32(1) | Bson::Int64(1)) => doc! { "db": &request.db },
            Some(Bson::Double(n)) if (*n - 1.0).abs() < f64::EPSILON => doc! { "db": &request.db },
            _ => {
                return Err(CommandError::new(
                    code::FAILED_TO_PARSE,
                    "usersInfo needs 1, a name, {user, db} or {forAllDBs: true}",
                ));
            }
        };
        let show = request.body.get_bool("showCredentials").unwrap_or(false);
        let found = self.storage.read()?.matching(users::NAMESPACE, &Filter::parse(&query)?, None)?;
        let users: Vec<Bson> = found.into_iter().map(|user| Bson::Document(users::info(user, show))).collect();
        Ok(doc! { "users": users })
    }
}
