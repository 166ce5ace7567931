//! Names that are all strings on the wire, ids that are all numbers there, and must never be mixed up here.

use std::fmt;

use kogge_engine::name;
use serde::{Deserialize, Serialize};

pub use kogge_engine::{Placement, PodName, Vdc};

name! {
    /// A URL as the group's membership lists it: `https://orders-vdc1-0.orders.db.svc:2380`.
    Url
}
name! {
    /// `--initial-cluster-token`: keeps groups whose members have the same URLs apart.
    Token
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
