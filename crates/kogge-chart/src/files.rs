//! Which files make a chart, and what of them counts.

use std::collections::BTreeMap;

use crate::yaml;

/// What the chart says of itself.
pub(crate) const MANIFEST: &str = "Chart.yaml";
/// Its own values.
pub(crate) const VALUES: &str = "values.yaml";
/// What values may be.
pub(crate) const SCHEMA: &str = "values.schema.json";
/// The folder of its templates.
pub(crate) const TEMPLATES: &str = "templates/";

/// Whether a file is one of a chart's, by its path relative to the chart's folder. Anything else that lies there, such
/// as a README or what editors, archives and file managers leave behind (`._members.yaml.hbs`, `members.yaml.hbs~`), is
/// not read and changes nothing.
pub fn is_chart_file(path: &str) -> bool {
    match path.strip_prefix(TEMPLATES) {
        Some(name) => {
            !name.contains('/') && name.strip_suffix(".hbs").is_some() && !name.starts_with(['.', '#', '~'])
        }
        None => [MANIFEST, VALUES, SCHEMA].contains(&path),
    }
}

/// The files of a chart, without what differs between editors and not in meaning.
pub(crate) fn of_chart(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let own = files.iter().filter(|(path, _)| is_chart_file(path));
    own.map(|(path, bytes)| (path.clone(), yaml::plain_text(bytes))).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Chart.yaml", true)]
    #[case("values.yaml", true)]
    #[case("values.schema.json", true)]
    #[case("templates/members.yaml.hbs", true)]
    #[case("templates/_pod.hbs", true)]
    #[case("README.md", false)]
    #[case("._values.yaml", false)]
    #[case("values.yaml~", false)]
    #[case("values.yaml.orig", false)]
    #[case(".DS_Store", false)]
    #[case("Thumbs.db", false)]
    #[case("__MACOSX/templates/members.yaml.hbs", false)]
    #[case("templates/__MACOSX/members.yaml.hbs", false)]
    #[case("templates/._members.yaml.hbs", false)]
    #[case("templates/.#members.yaml.hbs", false)]
    #[case("templates/#members.yaml.hbs#", false)]
    #[case("templates/~members.yaml.hbs", false)]
    #[case("templates/members.yaml.hbs~", false)]
    #[case("templates/members.yaml.hbs.orig", false)]
    #[case("templates/members.yaml.hbs.rej", false)]
    #[case("templates/members.yaml.hbs.bak", false)]
    #[case("templates/.members.yaml.hbs.swp", false)]
    #[case("templates/.DS_Store", false)]
    #[case("templates/Thumbs.db", false)]
    #[case("templates/NOTES.txt", false)]
    fn field_35_only_the_files_of_a_chart_are_read(#[case] path: &str, #[case] belongs: bool) {
        assert_eq!(is_chart_file(path), belongs);
    }
}
