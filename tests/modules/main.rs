//! Within a crate the arrows point down only: no file uses one that uses it, directly or by way of others, and no
//! folder does.
//!
//! What is used is found by its names: `use`, paths, and names that a `use` makes known; a re-export counts as what it
//! leads to. A method that is called on a value names no module, so it is no arrow here: where a type's methods are in
//! several files, nothing but the order of those files keeps them apart.

mod cycle;
#[cfg(test)]
mod detection;
mod source;
mod tree;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use cycle::{Edge, cycles};
use tree::{edges, files_below};

/// Crates without a cycle. A crate that becomes free of them is added here.
const HELD: [&str; 9] = [
    "kogge-api",
    "kogge-chart",
    "kogge-discovery",
    "kogge-database",
    "kogge-engine",
    "kogge-etcd",
    "kogge-history",
    "kogge-mongo",
    "kogge-plan",
];

fn edges_of(name: &str) -> Result<Vec<Edge>> {
    let crates = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates"));
    let files = files_below(&crates.join(name).join("src"))?;
    ensure!(!files.is_empty(), "{name}: nothing was read");
    edges(&files).with_context(|| name.to_owned())
}

#[test]
fn no_file_uses_one_that_uses_it() -> Result<()> {
    for name in HELD {
        assert_free_of_cycles(name, &edges_of(name)?);
    }
    Ok(())
}

#[test]
fn no_folder_uses_one_that_uses_it() -> Result<()> {
    for name in HELD {
        assert_free_of_cycles(name, &between_folders(edges_of(name)?));
    }
    Ok(())
}

fn assert_free_of_cycles(name: &str, edges: &[Edge]) {
    let found: Vec<String> = cycles(edges).iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{name}: move what both sides need below them\n{}", found.join("\n"));
}

/// The arrows between what stands directly below `src`: a folder with all that is in it, or a file by itself.
fn between_folders(edges: Vec<Edge>) -> Vec<Edge> {
    let top = |file: &str| file.split('/').next().unwrap_or(file).trim_end_matches(".rs").to_owned();
    let folded = edges.into_iter().map(|edge| {
        let path = format!("{} in {}", edge.path, edge.from);
        Edge { from: top(&edge.from), to: top(&edge.to), path, line: edge.line }
    });
    folded.filter(|edge| edge.from != edge.to).collect()
}
