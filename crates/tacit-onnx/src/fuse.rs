//! Functions that exporters write as several operators (a GELU by its error function, `x · sigmoid(x)`), put together again.
//!
//! Only functions with a name are: their constants are those of the definition, so that nothing of the file's numbers
//! becomes public.

use crate::function::Function;
use crate::graph::{FloatGraph, FloatOp, ValueId};
use crate::tensor::Tensor;

/// Most operators of one function.
const MAX_OPERATORS: usize = 16;

/// Replaces every such group by its function.
pub(crate) fn fuse(graph: &mut FloatGraph) {
    // From the end, so that the whole function is met before its parts.
    for i in (1..graph.nodes.len()).rev() {
        if let Some((x, f)) = recognise(graph, i) {
            graph.nodes[i].op = FloatOp::Function { x, f };
        }
    }
    graph.compact();
}

/// The function of one value that node `i` computes through several operators.
fn recognise(graph: &FloatGraph, i: ValueId) -> Option<(ValueId, Function)> {
    // A single operator has a name already.
    if !is_step(graph, i) {
        return None;
    }
    // Values that `i` follows from, each found from those after it.
    let mut group = vec![i];
    loop {
        let open = open_values(graph, &group);
        if let [x] = open[..]
            && group.len() > 1
            && let Some(f) = Function::recognise(|v| value(graph, &group, x, v))
        {
            return Some((x, f));
        }
        // The last open value cannot be what the others follow from.
        let next = *open.last()?;
        if group.len() == MAX_OPERATORS || !is_step(graph, next) {
            return None;
        }
        // In order, so that operands come before what reads them.
        let at = group.partition_point(|&g| g < next);
        group.insert(at, next);
    }
}

/// What the group reads and does not hold, in order.
fn open_values(graph: &FloatGraph, group: &[ValueId]) -> Vec<ValueId> {
    let mut open: Vec<ValueId> = group.iter().flat_map(|&g| graph.nodes[g].op.operands()).collect();
    open.retain(|x| !group.contains(x));
    open.sort_unstable();
    open.dedup();
    open
}

/// Whether node `i` works element by element and with single numbers.
fn is_step(graph: &FloatGraph, i: ValueId) -> bool {
    let single = |t: &Option<Tensor>| t.as_ref().is_none_or(|t| t.as_scalar().is_some());
    let node = &graph.nodes[i];
    let same_shape = node.op.operands().iter().all(|&x| graph.nodes[x].shape == node.shape);
    same_shape
        && match &node.op {
            FloatOp::Affine { scale, offset, .. } => single(scale) && single(offset),
            FloatOp::Sum { .. }
            | FloatOp::Product { .. }
            | FloatOp::Quotient { .. }
            | FloatOp::Clamp { .. }
            | FloatOp::Function { .. } => true,
            _ => false,
        }
}

/// The last of `group` where value `x` is `v`.
fn value(graph: &FloatGraph, group: &[ValueId], x: ValueId, v: f64) -> f64 {
    let mut known = vec![(x, v)];
    for &i in group {
        let of = |x: ValueId| known.iter().find(|(id, _)| *id == x).map_or(f64::NAN, |(_, v)| *v);
        let scalar = |t: &Option<Tensor>, default| t.as_ref().and_then(Tensor::as_scalar).unwrap_or(default);
        let result = match &graph.nodes[i].op {
            FloatOp::Affine { x, scale, offset } => of(*x) * scalar(scale, 1.0) + scalar(offset, 0.0),
            FloatOp::Sum { a, b, subtract } => of(*a) + if *subtract { -of(*b) } else { of(*b) },
            FloatOp::Product { a, b } => of(*a) * of(*b),
            FloatOp::Quotient { a, b } => of(*a) / of(*b),
            FloatOp::Clamp { x, lo, hi } => of(*x).max(*lo).min(*hi),
            FloatOp::Function { x, f } => f.value(of(*x)),
            _ => f64::NAN,
        };
        known.push((i, result));
    }
    known.last().map_or(f64::NAN, |(_, v)| *v)
}
