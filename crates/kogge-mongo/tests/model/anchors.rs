//! What each worker remembers, as `kogge-plan` joins and writes it.

use std::cmp::Ordering;

use crate::protocol::SLOTS;

/// The anchor's record of one member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Remembered {
    pub(crate) id: Option<u8>,
    pub(crate) initialized: bool,
}

/// The anchor in one worker; epoch 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Anchor {
    pub(crate) owner: u8,
    pub(crate) epoch: u8,
    pub(crate) seed: Option<u8>,
    pub(crate) next_id: u8,
    pub(crate) members: [Option<Remembered>; SLOTS],
}

/// Two anchors that name different seeds.
#[derive(Debug)]
pub(crate) struct SeedsDisagree;

impl Anchor {
    /// Adds what another one knows, as `kogge_plan::anchors::join` does.
    pub(crate) fn join(&mut self, other: &Self) -> Result<(), SeedsDisagree> {
        if let Some(seed) = other.seed
            && *self.seed.get_or_insert(seed) != seed
        {
            return Err(SeedsDisagree);
        }
        self.epoch = self.epoch.max(other.epoch);
        self.next_id = self.next_id.max(other.next_id);
        for (known, member) in self.members.iter_mut().zip(other.members) {
            let Some(member) = member else { continue };
            let known = known.get_or_insert_default();
            match member.id.cmp(&known.id) {
                Ordering::Greater => *known = member,
                Ordering::Equal => known.initialized |= member.initialized,
                Ordering::Less => {}
            }
        }
        Ok(())
    }
}
