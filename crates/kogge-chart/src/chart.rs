//! A chart: its files, read and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jsonschema::Validator;
use kogge_api::rbac::GroupKind;
use semver::Version;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::error::{ChartError, Place};
use crate::files::{self, MANIFEST, SCHEMA, TEMPLATES, VALUES};
use crate::kinds::named_in;
use crate::manifest::{Manifest, MemoryValue};
use crate::template::TemplateSet;
use crate::yaml;

/// A chart, checked as far as that goes without values.
pub struct Chart {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// The engine's version that it was made for.
    pub app_version: String,
    /// What it is.
    pub description: String,
    /// The engine that it runs, by the name that the engine gives itself.
    pub engine: String,
    /// The engine's image where a cluster names none.
    pub image: Option<String>,
    /// The templates of each component, as files below `templates/`.
    pub components: BTreeMap<String, Vec<String>>,
    /// The kinds of objects that it can render.
    pub kinds: BTreeSet<GroupKind>,
    /// Its own values, the lowest layer.
    pub values: Map<String, Value>,
    /// The SHA-256 of the names and bytes of all its files, in hexadecimal; line ends are no part of it.
    pub content_hash: String,
    /// Its files, as they are hashed.
    pub files: BTreeMap<String, Vec<u8>>,
    pub(crate) memory: Vec<MemoryValue>,
    pub(crate) schema: Validator,
    pub(crate) templates: TemplateSet,
}

impl Chart {
    /// The chart made of these files, by their paths relative to the chart's directory, which is `<name>/<version>`. Files
    /// that are none of a chart's ([`is_chart_file`](crate::is_chart_file)) are passed over.
    ///
    /// Fails with [`ChartError::Invalid`], which names file, line and mend.
    pub fn from_files(name: &str, version: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<Self, ChartError> {
        let title = format!("{name} {version}");
        let files = files::of_chart(files);
        let source = Source { title: &title, files: &files };
        let Manifest { name: own_name, version: own_version, app_version, description, kogge } =
            source.yaml(MANIFEST)?;
        if own_name != name || own_version != version {
            let found =
                format!("says {own_name} {own_version}, but its directory is {name}/{version}; make them agree");
            return Err(source.invalid(MANIFEST, found));
        }
        let parsed_version = Version::parse(&own_version).map_err(|error| {
            source.invalid(MANIFEST, format!("version {own_version} is no semantic version: {error}"))
        })?;
        let schema = jsonschema::validator_for(&source.json(SCHEMA)?)
            .map_err(|error| source.invalid(SCHEMA, format!("is no valid JSON schema: {error}")))?;
        let texts = source.templates()?;
        let kinds =
            texts.values().flat_map(|text| named_in(text)).map(|k| GroupKind::new(k.group, k.kind)).collect();
        let templates = TemplateSet::compile(&title, texts)?;
        for (component, listed) in &kogge.components {
            if let Some(missing) = listed.iter().find(|file| !templates.renders(file)) {
                let message = format!(
                    "kogge.components.{component} lists {missing}, which is not in {TEMPLATES}; partials, whose names begin with _, cannot be listed"
                );
                return Err(source.invalid(MANIFEST, message));
            }
        }
        if let Some(unused) =
            templates.names().find(|file| !kogge.components.values().flatten().any(|f| f == file))
        {
            let message =
                format!("no component lists templates/{unused}; list it, remove it, or begin its name with _");
            return Err(source.invalid(MANIFEST, message));
        }
        if let Some(unknown) = kogge
            .memory
            .iter()
            .flat_map(|value| &value.components)
            .find(|kind| !kogge.components.contains_key(*kind))
        {
            let message =
                format!("kogge.memory names the component {unknown}, which kogge.components does not list");
            return Err(source.invalid(MANIFEST, message));
        }
        let values = source.values()?;
        Ok(Self {
            name: own_name,
            version: parsed_version,
            app_version,
            description,
            engine: kogge.engine,
            image: kogge.image,
            components: kogge.components,
            kinds,
            values,
            content_hash: content_hash(&files),
            files,
            memory: kogge.memory,
            schema,
            templates,
        })
    }

    /// Its name and version as people write them.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    pub(crate) fn place(&self, file: &str, line: Option<usize>) -> Place {
        Place { chart: self.title(), file: file.to_owned(), line }
    }
}

impl fmt::Debug for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chart({} {})", self.title(), self.content_hash)
    }
}

/// The SHA-256 over names and bytes of files, each with its length before it, so that no two sets of files
/// read the same.
pub(crate) fn content_hash(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut hasher = Sha256::new();
    for (name, bytes) in files {
        for part in [name.as_bytes(), bytes] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    format!("{:x}", hasher.finalize())
}

struct Source<'a> {
    title: &'a str,
    files: &'a BTreeMap<String, Vec<u8>>,
}

impl Source<'_> {
    fn text(&self, file: &str) -> Result<&str, ChartError> {
        let bytes = self.files.get(file).ok_or_else(|| self.invalid(file, "is missing; add it".to_owned()))?;
        std::str::from_utf8(bytes).map_err(|error| self.invalid(file, format!("is not UTF-8: {error}")))
    }

    fn yaml<T: DeserializeOwned>(&self, file: &str) -> Result<T, ChartError> {
        let mut lines = BTreeMap::new();
        let node = yaml::read_node(self.text(file)?).map_err(|error| self.no_yaml(file, &error))?;
        let value = node.map_or(Ok(Value::Null), |node| {
            node.to_value_with(&str::to_owned, &mut |path, line| {
                lines.insert(path.to_owned(), line);
            })
        });
        let value = value.map_err(|error| self.no_yaml(file, &error))?;
        serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            let message = error.inner().to_string();
            let mend = if message.contains("expected a string") { "; write it in quotes" } else { "" };
            let at = if path == "." { String::new() } else { format!("{path}: ") };
            self.invalid_at(file, lines.get(&path).copied(), format!("{at}{message}{mend}"))
        })
    }

    /// The chart's own values; a file without any is one of an empty map.
    fn values(&self) -> Result<Map<String, Value>, ChartError> {
        self.yaml::<Option<_>>(VALUES).map(Option::unwrap_or_default)
    }

    fn no_yaml(&self, file: &str, error: &yaml::YamlError) -> ChartError {
        self.invalid_at(file, Some(error.line), error.detail())
    }

    fn json(&self, file: &str) -> Result<Value, ChartError> {
        serde_json::from_str(self.text(file)?)
            .map_err(|error| self.invalid_at(file, Some(error.line()), error.to_string()))
    }

    fn templates(&self) -> Result<BTreeMap<String, String>, ChartError> {
        self.files
            .keys()
            .filter_map(|path| path.strip_prefix(TEMPLATES).map(|name| (path, name)))
            .filter(|(_, name)| !name.contains('/'))
            .map(|(path, name)| Ok((name.to_owned(), self.text(path)?.to_owned())))
            .collect()
    }

    fn invalid(&self, file: &str, message: String) -> ChartError {
        self.invalid_at(file, None, message)
    }

    fn invalid_at(&self, file: &str, line: Option<usize>, message: String) -> ChartError {
        ChartError::Invalid { place: Place { chart: self.title.to_owned(), file: file.to_owned(), line }, message }
    }
}
