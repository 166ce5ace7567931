//! A change that was carried out, and whose answer never came.

use std::io;
use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use kogge_engine::ErrorClass;
use kogge_engine::Port;
use kogge_engine_client::{Connection, Loopback, MemberReach, ReachError};
use kogge_etcd::{Action, PodName};
use kogge_etcd_client::StepError;
use kogge_lab::Etcd;
use parking_lot::Mutex;
use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, duplex, split};

use crate::group::{Group, pod, serving, step};
use crate::wait::until;

/// How many more requests get an answer; no limit at first.
type Answers = Arc<Mutex<Option<usize>>>;

/// A way on which answers are lost.
struct Lossy {
    way: Loopback,
    answers: Answers,
}

#[async_trait]
impl MemberReach for Lossy {
    fn identity(&self, pod: &PodName) -> Option<String> {
        // Another way is another connection.
        self.way.identity(pod).map(|identity| format!("{identity}, lossy"))
    }

    async fn connect(&self, pod: &PodName, port: Port) -> Result<Connection, ReachError> {
        let (from_server, to_server) = split(self.way.connect(pod, port).await?);
        let (ours, theirs) = duplex(1 << 16);
        let (from_client, to_client) = split(theirs);
        tokio::spawn(requests(from_client, to_server, self.answers.clone()));
        tokio::spawn(answers(from_server, to_client, self.answers.clone()));
        Ok(Box::new(ours))
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER: usize = 9;
/// A frame of this type begins a request.
const HEADERS: u8 = 1;

/// Carries requests to the server, and counts them before they are sent on.
async fn requests<R, W>(mut from: ReadHalf<R>, mut to: WriteHalf<W>, answers: Answers) -> io::Result<()>
where
    R: tokio::io::AsyncRead,
    W: tokio::io::AsyncWrite,
{
    let mut preface = [0; PREFACE.len()];
    from.read_exact(&mut preface).await?;
    to.write_all(&preface).await?;
    if preface != *PREFACE {
        return tokio::io::copy(&mut from, &mut to).await.map(drop);
    }
    loop {
        let mut header = [0; FRAME_HEADER];
        from.read_exact(&mut header).await?;
        let mut body =
            vec![0; usize::from(header[0]) << 16 | usize::from(header[1]) << 8 | usize::from(header[2])];
        from.read_exact(&mut body).await?;
        if header[3] == HEADERS
            && let Some(left) = answers.lock().as_mut()
        {
            // One request beyond the last one that gets an answer closes the way back.
            *left = left.checked_sub(1).unwrap_or(usize::MAX);
        }
        to.write_all(&header).await?;
        to.write_all(&body).await?;
    }
}

async fn answers<R, W>(mut from: ReadHalf<R>, mut to: WriteHalf<W>, answers: Answers) -> io::Result<()>
where
    R: tokio::io::AsyncRead,
    W: tokio::io::AsyncWrite,
{
    let mut buffer = vec![0; 1 << 14];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        if *answers.lock() != Some(usize::MAX) {
            to.write_all(&buffer[..length]).await?;
        }
    }
}

/// Case 11: the answer of a `MemberAdd` is lost. The outcome is unknown, and the member is added once.
#[rstest]
#[tokio::test]
async fn a_change_whose_answer_is_lost_is_unknown_and_is_not_sent_again(
    #[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd,
) -> Result<()> {
    let group = Group::start(release, 1, 1).await?;
    let answers = Answers::default();
    let lossy = Lossy { way: Loopback::of(group.addresses()), answers: answers.clone() };
    let access = group.access_by(Arc::new(lossy));
    let url = group.servers[1].peer_url();
    let add = step(Action::AddLearner { via: pod(0), pod: pod(1), peer_url: url.clone() });
    // The status and the list of the look before the change are answered.
    *answers.lock() = Some(2);
    let unknown = group.engine.execute(&access, &add).await.unwrap_err();
    assert!(matches!(unknown, StepError::Call { .. }) && unknown.outcome_is_unknown(), "{unknown}");
    assert_eq!((unknown.reason(), unknown.class()), ("NoAnswer", ErrorClass::NeedsObservation));

    *answers.lock() = None;
    let again = group.engine.execute(&access, &add).await.unwrap_err();
    assert!(matches!(again, StepError::Stale { .. }), "{again}");
    let members = until("the member", async || {
        let topology = group.observe().await;
        let members = serving(&topology, 0)?.members.clone();
        if members.len() > 1 { Ok(members) } else { Err(format!("{members:?}")) }
    })
    .await?;
    assert_eq!(members.iter().filter(|m| m.learner && m.peer_urls == [url.clone()]).count(), 1, "{members:?}");
    Ok(())
}
