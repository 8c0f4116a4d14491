//! One committed scalar is off, all that follows consistent with it: a round polynomial of any sum-check, an
//! evaluation, a numerator or denominator of the lookup tree, a product.

use std::collections::BTreeMap;

use halo2curves::ff::Field as _;
use rayon::prelude::*;
use tacit_relations::testing::random::perceptron;
use tacit_relations::testing::{Case, corners, division, images, selections, systems};

use super::opening::Tricks;
use super::{Liar, Stage, off, transcript};
use crate::group::F;
use crate::party::Message;
use crate::protocol;

/// A proof with these lies, and how many scalars of each kind it commits to.
fn lying(stage: &Stage, lies: Vec<(Message, usize, F)>) -> (bool, BTreeMap<Message, usize>) {
    let statement = stage.statement(stage.committed(&stage.columns));
    let transcript = transcript(&statement, None);
    let context = stage.context(&stage.columns, true);
    let mut liar = Liar::new(transcript.clone(), lies);
    let blinds = liar.rows(stage, &stage.columns);
    let (claims, _) = protocol::run(&mut liar, &context, None).expect("a prover reads nothing");
    liar.open(&context, &claims, &blinds, &Tricks::default()).expect("a prover reads nothing");
    let said = liar.said;
    (stage.verifies(&statement, &liar.prover.finish(), transcript), said)
}

/// Every relation kind, every sum-check, small enough to lie about everything.
fn cases() -> Vec<Case> {
    vec![
        systems::lane(8, 2, 3),
        systems::two_shapes(),
        systems::batched(),
        systems::padded_operands(),
        systems::affine(),
        systems::product(),
        systems::requant(7, -100, 30),
        systems::output_of_requant(),
        selections::table(),
        selections::max(),
        selections::arg_max_ties(),
        images::convolution(),
        images::stacked(),
        corners::odd_sizes(),
        corners::long_sums(),
        division::case(2, 1),
        perceptron(&[3, 2], 8, 8, 1, 0),
    ]
}

#[test]
fn no_scalar_may_be_off() {
    let mut total = BTreeMap::new();
    for case in cases() {
        let stage = Stage::new(case);
        let (honest, said) = lying(&stage, Vec::new());
        assert!(honest, "{}", stage.case.name);
        // All evaluations and products, a sample of the many rounds and layers.
        let lies: Vec<(Message, usize)> = said
            .iter()
            .flat_map(|(kind, count)| {
                let step = count.div_ceil(super::cases(5, 24));
                (0..*count).step_by(step).chain([count - 1]).map(|i| (*kind, i))
            })
            .collect();
        for (kind, _) in &lies {
            *total.entry(*kind).or_insert(0) += 1;
        }
        lies.into_par_iter().for_each(|(kind, i)| {
            let by = if i % 2 == 0 { F::ONE } else { off() };
            assert!(!lying(&stage, vec![(kind, i, by)]).0, "{}: {kind:?} {i}", stage.case.name);
        });
    }
    println!("scalars off, all refused: {total:?}");
}
