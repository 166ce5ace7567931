//! Bringing image files into a node's containerd.

use std::path::Path;

use super::pack::read_layout;
use crate::command::run;
use crate::context::ClusterContext;
use crate::error::Result;

/// Imports an image file into the cluster's node, unless the node has the same image under the same name.
pub(crate) fn import(cluster: &ClusterContext, file: &Path) -> Result<()> {
    let socket = cluster.containerd_socket();
    let ctr = ["ctr", "--address", &socket.to_string_lossy(), "--namespace", "k8s.io"].map(str::to_owned);
    let run_ctr =
        |words: &[&str]| run(&ctr.iter().map(String::as_str).chain(words.iter().copied()).collect::<Vec<_>>());
    if let Some(layout) = read_layout(file)?
        && run_ctr(&["images", "list", &format!("name=={}", layout.name)])?.contains(&layout.digest)
    {
        return Ok(());
    }
    run_ctr(&["images", "import", &file.to_string_lossy()])?;
    tracing::info!("{}: imported {}", cluster.name(), file.file_name().unwrap_or_default().to_string_lossy());
    Ok(())
}
