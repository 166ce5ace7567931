use bson::{Bson, Document, doc};

use super::{
    super::{Projection, expression::Expression, number},
    put,
};
use crate::error::CommandResult;

/// `$project`, checked: fields that are shown or left out, and fields that are computed.
pub(super) struct Project {
    base: Base,
    computed: Vec<(String, Expression)>,
}

/// What of a document computed fields are put beside.
enum Base {
    Whole,
    Shown(Projection),
    Id,
    Nothing,
}

impl Project {
    pub(super) fn parse(project: &Document) -> CommandResult<Self> {
        let mut shown = Document::new();
        let mut computed = Vec::new();
        flatten("", project, &mut |path, value| {
            if number::as_bool(value).is_some() {
                shown.insert(path, value.clone());
            } else {
                computed.push((path, Expression::parse(value)?));
            }
            Ok(())
        })?;
        let base = if computed.is_empty() || shown.keys().any(|path| path != "_id") {
            Projection::parse(&shown)?.map_or(Base::Whole, Base::Shown)
        } else if shown.get("_id").and_then(number::as_bool).unwrap_or(true) {
            Base::Id
        } else {
            Base::Nothing
        };
        Ok(Self { base, computed })
    }

    pub(super) fn apply(&self, document: &Document) -> CommandResult {
        let mut row = match &self.base {
            Base::Whole => document.clone(),
            Base::Shown(projection) => projection.apply(document),
            Base::Id => document.get("_id").map(|id| doc! { "_id": id.clone() }).unwrap_or_default(),
            Base::Nothing => Document::new(),
        };
        for (path, expression) in &self.computed {
            if let Some(value) = expression.evaluate(document)? {
                put(&mut row, path, value)?;
            }
        }
        Ok(row)
    }
}

/// Calls `each` with dotted paths; documents without operators are gone into.
fn flatten(
    prefix: &str,
    project: &Document,
    each: &mut impl FnMut(String, &Bson) -> CommandResult<()>,
) -> CommandResult<()> {
    for (key, value) in project {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Bson::Document(sub) if !sub.keys().any(|key| key.starts_with('$')) => flatten(&path, sub, each)?,
            other => each(path, other)?,
        }
    }
    Ok(())
}
