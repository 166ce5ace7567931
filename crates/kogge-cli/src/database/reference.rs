//! A database as it is named on the command line.

use std::str::FromStr;

use anyhow::bail;

use crate::engines::REGISTERED;
use crate::kind::Kind;

/// `KIND/NAME` as kubectl takes it, or a name alone.
#[derive(Clone)]
pub(crate) struct Reference {
    /// Its kind, where it was given.
    pub(crate) kind: Option<&'static dyn Kind>,
    pub(crate) name: String,
}

impl Reference {
    /// Whether it may be a database of that kind and name.
    pub(crate) fn means(&self, kind: &dyn Kind, name: &str) -> bool {
        let is_kind = self.kind.is_none_or(|wanted| wanted.resource() == kind.resource());
        is_kind && self.name == name
    }
}

impl FromStr for Reference {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (kind, name) = match text.split_once('/') {
            None => (None, text),
            Some((word, name)) => match REGISTERED.into_iter().find(|kind| kind.is_called(word)) {
                Some(kind) => (Some(kind), name),
                None => {
                    bail!("{word} is no kind of database; write {}, and the namespace with --namespace", any(name))
                }
            },
        };
        if name.is_empty() || name.contains('/') {
            bail!("{name:?} is no name of a database; write {}", any("NAME"));
        }
        Ok(Self { kind, name: name.to_owned() })
    }
}

/// How a database of that name is written, by kind.
fn any(name: &str) -> String {
    one_of(REGISTERED.map(|kind| kind.written(name)))
}

/// These, to choose from.
pub(super) fn one_of(choices: impl IntoIterator<Item = String>) -> String {
    choices.into_iter().collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<String>, String) {
        let Reference { kind, name } = text.parse().unwrap();
        (kind.map(|kind| kind.resource().kind), name)
    }

    #[test]
    fn a_kind_is_written_as_for_kubectl() {
        let of = |kind: &str, name: &str| (Some(kind.to_owned()), name.to_owned());
        for word in ["fc", "FederatedCluster", "federatedclusters", "federatedclusters.kogge.dev"] {
            assert_eq!(read(&format!("{word}/db")), of("FederatedCluster", "db"), "{word}");
        }
        assert_eq!(read("fe/orders"), of("FederatedEtcd", "orders"));
        assert_eq!(read("orders"), (None, "orders".to_owned()));
    }

    #[test]
    fn what_is_no_kind_is_answered_with_the_kinds() {
        let error = |text: &str| text.parse::<Reference>().err().unwrap().to_string();
        assert_eq!(
            error("databases/db"),
            "databases is no kind of database; write fc/db or fe/db, and the namespace with --namespace"
        );
        assert!(error("fe/").contains("write fc/NAME or fe/NAME"));
        assert!(error("fe/a/b").contains("\"a/b\" is no name of a database"));
    }

    #[test]
    fn a_name_alone_means_any_kind() {
        let [one, other] = REGISTERED;
        let (bare, given): (Reference, Reference) = ("db".parse().unwrap(), "fe/db".parse().unwrap());
        assert!(bare.means(one, "db") && bare.means(other, "db") && !bare.means(one, "other"));
        assert!(!given.means(one, "db") && given.means(other, "db"));
    }
}
