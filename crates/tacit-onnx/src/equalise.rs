//! Balancing neurons before weights are rounded.
//!
//! All weights of a layer share one scale, so a neuron (or a channel of a convolution) with small weights beside one with
//! large weights loses its precision. Between two layers with nothing in between but operators that scale with their operand
//! (a ReLU, a pooling), neuron `n` may be scaled by any `c > 0` and its outgoing weights by `1/c` without changing the function; here `c` makes its incoming and outgoing weights equally
//! large (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019). Weights are
//! hidden, so this shows nowhere in the architecture.
//!
//! The same freedom lets a whole layer be scaled so that its largest weight is exactly the largest integer of its width
//! at a binary scale, where up to half of the integers would lie idle otherwise.

use crate::convolution::Matrices;
use crate::graph::{FloatGraph, FloatOp, ValueId};
use crate::rounding::{exp2, fitting_exponent};
use crate::tensor::{Tensor, max_abs, transpose_map};

/// Passes over all pairs of layers; more change nothing visible.
const SWEEPS: usize = 8;
/// Largest factor of a neuron over all passes, so that the layer's activations, which share a scale too, keep their bits.
const MAX_FACTOR: f64 = 16.0;

/// Balances every pair of layers; `false` where there is none.
pub(crate) fn equalise(graph: &mut FloatGraph) -> bool {
    let pairs = pairs(graph);
    let mut factors = vec![Vec::new(); pairs.len()];
    for _ in 0..SWEEPS {
        for (pair, factors) in pairs.iter().zip(&mut factors) {
            balance(graph, pair, factors);
        }
    }
    !pairs.is_empty()
}

/// Scales whole layers so that the largest weight fills `weight_bits` exactly at a binary scale; `false` where no layer
/// can be.
pub(crate) fn align(graph: &mut FloatGraph, weight_bits: u8) -> bool {
    let pairs = pairs(graph);
    let top = ((1i64 << (weight_bits - 1)) - 1) as f64;
    for &Pair { first, second, .. } in &pairs {
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
    let (FloatOp::MatMul { weight: w1, bias, .. } | FloatOp::Conv { weight: w1, bias, .. }) =
        &mut before.get_mut(first)?.op
    else {
        return None;
    };
    let (FloatOp::MatMul { weight: w2, .. } | FloatOp::Conv { weight: w2, .. }) = &mut after.first_mut()?.op
    else {
        return None;
    };
    Some((w1, bias, w2))
}

/// Two layers of which the second alone reads the first.
struct Pair {
    first: ValueId,
    second: ValueId,
    /// For each input channel of the second the output channel of the first that it holds.
    channels: Vec<usize>,
}

/// Marks a padded zero, which belongs to no channel and to all.
const NO_CHANNEL: usize = usize::MAX;

/// Pairs of layers with nothing in between but a ReLU, movements, maxima and sums: operators that scale with their
/// operand.
fn pairs(graph: &FloatGraph) -> Vec<Pair> {
    let uses = graph.uses();
    let mut pairs = Vec::new();
    for (second, node) in graph.nodes.iter().enumerate() {
        let Some(m) = Matrices::of(&node.op) else { continue };
        let top = node.op.operands()[0];
        let mut between = Vec::new();
        let mut x = top;
        let first = loop {
            if uses[x] != 1 {
                break None;
            }
            let next = match &graph.nodes[x].op {
                FloatOp::MatMul { .. } | FloatOp::Conv { .. } => break Some(x),
                FloatOp::Clamp { x, lo: 0.0, hi: f64::INFINITY }
                | FloatOp::Reshape { x }
                | FloatOp::Transpose { x, .. }
                | FloatOp::Move { x, .. }
                | FloatOp::Largest { x, .. }
                | FloatOp::Total { x, .. } => *x,
                FloatOp::Function { x, f } if f.is_homogeneous() => *x,
                _ => break None,
            };
            between.push(x);
            x = next;
        };
        let Some(first) = first else { continue };
        let Some(of) = channels_behind(graph, first, between.iter().rev().copied()) else { continue };
        // A dense layer's inputs lie along the last axis, a convolution's channels along the first.
        let inputs = m.inputs();
        let dense = matches!(node.op, FloatOp::MatMul { .. });
        let mut channels = vec![NO_CHANNEL; inputs];
        let each = of.len() / inputs;
        let fits = of.iter().enumerate().all(|(j, &channel)| {
            let known = &mut channels[if dense { j % inputs } else { j / each }];
            if *known == NO_CHANNEL {
                *known = channel;
            }
            channel == NO_CHANNEL || *known == channel
        });
        if fits {
            pairs.push(Pair { first, second, channels });
        }
    }
    pairs
}

/// The output channel of `first` behind each element after the operators `between`; `None` where one mixes channels.
fn channels_behind(
    graph: &FloatGraph,
    first: ValueId,
    between: impl Iterator<Item = ValueId>,
) -> Option<Vec<usize>> {
    let (node, outputs) = (&graph.nodes[first], Matrices::of(&graph.nodes[first].op)?.outputs());
    let each = node.len() / outputs;
    let dense = matches!(node.op, FloatOp::MatMul { .. });
    let mut of: Vec<usize> = (0..node.len()).map(|j| if dense { j % outputs } else { j / each }).collect();
    for i in between {
        let node = &graph.nodes[i];
        of = match &node.op {
            FloatOp::Transpose { x, perm } => {
                transpose_map(&graph.nodes[*x].shape, perm).into_iter().map(|j| of[j]).collect()
            }
            FloatOp::Move { x, movement } => {
                let sources = movement.sources(&graph.nodes[*x].shape, &node.shape);
                sources.into_iter().map(|j| of.get(j as usize).copied().unwrap_or(NO_CHANNEL)).collect()
            }
            FloatOp::Largest { .. } | FloatOp::Total { .. } => {
                let merge = |group: &[usize]| -> Option<usize> {
                    let mut known = group.iter().copied().filter(|&c| c != NO_CHANNEL);
                    let channel = known.next().unwrap_or(NO_CHANNEL);
                    known.all(|c| c == channel).then_some(channel)
                };
                of.chunks_exact(of.len() / node.len()).map(merge).collect::<Option<_>>()?
            }
            _ => of,
        };
    }
    Some(of)
}

/// One pass over the channels of the first layer; `factors` holds the product of each channel's factors so far.
fn balance(graph: &mut FloatGraph, pair: &Pair, factors: &mut Vec<f64>) {
    let of = |i: ValueId| Matrices::of(&graph.nodes[i].op);
    let (Some(m1), Some(m2)) = (of(pair.first), of(pair.second)) else { return };
    let Some((w1, bias, w2)) = layers(graph, pair.first, pair.second) else { return };
    let n = m1.outputs();
    factors.resize(n, 1.0);
    let (mut incoming, mut outgoing) = (vec![0.0f64; n], vec![0.0f64; n]);
    for (i, w) in w1.data.iter().enumerate() {
        let m = &mut incoming[m1.output(i)];
        *m = m.max(w.abs());
    }
    let channel = |i: usize| pair.channels[m2.input(i)];
    for (i, w) in w2.data.iter().enumerate() {
        if let Some(m) = outgoing.get_mut(channel(i)) {
            *m = m.max(w.abs());
        }
    }
    let mut step = vec![1.0; n];
    for j in 0..n {
        if incoming[j] != 0.0 && outgoing[j] != 0.0 {
            let wanted = factors[j] * (outgoing[j] / incoming[j]).sqrt();
            step[j] = wanted.clamp(1.0 / MAX_FACTOR, MAX_FACTOR) / factors[j];
            factors[j] *= step[j];
        }
    }
    w1.data.iter_mut().enumerate().for_each(|(i, w)| *w *= step[m1.output(i)]);
    bias.iter_mut().flatten().zip(&step).for_each(|(b, c)| *b *= c);
    for (i, w) in w2.data.iter_mut().enumerate() {
        *w /= step.get(channel(i)).copied().unwrap_or(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::Runner;
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
        let run = |graph: &FloatGraph, record: &[f64]| Runner::new(graph).run(record)[3][0];
        for record in [[1.0, 2.0], [-3.0, 0.5], [0.25, -0.125]] {
            let (a, b) = (run(&before, &record), run(&after, &record));
            assert!((a - b).abs() < 1e-9, "{a} {b}");
            let c = run(&aligned, &record);
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

    #[test]
    fn channels_are_followed_through_pooling_and_reshaping() {
        use crate::movement::{Fill, Movement};
        use tacit_model::Window;
        let numbers = |shape: &[usize], step: f64| {
            let count: usize = shape.iter().product();
            let data = (0..count).map(|i| ((i * i) as f64 * step).sin() * (1.0 + (i % 5) as f64)).collect();
            Tensor { shape: shape.to_vec(), data }
        };
        let conv = |x, shape: &[usize], step| FloatOp::Conv {
            x,
            weight: numbers(shape, step),
            bias: Some(vec![0.25; shape[0] * shape[shape.len() - 1]]),
            strides: vec![1; shape.len() - 3],
            dilations: vec![1; shape.len() - 3],
        };
        let pad = |fill| Movement::Pad { before: vec![0, 1], after: vec![0, 1], fill };
        let window = Window { kernel: vec![2], strides: vec![2], dilations: vec![1] };
        // Two groups of two channels each, from four channels, each seen through a maximum over pairs of positions.
        let ops = vec![
            (FloatOp::Input, vec![2, 6]),
            (conv(0, &[1, 2, 3, 4], 0.7), vec![4, 4]),
            (FloatOp::Clamp { x: 1, lo: 0.0, hi: f64::INFINITY }, vec![4, 4]),
            (FloatOp::Move { x: 2, movement: pad(Fill::Lowest) }, vec![4, 6]),
            (FloatOp::Move { x: 3, movement: Movement::Windows(window) }, vec![4, 3, 2]),
            (FloatOp::Largest { x: 4, axes: 1 }, vec![4, 3]),
            (FloatOp::Move { x: 5, movement: pad(Fill::Zero) }, vec![4, 5]),
            (conv(6, &[2, 2, 3, 1], 0.3), vec![2, 3]),
            (FloatOp::Reshape { x: 7 }, vec![6]),
            (FloatOp::MatMul { x: 8, weight: numbers(&[6, 2], 1.1), bias: None }, vec![2]),
        ];
        let node = |(op, shape)| FloatNode { op, shape, name: String::new(), tensor: String::new() };
        let before = FloatGraph { nodes: ops.into_iter().map(node).collect(), output: 9 };
        let found: Vec<_> = pairs(&before).into_iter().map(|p| (p.first, p.second, p.channels)).collect();
        assert_eq!(found, [(1, 7, vec![0, 1, 2, 3]), (7, 9, vec![0, 0, 0, 1, 1, 1])]);
        let mut after = before.clone();
        assert!(equalise(&mut after) && align(&mut after, 8));
        assert_ne!(before, after);
        for step in [0.3, 1.7, 2.9] {
            let record = numbers(&[12], step).data;
            let (a, b) = (Runner::new(&before).run(&record), Runner::new(&after).run(&record));
            for (a, b) in a[9].iter().zip(&b[9]) {
                assert!((a - b).abs() < 1e-9 * (1.0 + a.abs()), "{a} {b}");
            }
        }
    }
}
