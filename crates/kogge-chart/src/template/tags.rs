//! A first look at a template's tags, before the parser sees it.
//!
//! The parser descends once per nesting and would overflow the stack on a hostile template, so nesting is
//! bounded here; and what the parser allows but charts do not need, such as insertion without quoting or
//! partials of a computed name, is refused here with its line.

use super::limits;
use super::marks::is_reserved;

/// How a template writes what looks like a tag.
pub(super) const LITERAL: &str = r"for the text {{ write \{{, as in '\{{ $labels.instance }}'";

/// What is wrong with a template's source.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The line, counted from 1.
    pub(super) line: usize,
    /// What is wrong, and the mend.
    pub(super) message: String,
}

/// Checks the tags of a template.
pub(super) fn check(source: &str) -> Result<(), Fault> {
    Scanner { source, at: 0, blocks: Vec::new() }.run().map_err(|(at, message)| {
        let line = source.get(..at).unwrap_or_default().matches('\n').count() + 1;
        Fault { line, message }
    })
}

type Outcome = Result<(), (usize, String)>;

struct Scanner<'a> {
    source: &'a str,
    at: usize,
    /// For each open block, how many branches it has begun: each `else if` nests one deeper.
    blocks: Vec<usize>,
}

impl Scanner<'_> {
    fn run(mut self) -> Outcome {
        if self.source.len() > limits::SOURCE_BYTES {
            return self
                .fault(format!("the template is larger than {} KiB; split it", limits::SOURCE_BYTES / 1024));
        }
        if let Some((at, c)) = self.source.char_indices().find(|(_, c)| is_reserved(*c)) {
            self.at = at;
            return self.fault(format!("the character {c:?} is kept for marks; remove it"));
        }
        while let Some(found) = self.source[self.at..].find("{{") {
            self.at += found;
            let before = &self.source[..self.at];
            match before.len() - before.trim_end_matches('\\').len() {
                0 => self.tag()?,
                1 => self.at += if self.rest().starts_with("{{{{") { 4 } else { 2 },
                _ => return self.fault(format!("there are several backslashes before a tag; {LITERAL}")),
            }
        }
        Ok(())
    }

    fn fault<T>(&self, message: String) -> Result<T, (usize, String)> {
        Err((self.at, message))
    }

    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn tag(&mut self) -> Outcome {
        let rest = self.rest();
        if rest.starts_with("{{!") {
            let close = if rest.starts_with("{{!--") { "--}}" } else { "}}" };
            let Some(end) = rest.find(close) else {
                return self.fault(format!("the comment has no end; write {close}"));
            };
            self.at += end + close.len();
            return Ok(());
        }
        let head = rest[2..].trim_start_matches('~').trim_start();
        match head.chars().next() {
            Some('{' | '&') => {
                return self
                    .fault(format!("{{{{{{ and {{{{& would insert YAML; use {{{{…}}}}, or toYaml; {LITERAL}"));
            }
            Some('*') => {
                return self
                    .fault("decorators and inline partials are not used here; write a partial file".to_owned());
            }
            Some('#') if head[1..].trim_start().starts_with(['*', '>']) => {
                return self.fault(
                    "inline partials and partial blocks are not used here; write a partial file".to_owned(),
                );
            }
            Some('>') if head[1..].trim_start().starts_with('(') => {
                return self
                    .fault("a partial's name cannot be computed; name it, in branches of an if".to_owned());
            }
            Some('$' | '-') => return self.fault(format!("a tag of Go's templates is none here; {LITERAL}")),
            Some('.') if head[1..].starts_with(|c: char| c.is_alphanumeric()) => {
                return self.fault(format!("a tag of Go's templates is none here; {LITERAL}"));
            }
            Some('#') => self.blocks.push(1),
            Some('/') => {
                self.blocks.pop();
            }
            Some('^') => self.branch(),
            _ if is_else(head) => self.branch(),
            _ => {}
        }
        if self.blocks.iter().sum::<usize>() > limits::BLOCK_DEPTH {
            return self.fault(format!(
                "blocks and their else branches nest deeper than {}; use partials",
                limits::BLOCK_DEPTH
            ));
        }
        self.inside()
    }

    fn branch(&mut self) {
        if let Some(branches) = self.blocks.last_mut() {
            *branches += 1;
        }
    }

    /// Walks to the end of a tag, over strings and parentheses.
    fn inside(&mut self) -> Outcome {
        let start = self.at;
        let mut depth = 0;
        self.at += 2;
        while let Some(c) = self.rest().chars().next() {
            if self.rest().starts_with("}}") {
                self.at += 2;
                return Ok(());
            }
            match c {
                '"' | '\'' => self.string(c)?,
                '[' => self.segment()?,
                '{' => {
                    return self.fault("a map cannot be written inside a tag; put it into values.yaml".to_owned());
                }
                '(' => depth += 1,
                ')' => depth = usize::saturating_sub(depth, 1),
                _ => {}
            }
            if depth > limits::CALL_DEPTH {
                return self.fault(format!("parentheses nest deeper than {}", limits::CALL_DEPTH));
            }
            self.at += self.rest().chars().next().map_or(0, char::len_utf8);
        }
        self.at = start;
        self.fault("the tag has no end; write }}".to_owned())
    }

    /// Walks from a quote to its partner.
    fn string(&mut self, quote: char) -> Outcome {
        let mut escaped = false;
        for (offset, c) in self.rest().char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == quote => {
                    self.at += offset;
                    return Ok(());
                }
                _ => {}
            }
        }
        self.fault(format!("the string has no end; write {quote}"))
    }

    /// Walks from a bracket to its partner. Only keys of a path stand in brackets.
    fn segment(&mut self) -> Outcome {
        let simple = |c: char| c.is_ascii_alphanumeric() || "-_./: ".contains(c);
        match self.rest()[1..].find(|c| !simple(c)) {
            Some(end) if self.rest()[1 + end..].starts_with(']') => {
                self.at += 1 + end;
                Ok(())
            }
            _ => self.fault("a list cannot be written inside a tag, and a key in brackets is made of letters, digits and -_./: ; put lists into values.yaml".to_owned()),
        }
    }
}

fn is_else(head: &str) -> bool {
    head.strip_prefix("else").is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a: {{values.a}}\nb: {{#if (eq values.a \"}}((((((((((((\")}}x{{else}}y{{/if}}")]
    #[case("{{! a (((((((((( comment }} {{!-- {{ --}}")]
    #[case("{{values.map.[kogge.dev/x]}}")]
    #[case("'\\{{ $labels.instance }} of {{values.a}}'")]
    #[case("\\{{{{raw}}}} ((((((((((")]
    fn takes_ordinary_tags(#[case] source: &str) {
        assert_eq!(check(source), Ok(()));
    }

    #[rstest]
    #[case("a\n{{{values.a}}}", 2, "{{{")]
    #[case("{{&values.a}}", 1, "{{&")]
    #[case("\n\n{{~ > (lookup values \"x\")}}", 3, "cannot be computed")]
    #[case("{{#*inline \"x\"}}{{/inline}}", 1, "partial file")]
    #[case("{{#> layout}}{{/layout}}", 1, "partial file")]
    #[case("{{a.[\"] ((((((((((( ]}}", 1, "a list cannot be written")]
    #[case("{{eq {\"a\": 1} values.a}}", 1, "a map cannot be written")]
    #[case("x\n{{values.a", 2, "no end")]
    #[case("{{!-- x }}", 1, "comment has no end")]
    #[case("\\\\{{a}}", 1, "several backslashes")]
    #[case("a\n{{ $labels.instance }}", 2, "for the text {{ write \\{{")]
    #[case("{{ .Values.a }}", 1, "for the text {{ write \\{{")]
    #[case("{{- if a }}", 1, "for the text {{ write \\{{")]
    #[case("{{{{raw}}}}", 1, "for the text {{ write \\{{")]
    #[case("\u{E000}", 1, "kept for marks")]
    fn refuses(#[case] source: &str, #[case] line: usize, #[case] needle: &str) {
        let fault = check(source).unwrap_err();
        assert_eq!(fault.line, line, "{fault:?}");
        assert!(fault.message.contains(needle), "{fault:?}");
    }

    #[test]
    fn bounds_every_kind_of_nesting() {
        let blocks = "{{#if a}}".repeat(1_000);
        assert!(check(&blocks).unwrap_err().message.contains("blocks"));
        let branches = format!("{{{{#if a}}}}{}{{{{/if}}}}", "{{else if b}}".repeat(1_000));
        assert!(check(&branches).unwrap_err().message.contains("blocks"));
        let calls = format!("{{{{{}", "(not ".repeat(1_000));
        assert!(check(&calls).unwrap_err().message.contains("parentheses"));
    }
}
