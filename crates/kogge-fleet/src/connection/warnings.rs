//! The `Warning` headers of an API server's answers, such as those of Pod Security, which a client of kube's drops.

use std::cell::RefCell;

use http::{HeaderMap, header};

/// Warnings of one write at most, and the bytes of each that are kept.
const MOST: usize = 8;
const LONGEST: usize = 1024;

tokio::task_local! {
    static HEARD: RefCell<Vec<String>>;
}

/// What came of a call, and the warnings that came with its answers.
pub(crate) async fn heard<F: Future>(call: F) -> (F::Output, Vec<String>) {
    let listening = async {
        let came = call.await;
        (came, HEARD.with(RefCell::take))
    };
    HEARD.scope(RefCell::default(), listening).await
}

/// Takes the warnings down, where somebody listens.
pub(super) fn hear(headers: &HeaderMap) {
    let told = headers.get_all(header::WARNING).iter().filter_map(|value| text(value.to_str().ok()?));
    // Where nobody listens, there is nothing to take them down to.
    let _ = HEARD.try_with(|heard| {
        let mut heard = heard.borrow_mut();
        for warning in told {
            if heard.len() < MOST && !heard.contains(&warning) {
                heard.push(warning);
            }
        }
    });
}

/// The text of `299 - "text"`.
fn text(header: &str) -> Option<String> {
    let quoted = header.split_once('"')?.1;
    let mut text = String::new();
    let mut chars = quoted.chars();
    while let Some(char) = chars.next().filter(|char| *char != '"') {
        text.push(if char == '\\' { chars.next()? } else { char });
    }
    text.truncate(text.floor_char_boundary(LONGEST));
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_38_the_text_of_a_warning_is_read_as_the_server_wrote_it() {
        let pod_security = r#"299 - "would violate PodSecurity \"restricted:latest\": runAsNonRoot != true""#;
        assert_eq!(
            text(pod_security).as_deref(),
            Some(r#"would violate PodSecurity "restricted:latest": runAsNonRoot != true"#)
        );
        let deprecated = r#"299 - "policy/v1beta1 is deprecated" "Tue, 01 Dec 2026 00:00:00 GMT""#;
        assert_eq!(text(deprecated).as_deref(), Some("policy/v1beta1 is deprecated"));
        for nothing in ["", "299 -", "299 - \"\"", "299 - \"\\"] {
            assert_eq!(text(nothing), None, "{nothing}");
        }
        assert_eq!(text(&format!("299 - \"{}\"", "é".repeat(2000))).map(|text| text.len()), Some(LONGEST));
    }

    #[tokio::test]
    async fn field_38_only_so_many_are_kept_and_each_once() {
        let mut headers = HeaderMap::new();
        for number in [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10] {
            headers.append(header::WARNING, format!("299 - \"{number}\"").parse().unwrap());
        }
        let ((), warnings) = heard(async { hear(&headers) }).await;
        assert_eq!(warnings.len(), MOST);
        hear(&headers);
    }
}
