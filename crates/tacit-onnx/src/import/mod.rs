//! From protobuf to [`FloatGraph`]: one walk over the nodes in file order.
//!
//! A value is either a constant, computed here once, or depends on the record. For the latter the sample axis (the
//! first, where the input has one) is followed through every operator and left out of the shapes; an operator that
//! would move, split or sum over it is refused, since a model is a function of one record.

mod activations;
mod arithmetic;
mod constants;
mod enlarge;
mod image;
mod logic;
mod norms;
mod pieces;
mod pooling;
mod reduce;
mod shapes;

use std::collections::HashMap;
use std::rc::Rc;

use tacit_model::Schema;
use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dim;
use tract_onnx::pb::type_proto::Value as TypeValue;

use crate::axes;
use crate::error::{OnnxError, UnsupportedNode};
use crate::graph::{FloatGraph, FloatNode, FloatOp, Norm, TailOp, ValueId};
use crate::operators::is_supported;
use crate::proto::{
    Const, MAX_ELEMENTS, MAX_RANK, ML_DOMAIN, NodeView, node_name, operator, opset, reachable, read_tensor,
};
use crate::tensor::elements;

/// Most elements of all values of one sample together.
const MAX_TOTAL_ELEMENTS: usize = 1 << 26;

/// A tensor of the ONNX graph.
#[derive(Clone)]
enum Value {
    /// Depends on the record.
    Computed { id: ValueId, integer: bool },
    /// Does not.
    Constant(Rc<Const>),
}

/// What the file says about its input.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) ty: DataType,
    /// Whether the first axis is the sample axis.
    pub(crate) batched: bool,
    /// Length of the sample axis where the file fixes it.
    pub(crate) batch: Option<usize>,
    /// Shape per sample.
    pub(crate) shape: Vec<usize>,
}

/// An imported model: its graph up to the chosen output, tail operators included.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) graph: FloatGraph,
    pub(crate) input: Input,
}

struct Importer<'a> {
    nodes: Vec<FloatNode>,
    values: HashMap<&'a str, Value>,
    initialisers: HashMap<&'a str, &'a pb::TensorProto>,
    input: Input,
    opset: i64,
    /// Elements that folding constants may still produce; in proportion to the file.
    constant_budget: usize,
    value_budget: usize,
}

/// Reads the part of `model` that `output` depends on, whose operators [`check_operators`] has looked at before they were
/// rewritten. `file_bytes` bounds the work on constants.
///
/// # Errors
/// [`OnnxError`] names the operator and node that cannot be translated.
pub(crate) fn import(
    model: &pb::ModelProto,
    output: &str,
    file_bytes: usize,
    schema: &Schema,
) -> Result<Imported, OnnxError> {
    let Some(graph) = &model.graph else {
        return Err(OnnxError::Malformed("the file holds no graph".to_owned()));
    };
    let (kept, names) = reachable(&graph.node, [output]);
    check_opset(model)?;
    let initialisers: HashMap<&str, &pb::TensorProto> =
        graph.initializer.iter().map(|t| (t.name.as_str(), t)).collect();
    let inputs: Vec<&pb::ValueInfoProto> = graph
        .input
        .iter()
        .filter(|i| names.contains(i.name.as_str()) && !initialisers.contains_key(i.name.as_str()))
        .collect();
    let [info] = inputs[..] else {
        let names: Vec<&str> = inputs.iter().map(|i| i.name.as_str()).collect();
        return Err(OnnxError::Input(match names.len() {
            0 => format!("the output `{output}` depends on no input"),
            n => format!(
                "{n} tensors ({}) feed the output; export the model with one input tensor that holds all features",
                names.join(", ")
            ),
        }));
    };
    let input = read_input(info)?;
    // First of all: what follows of a wrong number of values is said of nodes that have nothing to do with it.
    check_features(&input, schema)?;
    let mut importer = Importer {
        nodes: Vec::new(),
        values: HashMap::new(),
        initialisers,
        opset: opset(model),
        constant_budget: file_bytes.saturating_mul(8).saturating_add(1 << 16),
        value_budget: MAX_TOTAL_ELEMENTS,
        input: input.clone(),
    };
    let integer = matches!(input.ty, DataType::Int64 | DataType::Int32);
    importer.nodes.push(FloatNode {
        op: FloatOp::Input,
        shape: input.shape.clone(),
        name: input.name.clone(),
        tensor: input.name.clone(),
    });
    importer.values.insert(&info.name, Value::Computed { id: 0, integer });
    for i in kept {
        importer.node(&graph.node[i])?;
    }
    let numbers = MAX_TOTAL_ELEMENTS - importer.value_budget;
    if input.batch.unwrap_or(1).saturating_mul(numbers.max(elements(&input.shape).unwrap_or(1)))
        > MAX_TOTAL_ELEMENTS
    {
        return Err(OnnxError::Input(format!(
            "`{}` fixes too many samples; export the model with an open sample axis",
            input.name
        )));
    }
    match importer.values.get(output) {
        Some(Value::Computed { id, .. }) => {
            let graph = FloatGraph { output: *id, nodes: importer.nodes };
            Ok(Imported { graph, input })
        }
        Some(Value::Constant(_)) => {
            Err(OnnxError::Output(format!("`{output}` is a constant and does not depend on the record")))
        }
        None => Err(OnnxError::Output(format!("no node computes `{output}`"))),
    }
}

/// Operator sets whose operators are read.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=25;

fn check_opset(model: &pb::ModelProto) -> Result<(), OnnxError> {
    // Models of classical operators alone may name no standard operator set.
    let named = model.opset_import.iter().any(|o| matches!(o.domain.as_str(), "" | "ai.onnx"));
    let version = opset(model);
    if !named || OPSETS.contains(&version) {
        return Ok(());
    }
    Err(OnnxError::Opset { version, least: *OPSETS.start(), most: *OPSETS.end() })
}

/// Names every node whose operator has no translation, in one error.
pub(crate) fn check_operators<'a>(nodes: impl Iterator<Item = &'a pb::NodeProto>) -> Result<(), OnnxError> {
    let unknown = |n: &&pb::NodeProto| !is_supported(&operator(n));
    let node = |n: &pb::NodeProto| UnsupportedNode { op: operator(n), node: node_name(n) };
    let nodes: Vec<UnsupportedNode> = nodes.filter(unknown).map(node).collect();
    if nodes.is_empty() { Ok(()) } else { Err(OnnxError::UnsupportedOperator { nodes }) }
}

/// The schema's features fill the input.
fn check_features(input: &Input, schema: &Schema) -> Result<(), OnnxError> {
    let (model, features) = (elements(&input.shape), schema.features.len());
    if let Some(model) = model.filter(|&model| model != features) {
        return Err(OnnxError::FeatureCount { input: input.name.clone(), model, schema: features });
    }
    if matches!(input.ty, DataType::Int32 | DataType::Int64)
        && let Some(f) = schema.features.iter().find(|f| f.decimals > 0)
    {
        return Err(OnnxError::Input(format!(
            "`{}` takes integers, but the schema gives feature `{}` {} decimals",
            input.name, f.name, f.decimals
        )));
    }
    Ok(())
}

/// Checks the input's type and shape.
pub(crate) fn read_input(info: &pb::ValueInfoProto) -> Result<Input, OnnxError> {
    let fail = |what: String| OnnxError::Input(format!("`{}` {what}", info.name));
    let Some(TypeValue::TensorType(t)) = info.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return Err(fail("is not a tensor".to_owned()));
    };
    let ty = DataType::try_from(t.elem_type).unwrap_or(DataType::Undefined);
    if !matches!(
        ty,
        DataType::Float | DataType::Float16 | DataType::Double | DataType::Int64 | DataType::Int32
    ) {
        return Err(fail(format!(
            "has elements of type {}; FLOAT, FLOAT16, DOUBLE, INT32 and INT64 are supported",
            ty.as_str_name()
        )));
    }
    let Some(shape) = &t.shape else {
        return Err(fail("has no shape; export the model with a fixed number of features".to_owned()));
    };
    if shape.dim.is_empty() || shape.dim.len() > MAX_RANK {
        return Err(fail(format!("has {} axes; 1 to {MAX_RANK} are supported", shape.dim.len())));
    }
    let dims: Vec<Option<usize>> = shape
        .dim
        .iter()
        .map(|d| match &d.value {
            Some(Dim::DimValue(v)) => usize::try_from(*v).ok().filter(|&v| v > 0),
            _ => None,
        })
        .collect();
    // A single axis of known length is a lone record; otherwise the first axis runs over samples.
    let batched = !(dims.len() == 1 && dims[0].is_some());
    let batch = if batched { dims[0] } else { None };
    let sample: Option<Vec<usize>> = dims[usize::from(batched)..].iter().copied().collect();
    let Some(sample) = sample else {
        let open = shape.dim.iter().enumerate().skip(1).filter(|(_, d)| axes::length(d).is_none());
        let axes = open.map(|(i, d)| axes::name(&info.name, i, d)).collect();
        return Err(OnnxError::OpenAxes { input: info.name.clone(), axes });
    };
    if elements(&sample).is_none_or(|n| n > 1 << 20) || batch.is_some_and(|n| n > 1 << 16) {
        let text = |d: &Option<usize>| d.map_or("?".to_owned(), |d| d.to_string());
        let shape = dims.iter().map(text).collect::<Vec<_>>().join(", ");
        return Err(fail(format!(
            "has the shape [{shape}]; a record has at most {} values, a fixed number of samples at most {}",
            1 << 20,
            1 << 16
        )));
    }
    Ok(Input { name: info.name.clone(), ty, batched, batch, shape: sample })
}

impl<'a> Importer<'a> {
    fn node(&mut self, proto: &'a pb::NodeProto) -> Result<(), OnnxError> {
        let view = NodeView::new(proto);
        if proto.attribute.iter().any(|a| a.g.is_some() || !a.graphs.is_empty()) {
            return Err(view.unsupported());
        }
        let value = match (proto.domain.as_str(), proto.op_type.as_str()) {
            ("" | "ai.onnx", "Split") => return self.split(&view),
            ("" | "ai.onnx", op) => self.standard(op, &view)?,
            (ML_DOMAIN, "Normalizer") => self.normaliser(&view)?,
            _ => return Err(view.unsupported()),
        };
        self.define(&view, 0, value)
    }

    /// Names output `i` of a node.
    fn define(&mut self, view: &NodeView<'a>, i: usize, value: Value) -> Result<(), OnnxError> {
        let Some(name) = view.proto.output.get(i).filter(|o| !o.is_empty()) else {
            return Err(view.fail(format!("its output {i} has no name")));
        };
        if self.values.insert(name, value).is_some() || self.initialisers.contains_key(name.as_str()) {
            return Err(OnnxError::Malformed(format!("tensor `{name}` is defined twice")));
        }
        Ok(())
    }

    fn standard(&mut self, op: &str, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        match op {
            "Constant" => self.constant_node(view),
            "Gemm" => self.gemm(view),
            "MatMul" => self.mat_mul(view),
            "Add" | "Sub" | "Mul" | "Div" => self.binary(op, view),
            "Neg" => self.negate(view),
            "BatchNormalization" => self.batch_normalisation(view),
            "Relu" => self.clamp(view, 0.0, f64::INFINITY),
            "Conv" => self.conv(view),
            "ConvTranspose" => self.conv_transpose(view),
            "MaxPool" => self.max_pool(view),
            "AveragePool" => self.average_pool(view),
            "GlobalMaxPool" | "GlobalAveragePool" => self.global_pool(view, op == "GlobalMaxPool"),
            "ReduceMax" | "ReduceMean" | "ReduceSum" | "ReduceL1" | "ReduceL2" | "ReduceSumSquare" => {
                self.reduce(op, view)
            }
            "LayerNormalization" => self.layer_normalisation(view),
            "InstanceNormalization" => self.instance_normalisation(view),
            "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" => self.compare(op, view),
            "Sign" => self.sign(view),
            "Not" => self.not(view),
            "Where" => self.choose(view),
            "Resize" => self.resize(view),
            "DepthToSpace" | "SpaceToDepth" => self.depth_and_space(view, op == "DepthToSpace"),
            "Max" | "Min" => self.bound(view, op == "Max"),
            "Sum" => self.sum_of_all(view),
            "Pad" => self.pad(view),
            "Expand" => self.expand(view),
            "ConstantOfShape" => self.constant_of_shape(view),
            "PRelu" => self.p_relu(view),
            "Pow" => self.power(view),
            "Clip" => self.clip(view),
            "Identity" => self.operand(view, 0),
            "Dropout" => self.dropout(view),
            "Cast" => self.cast(view),
            "Reshape" => self.reshape(view),
            "Flatten" => self.flatten(view),
            "Transpose" => self.transpose(view),
            "Squeeze" | "Unsqueeze" => self.squeeze(view, op == "Unsqueeze"),
            "Shape" => self.shape_of(view),
            "Gather" => self.gather(view),
            "Slice" => self.slice(view),
            "Concat" => self.concat(view),
            "Softmax" | "LogSoftmax" => self.softmax(view),
            "ArgMax" => self.arg_max(view),
            _ => match self.named_function(op, view)? {
                Some(f) => self.function(view, f),
                None => Err(view.unsupported()),
            },
        }
    }

    /// The value of input `i`; reads an initialiser on its first use.
    fn operand(&mut self, view: &NodeView<'a>, i: usize) -> Result<Value, OnnxError> {
        let name = view.input(i).ok_or_else(|| view.fail(format!("input {i} is missing")))?;
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        let Some(proto) = self.initialisers.get(name) else {
            return Err(view
                .fail(format!("input `{name}` is no first output of a supported operator and no constant")));
        };
        let value = Value::Constant(Rc::new(read_tensor(proto)?));
        self.values.insert(name, value.clone());
        Ok(value)
    }

    /// Input `i` as a constant; `Ok(None)` where it is left out.
    fn optional_constant(&mut self, view: &NodeView<'a>, i: usize) -> Result<Option<Rc<Const>>, OnnxError> {
        if view.input(i).is_none() {
            return Ok(None);
        }
        match self.operand(view, i)? {
            Value::Constant(c) => Ok(Some(c)),
            Value::Computed { .. } => {
                Err(view.fail(format!("input {i} depends on the record; only constants are supported there")))
            }
        }
    }

    fn constant(&mut self, view: &NodeView<'a>, i: usize) -> Result<Rc<Const>, OnnxError> {
        self.optional_constant(view, i)?.ok_or_else(|| view.fail(format!("input {i} is missing")))
    }

    /// Input `i` as a value that depends on the record, real-valued.
    fn real(&mut self, view: &NodeView<'a>, i: usize) -> Result<ValueId, OnnxError> {
        match self.operand(view, i)? {
            Value::Computed { id, integer: false } => Ok(id),
            Value::Computed { .. } => {
                Err(view.fail(format!("input {i} is an integer; cast the record to float first")))
            }
            Value::Constant(_) => {
                Err(view.fail(format!("input {i} is a constant where a value was expected")))
            }
        }
    }

    /// Adds a node with real values.
    fn push(&mut self, view: &NodeView<'a>, op: FloatOp, shape: Vec<usize>) -> Result<Value, OnnxError> {
        self.push_typed(view, op, shape, false)
    }

    fn push_typed(
        &mut self,
        view: &NodeView<'a>,
        op: FloatOp,
        shape: Vec<usize>,
        integer: bool,
    ) -> Result<Value, OnnxError> {
        let count = elements(&shape).filter(|&n| n > 0 && n <= MAX_ELEMENTS);
        let left = count.and_then(|n| self.value_budget.checked_sub(n));
        let (Some(left), true) = (left, shape.len() < MAX_RANK) else {
            return Err(view.fail(format!("its result of shape {shape:?} per sample is empty or too large")));
        };
        self.value_budget = left;
        let tensor = view.proto.output.first().cloned().unwrap_or_default();
        self.nodes.push(FloatNode { op, shape, name: node_name(view.proto), tensor });
        Ok(Value::Computed { id: self.nodes.len() - 1, integer })
    }

    /// Adds a node with real values; names its value.
    fn add(&mut self, view: &NodeView<'a>, op: FloatOp, shape: Vec<usize>) -> Result<ValueId, OnnxError> {
        match self.push(view, op, shape)? {
            Value::Computed { id, .. } => Ok(id),
            Value::Constant(_) => Err(view.fail("a constant where a value was expected")),
        }
    }

    fn shape(&self, id: ValueId) -> &[usize] {
        &self.nodes[id].shape
    }

    /// Number of axes in the file of a value that depends on the record, the sample axis included.
    fn full_rank(&self, id: ValueId) -> usize {
        self.shape(id).len() + usize::from(self.input.batched)
    }

    /// An axis of the file, counted from the end where negative, as an axis of the shape per sample.
    fn sample_axis(&self, view: &NodeView<'a>, axis: i64, rank: usize) -> Result<usize, OnnxError> {
        let resolved = if axis < 0 { axis + rank as i64 } else { axis };
        let axis = usize::try_from(resolved)
            .ok()
            .filter(|&a| a < rank)
            .ok_or_else(|| view.fail(format!("axis {axis} does not exist")))?;
        axis.checked_sub(usize::from(self.input.batched))
            .ok_or_else(|| view.fail("it works along the sample axis; records must be independent"))
    }

    fn normaliser(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let norm = match view.text("norm") {
            "" | "MAX" => Norm::Max,
            "L1" => Norm::L1,
            "L2" => Norm::L2,
            other => return Err(view.fail(format!("the norm `{other}` is not known"))),
        };
        let x = self.real(view, 0)?;
        if self.full_rank(x) > 2 {
            return Err(view.fail("its operand has more axes than samples and features"));
        }
        self.tail(view, |x, _| TailOp::Normaliser { x, norm })
    }

    /// An operator that mostly ends a model, shape unchanged.
    fn tail(
        &mut self,
        view: &NodeView<'a>,
        op: impl FnOnce(ValueId, &[usize]) -> TailOp,
    ) -> Result<Value, OnnxError> {
        let x = self.real(view, 0)?;
        let shape = self.shape(x).to_vec();
        self.push(view, FloatOp::Tail(op(x, &shape)), shape)
    }
}
