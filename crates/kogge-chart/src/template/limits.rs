//! Bounds that keep any template, however hostile, from using up stack, memory or time.

/// The most bytes of one template's source.
pub(super) const SOURCE_BYTES: usize = 256 * 1024;
/// The deepest nesting of blocks in one template.
pub(super) const BLOCK_DEPTH: usize = 16;
/// The deepest nesting of parentheses in one tag.
pub(super) const CALL_DEPTH: usize = 8;
/// The deepest nesting of partials.
pub(super) const PARTIAL_DEPTH: usize = 4;
/// The most tags passed and blocks entered in one render.
pub(super) const STEPS: usize = 50_000;
/// The most rounds of one `range`.
pub(super) const RANGE: u64 = 1_000;
/// The most bytes that one template renders, marks included.
pub(super) const OUTPUT_BYTES: usize = 1024 * 1024;
/// The widest `indent`.
pub(super) const INDENT: u64 = 100;
