//! Balancing neurons before weights are rounded.
//!
//! All weights of a layer share one scale, so a neuron with small weights beside one with large weights loses its
//! precision. Between two dense layers with nothing but a ReLU in between, neuron `n` may be scaled by any `c > 0` and its
//! outgoing weights by `1/c` without changing the function; here `c` makes its incoming and outgoing weights equally
//! large (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019). Weights are
//! hidden, so this shows nowhere in the architecture.

use crate::graph::{FloatGraph, FloatOp, ValueId};

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
    let (before, after) = graph.nodes.split_at_mut(second);
    let (Some(a), Some(b)) = (before.get_mut(first), after.first_mut()) else { return };
    let (FloatOp::MatMul { weight: w1, bias, .. }, FloatOp::MatMul { weight: w2, .. }) =
        (&mut a.op, &mut b.op)
    else {
        return;
    };
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
