//! Rewriting the float graph into as few layers as possible, in `f64`.
//!
//! Consecutive affine steps (a scaler, a batch normalisation, added or multiplied constants) merge into one another and
//! into the dense layer before or after them, across changes of shape where the constants allow it. Clamps move up to
//! the operator whose result they bound, so that the quantiser can do both in one requantisation.

use crate::error::OnnxError;
use crate::graph::{FloatGraph, FloatOp, ValueId};
use crate::tensor::{Tensor, max_abs};

/// Applies every rule until none applies.
///
/// # Errors
/// [`OnnxError::NotFinite`] where merged constants overflow.
pub(crate) fn fold(graph: &mut FloatGraph) -> Result<(), OnnxError> {
    graph.compact();
    while rewrite_one(graph) {
        graph.compact();
    }
    for node in &graph.nodes {
        let finite = match &node.op {
            FloatOp::MatMul { weight, bias, .. } => {
                weight.is_finite() && max_abs(bias.as_deref().unwrap_or_default()).is_finite()
            }
            FloatOp::Affine { scale, offset, .. } => {
                [scale, offset].into_iter().flatten().all(Tensor::is_finite)
            }
            _ => true,
        };
        if !finite {
            return Err(OnnxError::NotFinite(format!("a constant of node `{}`, after folding,", node.name)));
        }
    }
    Ok(())
}

/// Applies the first rule that fits; `false` where none does. Every rule removes an operator or moves a clamp up.
fn rewrite_one(graph: &mut FloatGraph) -> bool {
    let uses = graph.uses();
    (0..graph.nodes.len()).any(|i| match graph.nodes[i].op {
        FloatOp::Affine { .. } => {
            drop_neutral_affine(graph, i)
                || merge_affines(graph, i)
                || affine_into_layer_before(graph, i, &uses)
        }
        FloatOp::MatMul { .. } => affine_into_layer_after(graph, i, &uses),
        FloatOp::Clamp { .. } => merge_clamps(graph, i) || clamp_before_shape(graph, i, &uses),
        FloatOp::Reshape { .. } | FloatOp::Transpose { .. } => merge_shapes(graph, i),
        _ => false,
    })
}

fn drop_neutral_affine(graph: &mut FloatGraph, i: ValueId) -> bool {
    let FloatOp::Affine { x, scale, offset } = &graph.nodes[i].op else { return false };
    let all = |t: &Option<Tensor>, v: f64| t.as_ref().is_none_or(|t| t.data.iter().all(|&e| e == v));
    if !(all(scale, 1.0) && all(offset, 0.0)) {
        return false;
    }
    graph.nodes[i].op = FloatOp::Alias { x: *x };
    true
}

/// `(x · s1 + o1) · s2 + o2 = x · (s1 · s2) + (o1 · s2 + o2)`.
fn merge_affines(graph: &mut FloatGraph, i: ValueId) -> bool {
    let FloatOp::Affine { x, scale: s2, offset: o2 } = &graph.nodes[i].op else { return false };
    let FloatOp::Affine { x: inner, scale: s1, offset: o1 } = &graph.nodes[*x].op else { return false };
    let both = |a: &Option<Tensor>, b: &Option<Tensor>, f: fn(f64, f64) -> f64| match (a, b) {
        (Some(a), Some(b)) => a.zip(b, f).map(Some),
        (Some(t), None) | (None, Some(t)) => Some(Some(t.clone())),
        (None, None) => Some(None),
    };
    let merged = || -> Option<FloatOp> {
        let scale = both(s1, s2, |a, b| a * b)?;
        let carried = match o1 {
            Some(o) => both(&Some(o.clone()), s2, |a, b| a * b)?,
            None => None,
        };
        Some(FloatOp::Affine { x: *inner, scale, offset: both(&carried, o2, |a, b| a + b)? })
    };
    let Some(op) = merged() else { return false };
    graph.nodes[i].op = op;
    true
}

/// Reshapes and transposes from `x` upwards, each read by nothing else, and the value that they start from.
fn shape_chain(graph: &FloatGraph, mut x: ValueId, uses: &[usize]) -> (Vec<ValueId>, ValueId) {
    let mut chain = Vec::new();
    while let (FloatOp::Reshape { x: next } | FloatOp::Transpose { x: next, .. }, 1) =
        (&graph.nodes[x].op, uses[x])
    {
        chain.push(x);
        x = *next;
    }
    (chain, x)
}

/// A constant that broadcasts to `shape`, carried to the other end of a chain of shape changes by `step`, as one
/// number per element of the last axis; `None` where it varies along other axes as well.
fn as_row(
    t: &Tensor,
    shape: &[usize],
    chain: impl Iterator<Item = ValueId>,
    step: impl Fn(Tensor, ValueId) -> Option<Tensor>,
    n: usize,
) -> Option<Vec<f64>> {
    if let Some(v) = t.as_scalar() {
        return Some(vec![v; n]);
    }
    let mut t = t.broadcast_to(shape)?;
    for r in chain {
        t = step(t, r)?;
    }
    let (first, rest) = t.data.split_at_checked(n)?;
    rest.chunks(n).all(|row| row == first).then(|| first.to_vec())
}

/// `(x · W + b) · s + o = x · (W · s) + (b · s + o)`, with `s` and `o` per output column.
fn affine_into_layer_before(graph: &mut FloatGraph, i: ValueId, uses: &[usize]) -> bool {
    let FloatOp::Affine { x, scale, offset } = &graph.nodes[i].op else { return false };
    let (chain, source) = shape_chain(graph, *x, uses);
    let FloatOp::MatMul { x: input, weight, bias } = &graph.nodes[source].op else { return false };
    if uses[source] != 1 {
        return false;
    }
    let n = weight.shape[1];
    // Upwards: every shape change is undone.
    let undo = |t: Tensor, r: ValueId| match &graph.nodes[r].op {
        FloatOp::Reshape { x } => t.reshaped(graph.nodes[*x].shape.clone()),
        FloatOp::Transpose { perm, .. } => {
            let mut inverse = vec![0; perm.len()];
            for (to, &from) in perm.iter().enumerate() {
                inverse[from] = to;
            }
            Some(t.transposed(&inverse))
        }
        _ => None,
    };
    let row = |t: &Option<Tensor>, default: f64| match t {
        Some(t) => as_row(t, &graph.nodes[i].shape, chain.iter().copied(), undo, n),
        None => Some(vec![default; n]),
    };
    let (Some(s), Some(o)) = (row(scale, 1.0), row(offset, 0.0)) else { return false };
    let mut weight = weight.clone();
    for (j, w) in weight.data.iter_mut().enumerate() {
        *w *= s[j % n];
    }
    let bias = (bias.is_some() || offset.is_some())
        .then(|| (0..n).map(|j| bias.as_ref().map_or(0.0, |b| b[j]) * s[j] + o[j]).collect());
    let (input, top) = (*input, *x);
    graph.nodes[source].op = FloatOp::MatMul { x: input, weight, bias };
    graph.nodes[i].op = FloatOp::Alias { x: top };
    true
}

/// `(x · s + o) · W + b = x · (s · W) + (o · W + b)`, with `s` and `o` per input column.
fn affine_into_layer_after(graph: &mut FloatGraph, i: ValueId, uses: &[usize]) -> bool {
    let FloatOp::MatMul { x, weight, bias } = &graph.nodes[i].op else { return false };
    let (chain, source) = shape_chain(graph, *x, uses);
    let FloatOp::Affine { x: input, scale, offset } = &graph.nodes[source].op else { return false };
    // With shapes in between, the affine step is bypassed for good, so nothing else may read it.
    if !chain.is_empty() && uses[source] != 1 {
        return false;
    }
    let (k, n) = (weight.shape[0], weight.shape[1]);
    let redo = |t: Tensor, r: ValueId| match &graph.nodes[r].op {
        FloatOp::Reshape { .. } => t.reshaped(graph.nodes[r].shape.clone()),
        FloatOp::Transpose { perm, .. } => Some(t.transposed(perm)),
        _ => None,
    };
    let row = |t: &Option<Tensor>, default: f64| match t {
        Some(t) => as_row(t, &graph.nodes[source].shape, chain.iter().rev().copied(), redo, k),
        None => Some(vec![default; k]),
    };
    let (Some(s), Some(o)) = (row(scale, 1.0), row(offset, 0.0)) else { return false };
    let bias = (bias.is_some() || offset.is_some()).then(|| {
        let mut b = bias.clone().unwrap_or_else(|| vec![0.0; n]);
        for (o, row) in o.iter().zip(weight.data.chunks_exact(n)) {
            for (b, w) in b.iter_mut().zip(row) {
                *b += o * w;
            }
        }
        b
    });
    let mut weight = weight.clone();
    for (s, row) in s.iter().zip(weight.data.chunks_exact_mut(n)) {
        row.iter_mut().for_each(|w| *w *= s);
    }
    let (input, top) = (*input, *x);
    match chain.last() {
        Some(&last) => {
            graph.nodes[last].op.map_operands(|_| input);
            graph.nodes[i].op = FloatOp::MatMul { x: top, weight, bias };
        }
        None => graph.nodes[i].op = FloatOp::MatMul { x: input, weight, bias },
    }
    true
}

fn merge_clamps(graph: &mut FloatGraph, i: ValueId) -> bool {
    let FloatOp::Clamp { x, lo, hi } = graph.nodes[i].op else { return false };
    if lo == f64::NEG_INFINITY && hi == f64::INFINITY {
        graph.nodes[i].op = FloatOp::Alias { x };
        return true;
    }
    let FloatOp::Clamp { x: inner, lo: a, hi: b } = graph.nodes[x].op else { return false };
    graph.nodes[i].op = FloatOp::Clamp { x: inner, lo: a.max(lo).min(hi), hi: b.max(lo).min(hi) };
    true
}

/// A clamp after a change of shape is the same change after the clamp.
fn clamp_before_shape(graph: &mut FloatGraph, i: ValueId, uses: &[usize]) -> bool {
    let FloatOp::Clamp { x: r, lo, hi } = graph.nodes[i].op else { return false };
    let (FloatOp::Reshape { x } | FloatOp::Transpose { x, .. }) = graph.nodes[r].op else { return false };
    if uses[r] != 1 {
        return false;
    }
    let mut shape_op = std::mem::replace(&mut graph.nodes[r].op, FloatOp::Clamp { x, lo, hi });
    shape_op.map_operands(|_| r);
    graph.nodes[i].op = shape_op;
    graph.nodes[r].shape = graph.nodes[x].shape.clone();
    let name = std::mem::take(&mut graph.nodes[i].name);
    graph.nodes[i].name = std::mem::replace(&mut graph.nodes[r].name, name);
    true
}

fn merge_shapes(graph: &mut FloatGraph, i: ValueId) -> bool {
    let merged = match &graph.nodes[i].op {
        FloatOp::Reshape { x } if graph.nodes[*x].shape == graph.nodes[i].shape => FloatOp::Alias { x: *x },
        FloatOp::Reshape { x } => match graph.nodes[*x].op {
            FloatOp::Reshape { x } => FloatOp::Reshape { x },
            _ => return false,
        },
        FloatOp::Transpose { x, perm } if perm.iter().copied().eq(0..perm.len()) => FloatOp::Alias { x: *x },
        FloatOp::Transpose { x, perm } => match &graph.nodes[*x].op {
            FloatOp::Transpose { x, perm: inner } => {
                FloatOp::Transpose { x: *x, perm: perm.iter().map(|&p| inner[p]).collect() }
            }
            _ => return false,
        },
        _ => return false,
    };
    graph.nodes[i].op = merged;
    true
}
