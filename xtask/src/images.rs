//! Kogge's own container images, packed from what cargo built.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use kogge_lab::ImageSpec;
use kogge_lab::images::{ImageFile, pack};

use crate::cargo::Programs;
use crate::command::{command, run};
use crate::setup::blocking;
use crate::workspace;

/// The operator with the charts, as `config/manager` names it.
const OPERATOR: &str = "lab.kogge.dev/kogge:dev";
/// The stand-in for mongod and mongos.
const MONGOSIM: &str = "lab.kogge.dev/mongosim:7.0";
/// The client that writes and checks.
pub(crate) const HISTORY: &str = "lab.kogge.dev/kogge-history:dev";

/// The programs that go into images.
pub(crate) const PROGRAMS: [&str; 3] = ["kogge-operator", "mongosim", "kogge-history"];

/// Packs all images from these programs, and returns their files.
pub(crate) async fn pack_all(programs: &Programs) -> anyhow::Result<Vec<PathBuf>> {
    let folder = workspace::root().join("target/images");
    let stripped = folder.join("bin");
    fs::create_dir_all(&stripped).with_context(|| format!("cannot make {}", stripped.display()))?;
    let mut sources = Programs::new();
    for name in PROGRAMS {
        let built = programs.get(name).with_context(|| format!("cargo built no {name}"))?;
        sources.insert(name.to_owned(), strip(built, &stripped.join(name)).await?);
    }
    let specs = [
        ("kogge", operator(&sources["kogge-operator"])?),
        ("mongosim", mongosim(&sources["mongosim"])),
        (
            "kogge-history",
            ImageSpec { user: USER.to_owned(), ..ImageSpec::binary(HISTORY, &sources["kogge-history"]) },
        ),
    ];
    let mut files = Vec::new();
    for (name, spec) in specs {
        let file = folder.join(format!("{name}.tar"));
        let out = file.clone();
        let layout = blocking(move || pack(&spec, &out)).await?;
        println!("packed {} ({} MiB)", layout.name, fs::metadata(&file)?.len() / (1024 * 1024));
        files.push(file);
    }
    Ok(files)
}

/// Nobody, by the number that the images' own list of users has.
const USER: &str = "65532:65532";

fn operator(program: &Path) -> anyhow::Result<ImageSpec> {
    let mut spec = ImageSpec { user: USER.to_owned(), ..ImageSpec::binary(OPERATOR, program) };
    let charts = workspace::root().join("charts");
    for source in files_below(&charts)? {
        let inside = source.strip_prefix(&charts)?.to_string_lossy().into_owned();
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
async fn strip(program: &Path, to: &Path) -> anyhow::Result<PathBuf> {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    if modified(to).is_some_and(|copied| modified(program).is_some_and(|built| built < copied)) {
        return Ok(to.to_owned());
    }
    let draft = to.with_extension("draft");
    let arguments = [Path::new("-o"), &draft, program];
    match run(command("strip", arguments)).await {
        Ok(()) => fs::rename(&draft, to).with_context(|| format!("cannot keep {}", to.display()))?,
        Err(_) => {
            fs::copy(program, to).with_context(|| format!("cannot copy {}", program.display()))?;
        }
    }
    Ok(to.to_owned())
}

fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() { files.extend(files_below(&path)?) } else { files.push(path) }
    }
    files.sort();
    Ok(files)
}
