use super::*;

fn named<'a>(namespace: &'a str, name: &'a str, cluster_id: Option<&'a ClusterId>) -> Named<'a> {
    Named { namespace, name, cluster_id }
}

#[test]
fn only_those_meet_that_share_an_id_or_the_beginning_of_their_names() {
    let ids = ["abcdefgh", "zzzzzzzz"].map(|id| id.parse::<ClusterId>().unwrap());
    let [one, other] = [Some(&ids[0]), Some(&ids[1])];
    let cases = [
        (named("a", "db", one), named("b", "x", one), true),
        (named("a", "db", one), named("b", "db", other), false),
        (named("a", "db", None), named("b", "x", None), false),
        (named("a", "db", one), named("a", "db", other), true),
        (named("a", "db", one), named("a", "db-shard-0", other), true),
        (named("a", "db", one), named("a", "db2", other), false),
        (named("a", "db", one), named("a", "d", other), false),
    ];
    for (left, right, expected) in cases {
        assert_eq!(Rival::can_meet(left, right), expected, "{left:?} {right:?}");
        assert_eq!(Rival::can_meet(right, left), expected, "{right:?} {left:?}");
    }
}
