//! Which resource a database belongs to, as every record of the database names it.

use std::fmt;
use std::str::FromStr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::labels;

/// The resource that a database belongs to. The anchors hold it, and so do the annotations of what Kogge keeps in the
/// control cluster; no label does, because who may label an object does not own a database by that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// Its kind, such as `FederatedCluster`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID; none where the resource was never applied, or where an administrator names the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

/// What a record says of the owner of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerRecord {
    /// There is no record of the database.
    Absent,
    /// The record names nobody: it was made before records named their owners, or the name cannot be read.
    Unnamed,
    /// The record names this owner.
    Named(Owner),
}

/// A text that names no owner.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} names no owner: write KIND/NAMESPACE/NAME")]
pub struct InvalidOwner(pub String);

impl Owner {
    /// Whether both are the resource of one kind, namespace and name. One that was deleted and made again has another UID
    /// and is the same resource to its users: no two of that name exist at once.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.kind, &self.namespace, &self.name) == (&other.kind, &other.namespace, &other.name)
    }

    /// The owner that an object's annotation names; none where it names none, or not in these words.
    pub fn of(metadata: &ObjectMeta) -> Option<Self> {
        metadata.annotations.as_ref()?.get(labels::OWNER)?.parse().ok()
    }

    /// The annotation that names it.
    pub fn annotation(&self) -> (String, String) {
        let Self { kind, namespace, name, uid } = self;
        let uid = uid.as_ref().map(|uid| format!("/{uid}")).unwrap_or_default();
        (labels::OWNER.to_owned(), format!("{kind}/{namespace}/{name}{uid}"))
    }
}

impl OwnerRecord {
    /// What the objects say that are kept of a database: the first that names an owner.
    pub fn of<'a>(kept: impl IntoIterator<Item = &'a ObjectMeta>) -> Self {
        let mut record = Self::Absent;
        for metadata in kept {
            match Owner::of(metadata) {
                Some(owner) => return Self::Named(owner),
                None => record = Self::Unnamed,
            }
        }
        record
    }
}

impl FromStr for Owner {
    type Err = InvalidOwner;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name, uid) = match parts[..] {
            [kind, namespace, name] => (kind, namespace, name, None),
            [kind, namespace, name, uid] => (kind, namespace, name, Some(uid.to_owned())),
            _ => return Err(InvalidOwner(text.to_owned())),
        };
        if parts.contains(&"") {
            return Err(InvalidOwner(text.to_owned()));
        }
        Ok(Self { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned(), uid })
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} ({})", self.namespace, self.name, self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(uid: Option<&str>) -> Owner {
        Owner {
            kind: "FederatedCluster".to_owned(),
            namespace: "databases".to_owned(),
            name: "ll2022".to_owned(),
            uid: uid.map(str::to_owned),
        }
    }

    fn annotated(value: &str) -> ObjectMeta {
        ObjectMeta {
            annotations: Some([(labels::OWNER.to_owned(), value.to_owned())].into()),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn an_annotation_reads_back() {
        for owner in [owner(None), owner(Some("uid-1"))] {
            let (_, value) = owner.annotation();
            assert_eq!(Owner::of(&annotated(&value)), Some(owner));
        }
    }

    #[test]
    fn what_names_no_resource_names_no_owner() {
        for text in ["", "ll2022", "databases/ll2022", "FederatedCluster//ll2022", "a/b/c/d/e"] {
            assert_eq!(text.parse::<Owner>(), Err(InvalidOwner(text.to_owned())));
        }
    }

    #[test]
    fn the_first_record_that_names_an_owner_counts() {
        let (unnamed, named) = (ObjectMeta::default(), annotated("FederatedCluster/databases/ll2022"));
        assert_eq!(OwnerRecord::of([]), OwnerRecord::Absent);
        assert_eq!(OwnerRecord::of([&unnamed]), OwnerRecord::Unnamed);
        assert_eq!(OwnerRecord::of([&unnamed, &named]), OwnerRecord::Named(owner(None)));
    }
}
