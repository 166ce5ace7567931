//! Whose group a server is of: by the ids that the anchors have, or that the database's own token makes.

use crate::goal::{Goal, Seed, SeedSource};
use crate::ids;
use crate::names::{ClusterId, PodName, Url};

/// A database has seldom had more than two groups: one more with every recovery.
const INCARNATIONS: u32 = 16;

/// The seed's record for a member that begins a group of this database.
pub(crate) fn seed(goal: &Goal, pod: &PodName, peer_url: &Url, incarnation: u32, source: SeedSource) -> Seed {
    let token = crate::names::Token::of(&goal.uid, incarnation);
    let member_id = ids::member_id(std::slice::from_ref(peer_url), &token);
    let cluster_id = ids::cluster_id(&[member_id]);
    Seed { pod: pod.clone(), incarnation, member_id, cluster_id, source }
}

/// Finds the seed of a group where the anchors do not name it: an id that follows from the database's token and the URL
/// of a member of ours is a group of ours, because nobody else has that token.
pub(crate) fn recognise(goal: &Goal, cluster_id: ClusterId) -> Option<Seed> {
    (0..INCARNATIONS).find_map(|incarnation| {
        let mut seeds = goal.known().map(|(pod, url, _)| seed(goal, pod, url, incarnation, SeedSource::Empty));
        seeds.find(|seed| seed.cluster_id == cluster_id)
    })
}
