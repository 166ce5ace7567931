//! Marks in rendered text: characters of Unicode's private use area, which neither templates nor values may
//! hold.

/// Opens the number of an inserted string.
const STRING_OPEN: char = '\u{E000}';
/// Closes the number of an inserted string.
const STRING_CLOSE: char = '\u{E001}';
/// Opens the origin of a line.
const LINE_OPEN: char = '\u{E002}';
/// Closes the origin of a line.
const LINE_CLOSE: char = '\u{E003}';
/// Begins text that a function wrote for insertion as it is.
const RAW: char = '\u{E004}';

/// Whether templates keep this character for themselves.
pub(crate) fn is_reserved(c: char) -> bool {
    (STRING_OPEN..=RAW).contains(&c)
}

/// A line of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The position of the file in the set's list of files.
    pub(super) file: usize,
    /// The line, counted from 1.
    pub(super) line: usize,
}

pub(super) fn raw(text: &str) -> String {
    format!("{RAW}{text}")
}

/// The text of a raw insertion; none where it is an ordinary string.
pub(super) fn as_raw(text: &str) -> Option<&str> {
    text.strip_prefix(RAW)
}

pub(super) fn string_mark(number: usize) -> String {
    format!("{STRING_OPEN}{number}{STRING_CLOSE}")
}

pub(super) fn line_mark(origin: Origin) -> String {
    format!("{LINE_OPEN}{}:{}{LINE_CLOSE}", origin.file, origin.line)
}

/// Text without its line marks, and the origin of each of its lines. A line without a mark, such as one of
/// several that a function wrote, has that of the line before.
pub(super) fn take_line_marks(marked: &str) -> (String, Vec<Origin>) {
    let mut text = String::with_capacity(marked.len());
    let mut origins = Vec::new();
    let mut last = Origin { file: 0, line: 1 };
    for line in marked.split_inclusive('\n') {
        let mut first = None;
        let mut rest = line;
        while let Some((before, after)) = rest.split_once(LINE_OPEN) {
            text.push_str(before);
            let (mark, after) = after.split_once(LINE_CLOSE).unwrap_or((after, ""));
            if let Some((file, line)) = mark.split_once(':')
                && let (Ok(file), Ok(line)) = (file.parse(), line.parse())
            {
                last = Origin { file, line };
                first.get_or_insert(last);
            }
            rest = after;
        }
        text.push_str(rest);
        origins.push(first.unwrap_or(last));
    }
    (text, origins)
}

/// A piece of a scalar.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Text of the template.
    Text(&'a str),
    /// An inserted string, by its number.
    String(usize),
}

/// The pieces of a scalar, in order.
pub(super) fn pieces(scalar: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = scalar;
    while let Some((before, after)) = rest.split_once(STRING_OPEN) {
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        let (number, after) = after.split_once(STRING_CLOSE).unwrap_or((after, ""));
        pieces.extend(number.parse().ok().map(Piece::String));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_know_where_they_came_from() {
        let at = |line| line_mark(Origin { file: 1, line });
        let marked = format!("{}a: 1\nb: 2\n\n{}c: {}x\n", at(3), at(7), at(9));
        let (text, origins) = take_line_marks(&marked);
        assert_eq!(text, "a: 1\nb: 2\n\nc: x\n");
        assert_eq!(origins.iter().map(|o| o.line).collect::<Vec<_>>(), [3, 3, 3, 7]);
    }

    #[test]
    fn a_scalar_falls_into_text_and_strings() {
        let scalar = format!("a-{}{}", string_mark(12), string_mark(3));
        assert_eq!(pieces(&scalar), [Piece::Text("a-"), Piece::String(12), Piece::String(3)]);
        assert_eq!(pieces(""), []);
    }
}
