//! The server versions that can be played.

use crate::support::{self, Set, code, run};
use bson::doc;
use mongosim::options::ServerVersion;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_which_version_it_plays() -> anyhow::Result<()> {
    let wires = [9, 13, 17, 21, 25];
    for (version, wire) in ServerVersion::ALL.into_iter().zip(wires) {
        let series = version.feature();
        let set = Set::fresh_with("version", 1, &[&format!("serverVersion={series}")])?;
        set.initiate(support::fast_settings()).await?;
        let member = &set.members[0];
        let info = run(member, doc! { "buildInfo": 1 }).await?;
        assert!(info.get_str("version")?.starts_with(series), "{info}");
        assert_eq!(run(member, doc! { "hello": 1 }).await?.get_i32("maxWireVersion")?, wire, "{series}");
        let parameter = run(member, doc! { "getParameter": 1, "featureCompatibilityVersion": 1 }).await?;
        let feature = parameter.get_document("featureCompatibilityVersion")?;
        assert_eq!(feature.get_str("version")?, series);
        // Without TLS there is nothing to rotate, where the command is there.
        let rotated = code(member, doc! { "rotateCertificates": 1 }).await;
        assert_eq!(rotated, if series == "4.4" { 59 } else { 20 }, "{series}");
        let unconfirmed = code(member, doc! { "setFeatureCompatibilityVersion": series }).await;
        assert_eq!(unconfirmed, if version >= ServerVersion::V7_0 { 7_369_100 } else { 0 }, "{series}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fail_point_that_no_server_has_is_refused() -> anyhow::Result<()> {
    let set = Set::fresh("points", 1)?;
    let configure = |name: &str| doc! { "configureFailPoint": name, "mode": "off" };
    assert_eq!(code(&set.members[0], configure("blockHeartbeatReconfigInFinish")).await, 266);
    assert_eq!(code(&set.members[0], configure("blockHeartbeatReconfigFinish")).await, 0);
    Ok(())
}
