//! The protobuf side: bounded decoding, constant tensors, attributes.

use std::collections::{HashMap, HashSet};

use prost::Message as _;
use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::prelude::f16;

use crate::error::{OnnxError, UnsupportedNode};
use crate::guard::guarded;
use crate::tensor::{Tensor, elements};
use crate::wire;

/// Largest file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 512 << 20;
/// Most nodes of a graph.
pub(crate) const MAX_NODES: usize = 1 << 12;
/// Most elements of one constant or of one value per sample.
pub(crate) const MAX_ELEMENTS: usize = 1 << 27;
/// Most axes of a tensor.
pub(crate) const MAX_RANK: usize = 8;

/// Domain of the classical machine-learning operators.
pub(crate) const ML_DOMAIN: &str = "ai.onnx.ml";

/// A constant of the graph.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Const {
    /// Elements; integers are held exactly up to 2^53.
    pub(crate) tensor: Tensor,
    /// Whether the element type is an integer.
    pub(crate) integer: bool,
    /// Flat index of the element that is the number of samples, in constants computed by `Shape`.
    pub(crate) batch_at: Option<usize>,
}

impl Const {
    /// The elements as integers, cut off at the ends of their type; `None` where one is not. Exporters write "to the end"
    /// as the largest.
    pub(crate) fn integers(&self) -> Option<Vec<i64>> {
        let ok = |v: f64| v.fract() == 0.0;
        self.tensor.data.iter().map(|&v| ok(v).then_some(v as i64)).collect()
    }
}

/// Decodes a model after checking its size and the number of messages in it. Parts that nothing here reads (training
/// information, metadata) are dropped.
///
/// # Errors
/// [`OnnxError::TooLarge`], [`OnnxError::Malformed`], [`OnnxError::Panic`].
pub(crate) fn decode(bytes: &[u8]) -> Result<pb::ModelProto, OnnxError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(OnnxError::TooLarge { bytes: bytes.len(), limit: MAX_FILE_BYTES });
    }
    wire::check(bytes)?;
    let mut model =
        guarded("parser", || pb::ModelProto::decode(bytes).map_err(|e| OnnxError::Malformed(e.to_string())))?;
    model.training_info.clear();
    model.metadata_props.clear();
    model.functions.clear();
    let Some(graph) = &model.graph else {
        return Err(OnnxError::Malformed("the file holds no graph".to_owned()));
    };
    if graph.node.len() > MAX_NODES {
        return Err(OnnxError::Malformed(format!(
            "the graph has {} nodes; at most {MAX_NODES} are read",
            graph.node.len()
        )));
    }
    check_names(graph)?;
    Ok(model)
}

/// Every tensor is defined once, and before its use.
fn check_names(graph: &pb::GraphProto) -> Result<(), OnnxError> {
    let twice = |name: &str| OnnxError::Malformed(format!("tensor `{name}` is defined twice"));
    let mut known = HashSet::new();
    for t in &graph.initializer {
        if !known.insert(t.name.as_str()) {
            return Err(twice(&t.name));
        }
    }
    let mut inputs = HashSet::new();
    for i in &graph.input {
        if !inputs.insert(i.name.as_str()) {
            return Err(twice(&i.name));
        }
    }
    // Up to version 3 of the format, initialisers are listed among the inputs as well.
    known.extend(inputs);
    if let Some(t) = graph.sparse_initializer.first() {
        let name = t.values.as_ref().map_or("", |v| v.name.as_str());
        return Err(OnnxError::Tensor {
            name: name.to_owned(),
            what: "sparse tensors are not supported; store it densely".to_owned(),
        });
    }
    for node in &graph.node {
        if let Some(name) = node.input.iter().find(|n| !n.is_empty() && !known.contains(n.as_str())) {
            let later = graph.node.iter().any(|n| n.output.contains(name));
            return Err(OnnxError::Undefined { node: node_name(node), tensor: name.clone(), later });
        }
        for name in node.output.iter().filter(|n| !n.is_empty()) {
            if !known.insert(name.as_str()) {
                return Err(twice(name));
            }
        }
    }
    Ok(())
}

/// A node's name, or its first output where it has none.
pub(crate) fn node_name(node: &pb::NodeProto) -> String {
    if node.name.is_empty() { node.output.first().cloned().unwrap_or_default() } else { node.name.clone() }
}

/// An operator with its domain, unless that is the standard one.
pub(crate) fn operator(node: &pb::NodeProto) -> String {
    match node.domain.as_str() {
        "" | "ai.onnx" => node.op_type.clone(),
        domain => format!("{domain}.{}", node.op_type),
    }
}

/// Version of the standard operator set.
pub(crate) fn opset(model: &pb::ModelProto) -> i64 {
    model
        .opset_import
        .iter()
        .filter(|o| matches!(o.domain.as_str(), "" | "ai.onnx"))
        .map(|o| o.version)
        .max()
        .unwrap_or(1)
}

/// Nodes (in order) and tensor names that the tensors `wanted` depend on.
pub(crate) fn reachable<'a>(
    nodes: &'a [pb::NodeProto],
    wanted: impl IntoIterator<Item = &'a str>,
) -> (Vec<usize>, HashSet<&'a str>) {
    let mut names: HashSet<&str> = wanted.into_iter().collect();
    let mut kept = Vec::new();
    for (i, node) in nodes.iter().enumerate().rev() {
        if node.output.iter().any(|o| !o.is_empty() && names.contains(o.as_str())) {
            kept.push(i);
            names.extend(node.input.iter().filter(|n| !n.is_empty()).map(String::as_str));
        }
    }
    kept.reverse();
    (kept, names)
}

/// Reads a constant tensor after checking that its data fills its shape exactly.
///
/// # Errors
/// [`OnnxError::Tensor`].
pub(crate) fn read_tensor(t: &pb::TensorProto) -> Result<Const, OnnxError> {
    let fail = |what: String| OnnxError::Tensor { name: t.name.clone(), what };
    if t.data_location == Some(DataLocation::External as i32) || !t.external_data.is_empty() {
        return Err(fail(
            "its data lies in another file; save the model with the weights inside the ONNX file".to_owned(),
        ));
    }
    if t.segment.is_some() {
        return Err(fail("segmented tensors are not supported".to_owned()));
    }
    if t.dims.len() > MAX_RANK {
        return Err(fail(format!("it has {} axes; at most {MAX_RANK} are read", t.dims.len())));
    }
    let shape: Option<Vec<usize>> = t.dims.iter().map(|&d| usize::try_from(d).ok()).collect();
    let shape = shape.ok_or_else(|| fail("it has a negative dimension".to_owned()))?;
    let count = elements(&shape)
        .filter(|&n| n <= MAX_ELEMENTS)
        .ok_or_else(|| fail(format!("the shape {shape:?} is too large")))?;
    let ty = DataType::try_from(t.data_type).unwrap_or(DataType::Undefined);
    let (data, integer) =
        numbers(t, ty).ok_or_else(|| fail(format!("element type {} is not supported", ty.as_str_name())))?;
    if data.len() != count {
        return Err(fail(format!(
            "the shape {shape:?} asks for {count} elements; {} are stored",
            data.len()
        )));
    }
    Ok(Const { tensor: Tensor { shape, data }, integer, batch_at: None })
}

/// The stored numbers, and whether they are integers. `None` for element types without a translation.
fn numbers(t: &pb::TensorProto, ty: DataType) -> Option<(Vec<f64>, bool)> {
    fn raw<const N: usize>(bytes: &[u8], f: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        let (chunks, rest) = bytes.as_chunks::<N>();
        let mut out: Vec<f64> = chunks.iter().map(|c| f(*c)).collect();
        // A ragged end makes the count wrong, which the caller reports.
        out.extend(rest.iter().map(|_| f64::NAN));
        out
    }
    let b = &t.raw_data;
    let is_raw = !b.is_empty();
    let ints = |f: fn(i32) -> f64| t.int32_data.iter().map(|&v| f(v)).collect::<Vec<f64>>();
    let half = |bits: u16| f64::from(f16::from_bits(bits).to_f32());
    Some(match ty {
        DataType::Float if is_raw => (raw(b, |c| f32::from_le_bytes(c).into()), false),
        DataType::Float => (t.float_data.iter().map(|&v| v.into()).collect(), false),
        DataType::Double if is_raw => (raw(b, f64::from_le_bytes), false),
        DataType::Double => (t.double_data.clone(), false),
        DataType::Float16 if is_raw => (raw(b, |c| half(u16::from_le_bytes(c))), false),
        DataType::Float16 => (t.int32_data.iter().map(|&v| half(v as u16)).collect(), false),
        DataType::Int64 if is_raw => (raw(b, |c| i64::from_le_bytes(c) as f64), true),
        DataType::Int64 => (t.int64_data.iter().map(|&v| v as f64).collect(), true),
        DataType::Int32 if is_raw => (raw(b, |c| i32::from_le_bytes(c).into()), true),
        DataType::Int32 => (ints(f64::from), true),
        DataType::Bool | DataType::Uint8 if is_raw => (raw(b, |[c]| c.into()), true),
        DataType::Bool | DataType::Uint8 => (ints(f64::from), true),
        DataType::Int8 if is_raw => (raw(b, |c| i8::from_le_bytes(c).into()), true),
        DataType::Int8 => (ints(f64::from), true),
        _ => return None,
    })
}

/// A node with typed access to its attributes; errors name the node.
pub(crate) struct NodeView<'a> {
    pub(crate) proto: &'a pb::NodeProto,
    attributes: HashMap<&'a str, &'a pb::AttributeProto>,
}

impl<'a> NodeView<'a> {
    pub(crate) fn new(proto: &'a pb::NodeProto) -> Self {
        Self { proto, attributes: proto.attribute.iter().map(|a| (a.name.as_str(), a)).collect() }
    }

    pub(crate) fn fail(&self, what: impl Into<String>) -> OnnxError {
        OnnxError::Node { node: node_name(self.proto), op: operator(self.proto), what: what.into() }
    }

    pub(crate) fn unsupported(&self) -> OnnxError {
        let node = UnsupportedNode { op: operator(self.proto), node: node_name(self.proto) };
        OnnxError::UnsupportedOperator { nodes: vec![node] }
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&'a pb::AttributeProto> {
        self.attributes.get(name).copied()
    }

    pub(crate) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |a| a.i)
    }

    pub(crate) fn float(&self, name: &str, default: f64) -> f64 {
        self.attribute(name).map_or(default, |a| a.f.into())
    }

    pub(crate) fn text(&self, name: &str) -> &'a str {
        self.attribute(name).and_then(|a| std::str::from_utf8(&a.s).ok()).unwrap_or_default()
    }

    pub(crate) fn floats(&self, name: &str) -> Vec<f64> {
        self.attribute(name).map_or_else(Vec::new, |a| a.floats.iter().map(|&v| v.into()).collect())
    }

    /// A list of integers, `None` where the attribute is absent.
    pub(crate) fn ints(&self, name: &str) -> Option<&'a [i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    /// Name of input `i`, `None` where it is left out.
    pub(crate) fn input(&self, i: usize) -> Option<&'a str> {
        self.proto.input.get(i).map(String::as_str).filter(|n| !n.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(dims: &[i64], raw: usize) -> pb::TensorProto {
        pb::TensorProto {
            dims: dims.to_vec(),
            data_type: DataType::Float as i32,
            raw_data: vec![0; raw],
            name: "w".into(),
            ..Default::default()
        }
    }

    #[test]
    fn data_must_fill_the_shape() {
        assert!(read_tensor(&tensor(&[2, 3], 24)).is_ok());
        for (dims, raw) in [
            (&[2, 3][..], 20),
            (&[2, 3], 23),
            (&[-1, 3], 24),
            (&[1 << 40, 1 << 40], 24),
            (&[i64::MAX, 2], 0),
            (&[1 << 26, 4], 0),
            (&[1; 9], 4),
        ] {
            assert!(
                matches!(read_tensor(&tensor(dims, raw)), Err(OnnxError::Tensor { .. })),
                "{dims:?} {raw}"
            );
        }
    }

    #[test]
    fn external_data_is_refused() {
        let mut t = tensor(&[1], 4);
        t.data_location = Some(DataLocation::External as i32);
        let text = read_tensor(&t).unwrap_err().to_string();
        assert!(text.contains("another file"), "{text}");
    }
}
