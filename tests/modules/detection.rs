//! What the search for cycles finds in small crates, and what it lets pass.

use crate::cycle::{Edge, cycles};
use crate::tree::{Files, edges};

fn files(texts: &[(&str, &str)]) -> Files {
    texts.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect()
}

/// `from:line to` of every arrow.
fn arrows(texts: &[(&str, &str)]) -> Vec<String> {
    let edges = edges(&files(texts)).unwrap();
    let mut arrows: Vec<String> =
        edges.iter().map(|Edge { from, to, line, .. }| format!("{from}:{line} {to}")).collect();
    arrows.dedup();
    arrows
}

fn cycles_in(texts: &[(&str, &str)]) -> Vec<String> {
    cycles(&edges(&files(texts)).unwrap()).iter().map(ToString::to_string).collect()
}

#[test]
fn a_cycle_is_found_with_its_shortest_way_round() {
    let found = cycles_in(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::B;\npub struct A(B);"),
        ("b.rs", "use crate::c::C;\n\npub struct B(Option<C>, crate::d::D);"),
        ("c.rs", "pub struct C;\nfn f() -> crate::a::A { loop {} }\nfn g() -> super::b::B { loop {} }"),
        ("d.rs", "pub struct D;"),
    ]);
    let way = "  b.rs:1 uses c.rs (crate::c::C)\n  c.rs:3 uses b.rs (super::b::B)\n";
    assert_eq!(found, [format!("3 files use each other: a.rs, b.rs, c.rs\n{way}")]);
}

#[test]
fn two_cycles_are_two() {
    let texts = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use crate::a::A; use crate::c::C; pub struct B;"),
        ("c.rs", "use crate::d::D; pub struct C;"),
        ("d.rs", "use crate::c::C; pub struct D;"),
    ];
    assert_eq!(cycles_in(&texts).len(), 2);
}

#[test]
fn arrows_that_point_down_are_no_cycle() {
    let texts = [
        ("lib.rs", "pub mod a; mod b; mod c; pub use c::C;"),
        ("a.rs", "use crate::{b::{self, B}, C}; fn f(_: B, _: C) { b::f() }"),
        ("b.rs", "pub struct B; pub fn f() -> crate::c::C { loop {} }"),
        ("c.rs", "pub struct C;"),
    ];
    assert_eq!(arrows(&texts), ["a.rs:1 b.rs", "a.rs:1 c.rs", "b.rs:1 c.rs"]);
    assert!(cycles_in(&texts).is_empty());
}

#[test]
fn a_reexport_leads_to_what_defines_the_name() {
    let texts = [
        ("lib.rs", "mod a;\nmod b;\npub use a::{inner::A, f as g};"),
        ("a/mod.rs", "pub mod inner;\npub fn f() {}"),
        ("a/inner.rs", "pub struct A;"),
        ("b.rs", "fn f() {\n    crate::A;\n    crate::g();\n}"),
    ];
    assert_eq!(arrows(&texts), ["b.rs:2 a/inner.rs", "b.rs:3 a/mod.rs"]);
}

#[test]
fn a_parent_may_pass_on_its_children_and_may_not_be_used_by_those_that_it_uses() {
    let child = ("a/child.rs", "use super::Parent;\npub struct Child(Parent);");
    let passes_on = ("a/mod.rs", "mod child;\npub use child::Child;\npub struct Parent;");
    let uses_it = ("a/mod.rs", "mod child;\npub use child::Child;\npub struct Parent(Option<Box<Child>>);");
    assert!(cycles_in(&[("lib.rs", "mod a;"), passes_on, child]).is_empty());
    assert_eq!(cycles_in(&[("lib.rs", "mod a;"), uses_it, child]).len(), 1);
}

#[test]
fn what_is_said_in_comments_and_strings_or_is_for_tests_only_is_no_arrow() {
    let text = r#"
        //! [`crate::b::B`]
        /* crate::b::B */
        #[doc = "crate::b::B"]
        const A: &str = "crate::b::B";
        pub(in crate::b) fn f() {}
        #[cfg(test)]
        use crate::b::B;
        #[cfg(test)]
        fn g() -> B { crate::b::B }
        #[cfg(test)]
        mod tests;
        #[cfg(all(test, unix))]
        mod more { use crate::b::B; }
    "#;
    assert!(arrows(&[("lib.rs", "mod a; mod b;"), ("a.rs", text), ("b.rs", "pub struct B;")]).is_empty());
}

#[test]
fn names_in_blocks_bodies_and_macros_count() {
    let text =
        "mod block {\n use super::super::b::B;\n}\nfn f() {\n use crate::b;\n println!(\"{}\",\n b::f());\n}";
    let texts = [("lib.rs", "mod a; mod b;"), ("a.rs", text), ("b.rs", "pub struct B; pub fn f() {}")];
    assert_eq!(arrows(&texts), ["a.rs:2 b.rs", "a.rs:7 b.rs"]);
}

#[test]
fn a_field_or_a_method_is_no_path_and_what_stands_after_two_dots_may_be_one() {
    let text =
        "mod b { pub fn f() {} }\nfn g(x: X<'_>) {\n x.b;\n Y { z,\n ..crate::c::d() };\n 0..=crate::c::E\n}";
    let texts = [("lib.rs", "mod a; mod c;"), ("a.rs", text), ("c.rs", "pub fn d() {} pub const E: u8 = 0;")];
    assert_eq!(arrows(&texts), ["a.rs:5 c.rs", "a.rs:6 c.rs"]);
}

#[test]
fn a_glob_is_refused_where_it_hides_what_is_used() {
    let glob = edges(&files(&[("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::*;"), ("b.rs", "")]));
    assert_eq!(glob.unwrap_err().to_string(), "a.rs:1: `use crate::b::*` hides what is used; name it");
    let variants = files(&[("lib.rs", "mod a;"), ("a.rs", "enum E { F }\nuse E::*; use std::io::*;")]);
    assert!(edges(&variants).unwrap().is_empty());
}
