use bson::{Bson, Document, Timestamp, doc};

/// A place in the history: term first, then time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpTime {
    /// Seconds since 1970 in the upper half, a counter in the lower.
    pub ts: u64,
    /// Election term, −1 before there was one.
    pub term: i64,
}

impl OpTime {
    /// Before every entry.
    pub const NULL: Self = Self { ts: 0, term: -1 };

    /// Whether no entry is meant.
    pub fn is_null(self) -> bool {
        self.ts == 0
    }

    /// The timestamp as BSON has it.
    pub fn timestamp(self) -> Timestamp {
        Timestamp { time: (self.ts >> 32) as u32, increment: self.ts as u32 }
    }

    /// The wall clock's second of the entry.
    pub fn date(self) -> bson::DateTime {
        bson::DateTime::from_millis(((self.ts >> 32) as i64) * 1000)
    }

    /// `{ts, t}`.
    pub fn to_document(self) -> Document {
        doc! { "ts": self.timestamp(), "t": self.term }
    }

    /// Reads `{ts, t}`; the null optime when it is neither.
    pub fn from_bson(value: Option<&Bson>) -> Self {
        let Some(Bson::Document(d)) = value else { return Self::NULL };
        let Ok(ts) = d.get_timestamp("ts") else { return Self::NULL };
        let term = d.get("t").and_then(crate::query::number::as_i64).unwrap_or(-1);
        Self { ts: ts_bits(ts), term }
    }
}

/// A BSON timestamp as one number.
pub(super) fn ts_bits(ts: Timestamp) -> u64 {
    (u64::from(ts.time) << 32) | u64::from(ts.increment)
}

impl From<Timestamp> for OpTime {
    fn from(ts: Timestamp) -> Self {
        Self { ts: ts_bits(ts), term: -1 }
    }
}

impl Ord for OpTime {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.term, self.ts).cmp(&(other.term, other.ts))
    }
}

impl PartialOrd for OpTime {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
