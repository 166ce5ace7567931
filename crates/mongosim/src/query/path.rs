use bson::{Bson, Document};

/// The values at a dotted path; arrays on the way are looked into.
pub fn lookup<'d>(document: &'d Document, path: &str) -> Vec<&'d Bson> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(h, r)| (h, Some(r)));
    match (document.get(head), rest) {
        (Some(value), None) => vec![value],
        (Some(value), Some(rest)) => descend(value, rest),
        (None, _) => Vec::new(),
    }
}

fn descend<'d>(value: &'d Bson, path: &str) -> Vec<&'d Bson> {
    match value {
        Bson::Document(sub) => lookup(sub, path),
        Bson::Array(items) => {
            let (head, rest) = path.split_once('.').map_or((path, None), |(h, r)| (h, Some(r)));
            let indexed = head.parse::<usize>().ok().and_then(|i| items.get(i));
            let mut found: Vec<&Bson> = match (indexed, rest) {
                (Some(item), None) => vec![item],
                (Some(item), Some(rest)) => descend(item, rest),
                (None, _) => Vec::new(),
            };
            found.extend(items.iter().filter_map(Bson::as_document).flat_map(|sub| lookup(sub, path)));
            found
        }
        _ => Vec::new(),
    }
}

/// The document that holds the last part of a path, made on the way if `create`.
pub(super) fn parent_mut<'d, 'p>(
    document: &'d mut Document,
    path: &'p str,
    create: bool,
) -> Result<Option<(&'d mut Document, &'p str)>, String> {
    let mut at = document;
    let mut rest = path;
    while let Some((head, tail)) = rest.split_once('.') {
        if !at.contains_key(head) {
            if !create {
                return Ok(None);
            }
            at.insert(head, Document::new());
        }
        at = match at.get_mut(head) {
            Some(Bson::Document(sub)) => sub,
            _ => return Err(format!("Cannot create field '{tail}' in element {head}")),
        };
        rest = tail;
    }
    Ok(Some((at, rest)))
}
