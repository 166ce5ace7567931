//! 40: the first user.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use anyhow::Result;
use mongodb::bson::{Document, doc};
use mongosim::options::ServerArgs;

use crate::support::{KEY, Lab, accepted, ask, code_of, eventually, member, member_args};

fn create_user(name: &str) -> Document {
    doc! { "createUser": name, "pwd": "a password", "roles": ["root"] }
}

/// An address of this machine that is not loopback. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[tokio::test(flavor = "multi_thread")]
async fn h40_the_first_user_comes_over_loopback_and_only_once() -> Result<()> {
    let lab = Lab::with_room(1).await?;
    let args = ServerArgs { key_file: Some(lab.key_file()?), bind_ip_all: true, ..member_args("h40") };
    let set = lab.fresh_with(1, args).await?;
    set.initiate(set.config()).await?;
    let server = &set.members[0];
    match own_address() {
        Some(address) => {
            let remote = format!("{address}:{}", server.port());
            let refused = accepted(ask(&remote, "admin", &create_user("remote")).await?);
            assert_eq!(code_of(&refused), 13);
        }
        None => eprintln!("h40: createUser from elsewhere was not run: this machine has loopback only"),
    }
    assert_eq!(server.code(create_user("first")).await, 0);
    eventually("the user to be known", async || server.code(create_user("second")).await == 13).await?;
    // What the members are to each other, whoever has the key is to them.
    let system = format!("mongodb://__system:{KEY}@{}/?directConnection=true&authSource=local", server.host());
    let system = mongodb::Client::with_uri_str(system).await?;
    system.database("admin").run_command(doc! { "replSetGetConfig": 1 }).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h40_a_peer_with_another_key_fails_the_initiate_with_74() -> Result<()> {
    let lab = Lab::with_room(2).await?;
    let ours = ServerArgs { key_file: Some(lab.key_file()?), ..member_args("h40") };
    let other_key = lab.key_file_with("other-key", "YW5vdGhlciBrZXk=")?;
    let theirs = ServerArgs { key_file: Some(other_key), ..member_args("h40") };
    let set = lab.fresh_with(1, ours).await?;
    let stranger = lab.server(theirs).await?;
    let members = [member(0, &set.members[0].host()), member(1, &stranger.host())];
    let config = doc! { "_id": "h40", "version": 1, "members": members.to_vec() };
    assert_eq!(set.members[0].code(doc! { "replSetInitiate": config }).await, 74);
    Ok(())
}
