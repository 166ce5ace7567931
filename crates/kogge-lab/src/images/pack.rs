//! Packs files into an OCI image layout in one tar file. The same files make the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::closure::libraries;
use crate::digest::hex;
use crate::error::{IoContext, LabError, Result};

/// A file that goes into an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// Where it is now.
    pub source: PathBuf,
    /// Its absolute path in the image.
    pub path: String,
}

/// What an image is made of. Libraries of binaries are added when it is packed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageSpec {
    /// Full name with tag, such as `lab.kogge.dev/mongosim:dev`.
    pub name: String,
    /// The command that a container runs.
    pub entrypoint: Vec<String>,
    /// Files, each executable.
    pub files: Vec<ImageFile>,
    /// Symbolic links: absolute path in the image, and what it points to.
    pub links: BTreeMap<String, String>,
    /// Environment variables, beside `PATH`.
    pub env: BTreeMap<String, String>,
    /// `uid` or `uid:gid` that the command runs as; root if empty.
    pub user: String,
}

/// Where an image was packed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Full name with tag.
    pub name: String,
    /// Digest of its manifest.
    pub digest: String,
}

impl ImageSpec {
    /// An image of one binary, which is its command as `/bin/<file name>`.
    pub fn binary(name: impl Into<String>, source: impl Into<PathBuf>) -> Self {
        let source = source.into();
        let file = source.file_name().map(|f| f.to_string_lossy().into_owned()).unwrap_or_default();
        let path = format!("/bin/{file}");
        Self {
            name: name.into(),
            entrypoint: vec![path.clone()],
            files: vec![ImageFile { source, path }],
            ..Self::default()
        }
    }
}

/// Packs the image into the tar file `out`. Written beside it first, so that `out` is never half an image.
pub fn pack(spec: &ImageSpec, out: &Path) -> Result<Layout> {
    let Some((_, tag)) = spec.name.rsplit_once(':').filter(|(_, tag)| !tag.is_empty() && !tag.contains('/'))
    else {
        return Err(LabError::Invalid(format!("image name {:?} has no tag: use registry/name:tag", spec.name)));
    };
    let folder = out.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder).context(|| format!("create {}", folder.display()))?;
    let drafts = tempfile::tempdir_in(folder).context(|| format!("create a folder in {}", folder.display()))?;
    let layer_path = drafts.path().join("layer.tar");
    let layer = write_layer(spec, &layer_path)?;

    let config = Blob::json(&config(spec, &layer.digest))?;
    let manifest = Blob::json(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config.digest, "size": config.bytes.len()},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer.digest, "size": layer.size}],
    }))?;
    let index = Blob::json(&json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": manifest.digest,
            "size": manifest.bytes.len(),
            "annotations": {"io.containerd.image.name": spec.name, "org.opencontainers.image.ref.name": tag},
        }],
    }))?;

    let draft = drafts.path().join("image.tar");
    let what = || format!("write {}", draft.display());
    let mut archive = tar::Builder::new(BufWriter::new(File::create(&draft).context(what)?));
    let mut append =
        |path: &str, bytes: &[u8]| archive.append_data(&mut file_header(bytes.len() as u64, 0o644), path, bytes);
    append("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#).context(what)?;
    append("index.json", &index.bytes).context(what)?;
    append(&blob_path(&manifest.digest), &manifest.bytes).context(what)?;
    append(&blob_path(&config.digest), &config.bytes).context(what)?;
    let layer_file = File::open(&layer_path).context(what)?;
    archive
        .append_data(&mut file_header(layer.size, 0o644), blob_path(&layer.digest), layer_file)
        .context(what)?;
    archive.into_inner().and_then(|mut writer| writer.flush()).context(what)?;
    fs::rename(&draft, out).context(|| format!("keep {}", out.display()))?;
    Ok(Layout { name: spec.name.clone(), digest: manifest.digest })
}

/// Reads name and manifest digest out of an image file in OCI layout.
pub(super) fn read_layout(path: &Path) -> Result<Option<Layout>> {
    let what = || format!("read image {}", path.display());
    let mut archive = tar::Archive::new(File::open(path).context(what)?);
    for entry in archive.entries().context(what)? {
        let entry = entry.context(what)?;
        if entry.path().context(what)?.as_os_str() != "index.json" {
            continue;
        }
        let index: serde_json::Value =
            serde_json::from_reader(entry).map_err(|e| LabError::document(path.display().to_string(), e))?;
        let manifest = index.pointer("/manifests/0");
        let text = |pointer: &str| manifest?.pointer(pointer)?.as_str().map(str::to_owned);
        return Ok(text("/annotations/io.containerd.image.name")
            .zip(text("/digest"))
            .map(|(name, digest)| Layout { name, digest }));
    }
    Ok(None)
}

/// A small document of the image, known by its digest.
struct Blob {
    bytes: Vec<u8>,
    digest: String,
}

impl Blob {
    fn json(document: &serde_json::Value) -> Result<Self> {
        let bytes = serde_json::to_vec(document).map_err(|e| LabError::document("image", e))?;
        let digest = digest_text(&Sha256::digest(&bytes));
        Ok(Self { bytes, digest })
    }
}

struct Layer {
    digest: String,
    size: u64,
}

fn config(spec: &ImageSpec, layer_digest: &str) -> serde_json::Value {
    let mut env = vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()];
    env.extend(spec.env.iter().map(|(key, value)| format!("{key}={value}")));
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "architecture": architecture,
        "os": "linux",
        "config": {"Entrypoint": spec.entrypoint, "Env": env, "User": spec.user, "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
    })
}

fn write_layer(spec: &ImageSpec, path: &Path) -> Result<Layer> {
    let what = || format!("write {}", path.display());
    let mut archive = tar::Builder::new(HashingWriter::new(BufWriter::new(File::create(path).context(what)?)));
    let mut files: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for file in &spec.files {
        files.insert(relative(&file.path)?, file.source.clone());
        for library in libraries(&file.source)? {
            files.insert(relative(&library.to_string_lossy())?, library);
        }
    }
    let links: BTreeMap<PathBuf, &String> =
        spec.links.iter().map(|(path, target)| Ok((relative(path)?, target))).collect::<Result<_>>()?;

    let mut folders: BTreeSet<PathBuf> = ["etc", "tmp", "var"].map(PathBuf::from).into();
    for path in files.keys().chain(links.keys()) {
        folders.extend(path.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()).map(Path::to_owned));
    }
    for folder in &folders {
        let mode = if folder == Path::new("tmp") { 0o1777 } else { 0o755 };
        let mut header = header(tar::EntryType::Directory, 0, mode);
        archive.append_data(&mut header, folder, io::empty()).context(what)?;
    }
    for (file, text) in [
        ("etc/passwd", "root:x:0:0:root:/:/bin/sh\nnobody:x:65532:65532:nobody:/:/bin/sh\n"),
        ("etc/group", "root:x:0:\nnobody:x:65532:\n"),
        ("etc/nsswitch.conf", "hosts: files dns\n"),
    ] {
        archive.append_data(&mut file_header(text.len() as u64, 0o644), file, text.as_bytes()).context(what)?;
    }
    for (path, source) in &files {
        let file = File::open(source).context(|| format!("open {}", source.display()))?;
        let size = file.metadata().context(|| format!("look at {}", source.display()))?.len();
        archive.append_data(&mut file_header(size, 0o755), path, file).context(what)?;
    }
    for (path, target) in links {
        let mut header = header(tar::EntryType::Symlink, 0, 0o777);
        archive.append_link(&mut header, path, target).context(what)?;
    }
    let writer = archive.into_inner().context(what)?;
    writer.finish().context(what)
}

/// A path in the image, as tar wants it.
fn relative(path: &str) -> Result<PathBuf> {
    match path.strip_prefix('/') {
        Some(rest) if !rest.is_empty() && !rest.split('/').any(|part| part == "..") => Ok(rest.into()),
        _ => Err(LabError::Invalid(format!("path {path:?} in an image must be absolute and without '..'"))),
    }
}

fn header(kind: tar::EntryType, size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn file_header(size: u64, mode: u32) -> tar::Header {
    header(tar::EntryType::Regular, size, mode)
}

fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

fn digest_text(hash: &[u8]) -> String {
    format!("sha256:{}", hex(hash))
}

/// Hashes and counts what passes through it.
struct HashingWriter<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> HashingWriter<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), size: 0 }
    }

    fn finish(mut self) -> io::Result<Layer> {
        self.inner.flush()?;
        Ok(Layer { digest: digest_text(&self.hash.finalize()), size: self.size })
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ImageSpec {
        let mut spec = ImageSpec::binary("lab.kogge.dev/sh:1", "/bin/sh");
        spec.links.insert("/bin/ash".to_owned(), "sh".to_owned());
        spec.env.insert("A".to_owned(), "b".to_owned());
        spec
    }

    #[test]
    fn the_same_files_make_the_same_bytes() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (one, two) = (folder.path().join("one.tar"), folder.path().join("two.tar"));
        let first = pack(&spec(), &one)?;
        assert_eq!(first, pack(&spec(), &two)?);
        assert_eq!(fs::read(&one)?, fs::read(&two)?);
        assert_eq!(read_layout(&one)?, Some(first.clone()));
        let mut other = spec();
        other.env.insert("A".to_owned(), "c".to_owned());
        assert_ne!(first.digest, pack(&other, &two)?.digest);
        Ok(())
    }

    #[test]
    fn the_layer_holds_the_binary_its_libraries_and_links() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let layer = folder.path().join("layer.tar");
        write_layer(&spec(), &layer)?;
        let mut archive = tar::Archive::new(File::open(&layer)?);
        let paths: Vec<String> = archive
            .entries()?
            .map(|entry| Ok(entry?.path()?.to_string_lossy().into_owned()))
            .collect::<io::Result<_>>()?;
        assert!(paths.iter().any(|p| p == "bin/sh") && paths.iter().any(|p| p == "bin/ash"), "{paths:?}");
        for library in libraries(Path::new("/bin/sh"))? {
            assert!(paths.iter().any(|p| Path::new("/").join(p) == library), "{library:?} in {paths:?}");
        }
        Ok(())
    }

    #[test]
    fn names_without_tag_and_relative_paths_are_refused() {
        let out = Path::new("/nonexistent/x.tar");
        assert!(pack(&ImageSpec { name: "lab.kogge.dev:5000/x".to_owned(), ..spec() }, out).is_err());
        assert!(relative("bin/sh").is_err() && relative("/a/../b").is_err() && relative("/").is_err());
    }
}
