//! The record's first step: from schema integers to the model's binary scale.
//!
//! The multipliers follow from the schema's declared ranges and the graph's shape alone, never from a weight, so they
//! can be public. Where dense layers are all that reads the record, every feature gets a multiplier that maps its
//! range to nearly the whole activation width; what one unit is then worth (`δ_j`) is folded into the weights' rows.
//! Otherwise one binary scale serves all features.

use tacit_model::{Normalise, Schema};

use crate::graph::{FloatGraph, FloatOp, ValueId};
use crate::tensor::transpose_map;

/// Products stay below this magnitude (the format allows 2^60).
const LIMIT: i128 = 1 << 59;
/// Multipliers have at least this many units, so that a range fills all but a 128th of the width.
const FINENESS: i128 = 1 << 7;

/// The first step, and how its result relates to real numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InputStep {
    pub(crate) rule: Normalise,
    /// The result `u` stands for `u · 2^-exponent` in the graph that [`plan`] leaves behind.
    pub(crate) exponent: i32,
    /// What the graph's record is, per feature: schema integer times this.
    pub(crate) factors: Vec<f64>,
}

/// Chooses the first step and rescales the weights of the first layers to it.
pub(crate) fn plan(graph: &mut FloatGraph, schema: &Schema, activation_bits: u8) -> InputStep {
    let top = (1i128 << (activation_bits - 1)) - 1;
    let reach: Vec<i128> =
        schema.features.iter().map(|f| i128::from(f.min.unsigned_abs().max(f.max.unsigned_abs()))).collect();
    let step = match feature_groups(graph, schema) {
        Some(readers) => per_feature(graph, schema, &reach, top, &readers),
        None => common(schema, &reach, top),
    };
    let (lo, hi) = (-(top as i64) - 1, top as i64);
    InputStep { rule: shortened(step.rule, lo, hi), ..step }
}

/// A dense layer that reads the record, and the feature behind each element of its operand.
struct Reader {
    layer: ValueId,
    features: Vec<usize>,
}

struct Readers {
    layers: Vec<Reader>,
    /// A representative feature per feature; those with the same one share a multiplier.
    group: Vec<usize>,
}

/// `None` where something else than a dense layer reads the record, or features of different decimals share a column.
fn feature_groups(graph: &FloatGraph, schema: &Schema) -> Option<Readers> {
    let count = schema.features.len();
    let mut layers = Vec::new();
    let mut origin: Vec<Option<Vec<usize>>> = vec![None; graph.nodes.len()];
    origin[0] = Some((0..count).collect());
    for (i, node) in graph.nodes.iter().enumerate() {
        if node.op.operands().iter().all(|&x| origin[x].is_none()) {
            continue;
        }
        match &node.op {
            FloatOp::Reshape { x } => origin[i] = origin[*x].clone(),
            FloatOp::Transpose { x, perm } => {
                let map = transpose_map(&graph.nodes[*x].shape, perm);
                origin[i] = origin[*x].as_ref().map(|o| map.into_iter().map(|j| o[j]).collect());
            }
            FloatOp::MatMul { x, .. } => {
                layers.push(Reader { layer: i, features: origin[*x].clone()? });
            }
            _ => return None,
        }
    }
    if layers.is_empty() || origin[graph.output].is_some() {
        return None;
    }
    let mut group: Vec<usize> = (0..count).collect();
    for reader in &layers {
        let FloatOp::MatMul { weight, .. } = &graph.nodes[reader.layer].op else { return None };
        let k = weight.shape[0];
        for (j, &feature) in reader.features.iter().enumerate().skip(k) {
            let (a, b) = (root(&mut group, feature), root(&mut group, reader.features[j % k]));
            group[a] = b;
        }
    }
    for feature in 0..count {
        group[feature] = root(&mut group, feature);
        if schema.features[group[feature]].decimals != schema.features[feature].decimals {
            return None;
        }
    }
    Some(Readers { layers, group })
}

/// Root of a union-find tree, halving paths on the way.
fn root(group: &mut [usize], mut i: usize) -> usize {
    while group[i] != i {
        group[i] = group[group[i]];
        i = group[i];
    }
    i
}

fn rule(multipliers: &[i128], shift: u8) -> Normalise {
    Normalise {
        multipliers: multipliers.iter().map(|&m| i64::try_from(m).unwrap_or(i64::MAX)).collect(),
        shift,
        lo: 0,
        hi: 0,
    }
}

fn per_feature(
    graph: &mut FloatGraph,
    schema: &Schema,
    reach: &[i128],
    top: i128,
    readers: &Readers,
) -> InputStep {
    let bound = reach.iter().copied().max().unwrap_or(0).max(1);
    let mut shift = 0u8;
    while (top << shift) / bound < FINENESS {
        shift += 1;
    }
    let mut group_reach = vec![0; reach.len()];
    for (feature, &r) in reach.iter().enumerate() {
        let g = readers.group[feature];
        group_reach[g] = r.max(group_reach[g]);
    }
    let multipliers: Vec<i128> = readers
        .group
        .iter()
        .map(|&g| match group_reach[g] {
            // The feature is always 0.
            0 => 0,
            r => ((top << shift) / r).min((LIMIT - (1 << shift)) / bound),
        })
        .collect();
    let unit = f64::powi(2.0, shift.into());
    for reader in &readers.layers {
        if let FloatOp::MatMul { weight, .. } = &mut graph.nodes[reader.layer].op {
            let n = weight.shape[1];
            for (&feature, row) in reader.features.iter().zip(weight.data.chunks_exact_mut(n)) {
                let delta = match multipliers[feature] {
                    0 => 0.0,
                    m => unit / (m as f64 * f64::powi(10.0, schema.features[feature].decimals.into())),
                };
                row.iter_mut().for_each(|w| *w *= delta);
            }
        }
    }
    InputStep {
        rule: rule(&multipliers, shift),
        exponent: 0,
        factors: multipliers.iter().map(|&m| m as f64 / unit).collect(),
    }
}

/// One binary scale `2^exponent` for all features: `m_j / 2^shift ≈ 2^exponent / 10^decimals_j`.
fn common(schema: &Schema, reach: &[i128], top: i128) -> InputStep {
    let ten = |d: u8| f64::powi(10.0, d.into());
    let largest =
        reach.iter().zip(&schema.features).map(|(&r, f)| r as f64 / ten(f.decimals)).fold(0.0, f64::max);
    let exponent = if largest > 0.0 { (top as f64 / largest).log2().floor() as i32 } else { 0 };
    let bound = reach.iter().copied().max().unwrap_or(0).max(1);
    let at = |shift: u8| -> Vec<i128> {
        let unit = f64::powi(2.0, exponent + i32::from(shift));
        schema.features.iter().map(|f| (unit / ten(f.decimals)).round() as i128).collect()
    };
    let fits = |shift: u8| {
        at(shift).iter().all(|&m| m as f64 * bound as f64 + f64::from(shift).exp2() < LIMIT as f64)
    };
    let exact = |shift: u8| {
        let unit = f64::powi(2.0, exponent + i32::from(shift));
        schema.features.iter().all(|f| (unit / ten(f.decimals)).fract() == 0.0)
    };
    // Rounding of the smallest multiplier must stay below the resolution of the widest activation.
    let fine = |shift: u8| exact(shift) || at(shift).iter().all(|&m| m >= 2 * top);
    let mut shift = 0u8;
    while shift < 56 && !fine(shift) && fits(shift + 1) {
        shift += 1;
    }
    InputStep {
        rule: rule(&at(shift), shift),
        exponent,
        factors: schema.features.iter().map(|f| 1.0 / ten(f.decimals)).collect(),
    }
}

/// Common powers of two taken out, equal multipliers written once.
fn shortened(rule: Normalise, lo: i64, hi: i64) -> Normalise {
    let Normalise { mut multipliers, mut shift, .. } = rule;
    while shift > 0 && multipliers.iter().all(|m| m % 2 == 0) {
        multipliers.iter_mut().for_each(|m| *m /= 2);
        shift -= 1;
    }
    if multipliers.windows(2).all(|w| w[0] == w[1]) {
        multipliers.truncate(1);
    }
    Normalise { multipliers, shift, lo, hi }
}
