//! Softmax and norms that are part of a model, written out as the operators that they are made of.

use crate::function::Function;
use crate::graph::{FloatGraph, FloatNode, FloatOp, Norm, TailOp, ValueId};
use crate::tensor::Tensor;

/// Replaces every softmax and every division by a norm.
pub(crate) fn write_out(graph: &mut FloatGraph) {
    let mut writer = Writer { nodes: Vec::with_capacity(graph.nodes.len()) };
    let mut target: Vec<ValueId> = Vec::with_capacity(graph.nodes.len());
    for mut node in std::mem::take(&mut graph.nodes) {
        node.op.map_operands(|x| target[x]);
        target.push(match node.op {
            FloatOp::Tail(TailOp::Softmax { x, group, log: false }) => writer.softmax(&node, x, group),
            FloatOp::Tail(TailOp::Normaliser { x, norm }) => writer.normaliser(&node, x, norm),
            _ => {
                writer.nodes.push(node);
                writer.nodes.len() - 1
            }
        });
    }
    graph.output = target[graph.output];
    graph.nodes = writer.nodes;
}

struct Writer {
    nodes: Vec<FloatNode>,
}

impl Writer {
    fn push(&mut self, of: &FloatNode, op: FloatOp, shape: &[usize]) -> ValueId {
        let (name, tensor) = (of.name.clone(), of.tensor.clone());
        self.nodes.push(FloatNode { op, shape: shape.to_vec(), name, tensor });
        self.nodes.len() - 1
    }

    /// `e^(x - max) / Σ e^(x - max)` over `group` neighbours at a time.
    fn softmax(&mut self, of: &FloatNode, x: ValueId, group: usize) -> ValueId {
        let rows = of.len() / group;
        let (all, each) = ([rows, group], [rows, 1]);
        let x = self.push(of, FloatOp::Reshape { x }, &all);
        let largest = self.push(of, FloatOp::Largest { x, axes: 1 }, &[rows]);
        let largest = self.push(of, FloatOp::Reshape { x: largest }, &each);
        let below = self.push(of, FloatOp::Sum { a: x, b: largest, subtract: true }, &all);
        let powers = self.push(of, FloatOp::Function { x: below, f: Function::Decay }, &all);
        let total = FloatOp::Total { x: powers, axes: 1, by: Tensor::scalar(1.0) };
        let total = self.push(of, total, &[rows]);
        let total = self.push(of, FloatOp::Reshape { x: total }, &each);
        let shares = self.push(of, FloatOp::Quotient { a: powers, b: total }, &all);
        let shares = self.push(of, FloatOp::Clamp { x: shares, lo: 0.0, hi: 1.0 }, &all);
        self.push(of, FloatOp::Reshape { x: shares }, &of.shape)
    }

    /// `x / |x|`.
    fn normaliser(&mut self, of: &FloatNode, x: ValueId, norm: Norm) -> ValueId {
        let n = of.len();
        let x = self.push(of, FloatOp::Reshape { x }, &[1, n]);
        let parts = match norm {
            Norm::L1 | Norm::Max => FloatOp::Function { x, f: Function::Abs },
            Norm::L2 => FloatOp::Product { a: x, b: x },
        };
        let parts = self.push(of, parts, &[1, n]);
        let size = match norm {
            Norm::Max => FloatOp::Largest { x: parts, axes: 1 },
            Norm::L1 | Norm::L2 => FloatOp::Total { x: parts, axes: 1, by: Tensor::scalar(1.0) },
        };
        let mut size = self.push(of, size, &[1]);
        if norm == Norm::L2 {
            size = self.push(of, FloatOp::Function { x: size, f: Function::Sqrt }, &[1]);
        }
        let quotient = self.push(of, FloatOp::Quotient { a: x, b: size }, &[1, n]);
        self.push(of, FloatOp::Reshape { x: quotient }, &of.shape)
    }
}
