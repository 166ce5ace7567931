//! Pure: the seam between an engine and everything else.
//!
//! An engine turns pods of several data centres into one database. The pods that keep one set of data in common are a
//! *group*, and its *members* have a name and a disk each; a database has one group or several, and may have other pods
//! that are all alike, such as routers.
//!
//! [`Engine`] is what an engine must answer, in words that all engines share: the components of a spec, the goal, and what
//! it makes of what its client observed, an [`EngineView`]. Nothing else of Kogge knows one engine from another. What an
//! engine needs beside that, such as how old an observation may be, is here as well, so that no two engines differ in it.

mod component;
mod database;
mod engine;
mod error_class;
mod goal;
mod heard;
mod holding;
mod identity;
mod names;
mod observation;
mod pod;
mod requests;
mod spec;
mod step;
mod view;

pub use component::{Component, Port, Share};
pub use database::{Database, PlacementFacts};
pub use engine::Engine;
pub use error_class::ErrorClass;
pub use goal::{GoalInput, Member};
pub use heard::Heard;
pub use holding::{Holding, silence};
pub use identity::Identity;
pub use kogge_api::DatabaseStatus;
pub use kogge_api::anchor::{Record, SeedsDisagree};
pub use kogge_plan::ComponentKey;
pub use names::{GroupName, Placement, PodName, Vdc};
pub use observation::{Millis, OBSERVATION_MAX_AGE, OBSERVATIONS_TO_BELIEVE};
pub use pod::{Pod, PodFacts};
pub use requests::Requests;
pub use spec::InvalidSpec;
pub use step::{Executor, Step};
pub use view::{Approval, EngineView, Finding, Group, Health, Listed, MemberView, RECOVERY_REFUSED, Waiting};
