use super::*;

fn charts() -> BTreeSet<GroupKind> {
    [
        GroupKind::of("apps/v1", "StatefulSet"),
        GroupKind::of("apps/v1", "Deployment"),
        GroupKind::of("v1", "Service"),
        GroupKind::of("v1", "ConfigMap"),
        GroupKind::of("policy/v1", "PodDisruptionBudget"),
    ]
    .into()
}

fn verbs<'a>(rules: &'a [PolicyRule], group: &str, resource: &str) -> Vec<&'a str> {
    rules
        .iter()
        .filter(|r| resources(r).contains(&(group.to_owned(), resource.to_owned())))
        .flat_map(|r| r.verbs.iter().map(String::as_str))
        .collect()
}

#[test]
fn kinds_find_their_resources() {
    let resource = |api_version, kind| GroupKind::of(api_version, kind).resource();
    assert_eq!(resource("apps/v1", "StatefulSet"), "statefulsets");
    assert_eq!(resource("networking.k8s.io/v1", "NetworkPolicy"), "networkpolicies");
    assert_eq!(resource("discovery.k8s.io/v1", "EndpointSlice"), "endpointslices");
}

#[test]
fn every_kind_that_charts_render_can_be_written_and_pruned() {
    let rules = worker_rules(&charts(), Access::PortForward);
    for kind in charts() {
        assert_eq!(verbs(&rules, &kind.group, &kind.resource()), OWN, "{kind:?}");
    }
}

#[test]
fn field_28_every_kind_that_a_chart_may_render_can_be_watched() {
    let rules = worker_rules(&BTreeSet::new(), Access::PortForward);
    for kind in CHART_KINDS {
        let allowed = verbs(&rules, kind.group, kind.plural);
        assert!(READ.iter().all(|verb| allowed.contains(verb)), "{kind:?}: {allowed:?}");
        assert_eq!(GroupKind::new(kind.group, kind.kind).resource(), kind.plural);
    }
}

#[test]
fn no_resource_is_granted_twice() {
    let mut seen = BTreeSet::new();
    for rule in worker_rules(&charts(), Access::PortForward) {
        for resource in resources(&rule) {
            assert!(seen.insert(resource.clone()), "{resource:?}");
        }
    }
}

#[test]
fn a_chart_that_renders_pods_gives_no_right_to_make_them_twice() {
    let mut kinds = charts();
    kinds.insert(GroupKind::of("v1", "Pod"));
    assert_eq!(
        verbs(&worker_rules(&kinds, Access::PortForward), "", "pods"),
        ["get", "list", "watch", "patch", "delete"]
    );
}

#[test]
fn nothing_is_granted_by_wildcard_nor_by_update_of_workloads() {
    let everywhere = [
        worker_rules(&charts(), Access::PortForward),
        system_rules(),
        identity_rules(),
        rules(control_grants()),
        rules(control_system_grants()),
    ];
    for rule in everywhere.iter().flatten() {
        let words =
            rule.verbs.iter().chain(rule.resources.iter().flatten()).chain(rule.api_groups.iter().flatten());
        assert!(words.into_iter().all(|word| word != "*"), "{rule:?}");
        assert!(!rule.verbs.iter().any(|v| v == "deletecollection" || v == "escalate"), "{rule:?}");
    }
    for rule in worker_rules(&charts(), Access::PortForward) {
        assert!(!rule.verbs.iter().any(|v| v == "update"), "{rule:?}");
    }
}

#[test]
fn of_all_namespaces_only_kube_system_is_read() {
    let namespaces: Vec<_> = identity_rules()
        .into_iter()
        .filter(|r| r.resources.as_ref().is_some_and(|r| r == &["namespaces"]))
        .collect();
    assert_eq!(namespaces.len(), 1);
    assert_eq!(namespaces[0].resource_names, Some(vec!["kube-system".to_owned()]));
}
