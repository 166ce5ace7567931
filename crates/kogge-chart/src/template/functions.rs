//! The functions and blocks that templates can use.
//!
//! A function returns a value. Text that is to be inserted as it is, such as that of `toYaml`, is a string
//! with a mark before it; any other string is inserted as a value.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use handlebars::{
    BlockContext, Context, Handlebars, Helper, HelperDef, HelperResult, JsonTruthy, Output, PathAndJson,
    RenderContext, RenderError, RenderErrorReason, Renderable, ScopedJson,
};
use semver::{Version, VersionReq};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::marks::{as_raw, is_reserved, raw};
use super::session::Session;
use super::{limits, resources, yaml_text};

/// Inserts a value; every tag of a template calls it.
pub(super) const INSERT: &str = "insert-value";
/// Fails where its argument is missing; stands before every block.
pub(super) const PRESENT: &str = "check-present";
/// Counts blocks entered, even those without tags.
pub(super) const STEP: &str = "count-step";

/// The blocks that templates can use.
pub(super) const BLOCKS: [&str; 5] = ["if", "unless", "each", "with", "range"];

type Apply = fn(&[&Value]) -> Result<Value, String>;

/// A function of values alone.
#[derive(Clone, Copy)]
struct Function {
    name: &'static str,
    /// What it is called with, for messages.
    usage: &'static str,
    arguments: (usize, usize),
    /// Whether its arguments may be missing; they are then null.
    takes_missing: bool,
    apply: Apply,
}

const ANY: usize = 32;

#[rustfmt::skip]
const FUNCTIONS: &[Function] = &[
    Function::new("toYaml", "toYaml value", (1, 1), |v| raw_value(&yaml_text::to_yaml(v[0]))),
    Function::new("toJson", "toJson value", (1, 1), |v| raw_value(&yaml_text::to_json(v[0]))),
    Function::new("quote", "quote value", (1, 1), |v| raw_value(&yaml_text::quoted(&text(v[0])?))),
    Function::new("indent", "indent width (toYaml value)", (2, 2), |v| raw_value(&indented(v)?)),
    Function::new("nindent", "nindent width (toYaml value)", (2, 2), |v| raw_value(&format!("\n{}", indented(v)?))),
    Function { takes_missing: true, ..Function::new("default", "default value other", (2, 2), |v| Ok(v[usize::from(is_empty(v[0]))].clone())) },
    Function { takes_missing: true, ..Function::new("required", "required \"message\" value", (2, 2), required) },
    Function::new("eq", "eq one other", (2, 2), |v| Ok(Value::from(v[0] == v[1]))),
    Function::new("and", "and one other …", (1, ANY), |v| Ok(first(v, |value| !value.is_truthy(false)))),
    Function::new("or", "or one other …", (1, ANY), |v| Ok(first(v, |value| value.is_truthy(false)))),
    Function::new("not", "not value", (1, 1), |v| Ok(Value::from(!v[0].is_truthy(false)))),
    Function::new("lookup", "lookup map key", (2, 2), lookup),
    Function::new("b64enc", "b64enc text", (1, 1), |v| Ok(STANDARD.encode(text(v[0])?).into())),
    Function::new("sha256", "sha256 text", (1, 1), |v| Ok(format!("{:x}", Sha256::digest(text(v[0])?)).into())),
    Function::new("semverCompare", "semverCompare \">=1.2\" version", (2, 2), semver_compare),
    Function::new("upper", "upper text", (1, 1), |v| Ok(text(v[0])?.to_uppercase().into())),
    Function::new("lower", "lower text", (1, 1), |v| Ok(text(v[0])?.to_lowercase().into())),
    Function::new("trunc", "trunc length text", (2, 2), |v| Ok(text(v[1])?.chars().take(count(v[0])? as usize).collect::<String>().into())),
    Function::new("join", "join separator list", (2, 2), join),
    Function::new("resources", "resources given defaults", (2, 2), |v| Ok(resources::complete(v[0], v[1]))),
];

impl Function {
    const fn new(name: &'static str, usage: &'static str, arguments: (usize, usize), apply: Apply) -> Self {
        Self { name, usage, arguments, takes_missing: false, apply }
    }
}

/// Whether templates can call a function of that name.
pub(super) fn is_known(name: &str) -> bool {
    names().any(|known| known == name)
}

/// The names of all functions that templates can call.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

/// Makes the functions known to a registry.
pub(super) fn register(registry: &mut Handlebars<'_>, session: &Arc<Session>) {
    for function in FUNCTIONS {
        registry.register_helper(function.name, Box::new(*function));
    }
    registry.register_helper("range", Box::new(Range));
    registry.register_helper(PRESENT, Box::new(Present(Arc::clone(session))));
    registry.register_helper(INSERT, Box::new(Insert(Arc::clone(session))));
    registry.register_helper(STEP, Box::new(Step(Arc::clone(session))));
}

fn fail(message: String) -> RenderError {
    RenderErrorReason::Other(message).into()
}

fn present<'a>(argument: &'a PathAndJson<'_>) -> Result<&'a Value, RenderError> {
    if argument.is_value_missing() {
        return Err(RenderError::strict_error(argument.relative_path()));
    }
    Ok(argument.value())
}

impl HelperDef for Function {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let (least, most) = self.arguments;
        if !(least..=most).contains(&helper.params().len()) {
            return Err(fail(format!("{} has the wrong number of arguments; write ({})", self.name, self.usage)));
        }
        let arguments = helper
            .params()
            .iter()
            .map(|argument| if self.takes_missing { Ok(argument.value()) } else { present(argument) })
            .collect::<Result<Vec<_>, _>>()?;
        (self.apply)(&arguments)
            .map(ScopedJson::Derived)
            .map_err(|message| fail(format!("{}: {message}", self.name)))
    }
}

struct Insert(Arc<Session>);

impl HelperDef for Insert {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        self.0.step().map_err(fail)?;
        let Some(argument) = helper.param(0) else {
            return Err(fail("a tag inserts nothing".to_owned()));
        };
        let what = argument.relative_path().map_or("the value", String::as_str);
        let text = match present(argument)? {
            Value::Null => {
                return Err(fail(format!("{what} is null; give it a value, or use (default {what} …)")));
            }
            Value::Object(_) => return Err(fail(format!("{what} is a map; insert it with toYaml or toJson"))),
            Value::Array(_) => {
                return Err(fail(format!("{what} is a list; insert it with toYaml, toJson or join")));
            }
            Value::String(text) => as_raw(text).map_or_else(|| self.0.keep(text), str::to_owned),
            scalar => scalar.to_string(),
        };
        Ok(ScopedJson::Derived(Value::String(text)))
    }
}

struct Present(Arc<Session>);

impl HelperDef for Present {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        self.0.step().map_err(fail)?;
        helper.params().iter().try_for_each(|argument| present(argument).map(|_| ()))?;
        Ok(ScopedJson::Derived(Value::from("")))
    }
}

struct Step(Arc<Session>);

impl HelperDef for Step {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        _: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        self.0.step().map_err(fail)?;
        Ok(ScopedJson::Derived(Value::from("")))
    }
}

/// Renders its body a number of times, with `@index` from 0; names mean the same inside as outside.
struct Range;

impl HelperDef for Range {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let rounds = helper.param(0).map_or(Ok(0), |argument| count(argument.value()).map_err(fail))?;
        if rounds > limits::RANGE {
            return Err(fail(format!("range {rounds} is more than {}", limits::RANGE)));
        }
        let Some(body) = helper.template() else {
            return Ok(());
        };
        for index in 0..rounds {
            let mut block = render.block().cloned().unwrap_or_else(BlockContext::new);
            block.set_local_var("index", index.into());
            render.push_block(block);
            let outcome = body.render(registry, context, render, out);
            render.pop_block();
            outcome?;
        }
        Ok(())
    }
}

fn raw_value(text: &str) -> Result<Value, String> {
    if text.chars().any(is_reserved) {
        return Err("the value holds one of the characters U+E000 to U+E004, which templates keep".to_owned());
    }
    Ok(Value::from(raw(text)))
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(as_raw(text).unwrap_or(text).to_owned()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        other => Err(format!("takes text, not {}", kind(other))),
    }
}

fn count(value: &Value) -> Result<u64, String> {
    value.as_u64().ok_or_else(|| format!("takes a count, not {}", kind(value)))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number below zero or with a fraction",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value == ""
}

fn first(values: &[&Value], stop: impl Fn(&Value) -> bool) -> Value {
    values.iter().find(|value| stop(value)).or(values.last()).map_or(Value::Null, |value| (*value).clone())
}

fn indented(arguments: &[&Value]) -> Result<String, String> {
    let width = count(arguments[0])?;
    if width > limits::INDENT {
        return Err(format!("a width of {width} is more than {}", limits::INDENT));
    }
    let raw = arguments[1].as_str().and_then(as_raw);
    let text = raw.ok_or("takes what toYaml or toJson wrote; a plain value needs no indent")?;
    let prefix = " ".repeat(width as usize);
    Ok(text.split('\n').map(|line| format!("{prefix}{line}")).collect::<Vec<_>>().join("\n"))
}

fn required(arguments: &[&Value]) -> Result<Value, String> {
    if is_empty(arguments[1]) { Err(text(arguments[0])?) } else { Ok(arguments[1].clone()) }
}

fn lookup(arguments: &[&Value]) -> Result<Value, String> {
    let found = match (arguments[0], arguments[1]) {
        (Value::Object(map), key) => map.get(&text(key)?),
        (Value::Array(items), index) => items.get(count(index)? as usize),
        (other, _) => return Err(format!("takes a map or a list, not {}", kind(other))),
    };
    Ok(found.cloned().unwrap_or(Value::Null))
}

fn semver_compare(arguments: &[&Value]) -> Result<Value, String> {
    let (wanted, version) = (text(arguments[0])?, text(arguments[1])?);
    let wanted =
        VersionReq::parse(&wanted).map_err(|error| format!("{wanted:?} is no range of versions: {error}"))?;
    let version = Version::parse(version.trim_start_matches('v'))
        .map_err(|error| format!("{version:?} is no version: {error}"))?;
    Ok(Value::from(wanted.matches(&version)))
}

fn join(arguments: &[&Value]) -> Result<Value, String> {
    let items = arguments[1].as_array().ok_or_else(|| format!("takes a list, not {}", kind(arguments[1])))?;
    let items = items.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    Ok(items.join(&text(arguments[0])?).into())
}
