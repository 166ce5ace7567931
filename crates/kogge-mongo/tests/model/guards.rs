//! What the proof rests on, one switch each: a mutation drops one and must be caught.

/// Preconditions that hold in earnest. Those of servers are MongoDB's, those of the executor are in
/// `kogge-mongo-client` and `kogge-plan`, those of the environment are what Kogge keeps away from servers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guards {
    /// A server votes once per term.
    pub(crate) one_vote_per_term: bool,
    /// A voter refuses a candidate whose oplog is behind its own.
    pub(crate) vote_for_newer_oplog: bool,
    /// A voter refuses a candidate whose config is behind its own.
    pub(crate) vote_for_newer_config: bool,
    /// A winner needs a majority of its own config's voters.
    pub(crate) majority_elects: bool,
    /// A primary commits only entries of its own term.
    pub(crate) commit_in_own_term: bool,
    /// A reconfiguration waits until the present config is held by a majority.
    pub(crate) config_committed: bool,
    /// A reconfiguration waits until what was committed is committed in the present config.
    pub(crate) oplog_committed: bool,
    /// A reconfiguration changes at most one voter.
    pub(crate) one_voter_at_once: bool,
    /// The executor changes only the config that the step was planned on.
    pub(crate) planned_config: bool,
    /// A pod is deleted only under the uid and resourceVersion that the step was planned on.
    pub(crate) pod_facts: bool,
    /// Only the leader deletes pods.
    pub(crate) lease: bool,
    /// An anchor is written only where it still is what was observed.
    pub(crate) anchor_version: bool,
    /// Nothing is written for a database that no anchor knows before every placement was seen.
    pub(crate) first_sight: bool,
    /// Another control cluster's database is left alone.
    pub(crate) owner: bool,
    /// A control cluster whose epoch is behind the anchors' writes nothing.
    pub(crate) epoch: bool,
    /// The gate in the pod: an empty disk does not start where the anchor says that it held data.
    pub(crate) gate: bool,
    /// The gate looks at every start, also where only the container is started again.
    pub(crate) gate_every_start: bool,
    /// A server that has not loaded its config yet is not taken for one with an empty disk.
    pub(crate) starting_is_not_empty: bool,
    /// No member comes back from a copy with its old term, vote and oplog.
    pub(crate) no_restored_copy: bool,
    /// One process answers to one member's name.
    pub(crate) one_identity: bool,
    /// Only the recorded seed is initiated.
    pub(crate) one_initiate: bool,
    /// Nothing is ever forced.
    pub(crate) no_force: bool,
}

impl Guards {
    /// As it is in earnest.
    pub(crate) const ALL: Self = Self {
        one_vote_per_term: true,
        vote_for_newer_oplog: true,
        vote_for_newer_config: true,
        majority_elects: true,
        commit_in_own_term: true,
        config_committed: true,
        oplog_committed: true,
        one_voter_at_once: true,
        planned_config: true,
        pod_facts: true,
        lease: true,
        anchor_version: true,
        first_sight: true,
        owner: true,
        epoch: true,
        gate: true,
        gate_every_start: true,
        starting_is_not_empty: true,
        no_restored_copy: true,
        one_identity: true,
        one_initiate: true,
        no_force: true,
    };
}
