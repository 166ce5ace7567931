//! The engines that the operator runs, and with each of them its kind of database. Another one is another line here.

use kube::Client;

use crate::database::{Registered, kind};
use crate::undecodable::UndecodableObjects;

/// Every engine, ready to run.
pub(crate) fn registered(client: &Client, undecodable: &UndecodableObjects) -> Vec<Box<dyn Registered>> {
    vec![
        kind::<kogge_mongo_client::Engine>(client, undecodable),
        kind::<kogge_etcd_client::Engine>(client, undecodable),
    ]
}
