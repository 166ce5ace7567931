//! Objects: what templates render is typed, held against Kogge's rules, named by content and labelled.

mod by_content;
mod gate;
mod identity;
mod object;
mod one_of;
mod pods;
mod rules;

use kube_core::DynamicObject;

pub(crate) use by_content::name_by_content;
pub(crate) use object::RenderedObject;

use crate::context::RenderInput;
use crate::error::ChartError;
use crate::kinds;
use crate::revision::Revision;
use crate::rule::Rule;
use crate::template::Document;
use object::title_of;

/// Makes an object of a document, and holds it against every rule.
pub(crate) fn check(input: &RenderInput<'_>, mut document: Document) -> Result<RenderedObject, ChartError> {
    let value = std::mem::take(&mut document.value);
    let kind = kinds::of(&value).ok_or_else(|| ChartError::Rule {
        place: document.place_of("kind").clone(),
        object: title_of(&value),
        rule: Rule::KnownKind,
        found: format!("{} {}", value["apiVersion"], value["kind"]),
    })?;
    kinds::check(kind, &value).map_err(|fault| ChartError::Object {
        place: document.place_of(&fault.path).clone(),
        object: title_of(&value),
        message: fault.to_string(),
    })?;
    let object = RenderedObject { kind, value, document };
    rules::check(input, &object)?;
    Ok(object)
}

/// Refuses pods that run as a ServiceAccount which the same templates do not render.
pub(crate) fn refuse_foreign_accounts(
    input: &RenderInput<'_>,
    objects: &[RenderedObject],
) -> Result<(), ChartError> {
    if input.waived.contains(&Rule::OwnServiceAccount) {
        return Ok(());
    }
    let own =
        |name: &str| objects.iter().any(|object| object.kind.kind == "ServiceAccount" && object.name() == name);
    for object in objects {
        let named = object.value.pointer("/spec/template/spec").and_then(pods::account);
        if let Some((field, name)) = named.filter(|(_, name)| !own(name)) {
            return Err(ChartError::Rule {
                place: object.place_of(&format!("/spec/template/spec/{field}")),
                object: object.title(),
                rule: Rule::OwnServiceAccount,
                found: format!("spec.template.spec.{field}: {name:?}"),
            });
        }
    }
    Ok(())
}

/// Refuses a second object of the same kind and name.
pub(crate) fn refuse_duplicate(earlier: &[RenderedObject], object: &RenderedObject) -> Result<(), ChartError> {
    let same = |other: &&RenderedObject| other.kind == object.kind && other.name() == object.name();
    let Some(other) = earlier.iter().find(same) else {
        return Ok(());
    };
    let message = format!("is already defined in {}; rename one", other.place_of("/metadata/name"));
    Err(ChartError::Object { place: object.place_of("/metadata/name"), object: object.title(), message })
}

/// The object as it is applied, but for its shape.
pub(crate) fn finish(
    input: &RenderInput<'_>,
    revision: &Revision,
    mut object: RenderedObject,
) -> Result<DynamicObject, ChartError> {
    identity::put_on(input, revision, &mut object);
    let RenderedObject { kind: _, value, document } = object;
    let title = title_of(&value);
    serde_json::from_value(value).map_err(|error| ChartError::Object {
        place: document.place_of("metadata").clone(),
        object: title,
        message: error.to_string(),
    })
}
