//! etcd: clients on keys of their own, whose answers are recorded and can be checked for linearizability.

mod connection;
mod counts;
mod messages;
mod record;
mod register;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use kogge_history::workload::{Client, Mix, Monotonic, Plan, Recorder, drive};
use tokio::signal::unix::{SignalKind, signal};

use self::counts::Counts;
use self::record::Record;
use self::register::Servers;

/// How often the counts are told.
const REPORT: Duration = Duration::from_secs(5);
/// How long clients may take to end: an operation is given up before.
const ENDING: Duration = Duration::from_secs(20);

/// What is done with an etcd cluster.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Works on keys until it is asked to end, and records all answers
    Work(WorkArgs),
    /// Ends the clients of a record, and prints the history
    End {
        /// The folder of the record
        #[arg(long, default_value = "/record")]
        record: PathBuf,
    },
}

/// How clients work.
#[derive(Args)]
pub(crate) struct WorkArgs {
    /// `HOST:PORT` of servers, whose client ports have no TLS; a host may have several addresses
    #[arg(long = "endpoint", env = "HISTORY_ENDPOINTS", value_delimiter = ',', required = true)]
    endpoints: Vec<String>,
    /// The folder of the record
    #[arg(long, default_value = "/record")]
    record: PathBuf,
    /// What tells the keys of this history from those of others; the same for all processes of one history
    #[arg(long, env = "HISTORY_RUN", default_value = "run")]
    run: String,
    /// What tells the clients of this process from those of others
    #[arg(long, env = "HISTORY_CLIENT", default_value = "client")]
    client: String,
    /// Clients at a time
    #[arg(long, default_value_t = 5)]
    clients: usize,
    /// Keys that they share
    #[arg(long, default_value_t = 8)]
    keys: usize,
    /// What each client waits after an operation, in milliseconds
    #[arg(long, default_value_t = 20)]
    pause: u64,
    /// When a client gives an operation up, in milliseconds
    #[arg(long, default_value_t = 5_000)]
    deadline: u64,
}

/// Does it.
pub(crate) async fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Work(args) => work(args).await,
        Command::End { record } => {
            let record = Record(record);
            record.end_clients(ENDING).await?;
            print!("{}", record.read()?);
            Ok(())
        }
    }
}

async fn work(args: &WorkArgs) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to signals")?;
    let started = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_millis();
    // A process that is started again has other clients: what the ones before were doing has an unknown outcome.
    let name = format!("{}-{started}", args.client);
    let record = Record(&args.record);
    let recorder = Recorder::new(record.create(&name)?);
    let counts = Arc::new(Counts::default());
    let endpoints: Arc<[String]> = args.endpoints.clone().into();
    let client = |number: usize| Client {
        name: format!("{name}-{number}"),
        register: Servers::new(endpoints.clone(), format!("kogge-history/{}/", args.run), number, counts.clone()),
    };
    let plan = Plan {
        keys: (0..args.keys).map(|number| format!("k{number}")).collect(),
        mix: Mix::default(),
        operations: None,
        pause: Duration::from_millis(args.pause),
        deadline: Duration::from_millis(args.deadline),
        seed: 0,
    };
    let clock = Monotonic::new()?;
    let mut asked = false;
    let end = async {
        tokio::select! {
            () = record.until_end_is_asked() => asked = true,
            () = report(&counts) => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    drive((0..args.clients).map(client).collect(), &plan, &clock, &recorder, end).await?;
    println!("{}", counts.report());
    if asked {
        record.say_ended()?;
        println!("ended; waits until the record was read");
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    Ok(())
}

async fn report(counts: &Counts) {
    loop {
        tokio::time::sleep(REPORT).await;
        println!("{}", counts.report());
    }
}
