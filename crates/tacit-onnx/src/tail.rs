//! What follows the logits: recognised, named and taken off.

use tacit_model::OutputScale;

use crate::error::OnnxError;
use crate::function::Function;
use crate::graph::{FloatGraph, FloatOp, TailOp, ValueId};
use crate::tensor::Tensor;

/// What was taken off.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tail {
    pub(crate) scale: OutputScale,
    /// Name of the ONNX tensor that holds the logits.
    pub(crate) logits: String,
    /// Names of the ONNX nodes left out.
    pub(crate) dropped: Vec<String>,
}

/// Makes the logits the graph's output and removes what only serves the rest.
///
/// # Errors
/// [`OnnxError::Node`] names an operator that is supported at the end of a model only and stands elsewhere.
pub(crate) fn detach(graph: &mut FloatGraph) -> Result<Tail, OnnxError> {
    let fail = |graph: &FloatGraph, id: ValueId, what: &str| OnnxError::Node {
        node: graph.nodes[id].name.clone(),
        op: tail_name(&graph.nodes[id].op).to_owned(),
        what: what.to_owned(),
    };
    let mut scale = OutputScale::Plain;
    let mut dropped = Vec::new();
    let mut normalised = None;
    // A reshape is taken off only together with a tail operator before it.
    let mut passed = Vec::new();
    let mut at = graph.output;
    loop {
        let node = &graph.nodes[at];
        let next = match &node.op {
            FloatOp::Reshape { x } => {
                passed.push(node.name.clone());
                at = *x;
                continue;
            }
            FloatOp::Function { x, f: Function::Sigmoid } => {
                scale = OutputScale::SigmoidLogit;
                *x
            }
            // The probabilities `[1 - p, p]` that scikit-learn exports end in.
            FloatOp::Concat { parts, .. } => match complement(graph, parts) {
                Some((logit, left_out)) => {
                    scale = OutputScale::SigmoidLogit;
                    passed.extend(left_out);
                    logit
                }
                None => break,
            },
            FloatOp::Tail(op) => match op {
                TailOp::ArgMax { x } => *x,
                TailOp::Normaliser { x } => {
                    normalised = Some(at);
                    *x
                }
                TailOp::Softmax { x, group } => {
                    if *group != node.len() || *group < 2 {
                        return Err(fail(graph, at, "it must range over all outputs, and over at least two"));
                    }
                    scale = OutputScale::SoftmaxLogits;
                    *x
                }
            },
            _ => break,
        };
        dropped.append(&mut passed);
        dropped.push(node.name.clone());
        graph.output = next;
        at = next;
        if scale != OutputScale::Plain {
            break;
        }
    }
    if let Some(id) = normalised
        && scale == OutputScale::Plain
    {
        return Err(fail(graph, id, "it is supported only after a softmax or sigmoid"));
    }
    graph.compact();
    if let Some(id) = graph.nodes.iter().position(|n| matches!(n.op, FloatOp::Tail(_))) {
        return Err(fail(
            graph,
            id,
            "it is supported only as the last operator of a model, where it is left out",
        ));
    }
    let logits = graph.nodes[graph.output].tensor.clone();
    Ok(Tail { scale, logits, dropped })
}

/// The logit `z` where the parts are `1 - p` and `p = sigmoid(z)`, and the nodes that compute them from it.
fn complement(graph: &FloatGraph, parts: &[ValueId]) -> Option<(ValueId, [String; 2])> {
    let &[first, second] = parts else { return None };
    let FloatOp::Function { x: logit, f: Function::Sigmoid } = graph.nodes[second].op else { return None };
    let FloatOp::Affine { x, scale: Some(scale), offset: Some(offset) } = &graph.nodes[first].op else {
        return None;
    };
    let is = |t: &Tensor, v: f64| t.as_scalar() == Some(v);
    let single = graph.nodes[first].len() == 1 && graph.nodes[second].len() == 1;
    (single && *x == second && is(scale, -1.0) && is(offset, 1.0))
        .then(|| (logit, [second, first].map(|id| graph.nodes[id].name.clone())))
}

fn tail_name(op: &FloatOp) -> &'static str {
    match op {
        FloatOp::Tail(TailOp::Softmax { .. }) => "Softmax",
        FloatOp::Tail(TailOp::Normaliser { .. }) => "Normalizer",
        FloatOp::Tail(TailOp::ArgMax { .. }) => "ArgMax",
        _ => "operator",
    }
}
