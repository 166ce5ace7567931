//! The way to one database's servers.

use std::sync::Arc;
use std::time::Duration;

use crate::credentials::Credentials;
use crate::reach::MemberReach;

/// How the operator reaches one database's servers, and as whom.
#[derive(Clone)]
pub struct ClusterAccess {
    /// The way to the pods that run now.
    pub reach: Arc<dyn MemberReach>,
    /// Who Kogge is, and whom it trusts.
    pub credentials: Credentials,
    /// `--election-timeout` of the members: a change has an answer within 5 s and twice this, or its outcome is unknown.
    pub election_timeout: Duration,
}
