//! User documents as `admin.system.users` holds them.

use bson::{Bson, Document, doc};
use rand::Rng;

use super::{Mechanism, Role, scram::Credential};
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
        "credentials": credentials(user, password, &mechanisms(command)?)?,
        "roles": roles,
    })
}

/// A stored document with the changes of `updateUser`.
pub fn apply_update(mut stored: Document, command: &Document, db: &str) -> CommandResult {
    let given = command.contains_key("mechanisms");
    match command.get_str("pwd") {
        Ok(password) => {
            let user = stored.get_str("user").unwrap_or_default().to_owned();
            stored.insert("credentials", credentials(&user, password, &mechanisms(command)?)?);
        }
        Err(_) if given => narrow(&mut stored, &mechanisms(command)?)?,
        Err(_) => {}
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

/// What proves a user's password in one way.
pub fn credential(stored: &Document, mechanism: Mechanism) -> Option<Credential> {
    let kept = stored.get_document("credentials").ok()?.get_document(mechanism.name()).ok()?;
    Credential::from_document(mechanism, kept)
}

/// In which ways a user's password can be proven.
pub fn proves(stored: &Document) -> impl Iterator<Item = Mechanism> {
    let kept = stored.get_document("credentials").ok();
    Mechanism::ALL
        .into_iter()
        .filter(move |mechanism| kept.is_some_and(|kept| kept.contains_key(mechanism.name())))
}

/// A user as `usersInfo` shows it: without credentials unless they are asked for.
pub fn info(mut stored: Document, show_credentials: bool) -> Document {
    let mechanisms: Vec<Bson> = proves(&stored).map(|mechanism| mechanism.name().into()).collect();
    if !show_credentials {
        stored.remove("credentials");
    }
    stored.insert("mechanisms", mechanisms);
    stored
}

/// The mechanisms that `createUser` and `updateUser` ask for; all of them unless they are named.
fn mechanisms(command: &Document) -> CommandResult<Vec<Mechanism>> {
    let Some(given) = command.get("mechanisms") else { return Ok(Mechanism::ALL.to_vec()) };
    let given = given
        .as_array()
        .filter(|given| !given.is_empty())
        .ok_or_else(|| CommandError::bad_value("mechanisms field must not be empty"))?;
    given
        .iter()
        .map(|name| {
            let name = name.as_str().unwrap_or_default();
            Mechanism::named(name)
                .ok_or_else(|| CommandError::bad_value(format!("Unknown auth mechanism '{name}'")))
        })
        .collect()
}

/// Keeps the credentials of some mechanisms alone: without the password none can be added.
fn narrow(stored: &mut Document, wanted: &[Mechanism]) -> CommandResult<()> {
    let has: Vec<Mechanism> = proves(stored).collect();
    if wanted.iter().any(|mechanism| !has.contains(mechanism)) {
        return Err(CommandError::bad_value("mechanisms field must be a subset of previously set mechanisms"));
    }
    if let Ok(kept) = stored.get_document_mut("credentials") {
        for gone in has.iter().filter(|mechanism| !wanted.contains(mechanism)) {
            kept.remove(gone.name());
        }
    }
    Ok(())
}

fn credentials(user: &str, password: &str, mechanisms: &[Mechanism]) -> CommandResult {
    if password.is_empty() {
        return Err(CommandError::bad_value("Password cannot be empty"));
    }
    let mut kept = Document::new();
    for mechanism in mechanisms {
        let credential = Credential::derive(*mechanism, user, password, mechanism.iterations())
            .map_err(|e| CommandError::bad_value(e.to_string()))?;
        kept.insert(mechanism.name(), credential.to_document());
    }
    Ok(kept)
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
