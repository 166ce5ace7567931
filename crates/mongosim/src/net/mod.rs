//! Connections from this node to other members.

mod connection;
mod faults;
mod pool;
mod stream;
mod tls;

pub use connection::{Connection, NetError};
pub use faults::Faults;
pub use pool::PeerPool;
pub(crate) use stream::Stream;
pub use tls::{Tls, TlsError, TlsMode, TlsOptions};

/// `host` with `:27017` appended when it names no port.
pub fn with_default_port(host: &str) -> String {
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port { host.to_owned() } else { format!("{host}:27017") }
}
