//! What the command line refuses before it asks any cluster.

use std::process::Command;

use anyhow::Result;
use serde_json::{Value, json};
use tempfile::TempDir;

const CHARTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts");

/// A kubeconfig of an address at which nothing listens.
fn kubeconfig() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    })
}

/// Runs `kogge`, and returns whether it succeeded and what it said.
fn kogge(
    folder: &TempDir,
    document: &str,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Result<(bool, String)> {
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, document)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_kogge"));
    for name in ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "KUBECONFIG"] {
        command.env_remove(name);
    }
    let output =
        command.args(arguments).arg("--kubeconfig").arg(&path).envs(variables.iter().copied()).output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

fn join(folder: &TempDir, document: &Value, dry_run: bool, arguments: &[&str]) -> Result<(bool, String)> {
    let worker = folder.path().join("worker");
    std::fs::write(&worker, document.to_string())?;
    let worker = worker.to_string_lossy().into_owned();
    let dry_run: &[&str] = if dry_run { &["--dry-run"] } else { &[] };
    let all = [&["worker", "join"], arguments, &["--chart-dir", CHARTS, "--worker-kubeconfig", &worker], dry_run]
        .concat();
    kogge(folder, &kubeconfig().to_string(), &all, &[])
}

#[test]
fn field_16_names_are_refused_before_the_first_request_alike_in_a_dry_run() -> Result<()> {
    let folder = TempDir::new()?;
    let too_long = "w".repeat(64);
    let cases: [(&[&str], &str); 6] = [
        (
            &["arn:aws:eks:eu-central-1:111122223333:cluster/db1", "--vdc=v", "--allow-namespace=d"],
            "cannot be a WorkerCluster's",
        ),
        (&[&too_long, "--vdc=v", "--allow-namespace=d"], "cannot be a WorkerCluster's"),
        (&["w", "--vdc=eu-central-1a_x", "--allow-namespace=d"], "--vdc \"eu-central-1a_x\""),
        (&["w", "--vdc=v", "--allow-namespace=my_db"], "--allow-namespace \"my_db\""),
        (&["w", "--vdc=v", "--allow-namespace=d", "--label=a b=c"], "--label a b=c"),
        (&["w", "--vdc=v", "--all-namespaces", "--system-namespace=a.b"], "--system-namespace \"a.b\""),
    ];
    for (arguments, sentence) in cases {
        for dry_run in [true, false] {
            let (succeeded, said) = join(&folder, &kubeconfig(), dry_run, arguments)?;
            assert!(!succeeded && said.contains(sentence), "{sentence:?} in {said}");
            assert!(
                !said.contains("reached") && !said.contains("kind:"),
                "something was asked or printed: {said}"
            );
        }
    }
    let (succeeded, said) = join(&folder, &kubeconfig(), true, &["w", "--vdc=v", "--allow-namespace=d"])?;
    assert!(succeeded, "{said}");
    Ok(())
}

#[test]
fn field_11_12_13_a_kubeconfig_is_read_alike_in_a_dry_run() -> Result<()> {
    let folder = TempDir::new()?;
    let arguments = ["w", "--vdc=v", "--allow-namespace=d"];
    let mut document = kubeconfig();
    document["users"][0]["user"] = json!({
        "token": "t0ps3cret\n", "as-user-extra": {}, "as-groups": [], "username": "", "client-certificate-data": "",
        "tokenFile": "",
    });
    document["clusters"][0]["cluster"]["proxy-url"] = json!("");
    document["clusters"][0]["cluster"]["certificate-authority"] = json!("");
    let (succeeded, said) = join(&folder, &document, true, &arguments)?;
    assert!(succeeded && !said.contains("t0ps3cret"), "{said}");
    for dry_run in [true, false] {
        let mut twice = kubeconfig();
        let first = twice["users"][0].clone();
        twice["users"] = json!([first, first]);
        let (succeeded, said) = join(&folder, &twice, dry_run, &arguments)?;
        assert!(!succeeded && said.contains("users has two entries named \"u\""), "{said}");
        document["users"][0]["user"]["token"] = json!("t0ps\n3cret");
        let (succeeded, said) = join(&folder, &document, dry_run, &arguments)?;
        assert!(!succeeded && said.contains("users[name=u].user.token") && !said.contains("panicked"), "{said}");
    }
    Ok(())
}

#[test]
fn field_17_the_environment_s_proxy_is_used_as_kubectl_uses_it() -> Result<()> {
    let folder = TempDir::new()?;
    let plan = ["plan", "fc/ll2022", "--namespace=d", "--chart-dir", CHARTS];
    let at = |server: &str| {
        let mut document = kubeconfig();
        document["clusters"][0]["cluster"]["server"] = json!(server);
        document.to_string()
    };
    let proxy = ("HTTPS_PROXY", "http://127.0.0.1:9");
    // This machine and what NO_PROXY names are asked directly; a list with empty entries is no error.
    for (server, no_proxy) in
        [("https://127.0.0.1:1", "10.0.0.0/8,.svc,127.0.0.1"), ("https://0.0.0.0:1", "0.0.0.0/8,,")]
    {
        let (_, said) = kogge(&folder, &at(server), &plan, &[proxy, ("NO_PROXY", no_proxy)])?;
        assert!(said.contains(&format!("{server} cannot be reached")), "{said}");
        assert!(!said.contains("tunnel") && !said.contains("feature"), "{said}");
    }
    let (_, said) = kogge(&folder, &at("https://0.0.0.0:1"), &plan, &[proxy, ("NO_PROXY", "10.0.0.0/8")])?;
    assert!(said.contains("proxy http://127.0.0.1:9"), "{said}");
    let (_, said) = kogge(&folder, &at("https://0.0.0.0:1"), &plan, &[("https_proxy", "ftp://u:t0ps3cret@x")])?;
    assert!(said.contains("HTTPS_PROXY does not start with") && !said.contains("t0ps3cret"), "{said}");
    Ok(())
}

#[test]
fn every_command_of_workers_shows_an_example() -> Result<()> {
    for command in ["join", "rotate"] {
        let output = Command::new(env!("CARGO_BIN_EXE_kogge")).args(["worker", command, "--help"]).output()?;
        let said = String::from_utf8(output.stdout)?;
        assert!(said.contains(&format!("kogge worker {command} worker-vdc4")), "{said}");
    }
    Ok(())
}
