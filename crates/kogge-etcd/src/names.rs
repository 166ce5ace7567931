//! Names that are all strings on the wire, ids that are all numbers there, and must never be mixed up here.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// A pod's name, unique within one database, and its member's `--name`: `orders-vdc1-0`.
    PodName
}
name! {
    /// A URL as the group's membership lists it: `https://orders-vdc1-0.orders.db.svc:2380`.
    Url
}
name! {
    /// A placement: a share of the database in one vdc.
    Placement
}
name! {
    /// A virtual data centre: the failure domain that votes are spread over.
    Vdc
}
name! {
    /// `--initial-cluster-token`: keeps groups whose members have the same URLs apart.
    Token
}

impl PodName {
    /// Order by the name before the ordinal, then by the ordinal as a number, so that pod 10 comes
    /// after pod 9.
    pub fn natural_cmp(&self, other: &Self) -> Ordering {
        self.split_ordinal().cmp(&other.split_ordinal()).then_with(|| self.cmp(other))
    }

    /// What [`Self::natural_cmp`] compares.
    pub(crate) fn rank(&self) -> impl Ord + use<'_> {
        (self.split_ordinal(), self)
    }

    fn split_ordinal(&self) -> (&str, u32) {
        match self.0.rsplit_once('-') {
            Some((base, ordinal)) => match ordinal.parse() {
                Ok(ordinal) => (base, ordinal),
                Err(_) => (&self.0, 0),
            },
            None => (&self.0, 0),
        }
    }
}

impl Token {
    /// The token of one incarnation of a database. Incarnations are numbered from 0; each is a group of its own.
    pub fn of(uid: &str, incarnation: u32) -> Self {
        Self(format!("{uid}-{incarnation}"))
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:x}", self.0)
            }
        }
    };
}

id! {
    /// A member's id. etcd shows it in hexadecimal and never accepts it again once it was removed.
    MemberId
}
id! {
    /// A group's id: constant for its whole life, and the same on all its members.
    ClusterId
}
