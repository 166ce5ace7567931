//! Requests and limits of a container: what is given, with defaults for the rest.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::quantity;

/// What is given, completed: a limit that is missing is the default, or the request where that is larger; a request that
/// is missing is the limit that is given, as in Kubernetes, or else the default.
pub(super) fn complete(given: &Value, defaults: &Value) -> Value {
    // A number is a quantity too, and in the objects of Kubernetes' own types always a text.
    let of = |resources: &Value, bound: &str, name: &str| {
        resources[bound]
            .get(name)
            .map(|quantity| if quantity.is_number() { json!(quantity.to_string()) } else { quantity.clone() })
    };
    let mut names = BTreeSet::new();
    for bounds in [&given["requests"], &given["limits"], &defaults["requests"], &defaults["limits"]] {
        names.extend(bounds.as_object().into_iter().flat_map(Map::keys).map(String::as_str));
    }
    let (mut requests, mut limits) = (Map::new(), Map::new());
    for name in names {
        let (request, limit) = (of(given, "requests", name), of(given, "limits", name));
        let bound = limit.clone().or_else(|| larger(request.clone(), of(defaults, "limits", name)));
        let asked = request.or(limit).or_else(|| of(defaults, "requests", name));
        limits.extend(bound.map(|quantity| (name.to_owned(), quantity)));
        requests.extend(asked.map(|quantity| (name.to_owned(), quantity)));
    }
    json!({"limits": limits, "requests": requests})
}

fn larger(one: Option<Value>, other: Option<Value>) -> Option<Value> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if quantity::of(&one) > quantity::of(&other) { one } else { other }),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing(json!({}), json!({"limits": {"cpu": "2", "memory": "2Gi"}, "requests": {"cpu": "100m", "memory": "1Gi"}}))]
    #[case::a_limit_is_the_request_too(
        json!({"limits": {"memory": "8Gi"}}),
        json!({"limits": {"cpu": "2", "memory": "8Gi"}, "requests": {"cpu": "100m", "memory": "8Gi"}})
    )]
    #[case::a_request_is_never_above_its_limit(
        json!({"requests": {"cpu": "500m", "memory": "16Gi"}}),
        json!({"limits": {"cpu": "2", "memory": "16Gi"}, "requests": {"cpu": "500m", "memory": "16Gi"}})
    )]
    #[case::numbers_are_quantities(
        json!({"limits": {"cpu": 4}}),
        json!({"limits": {"cpu": "4", "memory": "2Gi"}, "requests": {"cpu": "4", "memory": "1Gi"}})
    )]
    #[case::others_are_kept(
        json!({"limits": {"hugepages-2Mi": "4Mi"}, "requests": {"ephemeral-storage": "1Gi"}}),
        json!({
            "limits": {"cpu": "2", "ephemeral-storage": "1Gi", "hugepages-2Mi": "4Mi", "memory": "2Gi"},
            "requests": {"cpu": "100m", "ephemeral-storage": "1Gi", "hugepages-2Mi": "4Mi", "memory": "1Gi"},
        })
    )]
    fn field_41_what_is_not_given_has_a_default(#[case] given: Value, #[case] complete: Value) {
        let defaults =
            json!({"limits": {"cpu": "2", "memory": "2Gi"}, "requests": {"cpu": "100m", "memory": "1Gi"}});
        assert_eq!(super::complete(&given, &defaults), complete);
    }
}
