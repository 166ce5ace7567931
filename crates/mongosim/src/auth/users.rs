//! User documents as `admin.system.users` holds them.

use bson::{Bson, Document, doc};
use rand::Rng;

use super::{
    Role,
    scram::{Credential, ITERATIONS},
};
use crate::error::{CommandError, CommandResult, code};

/// The namespace that holds the users.
pub const NAMESPACE: &str = "admin.system.users";

/// `_id` of a user's document.
pub fn user_id(db: &str, user: &str) -> String {
    format!("{db}.{user}")
}

/// The document that `createUser` stores.
pub fn from_create(command: &Document, db: &str) -> CommandResult {
    let user = name(command, "createUser")?;
    let password = command
        .get_str("pwd")
        .map_err(|_| CommandError::bad_value("Must provide a 'pwd' field for all user documents"))?;
    let roles = parse_roles(command, db)?
        .ok_or_else(|| CommandError::bad_value("\"createUser\" command requires a \"roles\" array"))?;
    Ok(doc! {
        "_id": user_id(db, user),
        "userId": random_uuid(),
        "user": user,
        "db": db,
        "credentials": credentials(password)?,
        "roles": roles,
    })
}

/// A stored document with the changes of `updateUser`.
pub fn apply_update(mut stored: Document, command: &Document, db: &str) -> CommandResult {
    if let Ok(password) = command.get_str("pwd") {
        stored.insert("credentials", credentials(password)?);
    }
    if let Some(roles) = parse_roles(command, db)? {
        stored.insert("roles", roles);
    }
    Ok(stored)
}

/// A stored document with the roles of `grantRolesToUser` added.
pub fn grant(mut stored: Document, command: &Document, db: &str) -> CommandResult {
    let more = parse_roles(command, db)?.unwrap_or_default();
    let mut roles = stored.get_array("roles").cloned().unwrap_or_default();
    for role in more {
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    stored.insert("roles", roles);
    Ok(stored)
}

/// A stored document with the roles of `revokeRolesFromUser` taken away.
pub fn revoke(mut stored: Document, command: &Document, db: &str) -> CommandResult {
    let gone = parse_roles(command, db)?.unwrap_or_default();
    let mut roles = stored.get_array("roles").cloned().unwrap_or_default();
    roles.retain(|role| !gone.contains(role));
    stored.insert("roles", roles);
    Ok(stored)
}

/// The user's name from a command's first field.
pub fn name<'a>(command: &'a Document, field: &str) -> CommandResult<&'a str> {
    command
        .get_str(field)
        .ok()
        .filter(|name| !name.is_empty())
        .ok_or_else(|| CommandError::bad_value(format!("'{field}' must name a user")))
}

/// What a user may do.
pub fn roles(stored: &Document) -> Vec<Role> {
    stored
        .get_array("roles")
        .map(|roles| roles.iter().filter_map(|role| Role::parse(role, "admin")).collect())
        .unwrap_or_default()
}

/// What proves a user's password.
pub fn credential(stored: &Document) -> Option<Credential> {
    Credential::from_document(stored.get_document("credentials").ok()?.get_document("SCRAM-SHA-256").ok()?)
}

/// A user as `usersInfo` shows it: without credentials unless they are asked for.
pub fn info(mut stored: Document, show_credentials: bool) -> Document {
    let mechanisms = stored
        .get_document("credentials")
        .map(|c| c.keys().cloned().map(Bson::String).collect::<Vec<_>>())
        .unwrap_or_default();
    if !show_credentials {
        stored.remove("credentials");
    }
    stored.insert("mechanisms", mechanisms);
    stored
}

fn credentials(password: &str) -> CommandResult {
    if password.is_empty() {
        return Err(CommandError::bad_value("Password cannot be empty"));
    }
    let credential =
        Credential::derive(password, ITERATIONS).map_err(|e| CommandError::bad_value(e.to_string()))?;
    Ok(doc! { "SCRAM-SHA-256": credential.to_document() })
}

fn parse_roles(command: &Document, db: &str) -> CommandResult<Option<Vec<Bson>>> {
    let Ok(given) = command.get_array("roles") else { return Ok(None) };
    let mut roles = Vec::with_capacity(given.len());
    for value in given {
        let role = Role::parse(value, db)
            .ok_or_else(|| CommandError::bad_value("Role names must be strings or {role, db} documents"))?;
        if !role.is_known() {
            return Err(CommandError::new(31, format!("Could not find role: {}@{}", role.role, role.db)));
        }
        roles.push(Bson::Document(role.to_document()));
    }
    Ok(Some(roles))
}

/// A UUID of version 4.
pub fn random_uuid() -> bson::Binary {
    let mut bytes: [u8; 16] = rand::rng().random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: bytes.to_vec() }
}

/// The refusal of a second user of one name.
pub fn already_exists(db: &str, user: &str) -> CommandError {
    CommandError::new(code::LOCATION_USER_EXISTS, format!("User \"{user}@{db}\" already exists"))
}

/// The refusal of an unknown user.
pub fn not_found(db: &str, user: &str) -> CommandError {
    CommandError::new(code::USER_NOT_FOUND, format!("Could not find user \"{user}\" for db \"{db}\""))
}
