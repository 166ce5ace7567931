//! The server versions that can be played, and what differs between them.

use std::str::FromStr;

/// A server version, by its release series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ServerVersion {
    /// 4.4.
    V4_4,
    /// 5.0.
    V5_0,
    /// 6.0.
    V6_0,
    /// 7.0.
    #[default]
    V7_0,
    /// 8.0.
    V8_0,
}

impl ServerVersion {
    /// All of them, oldest first.
    pub const ALL: [Self; 5] = [Self::V4_4, Self::V5_0, Self::V6_0, Self::V7_0, Self::V8_0];

    /// As `buildInfo` has it.
    pub fn full(self) -> &'static str {
        match self {
            Self::V4_4 => "4.4.29",
            Self::V5_0 => "5.0.29",
            Self::V6_0 => "6.0.18",
            Self::V7_0 => "7.0.14",
            Self::V8_0 => "8.0.4",
        }
    }

    /// Its feature compatibility version.
    pub fn feature(self) -> &'static str {
        match self {
            Self::V4_4 => "4.4",
            Self::V5_0 => "5.0",
            Self::V6_0 => "6.0",
            Self::V7_0 => "7.0",
            Self::V8_0 => "8.0",
        }
    }

    /// The feature compatibility versions that it runs with.
    pub fn features(self) -> [&'static str; 2] {
        let before = match self {
            Self::V4_4 => "4.2",
            Self::V5_0 => "4.4",
            Self::V6_0 => "5.0",
            Self::V7_0 => "6.0",
            Self::V8_0 => "7.0",
        };
        [before, self.feature()]
    }

    /// The newest wire version that it speaks.
    pub fn max_wire(self) -> i32 {
        match self {
            Self::V4_4 => 9,
            Self::V5_0 => 13,
            Self::V6_0 => 17,
            Self::V7_0 => 21,
            Self::V8_0 => 25,
        }
    }

    /// Voters join without their vote, as `newlyAdded`.
    pub fn has_newly_added(self) -> bool {
        self >= Self::V5_0
    }

    /// A write waits for a majority where nobody says anything, unless arbiters make that fragile; no config changes
    /// that silently.
    pub fn has_implicit_majority(self) -> bool {
        self >= Self::V5_0
    }

    /// A set may have more than one arbiter; refused since 5.3.
    pub fn allows_several_arbiters(self) -> bool {
        self < Self::V6_0
    }

    /// Quiesce mode before the end.
    pub fn quiesces(self) -> bool {
        self >= Self::V5_0
    }

    /// `rotateCertificates`.
    pub fn rotates_certificates(self) -> bool {
        self >= Self::V5_0
    }

    /// A reconfiguration asks every host whether it is this process, and waits for the silent ones.
    pub fn asks_every_host_for_itself(self) -> bool {
        self < Self::V6_0
    }

    /// `setFeatureCompatibilityVersion` asks for `confirm`.
    pub fn confirms_features(self) -> bool {
        self >= Self::V7_0
    }
}

impl FromStr for ServerVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::feature).join(", ");
        Self::ALL
            .into_iter()
            .find(|version| version.feature() == text)
            .ok_or_else(|| format!("serverVersion must be one of {}, not {text:?}", known()))
    }
}
