//! Workers behind proxies: named by the kubeconfig or by the environment.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kogge_api::conditions::{Status, worker_cluster as conditions};
use kogge_fleet::{Fleet, FleetOptions, ProxyEnvironment};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use crate::api::Api;
use crate::support::{document, options, secret, until_condition, worker};

/// A proxy that leads to one place, whatever it is asked for, and notes down what that was.
struct Proxy {
    address: SocketAddr,
    asked: Arc<parking_lot::Mutex<Vec<String>>>,
    used: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Clone, Copy)]
enum Speaks {
    Http,
    Socks5,
}

impl Proxy {
    async fn start(speaks: Speaks, to: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (asked, used) = (Arc::<parking_lot::Mutex<Vec<String>>>::default(), Arc::<AtomicUsize>::default());
        let (notes, count) = (Arc::clone(&asked), Arc::clone(&used));
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (notes, count) = (Arc::clone(&notes), Arc::clone(&count));
                tokio::spawn(async move {
                    count.fetch_add(1, Ordering::SeqCst);
                    let wanted = match speaks {
                        Speaks::Http => connect(&mut client).await?,
                        Speaks::Socks5 => socks5(&mut client).await?,
                    };
                    notes.lock().push(wanted);
                    copy_bidirectional(&mut client, &mut TcpStream::connect(to).await?).await?;
                    anyhow::Ok(())
                });
            }
        });
        Ok(Self { address, asked, used, _task: AbortOnDropHandle::new(task) })
    }
}

async fn connect(client: &mut TcpStream) -> anyhow::Result<String> {
    let mut lines = BufReader::new(&mut *client).lines();
    let mut head = Vec::new();
    while let Some(line) = lines.next_line().await?.filter(|line| !line.is_empty()) {
        head.push(line);
    }
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    Ok(head.join("\n"))
}

async fn socks5(client: &mut TcpStream) -> anyhow::Result<String> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting).await?;
    let mut methods = vec![0; usize::from(greeting[1])];
    client.read_exact(&mut methods).await?;
    client.write_all(&[5, 0]).await?;
    let mut request = [0; 4];
    client.read_exact(&mut request).await?;
    anyhow::ensure!(request[3] == 3, "the name is to be resolved by the proxy, address type {}", request[3]);
    let mut name = vec![0; usize::from(client.read_u8().await?)];
    client.read_exact(&mut name).await?;
    let port = client.read_u16().await?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    Ok(format!("{}:{port}", String::from_utf8(name)?))
}

/// A kubeconfig whose address only the proxy knows.
fn hidden(api: &Api, server: &str) -> Value {
    let mut document = document(api);
    let cluster = &mut document["clusters"][0]["cluster"];
    cluster["server"] = json!(server);
    cluster["tls-server-name"] = json!("127.0.0.1");
    document
}

fn environment(https_proxy: &str, no_proxy: &str) -> FleetOptions {
    let proxies = ProxyEnvironment::new(|name| match name {
        "HTTPS_PROXY" => Some(https_proxy.to_owned()),
        "NO_PROXY" => Some(no_proxy.to_owned()),
        _ => None,
    });
    FleetOptions { proxies, ..options() }
}

#[tokio::test]
async fn field_17_a_worker_is_reached_through_the_proxy_of_its_kubeconfig() -> anyhow::Result<()> {
    for (speaks, scheme) in [(Speaks::Http, "http://user:p%40ss@"), (Speaks::Socks5, "socks5://")] {
        let api = Api::start("uid-1").await?;
        let proxy = Proxy::start(speaks, api.address).await?;
        let mut document = hidden(&api, "https://api.hidden.invalid:6443");
        document["clusters"][0]["cluster"]["proxy-url"] = json!(format!("{scheme}{}", proxy.address));
        // NO_PROXY is about the environment's proxy alone.
        let fleet = Fleet::new(environment("http://127.0.0.1:1", "*"));
        fleet.upsert(&worker("w"), &secret(&document));
        until_condition(&fleet, "w", conditions::READY, Status::True, "Ready").await?;
        let asked = proxy.asked.lock().clone();
        assert!(asked.iter().all(|head| head.contains("api.hidden.invalid:6443")), "{asked:?}");
        if matches!(speaks, Speaks::Http) {
            // user:p@ss
            let login = asked.iter().all(|head| head.to_lowercase().contains("proxy-authorization: basic"));
            assert!(login && asked.iter().all(|head| head.contains("dXNlcjpwQHNz")), "{asked:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn field_17_the_environment_names_the_proxy_and_who_is_reached_without_it() -> anyhow::Result<()> {
    // Nothing listens there, and it is not this machine by the rules of proxies.
    const NOWHERE: &str = "https://0.0.0.0:1";
    let api = Api::start("uid-1").await?;
    let proxy = Proxy::start(Speaks::Http, api.address).await?;
    let through = format!("http://{}", proxy.address);
    let fleet = Fleet::new(environment(&through, "10.0.0.0/8,.svc,127.0.0.1"));
    fleet.upsert(&worker("w"), &secret(&hidden(&api, NOWHERE)));
    until_condition(&fleet, "w", conditions::READY, Status::True, "Ready").await?;
    drop(fleet);

    // A server that NO_PROXY covers is asked directly.
    let used = proxy.used.load(Ordering::SeqCst);
    let direct = Fleet::new(environment(&through, "0.0.0.0/8"));
    direct.upsert(&worker("w"), &secret(&hidden(&api, NOWHERE)));
    until_condition(&direct, "w", conditions::API_REACHABLE, Status::False, "ConnectionFailed").await?;
    // So is this machine.
    direct.upsert(&worker("here"), &secret(&document(&api)));
    until_condition(&direct, "here", conditions::READY, Status::True, "Ready").await?;
    assert_eq!(proxy.used.load(Ordering::SeqCst), used);

    // A proxy that does not answer is named.
    let gone = Fleet::new(environment("http://user:t0ps3cret@127.0.0.1:1", ""));
    gone.upsert(&worker("w"), &secret(&hidden(&api, NOWHERE)));
    let told = until_condition(&gone, "w", conditions::API_REACHABLE, Status::False, "ConnectionFailed").await?;
    assert!(told.contains("through the proxy http://127.0.0.1:1") && !told.contains("t0ps3cret"), "{told}");

    let broken = Fleet::new(environment("ftp://t0ps3cret@proxy", ""));
    broken.upsert(&worker("w"), &secret(&hidden(&api, NOWHERE)));
    let told =
        until_condition(&broken, "w", conditions::CREDENTIALS_VALID, Status::False, "KubeconfigProxy").await?;
    assert!(told.contains("HTTPS_PROXY") && !told.contains("t0ps3cret"), "{told}");
    Ok(())
}
