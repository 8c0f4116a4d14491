//! What follows the logits: recognised, named and taken off.

use tacit_model::OutputScale;

use crate::error::OnnxError;
use crate::expand;
use crate::function::Function;
use crate::graph::{FloatGraph, FloatNode, FloatOp, Norm, TailOp, ValueId};
use crate::tensor::Tensor;

/// What was taken off.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tail {
    pub(crate) scale: OutputScale,
    /// Whether probabilities were taken off that do not follow from the outputs, each from its own.
    pub(crate) probabilities_lost: bool,
    /// Name of the ONNX tensor that holds the logits.
    pub(crate) logits: String,
    /// Whether that tensor holds the second of two probabilities, and the graph gives both.
    pub(crate) one_of_two: bool,
    /// Names of the ONNX nodes left out.
    pub(crate) dropped: Vec<String>,
}

impl Tail {
    /// The graph's outputs, of those of the ONNX tensor.
    pub(crate) fn outputs(&self, rows: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        let both = |row: Vec<f64>| row.into_iter().flat_map(|p| [1.0 - p, p]).collect();
        if self.one_of_two { rows.into_iter().map(both).collect() } else { rows }
    }
}

/// Makes the logits the graph's output and removes what only serves the rest; with `probabilities` a final softmax or
/// sigmoid stays, and of one sigmoid for two `classes` both classes' probabilities are the output.
///
/// # Errors
/// [`OnnxError::Node`] names an operator that is supported at the end of a model only and stands elsewhere.
pub(crate) fn detach(graph: &mut FloatGraph, probabilities: bool, classes: usize) -> Result<Tail, OnnxError> {
    let fail = |graph: &FloatGraph, id: ValueId, what: &str| OnnxError::Node {
        node: graph.nodes[id].name.clone(),
        op: tail_name(&graph.nodes[id].op).to_owned(),
        what: what.to_owned(),
    };
    let mut scale = OutputScale::Plain;
    // Where probabilities begin: the output of the softmax, or what is made of a sigmoid.
    let mut first = graph.output;
    let mut dropped = Vec::new();
    let mut normalised = None;
    let mut sums_to_one = true;
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
                TailOp::Normaliser { x, norm } => {
                    normalised.get_or_insert((at, dropped.len()));
                    sums_to_one &= *norm == Norm::L1;
                    *x
                }
                TailOp::Softmax { x, group, .. } => {
                    // One of several distributions is part of the model.
                    if *group != node.len() || *group < 2 {
                        break;
                    }
                    scale = OutputScale::SoftmaxLogits;
                    *x
                }
            },
            _ => break,
        };
        first = at;
        dropped.append(&mut passed);
        dropped.push(node.name.clone());
        graph.output = next;
        at = next;
        if scale != OutputScale::Plain {
            break;
        }
    }
    if let Some((id, before)) = normalised
        && scale == OutputScale::Plain
    {
        // Only after a softmax or sigmoid does it leave the classes in their order.
        graph.output = id;
        dropped.truncate(before);
    }
    let (mut one_of_two, mut probabilities_lost) = (false, false);
    if probabilities {
        // Several sigmoids are divided by their sum.
        let first = normalised.map_or(first, |(id, _)| id);
        one_of_two = keep_probabilities(graph, first, scale, classes)?;
        scale = OutputScale::Probabilities;
        // What follows them picks a class, or names them.
        let kept = dropped.iter().position(|name| graph.nodes[first].name == *name);
        dropped.truncate(kept.unwrap_or(dropped.len()));
    } else if normalised.is_some() {
        // Divided by their sum, several sigmoids are no probabilities that a logit alone says; a softmax and a sigmoid with
        // its complement add up to one already.
        let added = scale == OutputScale::SoftmaxLogits || graph.nodes[graph.output].len() == 1;
        if scale != OutputScale::Plain && !(added && sums_to_one) {
            scale = OutputScale::Plain;
            probabilities_lost = true;
        }
    }
    graph.compact();
    expand::write_out(graph);
    if let Some(id) = graph.nodes.iter().position(|n| matches!(n.op, FloatOp::Tail(_))) {
        return Err(fail(
            graph,
            id,
            "it is supported only as the last operator of a model, where it is left out",
        ));
    }
    let logits = graph.nodes[graph.output].tensor.clone();
    Ok(Tail { scale, probabilities_lost, logits, one_of_two, dropped })
}

/// Makes the probabilities that begin at node `first` the output; whether it is the second of two, and both are given.
fn keep_probabilities(
    graph: &mut FloatGraph,
    first: ValueId,
    scale: OutputScale,
    classes: usize,
) -> Result<bool, OnnxError> {
    let node = graph.nodes[first].clone();
    match (scale, &node.op) {
        (OutputScale::Plain | OutputScale::Probabilities, _) => {
            Err(OnnxError::NoProbabilities("the model does not end in a softmax or a sigmoid"))
        }
        (_, FloatOp::Tail(TailOp::Softmax { log: true, .. })) => {
            Err(OnnxError::NoProbabilities("the model ends in logarithms of probabilities"))
        }
        (OutputScale::SigmoidLogit, FloatOp::Function { .. }) if classes == 2 && node.len() == 1 => {
            let mut push = |op: FloatOp, shape: Vec<usize>| {
                graph.nodes.push(FloatNode { op, shape, ..node.clone() });
                graph.nodes.len() - 1
            };
            let second = push(FloatOp::Reshape { x: first }, vec![1]);
            let (scale, offset) = (Some(Tensor::scalar(-1.0)), Some(Tensor::scalar(1.0)));
            let other = push(FloatOp::Affine { x: second, scale, offset }, vec![1]);
            graph.output = push(FloatOp::Concat { parts: vec![other, second], axis: 0 }, vec![2]);
            Ok(true)
        }
        _ => {
            graph.output = first;
            Ok(false)
        }
    }
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
        FloatOp::Tail(TailOp::Softmax { log: true, .. }) => "LogSoftmax",
        FloatOp::Tail(TailOp::Softmax { .. }) => "Softmax",
        FloatOp::Tail(TailOp::Normaliser { .. }) => "Normalizer",
        FloatOp::Tail(TailOp::ArgMax { .. }) => "ArgMax",
        _ => "operator",
    }
}
