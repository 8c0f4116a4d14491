//! The systems that engines are tested with: two evaluations agree on them, and on every lie told about them.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tacit_model::testing::SplitMix;
use tacit_relations::testing::arithmetic::{forged, holds};
use tacit_relations::testing::random::{self, Extra};
use tacit_relations::testing::{Case, by_hand};
use tacit_relations::{Segment, TensorId, check};

/// Tells lies about every tensor, alone and with everything after them recomputed; returns how many were told.
fn lies(case: &Case, rng: &mut SplitMix) -> usize {
    assert!(holds(&case.system, &case.trace), "{}: the second evaluation disagrees", case.name);
    let mut told = 0;
    for (index, spec) in case.system.tensors().iter().enumerate() {
        let at = rng.range(0, spec.len() as i64 - 1) as usize;
        let delta = [1, -1, 4, -(1 << 20)][rng.range(0, 3) as usize];
        let mut alone = case.trace.clone();
        alone.values[index][at] += delta;
        let all = forged(&case.system, &case.trace, TensorId(index as u32), at, delta);
        for trace in [Some(alone), all].into_iter().flatten() {
            assert_eq!(check(&case.system, &trace).is_ok(), holds(&case.system, &trace), "{}", case.name);
            told += 1;
        }
    }
    told
}

#[test]
fn systems_built_by_hand() {
    let mut rng = SplitMix(3);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let cases = by_hand();
    for case in &cases {
        assert!(lies(case, &mut rng) > 0);
        case.system.relations().iter().for_each(|r| *kinds.entry(r.kind()).or_default() += 1);
    }
    println!("{} systems, {kinds:?}", cases.len());
    assert_eq!(kinds.len(), 9, "every kind occurs");
    let names: BTreeSet<_> = cases.iter().map(|c| &c.name).collect();
    assert_eq!(names.len(), cases.len(), "names tell them apart");
}

/// Only kinds that are asked for.
#[test]
fn random_systems_are_of_the_kinds_asked_for() {
    let kinds = |seed, extras: &[Extra]| {
        let case = random::system(seed, 1, extras);
        case.system.relations().iter().map(tacit_relations::Relation::kind).collect::<Vec<_>>()
    };
    let of = |extras: &[Extra]| (0..200).flat_map(|seed| kinds(seed, extras)).collect::<BTreeSet<_>>();
    let all = of(&Extra::ALL);
    assert_eq!(all.len(), 8, "{all:?}");
    let common = of(&[]);
    assert_eq!(common.len(), 5, "{common:?}");
    for extra in Extra::ALL {
        let more: Vec<_> = of(&[extra]).difference(&common).map(ToString::to_string).collect();
        assert_eq!(more, [format!("{extra:?}")]);
    }
}

#[test]
fn perceptrons() {
    let case = random::perceptron(&[5, 9, 3], 8, 16, 2, 1);
    assert!(lies(&case, &mut SplitMix(1)) > 0);
    assert_eq!(case.system.segment(Segment::Input).count(), 0, "a bit of the seed makes the records public");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn networks_agree_with_their_evaluator(seed in any::<u64>(), steps in 1usize..16, samples in 1usize..4) {
        lies(&random::network(steps, samples, seed), &mut SplitMix(seed));
    }

    #[test]
    fn random_systems(seed in any::<u64>(), size in 1usize..6) {
        lies(&random::system(seed, size, &Extra::ALL), &mut SplitMix(seed));
        lies(&random::system(seed, size, &[]), &mut SplitMix(seed));
    }
}
