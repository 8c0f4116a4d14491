//! Probabilities as exporters compute them, brought to the operators that end a model.
//!
//! | written as | becomes |
//! | --- | --- |
//! | `1 / (1 + exp(-s))` | `Sigmoid` |
//! | `p / Σ p`, with or without a guard against a sum of 0, for sigmoids `p` | `Normalizer` |
//! | one binary classifier per class, the second score of each, side by side | one classifier |

use std::collections::HashMap;

use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;

use crate::proto::{ML_DOMAIN, NodeView, read_tensor};

/// Applies each rule wherever it fits; what fits none stays.
pub(super) fn rewrite(graph: &mut pb::GraphProto) {
    for at in 0..graph.node.len() {
        let view = Graph::new(graph);
        if let Some(node) = view.sigmoid(at).or_else(|| view.classifiers(at)).or_else(|| view.normalised(at))
        {
            graph.node[at] = node;
        }
    }
}

/// A graph with its tensors' producers.
struct Graph<'a> {
    nodes: &'a [pb::NodeProto],
    producers: HashMap<&'a str, usize>,
    initialisers: HashMap<&'a str, &'a pb::TensorProto>,
}

impl<'a> Graph<'a> {
    fn new(graph: &'a pb::GraphProto) -> Self {
        let outputs = |(i, n): (usize, &'a pb::NodeProto)| n.output.iter().map(move |o| (o.as_str(), i));
        Self {
            nodes: &graph.node,
            producers: graph.node.iter().enumerate().flat_map(outputs).collect(),
            initialisers: graph.initializer.iter().map(|t| (t.name.as_str(), t)).collect(),
        }
    }

    /// The node of a standard operator that computes `name`.
    fn made_by(&self, name: &str, op: &str) -> Option<&'a pb::NodeProto> {
        let node = &self.nodes[*self.producers.get(name)?];
        (node.op_type == op && matches!(node.domain.as_str(), "" | "ai.onnx")).then_some(node)
    }

    /// The only element of a constant.
    fn scalar(&self, name: &str) -> Option<f64> {
        read_tensor(self.initialisers.get(name)?).ok()?.tensor.as_scalar()
    }

    /// The whole numbers of a constant.
    fn integers(&self, name: &str) -> Option<Vec<i64>> {
        read_tensor(self.initialisers.get(name)?).ok()?.integers()
    }

    /// The other operand where one is the number `value`.
    fn beside(&self, node: &'a pb::NodeProto, value: f64) -> Option<&'a str> {
        let [a, b] = &node.input[..] else { return None };
        if self.scalar(b) == Some(value) {
            Some(a)
        } else if self.scalar(a) == Some(value) {
            Some(b)
        } else {
            None
        }
    }

    /// `Reciprocal(Exp(-s) + 1)`, as stochastic gradient descent's classifier is exported.
    fn sigmoid(&self, at: usize) -> Option<pb::NodeProto> {
        let node = &self.nodes[at];
        if node.op_type != "Reciprocal" {
            return None;
        }
        let sum = self.made_by(node.input.first()?, "Add")?;
        let power = self.made_by(self.beside(sum, 1.0)?, "Exp")?;
        let negated = power.input.first()?;
        let score = match self.made_by(negated, "Neg") {
            Some(neg) => neg.input.first()?,
            None => self.beside(self.made_by(negated, "Mul")?, -1.0)?,
        };
        Some(pb::NodeProto { op_type: "Sigmoid".to_owned(), input: vec![score.to_owned()], ..node.clone() })
    }

    /// Whether a tensor is made of sigmoids, which are positive: their sum is the sum of their magnitudes.
    fn positive(&self, name: &str) -> bool {
        let Some(&at) = self.producers.get(name) else { return false };
        let node = &self.nodes[at];
        node.op_type == "Sigmoid"
            || (node.op_type == "LinearClassifier"
                && NodeView::new(node).text("post_transform") == "LOGISTIC")
    }

    /// `ReduceSum` of `p` over its last axis.
    fn is_sum_of(&self, sum: &str, p: &str) -> bool {
        let Some(node) = self.made_by(sum, "ReduceSum") else { return false };
        let axes = match node.input.get(1) {
            Some(axes) => self.integers(axes),
            None => NodeView::new(node).ints("axes").map(<[i64]>::to_vec),
        };
        node.input[0] == p && matches!(axes.as_deref(), Some([1 | -1]))
    }

    /// `Cast(Not(Cast(Σ p)))`: 1 where the sum is 0, which sigmoids never add up to.
    fn is_guard_of(&self, guard: &str, p: &str) -> bool {
        let up = |name: &str, op: &str| Some(self.made_by(name, op)?.input.first()?.as_str());
        let sum = up(guard, "Cast").and_then(|n| up(n, "Not")).and_then(|n| up(n, "Cast"));
        sum.is_some_and(|sum| self.is_sum_of(sum, p))
    }

    fn normalised(&self, at: usize) -> Option<pb::NodeProto> {
        let node = &self.nodes[at];
        if node.op_type != "Div" {
            return None;
        }
        let [above, below] = &node.input[..] else { return None };
        let p = match self.made_by(above, "Add") {
            Some(sum) if self.is_guard_of(sum.input.get(1)?, &sum.input[0]) => {
                let p = &sum.input[0];
                let below = self.made_by(below, "Add")?;
                let mask = self.made_by(below.input.get(1)?, "Mul")?;
                (self.is_sum_of(&below.input[0], p) && mask.input.iter().any(|m| self.is_guard_of(m, p)))
                    .then_some(p)?
            }
            _ => self.is_sum_of(below, above).then_some(above)?,
        };
        let norm = pb::AttributeProto {
            name: "norm".to_owned(),
            r#type: AttributeType::String as i32,
            s: b"L1".to_vec(),
            ..Default::default()
        };
        self.positive(p).then(|| pb::NodeProto {
            op_type: "Normalizer".to_owned(),
            domain: ML_DOMAIN.to_owned(),
            input: vec![p.clone()],
            attribute: vec![norm],
            ..node.clone()
        })
    }

    /// `Concat` of the second score of binary classifiers on the same columns.
    fn classifiers(&self, at: usize) -> Option<pb::NodeProto> {
        let node = &self.nodes[at];
        if node.op_type != "Concat"
            || !matches!(NodeView::new(node).int("axis", 0), 1 | -1)
            || node.input.len() < 2
        {
            return None;
        }
        let mut columns: Option<&str> = None;
        let (mut coefficients, mut intercepts) = (Vec::new(), Vec::new());
        for score in &node.input {
            let slice = self.made_by(score, "Slice")?;
            let bounds = |i: usize| self.integers(slice.input.get(i)?);
            if bounds(1)? != [1] || bounds(2)? != [2] || bounds(3)? != [1] {
                return None;
            }
            let scores = slice.input.first()?;
            let classifier = &self.nodes[*self.producers.get(scores.as_str())?];
            let view = NodeView::new(classifier);
            let (c, b) = (view.floats("coefficients"), view.floats("intercepts"));
            let known = classifier.domain == ML_DOMAIN
                && classifier.op_type == "LinearClassifier"
                && classifier.output.get(1) == Some(scores)
                && view.text("post_transform") == "LOGISTIC"
                && b.len() == 2
                && c.len().is_multiple_of(2);
            let x = view.input(0)?;
            if !known || columns.is_some_and(|seen| seen != x) {
                return None;
            }
            columns = Some(x);
            coefficients.extend(c[c.len() / 2..].iter().map(|&v| v as f32));
            intercepts.push(b[1] as f32);
        }
        let list = |name: &str, floats: Vec<f32>| pb::AttributeProto {
            name: name.to_owned(),
            r#type: AttributeType::Floats as i32,
            floats,
            ..Default::default()
        };
        let classes = pb::AttributeProto {
            name: "classlabels_ints".to_owned(),
            r#type: AttributeType::Ints as i32,
            ints: (0..intercepts.len() as i64).collect(),
            ..Default::default()
        };
        let transform = pb::AttributeProto {
            name: "post_transform".to_owned(),
            r#type: AttributeType::String as i32,
            s: b"LOGISTIC".to_vec(),
            ..Default::default()
        };
        let attribute =
            vec![list("coefficients", coefficients), list("intercepts", intercepts), classes, transform];
        Some(pb::NodeProto {
            op_type: "LinearClassifier".to_owned(),
            domain: ML_DOMAIN.to_owned(),
            input: vec![columns?.to_owned()],
            output: vec![format!("{}/label", node.output[0]), node.output[0].clone()],
            attribute,
            ..node.clone()
        })
    }
}
