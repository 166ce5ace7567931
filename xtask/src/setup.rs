//! `cargo xtask setup`

use kogge_lab::{Binaries, Etcd, Mode, images};

use crate::clients;
use crate::timeline::Timeline;

pub(crate) async fn run() -> anyhow::Result<()> {
    let mut timeline = Timeline::start();
    prepare(&mut timeline).await?;
    tests(&mut timeline).await?;
    println!("\nThe lab can be made on this machine: cargo xtask demo");
    Ok(())
}

/// Everything that a lab needs before it is made.
pub(crate) async fn prepare(timeline: &mut Timeline) -> anyhow::Result<()> {
    timeline
        .step("root, a C linker, Go, distribution packages", blocking(|| kogge_lab::setup::ensure(Mode::Full)))
        .await?;
    timeline
        .step("Kubernetes, etcd and CoreDNS in one binary (5 min when it is built for the first time)", async {
            blocking(|| Binaries::ensure(Mode::Full)).await.map(drop)
        })
        .await?;
    timeline.step("the lab's own images", async { blocking(images::base_images).await.map(drop) }).await
}

/// What only the tests need.
pub(crate) async fn tests(timeline: &mut Timeline) -> anyhow::Result<()> {
    timeline.step("real clients for the tests: mongosh, pymongo", clients::ensure()).await?;
    for etcd in Etcd::ALL {
        let what = format!(
            "etcd {etcd} and its tools for the tests (two minutes when they are built for the first time)"
        );
        timeline.step(&what, async { blocking(move || etcd.programs()).await.map(drop) }).await?;
    }
    Ok(())
}

/// Work that blocks, off the threads that must turn.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> kogge_lab::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    Ok(tokio::task::spawn_blocking(work).await??)
}
