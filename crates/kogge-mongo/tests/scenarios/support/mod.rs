//! Servers and sets of them, and the operator that looks at them.

mod config;
mod operator;
mod process;
mod relay;
mod release;
mod server;
mod set;
mod waiting;
mod wire;

pub(crate) use config::{Edit, member};
pub(crate) use operator::{Operator, pod, step_about};
pub(crate) use process::not_on_a_real_mongod;
pub(crate) use relay::{Answer, Fault, Relay};
pub(crate) use release::Release;
pub(crate) use server::{Server, accepted, code_of};
pub(crate) use set::{KEY, Lab, Set, heal, member_args, partition};
pub(crate) use waiting::{eventually, stays, wait_for};
pub(crate) use wire::ask;

/// `replSetGetStatus`'s numbers of the states that the scenarios name.
pub(crate) mod state {
    pub(crate) const PRIMARY: i32 = 1;
    pub(crate) const SECONDARY: i32 = 2;
    pub(crate) const STARTUP2: i32 = 5;
    pub(crate) const ARBITER: i32 = 7;
}
