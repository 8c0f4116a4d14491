//! Which of a file's outputs is the answer, and a summary of a file.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::type_proto::Value as TypeValue;

use crate::axes;
use crate::error::OnnxError;
use crate::operators::is_supported;
use crate::proto::{ML_DOMAIN, operator, opset, reachable};

/// An input or output of an ONNX file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Tensor name.
    pub name: String,
    /// Element type as ONNX names it, `FLOAT` for instance; `None` for what is not a tensor.
    pub element_type: Option<&'static str>,
    /// Axes, `None` for an open one (usually the sample axis); `None` where the file gives no shape.
    pub shape: Option<Vec<Option<u64>>>,
    /// The open axes but that of the samples, as an [`AxisLength`](crate::AxisLength) names them, each once.
    pub open_axes: Vec<String>,
}

/// What an ONNX file holds, supported or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnnxSummary {
    /// Inputs, constants left out.
    pub inputs: Vec<TensorInfo>,
    /// Outputs.
    pub outputs: Vec<TensorInfo>,
    /// The output that would be quantised; `None` where a choice is needed.
    pub chosen_output: Option<String>,
    /// Operators and how often each is used, by name.
    pub operators: Vec<(String, usize)>,
    /// The operators that the chosen output depends on (all, where there is no choice yet) and that are not supported.
    pub unsupported: Vec<String>,
    /// Version of the standard operator set.
    pub opset: i64,
    /// Elements of all constant tensors.
    pub constants: u64,
}

pub(crate) fn summarise(model: &pb::ModelProto) -> OnnxSummary {
    let empty = pb::GraphProto::default();
    let graph = model.graph.as_ref().unwrap_or(&empty);
    let constants: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let mut operators: BTreeMap<String, usize> = BTreeMap::new();
    for node in &graph.node {
        *operators.entry(operator(node)).or_default() += 1;
    }
    let chosen_output = choose(graph, None).ok();
    let unsupported: BTreeSet<String> = match &chosen_output {
        Some(output) => reachable(&graph.node, [output.as_str()]).0,
        None => (0..graph.node.len()).collect(),
    }
    .into_iter()
    .map(|i| operator(&graph.node[i]))
    .filter(|name| !is_supported(name))
    .collect();
    OnnxSummary {
        inputs: graph.input.iter().filter(|i| !constants.contains(i.name.as_str())).map(info).collect(),
        outputs: graph.output.iter().map(info).collect(),
        chosen_output,
        unsupported: unsupported.into_iter().collect(),
        operators: operators.into_iter().collect(),
        opset: opset(model),
        constants: graph
            .initializer
            .iter()
            .map(|t| t.dims.iter().try_fold(1u64, |n, &d| n.checked_mul(u64::try_from(d).ok()?)).unwrap_or(0))
            .fold(0, u64::saturating_add),
    }
}

fn info(value: &pb::ValueInfoProto) -> TensorInfo {
    let tensor = value.r#type.as_ref().and_then(|t| t.value.as_ref()).map(|TypeValue::TensorType(t)| t);
    let dims = tensor.and_then(|t| t.shape.as_ref()).map(|s| &s.dim[..]);
    let mut open_axes: Vec<String> = Vec::new();
    for (place, d) in dims.unwrap_or_default().iter().enumerate().skip(1) {
        let name = axes::name(&value.name, place, d);
        if axes::length(d).is_none() && !open_axes.contains(&name) {
            open_axes.push(name);
        }
    }
    TensorInfo {
        name: value.name.clone(),
        element_type: tensor.and_then(|t| DataType::try_from(t.elem_type).ok()).map(|t| t.as_str_name()),
        shape: dims.map(|dims| dims.iter().map(axes::length).collect()),
        open_axes,
    }
}

/// Name of the output to quantise: the one asked for, the only one, or the only one that holds scores and not labels.
///
/// # Errors
/// [`OnnxError::Output`] where there is none, [`OnnxError::UnknownOutput`] where it is not the one asked for,
/// [`OnnxError::SeveralOutputs`] where a choice is needed.
pub(crate) fn choose(graph: &pb::GraphProto, wanted: Option<&str>) -> Result<String, OnnxError> {
    let names: Vec<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
    let all = names.join(", ");
    if let Some(name) = wanted {
        return match names.contains(&name) {
            true => Ok(name.to_owned()),
            false => Err(OnnxError::UnknownOutput {
                name: name.to_owned(),
                outputs: names.iter().map(|n| (*n).to_owned()).collect(),
            }),
        };
    }
    if let [only] = names[..] {
        return Ok(only.to_owned());
    }
    let mut producers = HashMap::new();
    for node in &graph.node {
        for (i, output) in node.output.iter().enumerate() {
            producers.insert(output.as_str(), (node, i));
        }
    }
    let scores: Vec<&str> = names.into_iter().filter(|name| !is_label(name, &producers)).collect();
    match scores[..] {
        [only] => Ok(only.to_owned()),
        [] => Err(OnnxError::Output(match graph.output.is_empty() {
            true => "the file names none".to_owned(),
            false => format!("the file's outputs ({all}) are all labels, picked by the largest score"),
        })),
        _ => Err(OnnxError::SeveralOutputs {
            outputs: graph.output.iter().map(|o| o.name.clone()).collect(),
            candidates: scores.len(),
        }),
    }
}

/// Whether a tensor holds class labels picked by the largest score.
fn is_label(name: &str, producers: &HashMap<&str, (&pb::NodeProto, usize)>) -> bool {
    let mut name = name;
    // A valid file has no cycle; the bound keeps others from looping.
    for _ in 0..64 {
        let Some((node, output)) = producers.get(name) else { return false };
        match (node.domain.as_str(), node.op_type.as_str()) {
            (_, "Identity" | "Cast" | "Reshape" | "Squeeze" | "Flatten") | (ML_DOMAIN, "ZipMap") => {
                let Some(x) = node.input.first() else { return false };
                name = x;
            }
            (_, "ArgMax" | "TopK") | (ML_DOMAIN, "LabelEncoder" | "Binarizer") => return true,
            // A label picked from the classes, which are a constant, or a column picked from the scores.
            (ML_DOMAIN, "ArrayFeatureExtractor") => match node.input.first() {
                Some(x) if producers.contains_key(x.as_str()) => name = x,
                _ => return true,
            },
            (ML_DOMAIN, "LinearClassifier" | "SVMClassifier" | "TreeEnsembleClassifier") => {
                return *output == 0;
            }
            _ => return false,
        }
    }
    false
}
