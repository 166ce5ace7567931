//! The names that a join is given, checked before any cluster is asked: an API server would refuse them one by one,
//! after other objects were made.

use std::collections::BTreeMap;

use anyhow::bail;

/// The longest label, and name of a namespace.
const LABEL: usize = 63;
/// The longest prefix of a label's key.
const SUBDOMAIN: usize = 253;
/// Namespaces that a WorkerCluster may list.
const NAMESPACES: usize = 64;

/// All names of a join.
pub(super) struct Names<'a> {
    pub(super) worker: &'a str,
    pub(super) vdc: &'a str,
    pub(super) system_namespace: &'a str,
    pub(super) namespaces: &'a [String],
    pub(super) labels: &'a [(String, String)],
}

impl Names<'_> {
    /// Refuses what no API server would take, all of it at once.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let mut problems = Vec::new();
        if !is_subdomain(self.worker, LABEL) {
            problems.push(format!(
                "the name {:?} cannot be a WorkerCluster's: use at most {LABEL} lower-case letters, digits, dashes and \
                 dots, with a letter or a digit at both ends, such as worker-vdc1",
                self.worker
            ));
        }
        if !is_label(self.vdc) {
            problems.push(format!("--vdc {:?} {}, such as eu-central-1a", self.vdc, AS_A_LABEL));
        }
        if !is_label(self.system_namespace) {
            problems.push(format!("--system-namespace {:?} {AS_A_LABEL}", self.system_namespace));
        }
        for namespace in self.namespaces.iter().filter(|namespace| !is_label(namespace)) {
            problems.push(format!("--allow-namespace {namespace:?} {AS_A_LABEL}"));
        }
        if self.namespaces.len() > NAMESPACES {
            problems.push(format!(
                "--allow-namespace is given {} times, and a WorkerCluster lists at most {NAMESPACES} namespaces: use \
                 --all-namespaces",
                self.namespaces.len()
            ));
        }
        let mut values = BTreeMap::new();
        for (key, value) in self.labels {
            if !is_label_key(key) {
                problems.push(format!(
                    "--label {key}={value}: {key:?} cannot be the key of a label: use at most {LABEL} letters, digits, \
                     dashes, dots and underscores, after a DNS name and a slash if you like"
                ));
            }
            if !value.is_empty() && !is_label_value(value) {
                problems.push(format!(
                    "--label {key}={value}: {value:?} cannot be the value of a label: use at most {LABEL} letters, \
                     digits, dashes, dots and underscores, with a letter or a digit at both ends"
                ));
            }
            if values.insert(key, value).is_some_and(|other| other != value) {
                problems.push(format!("--label {key} is given twice, with two values: keep one of them"));
            }
        }
        match problems.as_slice() {
            [] => Ok(()),
            problems => bail!("{}", problems.join("; ")),
        }
    }
}

const AS_A_LABEL: &str =
    "cannot be used: use at most 63 lower-case letters, digits and dashes, with a letter or a digit at both ends";

/// A DNS label, RFC 1123.
fn is_label(text: &str) -> bool {
    text.len() <= LABEL
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && is_bounded(text)
}

/// DNS labels with dots between them.
fn is_subdomain(text: &str, longest: usize) -> bool {
    text.len() <= longest
        && text.split('.').all(|part| {
            part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
                && is_bounded(part)
        })
}

fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix, SUBDOMAIN) && is_label_value(name),
        None => is_label_value(key),
    }
}

fn is_label_value(value: &str) -> bool {
    value.len() <= LABEL
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && is_bounded(value)
}

/// Whether there is a letter or a digit at both ends.
fn is_bounded(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    ends.is_some_and(|(first, last)| first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(worker: &str, vdc: &str, namespaces: &[&str], labels: &[(&str, &str)]) -> Result<(), String> {
        let namespaces: Vec<String> = namespaces.iter().map(|&name| name.to_owned()).collect();
        let labels: Vec<(String, String)> = labels.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        let names =
            Names { worker, vdc, system_namespace: "kogge-system", namespaces: &namespaces, labels: &labels };
        names.check().map_err(|error| error.to_string())
    }

    #[test]
    fn field_16_names_that_kubernetes_takes_are_taken() {
        let longest = "a".repeat(63);
        for worker in ["w", "worker-vdc1", "1", "a.b-c.1", &longest] {
            check(worker, "vdc1", &["databases"], &[]).unwrap();
        }
        for vdc in ["v", "eu-central-1a", "0", &longest] {
            check("w", vdc, &[], &[]).unwrap();
        }
        check("w", "v", &["a", &longest, "x-1"], &[]).unwrap();
        let prefix = format!("{}.example/{longest}", "p".repeat(63));
        for (key, value) in [
            ("zone", "eu"),
            ("kogge.dev/zone", ""),
            ("A_b.c-1", "A_b.c-1"),
            (prefix.as_str(), longest.as_str()),
            ("topology.kubernetes.io/zone", "eu-central-1a"),
        ] {
            check("w", "v", &[], &[(key, value)]).unwrap();
        }
        check("w", "v", &[], &[("a", "b"), ("a", "b")]).unwrap();
    }

    #[test]
    fn field_16_names_that_kubernetes_refuses_are_refused_with_what_was_given() {
        let (too_long, way_too_long) = ("a".repeat(64), format!("{}/a", "a.".repeat(127)));
        for worker in [
            "arn:aws:eks:eu-central-1:111122223333:cluster/db1",
            "gke_project_europe-west1_db1",
            "Worker",
            "-w",
            "w-",
            "w.",
            ".w",
            "a..b",
            "a.-b",
            "w orker",
            "wörker",
            "w\n",
            "",
            &too_long,
        ] {
            let error = check(worker, "vdc1", &[], &[]).expect_err(worker);
            assert!(error.contains(&format!("{worker:?}")), "{error}");
        }
        for vdc in ["eu-central-1a_x", "VDC", "-v", "v-", "a.b", "", "v/1", &too_long] {
            let error = check("w", vdc, &[], &[]).expect_err(vdc);
            assert!(error.contains(&format!("--vdc {vdc:?}")), "{error}");
        }
        for namespace in ["my_db", "Databases", "a.b", "-a", "", "*", &too_long] {
            let error = check("w", "v", &["databases", namespace], &[]).expect_err(namespace);
            assert!(error.contains(&format!("--allow-namespace {namespace:?}")), "{error}");
        }
        let many: Vec<String> = (0..65).map(|number| format!("n{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(check("w", "v", &many, &[]).unwrap_err().contains("65 times"));
        for (key, value) in [
            ("", "x"),
            ("a b", "x"),
            ("-a", "x"),
            ("/a", "x"),
            ("a/", "x"),
            ("A.example/a", "x"),
            ("a/b/c", "x"),
            (&too_long, "x"),
            (&way_too_long, "x"),
            ("a", "x y"),
            ("a", "-x"),
            ("a", "x="),
            ("a", "x/y"),
            ("a", &too_long),
        ] {
            let error = check("w", "v", &[], &[(key, value)]).expect_err(key);
            assert!(error.contains(&format!("--label {key}={value}")), "{error}");
        }
        assert!(check("w", "v", &[], &[("a", "b"), ("a", "c")]).unwrap_err().contains("given twice"));
    }

    #[test]
    fn field_16_every_problem_is_told_at_once() {
        let error = check("W", "V", &["N"], &[("a", "-")]).unwrap_err();
        for part in ["\"W\"", "--vdc \"V\"", "--allow-namespace \"N\"", "--label a=-"] {
            assert!(error.contains(part), "{part} in {error}");
        }
    }
}
