//! The public half of a model: the graph of integer operators, without a single weight.
//!
//! Values are numbered: value 0 is the record in schema units, node `j` produces value `j + 1`. Shapes are per
//! sample; the sample axis is added by lowering. Every value carries exact worst-case bounds that follow from public
//! widths and fan-in alone, never from the weights (a bound computed from hidden weights would leak them).

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::operator::{Op, elements};
use crate::schema::Schema;

/// Version of the rules that lower an architecture to relations. Part of the architecture digest.
pub const LOWERING_VERSION: u32 = 1;

/// Bounds of every value stay below this magnitude.
pub(crate) const MAX_BOUND: i128 = 1 << 60;
/// Largest number of elements of one value or parameter, and of all of them together.
pub(crate) const MAX_ELEMENTS: usize = 1 << 28;
/// Largest number of nodes or parameters.
const MAX_NODES: usize = 1 << 16;
/// Largest number of axes.
pub(crate) const MAX_RANK: usize = 6;

/// Index of a value: 0 is the record, `j + 1` the output of node `j`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u32);

/// Index of a hidden parameter tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ParamId(pub u32);

/// A node: its operator. Its value is `index + 1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The operator.
    pub op: Op,
}

/// Public facts about a hidden parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParamSpec {
    /// Shape.
    pub shape: Vec<usize>,
    /// Signed width in bits: values lie in `[-2^(width-1), 2^(width-1))`.
    pub width: u8,
}

impl ParamSpec {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no element (validation refuses that).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bounds of the values.
    #[must_use]
    pub fn bounds(&self) -> ValueBounds {
        ValueBounds { lo: -(1i64 << (self.width - 1)), hi: (1i64 << (self.width - 1)) - 1 }
    }
}

/// What the float model did after the logits; never part of a claim, used to print probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputScale {
    /// The outputs are the model's own.
    Plain,
    /// The float model ended in a softmax: the outputs here are its logits.
    SoftmaxLogits,
    /// The float model ended in a sigmoid: the output here is its logit.
    SigmoidLogit,
    /// The outputs are the probabilities that the float model ended in, proved like everything else.
    Probabilities,
}

/// Exact inclusive worst-case bounds of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueBounds {
    /// Smallest possible element.
    pub lo: i64,
    /// Largest possible element.
    pub hi: i64,
}

/// Everything public about a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// What a record is.
    pub schema: Schema,
    /// Shape of one record as the graph sees it; its product is the number of features.
    pub input_shape: Vec<usize>,
    /// Hidden parameters.
    pub params: Vec<ParamSpec>,
    /// Operators in evaluation order; the last one's value is the output.
    pub nodes: Vec<Node>,
    /// A real output is the integer times `2^-output_exponent`.
    pub output_exponent: i32,
    /// What the float model did after the logits.
    pub output_scale: OutputScale,
}

/// SHA-256 of an architecture's canonical bytes and of [`LOWERING_VERSION`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ArchitectureDigest(pub [u8; 32]);

impl Architecture {
    /// Shape and exact bounds of every value (index 0 is the record), after checking every rule.
    ///
    /// # Errors
    /// [`ArchitectureError`] names the node and the rule that it breaks.
    pub fn validate(&self) -> Result<Vec<(Vec<usize>, ValueBounds)>, ArchitectureError> {
        use ArchitectureError as E;
        if self.nodes.is_empty() || self.nodes.len() > MAX_NODES || self.params.len() > MAX_NODES {
            return Err(E::Size);
        }
        if self.output_exponent.unsigned_abs() > 1000 {
            return Err(E::Size);
        }
        for (i, p) in self.params.iter().enumerate() {
            elements(&p.shape).filter(|&n| n > 0).ok_or(E::Param(i))?;
            if !(2..=40).contains(&p.width) {
                return Err(E::Param(i));
            }
        }
        if elements(&self.input_shape) != Some(self.schema.features.len()) {
            return Err(E::InputShape);
        }
        let record = ValueBounds {
            lo: self.schema.features.iter().map(|f| f.min).min().unwrap_or(0),
            hi: self.schema.features.iter().map(|f| f.max).max().unwrap_or(0),
        };
        let mut values = Vec::with_capacity(self.nodes.len() + 1);
        values.push((self.input_shape.clone(), record));
        for (j, node) in self.nodes.iter().enumerate() {
            let (shape, lo, hi) = self.infer(&node.op, &values).ok_or(E::Node(j))?;
            if elements(&shape).is_none_or(|n| n == 0) {
                return Err(E::Node(j));
            }
            if lo <= -MAX_BOUND || hi >= MAX_BOUND || lo > hi {
                return Err(E::Bound { node: j, bound: lo.unsigned_abs().max(hi.unsigned_abs()) });
            }
            // The check above keeps both within an i64.
            values.push((shape, ValueBounds { lo: lo as i64, hi: hi as i64 }));
        }
        let sizes =
            values.iter().map(|(s, _)| s.iter().product()).chain(self.params.iter().map(ParamSpec::len));
        if sizes.fold(0usize, |sum, n: usize| sum.saturating_add(n)) > MAX_ELEMENTS {
            return Err(E::Size);
        }
        let outputs = values.last().map_or(0, |(s, _)| s.iter().product());
        let classes = self.schema.classes.len();
        // One logit tells two classes apart, one probability does not: which of the two it is of is not said. Of one class there
        // is nothing to predict.
        let of_two = classes == 2 && outputs == 1 && self.output_scale != OutputScale::Probabilities;
        if classes == 1 || (classes != 0 && classes != outputs && !of_two) {
            return Err(E::Classes { classes, outputs });
        }
        Ok(values)
    }

    /// Number of outputs per sample.
    ///
    /// # Errors
    /// [`ArchitectureError`] when the architecture is ill-formed.
    pub fn output_len(&self) -> Result<usize, ArchitectureError> {
        Ok(self.validate()?.last().map_or(0, |(s, _)| s.iter().product()))
    }

    /// Number of hidden weights in all.
    #[must_use]
    pub fn weight_count(&self) -> usize {
        self.params.iter().map(ParamSpec::len).sum()
    }

    /// Digest of the canonical bytes and of the lowering version: what "the advertised architecture" means.
    #[must_use]
    pub fn digest(&self) -> ArchitectureDigest {
        let bytes =
            postcard::to_stdvec(self).expect("an architecture holds no map and no float: postcard writes it");
        let mut hash = Sha256::new();
        hash.update(b"tacit/architecture/1");
        hash.update(LOWERING_VERSION.to_le_bytes());
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(&bytes);
        ArchitectureDigest(hash.finalize().into())
    }

    /// Index of the predicted class: the largest logit, the lowest index on a tie; a single logit predicts class 1
    /// when it is above zero. `None` where the schema names no classes.
    #[must_use]
    pub fn predicted_class(&self, outputs: &[i64]) -> Option<usize> {
        if self.schema.classes.is_empty() || outputs.is_empty() {
            return None;
        }
        if let [logit] = outputs {
            return Some(usize::from(*logit > 0));
        }
        let mut best = 0;
        for (i, v) in outputs.iter().enumerate() {
            if *v > outputs[best] {
                best = i;
            }
        }
        Some(best)
    }

    /// The real number that an output integer stands for.
    #[must_use]
    pub fn output_value(&self, q: i64) -> f64 {
        q as f64 * f64::powi(2.0, -self.output_exponent)
    }
}

/// Which rule an architecture breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchitectureError {
    /// No node, too many nodes or elements, or an absurd output exponent.
    #[error(
        "the model has no operator, more than {MAX_NODES}, too many elements, or an output scale out of range"
    )]
    Size,
    /// A parameter with an empty or overlarge shape or a width outside 2..=40.
    #[error("parameter {0} has an unusable shape or width")]
    Param(usize),
    /// The input shape does not hold the schema's features.
    #[error("the input shape does not match the number of features of the schema")]
    InputShape,
    /// A node with operands that do not fit.
    #[error("node {0} is ill-formed: an operand is missing or shapes do not fit")]
    Node(usize),
    /// A node whose worst case is too large to be computed exactly.
    #[error(
        "node {node} could reach a magnitude of {bound}, beyond the 2^60 that the arithmetic allows; use narrower weights or activations"
    )]
    Bound {
        /// Node index.
        node: usize,
        /// Worst-case magnitude.
        bound: u128,
    },
    /// Number of classes and number of outputs do not fit.
    #[error(
        "the schema names {classes} classes but the model has {outputs} outputs: it needs one for each of two classes or more, or one for two"
    )]
    Classes {
        /// Classes of the schema.
        classes: usize,
        /// Outputs of the model.
        outputs: usize,
    },
}

/// Why a set of weights does not fit an architecture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// Another number of parameters.
    #[error("the architecture has {expected} parameters, the weights {actual}")]
    Count {
        /// Parameters of the architecture.
        expected: usize,
        /// Parameters given.
        actual: usize,
    },
    /// Another number of elements.
    #[error("parameter {param} has {expected} elements, the weights hold {actual}")]
    Length {
        /// Parameter index.
        param: usize,
        /// Elements of the architecture.
        expected: usize,
        /// Elements given.
        actual: usize,
    },
    /// A value outside its declared width. The value itself is not shown.
    #[error("parameter {param}, element {element} lies outside its declared width of {width} bits")]
    Width {
        /// Parameter index.
        param: usize,
        /// Element index.
        element: usize,
        /// Declared width.
        width: u8,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::mlp;

    #[test]
    fn one_probability_is_of_no_two_classes() {
        let mut architecture = mlp(&[2, 1], 8, 8, 5).architecture().clone();
        architecture.schema = crate::testing::schema(2, 2);
        for scale in [OutputScale::Plain, OutputScale::SigmoidLogit] {
            architecture.output_scale = scale;
            architecture.validate().expect("one logit tells two classes apart");
        }
        architecture.output_scale = OutputScale::Probabilities;
        let refused = architecture.validate();
        assert_eq!(refused.err(), Some(ArchitectureError::Classes { classes: 2, outputs: 1 }));
    }
}
