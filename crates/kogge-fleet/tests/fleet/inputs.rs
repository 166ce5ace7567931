//! Kubeconfigs as people's tools, clouds and editors write them, through both doors: a Secret's, and that of a person's
//! file. One table for each kind of input.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kogge_api::conditions::{Status, worker_cluster as conditions};
use kogge_fleet::{Fleet, KubeconfigError, KubeconfigFiles, WorkerCredentials};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::api::Api;
use crate::kubeconfig::{client, cluster, good, now, parse, user};
use crate::support::{document, options, secret, until_condition, worker};

/// What both doors say of a kubeconfig.
fn both(bytes: &[u8]) -> [Result<(), KubeconfigError>; 2] {
    let person = || KubeconfigFiles::parse(bytes)?.access(None).map(drop);
    [WorkerCredentials::parse(bytes, now()).map(drop), person()]
}

fn both_take(what: &str, bytes: &[u8]) {
    for (door, answer) in ["Secret", "file"].iter().zip(both(bytes)) {
        answer.unwrap_or_else(|error| panic!("{what}, {door}: {error}"));
    }
}

fn both_refuse(what: &str, bytes: &[u8], reason: &str, says: &str) {
    for (door, answer) in ["Secret", "file"].iter().zip(both(bytes)) {
        let Err(error) = answer else { panic!("{what}, {door}: it is taken") };
        assert_eq!(error.reason(), reason, "{what}, {door}: {error}");
        assert!(error.to_string().contains(says), "{what}, {door}: {error}");
        assert!(!format!("{error} {error:?}").contains("t0ps3cret"), "{what}, {door} tells a secret: {error}");
    }
}

fn text(document: &Value) -> String {
    document.to_string()
}

fn with_token(token: &str) -> Value {
    let mut document = good();
    user(&mut document)["token"] = json!(token);
    document
}

#[test]
fn field_10_11_white_space_around_a_token_is_no_part_of_it() {
    for token in [
        "t0ps3cret\n",
        "t0ps3cret\r\n",
        "\n\nt0ps3cret",
        " t0ps3cret\t",
        "\u{a0}t0ps3cret\u{2028}",
        "t0ps3cret\n\n\n",
    ] {
        let document = with_token(token);
        assert_eq!(parse(&document).unwrap().token.as_deref(), Some("t0ps3cret"), "{token:?}");
        both_take(token, text(&document).as_bytes());
    }
    // As YAML writes them.
    let document = text(&good()).replace("\"t0ps3cret\"", "TOKEN");
    for token in
        ["|\n  t0ps3cret\n", "|+\n  t0ps3cret\n\n", ">\n  t0ps3cret\n", "'t0ps3cret\n\n  '", "!!str t0ps3cret"]
    {
        let yaml = to_yaml(&document, token);
        let read = WorkerCredentials::parse(yaml.as_bytes(), now()).unwrap_or_else(|e| panic!("{token:?}: {e}"));
        assert_eq!(read.token.as_deref(), Some("t0ps3cret"), "{token:?}");
        both_take(token, yaml.as_bytes());
    }
}

/// The kubeconfig in block style, with that token at its end.
fn to_yaml(json: &str, token: &str) -> String {
    let document: Value = serde_json::from_str(&json.replace("TOKEN", "null")).unwrap();
    let ca = document["clusters"][0]["cluster"]["certificate-authority-data"].as_str().unwrap();
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\npreferences: {{}}\ncontexts:\n- name: c\n  context:\n    cluster: k\n    \
         user: u\nclusters:\n- name: k\n  cluster:\n    server: https://192.0.2.1:6443\n    certificate-authority-data: {ca}\n\
         users:\n- name: u\n  user:\n    token: {}\n",
        token.replace("\n  ", "\n      ")
    )
}

#[test]
fn field_10_11_a_token_that_no_header_can_hold_is_refused_by_its_key() {
    for token in [
        "t0ps3cret t0ps3cret",
        "t0ps\n3cret",
        "t0ps\r\n3cret",
        "t0ps\t3cret",
        "t0ps3cret\u{0}",
        "t0ps3cr\u{e9}t",
        "t0ps3\u{7f}cret",
        "\u{feff}t0ps3cret",
    ] {
        let document = with_token(token);
        both_refuse(token, text(&document).as_bytes(), "KubeconfigCredentialsInvalid", "users[name=u].user.token");
    }
    for token in ["REDACTED", "DATA+OMITTED"] {
        both_refuse(token, text(&with_token(token)).as_bytes(), "KubeconfigSecretOmitted", "--raw");
    }
}

/// A worker with such a token is reached, and one whose token changed to such a token is told and stays reached.
#[tokio::test]
async fn field_10_a_token_with_a_line_break_reaches_its_worker() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let mut broken = document(&api);
    broken["users"][0]["user"]["token"] = json!("t0ps3cret\n");
    let fleet = Fleet::new(options());
    fleet.upsert(&worker("w"), &secret(&broken));
    until_condition(&fleet, "w", conditions::READY, Status::True, "Ready").await?;
    broken["users"][0]["user"]["token"] = json!("t0ps\n3cret");
    fleet.upsert(&worker("w"), &secret(&broken));
    let reason = "KubeconfigCredentialsInvalid";
    until_condition(&fleet, "w", conditions::CREDENTIALS_VALID, Status::False, reason).await?;
    broken["users"][0]["user"]["token"] = json!("other");
    fleet.upsert(&worker("w"), &secret(&broken));
    until_condition(&fleet, "w", conditions::READY, Status::True, "Ready").await?;
    Ok(())
}

#[test]
fn field_12_what_is_empty_is_absent_whichever_key_it_is() {
    let empties =
        [Value::Null, json!(""), json!(" \n"), json!([]), json!({}), json!([""]), json!({"a": null, "b": []})];
    let texts = [
        "tokenFile",
        "client-certificate",
        "client-certificate-data",
        "client-key",
        "client-key-data",
        "username",
        "password",
        "as",
        "as-uid",
    ];
    let values = ["as-groups", "as-user-extra", "auth-provider", "exec", "extensions"];
    for empty in &empties {
        for key in texts.iter().filter(|_| empty.is_null() || empty.is_string()).chain(&values) {
            let mut document = good();
            user(&mut document)[key] = empty.clone();
            both_take(&format!("user.{key}: {empty}"), text(&document).as_bytes());
        }
        for key in ["certificate-authority", "tls-server-name", "proxy-url"] {
            if empty.is_null() || empty.is_string() {
                let mut document = good();
                cluster(&mut document)[key] = empty.clone();
                both_take(&format!("cluster.{key}: {empty}"), text(&document).as_bytes());
            }
        }
    }
    let mut document = good();
    for key in ["insecure-skip-tls-verify", "disable-compression", "extensions"] {
        cluster(&mut document)[key] = Value::Null;
    }
    document["preferences"] = Value::Null;
    document["extensions"] = Value::Null;
    both_take("null beside", text(&document).as_bytes());
    // What is empty is absent where it is needed, too.
    for (change, reason) in [
        (("cluster", "server"), "KubeconfigServerInvalid"),
        (("cluster", "certificate-authority-data"), "KubeconfigCAMissing"),
        (("user", "token"), "KubeconfigCredentialsMissing"),
    ] {
        for empty in [Value::Null, json!(""), json!("\n ")] {
            let mut document = good();
            let entry = if change.0 == "user" { user(&mut document) } else { cluster(&mut document) };
            entry[change.1] = empty.clone();
            assert_eq!(parse(&document).unwrap_err().reason(), reason, "{change:?} {empty}");
        }
    }
    let mut document = good();
    user(&mut document)["client-certificate-data"] = json!("");
    user(&mut document)["client-key-data"] = json!(client(2040).1);
    both_refuse(
        "half",
        text(&document).as_bytes(),
        "KubeconfigCredentialsMissing",
        "client-certificate-data is not",
    );
}

#[test]
fn field_13_two_entries_of_one_name_are_refused_by_it() {
    for list in ["clusters", "users", "contexts"] {
        for (name, content) in [("k", json!({})), ("other", json!({"x": 1}))] {
            let mut document = good();
            let first = document[list][0]["name"].clone();
            let name = if name == "k" { first } else { json!(name) };
            let entries = document[list].as_array_mut().unwrap();
            let extra = json!({"name": name, "cluster": content, "user": content, "context": content});
            entries.push(extra.clone());
            if !entries[0]["name"].eq(&name) {
                entries.insert(0, extra);
            }
            let says = format!("{list} has two entries named {name}");
            both_refuse(list, text(&document).as_bytes(), "KubeconfigAmbiguous", &says);
        }
        let mut document = good();
        let entries = document[list].as_array_mut().unwrap();
        entries.extend([json!({}), json!({"name": ""})]);
        both_refuse(list, text(&document).as_bytes(), "KubeconfigAmbiguous", "two entries named \"\"");
    }
    // A cluster and a user of one name are two things.
    let document = text(&good()).replace("\"u\"", "\"k\"");
    both_take("one name in two lists", document.as_bytes());
}

/// Wraps a text as a tool does.
fn wrapped(text: &str, width: usize, line_break: &str) -> String {
    let lines: Vec<&str> =
        (0..text.len()).step_by(width).map(|at| &text[at..text.len().min(at + width)]).collect();
    lines.join(line_break)
}

#[test]
fn field_14_base64_is_read_however_it_is_wrapped() {
    let (certificate, key) = client(2040);
    let ways: [fn(&str) -> String; 7] = [
        |text| wrapped(text, 64, "\n"),
        |text| wrapped(text, 76, "\r\n"),
        |text| wrapped(text, 64, "\n") + "\n",
        |text| wrapped(text, 60, " "),
        |text| format!("  {text}\n"),
        |text| text.trim_end_matches('=').to_owned(),
        // PEM itself, as `!!binary` makes it.
        |text| String::from_utf8(STANDARD.decode(text).unwrap()).unwrap(),
    ];
    for (number, way) in ways.iter().enumerate() {
        let mut document = good();
        cluster(&mut document)["certificate-authority-data"] = json!(way(&certificate));
        *user(&mut document) =
            json!({"client-certificate-data": way(&certificate), "client-key-data": way(&key), "token": "t"});
        both_take(&format!("way {number}"), text(&document).as_bytes());
    }
    for bad in ["t0ps3cret!", "====", "dDBwczNjcmV0", "-----BEGIN CERTIFICATE-----"] {
        let (mut document, key) = (good(), "certificate-authority-data");
        cluster(&mut document)[key] = json!(bad);
        both_refuse(bad, text(&document).as_bytes(), "KubeconfigCredentialsInvalid", key);
    }
    let mut document = good();
    cluster(&mut document)["certificate-authority-data"] = json!("DATA+OMITTED");
    both_refuse("omitted", text(&document).as_bytes(), "KubeconfigSecretOmitted", "--raw");
}

#[test]
fn field_14_yaml_may_say_binary() {
    let token = STANDARD.encode("t0ps3cret\n");
    let yaml = to_yaml(&text(&good()).replace("\"t0ps3cret\"", "TOKEN"), &format!("!!binary {token}"));
    let pem = yaml.replace("certificate-authority-data: ", "certificate-authority-data: !!binary ");
    for yaml in [
        yaml.clone(),
        pem,
        yaml.replace(&format!("!!binary {token}"), &format!("!!binary |\n      {token}")),
        yaml.replace(
            "server: https://192.0.2.1:6443",
            &format!("server: !!binary {}", STANDARD.encode("https://192.0.2.1:6443")),
        ),
    ] {
        both_take(&yaml, yaml.as_bytes());
        let read = WorkerCredentials::parse(yaml.as_bytes(), now()).unwrap();
        assert_eq!(read.token.as_deref(), Some("t0ps3cret"));
        assert_eq!(read.server.host(), Some("192.0.2.1"));
    }
}

/// Editors, shells and other machines.
#[test]
fn field_14_marks_of_editors_are_no_part_of_the_text() {
    let json = text(&good());
    let yaml = to_yaml(&json.replace("\"t0ps3cret\"", "TOKEN"), "t0ps3cret");
    let utf16 = |text: &str, unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    let tabs = serde_json::to_string_pretty(&good()).unwrap().replace("  ", "\t");
    for (what, bytes) in [
        ("CRLF", yaml.replace('\n', "\r\n").into_bytes()),
        ("BOM", format!("\u{feff}{yaml}").into_bytes()),
        ("BOM and CRLF", format!("\u{feff}{}", yaml.replace('\n', "\r\n")).into_bytes()),
        ("BOM before JSON", format!("\u{feff}{json}").into_bytes()),
        ("UTF-16 of PowerShell", utf16(&format!("\u{feff}{}", yaml.replace('\n', "\r\n")), u16::to_le_bytes)),
        ("UTF-16, big end first", utf16(&format!("\u{feff}{json}"), u16::to_be_bytes)),
        ("a document's marks", format!("---\n{yaml}...\n").into_bytes()),
        ("comments and blank lines", format!("\n\n# a: comment\n{yaml}\n\n# end").into_bytes()),
        ("JSON with tabs", tabs.into_bytes()),
        ("a second document", format!("{yaml}---\nkind: Other\n").into_bytes()),
        ("no apiVersion and no kind", yaml.replace("apiVersion: v1\nkind: Config\n", "").into_bytes()),
        ("unknown keys", format!("{yaml}futureKey: {{a: [1, 2.5, null]}}\n").into_bytes()),
        ("anchors", yaml.replace("user: u\n", "user: &u u\n").replace("- name: u\n", "- name: *u\n").into_bytes()),
    ] {
        both_take(what, &bytes);
    }
    for (what, bytes) in [
        ("half a UTF-16", utf16(&format!("\u{feff}{json}"), u16::to_le_bytes).split_last().unwrap().1.to_vec()),
        ("Latin-1", b"current-context: caf\xe9".to_vec()),
        ("gzip", b"\x1f\x8b\x08\x00t0ps3cret".to_vec()),
    ] {
        both_refuse(what, &bytes, "KubeconfigUnreadable", "kubeconfig");
    }
}

#[test]
fn field_15_each_key_that_holds_a_name_is_named_where_it_is_none() {
    for name in [
        "not a name",
        "a..b",
        "-",
        "*.example.com",
        "https://k.example",
        "k.example:6443",
        "[::1]",
        "k.example/",
        &"a".repeat(64),
    ] {
        let mut document = good();
        cluster(&mut document)["tls-server-name"] = json!(name);
        let says = "clusters[name=k].cluster.tls-server-name";
        both_refuse(name, text(&document).as_bytes(), "KubeconfigServerNameInvalid", says);
    }
    for name in [
        "k",
        "k.example",
        "K.Example",
        "kubernetes.default.svc",
        "10.0.0.1",
        "::1",
        "fd00::1",
        "a_b.example",
        " k.example\n",
    ] {
        let mut document = good();
        cluster(&mut document)["tls-server-name"] = json!(name);
        both_take(name, text(&document).as_bytes());
        assert_eq!(parse(&document).unwrap().tls_server_name.as_deref(), Some(name.trim()));
    }
}

/// The pair is what is named only where it is the pair that is wrong.
#[test]
fn field_15_a_certificate_and_a_key_that_do_not_belong_together_are_both_named() {
    let mut document = good();
    *user(&mut document) = json!({"client-certificate-data": client(2040).0, "client-key-data": client(2040).1});
    for key in ["client-certificate-data", "client-key-data"] {
        both_refuse(key, text(&document).as_bytes(), "KubeconfigCredentialsInvalid", key);
    }
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIB\n-----END RSA PRIVATE KEY-----\n";
    for key in [encrypted, old] {
        user(&mut document)["client-key-data"] = json!(STANDARD.encode(key));
        both_refuse(key, text(&document).as_bytes(), "KubeconfigCredentialsInvalid", "passphrase");
    }
}

#[test]
fn field_19_addresses_are_those_that_kubectl_takes() {
    for (server, expected) in [
        ("https://192.0.2.1:6443", "https://192.0.2.1:6443/"),
        ("https://rancher.example/k8s/clusters/c-abc12", "https://rancher.example/k8s/clusters/c-abc12"),
        ("https://rancher.example/k8s/clusters/c-abc12/", "https://rancher.example/k8s/clusters/c-abc12/"),
        ("https://[fd00::1]:6443", "https://[fd00::1]:6443/"),
        ("https://[::1]", "https://[::1]/"),
        ("HTTPS://K.Example", "https://K.Example/"),
        ("https://k.example.", "https://k.example./"),
        ("https://under_score.example:1", "https://under_score.example:1/"),
        (" https://k.example\n", "https://k.example/"),
        // Without a scheme it is TLS, for there is a CA.
        ("192.0.2.1:6443", "https://192.0.2.1:6443/"),
        ("k.example", "https://k.example/"),
        ("[fd00::1]:6443", "https://[fd00::1]:6443/"),
    ] {
        let mut document = good();
        cluster(&mut document)["server"] = json!(server);
        assert_eq!(parse(&document).unwrap_or_else(|e| panic!("{server}: {e}")).server.to_string(), expected);
        both_take(server, text(&document).as_bytes());
    }
    for server in [
        "not an address",
        "https://",
        "https:///path",
        "https://a:t0ps3cret@192.0.2.1",
        "https://k.example:port",
        "https://k.example:99999",
        "https://fd00::1:6443",
        "https://[fd00::1",
        "https://-.example",
        "https://k..example",
        "https://k.example/?a=b",
        "k.example/path",
        "ftp://k.example",
        "unix:///run/api.sock",
    ] {
        let mut document = good();
        cluster(&mut document)["server"] = json!(server);
        both_refuse(
            server,
            text(&document).as_bytes(),
            "KubeconfigServerInvalid",
            "clusters[name=k].cluster.server",
        );
    }
}

/// The path goes before that of every request.
#[tokio::test]
async fn field_19_a_path_in_the_address_goes_before_every_request() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let mut prefixed = document(&api);
    prefixed["clusters"][0]["cluster"]["server"] = json!(format!("https://{}/k8s/clusters/c-abc12/", api.address));
    let fleet = Fleet::new(options());
    fleet.upsert(&worker("w"), &secret(&prefixed));
    crate::support::until("a request", || async { !api.asked().is_empty() }).await?;
    let paths: Vec<String> = api.asked().into_iter().map(|asked| asked.path).collect();
    assert!(paths.iter().all(|path| path.starts_with("/k8s/clusters/c-abc12/api")), "{paths:?}");
    Ok(())
}

#[test]
fn field_19_a_bundle_of_authorities_is_read_as_go_reads_it() {
    let pem = |expires| String::from_utf8(STANDARD.decode(client(expires).0).unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let (a, b) = (pem(2040), pem(2041));
    let request = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    for (what, bundle, count) in [
        ("two", format!("{a}{b}"), 2),
        ("CRLF", format!("{a}{b}").replace('\n', "\r\n"), 2),
        ("text between", format!("# the old one\n{a}\nsubject=CN = new\n\n{b}\n"), 2),
        ("no line break at the end", format!("{a}{}", b.trim_end()), 2),
        ("a key and a request beside", format!("{}{request}{a}", key.serialize_pem()), 1),
        ("one that is expired", format!("{}{a}", pem(2025)), 2),
        (
            "one that is no certificate",
            format!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{a}"),
            1,
        ),
    ] {
        let mut document = good();
        cluster(&mut document)["certificate-authority-data"] = json!(STANDARD.encode(&bundle));
        let read = parse(&document).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(read.authorities.len(), count, "{what}");
        both_take(what, text(&document).as_bytes());
    }
}

/// On a person's machine files are read from the kubeconfig's own folder; two files are merged as kubectl merges them.
#[test]
fn field_11_a_file_may_name_files_and_be_one_of_several() -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("kogge-fleet-files-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("pki"))?;
    let (certificate, key) = client(2040);
    std::fs::write(folder.join("pki/ca.crt"), STANDARD.decode(&certificate)?)?;
    std::fs::write(folder.join("pki/client.crt"), STANDARD.decode(&certificate)?)?;
    std::fs::write(folder.join("pki/client.key"), STANDARD.decode(&key)?)?;
    std::fs::write(folder.join("pki/token"), "t0ps3cret\n")?;
    let mut named = good();
    *cluster(&mut named) = json!({"server": "https://192.0.2.1", "certificate-authority": "pki/ca.crt"});
    *user(&mut named) = json!({
        "client-certificate": "pki/client.crt", "client-key": "pki/client.key", "tokenFile": "pki/token",
    });
    let second = json!({
        "current-context": "ignored",
        "contexts": [{"name": "d", "context": {"cluster": "l", "user": "u", "namespace": "n"}}],
        "clusters": [{"name": "l", "cluster": {"server": "http://192.0.2.2"}}, {"name": "k", "cluster": {"server": "x"}}],
    });
    let (first_path, second_path) = (folder.join("a.yaml"), folder.join("b.yaml"));
    std::fs::write(&first_path, named.to_string())?;
    std::fs::write(&second_path, second.to_string())?;
    let files = KubeconfigFiles::read([first_path.as_path(), second_path.as_path()])?;
    assert_eq!(files.contexts().collect::<Vec<_>>(), ["c", "d"]);
    let access = files.access(None)?;
    assert_eq!(access.context, "c");
    assert_eq!(access.server.authorities.map(|found| found.certificates.len()), Some(1));
    let other = files.access(Some("d"))?;
    assert_eq!(
        (other.server.address.to_string().as_str(), other.namespace.as_deref()),
        ("http://192.0.2.2/", Some("n"))
    );

    std::fs::remove_file(folder.join("pki/token"))?;
    let error = KubeconfigFiles::read([first_path.as_path()])?.access(None).map(drop).unwrap_err();
    assert!(error.to_string().contains("users[name=u].user.tokenFile names the file"), "{error}");
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// A program that a person's kubeconfig asks for is run when a client is made, and not before; a Secret's never.
#[test]
fn field_11_a_program_is_run_for_a_person_only() -> anyhow::Result<()> {
    let trace = std::env::temp_dir().join(format!("kogge-fleet-plugin-{}", std::process::id()));
    let script = format!(
        "touch {}; echo '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{{\"token\":\"t\"}}}}'",
        trace.display()
    );
    let mut document = good();
    *user(&mut document) = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script],
        "interactiveMode": "Never", "provideClusterInfo": true, "env": null, "installHint": "",
    }});
    assert_eq!(parse(&document).unwrap_err().reason(), "KubeconfigExec");
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let access = KubeconfigFiles::parse(text(&document).as_bytes())?.access(None)?;
    assert!(!trace.exists(), "reading runs nothing");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    kube::Client::try_from(access.config(&kogge_fleet::ProxyEnvironment::default())?)?;
    assert!(trace.exists(), "the program did not run");
    std::fs::remove_file(&trace)?;
    Ok(())
}
