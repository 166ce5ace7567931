//! The size that a member's database may reach, in bytes.

use std::fmt;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::rules::rule;

/// etcd's own default: 2 GiB.
const DEFAULT: u64 = 2 << 30;
/// The largest size that etcd's documentation advises: 8 GiB.
const ADVISED: u64 = 8 << 30;

/// The size that a member's database may reach, in bytes. It is written as an integer, as etcd's own flag is, or as a
/// Kubernetes quantity such as `8Gi`; both are the same quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Quota(u64);

impl Quota {
    /// A quota of that many bytes.
    pub const fn of_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Whether it is larger than etcd's documentation advises: a member takes long to start, to be restored and to be
    /// defragmented.
    pub const fn is_above_advised(self) -> bool {
        self.0 > ADVISED
    }

    fn read(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let unit: u64 = match suffix {
            "" => 1,
            "k" => 1_000,
            "M" => 1_000_000,
            "G" => 1_000_000_000,
            "Ki" => 1 << 10,
            "Mi" => 1 << 20,
            "Gi" => 1 << 30,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(unit).map(Self)
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<'de> Deserialize<'de> for Quota {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IntegerOrQuantity;

        impl Visitor<'_> for IntegerOrQuantity {
            type Value = Quota;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes, such as 8589934592 or 8Gi")
            }

            fn visit_u64<E: Error>(self, bytes: u64) -> Result<Quota, E> {
                Ok(Quota(bytes))
            }

            fn visit_i64<E: Error>(self, bytes: i64) -> Result<Quota, E> {
                let unsigned = u64::try_from(bytes);
                unsigned.map(Quota).map_err(|_| E::invalid_value(Unexpected::Signed(bytes), &self))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Quota, E> {
                Quota::read(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(IntegerOrQuantity)
    }
}

/// An integer or a string, as Kubernetes takes its own quantities.
pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "x-kubernetes-validations": [
            rule(
                "type(self) == int ? self >= 16777216 && self <= 68719476736 : self.matches('^[0-9]{1,12}(Ki|Mi|Gi|k|M|G)?$') && quantity(self).compareTo(quantity('16Mi')) >= 0 && quantity(self).compareTo(quantity('64Gi')) <= 0",
                "spec.quotaBackendBytes must be between 16Mi and 64Gi: write a whole number of bytes, such as 8589934592, or one with a unit, such as 8Gi",
            ),
        ],
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_integer_and_a_quantity_are_the_same_quota() {
        let read = |value| serde_json::from_value::<Quota>(value);
        for (written, bytes) in [
            (json!(8_589_934_592_u64), 8 << 30),
            (json!("8589934592"), 8 << 30),
            (json!("8Gi"), 8 << 30),
            (json!("512Mi"), 512 << 20),
            (json!("2G"), 2_000_000_000),
        ] {
            assert_eq!(read(written).unwrap(), Quota(bytes));
        }
        for wrong in [json!("8GiB"), json!("1.5Gi"), json!("-1"), json!(-1), json!(""), json!("99999999999999G")] {
            let error = read(wrong.clone()).unwrap_err().to_string();
            assert!(error.contains("such as 8589934592 or 8Gi"), "{wrong}: {error}");
        }
        assert_eq!(serde_json::to_value(Quota(8 << 30)).unwrap(), json!(8_589_934_592_u64));
        assert!(!Quota(8 << 30).is_above_advised() && Quota((8 << 30) + 1).is_above_advised());
    }
}
