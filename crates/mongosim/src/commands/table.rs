use crate::auth::Privilege;

/// What a command needs; `None` when there is no such command.
pub fn privilege<'a>(name: &str, db: &'a str) -> Option<Privilege<'a>> {
    Some(match name {
        "hello" | "isMaster" | "ismaster" | "ping" | "buildInfo" | "buildinfo" | "saslStart" | "saslContinue"
        | "logout" | "whatsmyuri" | "connectionStatus" | "_isSelf" | "getnonce" => Privilege::Public,
        "endSessions" | "startSession" | "refreshSessions" | "killSessions" | "listCommands" | "getMore"
        | "killCursors" | "listDatabases" => Privilege::Authenticated,
        "find" | "count" | "aggregate" | "distinct" | "listCollections" | "listIndexes" | "dbStats"
        | "collStats" | "explain" => Privilege::Read(db),
        "insert" | "update" | "delete" | "findAndModify" | "findandmodify" | "create" | "drop"
        | "createIndexes" | "dropIndexes" | "dropDatabase" | "renameCollection" | "profile" => {
            Privilege::Write(db)
        }
        "createUser"
        | "updateUser"
        | "dropUser"
        | "usersInfo"
        | "grantRolesToUser"
        | "revokeRolesFromUser"
        | "rolesInfo" => Privilege::UserAdmin(db),
        "replSetGetStatus"
        | "replSetGetConfig"
        | "getParameter"
        | "getLog"
        | "serverStatus"
        | "hostInfo"
        | "listShards"
        | "getShardMap"
        | "balancerStatus"
        | "getDefaultRWConcern"
        | "getCmdLineOpts"
        | "shardingState"
        | "top" => Privilege::Monitor,
        "replSetInitiate"
        | "replSetReconfig"
        | "replSetStepDown"
        | "replSetFreeze"
        | "shutdown"
        | "setParameter"
        | "configureFailPoint"
        | "addShard"
        | "removeShard"
        | "movePrimary"
        | "balancerStart"
        | "balancerStop"
        | "setDefaultRWConcern"
        | "setFeatureCompatibilityVersion"
        | "fsync"
        | "flushRouterConfig"
        | "rotateCertificates" => Privilege::Manage,
        "replSetHeartbeat"
        | "replSetRequestVotes"
        | "replSetUpdatePosition"
        | "replSetStepUp"
        | "_configsvrAddShard"
        | "_configsvrRemoveShard"
        | "_configsvrMovePrimary"
        | "_configsvrCreateDatabase"
        | "_shardsvrCloseDatabase"
        | "_shardsvrOpenDatabase"
        | "_shardsvrDonateRange"
        | "_shardsvrReceiveRange"
        | "_configsvrBalancerStart"
        | "_configsvrBalancerStop"
        | "_configsvrBalancerStatus" => Privilege::Internal,
        _ => return None,
    })
}
