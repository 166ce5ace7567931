//! What a source file says of names: its modules, what it imports, and the paths that it follows.
//!
//! It is read as tokens, so comments and strings say nothing, and what is written in a macro's brackets counts as it
//! does elsewhere.

use std::collections::BTreeMap;
use std::iter::Peekable;

use anyhow::{Context as _, Result, anyhow, bail};
use proc_macro2::token_stream::IntoIter;
use proc_macro2::{Delimiter, Ident, Punct, Spacing, TokenStream, TokenTree};
use syn::UseTree;

type Tokens = Peekable<IntoIter>;

/// A module: a file, or a block within one.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Modules with a file of their own (`mod name;`).
    pub(crate) files: Vec<String>,
    /// Modules that are blocks of the same file (`mod name { … }`).
    pub(crate) blocks: Vec<(String, Module)>,
    /// By the names that they have here.
    pub(crate) imports: BTreeMap<String, Import>,
    /// `use path::*`, by their paths.
    pub(crate) globs: Vec<Path>,
    /// Every path and every name by itself, wherever it is written.
    pub(crate) paths: Vec<Path>,
}

/// What a `use` makes known.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) path: Path,
    /// It is there for others (`pub use`): this module uses it only where it names it.
    pub(crate) exported: bool,
}

/// `crate::view::SetView`, and where it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

/// Reads a file's text; what is built for tests only is left out.
pub(crate) fn read(text: &str) -> Result<Module> {
    let tokens: TokenStream = text.parse().map_err(|error| anyhow!("{error}"))?;
    let mut module = Module::default();
    module.read(tokens)?;
    Ok(module)
}

impl Module {
    fn read(&mut self, tokens: TokenStream) -> Result<()> {
        let mut tokens = tokens.into_iter().peekable();
        let mut exported = false;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == '#' => {
                    if tokens.peek().is_some_and(is_for_tests) {
                        skip_item(&mut tokens);
                    }
                }
                // After `..` stands an expression, after `.` none.
                TokenTree::Punct(mark)
                    if mark.as_char() == '.' && tokens.next_if(|next| is(next, '.')).is_some() => {}
                // What follows is a field or a method, a lifetime, or the rest of a path that begins elsewhere.
                TokenTree::Punct(mark) if matches!(mark.as_char(), '.' | '\'') || is_path_mark(&mark) => {
                    tokens.next_if(|next| is(next, ':'));
                    tokens.next_if(|next| matches!(next, TokenTree::Ident(_)));
                }
                TokenTree::Ident(word) if word == "pub" => {
                    // The brackets of `pub(in crate::view)` use nothing.
                    tokens.next_if(|next| matches!(next, TokenTree::Group(_)));
                    exported = true;
                    continue;
                }
                TokenTree::Ident(word) if word == "use" => self.read_use(&mut tokens, exported)?,
                TokenTree::Ident(word) if word == "mod" => self.read_mod(&mut tokens)?,
                TokenTree::Ident(word) => self.read_path(&word, &mut tokens),
                TokenTree::Group(group) => self.read(group.stream())?,
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            exported = false;
        }
        Ok(())
    }

    fn read_mod(&mut self, tokens: &mut Tokens) -> Result<()> {
        let Some(TokenTree::Ident(name)) = tokens.next() else { bail!("a module has no name") };
        match tokens.next() {
            Some(TokenTree::Group(block)) => {
                let mut module = Self::default();
                module.read(block.stream())?;
                self.blocks.push((name.to_string(), module));
            }
            _ => self.files.push(name.to_string()),
        }
        Ok(())
    }

    fn read_path(&mut self, first: &Ident, tokens: &mut Tokens) {
        let mut path = Path::default().then(first);
        while let Some(TokenTree::Punct(mark)) = tokens.peek()
            && mark.as_char() == ':'
            && mark.spacing() == Spacing::Joint
        {
            tokens.next();
            tokens.next();
            // A path ends at `::<` as well.
            let Some(TokenTree::Ident(next)) = tokens.peek() else { break };
            path = path.then(next);
            tokens.next();
        }
        self.paths.push(path);
    }

    fn read_use(&mut self, tokens: &mut Tokens, exported: bool) -> Result<()> {
        // `impl Trait + use<'a>` imports nothing.
        if tokens.peek().is_some_and(|next| is(next, '<')) {
            return Ok(());
        }
        let tree: TokenStream = tokens.take_while(|token| !is(token, ';')).collect();
        let tree = syn::parse2(tree.clone()).with_context(|| format!("not understood: use {tree}"))?;
        self.import(&tree, &Path::default(), exported);
        Ok(())
    }

    fn import(&mut self, tree: &UseTree, prefix: &Path, exported: bool) {
        match tree {
            UseTree::Path(tree) => self.import(&tree.tree, &prefix.then(&tree.ident), exported),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, prefix, exported)),
            UseTree::Glob(_) => self.globs.push(prefix.clone()),
            UseTree::Name(name) => self.import_as(prefix.then(&name.ident), None, exported),
            UseTree::Rename(name) => self.import_as(prefix.then(&name.ident), Some(&name.rename), exported),
        }
    }

    fn import_as(&mut self, mut path: Path, name: Option<&Ident>, exported: bool) {
        // `use crate::view::{self, SetView}`
        if path.segments.len() > 1 {
            path.segments.pop_if(|last| last == "self");
        }
        let name = name.map(Ident::to_string).or_else(|| path.segments.last().cloned());
        self.imports.insert(name.unwrap_or_default(), Import { path, exported });
    }
}

impl Path {
    fn then(&self, segment: &Ident) -> Self {
        let mut segments = self.segments.clone();
        segments.push(segment.to_string());
        let line = if self.segments.is_empty() { segment.span().start().line } else { self.line };
        Self { segments, line }
    }
}

/// `#[cfg(test)]`, or with more beside it.
fn is_for_tests(attribute: &TokenTree) -> bool {
    let text = attribute.to_string().replace(char::is_whitespace, "");
    text == "[cfg(test)]" || text.starts_with("[cfg(all(test,")
}

/// Goes on after the item that an attribute stands before: up to its block, or to its semicolon.
fn skip_item(tokens: &mut Tokens) {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => is(other, ';'),
    };
    tokens.find(ends);
}

/// The first half of `::`, where no path has begun before it.
fn is_path_mark(mark: &Punct) -> bool {
    mark.as_char() == ':' && mark.spacing() == Spacing::Joint
}

fn is(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}
