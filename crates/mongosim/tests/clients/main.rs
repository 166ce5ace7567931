//! Real clients, unmodified, as people use them: the shell `mongosh` and Python's driver.

mod dns;
mod installed;
mod python;
mod secured;
mod sessions;
mod shell;
mod srv;
#[allow(dead_code)] // The tests of servers use the rest of it.
#[path = "../server/support.rs"]
mod support;

use anyhow::Context as _;
use installed::Clients;

/// The clients that the setup has installed; a test without them fails.
fn clients() -> anyhow::Result<Clients> {
    let clients = match std::env::var_os("KOGGE_CLIENTS") {
        Some(folder) => Clients::within(folder.into()),
        None => Clients::of_this_user().context("neither XDG_CACHE_HOME nor HOME is set")?,
    };
    anyhow::ensure!(
        clients.mongosh().is_file() && clients.python().exists(),
        "mongosh and pymongo are not in {}: run `cargo xtask setup`",
        clients.folder().display()
    );
    Ok(clients)
}
