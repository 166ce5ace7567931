//! A name server for one replica set: its SRV and TXT records, and the addresses of its members.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;

/// The domain that the members are in.
pub(crate) const DOMAIN: &str = "kogge.test";
/// The name that stands for the set.
pub(crate) const SET: &str = "db.kogge.test";

const A: u16 = 1;
const TXT: u16 = 16;
const SRV: u16 = 33;

/// Answers queries: members are `m0.kogge.test` and so on, all on 127.0.0.1.
pub(crate) struct Responder {
    socket: UdpSocket,
    ports: Vec<u16>,
    options: String,
}

impl Responder {
    /// Listens on an address; `options` is the TXT record's text.
    pub(crate) async fn bind(address: SocketAddr, ports: Vec<u16>, options: &str) -> std::io::Result<Self> {
        Ok(Self { socket: UdpSocket::bind(address).await?, ports, options: options.to_owned() })
    }

    /// Answers for as long as the task is not dropped.
    pub(crate) async fn serve(self) -> std::io::Result<()> {
        let mut buffer = [0; 512];
        loop {
            let (length, peer) = self.socket.recv_from(&mut buffer).await?;
            if let Some(answer) = self.answer(&buffer[..length]) {
                self.socket.send_to(&answer, peer).await?;
            }
        }
    }

    /// The answer to a query with one question (RFC 1035, section 4); `None` when it is not one.
    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (name, end) = question(query)?;
        let kind = u16::from_be_bytes(query.get(end..end + 2)?.try_into().ok()?);
        let member = name
            .strip_suffix(DOMAIN)
            .and_then(|name| name.strip_prefix('m')?.strip_suffix('.')?.parse::<usize>().ok());
        let is_member = member.is_some_and(|i| i < self.ports.len());
        let known = is_member || name == SET || name == format!("_mongodb._tcp.{SET}");
        let records: Vec<Vec<u8>> = match kind {
            A if is_member => vec![Ipv4Addr::LOCALHOST.octets().to_vec()],
            TXT if name == SET => vec![[&[self.options.len() as u8], self.options.as_bytes()].concat()],
            SRV if name == format!("_mongodb._tcp.{SET}") => {
                let target = |(i, port): (usize, &u16)| {
                    let mut record = vec![0, 0, 0, 0];
                    record.extend(port.to_be_bytes());
                    for label in [format!("m{i}").as_str()].into_iter().chain(DOMAIN.split('.')) {
                        record.push(label.len() as u8);
                        record.extend(label.as_bytes());
                    }
                    record.push(0);
                    record
                };
                self.ports.iter().enumerate().map(target).collect()
            }
            _ => Vec::new(),
        };
        // An answer, authoritative, with recursion; no such name where there is none.
        let flags: u16 = if known { 0x8580 } else { 0x8583 };
        let mut answer = query[..2].to_vec();
        for word in [flags, 1, records.len() as u16, 0, 0] {
            answer.extend(word.to_be_bytes());
        }
        answer.extend(&query[12..end + 4]);
        for record in records {
            // The name is that of the question, at byte 12; class IN; ten seconds to live.
            answer.extend([0xc0, 12]);
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1, 0, 0, 0, 10]);
            answer.extend((record.len() as u16).to_be_bytes());
            answer.extend(record);
        }
        Some(answer)
    }
}

/// The name of the first question, in small letters, and where it ends.
fn question(query: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
        at += length;
    }
}
