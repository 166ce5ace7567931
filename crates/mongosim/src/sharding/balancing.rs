//! Which chunks move where: away from shards that are drained, then from the fullest to the emptiest.

use std::collections::{BTreeMap, BTreeSet};

use bson::{Bson, Document};

/// One chunk's way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Migration {
    /// The chunk's `_id`.
    pub(super) chunk: Bson,
    /// The shard that has it.
    pub(super) from: String,
    /// The shard that gets it.
    pub(super) to: String,
}

/// Chunks of one collection by shard, those that can be moved first.
struct Load<'a> {
    count: usize,
    movable: Option<&'a Bson>,
}

/// One round's migrations of one collection. A shard takes part in one of them at most; `busy` are those that do so
/// already.
pub(super) fn choose(shards: &[Document], chunks: &[Document], busy: &mut BTreeSet<String>) -> Vec<Migration> {
    let name = |shard: &Document| shard.get_str("_id").unwrap_or_default().to_owned();
    let mut loads: BTreeMap<String, Load<'_>> =
        shards.iter().map(|shard| (name(shard), Load { count: 0, movable: None })).collect();
    for chunk in chunks {
        let Some(load) = chunk.get_str("shard").ok().and_then(|shard| loads.get_mut(shard)) else { continue };
        load.count += 1;
        if !chunk.get_bool("jumbo").unwrap_or(false) {
            load.movable = load.movable.or(chunk.get("_id"));
        }
    }
    let draining: BTreeSet<String> =
        shards.iter().filter(|shard| shard.get_bool("draining").unwrap_or(false)).map(name).collect();
    let mut chosen = Vec::new();
    let mut take = |from: &str, to: &str, busy: &mut BTreeSet<String>| {
        if let Some(chunk) = loads.get(from).and_then(|load| load.movable) {
            busy.extend([from.to_owned(), to.to_owned()]);
            chosen.push(Migration { chunk: chunk.clone(), from: from.to_owned(), to: to.to_owned() });
        }
    };
    let least = |busy: &BTreeSet<String>| {
        let free = loads.iter().filter(|(shard, _)| !draining.contains(*shard) && !busy.contains(*shard));
        free.min_by_key(|(_, load)| load.count).map(|(shard, load)| (shard.clone(), load.count))
    };
    for from in &draining {
        if loads.get(from).is_none_or(|load| load.movable.is_none()) || busy.contains(from) {
            continue;
        }
        let Some((to, _)) = least(busy) else { break };
        take(from, &to, busy);
    }
    loop {
        let free = loads.iter().filter(|(shard, load)| {
            !draining.contains(*shard) && !busy.contains(*shard) && load.movable.is_some()
        });
        let Some((from, most)) = free.max_by_key(|(_, load)| load.count).map(|(s, load)| (s.clone(), load.count))
        else {
            break;
        };
        match least(busy) {
            Some((to, fewest)) if most >= fewest + 2 => take(&from, &to, busy),
            _ => break,
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn shards(draining: &[&str]) -> Vec<Document> {
        ["a", "b", "c"].map(|name| doc! { "_id": name, "draining": draining.contains(&name) }).to_vec()
    }

    fn chunks(counts: [i32; 3], jumbo: bool) -> Vec<Document> {
        let of = |shard: &'static str, count: i32| {
            (0..count).map(move |n| doc! { "_id": format!("{shard}{n}"), "shard": shard, "jumbo": jumbo })
        };
        of("a", counts[0]).chain(of("b", counts[1])).chain(of("c", counts[2])).collect()
    }

    fn ways(shards: &[Document], chunks: &[Document]) -> Vec<(String, String)> {
        choose(shards, chunks, &mut BTreeSet::new()).into_iter().map(|m| (m.from, m.to)).collect()
    }

    fn way(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn the_fullest_gives_to_the_emptiest_until_they_differ_by_one() {
        assert_eq!(ways(&shards(&[]), &chunks([5, 1, 0], false)), [way("a", "c")]);
        assert!(ways(&shards(&[]), &chunks([2, 1, 1], false)).is_empty());
    }

    #[test]
    fn a_shard_that_is_drained_gives_and_gets_nothing() {
        assert_eq!(ways(&shards(&["a"]), &chunks([1, 4, 3], false)), [way("a", "c")]);
        assert_eq!(ways(&shards(&["a"]), &chunks([0, 4, 1], false)), [way("b", "c")]);
        assert!(ways(&shards(&["a"]), &chunks([0, 1, 1], false)).is_empty());
    }

    #[test]
    fn jumbo_chunks_stay() {
        assert!(ways(&shards(&["a"]), &chunks([3, 0, 0], true)).is_empty());
    }
}
