//! The arrows between the crates point down only, and the pure ones stay pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, Node, Package, PackageId};

/// Crates without IO: no runtime, no client, no driver.
const PURE: [&str; 8] = [
    "kogge-api",
    "kogge-chart",
    "kogge-plan",
    "kogge-engine",
    "kogge-mongo",
    "kogge-etcd",
    "kogge-discovery",
    "kogge-database",
];
/// What a pure crate has none of, however deep.
const IMPURE: [&str; 7] = ["tokio", "kube-client", "kube-runtime", "kube", "mongodb", "hyper", "reqwest"];
/// One TLS stack: rustls with aws-lc-rs.
const OTHER_TLS: [&str; 4] = ["ring", "openssl", "native-tls", "openssl-sys"];

/// What each crate uses of Kogge's own, no more and no less (`docs/architecture.md`).
const USES: [(&str, &[&str]); 20] = [
    ("kogge-api", &[]),
    ("kogge-chart", &["kogge-api"]),
    ("kogge-chart-store", &["kogge-api", "kogge-chart"]),
    ("kogge-plan", &["kogge-api"]),
    ("kogge-engine", &["kogge-api", "kogge-plan"]),
    ("kogge-mongo", &["kogge-api", "kogge-engine"]),
    ("kogge-etcd", &["kogge-api", "kogge-engine"]),
    ("kogge-discovery", &["kogge-api"]),
    ("kogge-database", &["kogge-api", "kogge-chart", "kogge-plan", "kogge-engine", "kogge-discovery"]),
    ("kogge-engine-client", &["kogge-api", "kogge-engine"]),
    ("kogge-mongo-client", &["kogge-engine", "kogge-engine-client", "kogge-mongo"]),
    ("kogge-etcd-client", &["kogge-engine", "kogge-engine-client", "kogge-etcd"]),
    ("kogge-fleet", &["kogge-api", "kogge-plan"]),
    (
        "kogge-operator",
        &[
            "kogge-api",
            "kogge-chart",
            "kogge-chart-store",
            "kogge-plan",
            "kogge-engine",
            "kogge-engine-client",
            "kogge-mongo-client",
            "kogge-etcd-client",
            "kogge-database",
            "kogge-fleet",
        ],
    ),
    (
        "kogge-cli",
        &[
            "kogge-api",
            "kogge-chart",
            "kogge-chart-store",
            "kogge-plan",
            "kogge-engine",
            "kogge-engine-client",
            "kogge-mongo-client",
            "kogge-etcd-client",
            "kogge-database",
            "kogge-fleet",
        ],
    ),
    ("kogge-agent", &["kogge-api"]),
    ("kogge-lab", &[]),
    ("kogge-history", &[]),
    ("mongosim", &[]),
    ("xtask", &["kogge-lab", "kogge-api"]),
];

fn metadata(features_of: CargoOpt) -> Result<Metadata> {
    Ok(MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .features(features_of)
        .other_options(["--offline".to_owned(), "--locked".to_owned()])
        .exec()?)
}

fn package<'a>(metadata: &'a Metadata, name: &str) -> Result<&'a Package> {
    let found = metadata.workspace_packages().into_iter().find(|p| p.name == name);
    found.with_context(|| format!("{name} is no member of the workspace"))
}

#[test]
fn every_crate_uses_what_its_place_allows() -> Result<()> {
    let metadata = metadata(CargoOpt::SomeFeatures(Vec::new()))?;
    for (name, expected) in USES {
        let dependencies = &package(&metadata, name)?.dependencies;
        let own = dependencies.iter().filter(|d| d.kind == DependencyKind::Normal && d.path.is_some());
        let uses: BTreeSet<&str> = own.map(|d| d.name.as_str()).collect();
        assert_eq!(uses, expected.iter().copied().collect(), "{name} uses other crates than its place allows");
    }
    Ok(())
}

#[test]
fn every_crate_has_its_place() -> Result<()> {
    let known: BTreeSet<&str> = USES.iter().map(|(name, _)| *name).chain(["kogge-e2e"]).collect();
    let metadata = metadata(CargoOpt::SomeFeatures(Vec::new()))?;
    let strangers: Vec<&str> =
        metadata.workspace_packages().iter().map(|p| p.name.as_str()).filter(|n| !known.contains(n)).collect();
    assert!(strangers.is_empty(), "say in USES what {strangers:?} may use");
    Ok(())
}

/// Whether a dependency is really built. Cargo resolves an optional one also where a feature only speaks of it
/// in case that it is there (`ring?/alloc`).
fn is_enabled(package: &Package, node: &Node, dependency: &Package) -> bool {
    let declared = package.dependencies.iter().filter(|d| d.name == *dependency.name);
    let mut names = declared.filter(|d| d.kind == DependencyKind::Normal).peekable();
    names.peek().is_none()
        || names.any(|d| {
            let name = d.rename.as_deref().unwrap_or(&d.name);
            let turns_on = |entry: &str| {
                entry == name || entry == format!("dep:{name}") || entry.starts_with(&format!("{name}/"))
            };
            let features = node.features.iter().filter_map(|feature| package.features.get(feature.as_str()));
            !d.optional || features.flatten().any(|entry| turns_on(entry))
        })
}

/// Normal dependencies of a crate, however deep.
fn closure(metadata: &Metadata, root: &PackageId) -> Result<BTreeSet<String>> {
    let resolve = metadata.resolve.as_ref().context("cargo resolved nothing")?;
    let nodes: BTreeMap<&PackageId, &Node> = resolve.nodes.iter().map(|n| (&n.id, n)).collect();
    let mut open = vec![root];
    let mut seen = BTreeSet::from([root]);
    while let Some(id) = open.pop() {
        let node = nodes.get(id).context("a dependency was not resolved")?;
        for dependency in &node.deps {
            let normal = dependency.dep_kinds.iter().any(|k| k.kind == DependencyKind::Normal);
            if normal
                && is_enabled(&metadata[&node.id], node, &metadata[&dependency.pkg])
                && seen.insert(&dependency.pkg)
            {
                open.push(&dependency.pkg);
            }
        }
    }
    Ok(metadata.packages.iter().filter(|p| seen.contains(&p.id)).map(|p| p.name.to_string()).collect())
}

#[test]
fn pure_crates_are_pure_however_deep() -> Result<()> {
    let metadata = metadata(CargoOpt::SomeFeatures(Vec::new()))?;
    for name in PURE {
        let all = closure(&metadata, &package(&metadata, name)?.id)?;
        let impure: Vec<&str> = IMPURE.into_iter().filter(|i| all.contains(*i)).collect();
        assert!(impure.is_empty(), "{name} leans on {impure:?}");
    }
    Ok(())
}

#[test]
fn no_pure_crate_may_call_what_is_impure() -> Result<()> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let read = |file: &str| fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"));
    let file_of = |name: &str| format!("crates/{name}/clippy.toml");
    let expected = read(&file_of(PURE[0]))?;
    for name in PURE {
        let alike = read(&file_of(name))? == expected;
        assert!(
            alike,
            "{} and {} differ; copy the one that is meant over the others",
            file_of(name),
            file_of(PURE[0])
        );
    }
    for line in read("clippy.toml")?.lines() {
        assert!(
            expected.lines().any(|own| own == line),
            "{} lacks {line}, which clippy.toml says",
            file_of(PURE[0])
        );
    }
    assert!(expected.contains("disallowed-methods"));
    Ok(())
}

#[test]
fn there_is_one_tls_stack() -> Result<()> {
    let metadata = metadata(CargoOpt::SomeFeatures(Vec::new()))?;
    for member in metadata.workspace_packages() {
        let all = closure(&metadata, &member.id)?;
        let others: Vec<&str> = OTHER_TLS.into_iter().filter(|t| all.contains(*t)).collect();
        assert!(others.is_empty(), "{} brings {others:?} beside rustls with aws-lc-rs", member.name);
    }
    Ok(())
}

/// What names an engine, in any spelling.
const ENGINES: [&str; 4] = ["mongo", "replicaset", "replica_set", "etcd"];
/// Crates that know no engine from another.
const NEUTRAL: [&str; 9] = [
    "kogge-plan",
    "kogge-engine",
    "kogge-engine-client",
    "kogge-discovery",
    "kogge-fleet",
    "kogge-database",
    "kogge-operator",
    "kogge-cli",
    "kogge-chart",
];
/// Where the operator and the command line are told which engines there are.
const REGISTRATIONS: [&str; 2] = ["kogge-operator/src/engines.rs", "kogge-cli/src/engines.rs"];

#[test]
fn no_engine_is_named_but_where_it_is_registered() -> Result<()> {
    let crates = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates"));
    let mut named = Vec::new();
    for name in NEUTRAL {
        for file in sources(&crates.join(name).join("src"))? {
            let of_tests = file.to_string_lossy().ends_with("tests.rs");
            if of_tests || REGISTRATIONS.iter().any(|registration| file.ends_with(registration)) {
                continue;
            }
            let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            // Tests need an engine.
            let code = text.split_once("#[cfg(test)]\nmod tests {").map_or(text.as_str(), |(code, _)| code);
            for (number, line) in (1..).zip(code.lines()) {
                let plain = line.to_lowercase().replace([' ', '-'], "");
                if ENGINES.iter().any(|engine| plain.contains(engine)) {
                    named.push(format!("{}:{number}: {}", file.display(), line.trim()));
                }
            }
        }
    }
    assert!(named.is_empty(), "say it in words that all engines share:\n{}", named.join("\n"));
    Ok(())
}

/// Each row of the page of accidents and attacks names the test that holds it.
#[test]
fn every_accident_and_attack_has_its_test() -> Result<()> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let page = fs::read_to_string(root.join("docs/reference/protection.md")).context("the page is missing")?;
    let mut code = String::new();
    for folder in ["crates", "tests"] {
        for file in sources(&root.join(folder))? {
            code.push_str(&fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?);
        }
    }
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.ends_with("| Test |"));
    let tests: Vec<&str> = rows.map(|row| row.trim_end_matches(" |").rsplit("| ").next().unwrap_or(row)).collect();
    let missing: Vec<&&str> =
        tests.iter().filter(|test| !code.contains(&format!("fn {}(", test.trim_matches('`')))).collect();
    assert!(missing.is_empty(), "no such test: {missing:?}");
    assert!(tests.len() >= 60, "{} rows", tests.len());
    Ok(())
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}
