//! The float graph: what an ONNX file computes for one sample, in `f64`, with every constant resolved.

use crate::convolution::Matrices;
use crate::function::Function;
use crate::movement::Movement;
use crate::tensor::Tensor;

/// Index of a node of a [`FloatGraph`]; also names its value.
pub(crate) type ValueId = usize;

/// An operator over real numbers. Shapes are per sample.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FloatOp {
    /// The record.
    Input,
    /// `y[.., n] = Σ_k x[.., k] · weight[k, n] + bias[n]`.
    MatMul { x: ValueId, weight: Tensor, bias: Option<Vec<f64>> },
    /// Correlation over the last axes, as [`tacit_model::Op::Conv`] defines it: `weight` has the shape
    /// `[groups, channels, kernel.., outputs]`, `bias` one number per output channel.
    Conv { x: ValueId, weight: Tensor, bias: Option<Vec<f64>>, strides: Vec<usize>, dilations: Vec<usize> },
    /// `y = x · scale + offset`; both broadcast to the shape of `x`.
    Affine { x: ValueId, scale: Option<Tensor>, offset: Option<Tensor> },
    /// `y = a + b`, or `a - b`, with broadcasting.
    Sum { a: ValueId, b: ValueId, subtract: bool },
    /// `y = a · b`, with broadcasting.
    Product { a: ValueId, b: ValueId },
    /// `y = a / b`, with broadcasting; 0 where `b` is 0.
    Quotient { a: ValueId, b: ValueId },
    /// 1 where `x` is above zero (or, with `or_equal`, zero), else 0.
    Step { x: ValueId, or_equal: bool },
    /// `y = min(max(x, lo), hi)`; the bounds may be infinite.
    Clamp { x: ValueId, lo: f64, hi: f64 },
    /// Same elements in row-major order under the node's shape.
    Reshape { x: ValueId },
    /// `y.shape[i] = x.shape[perm[i]]`.
    Transpose { x: ValueId, perm: Vec<usize> },
    /// Elements at other places, in another number.
    Move { x: ValueId, movement: Movement },
    /// Values side by side along an axis.
    Concat { parts: Vec<ValueId>, axis: usize },
    /// `y = by ⊙ Σ x` over the last axes; `by` follows from shapes alone and broadcasts to the node's shape.
    Total { x: ValueId, axes: usize, by: Tensor },
    /// Largest over the last axes.
    Largest { x: ValueId, axes: usize },
    /// `y = f(x)` elementwise.
    Function { x: ValueId, f: Function },
    /// Another name for a value; left by rewriting, gone after [`FloatGraph::compact`].
    Alias { x: ValueId },
    /// Operators that mostly end a model: [`crate::tail`] takes them off there, and writes them out elsewhere.
    Tail(TailOp),
}

/// What may follow the logits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TailOp {
    /// Softmax, or its logarithm, over `group` elements at a time.
    Softmax { x: ValueId, group: usize, log: bool },
    /// Scores divided by their norm.
    Normaliser { x: ValueId, norm: Norm },
    /// Index of the largest, the lowest on a tie.
    ArgMax { x: ValueId },
}

/// What a vector is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Norm {
    /// Sum of the magnitudes.
    L1,
    /// Root of the sum of squares.
    L2,
    /// Largest magnitude.
    Max,
}

impl FloatOp {
    /// The values that the operator reads.
    pub(crate) fn operands(&self) -> Vec<ValueId> {
        match self {
            Self::Input => Vec::new(),
            Self::MatMul { x, .. }
            | Self::Conv { x, .. }
            | Self::Affine { x, .. }
            | Self::Clamp { x, .. }
            | Self::Step { x, .. }
            | Self::Reshape { x }
            | Self::Transpose { x, .. }
            | Self::Move { x, .. }
            | Self::Total { x, .. }
            | Self::Largest { x, .. }
            | Self::Function { x, .. }
            | Self::Alias { x }
            | Self::Tail(TailOp::Softmax { x, .. } | TailOp::Normaliser { x, .. } | TailOp::ArgMax { x }) => {
                vec![*x]
            }
            Self::Sum { a, b, .. } | Self::Product { a, b } | Self::Quotient { a, b } => vec![*a, *b],
            Self::Concat { parts, .. } => parts.clone(),
        }
    }

    /// Replaces every operand by its image.
    pub(crate) fn map_operands(&mut self, f: impl Fn(ValueId) -> ValueId) {
        match self {
            Self::Input => {}
            Self::MatMul { x, .. }
            | Self::Conv { x, .. }
            | Self::Affine { x, .. }
            | Self::Clamp { x, .. }
            | Self::Step { x, .. }
            | Self::Reshape { x }
            | Self::Transpose { x, .. }
            | Self::Move { x, .. }
            | Self::Total { x, .. }
            | Self::Largest { x, .. }
            | Self::Function { x, .. }
            | Self::Alias { x }
            | Self::Tail(TailOp::Softmax { x, .. } | TailOp::Normaliser { x, .. } | TailOp::ArgMax { x }) => {
                *x = f(*x)
            }
            Self::Sum { a, b, .. } | Self::Product { a, b } | Self::Quotient { a, b } => {
                *a = f(*a);
                *b = f(*b);
            }
            Self::Concat { parts, .. } => parts.iter_mut().for_each(|x| *x = f(*x)),
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
    /// About how many multiplications one record takes, at least one.
    pub(crate) fn work(&self) -> usize {
        let of = |n: &FloatNode| n.len().saturating_mul(Matrices::of(&n.op).map_or(1, |m| m.rows));
        self.nodes.iter().map(of).fold(1, usize::saturating_add)
    }

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

    /// For each value the node that reads it, where that is a single one and it is not the output.
    pub(crate) fn sole_readers(&self) -> Vec<Option<ValueId>> {
        let uses = self.uses();
        let mut readers = vec![None; self.nodes.len()];
        for (j, node) in self.nodes.iter().enumerate() {
            for x in node.op.operands() {
                readers[x] = (uses[x] == 1).then_some(j);
            }
        }
        readers
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
}
