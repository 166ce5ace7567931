//! Command errors with the server's own codes.

use bson::{Bson, Document, doc};

/// Error codes of `src/mongo/base/error_codes.yml`, those that are used here.
pub mod code {
    #![allow(missing_docs)]
    pub const BAD_VALUE: i32 = 2;
    pub const HOST_UNREACHABLE: i32 = 6;
    pub const FAILED_TO_PARSE: i32 = 9;
    pub const UNAUTHORIZED: i32 = 13;
    pub const TYPE_MISMATCH: i32 = 14;
    pub const AUTHENTICATION_FAILED: i32 = 18;
    pub const ILLEGAL_OPERATION: i32 = 20;
    pub const ALREADY_INITIALIZED: i32 = 23;
    pub const NAMESPACE_NOT_FOUND: i32 = 26;
    pub const PATH_NOT_VIABLE: i32 = 28;
    pub const INDEX_NOT_FOUND: i32 = 27;
    pub const CURSOR_NOT_FOUND: i32 = 43;
    pub const NAMESPACE_EXISTS: i32 = 48;
    pub const MAX_TIME_MS_EXPIRED: i32 = 50;
    pub const USER_NOT_FOUND: i32 = 11;
    pub const COMMAND_NOT_FOUND: i32 = 59;
    pub const WRITE_CONCERN_TIMEOUT: i32 = 64;
    pub const IMMUTABLE_FIELD: i32 = 66;
    pub const SHARD_NOT_FOUND: i32 = 70;
    pub const CANNOT_CREATE_INDEX: i32 = 67;
    pub const INVALID_OPTIONS: i32 = 72;
    pub const INVALID_NAMESPACE: i32 = 73;
    pub const NODE_NOT_FOUND: i32 = 74;
    pub const NO_REPLICATION_ENABLED: i32 = 76;
    pub const UNKNOWN_WRITE_CONCERN: i32 = 79;
    pub const NETWORK_TIMEOUT: i32 = 89;
    pub const SHUTDOWN_IN_PROGRESS: i32 = 91;
    pub const INVALID_CONFIG: i32 = 93;
    pub const NOT_YET_INITIALIZED: i32 = 94;
    pub const NOT_SECONDARY: i32 = 95;
    pub const OPERATION_FAILED: i32 = 96;
    pub const UNSATISFIABLE_WRITE_CONCERN: i32 = 100;
    pub const INCOMPATIBLE_CONFIG: i32 = 103;
    pub const NODE_NOT_ELECTABLE: i32 = 104;
    pub const INCONSISTENT_SET_NAMES: i32 = 108;
    pub const CONFIGURATION_IN_PROGRESS: i32 = 109;
    pub const CANNOT_INITIALIZE_NODE_WITH_DATA: i32 = 110;
    pub const CONFLICTING_OPERATION: i32 = 117;
    pub const COMMAND_NOT_SUPPORTED: i32 = 115;
    pub const FAILED_TO_SATISFY_READ_PREFERENCE: i32 = 133;
    pub const INVALID_SSL_CONFIGURATION: i32 = 140;
    pub const INVALID_PIPELINE_OPERATOR: i32 = 168;
    pub const PRIMARY_STEPPED_DOWN: i32 = 189;
    pub const NO_SHARDING_ENABLED: i32 = 203;
    pub const SHARDING_STATE_NOT_INITIALIZED: i32 = 193;
    pub const KEY_NOT_FOUND: i32 = 211;
    pub const TRANSACTION_TOO_OLD: i32 = 225;
    pub const STALE_DB_VERSION: i32 = 249;
    pub const EXCEEDED_TIME_LIMIT: i32 = 262;
    pub const FAIL_POINT_SET_FAILED: i32 = 266;
    pub const CONFIG_NOT_COMMITTED: i32 = 308;
    pub const MECHANISM_UNAVAILABLE: i32 = 334;
    pub const NOT_WRITABLE_PRIMARY: i32 = 10107;
    pub const DUPLICATE_KEY: i32 = 11000;
    pub const INTERRUPTED_AT_SHUTDOWN: i32 = 11600;
    pub const INTERRUPTED_BY_STATE_CHANGE: i32 = 11602;
    pub const NOT_PRIMARY_NO_SECONDARY_OK: i32 = 13435;
    pub const NOT_PRIMARY_OR_SECONDARY: i32 = 13436;
    pub const LOCATION_USER_EXISTS: i32 = 51003;
    pub const LOCATION_RWC_ON_SHARD: i32 = 51301;
    pub const LOCATION_MISSING_FIELD: i32 = 40414;
    pub const LOCATION_UNKNOWN_ACCUMULATOR: i32 = 15952;
    pub const LOCATION_UNKNOWN_FIELD: i32 = 40415;
    pub const LOCATION_UNKNOWN_STAGE: i32 = 40324;
}

/// The name that the server prints beside a code.
pub fn code_name(code: i32) -> String {
    let name = match code {
        2 => "BadValue",
        6 => "HostUnreachable",
        9 => "FailedToParse",
        11 => "UserNotFound",
        13 => "Unauthorized",
        14 => "TypeMismatch",
        18 => "AuthenticationFailed",
        20 => "IllegalOperation",
        23 => "AlreadyInitialized",
        26 => "NamespaceNotFound",
        27 => "IndexNotFound",
        28 => "PathNotViable",
        43 => "CursorNotFound",
        48 => "NamespaceExists",
        50 => "MaxTimeMSExpired",
        59 => "CommandNotFound",
        64 => "WriteConcernTimeout",
        66 => "ImmutableField",
        67 => "CannotCreateIndex",
        70 => "ShardNotFound",
        72 => "InvalidOptions",
        73 => "InvalidNamespace",
        74 => "NodeNotFound",
        76 => "NoReplicationEnabled",
        79 => "UnknownReplWriteConcern",
        89 => "NetworkTimeout",
        91 => "ShutdownInProgress",
        93 => "InvalidReplicaSetConfig",
        94 => "NotYetInitialized",
        95 => "NotSecondary",
        96 => "OperationFailed",
        100 => "UnsatisfiableWriteConcern",
        103 => "NewReplicaSetConfigurationIncompatible",
        104 => "NodeNotElectable",
        108 => "InconsistentReplicaSetNames",
        109 => "ConfigurationInProgress",
        110 => "CannotInitializeNodeWithData",
        115 => "CommandNotSupported",
        117 => "ConflictingOperationInProgress",
        133 => "FailedToSatisfyReadPreference",
        140 => "InvalidSSLConfiguration",
        168 => "InvalidPipelineOperator",
        189 => "PrimarySteppedDown",
        193 => "ShardingStateNotInitialized",
        203 => "NoShardingEnabled",
        211 => "KeyNotFound",
        225 => "TransactionTooOld",
        262 => "ExceededTimeLimit",
        266 => "FailPointSetFailed",
        308 => "CurrentConfigNotCommittedYet",
        334 => "MechanismUnavailable",
        10107 => "NotWritablePrimary",
        11000 => "DuplicateKey",
        11600 => "InterruptedAtShutdown",
        11602 => "InterruptedDueToReplStateChange",
        13435 => "NotPrimaryNoSecondaryOk",
        13436 => "NotPrimaryOrSecondary",
        _ => return format!("Location{code}"),
    };
    name.to_owned()
}

/// A command's failure, as it goes to the client.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message} (code {code})")]
pub struct CommandError {
    /// The server's error code.
    pub code: i32,
    /// What went wrong, in words.
    pub message: String,
    /// Further fields of the reply.
    pub extra: Document,
}

/// The result of a command.
pub type CommandResult<T = Document> = Result<T, CommandError>;

impl CommandError {
    /// An error with a code and a sentence.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), extra: Document::new() }
    }

    /// The same error with one more field in its reply.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Bson>) -> Self {
        self.extra.insert(key, value);
        self
    }

    /// 2, BadValue.
    pub fn bad_value(message: impl Into<String>) -> Self {
        Self::new(code::BAD_VALUE, message)
    }

    /// 10107, NotWritablePrimary.
    pub fn not_primary() -> Self {
        Self::new(code::NOT_WRITABLE_PRIMARY, "not primary")
    }

    /// 94, NotYetInitialized.
    pub fn not_initialized() -> Self {
        Self::new(code::NOT_YET_INITIALIZED, "no replset config has been received")
            .with("info", "run rs.initiate(...) if not yet done for the set")
    }

    /// 13, Unauthorized.
    pub fn unauthorized(command: &str, db: &str) -> Self {
        Self::new(code::UNAUTHORIZED, format!("not authorized on {db} to execute command {command}"))
    }

    /// The reply document, `ok: 0`.
    pub fn to_reply(&self) -> Document {
        let mut reply = doc! {
            "ok": 0.0,
            "errmsg": &self.message,
            "code": self.code,
            "codeName": code_name(self.code),
        };
        reply.extend(self.extra.clone());
        reply
    }

    /// Reads an error back from a reply with `ok: 0`; `None` when the reply is a success.
    pub fn from_reply(reply: &Document) -> Option<Self> {
        if is_ok(reply) {
            return None;
        }
        let code = reply.get("code").and_then(crate::query::number::as_i64).unwrap_or(8);
        let message = reply.get_str("errmsg").unwrap_or("command failed").to_owned();
        let mut extra = reply.clone();
        for key in ["ok", "errmsg", "code", "codeName"] {
            extra.remove(key);
        }
        Some(Self { code: code as i32, message, extra })
    }

    /// Codes for which a retryable write may be sent again (driver specification).
    pub fn is_retryable_write(code: i32) -> bool {
        matches!(code, 6 | 7 | 89 | 91 | 189 | 262 | 9001 | 10107 | 11600 | 11602 | 13435 | 13436)
    }

    /// Codes that say "this node is not the primary (any more)".
    pub fn is_not_primary(code: i32) -> bool {
        matches!(code, 91 | 189 | 10058 | 10107 | 11600 | 11602 | 13435 | 13436)
    }
}

impl From<crate::storage::StorageError> for CommandError {
    fn from(error: crate::storage::StorageError) -> Self {
        Self::new(code::INTERRUPTED_AT_SHUTDOWN, error.to_string())
    }
}

/// Whether a reply says `ok: 1`.
pub fn is_ok(reply: &Document) -> bool {
    reply.get("ok").and_then(crate::query::number::as_f64) == Some(1.0)
}
