//! Options that would change a command's outcome and are not implemented: they are refused, never passed over.

use bson::{Bson, Document};

use crate::{
    error::{CommandError, CommandResult},
    server::Request,
};

/// Options of commands and of the single statements of writes.
const OPTIONS: [&str; 6] = ["arrayFilters", "min", "max", "returnKey", "showRecordId", "let"];

/// Refuses (2) a read or write that asks for what is not there.
pub fn refuse(request: &Request) -> CommandResult<()> {
    let statements = ["updates", "deletes"].into_iter().filter_map(|list| request.body.get_array(list).ok());
    let statements = statements.flatten().filter_map(Bson::as_document);
    std::iter::once(&request.body).chain(statements).try_for_each(check)
}

fn check(command: &Document) -> CommandResult<()> {
    let refused = |option: &str| Err(CommandError::bad_value(format!("the option '{option}' is not supported")));
    if let Some(option) = OPTIONS.iter().find(|option| command.contains_key(**option)) {
        let off = command.get(option) == Some(&Bson::Boolean(false));
        let empty = command.get_document(option).is_ok_and(Document::is_empty);
        if !off && !empty {
            return refused(option);
        }
    }
    match command
        .get_document("collation")
        .map(|collation| collation.get_str("locale").unwrap_or_default().to_owned())
    {
        Ok(locale) if locale != "simple" => refused("collation"),
        _ => Ok(()),
    }
}
