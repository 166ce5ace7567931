//! Kogge's own programs, and the images that are packed of them, for the demo and the tests.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::run;
use crate::error::{IoContext, LabError, Result};
use crate::etcd::Etcd;
use crate::images::{ImageFile, ImageSpec, pack};

/// The operator with the charts, as `config/manager` names it.
const OPERATOR: &str = "lab.kogge.dev/kogge:dev";
/// The stand-in for mongod and mongos.
const MONGOSIM: &str = "lab.kogge.dev/mongosim:7.0";
/// Kogge's own containers in the pods of databases, as `config/manager` names it.
const AGENT: &str = "lab.kogge.dev/kogge-agent:dev";
/// The client that writes and checks.
pub const HISTORY: &str = "lab.kogge.dev/kogge-history:dev";

/// The programs that go into images.
pub const PROGRAMS: [&str; 4] = ["kogge-operator", "kogge-agent", "mongosim", "kogge-history"];

/// Nobody, by the number that the images' own list of users has.
const USER: &str = "65532:65532";

/// The programs that a build made, by name.
pub type Programs = BTreeMap<String, PathBuf>;

/// Runs `cargo build` with these arguments in the checkout `root`, with cargo's own messages on the terminal, and
/// returns the programs. The agent among them is linked statically: it runs in the containers of any image.
pub fn build(root: &Path, arguments: &[&str]) -> Result<Programs> {
    let mut programs = run_cargo(root, arguments, &[])?;
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let agent = ["--package", "kogge-agent", "--target", &target];
    // Flags for a target of its own are not for the build scripts and macros, which must stay dynamic.
    programs.extend(run_cargo(root, &agent, &[("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static")])?);
    Ok(programs)
}

fn run_cargo(root: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Result<Programs> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let line = format!("cargo build {}", arguments.join(" "));
    let output = Command::new(cargo)
        .args(["build", "--locked", "--message-format=json-render-diagnostics"])
        .args(arguments)
        .envs(env.iter().copied())
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .context(|| format!("run `{line}`"))?;
    if !output.status.success() {
        return Err(LabError::Command {
            command: line,
            status: output.status.to_string(),
            stderr: "its messages are above".to_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(program).collect())
}

/// The program that a message of cargo tells of, if it does: tests are programs too, but not meant.
fn program(message: &str) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let is_test = message["profile"]["test"].as_bool().unwrap_or_default();
    let executable = message["executable"].as_str().filter(|_| !is_test)?;
    Some((message["target"]["name"].as_str()?.to_owned(), executable.into()))
}

/// The program of that name.
pub fn find<'a>(programs: &'a Programs, name: &str) -> Result<&'a Path> {
    let found = programs.get(name).map(PathBuf::as_path);
    found.ok_or_else(|| LabError::Missing(format!("cargo built no {name}")))
}

/// Packs all images from these programs and the charts of the checkout `root`, and returns their files.
pub fn pack_all(root: &Path, programs: &Programs) -> Result<Vec<PathBuf>> {
    let folder = root.join("target/images");
    let stripped = folder.join("bin");
    fs::create_dir_all(&stripped).context(|| format!("make {}", stripped.display()))?;
    let small = |name: &str| strip(find(programs, name)?, &stripped.join(name));
    let specs = [
        ("kogge", operator(root, &small("kogge-operator")?)?),
        // Its pods say as whom it runs: it reads the disk of the server that it stands before.
        ("kogge-agent", ImageSpec::binary(AGENT, small("kogge-agent")?)),
        ("mongosim", mongosim(&small("mongosim")?)),
        (
            "kogge-history",
            ImageSpec { user: USER.to_owned(), ..ImageSpec::binary(HISTORY, small("kogge-history")?) },
        ),
    ];
    let mut files = Vec::new();
    for (name, spec) in specs {
        let file = folder.join(format!("{name}.tar"));
        let layout = pack(&spec, &file)?;
        let size = fs::metadata(&file).context(|| format!("look at {}", file.display()))?.len();
        tracing::info!("packed {} ({} MiB)", layout.name, size / (1024 * 1024));
        files.push(file);
    }
    Ok(files)
}

/// Packs an image of each release of etcd, as the examples name them, and returns their files.
pub fn pack_etcd(root: &Path) -> Result<Vec<PathBuf>> {
    let folder = root.join("target/images");
    fs::create_dir_all(&folder).context(|| format!("make {}", folder.display()))?;
    Etcd::ALL
        .into_iter()
        .map(|release| {
            let file = folder.join(format!("etcd-{release}.tar"));
            pack(&etcd(release)?, &file)?;
            Ok(file)
        })
        .collect()
}

fn etcd(release: Etcd) -> Result<ImageSpec> {
    let programs = release.programs()?;
    let file = |source, name: &str| ImageFile { source, path: format!("/bin/{name}") };
    Ok(ImageSpec {
        name: format!("lab.kogge.dev/etcd:{release}"),
        entrypoint: vec!["/bin/etcd".to_owned()],
        files: vec![
            file(programs.etcd, "etcd"),
            file(programs.etcdctl, "etcdctl"),
            file(programs.etcdutl, "etcdutl"),
        ],
        ..ImageSpec::default()
    })
}

fn operator(root: &Path, program: &Path) -> Result<ImageSpec> {
    let mut spec = ImageSpec { user: USER.to_owned(), ..ImageSpec::binary(OPERATOR, program) };
    let charts = root.join("charts");
    for source in files_below(&charts)? {
        let inside = source.strip_prefix(&charts).unwrap_or(&source).to_string_lossy().into_owned();
        spec.files.push(ImageFile { source, path: format!("/charts/{inside}") });
    }
    Ok(spec)
}

/// One program under the names that charts call, as in the image of the real one.
fn mongosim(program: &Path) -> ImageSpec {
    let mut spec = ImageSpec::binary(MONGOSIM, program);
    for name in ["mongod", "mongos"] {
        spec.links.insert(format!("/bin/{name}"), "mongosim".to_owned());
    }
    spec
}

/// A copy without debugging symbols, a quarter of the size, where the machine has `strip`.
fn strip(program: &Path, to: &Path) -> Result<PathBuf> {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    if modified(to).is_some_and(|copied| modified(program).is_some_and(|built| built < copied)) {
        return Ok(to.to_owned());
    }
    let draft = to.with_extension("draft");
    match run(&["strip", "-o", &draft.to_string_lossy(), &program.to_string_lossy()]) {
        Ok(_) => fs::rename(&draft, to).context(|| format!("keep {}", to.display()))?,
        Err(_) => {
            fs::copy(program, to).context(|| format!("copy {}", program.display()))?;
        }
    }
    Ok(to.to_owned())
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let reading = || format!("read {}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).context(reading)? {
        let path = entry.context(reading)?.path();
        if path.is_dir() { files.extend(files_below(&path)?) } else { files.push(path) }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_from_tests_and_libraries() {
        let artifact = |executable: &str, test: bool| {
            program(&format!(
                r#"{{"reason":"compiler-artifact","target":{{"name":"kogge"}},"profile":{{"test":{test}}},"executable":{executable}}}"#
            ))
        };
        assert_eq!(artifact("\"/t/kogge\"", false), Some(("kogge".to_owned(), PathBuf::from("/t/kogge"))));
        assert_eq!(artifact("\"/t/kogge-1f\"", true), None);
        assert_eq!(artifact("null", false), None);
        assert_eq!(program("not JSON"), None);
    }
}
