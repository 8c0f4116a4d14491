//! Random relation systems and models, by seed.

use tacit_model::Model;
use tacit_model::testing::{mlp, network as model_network, record};

use super::Case;
use super::builder::{Builder, signed};
use crate::lower::{Inference, Visibility, lower_inference};
use crate::system::{Segment, TensorId};
use crate::trace::Assignment;
use crate::view::{Axis, View};

/// Kinds of relation that not every engine proves. Every random system may use the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    /// [`crate::Relation::Table`].
    Table,
    /// [`crate::Relation::Max`].
    Max,
    /// [`crate::Relation::ArgMax`].
    ArgMax,
}

impl Extra {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Table, Self::Max, Self::ArgMax];
}

/// Magnitudes that may still be multiplied.
const SMALL: i64 = 1 << 20;

/// A perceptron's inference: layer sizes, widths, samples and what is hidden all vary.
///
/// # Panics
/// When the trace disagrees with the model's evaluator.
#[must_use]
pub fn perceptron(sizes: &[usize], weight_bits: u8, activation_bits: u8, samples: usize, seed: u64) -> Case {
    let model = mlp(sizes, weight_bits, activation_bits, seed);
    inference(format!("perceptron {sizes:?}, {weight_bits} bits, seed {seed}"), &model, samples, seed)
}

/// An inference of [`tacit_model::testing::network`], what is hidden varies.
///
/// # Panics
/// When the trace disagrees with the model's evaluator.
#[must_use]
pub fn network(steps: usize, samples: usize, seed: u64) -> Case {
    inference(format!("network of {steps} steps, seed {seed}"), &model_network(seed, steps), samples, seed)
}

/// An inference of a model on random records.
///
/// # Panics
/// When the trace disagrees with the model's evaluator.
#[must_use]
pub fn inference(name: String, model: &Model, samples: usize, seed: u64) -> Case {
    let hidden = |bit: u64| if seed >> bit & 1 == 0 { Visibility::Hidden } else { Visibility::Public };
    let claim = Inference { samples, input: hidden(0), output: hidden(1) };
    let system = lower_inference(model.architecture(), claim).expect("generated models can be lowered");
    let records: Vec<i64> =
        (0..samples as u64).flat_map(|i| record(model.architecture(), seed ^ i)).collect();
    let weights = model.weights().tensors().to_vec();
    let mut given = Assignment { weights, input: Vec::new(), public: Vec::new() };
    match claim.input {
        Visibility::Hidden => given.input.push(records.clone()),
        Visibility::Public => given.public.push(records.clone()),
    }
    let case = Case::new(name, system, given);
    let output = case.system.relations().last().and_then(|r| r.result()).expect("a model has an output");
    let features = records.len() / samples;
    let expected: Vec<i64> = records
        .chunks(features)
        .flat_map(|r| model.run(r).expect("records are in range").output().to_vec())
        .collect();
    assert_eq!(case.trace.tensor(output), &expected[..], "{}: the evaluator disagrees", case.name);
    case
}

/// A system of random relations over random views, some of `extras` among them. Lengths are a handful times `size`;
/// neither they nor anything else drawn for a seed depends on an extra that is not asked for.
#[must_use]
pub fn system(seed: u64, size: usize, extras: &[Extra]) -> Case {
    let scale = size as i64;
    let mut b = Builder::new(format!("random system {seed}"), seed);
    let mut pool = Vec::new();
    for _ in 0..b.rng.range(1, 2) {
        let (len, width) = (b.rng.range(1, 5 * scale) as usize, b.rng.range(2, 10) as u8);
        pool.push(b.input(&[len], width));
        let (len, width) = (b.rng.range(1, 4 * scale) as usize, b.rng.range(1, 12) as u8);
        pool.push(b.weights(&[len], width));
    }
    if b.rng.range(0, 1) == 1 {
        let len = b.rng.range(1, 3 * scale) as usize;
        let values = b.values(len, (-40, 40));
        pool.push(b.constant(&[len], values));
        let (len, (lo, hi)) =
            (b.rng.range(1, 3 * scale) as usize, (b.rng.range(-50, 9), b.rng.range(10, 60)));
        pool.push(b.public(&[len], (lo, hi)));
    }
    let mut matrices = Vec::new();
    for _ in 0..b.rng.range(1, 3 + scale) {
        let segment = match b.rng.range(0, 5) {
            0 | 1 => Segment::Public,
            2 => Segment::Output,
            _ => Segment::Witness,
        };
        let y = match b.rng.range(0, 6 + 2 * extras.len() as i64) {
            0..=2 => contraction(&mut b, &pool, &mut matrices, segment, scale),
            3 => affine(&mut b, &pool, segment, scale),
            4 => product(&mut b, &pool, segment, scale),
            5 | 6 => requant(&mut b, &pool, segment, scale),
            other => match extras[other as usize % extras.len()] {
                Extra::Table => table(&mut b, &pool, segment, scale),
                Extra::Max => {
                    let x = groups(&mut b, &pool, scale);
                    b.to(segment).max(x)
                }
                Extra::ArgMax => {
                    let x = groups(&mut b, &pool, scale);
                    b.to(segment).arg_max(x)
                }
            },
        };
        pool.push(y);
        if b.rng.range(0, 2) == 0 {
            let x = *pick(&mut b, &pool);
            let (lo, hi) = b.tensors[x.0 as usize].bounds;
            let shown = [b.rng.range(1, 3 * scale) as usize];
            let x = view(&mut b, x, &shown);
            b.range(x, lo.min(0), hi.max(0));
        }
    }
    b.finish()
}

fn pick<'a, T>(b: &mut Builder, from: &'a [T]) -> &'a T {
    &from[b.rng.range(0, from.len() as i64 - 1) as usize]
}

/// A tensor small enough to be multiplied; requantised where the one picked is not.
fn factor(b: &mut Builder, pool: &[TensorId]) -> TensorId {
    let id = *pick(b, pool);
    let (lo, hi) = b.tensors[id.0 as usize].bounds;
    if lo > -SMALL && hi < SMALL {
        return id;
    }
    let whole = b.all(id);
    let shift = b.rng.range(4, 12) as u8;
    b.requant(whole, shift, -256, 255)
}

/// A random view of these axes: strides, zeros and repetitions as they come.
fn view(b: &mut Builder, tensor: TensorId, lens: &[usize]) -> View {
    let mut room = b.tensors[tensor.0 as usize].len() - 1;
    let axes = lens
        .iter()
        .map(|&len| {
            let padded = b.rng.range(0, 4) == 0;
            let valid = if padded { b.rng.range(1, len as i64) as usize } else { len };
            let before = b.rng.range(0, (len - valid) as i64) as usize;
            let most = if valid > 1 { room / (valid - 1) } else { 2 };
            let stride = b.rng.range(0, most.min(3) as i64) as usize;
            room -= (valid - 1) * stride;
            Axis { len, stride, before, valid }
        })
        .collect();
    let offset = b.rng.range(0, room as i64) as usize;
    View { tensor, offset, axes }
}

fn contraction(
    b: &mut Builder,
    pool: &[TensorId],
    matrices: &mut Vec<(TensorId, usize, usize)>,
    to: Segment,
    scale: i64,
) -> TensorId {
    let mut up_to = |most: i64| b.rng.range(1, most * scale) as usize;
    let (m, k, n) = (up_to(2), up_to(3), up_to(3));
    // Half the time against a whole matrix, new or used before.
    let matrix = (b.rng.range(0, 1) == 0).then(|| {
        if !matrices.is_empty() && b.rng.range(0, 1) == 0 {
            let (id, k, n) = *pick(b, matrices);
            // Sometimes under another shape.
            return if b.rng.range(0, 2) == 0 { (id, n, k) } else { (id, k, n) };
        }
        let width = b.rng.range(2, 16) as u8;
        let new = (b.weights(&[k, n], width), k, n);
        matrices.push(new);
        new
    });
    let (batches, k, n) = matrix.map_or((b.rng.range(1, 2) as usize, k, n), |(_, k, n)| (1, k, n));
    let left = factor(b, pool);
    let a = view(b, left, &[batches, m, k]);
    let c = match matrix {
        Some((id, k, n)) => b.shaped(id, &[1, k, n]),
        None => {
            let right = factor(b, pool);
            view(b, right, &[batches, k, n])
        }
    };
    let bias = (b.rng.range(0, 1) == 0).then(|| {
        let id = match matrix {
            Some((id, ..)) if b.rng.range(0, 5) == 0 => id,
            _ => factor(b, pool),
        };
        view(b, id, &[batches, m, n])
    });
    b.to(to).contraction(a, c, bias)
}

fn affine(b: &mut Builder, pool: &[TensorId], to: Segment, scale: i64) -> TensorId {
    let len = [b.rng.range(1, 4 * scale) as usize];
    let terms = (0..b.rng.range(1, 4))
        .map(|_| {
            let id = factor(b, pool);
            let coefficient = if b.rng.range(0, 2) == 0 { 1 } else { b.rng.range(-9, 9) };
            (coefficient, view(b, id, &len))
        })
        .collect();
    let offset = if b.rng.range(0, 1) == 0 { 0 } else { b.rng.range(-99, 99) };
    b.to(to).affine(terms, offset)
}

fn product(b: &mut Builder, pool: &[TensorId], to: Segment, scale: i64) -> TensorId {
    let len = [b.rng.range(1, 4 * scale) as usize];
    let (left, right) = (factor(b, pool), factor(b, pool));
    let (a, c) = (view(b, left, &len), view(b, right, &len));
    b.to(to).product(a, c)
}

fn requant(b: &mut Builder, pool: &[TensorId], to: Segment, scale: i64) -> TensorId {
    let id = *pick(b, pool);
    let x = if b.rng.range(0, 1) == 0 {
        b.all(id)
    } else {
        let len = [b.rng.range(1, 4 * scale) as usize];
        view(b, id, &len)
    };
    let shift = b.rng.range(0, 20) as u8;
    let (lo, hi) = match b.rng.range(0, 3) {
        0 => signed(b.rng.range(2, 9) as u8),
        1 => (0, (1 << b.rng.range(0, 8)) - 1),
        2 => (b.rng.range(-99, 0), b.rng.range(1, 99)),
        _ => (7, 7),
    };
    b.to(to).requant(x, shift, lo, hi)
}

/// A random table over what a requantisation leaves.
fn table(b: &mut Builder, pool: &[TensorId], to: Segment, scale: i64) -> TensorId {
    let id = *pick(b, pool);
    let whole = b.all(id);
    let (shift, lo, hi) = (b.rng.range(0, 8) as u8, b.rng.range(-9, 0), b.rng.range(0, 20));
    let x = b.requant(whole, shift, lo, hi);
    let len = [b.rng.range(1, 4 * scale) as usize];
    let x = view(b, x, &len);
    // Padding shows zero, which is in the domain as well.
    let (first, end) = (lo - b.rng.range(0, 2), hi + b.rng.range(1, 3));
    let values = b.values((end - first) as usize, (-700, 900));
    b.to(to).table(x, first, &values)
}

/// A view of some groups of elements, among which are equal ones more often than not.
fn groups(b: &mut Builder, pool: &[TensorId], scale: i64) -> View {
    let id = *pick(b, pool);
    let lens = [b.rng.range(1, 2 * scale) as usize, b.rng.range(1, 4 * scale) as usize];
    view(b, id, &lens)
}
