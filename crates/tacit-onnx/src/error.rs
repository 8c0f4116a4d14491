//! Why a model, a record set or a set of options is refused.

use tacit_model::ModelFileError;

use crate::axes::{AxisError, Names};

/// A node whose operator has no translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsupportedNode {
    /// Operator, with its domain unless it is the standard one.
    pub op: String,
    /// Node name, or its first output where it has none.
    pub node: String,
}

impl UnsupportedNode {
    /// What is special about the operator, if anything.
    fn remark(&self) -> &'static str {
        match self.op.as_str() {
            "If" | "Loop" | "Scan" | "SequenceMap" => ", control flow",
            "LSTM" | "GRU" | "RNN" => ", recurrent",
            "ai.onnx.ml.TreeEnsemble"
            | "ai.onnx.ml.TreeEnsembleClassifier"
            | "ai.onnx.ml.TreeEnsembleRegressor" => ", trees",
            op if op.contains('.') && !op.starts_with("ai.onnx.ml.") => ", a custom operator",
            _ => "",
        }
    }
}

/// Every node of a list, by operator.
fn unsupported_text(nodes: &[UnsupportedNode]) -> String {
    let mut operators: Vec<(&UnsupportedNode, Vec<String>)> = Vec::new();
    for node in nodes {
        let name = format!("`{}`", node.node);
        match operators.iter_mut().find(|(first, _)| first.op == node.op) {
            Some((_, names)) => names.push(name),
            None => operators.push((node, vec![name])),
        }
    }
    let one = |(node, names): &(&UnsupportedNode, Vec<String>)| {
        let s = if names.len() == 1 { "" } else { "s" };
        format!("`{}` (node{s} {}{})", node.op, names.join(", "), node.remark())
    };
    match &operators[..] {
        [only] => format!("operator {} is not supported", one(only)),
        all => format!("operators {} are not supported", all.iter().map(one).collect::<Vec<_>>().join(", ")),
    }
}

/// Why an ONNX file cannot be read, run or quantised. Texts name the node and say what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// The file is larger than the limit.
    #[error("the ONNX file has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// Size of the file in bytes.
        bytes: usize,
        /// Largest size that is read.
        limit: usize,
    },
    /// The bytes are no ONNX protobuf, or the file breaks a structural limit.
    #[error("not a readable ONNX file: {0}")]
    Malformed(String),
    /// Another version of the standard operator set than those that are read.
    #[error("the file is written for operator set {version}; {least} to {most} are read")]
    Opset {
        /// The file's.
        version: i64,
        /// The oldest that is read.
        least: i64,
        /// The newest that is read.
        most: i64,
    },
    /// A graph that is not written in the order in which it is computed, or cannot be computed at all.
    #[error("node `{node}` reads `{tensor}`, which {}", if *.later { "a later node computes: a graph must be in order and without cycles" } else { "nothing defines" })]
    Undefined {
        /// Node name, or its first output where it has none.
        node: String,
        /// The tensor that it reads.
        tensor: String,
        /// Whether a node after it computes the tensor.
        later: bool,
    },
    /// Operators that have no translation; [`OPERATORS`](crate::OPERATORS) lists those that have one.
    #[error("{}", unsupported_text(nodes))]
    UnsupportedOperator {
        /// Every such node, in the file's order.
        nodes: Vec<UnsupportedNode>,
    },
    /// A supported operator used in a way that has no translation.
    #[error("node `{node}` ({op}): {what}")]
    Node {
        /// Node name, or its first output where it has none.
        node: String,
        /// Operator.
        op: String,
        /// What is wrong, and what to do where something can be done.
        what: String,
    },
    /// A constant tensor that cannot be used.
    #[error("constant tensor `{name}`: {what}")]
    Tensor {
        /// Tensor name.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// The graph's inputs do not fit: exactly one numeric tensor is needed.
    #[error("model input: {0}")]
    Input(String),
    /// Axes of the input besides that of the samples have no length.
    #[error("model input: `{input}` leaves {} other than the first open: {}", if .axes.len() == 1 { "an axis" } else { "axes" }, Names(.axes))]
    OpenAxes {
        /// Input tensor name.
        input: String,
        /// The axes, as an [`AxisLength`](crate::AxisLength) names them.
        axes: Vec<String>,
    },
    /// A length for an axis that cannot have it.
    #[error("model input: {0}")]
    Axis(#[from] AxisError),
    /// No output that can be the answer.
    #[error("model output: {0}")]
    Output(String),
    /// No output has the name that was asked for.
    #[error("model output: the file has no output `{name}`; it has: {}", .outputs.join(", "))]
    UnknownOutput {
        /// The name asked for.
        name: String,
        /// Names of all outputs.
        outputs: Vec<String>,
    },
    /// Probabilities were asked for, and the model has none.
    #[error("{0}: it has no probabilities that could be proved")]
    NoProbabilities(&'static str),
    /// More than one output could be the answer.
    #[error(
        "model output: the file has {} outputs ({}) and {} of them could be the answer",
        .outputs.len(), .outputs.join(", "), .candidates
    )]
    SeveralOutputs {
        /// Names of all outputs.
        outputs: Vec<String>,
        /// How many of them are no labels.
        candidates: usize,
    },
    /// The input tensor and the schema disagree.
    #[error(
        "the model's input `{input}` takes {model} values per sample; the schema names {schema} features"
    )]
    FeatureCount {
        /// Input tensor name.
        input: String,
        /// Values per sample of the model.
        model: usize,
        /// Features of the schema.
        schema: usize,
    },
    /// The number of outputs and the number of classes disagree.
    #[error(
        "the model has {outputs} outputs per sample; the schema names {classes} classes \
         (one output goes with two classes or none)"
    )]
    ClassCount {
        /// Outputs per sample.
        outputs: usize,
        /// Classes of the schema.
        classes: usize,
    },
    /// No calibration record was given.
    #[error("quantisation needs at least one calibration record")]
    NoRecords,
    /// A record with another number of values.
    #[error("record {row}: {what}")]
    Record {
        /// Index of the record, from 0.
        row: usize,
        /// What is wrong.
        what: String,
    },
    /// Labels that do not fit the records or the classes.
    #[error("labels: {0}")]
    Labels(String),
    /// An option outside its range.
    #[error("{option} cannot be {value}; {lo} to {hi} are possible")]
    Options {
        /// Option name.
        option: &'static str,
        /// Value given.
        value: u32,
        /// Smallest value.
        lo: u32,
        /// Largest value.
        hi: u32,
    },
    /// The reference run failed.
    #[error("the reference run through tract failed: {0}")]
    Reference(String),
    /// A third-party parser or runtime panicked on this file.
    #[error("the ONNX {stage} gave up on this file: {message}")]
    Panic {
        /// What was being done.
        stage: &'static str,
        /// The panic's message.
        message: String,
    },
    /// This crate's reading of the model and tract's disagree: one of the two has a bug, so nothing is quantised.
    #[error(
        "this reading of the model and tract's differ by {difference} on record {row} (largest output: {magnitude}); \
         please report the model"
    )]
    SelfCheck {
        /// Index of the record, from 0.
        row: usize,
        /// Largest absolute difference of an output.
        difference: f64,
        /// Largest absolute output.
        magnitude: f64,
    },
    /// A number overflowed: an infinite weight after folding, or an output that is not finite.
    #[error("{0} is not finite")]
    NotFinite(String),
    /// The quantised model breaks a rule of the format.
    #[error("the quantised model is refused: {0}")]
    Model(#[from] ModelFileError),
}
