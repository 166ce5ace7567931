//! Compiling: templates are parsed, checked and rewritten once, when the chart is loaded.
//!
//! The rewriting puts every insertion through the function `insert`, every block's condition through
//! `present`, a `step` at the head of every block, and a mark at the beginning of every line; see the module
//! above for why.

use std::collections::{BTreeMap, BTreeSet};

use handlebars::template::{HelperTemplate, Parameter, Subexpression, Template, TemplateElement, TemplateMapping};

use super::marks::{Origin, line_mark};
use super::tags::{self, Fault};
use super::{functions, limits};
use crate::error::{ChartError, Place};

/// The templates and partials of a chart.
#[derive(Debug)]
pub(crate) struct TemplateSet {
    /// The chart's name and version.
    chart: String,
    /// File names, sorted; an origin refers to them by position.
    pub(super) files: Vec<String>,
    /// Compiled templates by the name under which they are rendered or included.
    pub(super) compiled: BTreeMap<String, Template>,
}

impl TemplateSet {
    /// Compiles templates and partials, by their file names. A partial `_labels.hbs` is included as `labels`.
    pub(crate) fn compile(chart: &str, sources: BTreeMap<String, String>) -> Result<Self, ChartError> {
        let invalid = |file: &str, fault: Fault| ChartError::Invalid {
            place: Place { chart: chart.to_owned(), file: super::path(file), line: Some(fault.line) },
            message: fault.message,
        };
        let partials: BTreeSet<&str> = sources.keys().filter_map(|file| partial_name(file)).collect();
        let mut compiled = BTreeMap::new();
        let mut included = BTreeMap::new();
        for (position, (file, source)) in sources.iter().enumerate() {
            let parsed = tags::check(source).and_then(|()| parse(source)).map_err(|fault| invalid(file, fault))?;
            let mut rewriter = Rewriter { file: position, partials: &partials, inclusions: Inclusions::new() };
            let mut template = rewriter.template(parsed).map_err(|fault| invalid(file, fault))?;
            template.name = Some(file.clone());
            let name = partial_name(file).unwrap_or(file).to_owned();
            included.insert(name.clone(), (file.clone(), rewriter.inclusions));
            if compiled.insert(name, template).is_some() {
                let message =
                    "another file has the same name but for its underscore or ending; rename one".to_owned();
                return Err(invalid(file, Fault { line: 1, message }));
            }
        }
        let mut nesting = Nesting { included: &included, heights: BTreeMap::new(), path: Vec::new() };
        for name in included.keys() {
            nesting.height(name).map_err(|(file, fault)| invalid(&file, fault))?;
        }
        Ok(Self { chart: chart.to_owned(), files: sources.into_keys().collect(), compiled })
    }

    /// A line of one of its files.
    pub(crate) fn place(&self, file: &str, line: Option<usize>) -> Place {
        Place { chart: self.chart.clone(), file: super::path(file), line }
    }

    /// Whether a file is a template that components can list.
    pub(crate) fn renders(&self, file: &str) -> bool {
        self.names().any(|name| name == file)
    }

    /// The templates that components can list.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str).filter(|file| partial_name(file).is_none())
    }
}

fn partial_name(file: &str) -> Option<&str> {
    let name = file.strip_prefix('_')?;
    name.strip_suffix(".yaml.hbs").or_else(|| name.strip_suffix(".hbs"))
}

fn parse(source: &str) -> Result<Template, Fault> {
    Template::compile(source).map_err(|error| {
        let (line, _) = error.pos().unwrap_or((1, 1));
        Fault { line, message: format!("{}; {}", error.reason(), tags::LITERAL) }
    })
}

/// The partials that a template includes, each with the line of its last inclusion.
type Inclusions = BTreeMap<String, usize>;

/// Refuses partials that include each other in a cycle, or too deep.
struct Nesting<'a> {
    /// By name: the file, and what it includes.
    included: &'a BTreeMap<String, (String, Inclusions)>,
    /// How many partials deep each template goes.
    heights: BTreeMap<&'a str, usize>,
    path: Vec<&'a str>,
}

impl<'a> Nesting<'a> {
    fn height(&mut self, name: &'a str) -> Result<usize, (String, Fault)> {
        if let Some(height) = self.heights.get(name) {
            return Ok(*height);
        }
        let Some((file, inclusions)) = self.included.get(name) else {
            return Ok(0);
        };
        self.path.push(name);
        let mut height = 0;
        for (inner, line) in inclusions {
            let fault = |message| (file.clone(), Fault { line: *line, message });
            if self.path.contains(&inner.as_str()) {
                let path = self.path.join(" -> ");
                return Err(fault(format!(
                    "the partial {inner} includes itself: {path} -> {inner}; break the cycle"
                )));
            }
            let too_deep = || fault(format!("partials nest deeper than {}", limits::PARTIAL_DEPTH));
            if self.path.len() > limits::PARTIAL_DEPTH {
                return Err(too_deep());
            }
            height = height.max(1 + self.height(inner)?);
            if height > limits::PARTIAL_DEPTH {
                return Err(too_deep());
            }
        }
        self.path.pop();
        self.heights.insert(name, height);
        Ok(height)
    }
}

struct Rewriter<'a> {
    file: usize,
    partials: &'a BTreeSet<&'a str>,
    inclusions: Inclusions,
}

impl Rewriter<'_> {
    fn template(&mut self, template: Template) -> Result<Template, Fault> {
        let Template { name, elements, mapping, .. } = template;
        let mut rewritten = Template::new();
        rewritten.name = name;
        if let Some(first) = mapping.first() {
            push(&mut rewritten, call(functions::STEP, Vec::new())?, first);
        }
        for (element, at) in elements.into_iter().zip(mapping) {
            self.element(element, &at, &mut rewritten)?;
        }
        Ok(rewritten)
    }

    fn element(
        &mut self,
        element: TemplateElement,
        at: &TemplateMapping,
        into: &mut Template,
    ) -> Result<(), Fault> {
        let line = at.0;
        match element {
            TemplateElement::RawString(text) => {
                for (line, piece) in self.marked_lines(&text, line) {
                    let mut at = at.clone();
                    at.0 = line;
                    push(into, TemplateElement::RawString(piece), &at);
                }
            }
            TemplateElement::Expression(mut tag) => {
                check_calls_in(&tag, line)?;
                let inserted = insertion(&tag);
                tag.name = Parameter::Name(functions::INSERT.to_owned());
                tag.params = vec![inserted];
                tag.hash.clear();
                push(into, TemplateElement::Expression(tag), at);
            }
            TemplateElement::HelperBlock(mut tag) => {
                let name = tag.name.as_name().unwrap_or_default().to_owned();
                if !functions::BLOCKS.contains(&name.as_str()) {
                    let known = functions::BLOCKS.join(", ");
                    return Err(Fault { line, message: format!("there is no block #{name}; there are {known}") });
                }
                let ([condition], true) = (tag.params.as_slice(), tag.hash.is_empty()) else {
                    return Err(Fault {
                        line,
                        message: format!("#{name} takes one argument; use (and …) or (or …) for several"),
                    });
                };
                check_calls(condition, line)?;
                push(into, call(functions::PRESENT, vec![condition.clone()])?, at);
                tag.template = tag.template.map(|body| self.template(body)).transpose()?;
                tag.inverse = tag.inverse.map(|body| self.template(body)).transpose()?;
                push(into, TemplateElement::HelperBlock(tag), at);
            }
            TemplateElement::PartialExpression(tag) => {
                let name = tag.name.as_name().unwrap_or_default().to_owned();
                if !self.partials.contains(name.as_str()) {
                    let message =
                        format!("there is no partial {name}; a partial {name} is the file templates/_{name}.hbs");
                    return Err(Fault { line, message });
                }
                for argument in tag.params.iter().chain(tag.hash.values()) {
                    check_calls(argument, line)?;
                    push(into, call(functions::PRESENT, vec![argument.clone()])?, at);
                }
                self.inclusions.insert(name, line);
                push(into, TemplateElement::PartialExpression(tag), at);
            }
            TemplateElement::Comment(_) => {}
            _ => {
                let message = "only {{…}}, {{#…}} and {{> …}} are used here".to_owned();
                return Err(Fault { line, message });
            }
        }
        Ok(())
    }

    /// The lines of a text, each with a mark of where it stands. The parser gives the line of the first
    /// character that is not white.
    fn marked_lines(&self, text: &str, line: usize) -> Vec<(usize, String)> {
        let leading = text.len() - text.trim_start().len();
        let before = text[..leading].matches('\n').count();
        text.split_inclusive('\n')
            .enumerate()
            .map(|(offset, piece)| {
                let line = (line + offset).saturating_sub(before);
                let mark = if piece.trim().is_empty() {
                    String::new()
                } else {
                    line_mark(Origin { file: self.file, line })
                };
                (line, mark + piece)
            })
            .collect()
    }
}

fn push(template: &mut Template, element: TemplateElement, at: &TemplateMapping) {
    template.elements.push(element);
    template.mapping.push(at.clone());
}

/// What a tag inserts, as a parameter: a path, or a call of a function.
fn insertion(tag: &HelperTemplate) -> Parameter {
    let plain = tag.params.is_empty() && tag.hash.is_empty();
    match &tag.name {
        path @ Parameter::Path(_) if plain => path.clone(),
        call @ Parameter::Subexpression(_) if plain => call.clone(),
        name => Parameter::Subexpression(Subexpression::new(name.clone(), tag.params.clone(), tag.hash.clone())),
    }
}

/// An element that calls one of the functions that only the rewriting uses.
fn call(function: &str, params: Vec<Parameter>) -> Result<TemplateElement, Fault> {
    let mut parsed = parse(&format!("{{{{{function} 0}}}}"))?;
    match parsed.elements.pop() {
        Some(TemplateElement::Expression(mut tag)) => {
            tag.params = params;
            Ok(TemplateElement::Expression(tag))
        }
        _ => Err(Fault { line: 1, message: format!("{function} is no function") }),
    }
}

fn check_calls_in(tag: &HelperTemplate, line: usize) -> Result<(), Fault> {
    if tag.params.is_empty() && tag.hash.is_empty() {
        return match &tag.name {
            Parameter::Path(_) => Ok(()),
            called @ Parameter::Subexpression(_) => check_calls(called, line),
            name => check_name(name.as_name().unwrap_or_default(), line),
        };
    }
    check_name(tag.name.as_name().unwrap_or_default(), line)?;
    if let Some(name) = tag.hash.keys().min() {
        return Err(Fault { line, message: format!("functions take no named arguments, such as {name}=") });
    }
    tag.params.iter().try_for_each(|param| check_calls(param, line))
}

fn check_calls(parameter: &Parameter, line: usize) -> Result<(), Fault> {
    match parameter {
        Parameter::Subexpression(call) => match call.as_element() {
            TemplateElement::Expression(tag) => check_calls_in(tag, line),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn check_name(name: &str, line: usize) -> Result<(), Fault> {
    if functions::is_known(name) {
        return Ok(());
    }
    let known = functions::names().collect::<Vec<_>>().join(", ");
    Err(Fault { line, message: format!("there is no function {name}; there are {known}") })
}
