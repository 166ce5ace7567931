//! The revision of given inputs never changes: if it did, an upgrade of Kogge would restart every member of every
//! database. Whoever must change it says so in an ADR.

#[cfg(test)]
mod support;

use serde_json::json;
use support::{render_with, sample};

#[test]
fn an_upgrade_of_kogge_restarts_no_member() {
    let template =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ll2022-x}\ndata: {size: '{{values.size}}'}\n";
    let chart = sample(template, &[], "size: 1").unwrap();
    let rendered = render_with(&chart, &json!({"size": 2, "nested": {"b": [1.5, null, true], "a": "ä"}})).unwrap();
    assert_eq!(chart.content_hash, "e54a84a66f5f3dce19833c72b9198ebf895898aeecadcb431ada42f211662a8d");
    assert_eq!(rendered.revision.as_str(), "d41ff2287c4417e7");
}
