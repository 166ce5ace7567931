//! Every generation of a rotation on real servers, restarted one by one, while a client writes with majority concern.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kogge_api::federated_cluster::{RotationSpec, SecuritySpec, TlsMode, TlsSpec};
use kogge_database::secrets::{DatabaseSecrets, Generation, Wanted};
use kogge_engine::{Engine as _, Identity};
use kogge_mongo::MongoDb;
use kogge_operator::mint::OperatorMint;
use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::options::{ClientOptions, Tls, TlsOptions};
use mongosim::net::TlsMode as ServerMode;
use mongosim::options::{ServerArgs, TlsArgs};
use mongosim::testing::{Member, member_args, write_key_file};
use tokio::sync::watch;

const SHARD: &str = "shard-0";
/// What an election takes at most, by the timers of this set.
const ELECTION: Duration = Duration::from_secs(12);

fn asking(mode: TlsMode, rotation: RotationSpec) -> SecuritySpec {
    SecuritySpec { tls: TlsSpec { mode, secret_ref: None }, rotation }
}

/// Writes what pods of a generation mount, and the flags that the chart gives them.
fn mount(dir: &Path, generation: &Generation, args: &mut ServerArgs) {
    let dir = dir.join(generation.number.to_string());
    fs::create_dir_all(&dir).unwrap();
    let file = |name: &str, text: String| -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let key = dir.join("keyfile");
    if !key.exists() {
        write_key_file(&key, &generation.keyfile()).unwrap();
    }
    args.key_file = Some(key);
    args.tls = match &generation.tls {
        None => TlsArgs::default(),
        Some(tls) => {
            let leaf = &tls.leaves[SHARD];
            TlsArgs {
                mode: Some(match tls.mode {
                    TlsMode::Disabled => ServerMode::Disabled,
                    TlsMode::Allow => ServerMode::Allow,
                    TlsMode::Prefer => ServerMode::Prefer,
                    TlsMode::Require => ServerMode::Require,
                }),
                certificate_key_file: Some(file("server.pem", format!("{}{}", leaf.certificate, leaf.key))),
                ca_file: Some(file("ca.pem", tls.bundle())),
                cluster_file: None,
                allow_connections_without_certificates: true,
            }
        }
    };
}

async fn client(uri: &str, trust: Option<&Path>) -> Client {
    let mut options = ClientOptions::parse(uri).await.unwrap();
    options.server_selection_timeout = Some(ELECTION);
    options.tls = trust.map(|path| Tls::Enabled(TlsOptions::builder().ca_file_path(path.to_owned()).build()));
    Client::with_options(options).unwrap()
}

/// A client that reads whom to trust again whenever it changes, as the administrator's Secret tells it.
struct Writer {
    stop: Arc<AtomicBool>,
    acknowledged: watch::Receiver<usize>,
    task: tokio::task::JoinHandle<(Vec<i64>, Vec<String>)>,
}

impl Writer {
    fn start(uri: String, trust: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let (count, counted) = watch::channel(0);
        let task = tokio::spawn(async move {
            let (mut acknowledged, mut failed, mut known) = (Vec::new(), Vec::new(), String::new());
            let mut database = None;
            for n in 0.. {
                let told = fs::read_to_string(&trust).unwrap_or_default();
                if database.is_none() || told != known {
                    database = Some(client(&uri, (!told.is_empty()).then_some(trust.as_path())).await);
                    known = told;
                }
                let writes = database.as_ref().unwrap().database("test").collection::<Document>("writes");
                match writes.insert_one(doc! { "_id": n }).await {
                    Ok(_) => {
                        acknowledged.push(n);
                        count.send_replace(acknowledged.len());
                    }
                    Err(error) => failed.push(format!("{n}: {error}")),
                }
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
            }
            (acknowledged, failed)
        });
        Self { stop, acknowledged: counted, task }
    }

    /// Lets the client write some more: these servers restart faster than a client finds the next primary, and a
    /// rotation that is over before the first write would prove nothing.
    async fn writes_on(&mut self) {
        let more = *self.acknowledged.borrow() + 5;
        let written = self.acknowledged.wait_for(|count| *count >= more);
        tokio::time::timeout(2 * ELECTION, written).await.expect("the client writes on").unwrap();
    }

    async fn end(self) -> (Vec<i64>, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

struct Set {
    dir: tempfile::TempDir,
    members: Vec<Member>,
}

impl Set {
    fn trust(&self) -> PathBuf {
        self.dir.path().join("client-ca.pem")
    }

    fn uri(&self) -> String {
        let hosts: Vec<String> = self.members.iter().map(Member::host).collect();
        format!("mongodb://admin:secret@{}/?replicaSet=db&w=majority&authSource=admin", hosts.join(","))
    }

    fn tell(&self, generation: &Generation) {
        if let Some(tls) = &generation.tls {
            // At once, as a kubelet swaps what it mounts: half a file would be half a trust.
            let next = self.dir.path().join("client-ca.next");
            fs::write(&next, tls.bundle()).unwrap();
            fs::rename(next, self.trust()).unwrap();
        }
    }

    async fn hello(&self, member: &Member) -> Option<Document> {
        let trust = self.trust();
        // A member is asked in both ways: while a mode is taken on, some only take the one.
        for trust in [trust.exists().then_some(trust.as_path()), None] {
            let alone = client(&(member.uri() + "&serverSelectionTimeoutMS=500"), trust).await;
            let admin = alone.database("admin");
            let asked = admin.run_command(doc! { "hello": 1 });
            if let Ok(Ok(hello)) = tokio::time::timeout(Duration::from_millis(500), asked).await {
                return Some(hello);
            }
        }
        None
    }

    async fn until(&self, member: usize, holds: impl Fn(&Document) -> bool) {
        let began = Instant::now();
        while !self.hello(&self.members[member]).await.is_some_and(|hello| holds(&hello)) {
            assert!(began.elapsed() < Duration::from_secs(30), "member {member} does not serve");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Restarts every member with a generation: secondaries first, then the primary, which hands over as it ends.
    async fn restart(&mut self, generation: &Generation, writer: &mut Writer) {
        self.tell(generation);
        let leads = |hello: &Document| hello.get_bool("isWritablePrimary").unwrap_or(false);
        let mut order = Vec::new();
        for index in 0..self.members.len() {
            order.push((self.hello(&self.members[index]).await.is_some_and(|hello| leads(&hello)), index));
        }
        order.sort_unstable();
        for (_, index) in order {
            let dir = self.dir.path().to_owned();
            self.members[index].stop();
            self.members[index].set_args(|args| mount(&dir, generation, args));
            self.members[index].start().unwrap();
            self.until(index, |hello| leads(hello) || hello.get_bool("secondary").unwrap_or(false)).await;
            writer.writes_on().await;
        }
    }
}

async fn begin(generation: &Generation) -> Set {
    let dir = tempfile::tempdir().unwrap();
    let members = (0..3).map(|index| {
        let mut args = member_args("db", &dir.path().join(format!("data-{index}")));
        mount(dir.path(), generation, &mut args);
        Member::spawn(args).unwrap()
    });
    let set = Set { members: members.collect(), dir };
    set.tell(generation);
    let listed: Vec<Document> = (set.members.iter().enumerate())
        .map(|(index, member)| doc! { "_id": index as i32, "host": member.host(), "priority": 1 + i32::from(index == 0) })
        .collect();
    let trust = set.trust();
    let first = client(&set.members[0].uri(), trust.exists().then_some(trust.as_path())).await.database("admin");
    let settings = doc! { "heartbeatIntervalMillis": 200, "electionTimeoutMillis": 2000 };
    let config = doc! { "_id": "db", "version": 1, "members": listed, "settings": settings };
    first.run_command(doc! { "replSetInitiate": config }).await.unwrap();
    set.until(0, |hello| hello.get_bool("isWritablePrimary").unwrap_or(false)).await;
    first.run_command(doc! { "createUser": "admin", "pwd": "secret", "roles": ["root"] }).await.unwrap();
    set
}

/// From one wish to the other, one generation after another.
async fn rotate(from: &SecuritySpec, to: &SecuritySpec) -> Vec<u32> {
    let identity = Identity {
        name: "db".to_owned(),
        namespace: "databases".to_owned(),
        id: "abcdefgh".parse().unwrap(),
        cluster_domain: "cluster.local".to_owned(),
    };
    let wanted = |security| Wanted {
        identity: &identity,
        security,
        components: vec![MongoDb::component(SHARD).unwrap()],
        given: None,
        client_certificates: false,
    };
    let mut mint = OperatorMint::now();
    let mut secrets = DatabaseSecrets::begin(&wanted(from), &mut mint).unwrap();
    let mut set = begin(&secrets.current).await;
    let mut writer = Writer::start(set.uri(), set.trust());
    let mut generations = vec![1];
    while let Some(next) =
        secrets.advanced(&wanted(to), jiff::Timestamp::now().as_second(), false, &mut mint).unwrap()
    {
        if next.current.number > secrets.current.number {
            set.restart(&next.current, &mut writer).await;
            generations.push(next.current.number);
        }
        secrets = next;
    }
    let (acknowledged, failed) = writer.end().await;
    assert!(failed.is_empty(), "of {} writes {} failed: {failed:#?}", acknowledged.len(), failed.len());
    let trust = set.trust();
    let stored = client(&set.uri(), trust.exists().then_some(trust.as_path())).await.database("test");
    let count = stored.collection::<Document>("writes").count_documents(doc! {}).await.unwrap();
    assert_eq!(count, acknowledged.len() as u64, "what was acknowledged is there");
    println!("{} writes through generations {generations:?}", acknowledged.len());
    generations
}

#[tokio::test(flavor = "multi_thread")]
async fn keyfile_and_authority_are_rotated_while_a_client_writes() {
    let both = RotationSpec { keyfile: 1, authority: 1, ..RotationSpec::default() };
    let from = asking(TlsMode::Require, RotationSpec::default());
    assert_eq!(rotate(&from, &asking(TlsMode::Require, both)).await, [1, 2, 3, 4]);
}
