//! Values that are memory of the servers, held against the limit of their container.

use serde_json::Value;

use crate::context::RenderInput;
use crate::error::{ChartError, Violation};
use crate::manifest::MemoryValue;
use crate::objects::RenderedObject;
use crate::quantity;

/// Refuses a value by which the servers reach their memory limit: the kernel ends them once they use it.
pub(crate) fn check(input: &RenderInput<'_>, objects: &[RenderedObject]) -> Result<(), ChartError> {
    let kind = &input.component.kind;
    let own = input.chart.memory.iter().filter(|memory| memory.components.contains(kind));
    let Some(limit) = objects.iter().find_map(RenderedObject::memory_limit) else {
        return Ok(());
    };
    let violations: Vec<Violation> = own.filter_map(|memory| too_large(input, memory, limit)).collect();
    if violations.is_empty() { Ok(()) } else { Err(ChartError::Values { chart: input.chart.title(), violations }) }
}

fn too_large(input: &RenderInput<'_>, memory: &MemoryValue, limit: &Value) -> Option<Violation> {
    let pointer = format!("/{}", memory.value.replace('.', "/"));
    let given = Value::Object(input.values.clone()).pointer(&pointer)?.as_f64()?;
    let (bytes, most) = (quantity::scaled(given, &memory.unit)?, quantity::of(limit)?);
    let component = &input.component.name;
    (bytes >= most).then(|| Violation {
        path: format!("values.{}", memory.value),
        message: format!(
            "{given}{} leaves nothing of the memory limit of {component}, which is {}; write less, or raise resources.limits.memory of {component}",
            memory.unit,
            limit.as_str().map_or_else(|| limit.to_string(), str::to_owned),
        ),
        source: None,
    })
}
