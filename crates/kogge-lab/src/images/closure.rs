//! The files that a dynamically linked binary needs: its loader and libraries, at the paths where it looks for them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::command::run;
use crate::error::{IoContext, LabError, Result};

/// Libraries that glibc before 2.34 loads at run time to look names up; newer ones hold them themselves.
const NAME_SERVICE: [&str; 3] = ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"];

/// Loader and libraries of `binary`; empty for a static one, and for a file of data.
pub(crate) fn libraries(binary: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut magic = Vec::new();
    let read = File::open(binary).and_then(|file| file.take(4).read_to_end(&mut magic));
    read.context(|| format!("read {}", binary.display()))?;
    if magic != b"\x7fELF" {
        return Ok(BTreeSet::new());
    }
    // `ldd` fails for static binaries, which need nothing.
    let Ok(listing) = run(&["ldd", &binary.to_string_lossy()]) else { return Ok(BTreeSet::new()) };
    let mut libraries = parse_ldd(&listing).map_err(|library| {
        LabError::Missing(format!("{} needs {library}, which this machine lacks", binary.display()))
    })?;
    let folders: BTreeSet<PathBuf> = libraries.iter().filter_map(|l| l.parent().map(Path::to_owned)).collect();
    for folder in folders {
        libraries.extend(NAME_SERVICE.iter().map(|name| folder.join(name)).filter(|path| path.is_file()));
    }
    Ok(libraries)
}

/// The paths in the output of `ldd`, or the name of a library that was not found.
fn parse_ldd(listing: &str) -> Result<BTreeSet<PathBuf>, String> {
    let mut paths = BTreeSet::new();
    for line in listing.lines().map(str::trim) {
        let target = match line.split_once(" => ") {
            Some((name, "not found")) => return Err(name.to_owned()),
            Some((_, target)) => target,
            None => line,
        };
        // Lines without a path name what the kernel provides, or say "statically linked".
        if let Some(path) = target.split(" (").next().filter(|path| path.starts_with('/')) {
            paths.insert(PathBuf::from(path));
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loader_and_libraries_are_read_from_ldd() {
        let listing = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let expected = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
        assert_eq!(parse_ldd(listing), Ok(BTreeSet::from(expected)));
        assert_eq!(parse_ldd("\tstatically linked\n"), Ok(BTreeSet::new()));
        assert_eq!(parse_ldd("\tlibx.so.1 => not found\n"), Err("libx.so.1".to_owned()));
    }

    #[test]
    fn a_file_of_data_needs_nothing() -> Result<()> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert_eq!(libraries(&source)?, BTreeSet::new());
        assert_eq!(libraries(Path::new("/dev/null"))?, BTreeSet::new());
        Ok(())
    }
}
