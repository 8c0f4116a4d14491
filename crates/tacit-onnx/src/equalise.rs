//! Balancing neurons before weights are rounded.
//!
//! All weights of a layer share one scale, so a neuron with small weights beside one with large weights loses its
//! precision. Between two dense layers with nothing but a ReLU in between, neuron `n` may be scaled by any `c > 0` and its
//! outgoing weights by `1/c` without changing the function; here `c` makes its incoming and outgoing weights equally
//! large (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019). Weights are
//! hidden, so this shows nowhere in the architecture.
//!
//! The same freedom lets a whole layer be scaled so that its largest weight is exactly the largest integer of its width
//! at a binary scale, where up to half of the integers would lie idle otherwise.

use crate::graph::{FloatGraph, FloatOp, ValueId};
use crate::rounding::{exp2, fitting_exponent};
use crate::tensor::{Tensor, max_abs};

/// Passes over all pairs of layers; more change nothing visible.
const SWEEPS: usize = 8;
/// Largest factor of a neuron over all passes, so that the layer's activations, which share a scale too, keep their bits.
const MAX_FACTOR: f64 = 16.0;

/// Balances every pair of layers; `false` where there is none.
pub(crate) fn equalise(graph: &mut FloatGraph) -> bool {
    let pairs = pairs(graph);
    let mut factors = vec![Vec::new(); pairs.len()];
    for _ in 0..SWEEPS {
        for (&(first, second), factors) in pairs.iter().zip(&mut factors) {
            balance(graph, first, second, factors);
        }
    }
    !pairs.is_empty()
}

/// Scales whole layers so that the largest weight fills `weight_bits` exactly at a binary scale; `false` where no layer
/// can be.
pub(crate) fn align(graph: &mut FloatGraph, weight_bits: u8) -> bool {
    let pairs = pairs(graph);
    let top = ((1i64 << (weight_bits - 1)) - 1) as f64;
    for &(first, second) in &pairs {
        let Some((w1, bias, w2)) = layers(graph, first, second) else { continue };
        let largest = max_abs(&w1.data);
        if let Some(exponent) = fitting_exponent(largest, top) {
            let c = top / (largest * exp2(exponent));
            w1.data.iter_mut().for_each(|w| *w *= c);
            bias.iter_mut().flatten().for_each(|b| *b *= c);
            w2.data.iter_mut().for_each(|w| *w /= c);
        }
    }
    !pairs.is_empty()
}

/// Weights and biases of a pair of layers.
fn layers(
    graph: &mut FloatGraph,
    first: ValueId,
    second: ValueId,
) -> Option<(&mut Tensor, &mut Option<Vec<f64>>, &mut Tensor)> {
    let (before, after) = graph.nodes.split_at_mut(second);
    match (&mut before.get_mut(first)?.op, &mut after.first_mut()?.op) {
        (FloatOp::MatMul { weight: w1, bias, .. }, FloatOp::MatMul { weight: w2, .. }) => {
            Some((w1, bias, w2))
        }
        _ => None,
    }
}

/// Dense layers whose only reader is another, directly or through a ReLU.
fn pairs(graph: &FloatGraph) -> Vec<(ValueId, ValueId)> {
    let uses = graph.uses();
    let mut pairs = Vec::new();
    for (i, node) in graph.nodes.iter().enumerate() {
        let FloatOp::MatMul { mut x, .. } = node.op else { continue };
        if let FloatOp::Clamp { x: inner, lo: 0.0, hi: f64::INFINITY } = graph.nodes[x].op
            && uses[x] == 1
        {
            x = inner;
        }
        if matches!(graph.nodes[x].op, FloatOp::MatMul { .. }) && uses[x] == 1 {
            pairs.push((x, i));
        }
    }
    pairs
}

/// One pass over the neurons of `first`; `factors` holds the product of each neuron's factors so far.
fn balance(graph: &mut FloatGraph, first: ValueId, second: ValueId, factors: &mut Vec<f64>) {
    let Some((w1, bias, w2)) = layers(graph, first, second) else { return };
    let n = w1.shape[1];
    factors.resize(n, 1.0);
    let mut incoming = vec![0.0f64; n];
    for row in w1.data.chunks_exact(n) {
        for (m, w) in incoming.iter_mut().zip(row) {
            *m = m.max(w.abs());
        }
    }
    let columns = w2.shape[1];
    for (j, row) in w2.data.chunks_exact_mut(columns).enumerate() {
        let outgoing = row.iter().fold(0.0f64, |m, w| m.max(w.abs()));
        if incoming[j] == 0.0 || outgoing == 0.0 {
            continue;
        }
        let wanted = factors[j] * (outgoing / incoming[j]).sqrt();
        let c = wanted.clamp(1.0 / MAX_FACTOR, MAX_FACTOR) / factors[j];
        factors[j] *= c;
        row.iter_mut().for_each(|w| *w /= c);
        w1.data.iter_mut().skip(j).step_by(n).for_each(|w| *w *= c);
        if let Some(b) = bias {
            b[j] *= c;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::FloatNode;

    #[test]
    fn balancing_keeps_the_function() {
        let dense = |x, shape: [usize; 2], data: Vec<f64>, bias| FloatOp::MatMul {
            x,
            weight: Tensor { shape: shape.to_vec(), data },
            bias,
        };
        let ops = [
            (FloatOp::Input, 2),
            (dense(0, [2, 3], vec![1.0, 0.01, 4.0, -2.0, 0.02, 0.0], Some(vec![0.1, 0.002, -3.0])), 3),
            (FloatOp::Clamp { x: 1, lo: 0.0, hi: f64::INFINITY }, 3),
            (dense(2, [3, 1], vec![0.5, 80.0, 0.0], None), 1),
        ];
        let node = |(op, n)| FloatNode { op, shape: vec![n], name: String::new(), tensor: String::new() };
        let before = FloatGraph { nodes: ops.map(node).to_vec(), output: 3 };
        let mut after = before.clone();
        assert!(equalise(&mut after));
        let mut aligned = after.clone();
        assert!(align(&mut aligned, 8));
        for record in [[1.0, 2.0], [-3.0, 0.5], [0.25, -0.125]] {
            let (a, b) = (before.evaluate(&record)[3][0], after.evaluate(&record)[3][0]);
            assert!((a - b).abs() < 1e-9, "{a} {b}");
            let c = aligned.evaluate(&record)[3][0];
            assert!((a - c).abs() < 1e-9, "{a} {c}");
        }
        // The first two neurons now have incoming and outgoing weights of the same size.
        let weights = |g: &FloatGraph, i: usize| match &g.nodes[i].op {
            FloatOp::MatMul { weight, .. } => weight.data.clone(),
            _ => Vec::new(),
        };
        let (w1, w2) = (weights(&after, 1), weights(&after, 3));
        let incoming = |n: usize| max_abs(&[w1[n], w1[3 + n]]);
        assert!((incoming(0) - w2[0].abs()).abs() < 1e-9);
        assert!(incoming(1) / 0.02 <= MAX_FACTOR + 1e-9);
        let largest = max_abs(&weights(&aligned, 1)) / 127.0;
        assert!((largest.log2() - largest.log2().round()).abs() < 1e-9, "127 times a power of two");
        // A neuron that leads nowhere stays as it is.
        assert_eq!((incoming(2), w2[2]), (4.0, 0.0));
    }
}
