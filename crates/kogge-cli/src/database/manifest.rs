//! A database as a file of manifests would make it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use kogge_chart::yaml::{self, Node};
use kube::api::PostParams;
use kube::core::DynamicObject;
use kube::{Api, ResourceExt as _};
use serde_json::Value;

use super::reference::{Reference, one_of};
use crate::cluster::Cluster;
use crate::engines::REGISTERED;
use crate::kind::Kind;

/// A database of a file.
pub(crate) struct DatabaseManifest {
    pub(crate) kind: &'static dyn Kind,
    object: DynamicObject,
    /// The file, as messages call it.
    file: String,
}

impl DatabaseManifest {
    /// The database of a file that is meant; the only one, where none was named.
    pub(crate) fn read(file: &Path, reference: Option<&Reference>) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::among(&text, &file.display().to_string(), reference)
    }

    fn among(text: &str, file: &str, reference: Option<&Reference>) -> anyhow::Result<Self> {
        let documents = yaml::parse(text).with_context(|| format!("{file} is no YAML"))?;
        let mut found = Vec::new();
        for document in documents {
            let Some(kind) = REGISTERED.into_iter().find(|kind| is_of(*kind, &document)) else { continue };
            let value = document.to_value().with_context(|| file.to_owned())?;
            let object: DynamicObject = serde_json::from_value(value)
                .with_context(|| format!("the {} in {file} cannot be read", kind.resource().kind))?;
            if reference.is_none_or(|reference| reference.means(kind, &object.name_any())) {
                found.push(Self { kind, object, file: file.to_owned() });
            }
        }
        if found.len() > 1 {
            let choices = one_of(found.iter().map(|manifest| manifest.kind.written(&manifest.object.name_any())));
            bail!("{file} holds several databases; name one of them: {choices}");
        }
        found.pop().with_context(|| match reference {
            Some(Reference { kind: Some(kind), name }) => {
                format!("{file} holds no {} {name}", kind.resource().kind)
            }
            Some(Reference { kind: None, name }) => format!("{file} holds no database {name}"),
            None => format!("{file} holds no database"),
        })
    }

    /// What the API server would make of it: it fills in defaults and applies its rules, and stores nothing.
    pub(crate) async fn laid_over(self, home: &Cluster, namespace: Option<&str>) -> anyhow::Result<DynamicObject> {
        let name = self.object.name_any();
        let namespace = self.namespace(home, namespace)?;
        let kind = self.kind.resource();
        let resources: Api<DynamicObject> = Api::namespaced_with(home.client(), &namespace, &kind);
        let what = format!("read {} {namespace}/{name}", kind.kind);
        let present = home.request(&what, resources.get_opt(&name)).await?;
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let what = format!("lay {} over {namespace}/{name}", self.file);
        match present {
            None => home.request(&what, resources.create(&dry_run, &self.object)).await,
            Some(present) => {
                let changed = over(self.object, present);
                home.request(&what, resources.replace(&name, &dry_run, &changed)).await
            }
        }
    }

    /// The namespace that the file or the command names.
    fn namespace(&self, home: &Cluster, given: Option<&str>) -> anyhow::Result<String> {
        match (self.object.namespace(), given) {
            (Some(own), Some(given)) if own != given => {
                bail!("{} puts {} into namespace {own}; give --namespace {own}", self.file, self.object.name_any())
            }
            (Some(own), _) => Ok(own),
            (None, given) => Ok(given.map_or_else(|| home.namespace(), str::to_owned)),
        }
    }
}

fn is_of(kind: &dyn Kind, document: &Node) -> bool {
    let resource = kind.resource();
    let says = |key: &str, text: &str| document.text_of(key) == Some(text);
    says("apiVersion", &resource.api_version) && says("kind", &resource.kind)
}

/// What is there, with the spec of the manifest; what Kogge filled in stays.
fn over(manifest: DynamicObject, present: DynamicObject) -> DynamicObject {
    let mut object = present;
    let id = object.data["spec"]["clusterID"].clone();
    object.data["spec"] = manifest.data["spec"].clone();
    if let (Value::Object(spec), false) = (&mut object.data["spec"], id.is_null()) {
        spec.entry("clusterID").or_insert(id);
    }
    object.annotations_mut().extend(manifest.metadata.annotations.unwrap_or_default());
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FILE: &str = "\
apiVersion: kogge.dev/v1alpha1
kind: FederatedCluster
metadata: {name: db}
spec: {placement: [{name: north, vdc: north}, {name: south, vdc: south}]}
---
apiVersion: kogge.dev/v1alpha1
kind: FederatedEtcd
metadata: {name: db, namespace: databases}
spec: {version: 3.6.14, placement: [{name: north, vdc: north}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: db}
";

    fn among(text: &str, reference: Option<&str>) -> anyhow::Result<DatabaseManifest> {
        let reference: Option<Reference> = reference.map(|text| text.parse().unwrap());
        DatabaseManifest::among(text, "db.yaml", reference.as_ref())
    }

    fn refused(text: &str, reference: Option<&str>) -> String {
        among(text, reference).err().unwrap().to_string()
    }

    #[test]
    fn a_database_of_either_kind_is_found_in_a_file() {
        for (written, kind) in [("fc/db", "FederatedCluster"), ("fe/db", "FederatedEtcd")] {
            assert_eq!(among(FILE, Some(written)).unwrap().kind.resource().kind, kind);
        }
        let (_, only) = FILE.split_once("---\n").unwrap();
        assert_eq!(among(only, None).unwrap().kind.resource().kind, "FederatedEtcd");
    }

    #[test]
    fn a_file_that_does_not_say_which_is_refused() {
        let several = "db.yaml holds several databases; name one of them: fc/db or fe/db";
        assert_eq!(refused(FILE, None), several);
        assert_eq!(refused(FILE, Some("db")), several);
        assert_eq!(refused(FILE, Some("fe/other")), "db.yaml holds no FederatedEtcd other");
        assert_eq!(refused("kind: Namespace", None), "db.yaml holds no database");
    }

    #[test]
    fn field_30_values_mean_what_they_mean_to_kubectl_or_are_refused_by_path() {
        let values = |text: &str| {
            format!(
                "apiVersion: kogge.dev/v1alpha1\nkind: FederatedEtcd\nmetadata: {{name: db}}\nspec:\n  values:\n    {text}\n"
            )
        };
        let manifest = among(&values("umask: 0027"), None).unwrap();
        assert_eq!(manifest.object.data["spec"]["values"], json!({"umask": 23}));
        let error = format!("{:#}", among(&values("build: 1e5"), None).err().unwrap());
        assert!(
            error.starts_with("db.yaml: line 6: spec.values.build: 1e5 is read as the number 100000"),
            "{error}"
        );
        let elsewhere = format!("kind: ConfigMap\ndata: {{build: 1e5}}\n---\n{}", values("umask: 0027"));
        assert!(among(&elsewhere, None).is_ok(), "what is not Kogge's is not read");
    }

    #[test]
    fn a_manifest_without_a_cluster_id_keeps_the_one_that_is_there() {
        let mut present = among(FILE, Some("fe/db")).unwrap().object;
        present.data["spec"]["clusterID"] = json!("abcdefgh");
        let manifest = among(FILE, Some("fc/db")).unwrap().object;
        let changed = over(manifest, present);
        assert_eq!(changed.data["spec"]["clusterID"], "abcdefgh");
        assert_eq!(changed.data["spec"]["placement"].as_array().unwrap().len(), 2);
        assert_eq!(changed.data["spec"].get("version"), None);
    }
}
