//! Rewriting the float graph into as few layers as possible, in `f64`.
//!
//! Consecutive affine steps (a scaler, a batch normalisation, added or multiplied constants) merge into one another and
//! into the layer before or after them, dense or convolution, across changes of shape where the constants allow it. Clamps
//! move up to the operator whose result they bound, so that the quantiser can do both in one requantisation.

use crate::convolution::Matrices;
use crate::error::OnnxError;
use crate::evaluate::moved;
use crate::graph::{FloatGraph, FloatOp, ValueId};
use crate::movement::{Fill, Movement};
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
            FloatOp::MatMul { weight, bias, .. } | FloatOp::Conv { weight, bias, .. } => {
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
        FloatOp::MatMul { .. } | FloatOp::Conv { .. } => affine_into_layer_after(graph, i, &uses),
        FloatOp::Clamp { .. } => merge_clamps(graph, i) || clamp_before_movement(graph, i, &uses),
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

/// Reshapes, transposes and (where `padded`) zero paddings from `x` upwards, each read by nothing else, and the value that
/// they start from.
fn shape_chain(graph: &FloatGraph, mut x: ValueId, uses: &[usize], padded: bool) -> (Vec<ValueId>, ValueId) {
    let mut chain = Vec::new();
    while uses[x] == 1 {
        let next = match &graph.nodes[x].op {
            FloatOp::Reshape { x } | FloatOp::Transpose { x, .. } => *x,
            FloatOp::Move { x, movement: Movement::Pad { fill: Fill::Zero, .. } } if padded => *x,
            _ => break,
        };
        chain.push(x);
        x = next;
    }
    (chain, x)
}

/// A constant that broadcasts to `shape`, carried to the other end of a chain of shape changes by `step`, as one
/// number per channel; `None` where it varies within a channel. NaN marks elements that may be anything.
fn per_channel(
    t: &Tensor,
    shape: &[usize],
    chain: impl Iterator<Item = ValueId>,
    step: impl Fn(Tensor, ValueId) -> Option<Tensor>,
    channels: usize,
    channel: impl Fn(usize) -> usize,
) -> Option<Vec<f64>> {
    if let Some(v) = t.as_scalar() {
        return Some(vec![v; channels]);
    }
    let mut t = t.broadcast_to(shape)?;
    for r in chain {
        t = step(t, r)?;
    }
    let mut out = vec![f64::NAN; channels];
    for (i, &v) in t.data.iter().enumerate() {
        let known = &mut out[channel(i)];
        if known.is_nan() {
            *known = v;
        } else if !v.is_nan() && *known != v {
            return None;
        }
    }
    Some(out)
}

/// Weight and bias of a layer.
fn layer_of(op: &mut FloatOp) -> Option<(&mut Tensor, &mut Option<Vec<f64>>)> {
    match op {
        FloatOp::MatMul { weight, bias, .. } | FloatOp::Conv { weight, bias, .. } => Some((weight, bias)),
        _ => None,
    }
}

/// `(x · W + b) · s + o = x · (W · s) + (b · s + o)`, with `s` and `o` per output channel.
fn affine_into_layer_before(graph: &mut FloatGraph, i: ValueId, uses: &[usize]) -> bool {
    let FloatOp::Affine { x, scale, offset } = &graph.nodes[i].op else { return false };
    let top = *x;
    let (chain, source) = shape_chain(graph, top, uses, false);
    let Some(m) = Matrices::of(&graph.nodes[source].op).filter(|_| uses[source] == 1) else { return false };
    // A dense layer's channels lie along the last axis, a convolution's along the first.
    let (outputs, len) = (m.outputs(), graph.nodes[source].len());
    let dense = matches!(graph.nodes[source].op, FloatOp::MatMul { .. });
    let channel = |j: usize| if dense { j % outputs } else { j / (len / outputs) };
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
        Some(t) => per_channel(t, &graph.nodes[i].shape, chain.iter().copied(), undo, outputs, channel),
        None => Some(vec![default; outputs]),
    };
    let (Some(s), Some(o)) = (row(scale, 1.0), row(offset, 0.0)) else { return false };
    let has_offset = offset.is_some();
    let Some((weight, bias)) = layer_of(&mut graph.nodes[source].op) else { return false };
    for (j, w) in weight.data.iter_mut().enumerate() {
        *w *= s[m.output(j)];
    }
    if bias.is_some() || has_offset {
        let old = bias.take().unwrap_or_else(|| vec![0.0; outputs]);
        *bias = Some(old.iter().zip(&s).zip(&o).map(|((b, s), o)| b * s + o).collect());
    }
    graph.nodes[i].op = FloatOp::Alias { x: top };
    true
}

/// `(x · s + o) · W + b = x · (s · W) + (o · W + b)`, with `s` and `o` per input channel.
fn affine_into_layer_after(graph: &mut FloatGraph, i: ValueId, uses: &[usize]) -> bool {
    let Some(m) = Matrices::of(&graph.nodes[i].op) else { return false };
    let top = graph.nodes[i].op.operands()[0];
    let (mut chain, mut source) = shape_chain(graph, top, uses, true);
    let has_offset = |op: &FloatOp| matches!(op, FloatOp::Affine { offset: Some(_), .. });
    if has_offset(&graph.nodes[source].op) {
        // A padding is zero after the offset and would not be zero before it.
        (chain, source) = shape_chain(graph, top, uses, false);
    }
    let FloatOp::Affine { x: input, scale, offset } = &graph.nodes[source].op else { return false };
    // With shapes in between, the affine step is bypassed for good, so nothing else may read it.
    if !chain.is_empty() && uses[source] != 1 {
        return false;
    }
    let (inputs, len) = (m.inputs(), graph.nodes[top].len());
    let dense = matches!(graph.nodes[i].op, FloatOp::MatMul { .. });
    let channel = |j: usize| if dense { j % inputs } else { j / (len / inputs) };
    let redo = |t: Tensor, r: ValueId| match &graph.nodes[r].op {
        FloatOp::Reshape { .. } => t.reshaped(graph.nodes[r].shape.clone()),
        FloatOp::Transpose { perm, .. } => Some(t.transposed(perm)),
        FloatOp::Move { movement, .. } => {
            let shape = graph.nodes[r].shape.clone();
            let data = moved(&t.data, &movement.sources(&t.shape, &shape), f64::NAN);
            Some(Tensor { shape, data })
        }
        _ => None,
    };
    let row = |t: &Option<Tensor>, default: f64| match t {
        Some(t) => {
            let chain = chain.iter().rev().copied();
            per_channel(t, &graph.nodes[source].shape, chain, redo, inputs, channel)
        }
        None => Some(vec![default; inputs]),
    };
    let (Some(s), Some(o)) = (row(scale, 1.0), row(offset, 0.0)) else { return false };
    let (input, has_offset) = (*input, offset.is_some());
    let Some((weight, bias)) = layer_of(&mut graph.nodes[i].op) else { return false };
    if has_offset {
        let b = bias.get_or_insert_with(|| vec![0.0; m.outputs()]);
        for (j, w) in weight.data.iter().enumerate() {
            b[m.output(j)] += o[m.input(j)] * w;
        }
    }
    for (j, w) in weight.data.iter_mut().enumerate() {
        *w *= s[m.input(j)];
    }
    let bypassed = chain.last().copied().unwrap_or(i);
    graph.nodes[bypassed].op.map_operands(|_| input);
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

/// A clamp after a movement or a maximum is the same after the clamp.
fn clamp_before_movement(graph: &mut FloatGraph, i: ValueId, uses: &[usize]) -> bool {
    let FloatOp::Clamp { x: r, lo, hi } = graph.nodes[i].op else { return false };
    let x = match &graph.nodes[r].op {
        FloatOp::Move { movement: Movement::Pad { fill: Fill::Zero, .. }, .. } if lo > 0.0 || hi < 0.0 => {
            return false;
        }
        FloatOp::Reshape { x }
        | FloatOp::Transpose { x, .. }
        | FloatOp::Move { x, .. }
        | FloatOp::Largest { x, .. } => *x,
        _ => return false,
    };
    if uses[r] != 1 {
        return false;
    }
    let mut movement = std::mem::replace(&mut graph.nodes[r].op, FloatOp::Clamp { x, lo, hi });
    movement.map_operands(|_| r);
    graph.nodes[i].op = movement;
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
