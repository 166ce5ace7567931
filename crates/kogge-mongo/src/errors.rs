//! What a server's error code asks of the operator.

pub use kogge_engine::ErrorClass;

/// MongoDB's error codes that the engine tells apart (`error_codes.yml` in the server's sources).
pub mod code {
    /// Bad value in a command.
    pub const BAD_VALUE: i32 = 2;
    /// The server did not reach another one.
    pub const HOST_UNREACHABLE: i32 = 6;
    /// The server did not find another one's name.
    pub const HOST_NOT_FOUND: i32 = 7;
    /// No such user.
    pub const USER_NOT_FOUND: i32 = 11;
    /// The user lacks the right, or the localhost exception is closed.
    pub const UNAUTHORIZED: i32 = 13;
    /// Wrong user or password.
    pub const AUTHENTICATION_FAILED: i32 = 18;
    /// The command is not allowed in this state.
    pub const ILLEGAL_OPERATION: i32 = 20;
    /// The set was initiated before.
    pub const ALREADY_INITIALIZED: i32 = 23;
    /// The command's own deadline passed.
    pub const MAX_TIME_MS_EXPIRED: i32 = 50;
    /// No such shard.
    pub const SHARD_NOT_FOUND: i32 = 70;
    /// A host does not resolve, does not answer, or is not this server.
    pub const NODE_NOT_FOUND: i32 = 74;
    /// Started without `--replSet`.
    pub const NO_REPLICATION_ENABLED: i32 = 76;
    /// The config breaks a rule, or does not list this server.
    pub const INVALID_REPLICA_SET_CONFIG: i32 = 93;
    /// No config yet.
    pub const NOT_YET_INITIALIZED: i32 = 94;
    /// The server waited in vain for another one.
    pub const NETWORK_TIMEOUT: i32 = 89;
    /// The server ends.
    pub const SHUTDOWN_IN_PROGRESS: i32 = 91;
    /// `replSetFreeze` on a primary.
    pub const NOT_SECONDARY: i32 = 95;
    /// A sharding command failed.
    pub const OPERATION_FAILED: i32 = 96;
    /// The config does not follow from the present one.
    pub const NEW_CONFIG_INCOMPATIBLE: i32 = 103;
    /// This server could not be elected under the config.
    pub const NODE_NOT_ELECTABLE: i32 = 104;
    /// Another set answers there.
    pub const INCONSISTENT_SET_NAMES: i32 = 108;
    /// Another reconfiguration runs.
    pub const CONFIGURATION_IN_PROGRESS: i32 = 109;
    /// Another step-down runs.
    pub const CONFLICTING_OPERATION: i32 = 117;
    /// No primary is known.
    pub const FAILED_TO_SATISFY_READ_PREFERENCE: i32 = 133;
    /// The primary stepped down meanwhile.
    pub const PRIMARY_STEPPED_DOWN: i32 = 189;
    /// The keys that sign cluster times have not been replicated to this member yet.
    pub const KEY_NOT_FOUND: i32 = 211;
    /// A deadline passed: for a step-down, no secondary caught up.
    pub const EXCEEDED_TIME_LIMIT: i32 = 262;
    /// The present config is not held by a majority yet.
    pub const CONFIG_NOT_COMMITTED: i32 = 308;
    /// The server's connection to another one broke.
    pub const SOCKET_EXCEPTION: i32 = 9001;
    /// Not the primary.
    pub const NOT_WRITABLE_PRIMARY: i32 = 10107;
    /// The server ended in the middle of the command.
    pub const INTERRUPTED_AT_SHUTDOWN: i32 = 11600;
    /// The server changed its state in the middle of the command.
    pub const INTERRUPTED_BY_STATE_CHANGE: i32 = 11602;
    /// Not a primary, and the read did not allow a secondary.
    pub const NOT_PRIMARY_NO_SECONDARY_OK: i32 = 13435;
    /// Neither primary nor secondary.
    pub const NOT_PRIMARY_OR_SECONDARY: i32 = 13436;
    /// The user exists.
    pub const USER_EXISTS: i32 = 51003;
}

/// Classifies a server's error code. An unknown code asks for an observation: it may have changed
/// something, and if it was nothing, the same step is planned again.
pub fn classify(code: i32) -> ErrorClass {
    match code {
        code::CONFIG_NOT_COMMITTED
        | code::HOST_UNREACHABLE
        | code::HOST_NOT_FOUND
        | code::CONFLICTING_OPERATION
        | code::EXCEEDED_TIME_LIMIT
        | code::NOT_YET_INITIALIZED
        | code::KEY_NOT_FOUND
        | code::FAILED_TO_SATISFY_READ_PREFERENCE
        | code::NODE_NOT_FOUND => ErrorClass::Transient,
        code::BAD_VALUE
        | code::UNAUTHORIZED
        | code::AUTHENTICATION_FAILED
        | code::ILLEGAL_OPERATION
        | code::NO_REPLICATION_ENABLED
        | code::INVALID_REPLICA_SET_CONFIG
        | code::NODE_NOT_ELECTABLE
        | code::INCONSISTENT_SET_NAMES => ErrorClass::NeedsPerson,
        _ => ErrorClass::NeedsObservation,
    }
}

/// The name of a code that the engine knows, as a stable CamelCase reason.
pub fn name(code: i32) -> Option<&'static str> {
    Some(match code {
        code::BAD_VALUE => "BadValue",
        code::HOST_UNREACHABLE => "HostUnreachable",
        code::HOST_NOT_FOUND => "HostNotFound",
        code::UNAUTHORIZED => "Unauthorized",
        code::AUTHENTICATION_FAILED => "AuthenticationFailed",
        code::ILLEGAL_OPERATION => "IllegalOperation",
        code::ALREADY_INITIALIZED => "AlreadyInitialized",
        code::MAX_TIME_MS_EXPIRED => "MaxTimeMSExpired",
        code::NODE_NOT_FOUND => "NodeNotFound",
        code::NO_REPLICATION_ENABLED => "NoReplicationEnabled",
        code::NETWORK_TIMEOUT => "NetworkTimeout",
        code::SHUTDOWN_IN_PROGRESS => "ShutdownInProgress",
        code::INVALID_REPLICA_SET_CONFIG => "InvalidReplicaSetConfig",
        code::NOT_YET_INITIALIZED => "NotYetInitialized",
        code::NOT_SECONDARY => "NotSecondary",
        code::OPERATION_FAILED => "OperationFailed",
        code::NEW_CONFIG_INCOMPATIBLE => "NewReplicaSetConfigurationIncompatible",
        code::NODE_NOT_ELECTABLE => "NodeNotElectable",
        code::INCONSISTENT_SET_NAMES => "InconsistentReplicaSetNames",
        code::CONFIGURATION_IN_PROGRESS => "ConfigurationInProgress",
        code::CONFLICTING_OPERATION => "ConflictingOperationInProgress",
        code::FAILED_TO_SATISFY_READ_PREFERENCE => "FailedToSatisfyReadPreference",
        code::PRIMARY_STEPPED_DOWN => "PrimarySteppedDown",
        code::KEY_NOT_FOUND => "KeyNotFound",
        code::EXCEEDED_TIME_LIMIT => "ExceededTimeLimit",
        code::CONFIG_NOT_COMMITTED => "CurrentConfigNotCommittedYet",
        code::SOCKET_EXCEPTION => "SocketException",
        code::NOT_WRITABLE_PRIMARY => "NotWritablePrimary",
        code::INTERRUPTED_AT_SHUTDOWN => "InterruptedAtShutdown",
        code::INTERRUPTED_BY_STATE_CHANGE => "InterruptedDueToReplStateChange",
        code::NOT_PRIMARY_NO_SECONDARY_OK => "NotPrimaryNoSecondaryOk",
        code::NOT_PRIMARY_OR_SECONDARY => "NotPrimaryOrSecondary",
        code::USER_EXISTS => "UserExists",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
