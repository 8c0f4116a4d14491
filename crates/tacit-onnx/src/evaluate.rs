//! Running the float graph, with everything that does not depend on the record worked out once.

use crate::convolution::{Matrices, Patches};
use crate::graph::{FloatGraph, FloatOp, ValueId};
use crate::movement::{Fill, Movement, NOWHERE};
use crate::tensor::{Tensor, transpose_map};

/// A graph ready to be run on many records.
pub(crate) struct Runner<'a> {
    graph: &'a FloatGraph,
    plans: Vec<Plan>,
}

/// What a node needs beside its operands.
pub(crate) enum Plan {
    Nothing,
    /// For each operand or constant the index of the element that meets each element of the result; none where they
    /// meet in order.
    Indices(Vec<Vec<u32>>),
    Patches(Patches),
}

/// Indices that broadcast a value of shape `from` to `to`; empty where nothing is repeated.
fn broadcast(from: &[usize], to: &[usize]) -> Vec<u32> {
    let count = |s: &[usize]| s.iter().product::<usize>();
    if count(from) == count(to) { Vec::new() } else { Movement::Broadcast.sources(from, to) }
}

fn at(indices: &[u32], i: usize) -> usize {
    indices.get(i).map_or(i, |&j| j as usize)
}

impl Plan {
    /// Of node `i` of `graph`.
    pub(crate) fn new(graph: &FloatGraph, i: ValueId) -> Self {
        let (node, shape) = (&graph.nodes[i], |x: ValueId| &graph.nodes[x].shape);
        let to = &node.shape;
        match &node.op {
            FloatOp::Affine { scale, offset, .. } => {
                let of = |t: &Option<Tensor>| t.as_ref().map_or_else(Vec::new, |t| broadcast(&t.shape, to));
                Self::Indices(vec![of(scale), of(offset)])
            }
            FloatOp::Sum { a, b, .. } | FloatOp::Product { a, b } | FloatOp::Quotient { a, b } => {
                Self::Indices(vec![broadcast(shape(*a), to), broadcast(shape(*b), to)])
            }
            FloatOp::Transpose { x, perm } => {
                Self::Indices(vec![transpose_map(shape(*x), perm).into_iter().map(|j| j as u32).collect()])
            }
            FloatOp::Move { x, movement } => Self::Indices(vec![movement.sources(shape(*x), to)]),
            FloatOp::Total { by, .. } => Self::Indices(vec![broadcast(&by.shape, to)]),
            FloatOp::Conv { x, weight, strides, dilations, .. } => {
                Self::Patches(Patches::new(shape(*x), &weight.shape, strides, dilations, &to[1..]))
            }
            _ => Self::Nothing,
        }
    }

    /// Indices of operand `i`.
    pub(crate) fn indices(&self, i: usize) -> &[u32] {
        match self {
            Self::Indices(all) => all.get(i).map_or(&[], Vec::as_slice),
            _ => &[],
        }
    }
}

impl<'a> Runner<'a> {
    pub(crate) fn new(graph: &'a FloatGraph) -> Self {
        Self { graph, plans: (0..graph.nodes.len()).map(|i| Plan::new(graph, i)).collect() }
    }

    /// Every value for one record of real numbers.
    ///
    /// The tail operators have no value here: they are taken off before anything is evaluated.
    pub(crate) fn run(&self, record: &[f64]) -> Vec<Vec<f64>> {
        let mut values: Vec<Vec<f64>> = Vec::with_capacity(self.graph.nodes.len());
        for (i, plan) in self.plans.iter().enumerate() {
            let out = match &self.graph.nodes[i].op {
                FloatOp::Input => record.to_vec(),
                op => {
                    let operands: Vec<&[f64]> = op.operands().iter().map(|&x| &values[x][..]).collect();
                    self.node(i, op, plan, &operands)
                }
            };
            values.push(out);
        }
        values
    }

    fn node(&self, i: ValueId, op: &FloatOp, plan: &Plan, operands: &[&[f64]]) -> Vec<f64> {
        let len = self.graph.nodes[i].len();
        let x = operands.first().copied().unwrap_or_default();
        match op {
            FloatOp::MatMul { weight, bias, .. } => {
                let [rows, columns] = weight.shape[..] else { return Vec::new() };
                let matrices = Matrices { groups: 1, rows, columns, taps: 1 };
                matrices.apply(x, &weight.data, bias.as_deref())
            }
            FloatOp::Conv { weight, bias, .. } => match plan {
                Plan::Patches(patches) => patches.convolve(x, &weight.data, bias.as_deref()),
                _ => Vec::new(),
            },
            FloatOp::Affine { scale, offset, .. } => {
                let (s, o) = (plan.indices(0), plan.indices(1));
                let of = |t: &Option<Tensor>, indices: &[u32], j: usize, default: f64| {
                    t.as_ref().map_or(default, |t| t.data[at(indices, j)])
                };
                let one = |(j, v): (usize, &f64)| v * of(scale, s, j, 1.0) + of(offset, o, j, 0.0);
                x.iter().enumerate().map(one).collect()
            }
            FloatOp::Sum { subtract, .. } => {
                let sign = if *subtract { -1.0 } else { 1.0 };
                combine(plan, len, operands, |x, y| x + sign * y)
            }
            FloatOp::Product { .. } => combine(plan, len, operands, |x, y| x * y),
            FloatOp::Quotient { .. } => {
                combine(plan, len, operands, |x, y| if y == 0.0 { 0.0 } else { x / y })
            }
            FloatOp::Step { or_equal, .. } => {
                x.iter().map(|&v| f64::from(v > 0.0 || *or_equal && v == 0.0)).collect()
            }
            FloatOp::Clamp { lo, hi, .. } => x.iter().map(|v| v.max(*lo).min(*hi)).collect(),
            FloatOp::Reshape { .. } | FloatOp::Alias { .. } => x.to_vec(),
            FloatOp::Transpose { .. } | FloatOp::Move { .. } => {
                let fill = match op {
                    FloatOp::Move { movement: Movement::Pad { fill, .. }, .. } => *fill,
                    _ => Fill::Zero,
                };
                moved(x, plan.indices(0), fill.value())
            }
            FloatOp::Concat { axis, .. } => concat(operands, &self.graph.nodes[i].shape, *axis),
            FloatOp::Total { by, .. } => {
                let sums = x.chunks_exact(x.len() / len).map(|group| group.iter().sum::<f64>());
                sums.enumerate().map(|(j, sum)| sum * by.data[at(plan.indices(0), j)]).collect()
            }
            FloatOp::Largest { .. } => largest(x, len),
            FloatOp::Function { f, .. } => x.iter().map(|&v| f.value(v)).collect(),
            FloatOp::Input | FloatOp::Tail(_) => Vec::new(),
        }
    }
}

/// `f` of two values that are broadcast to `len` elements.
pub(crate) fn combine(plan: &Plan, len: usize, operands: &[&[f64]], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let [a, b] = operands else { return Vec::new() };
    let (ia, ib) = (plan.indices(0), plan.indices(1));
    (0..len).map(|j| f(a[at(ia, j)], b[at(ib, j)])).collect()
}

/// Elements from where `indices` say, `fill` from nowhere.
pub(crate) fn moved(x: &[f64], indices: &[u32], fill: f64) -> Vec<f64> {
    indices.iter().map(|&j| if j == NOWHERE { fill } else { x[j as usize] }).collect()
}

/// Values side by side along `axis` of a result of shape `shape`.
pub(crate) fn concat(parts: &[&[f64]], shape: &[usize], axis: usize) -> Vec<f64> {
    let lead: usize = shape[..axis].iter().product();
    let mut out = Vec::with_capacity(shape.iter().product());
    for i in 0..lead {
        for part in parts {
            let each = part.len() / lead;
            out.extend_from_slice(&part[i * each..(i + 1) * each]);
        }
    }
    out
}

/// The largest of each of `len` groups of neighbours.
pub(crate) fn largest(x: &[f64], len: usize) -> Vec<f64> {
    let max = |group: &[f64]| group.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    x.chunks_exact(x.len() / len).map(max).collect()
}
