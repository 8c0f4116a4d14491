//! Small models for tests of every crate. Deterministic by seed; no proving code, no randomness source.

use crate::architecture::{Architecture, Node, NodeId, OutputScale, ParamId, ParamSpec};
use crate::file::Model;
use crate::operator::{Normalise, Op, Operand};
use crate::schema::{Class, Feature, Schema};

pub mod vision;

/// A tiny deterministic generator (SplitMix64), for tests only.
#[derive(Debug, Clone)]
pub struct SplitMix(pub u64);

impl SplitMix {
    /// Next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform-enough integer in `[lo, hi]`.
    pub fn range(&mut self, lo: i64, hi: i64) -> i64 {
        let span = (i128::from(hi) - i128::from(lo) + 1) as u128;
        (i128::from(lo) + (u128::from(self.next_u64()) % span) as i128) as i64
    }
}

/// A schema of `n` features with different decimals and ranges, and `classes` classes.
#[must_use]
pub fn schema(n: usize, classes: usize) -> Schema {
    let features = (0..n)
        .map(|i| Feature {
            name: format!("x{i}"),
            decimals: (i % 4) as u8,
            min: -100 - 10 * i as i64,
            max: 900 + 37 * i as i64,
            unit: None,
            code: None,
            system: None,
        })
        .collect();
    let classes = (0..classes).map(|i| Class { name: format!("class {i}") }).collect();
    Schema::new(features, classes).expect("generated names are unique and ranges are not empty")
}

/// A multilayer perceptron with the given layer sizes, 8-bit weights and `activation_bits`-bit activations.
#[must_use]
pub fn mlp(sizes: &[usize], weight_bits: u8, activation_bits: u8, seed: u64) -> Model {
    let mut rng = SplitMix(seed);
    let top = (1i64 << (activation_bits - 1)) - 1;
    let mut nodes = vec![Node {
        op: Op::Normalise {
            x: NodeId(0),
            rule: Normalise {
                multipliers: (0..sizes[0]).map(|_| rng.range(1, 1 << 12)).collect(),
                shift: 10,
                lo: -top - 1,
                hi: top,
            },
        },
    }];
    let mut params = Vec::new();
    let mut tensors = Vec::new();
    let bias_bits = weight_bits + activation_bits;
    for (i, pair) in sizes.windows(2).enumerate() {
        let last = i + 2 == sizes.len();
        let weight = ParamId(params.len() as u32);
        for (shape, width) in [(vec![pair[0], pair[1]], weight_bits), (vec![pair[1]], bias_bits)] {
            let spec = ParamSpec { shape, width };
            let b = spec.bounds();
            tensors.push((0..spec.len()).map(|_| rng.range(b.lo, b.hi)).collect());
            params.push(spec);
        }
        let x = NodeId(nodes.len() as u32);
        nodes.push(Node { op: Op::MatMul { x, weight, bias: Some(ParamId(weight.0 + 1)) } });
        nodes.push(Node {
            op: Op::Requant {
                x: NodeId(nodes.len() as u32),
                shift: weight_bits,
                lo: if last { -top - 1 } else { 0 },
                hi: top,
            },
        });
    }
    let classes = sizes.last().copied().filter(|&n| n > 1).unwrap_or(2);
    let architecture = Architecture {
        schema: schema(sizes[0], classes),
        input_shape: vec![sizes[0]],
        params,
        nodes,
        output_exponent: 8,
        output_scale: OutputScale::Plain,
    };
    Model::new(architecture, tensors).expect("generated models are well-formed")
}

/// A network of random operators over a small image, at most `steps` of them: convolutions, windows and everything else that
/// the format has. Values stay small; the last operator is a requantisation.
///
/// # Panics
/// Never: what does not fit is drawn again.
#[must_use]
pub fn network(seed: u64, steps: usize) -> Model {
    let mut rng = SplitMix(seed);
    let rank = rng.range(1, 2) as usize;
    let input_shape: Vec<usize> = std::iter::once(rng.range(1, 3) as usize)
        .chain((0..rank).map(|_| rng.range(3, 7) as usize))
        .collect();
    let features: usize = input_shape.iter().product();
    let rule = Normalise { multipliers: vec![rng.range(1, 9)], shift: 4, lo: -128, hi: 127 };
    let mut architecture = Architecture {
        schema: schema(features, 0),
        input_shape,
        params: Vec::new(),
        nodes: vec![Node { op: Op::Normalise { x: NodeId(0), rule } }],
        output_exponent: 0,
        output_scale: OutputScale::Plain,
    };
    for step in 0..=steps {
        let values = architecture.validate().expect("only what fits is kept");
        let tail = values.len() - 1;
        // Mostly the last value; sometimes one before.
        let x = if rng.range(0, 3) == 0 { rng.range(1, tail as i64) as usize } else { tail };
        let x = if step == steps { tail } else { x };
        let wide = values[x].1.lo < -1 << 20 || values[x].1.hi > 1 << 20;
        let params = architecture.params.len();
        let op = if wide || step == steps {
            let lo = if rng.range(0, 1) == 0 { 0 } else { -120 };
            Op::Requant { x: NodeId(x as u32), shift: rng.range(0, 12) as u8, lo, hi: rng.range(1, 127) }
        } else {
            operator(&mut rng, &values, x, &mut architecture.params)
        };
        architecture.nodes.push(Node { op });
        let fits = architecture.validate().is_ok_and(|values| {
            values.iter().map(|(shape, _)| shape.iter().product::<usize>()).sum::<usize>() < 6_000
        });
        if !fits {
            architecture.nodes.pop();
            architecture.params.truncate(params);
        }
    }
    let tensors = architecture.params.iter().map(|spec| {
        let b = spec.bounds();
        (0..spec.len()).map(|_| rng.range(b.lo, b.hi)).collect()
    });
    let tensors = tensors.collect();
    Model::new(architecture, tensors).expect("generated models are well-formed")
}

/// A random operator on value `x`; it may not fit.
fn operator(
    rng: &mut SplitMix,
    values: &[(Vec<usize>, crate::ValueBounds)],
    x: usize,
    params: &mut Vec<ParamSpec>,
) -> Op {
    let (shape, bounds) = &values[x];
    let rank = shape.len();
    let id = NodeId(x as u32);
    let mut some =
        |n: usize, lo: i64, hi: i64| -> Vec<usize> { (0..n).map(|_| rng.range(lo, hi) as usize).collect() };
    match some(1, 0, 14)[0] {
        0..=3 if rank >= 2 => {
            let groups = if some(1, 0, 1)[0] == 0 { 1 } else { shape[0] };
            let (kernel, outputs) = (some(rank - 1, 1, 3), some(1, 1, 3)[0]);
            let (strides, dilations) = (some(rank - 1, 1, 2), some(rank - 1, 1, 2));
            let spec = [&[groups, shape[0] / groups], &kernel[..], &[outputs]].concat();
            let weight = ParamId(params.len() as u32);
            params.push(ParamSpec { shape: spec, width: 4 });
            let bias = (some(1, 0, 1)[0] == 0).then(|| {
                params.push(ParamSpec { shape: vec![groups * outputs], width: 9 });
                ParamId(weight.0 + 1)
            });
            Op::Conv { x: id, weight, bias, strides, dilations }
        }
        4 => {
            let (before, after) = (some(rank, 0, 1), some(rank, 0, 2));
            Op::Pad { x: id, before, after }
        }
        5 => {
            let starts: Vec<usize> = shape.iter().map(|&len| some(1, 0, len as i64 / 2)[0]).collect();
            let steps = some(rank, 1, 2);
            let lens = (0..rank).map(|i| (shape[i] - starts[i]).div_ceil(steps[i])).collect();
            Op::Slice { x: id, starts, shape: lens, steps }
        }
        6 => {
            let other = some(1, 1, values.len() as i64 - 1)[0];
            Op::Concat {
                parts: vec![id, NodeId(other as u32), id],
                axis: some(1, 0, rank.max(1) as i64 - 1)[0],
            }
        }
        7 => Op::Broadcast { x: id, shape: [&some(1, 1, 2)[..], shape].concat() },
        8 if rank >= 2 => {
            let window = crate::Window {
                kernel: some(rank - 1, 1, 3),
                strides: some(rank - 1, 1, 2),
                dilations: some(rank - 1, 1, 2),
            };
            Op::Windows { x: id, window }
        }
        9 => Op::Sum { x: id, axes: some(1, 1, rank.max(1) as i64)[0] },
        10 => Op::Max { x: id, axes: some(1, 1, rank.max(1) as i64)[0] },
        11 => {
            let by = (0..shape.last().copied().unwrap_or(1)).map(|_| rng.range(-9, 9)).collect::<Vec<_>>();
            Op::Scale { x: id, shape: vec![by.len()], by }
        }
        12 if bounds.hi - bounds.lo < 2_000 => {
            let values = (bounds.lo..=bounds.hi).map(|_| rng.range(-99, 99)).collect();
            Op::Table { x: id, first: bounds.lo, values }
        }
        13 => {
            let mut perm: Vec<usize> = (0..rank).collect();
            perm.rotate_left(some(1, 0, rank.max(1) as i64 - 1)[0]);
            Op::Transpose { x: id, perm }
        }
        14 => Op::Reshape { x: id, shape: vec![shape.iter().product()] },
        n => {
            let other = Operand::Value(NodeId(some(1, 1, values.len() as i64 - 1)[0] as u32));
            match n % 2 {
                0 => Op::Linear { terms: vec![(2, Operand::Value(id)), (-1, other)], offset: 3 },
                _ => Op::Mul { a: other, b: Operand::Value(id) },
            }
        }
    }
}

/// A 3-4-2 perceptron.
#[must_use]
pub fn small_mlp(seed: u64) -> Model {
    mlp(&[3, 4, 2], 8, 16, seed)
}

/// A record inside the declared ranges.
#[must_use]
pub fn record(architecture: &Architecture, seed: u64) -> Vec<i64> {
    let mut rng = SplitMix(seed ^ 0xabcd);
    architecture.schema.features.iter().map(|f| rng.range(f.min, f.max)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn random_networks_have_every_operator() {
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for seed in 0..200 {
            for node in &network(seed, 12).architecture().nodes {
                let name = format!("{:?}", node.op);
                *kinds.entry(name.split(' ').next().unwrap_or_default().to_owned()).or_default() += 1;
            }
        }
        println!("{kinds:?}");
        // All but `MatMul`, which perceptrons have, and `Quotient` and `Root`, which few values can be read by.
        assert_eq!(kinds.len(), 16);
        assert!(kinds.values().all(|&n| n > 20), "{kinds:?}");
    }
}
