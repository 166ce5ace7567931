//! One pass over a database, written once: the order of its questions, as a state machine without IO.
//!
//! [`next`] looks at what is [`Known`] and returns what to do next: what to read, whom to ask, what to write and carry
//! out, and when to come again. The caller does it, adds the answer to what is known, and calls [`next`] again. The
//! operator answers with its clients, `kogge plan` without a write, and the tests with a simulated world; the order
//! of claim → sight → accept → ask → plan → carry out → report is none of theirs.
//!
//! A pass has no memory of the one before: it begins with [`Start`], and whoever is killed begins again.

mod accept;
mod after;
mod carried;
mod deletion;
mod error;
mod known;
mod look;
mod pace;
mod ready;
mod title;

use kogge_engine::Engine;

use crate::plan::plan;
use crate::report::soaking_for;
use crate::secrets::Mint;
use pace::{BLOCKED, BUSY, blocked, is_protected};
use title::{Title, is_unidentified};

pub use after::is_reported;
pub use carried::Carried;
pub use error::PassError;
pub use known::{Asked, ControlState, Endings, Known, Revisions, Start};
pub use look::{Again, Event, Look, MembersAnswer, MembersWork, Read, Severity, Standing, Then, Write};
pub use ready::{Held, Ready, RenderInput};

/// What to do next, for what is known. `mint` is only used where a key, a certificate or a clusterID is to be made.
pub fn next<'a, E: Engine>(known: &Known<'a, E>, mint: &mut dyn Mint) -> Result<Look<'a, E>, PassError> {
    match &known.asked {
        None => before_members(known, mint),
        Some(asked) => match &asked.plan {
            None => {
                let observation = &asked.ready.prepared.observation;
                let healthy_for = soaking_for(observation.database, known.start.now);
                let plan = plan(&asked.ready.prepared, &asked.topology, known.start.clock, healthy_for)?;
                Ok(Look::Queue(Box::new(plan)))
            }
            Some(plan) => match &asked.carried {
                None => Ok(Look::CarryOut),
                Some(carried) => after::next(known, asked, plan, carried, mint),
            },
        },
    }
}

/// Claim, sight and acceptance: everything that comes before the members are asked.
fn before_members<'a, E: Engine>(known: &Known<'a, E>, mint: &mut dyn Mint) -> Result<Look<'a, E>, PassError> {
    let start = known.start;
    match title::look(known) {
        Title::Read(what) => return Ok(Look::Read(what)),
        Title::Refused(problem) => return Ok(title::refused(start, &problem)),
        Title::Own => {}
    }
    if start.database.metadata.deletion_timestamp.is_some() {
        if let Some(look) = deletion::next(known) {
            return Ok(look);
        }
    } else if !is_protected(start) || is_unidentified(start) {
        let write = Write::Claim { id: start.database.cluster_id.clone() };
        return Ok(Look::Write(Box::new(write), Then::End(Again::OnChange)));
    }
    let sighting = known.sighting();
    if start.settling_in && !sighting.is_complete(start.fleet) {
        return Ok(Look::Done(BUSY));
    }
    if let Some(problem) = sighting.problem() {
        return Ok(blocked(start, &problem, BLOCKED));
    }
    let Some(identity) = sighting.identity() else {
        let write = Write::Claim { id: Some(mint.cluster_id()) };
        return Ok(Look::Write(Box::new(write), Then::End(Again::OnChange)));
    };
    accept::next(known, identity, sighting, mint)
}
