//! Small models for tests of every crate. Deterministic by seed; no proving code, no randomness source.

use crate::architecture::{Architecture, Node, NodeId, Normalise, Op, OutputScale, ParamId, ParamSpec};
use crate::file::Model;
use crate::schema::{Class, Feature, Schema};

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
