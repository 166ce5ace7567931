//! Rendering: a component of a database in one placement.

use kube_core::DynamicObject;
use serde::{Deserialize, Serialize};

use crate::context::RenderInput;
use crate::error::ChartError;
use crate::memory;
use crate::objects::{self, RenderedObject};
use crate::revision::{Revision, revision};
use crate::template::{self, Document};

/// What one component in one placement consists of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rendered {
    /// The revision, which is on the workloads and their pods as a label.
    pub revision: Revision,
    /// The objects, in the order of the chart's list of templates. Shape is not in them yet; see
    /// [`shape::overlay`](crate::shape::overlay).
    pub objects: Vec<DynamicObject>,
}

/// Renders a component: every template of its list, twice, to typed and labelled objects.
///
/// Fails with the first error in the order of the list: [`ChartError::Render`], [`ChartError::Object`],
/// [`ChartError::Rule`], [`ChartError::NotDeterministic`], or [`ChartError::Invalid`] where the chart does
/// not know the component; then with [`ChartError::Values`] where a value leaves the servers no memory.
pub fn render(input: &RenderInput<'_>) -> Result<Rendered, ChartError> {
    let chart = input.chart;
    let templates = chart.components.get(&input.component.kind).ok_or_else(|| ChartError::Invalid {
        place: chart.place(crate::files::MANIFEST, None),
        message: format!("kogge.components has no entry {0}; add the templates of {0}", input.component.kind),
    })?;
    let context = input.to_context();
    let revision = revision(input);
    let mut objects: Vec<RenderedObject> = Vec::new();
    for name in templates {
        let text = template::render(&chart.templates, name, &context)?;
        if text != template::render(&chart.templates, name, &context)? {
            return Err(ChartError::NotDeterministic { place: chart.templates.place(name, None) });
        }
        for document in Document::parse_all(&chart.templates, name, &text)? {
            let object = objects::check(input, document)?;
            objects::refuse_duplicate(&objects, &object)?;
            objects.push(object);
        }
    }
    objects::refuse_foreign_accounts(input, &objects)?;
    memory::check(input, &objects)?;
    objects::name_by_content(&mut objects);
    let objects =
        objects.into_iter().map(|object| objects::finish(input, &revision, object)).collect::<Result<_, _>>()?;
    Ok(Rendered { revision, objects })
}
