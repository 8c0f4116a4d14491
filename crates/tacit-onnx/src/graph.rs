//! The float graph: what an ONNX file computes for one sample, in `f64`, with every constant resolved.

use tacit_model::{broadcast_index, broadcast_shapes};

use crate::tensor::{Tensor, transpose_map};

/// Index of a node of a [`FloatGraph`]; also names its value.
pub(crate) type ValueId = usize;

/// An operator over real numbers. Shapes are per sample.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FloatOp {
    /// The record.
    Input,
    /// `y[.., n] = Σ_k x[.., k] · weight[k, n] + bias[n]`.
    MatMul { x: ValueId, weight: Tensor, bias: Option<Vec<f64>> },
    /// `y = x · scale + offset`; both broadcast to the shape of `x`.
    Affine { x: ValueId, scale: Option<Tensor>, offset: Option<Tensor> },
    /// `y = a + b`, or `a - b`, with broadcasting.
    Sum { a: ValueId, b: ValueId, subtract: bool },
    /// `y = a · b`, with broadcasting.
    Product { a: ValueId, b: ValueId },
    /// `y = min(max(x, lo), hi)`; the bounds may be infinite.
    Clamp { x: ValueId, lo: f64, hi: f64 },
    /// Same elements in row-major order under the node's shape.
    Reshape { x: ValueId },
    /// `y.shape[i] = x.shape[perm[i]]`.
    Transpose { x: ValueId, perm: Vec<usize> },
    /// Another name for a value; left by rewriting, gone after [`FloatGraph::compact`].
    Alias { x: ValueId },
    /// Operators that only ever end a model; [`crate::tail`] takes them off.
    Tail(TailOp),
}

/// What may follow the logits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TailOp {
    /// Softmax or its logarithm over `group` elements at a time.
    Softmax { x: ValueId, group: usize },
    /// Elementwise logistic function.
    Sigmoid { x: ValueId },
    /// Two values side by side on the last axis.
    Pair { first: ValueId, second: ValueId },
    /// Scores divided by their sum.
    Normaliser { x: ValueId },
    /// Index of the largest, the lowest on a tie.
    ArgMax { x: ValueId },
}

impl FloatOp {
    /// The values that the operator reads.
    pub(crate) fn operands(&self) -> Vec<ValueId> {
        match self {
            Self::Input => Vec::new(),
            Self::MatMul { x, .. }
            | Self::Affine { x, .. }
            | Self::Clamp { x, .. }
            | Self::Reshape { x }
            | Self::Transpose { x, .. }
            | Self::Alias { x }
            | Self::Tail(TailOp::Softmax { x, .. } | TailOp::Sigmoid { x } | TailOp::Normaliser { x })
            | Self::Tail(TailOp::ArgMax { x }) => vec![*x],
            Self::Sum { a, b, .. } | Self::Product { a, b } => vec![*a, *b],
            Self::Tail(TailOp::Pair { first, second }) => vec![*first, *second],
        }
    }

    /// Replaces every operand by its image.
    pub(crate) fn map_operands(&mut self, f: impl Fn(ValueId) -> ValueId) {
        match self {
            Self::Input => {}
            Self::MatMul { x, .. }
            | Self::Affine { x, .. }
            | Self::Clamp { x, .. }
            | Self::Reshape { x }
            | Self::Transpose { x, .. }
            | Self::Alias { x }
            | Self::Tail(TailOp::Softmax { x, .. } | TailOp::Sigmoid { x } | TailOp::Normaliser { x })
            | Self::Tail(TailOp::ArgMax { x }) => *x = f(*x),
            Self::Sum { a, b, .. } | Self::Product { a, b } => {
                *a = f(*a);
                *b = f(*b);
            }
            Self::Tail(TailOp::Pair { first, second }) => {
                *first = f(*first);
                *second = f(*second);
            }
        }
    }
}

/// A node: its operator, the shape of its value per sample, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FloatNode {
    pub(crate) op: FloatOp,
    pub(crate) shape: Vec<usize>,
    /// Name of the ONNX node, for reports and errors.
    pub(crate) name: String,
    /// Name of the ONNX tensor that holds this value.
    pub(crate) tensor: String,
}

impl FloatNode {
    /// Elements per sample.
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A graph in evaluation order; node 0 is the record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FloatGraph {
    pub(crate) nodes: Vec<FloatNode>,
    pub(crate) output: ValueId,
}

impl FloatGraph {
    /// How many operators read each value; the output counts as read once more.
    pub(crate) fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.nodes.len()];
        for node in &self.nodes {
            for x in node.op.operands() {
                uses[x] += 1;
            }
        }
        uses[self.output] += 1;
        uses
    }

    /// Removes aliases and every node that the output does not depend on. The record stays node 0.
    pub(crate) fn compact(&mut self) {
        // Operands precede their node, so one pass forward resolves chains of aliases.
        let mut target: Vec<ValueId> = (0..self.nodes.len()).collect();
        for i in 0..self.nodes.len() {
            self.nodes[i].op.map_operands(|x| target[x]);
            if let FloatOp::Alias { x } = self.nodes[i].op {
                target[i] = x;
            }
        }
        self.output = target[self.output];
        let mut live = vec![false; self.nodes.len()];
        live[0] = true;
        live[self.output] = true;
        for i in (0..self.nodes.len()).rev() {
            if live[i] {
                for x in self.nodes[i].op.operands() {
                    live[x] = true;
                }
            }
        }
        let mut index = vec![0; self.nodes.len()];
        let mut kept = Vec::with_capacity(self.nodes.len());
        for (i, mut node) in std::mem::take(&mut self.nodes).into_iter().enumerate() {
            if live[i] {
                node.op.map_operands(|x| index[x]);
                index[i] = kept.len();
                kept.push(node);
            }
        }
        self.nodes = kept;
        self.output = index[self.output];
    }

    /// Every value for one record of real numbers.
    ///
    /// The tail operators have no value here: they are taken off before anything is evaluated.
    pub(crate) fn evaluate(&self, record: &[f64]) -> Vec<Vec<f64>> {
        let mut values: Vec<Vec<f64>> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let out = match &node.op {
                FloatOp::Input => record.to_vec(),
                FloatOp::MatMul { x, weight, bias } => mat_mul(&values[*x], weight, bias.as_deref()),
                FloatOp::Affine { x, scale, offset } => {
                    let at = |t: &Option<Tensor>, i: usize, default: f64| {
                        t.as_ref().map_or(default, |t| t.data[broadcast_index(i, &node.shape, &t.shape)])
                    };
                    let x = values[*x].iter().enumerate();
                    x.map(|(i, v)| v * at(scale, i, 1.0) + at(offset, i, 0.0)).collect()
                }
                FloatOp::Sum { a, b, subtract } => {
                    let sign = if *subtract { -1.0 } else { 1.0 };
                    self.binary(&values, (*a, *b), &node.shape, |x, y| x + sign * y)
                }
                FloatOp::Product { a, b } => self.binary(&values, (*a, *b), &node.shape, |x, y| x * y),
                FloatOp::Clamp { x, lo, hi } => values[*x].iter().map(|v| v.max(*lo).min(*hi)).collect(),
                FloatOp::Reshape { x } | FloatOp::Alias { x } => values[*x].clone(),
                FloatOp::Transpose { x, perm } => {
                    let map = transpose_map(&self.nodes[*x].shape, perm);
                    map.into_iter().map(|i| values[*x][i]).collect()
                }
                FloatOp::Tail(_) => Vec::new(),
            };
            values.push(out);
        }
        values
    }

    fn binary(
        &self,
        values: &[Vec<f64>],
        (a, b): (ValueId, ValueId),
        shape: &[usize],
        f: impl Fn(f64, f64) -> f64,
    ) -> Vec<f64> {
        let (sa, sb) = (&self.nodes[a].shape, &self.nodes[b].shape);
        debug_assert_eq!(broadcast_shapes(sa, sb).as_deref(), Some(shape));
        (0..shape.iter().product())
            .map(|i| f(values[a][broadcast_index(i, shape, sa)], values[b][broadcast_index(i, shape, sb)]))
            .collect()
    }
}

/// `x` of shape `[.., k]`, flat, times `weight` of shape `[k, n]`, plus `bias`.
pub(crate) fn mat_mul(x: &[f64], weight: &Tensor, bias: Option<&[f64]>) -> Vec<f64> {
    let (k, n) = (weight.shape[0], weight.shape[1]);
    let mut out = Vec::with_capacity(x.len() / k * n);
    for row in x.chunks_exact(k) {
        let start = out.len();
        match bias {
            Some(b) => out.extend_from_slice(b),
            None => out.resize(start + n, 0.0),
        }
        for (a, w_row) in row.iter().zip(weight.data.chunks_exact(n)) {
            for (y, w) in out[start..].iter_mut().zip(w_row) {
                *y += a * w;
            }
        }
    }
    out
}
