//! What an initiate and a reconfiguration refuse beside the scenarios of `kogge-mongo`.

mod common;

use bson::doc;
use common::{Set, code, run};
use mongodb::bson::Document;

#[tokio::test(flavor = "multi_thread")]
async fn an_initiate_with_an_unknown_field_or_another_name_is_refused() -> anyhow::Result<()> {
    let set = Set::fresh("refused", 1)?;
    let initiate = async |config: Document| code(&set.members[0], doc! { "replSetInitiate": config }).await;
    let with = |key: &str, value: &str| {
        let mut config = set.config();
        config.insert(key, value);
        config
    };
    assert_eq!(initiate(with("surprise", "1")).await, 93);
    assert_eq!(initiate(with("_id", "another")).await, 93);
    assert_eq!(initiate(set.config()).await, 0, "a retry is safe");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_voters_are_not_removed_at_once() -> anyhow::Result<()> {
    let set = Set::up("removed", 3).await?;
    let primary = set.primary().await?;
    let mut config =
        run(&set.members[primary], doc! { "replSetGetConfig": 1 }).await?.get_document("config")?.clone();
    config.insert("version", config.get_i32("version")? + 1);
    config.get_array_mut("members")?.swap(0, primary);
    config.get_array_mut("members")?.truncate(1);
    let reconfig = doc! { "replSetReconfig": config, "maxTimeMS": 10_000 };
    assert_eq!(code(&set.members[primary], reconfig).await, 103);
    Ok(())
}
