//! Files that use each other, and the shortest way round.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

/// One file uses what another one defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) line: usize,
    pub(crate) path: String,
}

/// Files that all use each other, and one of the shortest ways round through some of them.
pub(crate) struct Cycle {
    pub(crate) files: BTreeSet<String>,
    pub(crate) way: Vec<Edge>,
}

/// Who uses whom, and one place of each use.
type Uses<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a Edge>>;

/// Every group of files that use each other: the strongly connected components with more than one.
pub(crate) fn cycles(edges: &[Edge]) -> Vec<Cycle> {
    let mut uses = Uses::new();
    for edge in edges {
        uses.entry(&edge.from).or_default().entry(&edge.to).or_insert(edge);
    }
    let mut cycles: Vec<Cycle> = Vec::new();
    for file in uses.keys() {
        if cycles.iter().any(|cycle| cycle.files.contains(*file)) {
            continue;
        }
        let group =
            uses.keys().filter(|other| way(&uses, file, other).is_some() && way(&uses, other, file).is_some());
        let group: Vec<&str> = group.copied().collect();
        let ways = group.iter().filter_map(|file| way(&uses, file, file));
        if let Some(shortest) = ways.min_by_key(Vec::len) {
            let way = shortest.into_iter().cloned().collect();
            cycles.push(Cycle { files: group.into_iter().map(str::to_owned).collect(), way });
        }
    }
    cycles
}

/// The shortest way of at least one step.
fn way<'a>(uses: &Uses<'a>, from: &str, to: &str) -> Option<Vec<&'a Edge>> {
    let mut reached_by: BTreeMap<&str, &'a Edge> = BTreeMap::new();
    let mut open = VecDeque::from([from]);
    while let Some(at) = open.pop_front() {
        for (next, edge) in uses.get(at).into_iter().flatten() {
            if reached_by.contains_key(next) {
                continue;
            }
            reached_by.insert(next, edge);
            if *next == to {
                return Some(back(&reached_by, from, edge));
            }
            open.push_back(next);
        }
    }
    None
}

fn back<'a>(reached_by: &BTreeMap<&str, &'a Edge>, from: &str, last: &'a Edge) -> Vec<&'a Edge> {
    let mut way = vec![last];
    while let Some(first) = way.last().filter(|edge| edge.from != from) {
        way.push(reached_by[first.from.as_str()]);
    }
    way.reverse();
    way
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<&str> = self.files.iter().map(String::as_str).collect();
        writeln!(f, "{} files use each other: {}", files.len(), files.join(", "))?;
        for Edge { from, to, line, path } in &self.way {
            writeln!(f, "  {from}:{line} uses {to} ({path})")?;
        }
        Ok(())
    }
}
