//! The record's first step: from schema integers to the model's binary scale.
//!
//! The multipliers follow from the schema's declared ranges and the graph's shape alone, never from a weight, so they
//! can be public. Where dense layers are all that reads the record, every feature gets a multiplier that maps its
//! range to nearly the whole activation width; what one unit is then worth (`δ_j`) is folded into the weights' rows.
//! Otherwise, for images above all, one binary scale serves all features.

use tacit_model::{Feature, Normalise, Schema};

use crate::error::OnnxError;
use crate::graph::{FloatGraph, FloatOp, ValueId};
use crate::tensor::transpose_map;

/// Products stay below this magnitude (the format allows 2^60).
const LIMIT: i128 = 1 << 59;
/// Shifts that are considered.
const MAX_SHIFT: u8 = 56;
/// Share of the best possible resolution that the shift is chosen for.
const GOOD_ENOUGH: f64 = 0.99;
/// Units that a feature must span, unless its whole range has fewer values.
const MIN_SPAN: f64 = 127.0;

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
///
/// # Errors
/// [`OnnxError::Input`] where the ranges of two features differ by too much for one step.
pub(crate) fn plan(
    graph: &mut FloatGraph,
    schema: &Schema,
    activation_bits: u8,
) -> Result<InputStep, OnnxError> {
    let top = (1i128 << (activation_bits - 1)) - 1;
    let reach: Vec<i128> =
        schema.features.iter().map(|f| i128::from(f.min.unsigned_abs().max(f.max.unsigned_abs()))).collect();
    let step = match feature_groups(graph, schema) {
        Some(readers) => per_feature(graph, schema, &reach, top, &readers)?,
        None => common(schema, &reach, top),
    };
    let (lo, hi) = (-(top as i64) - 1, top as i64);
    Ok(InputStep { rule: shortened(step.rule, lo, hi), ..step })
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
            // Elements may be left out or repeated, as long as each is still one feature.
            FloatOp::Move { x, movement } => {
                let sources = movement.sources(&graph.nodes[*x].shape, &node.shape);
                let of = |o: &Vec<usize>| sources.iter().map(|&j| o.get(j as usize).copied()).collect();
                origin[i] = Some(origin[*x].as_ref().and_then(of)?);
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
) -> Result<InputStep, OnnxError> {
    let bound = reach.iter().copied().max().unwrap_or(0).max(1);
    let mut group_reach = vec![0; reach.len()];
    for (feature, &r) in reach.iter().enumerate() {
        let g = readers.group[feature];
        group_reach[g] = r.max(group_reach[g]);
    }
    let reach: Vec<i128> = readers.group.iter().map(|&g| group_reach[g]).collect();
    let at = |shift: u8| -> Vec<i128> {
        let most = (LIMIT - (1 << shift)) / bound;
        // A feature that is always 0 gets no multiplier.
        reach.iter().map(|&r| if r == 0 { 0 } else { ((top << shift) / r).min(most) }).collect()
    };
    let span = |m: i128, r: i128, shift: u8| m as f64 * r as f64 / f64::from(shift).exp2();
    let worst = |shift: u8| {
        let spans = at(shift).into_iter().zip(&reach).filter(|(_, r)| **r > 0);
        spans.map(|(m, &r)| span(m, r, shift)).fold(top as f64, f64::min)
    };
    let best = (0..MAX_SHIFT).map(worst).fold(0.0, f64::max);
    let shift = (0..MAX_SHIFT).find(|&s| worst(s) >= GOOD_ENOUGH * best).unwrap_or(0);
    let multipliers = at(shift);
    for ((&m, &r), f) in multipliers.iter().zip(&reach).zip(&schema.features) {
        if span(m, r, shift) < MIN_SPAN.min(top as f64 / 2.0).min(r as f64 / 2.0) {
            let magnitude = |f: &&Feature| f.min.unsigned_abs().max(f.max.unsigned_abs());
            let widest = schema.features.iter().max_by_key(magnitude).unwrap_or(f);
            return Err(OnnxError::Input(format!(
                "feature `{}` reaches to {bound} units of its last decimal, the range {}: beside it, feature `{}` with the \
                 range {} is too small; give the first fewer decimals or a narrower range",
                widest.name,
                widest.range_text(),
                f.name,
                f.range_text()
            )));
        }
    }
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
    Ok(InputStep {
        rule: rule(&multipliers, shift),
        exponent: 0,
        factors: multipliers.iter().map(|&m| m as f64 / unit).collect(),
    })
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
    while shift < MAX_SHIFT && !fine(shift) && fits(shift + 1) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::FloatNode;
    use crate::tensor::Tensor;

    fn schema(features: &[(u8, i64, i64)]) -> Schema {
        let feature = |(i, &(decimals, min, max)): (usize, &(u8, i64, i64))| Feature {
            name: format!("x{i}"),
            decimals,
            min,
            max,
            unit: None,
            code: None,
            system: None,
        };
        Schema::new(features.iter().enumerate().map(feature).collect(), Vec::new()).unwrap()
    }

    /// One operator on a record of shape `shape`.
    fn graph(op: FloatOp, shape: &[usize], out: &[usize]) -> FloatGraph {
        let node = |op, shape: &[usize]| FloatNode {
            op,
            shape: shape.to_vec(),
            name: String::new(),
            tensor: String::new(),
        };
        FloatGraph { nodes: vec![node(FloatOp::Input, shape), node(op, out)], output: 1 }
    }

    fn dense(k: usize) -> FloatOp {
        FloatOp::MatMul { x: 0, weight: Tensor { shape: vec![k, 1], data: vec![1.0; k] }, bias: None }
    }

    #[test]
    fn every_range_fills_the_width_and_the_weights_make_up_for_it() {
        let features =
            [(0, 0, 1), (3, -50, 12_345), (9, -(1 << 24), 1 << 24), (2, 7, 7), (0, 0, 0), (1, -9, 3)];
        let schema = schema(&features);
        let mut graph = graph(dense(6), &[6], &[1]);
        let step = plan(&mut graph, &schema, 16).unwrap();
        let FloatOp::MatMul { weight, .. } = &graph.nodes[1].op else { panic!("still a dense layer") };
        for (j, &(decimals, min, max)) in features.iter().enumerate() {
            let reach = min.abs().max(max.abs());
            let m = step.rule.multipliers[j];
            let u = tacit_model::requantise(reach * m, step.rule.shift, i64::MIN, i64::MAX);
            assert!(u <= 32767, "feature {j} would saturate: {u}");
            assert!(reach == 0 || u >= 32400, "feature {j} wastes bits: {u}");
            // u · weight is the real value again.
            let real = reach as f64 / 10f64.powi(decimals.into());
            let back = step.factors[j] * reach as f64 * weight.data[j];
            assert!((back - real).abs() <= 1e-9 * real, "feature {j}: {back} for {real}");
        }
    }

    #[test]
    fn ranges_that_differ_too_much_are_refused() {
        let extreme = schema(&[(0, 0, 1), (9, 0, 1 << 39)]);
        let error = plan(&mut graph(dense(2), &[2], &[1]), &extreme, 16).unwrap_err();
        assert!(
            error.to_string().contains("feature `x1` reaches to 549755813888 units of its last decimal"),
            "{error}"
        );
    }

    #[test]
    fn features_of_one_column_share_a_multiplier() {
        // Shape [2, 3]: features 0 and 3 meet the same weights.
        let wide = schema(&[(0, 0, 10), (0, 0, 20), (0, 0, 30), (0, 0, 1000), (0, 0, 5), (0, 0, 6)]);
        let mut g = graph(dense(3), &[2, 3], &[2, 1]);
        let m = plan(&mut g, &wide, 16).unwrap().rule.multipliers;
        assert_eq!(m[..3], m[3..]);
        assert!(m[0] < m[1] && m[1] > m[2]);
    }

    #[test]
    fn other_readers_get_one_binary_scale() {
        let mixed = schema(&[(0, 0, 100), (2, -10_000, 10_000), (5, 0, 1_000_000)]);
        let mut g = graph(FloatOp::Clamp { x: 0, lo: 0.0, hi: f64::INFINITY }, &[3], &[3]);
        let step = plan(&mut g, &mixed, 16).unwrap();
        assert_eq!(step.exponent, 8, "100 · 2^8 is the most that fits 2^15");
        for (f, m) in mixed.features.iter().zip(&step.rule.multipliers) {
            let u = tacit_model::requantise(f.max * m, step.rule.shift, step.rule.lo, step.rule.hi);
            let real = f.max as f64 / 10f64.powi(f.decimals.into());
            assert!((u as f64 - real * 256.0).abs() <= 0.5, "{u} for {real}");
        }
        // All whole numbers: an exact power of two, written once.
        let pixels = schema(&[(0, 0, 255); 4]);
        let mut g = graph(FloatOp::Clamp { x: 0, lo: 0.0, hi: f64::INFINITY }, &[4], &[4]);
        let step = plan(&mut g, &pixels, 16).unwrap();
        assert_eq!((step.rule.multipliers, step.rule.shift), (vec![128], 0));
    }
}
