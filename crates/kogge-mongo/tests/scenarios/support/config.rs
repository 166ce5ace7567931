//! Configs as documents, and the changes that the scenarios make to them.

use mongodb::bson::{Bson, Document, doc};

/// A member with nothing but its `_id` and host.
pub(crate) fn member(id: i32, host: &str) -> Document {
    doc! { "_id": id, "host": host }
}

/// Changes to a config.
pub(crate) trait Edit {
    fn members(&mut self) -> &mut Vec<Bson>;

    /// The member at an index.
    fn member(&mut self, index: usize) -> &mut Document {
        self.members()[index].as_document_mut().unwrap()
    }

    /// The same with some of a member's fields set.
    fn with_member(self, index: usize, fields: Document) -> Self;

    /// The same with one member more.
    fn plus(self, member: Document) -> Self;

    /// The same without the member at an index.
    fn minus(self, index: usize) -> Self;
}

impl Edit for Document {
    fn members(&mut self) -> &mut Vec<Bson> {
        self.get_array_mut("members").unwrap()
    }

    fn with_member(mut self, index: usize, fields: Document) -> Self {
        self.member(index).extend(fields);
        self
    }

    fn plus(mut self, member: Document) -> Self {
        self.members().push(member.into());
        self
    }

    fn minus(mut self, index: usize) -> Self {
        self.members().remove(index);
        self
    }
}
