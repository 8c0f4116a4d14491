//! Wrong columns, honest algebra.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use tacit_model::testing::SplitMix;
use tacit_relations::testing::arithmetic::{forged, holds};
use tacit_relations::testing::random::{Extra, network, perceptron, system};
use tacit_relations::testing::{Case, by_hand};
use tacit_relations::{Segment, TensorId, Trace};

use super::{Public, Stage};
use crate::plan::{Fill, Plan};
use crate::witness::Misfit;

/// Every small system: by hand, random, lowered from models.
fn cases() -> Vec<Case> {
    let mut cases = by_hand();
    cases.extend((0..super::cases(2, 6) as u64).map(|seed| network(6, 1, seed)));
    let random = super::cases(6, 16) as u64;
    cases.extend((100..100 + random).map(|seed| system(seed, 1, &Extra::ALL)));
    cases
        .extend([&[3, 2][..], &[2, 3, 2]].into_iter().zip(0..).map(|(s, seed)| perceptron(s, 8, 8, 1, seed)));
    cases
}

/// What became of a wrong column.
#[derive(Default)]
struct Tally {
    attempts: AtomicUsize,
    refused: AtomicUsize,
    /// Another witness or commitment of a statement that is true.
    harmless: AtomicUsize,
}

impl Tally {
    fn add(counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn report(&self, what: &str) {
        let [attempts, refused, harmless] =
            [&self.attempts, &self.refused, &self.harmless].map(|c| c.load(Ordering::Relaxed));
        println!("{what}: {attempts} attempts, {refused} refused, {harmless} true after all");
        assert_eq!(attempts, refused + harmless);
    }
}

/// Values of public tensors and outputs in a trace: what a statement says.
fn said(case: &Case, trace: &Trace) -> Vec<Vec<i64>> {
    [Segment::Public, Segment::Output]
        .into_iter()
        .flat_map(|s| case.system.segment(s))
        .map(|id| trace.tensor(id).to_vec())
        .collect()
}

/// Whether the statement that these columns commit to, one element of one committed tensor being off, is
/// true.
fn is_true(stage: &Stage, tensor: TensorId, at: usize, by: i64) -> bool {
    let case = &stage.case;
    // Every witness follows from weights and input: the statement is true if they lead to what it says.
    case.system.tensor(tensor).segment != Segment::Output
        && forged(&case.system, &case.trace, tensor, at, by)
            .is_some_and(|t| holds(&case.system, &t) && said(case, &t) == said(case, &case.trace))
}

/// One element of one column is off. The proof is refused unless the plan's equations hold over the integers
/// for what is committed, and then the statement is true by the relations' own definition.
///
/// Exempt is an element of a *committed* tensor on which nothing said depends: an unread weight, a factor of
/// zero, what a requantisation rounds away when no witness is committed beside it. No element of a witness
/// column is exempt.
#[test]
fn one_element_off() {
    let tally = Tally::default();
    cases().into_par_iter().enumerate().for_each(|(seed, case)| {
        let stage = Stage::new(case);
        let mut rng = SplitMix(seed as u64);
        for (i, column) in stage.plan.columns.iter().enumerate() {
            let len = stage.columns[i].len() as i64;
            let places = [rng.range(0, len - 1), if rng.range(0, 1) == 0 { 0 } else { len - 1 }];
            let places = if len == 1 { &places[..1] } else { &places };
            // As a rule one of both, by turns.
            let spared = if super::cases(1, 2) == 2 || len == 1 { None } else { Some(i % 2 == 0) };
            for (&at, nudge) in places.iter().zip([true, false]).filter(|(_, nudge)| Some(*nudge) != spared) {
                let value = stage.columns[i][at as usize];
                let by = match rng.range(0, 5) {
                    _ if nudge => [1, -1][rng.range(0, 1) as usize],
                    0 if value != 0 => -value,
                    1 if value != 0 => -2 * value,
                    2 => 1 << rng.range(5, 16),
                    3 => -(1 << rng.range(5, 16)),
                    4 => 2,
                    _ => rng.range(1, 99),
                };
                let recount = !matches!(column.fill, Fill::Multiplicities { .. });
                let tensor = match column.fill {
                    Fill::Tensor(id) if column.segment != Segment::Witness => Some(id),
                    _ => None,
                };
                let mut columns = stage.columns.clone();
                columns[i][at as usize] += by;
                if recount {
                    stage.recount(&mut columns);
                }
                if !stage.computable(&columns) {
                    continue;
                }
                let what =
                    format!("{}: column {i} ({:?}), element {at}, by {by}", stage.case.name, column.fill);
                Tally::add(&tally.attempts);
                let satisfied = stage.satisfied(&columns);
                assert_eq!(stage.accepts(&columns), satisfied, "{what}: proof and equations disagree");
                if !satisfied {
                    Tally::add(&tally.refused);
                    continue;
                }
                let tensor = tensor.unwrap_or_else(|| panic!("{what}: a witness is not unique"));
                let spec = stage.case.system.tensor(tensor);
                let half = 1i64 << (spec.width - 1);
                // A weight beyond its width is what the certificate refuses.
                let fits = (-half..half).contains(&(value + by));
                assert!(fits || spec.segment == Segment::Weights, "{what}: beyond its width");
                assert!(!fits || is_true(&stage, tensor, at as usize, by), "{what}: a false statement");
                Tally::add(&tally.harmless);
            }
        }
    });
    tally.report("one element of a column");
}

/// Every relation in turn is broken by one element, all that follows computed from the lie: the prover's own
/// columns for a trace that the checker refuses.
#[test]
fn one_relation_broken() {
    let tally = Tally::default();
    cases().into_par_iter().enumerate().for_each(|(seed, case)| {
        let mut stage = Stage::new(case);
        let mut rng = SplitMix(1_000 + seed as u64);
        let results: Vec<TensorId> =
            stage.case.system.relations().iter().filter_map(|r| r.result()).collect();
        for id in results {
            let len = stage.case.system.tensor(id).len() as i64;
            for by in [[1, -1][rng.range(0, 1) as usize], rng.range(-300, 300)] {
                let at = rng.range(0, len - 1) as usize;
                let lie = forged(&stage.case.system, &stage.case.trace, id, at, by);
                let Some(lie) = lie.filter(|_| by != 0) else { continue };
                let public: Public =
                    stage.case.system.segment(Segment::Public).map(|p| (p, lie.tensor(p).to_vec())).collect();
                stage.claim(public);
                let Some(columns) = stage.fill(&lie, Misfit::Ignore) else { continue };
                if !stage.computable(&columns) {
                    continue;
                }
                let what = format!("{}: tensor {}, element {at}, by {by}", stage.case.name, id.0);
                Tally::add(&tally.attempts);
                let accepted = stage.accepts(&columns);
                // Witness columns of requantisations, maxima and forms are computed from operands, not from
                // the lie: where nothing else shows it, the trace that they stand for is honest.
                let truth = said(&stage.case, &lie) == said(&stage.case, &stage.case.trace);
                if truth && stage.satisfied(&columns) {
                    assert!(accepted, "{what}: refused");
                    Tally::add(&tally.harmless);
                } else {
                    assert!(!accepted, "{what}: accepted");
                    Tally::add(&tally.refused);
                }
            }
        }
    });
    tally.report("one relation broken");
}

/// Public values are off, every column stays honest.
#[test]
fn another_public_value() {
    let tally = Tally::default();
    cases().into_par_iter().enumerate().for_each(|(seed, case)| {
        let mut rng = SplitMix(2_000 + seed as u64);
        let mut stage = Stage::new(case);
        for id in stage.case.system.segment(Segment::Public).collect::<Vec<_>>() {
            let defined = stage.case.system.relations().iter().any(|r| r.result() == Some(id));
            if !defined {
                continue;
            }
            let honest: Public = stage
                .case
                .system
                .segment(Segment::Public)
                .map(|p| (p, stage.case.trace.tensor(p).to_vec()))
                .collect();
            let mut public = honest.clone();
            let values = public.get_mut(&id).expect("it is public");
            let at = rng.range(0, values.len() as i64 - 1) as usize;
            let (lo, hi) = stage.case.system.tensor(id).bounds;
            values[at] += if values[at] < hi { 1 } else { -1 };
            if values[at] < lo {
                continue;
            }
            stage.claim(public);
            let mut columns = stage.columns.clone();
            stage.recount(&mut columns);
            Tally::add(&tally.attempts);
            assert!(!stage.accepts(&columns), "{}: tensor {}, element {at}", stage.case.name, id.0);
            Tally::add(&tally.refused);
            stage.claim(honest);
        }
    });
    tally.report("another public value");
}

/// Weights that do not fit their width cannot be certified, at either end, whatever the width.
#[test]
fn weights_beyond_their_width() {
    use tacit_relations::testing::builder::Builder;
    let tally = Tally::default();
    for width in [1, 2, 5, 8, 12, 13, 16, 17, 40, 62] {
        let mut b = Builder::new(format!("weights of {width} bits"), 5);
        let _ = (b.weights(&[3, 5], width), b.weights(&[7], 4));
        let case = b.finish();
        let plan = Plan::certificate(&case.system);
        let stage = Stage::planned(case, plan);
        assert!(stage.accepts(&stage.columns));
        let half = 1i64 << (width - 1);
        for value in [half, -half - 1, half + 1, 2 * half, -2 * half - 1] {
            let mut columns = stage.columns.clone();
            columns[0][7] = value;
            // Digits of the value, and of the value modulo the width.
            for wrapped in [value, (value + half).rem_euclid(2 * half) - half] {
                let digits = {
                    let mut trace = stage.case.trace.clone();
                    trace.values[0][7] = wrapped;
                    stage.fill(&trace, Misfit::Ignore)
                };
                let Some(mut columns) = digits else { continue };
                columns[0][7] = value;
                stage.recount(&mut columns);
                Tally::add(&tally.attempts);
                assert!(!stage.accepts(&columns), "{value} in {width} bits");
                Tally::add(&tally.refused);
            }
        }
    }
    tally.report("a weight beyond its width");
}

/// A range with this many values, over an input, a witness and an output: the neighbours of its ends are
/// refused, the ends are not. Powers of two and others, below and above the table, one value, the whole
/// width.
#[test]
fn ends_of_ranges() {
    use tacit_relations::testing::builder::Builder;
    let tally = Tally::default();
    let ranges = [
        (0, 0),
        (-3, -3),
        (0, 1),
        (-1, 1),
        (0, 62),
        (0, 63),
        (0, 64),
        (-64, 63),
        (-5, 4_090),
        (0, 65_535),
        (-1, 65_535),
        (-70_000, 70_000),
        (0, (1 << 40) - 1),
        (-(1 << 40), (1 << 40) + 1),
    ];
    for (lo, hi) in ranges {
        for kind in 0..3 {
            let build = |value: i64| {
                let mut b = Builder::new(format!("{lo} to {hi}, kind {kind}"), 6);
                let x = b.input_of(&[3], 44, vec![lo, hi, value]);
                let x = b.all(x);
                let y = match kind {
                    0 => x,
                    1 => {
                        let y = b.affine(vec![(3, x.clone()), (-2, x)], 0);
                        b.all(y)
                    }
                    _ => {
                        let y = b.to(Segment::Output).affine(vec![(1, x)], 0);
                        b.all(y)
                    }
                };
                b.range(y, lo, hi);
                b.finish()
            };
            let stage = Stage::new(build(lo));
            assert!(stage.accepts(&stage.columns), "{}", stage.case.name);
            for value in [lo - 1, hi + 1, lo - 64, hi + 4_096, hi + (1 << 42), lo - (1 << 42)] {
                let mut trace = stage.case.trace.clone();
                for v in &mut trace.values {
                    v[2] = value;
                }
                let Some(columns) = stage.fill(&trace, Misfit::Ignore) else { continue };
                if !stage.computable(&columns) {
                    continue;
                }
                Tally::add(&tally.attempts);
                assert!(!stage.accepts(&columns), "{}: {value}", stage.case.name);
                Tally::add(&tally.refused);
            }
        }
    }
    tally.report("an end of a range");
}

/// Bounds that differ from element to element: each element keeps its own.
#[test]
fn bounds_by_element() {
    use tacit_relations::testing::builder::{Builder, padded};
    use tacit_relations::{Axis, View};
    let bounds = [(-5, 5), (0, 100), (7, 7), (-64, -60), (-1, 0)];
    let mut b = Builder::new("bounds by element", 7);
    let x = b.input_of(&[2, 5], 8, vec![5, 0, 7, -60, -1, -5, 100, 7, -64, 0]);
    for (i, (lo, hi)) in bounds.into_iter().enumerate() {
        b.range(View { tensor: x, offset: i, axes: vec![Axis::plain(2, 5), Axis::plain(1, 1)] }, lo, hi);
    }
    // Twice bounded, the second time through padding.
    b.range(View { tensor: x, offset: 1, axes: vec![padded(3, 5, 1, 2)] }, -9, 100);
    let stage = Stage::new(b.finish());
    assert!(stage.accepts(&stage.columns));
    let tally = Tally::default();
    for at in 0..10 {
        let (lo, hi) = bounds[at % 5];
        for value in [lo - 1, hi + 1, lo + 128, hi - 128, lo - 64] {
            if (lo..=hi).contains(&value) {
                continue;
            }
            let mut trace = stage.case.trace.clone();
            trace.values[0][at] = value;
            let columns = stage.fill(&trace, Misfit::Ignore).expect("small values");
            Tally::add(&tally.attempts);
            assert!(!stage.accepts(&columns), "{value} at {at}");
            Tally::add(&tally.refused);
        }
    }
    tally.report("bounds by element");
}

/// A multiplicity off by one, two that cancel, and the rows that repeat a table's last.
#[test]
fn multiplicities() {
    let tally = Tally::default();
    for case in
        [tacit_relations::testing::selections::table(), tacit_relations::testing::corners::odd_sizes()]
    {
        let stage = Stage::new(case);
        let kinds: BTreeMap<usize, usize> = stage
            .plan
            .columns
            .iter()
            .enumerate()
            .filter_map(
                |(i, c)| if let Fill::Multiplicities { table } = c.fill { Some((table, i)) } else { None },
            )
            .collect();
        for (&table, &column) in &kinds {
            let rows = stage.columns[column].len();
            let spec = &stage.plan.tables[table];
            for (plus, minus) in
                [(0, None), (rows - 1, None), (0, Some(rows - 1)), (rows - 1, Some(rows / 2))]
            {
                let mut columns = stage.columns.clone();
                columns[column][plus] += 1;
                if let Some(minus) = minus {
                    columns[column][minus] -= 1;
                }
                // Rows that repeat the last one may share its count.
                let same = minus.is_some_and(|m| spec.key(m) == spec.key(plus));
                Tally::add(&tally.attempts);
                assert_eq!(stage.accepts(&columns), same, "{}: rows {plus}, {minus:?}", stage.case.name);
                Tally::add(if same { &tally.harmless } else { &tally.refused });
            }
        }
        // One table's count moved to another's row.
        if let (Some(&a), Some(&b)) = (kinds.get(&0), kinds.get(&1)) {
            let mut columns = stage.columns.clone();
            columns[a][0] += 1;
            columns[b][0] -= 1;
            Tally::add(&tally.attempts);
            assert!(!stage.accepts(&columns));
            Tally::add(&tally.refused);
        }
    }
    tally.report("multiplicities");
}
