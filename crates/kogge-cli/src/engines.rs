//! The engines whose databases the command line works on, and with each of them its kind. Another one is another line
//! here.

use crate::kind::{Kind, kind};

/// The kind of database of every engine.
pub(crate) const REGISTERED: [&dyn Kind; 2] =
    [kind::<kogge_mongo_client::Engine>(), kind::<kogge_etcd_client::Engine>()];
