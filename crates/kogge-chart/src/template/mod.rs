//! Templates: text with tags becomes YAML documents.
//!
//! **How values stay values.** A tag that inserts a string writes a mark, not the string. The text is read
//! as YAML with the marks in it, and only then each mark is replaced, inside the scalar or key where it
//! stands. So no value can change the structure of a document, whatever stands around the tag. A scalar that
//! is nothing but a tag becomes the value itself. In a text of several lines, which is a document of its own
//! such as a configuration file, a string that YAML would misread is written JSON-quoted.
//!
//! **Where things came from.** Each line of a template leaves a mark with its number, which is taken out
//! again before the YAML is read, so that an error in an object names the line of the template.

mod compile;
mod document;
mod engine;
mod functions;
mod limits;
mod marks;
mod resources;
mod session;
mod tags;
mod yaml_text;

pub(crate) use compile::TemplateSet;
pub(crate) use document::Document;
pub(crate) use engine::render;
pub(crate) use marks::is_reserved;

/// The path of a template or partial inside its chart.
pub(crate) fn path(file: &str) -> String {
    format!("templates/{file}")
}
