//! The images that every lab needs.

use std::fs;
use std::path::{Path, PathBuf};

use super::pack::{ImageFile, ImageSpec, pack};
use crate::command::{find_program, run};
use crate::components::SANDBOX_IMAGE;
use crate::error::{LabError, Result};
use crate::go_module::cache_folder;
use crate::kubeparts;
use crate::node::init_program;

/// CoreDNS.
pub(crate) const COREDNS_IMAGE: &str = "lab.kogge.dev/coredns:1";

/// A small image with a shell and busybox's tools (`sleep`, `nslookup`, `nc`, `wget`, `httpd`, …).
pub const SHELL_IMAGE: &str = "lab.kogge.dev/shell:1";

/// Packs pause, CoreDNS and the shell image, unless they are there, and returns their files.
pub fn base_images() -> Result<Vec<PathBuf>> {
    let folder = cache_folder()?.join("images");
    let kubeparts = kubeparts::ensure()?;
    let coredns = ImageSpec {
        name: COREDNS_IMAGE.to_owned(),
        entrypoint: vec!["/bin/kubeparts".to_owned(), "coredns".to_owned()],
        files: vec![ImageFile { source: kubeparts, path: "/bin/kubeparts".to_owned() }],
        ..ImageSpec::default()
    };
    let pause = ImageSpec::binary(SANDBOX_IMAGE, init_program()?);
    [("pause", pause), ("shell", shell()?), (&format!("coredns-{}", kubeparts::version()), coredns)]
        .into_iter()
        .map(|(file, spec)| pack_newer(&spec, folder.join(format!("{file}.tar"))))
        .collect()
}

/// Packs an image unless its file is newer than everything in it.
fn pack_newer(spec: &ImageSpec, out: PathBuf) -> Result<PathBuf> {
    let changed = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
    let packed = changed(&out);
    let newest_source = spec.files.iter().map(|file| changed(&file.source)).max().flatten();
    if packed.is_none() || packed < newest_source {
        pack(spec, &out)?;
        tracing::info!("packed image {}", spec.name);
    }
    Ok(out)
}

fn shell() -> Result<ImageSpec> {
    let busybox = find_program("busybox").ok_or_else(|| {
        LabError::Missing(
            "busybox is needed for the shell image: install the package busybox of your distribution".to_owned(),
        )
    })?;
    let tools = run(&[&busybox.to_string_lossy(), "--list"])?;
    Ok(ImageSpec {
        name: SHELL_IMAGE.to_owned(),
        entrypoint: vec!["/bin/sh".to_owned()],
        files: vec![ImageFile { source: busybox, path: "/bin/busybox".to_owned() }],
        links: tools
            .lines()
            .filter(|tool| *tool != "busybox")
            .map(|tool| (format!("/bin/{tool}"), "busybox".to_owned()))
            .collect(),
        ..ImageSpec::default()
    })
}
