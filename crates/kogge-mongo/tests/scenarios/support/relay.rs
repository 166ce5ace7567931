//! A relay between the operator and a server, which breaks one command in the middle.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the operator gets for the command, once; everything before and after it goes through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) command: &'static str,
    /// Whether the server gets the command and carries it out.
    pub(crate) delivered: bool,
    pub(crate) answer: Answer,
}

/// In place of the server's answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// The connection is reset.
    Reset,
    /// These bytes.
    Garbage(&'static [u8]),
    /// Nothing, and the connection stays.
    Silence,
}

/// A relay to a server of this machine; it ends with the test's runtime.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    struck: Arc<AtomicBool>,
}

impl Relay {
    pub(crate) async fn to(port: u16, fault: Fault) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let struck = Arc::new(AtomicBool::new(false));
        let strikes = struck.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A connection ends with an error when either side closes it.
                tokio::spawn(carry(client, port, fault, strikes.clone()));
            }
        });
        Ok(Self { address, struck })
    }

    /// Whether the fault has come about.
    pub(crate) fn has_struck(&self) -> bool {
        self.struck.load(Ordering::SeqCst)
    }
}

/// Requests and answers in turn, as the driver sends them.
async fn carry(mut client: TcpStream, port: u16, fault: Fault, struck: Arc<AtomicBool>) -> io::Result<()> {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    loop {
        let request = message(&mut client).await?;
        let strikes = names(&request, fault.command) && !struck.swap(true, Ordering::SeqCst);
        let mut answer = None;
        if !strikes || fault.delivered {
            server.write_all(&request).await?;
            answer = Some(message(&mut server).await?);
        }
        match (strikes, fault.answer) {
            (false, _) => client.write_all(&answer.unwrap_or_default()).await?,
            (true, Answer::Reset) => return client.set_zero_linger(),
            (true, Answer::Garbage(bytes)) => client.write_all(bytes).await?,
            (true, Answer::Silence) => return client.read_to_end(&mut Vec::new()).await.map(drop),
        }
    }
}

/// A message as it stands on the wire: its length, in the first four bytes, counts itself.
async fn message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u32_le().await?;
    let mut message = length.to_le_bytes().to_vec();
    message.resize(length as usize, 0);
    stream.read_exact(&mut message[4..]).await?;
    Ok(message)
}

/// The operator's driver compresses nothing, so that a command's name stands in its message as BSON has it.
fn names(message: &[u8], command: &str) -> bool {
    let key = [command.as_bytes(), &[0]].concat();
    message.windows(key.len()).any(|window| window == key)
}
