//! Names that are all strings on the wire and must never be mixed up here.

use std::cmp::Ordering;

/// Defines names: strings that must never be mixed up with others.
#[macro_export]
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a name; nothing is checked.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self(name)
            }
        }

        impl ::std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// A pod's name, unique within one database: `ll2022-shard-0-vdc1-0`.
    PodName
}
name! {
    /// A placement: a share of the database in one vdc.
    Placement
}
name! {
    /// A group of members, unique over all databases: `ll2022-shard-0-7f3k2m9q`.
    GroupName
}
name! {
    /// A virtual data centre: the failure domain that votes are spread over.
    Vdc
}

impl PodName {
    /// The ordinal at the end of a StatefulSet's pod name; 0 where there is none.
    pub fn ordinal(&self) -> u32 {
        self.split_ordinal().1
    }

    /// What [`Self::natural_cmp`] compares.
    pub fn rank(&self) -> impl Ord + use<'_> {
        (self.split_ordinal(), self)
    }

    /// Order by the name before the ordinal, then by the ordinal as a number, so that pod 10 comes
    /// after pod 9.
    pub fn natural_cmp(&self, other: &Self) -> Ordering {
        self.split_ordinal().cmp(&other.split_ordinal()).then_with(|| self.cmp(other))
    }

    fn split_ordinal(&self) -> (&str, u32) {
        match self.as_str().rsplit_once('-') {
            Some((base, ordinal)) => match ordinal.parse() {
                Ok(ordinal) => (base, ordinal),
                Err(_) => (self.as_str(), 0),
            },
            None => (self.as_str(), 0),
        }
    }
}
