//! Columns made by hand: other decompositions, other selectors, rows of other tables.

use std::sync::Arc;

use halo2curves::ff::Field as _;
use tacit_model::testing::SplitMix;
use tacit_relations::testing::builder::Builder;
use tacit_relations::{Segment, TensorId};

use super::{Public, Stage};
use crate::group::F;
use crate::plan::{Fill, LookupTable, Part, Quantity};
use crate::transcript::Oracle;

/// The column that holds a part of the only requantisation; `None` where the plan needs none.
fn part(stage: &Stage, wanted: Part) -> Option<usize> {
    let of = |fill: &Fill| match fill {
        Fill::Digit { quantity, .. } => {
            matches!(&stage.plan.quantities[*quantity], Quantity::Requant { part, .. } if *part == wanted)
        }
        _ => false,
    };
    let columns = stage.columns_of(of);
    assert!(columns.len() < 2, "one digit is enough for these values");
    columns.first().copied()
}

/// A requantisation of inputs on all sides of every boundary, its result in this segment.
fn requant(shift: u8, lo: i64, hi: i64, segment: Segment) -> Stage {
    let mut b = Builder::new(format!("requant by {shift} to {lo}..={hi} in {segment:?}"), 50);
    let step = 1i64 << shift;
    let mut values: Vec<i64> = (lo - 4..=hi + 4).flat_map(|v| [v * step - step / 2, v * step]).collect();
    values.extend([(hi + 3) * step + step / 2 - 1, (lo - 3) * step - step / 2]);
    let width = values.iter().map(|v| tacit_model::signed_width(*v, *v)).max().unwrap_or(1);
    let x = b.input_of(&[values.len()], width, values);
    let x = b.all(x);
    b.to(segment).requant(x, shift, lo, hi);
    Stage::new(b.finish())
}

/// For every operand exactly one result, distance, remainder satisfies: those of the definition. Searched in
/// full around the honest ones, the remainder solved for. Exempt: where `lo == hi` the result is a constant
/// and its distance may be split in more than one way between above and below.
#[test]
fn requantisation_is_unique() {
    let (mut tried, mut proofs) = (0, 0);
    for (shift, lo, hi) in [(0, -2, 2), (1, -4, 2), (2, 0, 4), (3, -3, -1), (2, 5, 5), (0, 0, 0)] {
        for segment in [Segment::Witness, Segment::Output, Segment::Public] {
            let mut stage = requant(shift, lo, hi, segment);
            let mut rng = SplitMix(51);
            let id = stage.case.system.relations()[0].result().expect("it has one");
            let x = stage.case.trace.values[0].clone();
            let honest = stage.case.trace.tensor(id).to_vec();
            let half = 1i64 << shift >> 1;
            let [above, below, rest] = [Part::Above, Part::Below, Part::Remainder].map(|p| part(&stage, p));
            let result = match segment {
                Segment::Witness => part(&stage, Part::Result),
                Segment::Output => Some(stage.columns_of(|f| matches!(f, Fill::Tensor(t) if *t == id))[0]),
                _ => None,
            };
            // A digit counts from `lo`, a committed result from zero.
            let base = if segment == Segment::Witness { lo } else { 0 };
            let window = |column: Option<usize>| if column.is_some() { -1..=6 } else { 0..=0 };
            for (i, x) in x.iter().enumerate() {
                for y in lo - 3..=hi + 3 {
                    if result.is_none() && !(lo..=hi).contains(&y) || result.is_none() && lo == hi && y != lo
                    {
                        continue;
                    }
                    let mut public = Public::new();
                    if segment == Segment::Public {
                        let mut values = honest.clone();
                        values[i] = y;
                        public.insert(id, values);
                        stage.claim(public);
                    }
                    for a in window(above) {
                        for b in window(below) {
                            let r = x + half - ((y + a - b) << shift);
                            if rest.is_none() && r != 0 {
                                continue;
                            }
                            let mut columns = stage.columns.clone();
                            let parts = [(result, y - base), (above, a), (below, b), (rest, r)];
                            for (column, value) in parts {
                                if let Some(column) = column {
                                    columns[column][i] = value;
                                }
                            }
                            stage.recount(&mut columns);
                            tried += 1;
                            let satisfied = stage.satisfied(&columns);
                            if satisfied {
                                assert_eq!(y, honest[i], "{}: {x} to {y}", stage.case.name);
                                // Where there is but one result, how the distance splits is free.
                                let same = lo == hi || columns == stage.columns;
                                assert!(same, "{}: two witnesses for {x}", stage.case.name);
                            }
                            if rng.range(0, 1_000) == 0 {
                                proofs += 1;
                                let name = &stage.case.name;
                                assert_eq!(
                                    stage.accepts(&columns),
                                    satisfied,
                                    "{name}: {x}: {y} {a} {b} {r}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }
    println!("requantisation: {tried} decompositions searched, {proofs} of them proved");
}

/// The block, the flags and the low part of the only requantisation by blocks.
struct BlockColumns {
    bits: u8,
    first: i64,
    low: usize,
    block: usize,
    within: usize,
    beyond: Option<usize>,
}

fn block_columns(stage: &Stage) -> BlockColumns {
    let known = stage.plan.quantities.iter().find_map(|quantity| match quantity {
        Quantity::Requant { part: Part::Block { bits, first }, .. } => Some((*bits, *first)),
        _ => None,
    });
    let (bits, first) = known.expect("results are a power of two and some values lie beyond them");
    let column = |wanted| part(stage, wanted).expect("a column");
    BlockColumns {
        bits,
        first,
        low: column(Part::Low { bits }),
        block: column(Part::Block { bits, first }),
        within: column(Part::Within { bits }),
        beyond: part(stage, Part::Beyond { bits }),
    }
}

/// The same where results are a power of two: for every operand exactly one low part, block, pair of flags, result and remainder.
#[test]
fn requantisation_by_blocks_is_unique() {
    let (mut tried, mut proofs) = (0, 0);
    for (shift, lo, hi) in [(1, -4, 3), (3, -2, 5), (0, 0, 1)] {
        for segment in [Segment::Witness, Segment::Output, Segment::Public] {
            let mut stage = requant(shift, lo, hi, segment);
            let mut rng = SplitMix(52);
            let id = stage.case.system.relations()[0].result().expect("it has one");
            let operands = stage.case.trace.values[0].clone();
            let honest = stage.case.trace.tensor(id).to_vec();
            let (half, step) = (1i64 << shift >> 1, 1i64 << shift);
            let BlockColumns { bits, first, low, block, within, beyond } = block_columns(&stage);
            let rest = part(&stage, Part::Remainder);
            let result = stage.columns_of(|f| matches!(f, Fill::Tensor(t) if *t == id)).first().copied();
            for (i, x) in operands.iter().enumerate() {
                let true_block = (x + half - (lo << shift)) >> shift >> bits;
                let values = (lo - 1..=hi + 1).flat_map(|y| (-1..=1 << bits).map(move |l| (y, l)));
                for (y, l) in values {
                    if segment == Segment::Public {
                        let mut values = honest.clone();
                        values[i] = y;
                        if !(lo..=hi).contains(&y) {
                            continue;
                        }
                        stage.claim(Public::from([(id, values)]));
                    }
                    for b in true_block - 1..=true_block + 1 {
                        let r = x + half - ((lo + l + (b << bits)) << shift);
                        // One step out of its range at either end stands for all beyond.
                        if !(-1..=step).contains(&r) || rest.is_none() && r != 0 {
                            continue;
                        }
                        for flags in 0..16 {
                            let (w, above) = (flags % 4 - 1, flags / 4 - 1);
                            let mut columns = stage.columns.clone();
                            let parts = [
                                (result, y),
                                (Some(low), l),
                                (Some(block), b - first),
                                (Some(within), w),
                                (beyond, above),
                                (rest, r),
                            ];
                            for (column, value) in parts {
                                if let Some(column) = column {
                                    columns[column][i] = value;
                                }
                            }
                            stage.recount(&mut columns);
                            tried += 1;
                            let satisfied = stage.satisfied(&columns);
                            if satisfied {
                                assert_eq!(y, honest[i], "{}: {x} to {y}", stage.case.name);
                                assert_eq!(columns, stage.columns, "{}: two for {x}", stage.case.name);
                            }
                            if rng.range(0, 1_500) == 0 {
                                proofs += 1;
                                let what = format!("{}: {x}: {y} {l} {b} {w} {above}", stage.case.name);
                                assert_eq!(stage.accepts(&columns), satisfied, "{what}");
                            }
                        }
                    }
                }
            }
        }
    }
    println!("requantisation by blocks: {tried} decompositions searched, {proofs} of them proved");
}

/// Named lies about one requantised value, each satisfying every equation but one.
#[test]
fn requantisation_lies() {
    let stage = requant(3, -8, 6, Segment::Witness);
    let [result, above, below, rest] =
        [Part::Result, Part::Above, Part::Below, Part::Remainder].map(|p| part(&stage, p).expect("a column"));
    // 4·8 + 4 = 36: rounds to 4; the highest ones round to 10, the lowest to -12.
    let x = &stage.case.trace.values[0];
    let at = |v: i64| x.iter().position(|x| *x == v).expect("it is there");
    let lies: [(&str, usize, [i64; 4]); 8] = [
        ("off by one, remainder below zero", at(32), [13, 0, 0, -4]),
        ("off by one, remainder too large", at(32), [11, 0, 0, 12]),
        ("saturated above without reason", at(32), [14, 0, 2, 4]),
        ("saturated below without reason", at(32), [0, 12, 0, 4]),
        ("not saturated above", at(80), [18, 0, 0, 4]),
        ("the other end", at(80), [0, 18, 0, 4]),
        ("both distances", at(80), [14, 5, 1, 4]),
        ("a negative distance", at(32), [13, -1, 0, 4]),
    ];
    for (what, i, [y, a, b, r]) in lies {
        assert_eq!(x[i] + 4, 8 * (y - 8 + a - b) + r, "{what}: the sum holds");
        let mut columns = stage.columns.clone();
        for (column, value) in [(result, y), (above, a), (below, b), (rest, r)] {
            columns[column][i] = value;
        }
        stage.recount(&mut columns);
        assert!(!stage.satisfied(&columns) && !stage.accepts(&columns), "{what}");
    }
    assert!(stage.accepts(&stage.columns));
}

/// The same by blocks.
#[test]
fn requantisation_lies_by_blocks() {
    let stage = requant(3, -8, 7, Segment::Witness);
    let BlockColumns { bits, first, low, block, within, beyond } = block_columns(&stage);
    let (beyond, rest) = (beyond.expect("some are above"), part(&stage, Part::Remainder).expect("a column"));
    let result = stage.columns_of(|f| matches!(f, Fill::Tensor(TensorId(1))))[0];
    assert_eq!((bits, first), (4, -1));
    let x = &stage.case.trace.values[0];
    let at = |v: i64| x.iter().position(|x| *x == v).expect("it is there");
    // Result, low part, block, within, beyond, remainder: 36 rounds to 4, 92 to 11, -92 to -12 (or so).
    let lies: [(&str, usize, [i64; 6]); 9] = [
        ("another result", at(32), [5, 12, 0, 1, 0, 4]),
        ("off by one, remainder below zero", at(32), [5, 13, 0, 1, 0, -4]),
        ("a low part beyond its block", at(32), [7, 28, -1, 0, 1, 4]),
        ("saturated above without reason", at(32), [7, 12, 0, 0, 1, 4]),
        ("saturated below without reason", at(32), [-8, 12, 0, 0, 0, 4]),
        ("not saturated above", at(88), [-5, 3, 1, 1, 0, 4]),
        ("the other end", at(88), [-8, 3, 1, 0, 0, 4]),
        ("flags that cancel", at(88), [7, 3, 1, 5, 0, 4]),
        ("a block made up for by the low part", at(88), [11, 19, 0, 1, 0, 4]),
    ];
    for (what, i, [y, l, b, w, a, r]) in lies {
        assert_eq!(x[i] + 4, 8 * (l - 8 + 16 * b) + r, "{what}: the sum holds");
        let mut columns = stage.columns.clone();
        let parts = [(result, y), (low, l), (block, b - first), (within, w), (beyond, a), (rest, r)];
        for (column, value) in parts {
            columns[column][i] = value;
        }
        stage.recount(&mut columns);
        assert!(!stage.satisfied(&columns) && !stage.accepts(&columns), "{what}");
    }
    assert!(stage.accepts(&stage.columns));
}

/// Every vector over `from`, of this length.
fn vectors(from: &[i64], len: usize) -> Vec<Vec<i64>> {
    (0..len).fold(vec![Vec::new()], |all, _| {
        all.iter().flat_map(|v| from.iter().map(|x| [&v[..], &[*x]].concat())).collect()
    })
}

/// All columns of a quantity of this kind.
fn quantity(stage: &Stage, wanted: impl Fn(&Quantity) -> bool) -> usize {
    stage.columns_of(
        |f| matches!(f, Fill::Digit { quantity, .. } if wanted(&stage.plan.quantities[*quantity])),
    )[0]
}

/// Whatever selector, later ones and maximum a prover commits to, only the first of the largest can be
/// selected: ties at every place, selectors that are no bits, that select none or two.
#[test]
fn arg_max_selects_the_first_of_the_largest() {
    let (mut tried, mut satisfied) = (0, 0);
    for x in [[5, 5, 3], [5, 5, 5], [3, 5, 5], [5, 3, 5], [-1, -2, -1], [0, 0, 0], [1, 2, 3]] {
        let mut b = Builder::new(format!("arg max of {x:?}"), 60);
        let input = b.input_of(&[3], 5, x.to_vec());
        let input = b.all(input);
        b.to(Segment::Output).arg_max(input);
        let stage = Stage::new(b.finish());
        let selector = stage.columns_of(|f| matches!(f, Fill::Tensor(TensorId(1))))[0];
        let maximum = quantity(&stage, |q| matches!(q, Quantity::Maximum { .. }));
        let later = quantity(&stage, |q| matches!(q, Quantity::Later { .. }));
        for selected in vectors(&[-1, 0, 1, 2], 3) {
            for after in vectors(&[0, 1], 3) {
                let scores = [-2, -1, 0, 1, 2, 3, 4, 5, 6];
                for score in scores.into_iter().chain([x.iter().zip(&selected).map(|(x, s)| x * s).sum()]) {
                    let mut columns = stage.columns.clone();
                    columns[selector].clone_from(&selected);
                    columns[later].clone_from(&after);
                    columns[maximum] = vec![score];
                    stage.recount(&mut columns);
                    tried += 1;
                    if stage.satisfied(&columns) {
                        satisfied += 1;
                        assert_eq!(columns, stage.columns, "{}", stage.case.name);
                    }
                }
            }
        }
        assert!(stage.accepts(&stage.columns));
        // The same selectors by whole proofs, with what follows from each.
        for selected in [[0, 1, 0], [0, 0, 1], [1, 1, -1], [1, 1, 0], [0, 0, 0], [2, -1, 0], [0, 2, -1]] {
            let mut columns = stage.columns.clone();
            columns[selector] = selected.to_vec();
            columns[later] = (0..3).map(|j| selected[j + 1..].iter().sum()).collect();
            columns[maximum] = vec![x.iter().zip(selected).map(|(x, s)| x * s).sum()];
            stage.recount(&mut columns);
            assert_eq!(
                stage.accepts(&columns),
                columns == stage.columns,
                "{}: {selected:?}",
                stage.case.name
            );
        }
    }
    println!("arg max: {tried} witnesses searched, {satisfied} hold, all honest");
}

/// Whatever the selector, only the largest candidate is the maximum; among equal ones the selector is free.
#[test]
fn max_is_a_candidate_and_no_less_than_any() {
    let (mut tried, mut satisfied) = (0, 0);
    for x in [[5, 5, 3], [5, 5, 5], [3, 5, 4], [-1, -2, -3], [0, 0, 0]] {
        let mut b = Builder::new(format!("max of {x:?}"), 61);
        let input = b.input_of(&[3], 5, x.to_vec());
        let input = b.all(input);
        b.to(Segment::Output).max(input);
        let stage = Stage::new(b.finish());
        let result = stage.columns_of(|f| matches!(f, Fill::Tensor(TensorId(1))))[0];
        let selector = quantity(&stage, |q| matches!(q, Quantity::Selector { .. }));
        for selected in vectors(&[-1, 0, 1, 2], 3) {
            for y in -8..=12 {
                let mut columns = stage.columns.clone();
                columns[selector].clone_from(&selected);
                columns[result] = vec![y];
                stage.recount(&mut columns);
                tried += 1;
                let holds = stage.satisfied(&columns);
                satisfied += usize::from(holds);
                assert!(!holds || Some(&y) == x.iter().max(), "{}: {y}", stage.case.name);
                if selected.iter().sum::<i64>() == 1 && [4, 5, 6, 10, 13].contains(&y) {
                    assert_eq!(stage.accepts(&columns), holds, "{}: {y}, {selected:?}", stage.case.name);
                }
            }
        }
    }
    println!("max: {tried} witnesses searched, {satisfied} hold, all of the largest");
}

/// A stage with two functions of the same keys beside the range table, results committed.
fn two_tables() -> Stage {
    let mut b = Builder::new("two tables", 62);
    let x = b.input_of(&[4], 3, vec![0, 1, 2, 3]);
    let x = b.all(x);
    b.to(Segment::Output).table(x.clone(), 0, &[7, 5, 3, 1]);
    b.to(Segment::Output).table(x, 0, &[2, 4, 6, 0]);
    Stage::new(b.finish())
}

/// A tuple of one table does not serve where another is asked, whichever table's multiplicities say that it
/// was looked up.
#[test]
fn tuples_keep_to_their_table() {
    let stage = two_tables();
    assert!(stage.accepts(&stage.columns));
    let output = |t: u32| stage.columns_of(|f| matches!(f, Fill::Tensor(id) if id.0 == t))[0];
    let counts: Vec<usize> = (0..3)
        .map(|t| stage.columns_of(|f| matches!(f, Fill::Multiplicities { table } if *table == t))[0])
        .collect();
    let function = |t: usize| match &stage.plan.tables[t] {
        LookupTable::Function { values } => Arc::clone(&values[0]),
        LookupTable::Range { .. } => panic!("the last table is the only range"),
    };
    assert_eq!((&function(0)[..], &function(1)[..]), (&[7, 5, 3, 1][..], &[2, 4, 6, 0][..]));
    for key in 0..4 {
        // The first function's result from: the second, the range table (no value), another key, nowhere.
        let other = (key + 1) % 4;
        for (value, from) in [
            (function(1)[key], Some((1, key))),
            (0, Some((2, key))),
            (function(0)[other], Some((0, other))),
            (1_000, None),
        ] {
            let mut columns = stage.columns.clone();
            columns[output(1)][key] = value;
            stage.recount(&mut columns);
            if let Some((table, row)) = from {
                columns[counts[table]][row] += 1;
            }
            assert!(
                !stage.satisfied(&columns) && !stage.accepts(&columns),
                "key {key}, value {value}, {from:?}"
            );
        }
    }
}

/// The same attacks succeed where the row challenge is known to be zero: it is what keeps tuples together and
/// tables apart.
#[test]
fn tuples_are_kept_by_their_challenge() {
    let stage = two_tables();
    let output = stage.columns_of(|f| matches!(f, Fill::Tensor(TensorId(1))))[0];
    let count = stage.columns_of(|f| matches!(f, Fill::Multiplicities { table: 1 }))[0];
    let mut columns = stage.columns.clone();
    columns[output][1] = 4;
    stage.recount(&mut columns);
    columns[count][1] += 1;
    let known: Oracle = Arc::new(|label, _| (label == "row").then_some(F::ZERO));
    // Keys agree, values are what they like.
    assert!(stage.accepts_under(&columns, Some(known)));
    assert!(!stage.accepts_under(&columns, None));
}

/// A value off the range table with multiplicities chosen for a known `α`: `1/(α − 99) = 50/(α − 50)` at `α =
/// 100`. It succeeds only where `α` is known before multiplicities are committed.
#[test]
fn multiplicities_come_before_their_challenge() {
    let mut b = Builder::new("range of 64 values", 63);
    let x = b.input_of(&[2], 12, vec![7, 63]);
    let x = b.all(x);
    b.range(x, 0, 63);
    let mut stage = Stage::new(b.finish());
    assert!(matches!(stage.plan.tables[..], [LookupTable::Range { bits: 6 }]));
    let count = stage.columns_of(|f| matches!(f, Fill::Multiplicities { .. }))[0];
    stage.columns[0][1] = 99;
    let mut columns = stage.columns.clone();
    stage.recount(&mut columns);
    assert!(!stage.accepts_under(&columns, None));
    columns[count][50] += 50;
    let known: Oracle = Arc::new(|label, _| (label == "lookup").then_some(F::from(100)));
    assert!(stage.accepts_under(&columns, Some(known)));
    assert!(!stage.accepts_under(&columns, None));
}
