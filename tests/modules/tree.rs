//! A crate's modules, and which of its files uses which.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path as FilePath;

use anyhow::{Context as _, Result, ensure};

use crate::cycle::Edge;
use crate::source::{self, Module};

/// A re-export may lead to another one; so many in a row are none that compile.
const MOST_REEXPORTS: usize = 16;

/// The texts of a crate's files, by their paths below `src`.
pub(crate) type Files = BTreeMap<String, String>;

/// Every file below a folder.
pub(crate) fn files_below(folder: &FilePath) -> Result<Files> {
    let mut files = Files::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("cannot read {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
                files.insert(name, fs::read_to_string(&path)?);
            }
        }
    }
    Ok(files)
}

/// Where a module is, from the crate's root.
type Place = Vec<String>;

/// All modules of a crate.
struct Tree {
    modules: BTreeMap<Place, Located>,
}

struct Located {
    module: Module,
    file: String,
}

/// What a path leads to.
enum Target {
    Module(Place),
    /// Something that this module defines.
    ItemOf(Place),
}

/// Which file uses what another one defines. Modules that only pass a name on are no part of it.
pub(crate) fn edges(files: &Files) -> Result<Vec<Edge>> {
    let mut tree = Tree { modules: BTreeMap::new() };
    tree.add_file(files, Place::new(), "lib.rs")?;
    let mut edges = Vec::new();
    for (place, Located { module, file }) in &tree.modules {
        for glob in &module.globs {
            let hides = matches!(tree.follow(place, &glob.segments, 0), Some(Target::Module(_)));
            ensure!(
                !hides,
                "{file}:{}: `use {}::*` hides what is used; name it",
                glob.line,
                glob.segments.join("::")
            );
        }
        let imports = module.imports.values().filter(|import| !import.exported).map(|import| &import.path);
        for path in imports.chain(&module.paths) {
            let Some(Target::ItemOf(definer)) = tree.follow(place, &path.segments, 0) else { continue };
            let to = &tree.modules[&definer].file;
            if to != file {
                let (from, to) = (file.clone(), to.clone());
                edges.push(Edge { from, to, line: path.line, path: path.segments.join("::") });
            }
        }
    }
    edges.sort();
    Ok(edges)
}

impl Tree {
    fn add_file(&mut self, files: &Files, place: Place, file: &str) -> Result<()> {
        let text = files.get(file).with_context(|| format!("there is no {file}"))?;
        let module = source::read(text).with_context(|| file.to_owned())?;
        self.add(files, place, module, file)
    }

    fn add(&mut self, files: &Files, place: Place, mut module: Module, file: &str) -> Result<()> {
        for (name, block) in std::mem::take(&mut module.blocks) {
            self.add(files, below(&place, &name), block, file)?;
        }
        for name in &module.files {
            let place = below(&place, name);
            let (flat, folder) = (format!("{}.rs", place.join("/")), format!("{}/mod.rs", place.join("/")));
            let file = if files.contains_key(&flat) { flat } else { folder };
            self.add_file(files, place, &file)?;
        }
        self.modules.insert(place, Located { module, file: file.to_owned() });
        Ok(())
    }

    /// What a path leads to that is written in a module; none where that is outside of the crate, or the module's own.
    fn follow(&self, from: &[String], path: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let parent = || Some(from.split_last()?.1);
        let start = match first.as_str() {
            "crate" => Target::Module(Place::new()),
            "self" => Target::Module(from.to_vec()),
            "super" => Target::Module(parent()?.to_vec()),
            name => self.named(from, name, depth)?,
        };
        let mut rest = rest.iter();
        let mut at = start;
        while let Target::Module(place) = &at {
            let Some(name) = rest.next() else { break };
            at = match name.as_str() {
                "super" => Target::Module(place.split_last()?.1.to_vec()),
                name => self.named(place, name, depth).unwrap_or_else(|| Target::ItemOf(place.clone())),
            };
        }
        Some(at)
    }

    /// What a name means in a module that declares or imports it.
    fn named(&self, place: &[String], name: &str, depth: usize) -> Option<Target> {
        let child = below(place, name);
        if self.modules.contains_key(&child) {
            return Some(Target::Module(child));
        }
        let import = self.modules.get(place)?.module.imports.get(name)?;
        if depth == MOST_REEXPORTS {
            return None;
        }
        self.follow(place, &import.path.segments, depth + 1)
    }
}

fn below(place: &[String], name: &str) -> Place {
    let mut place = place.to_vec();
    place.push(name.to_owned());
    place
}
