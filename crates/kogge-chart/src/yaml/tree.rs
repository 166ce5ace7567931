//! The structure of YAML: nodes with their lines. Aliases are replaced by what they refer to, within bounds.

use std::borrow::Cow;
use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, Tag, options};

use super::error::YamlError;

/// The deepest nesting.
const MAX_DEPTH: usize = 64;
/// The most nodes of one text, with what its aliases repeat.
const MAX_NODES: usize = 250_000;

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub(super) line: usize,
    pub(super) tag: Option<String>,
    pub(super) content: Content,
    /// How many nodes it is, with all below it.
    size: usize,
    /// How many levels are below it.
    height: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A scalar; `plain` where it stands without quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The line where it begins, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The text of a scalar in a map, by its key.
    pub fn text_of(&self, key: &str) -> Option<&str> {
        let Content::Map(entries) = &self.content else { return None };
        entries.iter().find(|(name, _)| name.scalar() == Some(key)).and_then(|(_, node)| node.scalar())
    }

    /// Whether nothing is written there; the parser gives `~` for that.
    pub(crate) fn is_empty(&self) -> bool {
        let nothing = |text: &str| text.is_empty() || text == "~";
        matches!(&self.content, Content::Scalar { text, plain: true } if nothing(text) && self.tag.is_none())
    }

    fn scalar(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    /// A list or map, which knows how large it is from what is in it.
    fn holding(line: usize, tag: Option<String>, content: Content) -> Self {
        let (mut size, mut height) = (1, 0);
        let mut holds = |inner: &Self| {
            size += inner.size;
            height = height.max(1 + inner.height);
        };
        match &content {
            Content::Scalar { .. } => {}
            Content::List(items) => items.iter().for_each(&mut holds),
            Content::Map(entries) => entries.iter().for_each(|(key, value)| {
                holds(key);
                holds(value);
            }),
        }
        Self { line, tag, content, size, height }
    }
}

/// The documents of a text.
///
/// Fails with [`YamlError`] where the text is no YAML, or where it is too deep or, with what its aliases repeat, too
/// large.
pub fn parse(text: &str) -> Result<Vec<Node>, YamlError> {
    let plain = plain(text);
    let options = options! { emit_comments: false };
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(&plain, options) {
        let (event, span) = event.map_err(|error| YamlError::structure(error.marker().line(), error.info()))?;
        builder.take(event, span.start.line())?;
    }
    Ok(builder.documents)
}

fn plain(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.contains("\r\n") { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) }
}

#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
}

/// A list or map that has not ended.
struct Open {
    line: usize,
    tag: Option<String>,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map(Vec<(Node, Node)>, Option<Node>),
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), YamlError> {
        match event {
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::Scalar(text, style, anchor, tag) => {
                let content = Content::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                self.counted(1, line)?;
                self.place(Node::holding(line, tag.as_deref().map(Tag::original), content), anchor);
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(line, tag.as_deref(), anchor, Items::List(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.begin(line, tag.as_deref(), anchor, Items::Map(Vec::new(), None))?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    let message =
                        "the alias is inside the value that it refers to; write the value out".to_owned();
                    return Err(YamlError::structure(line, message));
                };
                self.counted(node.size, line)?;
                self.fits(node.height, line)?;
                self.place(Node { line, ..node }, 0);
            }
            _ => {}
        }
        Ok(())
    }

    fn counted(&mut self, nodes: usize, line: usize) -> Result<(), YamlError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            let message = format!(
                "more than {MAX_NODES} values, with those that aliases repeat; write less, or split the file"
            );
            return Err(YamlError::structure(line, message));
        }
        Ok(())
    }

    /// Whether that many levels may come where the parser is.
    fn fits(&self, levels: usize, line: usize) -> Result<(), YamlError> {
        if self.open.len() + levels > MAX_DEPTH {
            return Err(YamlError::structure(line, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    fn begin(&mut self, line: usize, tag: Option<&Tag>, anchor: usize, items: Items) -> Result<(), YamlError> {
        self.counted(1, line)?;
        self.fits(1, line)?;
        self.open.push(Open { line, tag: tag.map(Tag::original), anchor, items });
        Ok(())
    }

    fn end(&mut self) {
        if let Some(Open { line, tag, anchor, items }) = self.open.pop() {
            let content = match items {
                Items::List(items) => Content::List(items),
                Items::Map(entries, _) => Content::Map(entries),
            };
            self.place(Node::holding(line, tag, content), anchor);
        }
    }

    fn place(&mut self, node: Node, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.documents.push(node),
            Some(Items::List(items)) => items.push(node),
            Some(Items::Map(entries, key)) => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
    }
}
