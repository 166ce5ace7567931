//! Observing and changing real etcd servers, of each minor release that Kogge runs. They listen on this machine's
//! loopback, on ports that were free, with their data in a temporary folder.

mod alarms;
mod certificates;
mod faults;
mod group;
mod login;
mod membership;
mod observing;
mod outcome;
mod rotation;
mod server;
mod tls;
mod wait;
mod web;
