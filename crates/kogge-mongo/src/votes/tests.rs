use proptest::prelude::*;

use super::*;

fn candidates(shape: &[usize]) -> Vec<Candidate> {
    let vdcs = shape.iter().enumerate();
    vdcs.flat_map(|(vdc, size)| {
        (0..*size).map(move |n| Candidate {
            pod: PodName::new(format!("ll-shard-0-vdc{}-{n}", vdc + 1)),
            vdc: Vdc::new(format!("vdc{}", vdc + 1)),
            priority: 1,
            votes_now: false,
        })
    })
    .collect()
}

fn per_vdc(candidates: &[Candidate], chosen: &BTreeSet<PodName>) -> Vec<usize> {
    let mut counts: BTreeMap<&Vdc, usize> = BTreeMap::new();
    for candidate in candidates {
        let voters = counts.entry(&candidate.vdc).or_default();
        *voters += usize::from(chosen.contains(&candidate.pod));
    }
    counts.into_values().collect()
}

#[test]
fn case_29_vote_table() {
    let table: &[(&[usize], &[usize])] = &[
        (&[], &[]),
        (&[1], &[1]),
        (&[2], &[1]),
        (&[3], &[3]),
        (&[4], &[3]),
        (&[10], &[7]),
        (&[1, 1], &[1, 0]),
        (&[2, 1], &[2, 1]),
        (&[2, 2], &[2, 1]),
        (&[3, 3], &[3, 2]),
        (&[5, 5], &[4, 3]),
        (&[1, 1, 1], &[1, 1, 1]),
        (&[1, 1, 1, 2], &[1, 1, 1, 2]),
        (&[1, 1, 1, 1], &[1, 1, 1, 0]),
        (&[2, 1, 1], &[1, 1, 1]),
        (&[2, 2, 1], &[2, 2, 1]),
        (&[3, 1, 1], &[1, 1, 1]),
        (&[2, 2, 2], &[2, 2, 1]),
        (&[3, 2, 2], &[3, 2, 2]),
        (&[5, 1, 1], &[1, 1, 1]),
        (&[3, 3, 3], &[3, 2, 2]),
        (&[1, 1, 1, 1, 1, 1, 1, 1], &[1, 1, 1, 1, 1, 1, 1, 0]),
    ];
    for (shape, expected) in table {
        let candidates = candidates(shape);
        let chosen = allot(&candidates, 0);
        assert_eq!(per_vdc(&candidates, &chosen), *expected, "{shape:?}");
    }
}

#[test]
fn case_29_external_votes_count_towards_seven_and_parity() {
    for (shape, external, ours) in
        [(&[1, 1, 1][..], 1, 2), (&[1, 1, 1], 2, 3), (&[3, 2, 2], 2, 5), (&[1], 1, 1), (&[1], 6, 1)]
    {
        let candidates = candidates(shape);
        assert_eq!(allot(&candidates, external).len(), ours, "{shape:?} + {external}");
    }
}

#[test]
fn present_voters_stay_while_the_set_grows() {
    let mut four = candidates(&[1, 1, 1, 1]);
    for candidate in &mut four[1..] {
        candidate.votes_now = true;
    }
    let chosen = allot(&four, 0);
    assert!(!chosen.contains(&four[0].pod));
    assert_eq!(chosen.len(), 3);
}

#[test]
fn a_higher_priority_votes_first() {
    let mut four = candidates(&[1, 1, 1, 1]);
    four[3].priority = 2;
    assert!(allot(&four, 0).contains(&four[3].pod));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn votes_are_few_odd_spread_and_sticky(
        shape in prop::collection::vec(1_usize..5, 1..6),
        present in any::<u32>(),
        shuffle in any::<usize>(),
    ) {
        let mut all = candidates(&shape);
        for (n, candidate) in all.iter_mut().enumerate() {
            candidate.votes_now = present >> n & 1 == 1;
        }
        let chosen = allot(&all, 0);
        prop_assert!(chosen.len() <= MAX_VOTERS);
        prop_assert_eq!(chosen.len() % 2, 1);
        if shape.len() >= 3 {
            let most = per_vdc(&all, &chosen).into_iter().max().unwrap_or(0);
            prop_assert!(most < chosen.len() / 2 + 1);
        }

        let mut rotated = all.clone();
        rotated.rotate_left(shuffle % all.len());
        prop_assert_eq!(&allot(&rotated, 0), &chosen);

        for candidate in &mut all {
            candidate.votes_now = chosen.contains(&candidate.pod);
        }
        prop_assert_eq!(&allot(&all, 0), &chosen);
    }
}
