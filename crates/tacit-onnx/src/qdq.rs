//! Files that a quantiser has been over, brought back to operators on real numbers.
//!
//! A quantised tensor `q` stands for the real numbers `(q - zero point) · scale`. After rewriting, the tensor of that name
//! *holds* those: weights are dequantised, an operator on quantised tensors becomes the same operator on reals, and
//! what is left of quantising an activation is a `Clip` to the numbers that its type can stand for. The
//! file's rounding of activations is dropped on purpose: this crate chooses its own scales, symmetric and finer, and two
//! roundings on top of each other would only add their errors.

use std::collections::HashMap;

use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;

use crate::error::OnnxError;
use crate::ml::emitter::Emitter;
use crate::proto::{NodeView, node_name, read_tensor};
use crate::tensor::Tensor;

/// Domain of onnxruntime's own operators.
const MICROSOFT: &str = "com.microsoft";

/// Rewrites every quantised operator of the graph.
///
/// # Errors
/// [`OnnxError::Node`] for scales and zero points that are not constants, or of a type or shape that is not known.
pub(crate) fn rewrite(graph: &mut pb::GraphProto, opset: i64) -> Result<(), OnnxError> {
    let quantised = |n: &pb::NodeProto| {
        matches!(n.domain.as_str(), "" | "ai.onnx" | MICROSOFT)
            && (n.op_type.starts_with("QLinear")
                || n.op_type == "QGemm"
                || n.op_type.contains("uantizeLinear")
                || n.op_type.ends_with("Integer"))
    };
    if !graph.node.iter().any(quantised) {
        return Ok(());
    }
    let initialisers = std::mem::take(&mut graph.initializer);
    let mut rewriter = Rewriter {
        constants: initialisers.iter().map(|t| (t.name.clone(), t)).collect(),
        emitter: Emitter::new(opset),
        folded: HashMap::new(),
    };
    for node in std::mem::take(&mut graph.node) {
        if quantised(&node) {
            rewriter.node(&node)?;
        } else {
            rewriter.emitter.nodes.push(node);
        }
    }
    let Rewriter { emitter, .. } = rewriter;
    graph.node = emitter.nodes;
    graph.initializer = initialisers;
    graph.initializer.extend(emitter.constants);
    Ok(())
}

/// How the integers of a tensor stand for reals: one scale and zero point, or one each per slice along an axis.
struct Scale {
    scale: Tensor,
    zero: Vec<f64>,
    /// Smallest and largest integer of the type.
    range: (f64, f64),
}

struct Rewriter<'a> {
    constants: HashMap<String, &'a pb::TensorProto>,
    emitter: Emitter,
    /// Quantised tensors that turned out to be constants, as reals.
    folded: HashMap<String, Tensor>,
}

impl Rewriter<'_> {
    fn node(&mut self, node: &pb::NodeProto) -> Result<(), OnnxError> {
        let view = NodeView::new(node);
        self.emitter.name = node_name(node);
        let y = node.output.first().cloned().unwrap_or_default();
        match node.op_type.as_str() {
            "QuantizeLinear" => self.quantise(&view, &y),
            "DequantizeLinear" => self.dequantise(&view, &y),
            "DynamicQuantizeLinear" => self.dynamic(&view),
            "MatMulInteger" | "ConvInteger" => self.integer(&view, &y),
            "QLinearConv" => {
                let bias_scale = self.product_of_scales(&view, 1, 4)?;
                let (x, w) = (self.operand(&view, 0, None)?, self.operand(&view, 3, Some(0))?);
                let mut inputs = vec![x, w];
                inputs.extend(self.bias(&view, 8, &bias_scale)?);
                self.clipped(&view, "Conv", &inputs, 6, &y)
            }
            "QLinearMatMul" => {
                let inputs = [self.operand(&view, 0, None)?, self.operand(&view, 3, Some(-1))?];
                self.clipped(&view, "MatMul", &inputs, 6, &y)
            }
            "QGemm" => {
                let bias_scale = self.product_of_scales(&view, 1, 4)?;
                let axis = if view.int("transB", 0) == 0 { 1 } else { 0 };
                let mut inputs = vec![self.operand(&view, 0, None)?, self.operand(&view, 3, Some(axis))?];
                inputs.extend(self.bias(&view, 6, &bias_scale)?);
                // The output may be real already.
                match view.input(7) {
                    Some(_) => self.clipped(&view, "Gemm", &inputs, 7, &y),
                    None => {
                        self.plain(&view, "Gemm", &inputs, &y);
                        Ok(())
                    }
                }
            }
            "QLinearAdd" | "QLinearMul" => {
                let inputs = [self.operand(&view, 0, None)?, self.operand(&view, 3, None)?];
                self.clipped(&view, &node.op_type["QLinear".len()..], &inputs, 6, &y)
            }
            // Probabilities end a model and are taken off there; a cut would hide them.
            "QLinearSigmoid" | "QLinearSoftmax" => {
                let x = self.operand(&view, 0, None)?;
                self.plain(&view, &node.op_type["QLinear".len()..], &[x], &y);
                Ok(())
            }
            "QLinearLeakyRelu" | "QLinearAveragePool" | "QLinearGlobalAveragePool" => {
                if view.int("channels_last", 0) != 0 {
                    return Err(view.fail("channels last; export the model with channels first"));
                }
                let x = self.operand(&view, 0, None)?;
                self.clipped(&view, &node.op_type["QLinear".len()..], &[x], 3, &y)
            }
            "QLinearConcat" => {
                let parts = (2..node.input.len()).step_by(3);
                let inputs: Vec<String> =
                    parts.map(|i| self.operand(&view, i, None)).collect::<Result<_, _>>()?;
                self.clipped(&view, "Concat", &inputs, 0, &y)
            }
            _ => Err(view.unsupported()),
        }
    }

    /// The scale given as input `i` with its zero point as the next.
    fn scale(&self, view: &NodeView<'_>, i: usize) -> Result<Scale, OnnxError> {
        let name = view.input(i).ok_or_else(|| view.fail(format!("input {i}, a scale, is missing")))?;
        let constant = |name: &str| {
            self.constants.get(name).copied().ok_or_else(|| {
                view.fail(format!(
                    "the scale or zero point `{name}` is no stored constant; quantise the model statically"
                ))
            })
        };
        let scale = read_tensor(constant(name)?)?.tensor;
        let (zero, ty) = match view.input(i + 1) {
            Some(zero) => {
                let t = constant(zero)?;
                (read_tensor(t)?.tensor.data, t.data_type)
            }
            // Without a zero point the attribute says the type, and without that it is this one.
            None => (
                vec![0.0],
                match view.int("output_dtype", 0) {
                    0 => DataType::Uint8 as i32,
                    ty => i32::try_from(ty).unwrap_or(0),
                },
            ),
        };
        let range = match DataType::try_from(ty).unwrap_or(DataType::Undefined) {
            DataType::Uint8 => (0.0, 255.0),
            DataType::Int8 => (-128.0, 127.0),
            DataType::Uint16 => (0.0, 65_535.0),
            DataType::Int16 => (-32_768.0, 32_767.0),
            DataType::Int32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
            other => {
                return Err(
                    view.fail(format!("zero points of type {} are not supported", other.as_str_name()))
                );
            }
        };
        if !scale.is_finite() || zero.len() != 1 && zero.len() != scale.data.len() {
            return Err(view.fail("its scales and zero points do not fit together"));
        }
        Ok(Scale { scale, zero, range })
    }

    /// `(q - zero point) · scale`, along `axis` where there are several scales.
    fn real(view: &NodeView<'_>, q: &Tensor, by: &Scale, axis: i64) -> Result<Tensor, OnnxError> {
        let count = by.scale.data.len();
        let inner = if count == 1 {
            1
        } else {
            let axis = usize::try_from(if axis < 0 { axis + q.shape.len() as i64 } else { axis });
            let axis = axis.ok().filter(|&a| q.shape.get(a) == Some(&count));
            let axis = axis.ok_or_else(|| {
                view.fail(format!("{count} scales do not fit a constant of shape {:?}", q.shape))
            })?;
            q.shape[axis + 1..].iter().product()
        };
        let at = |i: usize| i / inner % count;
        let value = |(i, v): (usize, &f64)| (v - by.zero[at(i) % by.zero.len()]) * by.scale.data[at(i)];
        Ok(Tensor { shape: q.shape.clone(), data: q.data.iter().enumerate().map(value).collect() })
    }

    /// Stores reals as a constant.
    fn store(&mut self, name: String, t: Tensor) -> String {
        let name = self.emitter.floats(name, &t.shape, &t.data);
        self.folded.insert(name.clone(), t);
        name
    }

    /// The name of the reals behind input `i`, whose scale and zero point are the next two inputs.
    fn operand(&mut self, view: &NodeView<'_>, i: usize, axis: Option<i64>) -> Result<String, OnnxError> {
        let name = view.input(i).ok_or_else(|| view.fail(format!("input {i} is missing")))?;
        let Some(stored) = self.constants.get(name).copied() else { return Ok(name.to_owned()) };
        let by = self.scale(view, i + 1)?;
        let real = Self::real(view, &read_tensor(stored)?.tensor, &by, axis.unwrap_or(0))?;
        let y = view.proto.output.first().cloned().unwrap_or_default();
        Ok(self.store(format!("{y}/operand{i}"), real))
    }

    /// The scale of sums of products, which an integer bias is given in.
    fn product_of_scales(&self, view: &NodeView<'_>, a: usize, b: usize) -> Result<Tensor, OnnxError> {
        let (a, b) = (self.scale(view, a)?.scale, self.scale(view, b)?.scale);
        let a = a.as_scalar().ok_or_else(|| view.fail("its first operand has several scales"))?;
        Ok(b.map(|v| v * a))
    }

    /// The bias at input `i` as reals, where there is one.
    fn bias(&mut self, view: &NodeView<'_>, i: usize, scale: &Tensor) -> Result<Option<String>, OnnxError> {
        let Some(name) = view.input(i) else { return Ok(None) };
        let stored = self.constants.get(name).copied();
        let stored = stored.ok_or_else(|| view.fail("its bias is no stored constant"))?;
        let by = Scale { scale: scale.clone(), zero: vec![0.0], range: (0.0, 0.0) };
        let real = Self::real(view, &read_tensor(stored)?.tensor, &by, -1)?;
        let y = view.proto.output.first().cloned().unwrap_or_default();
        Ok(Some(self.store(format!("{y}/bias"), real)))
    }

    /// The node under the name of a standard operator, with its attributes.
    fn plain(&mut self, view: &NodeView<'_>, op: &str, inputs: &[String], y: &str) {
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        self.emitter.node(op, &inputs, y, view.proto.attribute.clone());
    }

    /// The same, cut off where the scale at input `i` cuts off.
    fn clipped(
        &mut self,
        view: &NodeView<'_>,
        op: &str,
        inputs: &[String],
        i: usize,
        y: &str,
    ) -> Result<(), OnnxError> {
        let wide = format!("{y}/wide");
        self.plain(view, op, inputs, &wide);
        self.clip(view, i, &wide, y)
    }

    fn clip(&mut self, view: &NodeView<'_>, i: usize, x: &str, y: &str) -> Result<(), OnnxError> {
        let by = self.scale(view, i)?;
        let (Some(scale), [zero]) = (by.scale.as_scalar(), &by.zero[..]) else {
            return Err(view.fail("several scales for a value that depends on the record are not supported"));
        };
        self.emitter.clip(x, (by.range.0 - zero) * scale, (by.range.1 - zero) * scale, y);
        Ok(())
    }

    fn quantise(&mut self, view: &NodeView<'_>, y: &str) -> Result<(), OnnxError> {
        let x = view.input(0).ok_or_else(|| view.fail("it has no input"))?;
        let Some(stored) = self.constants.get(x).copied() else { return self.clip(view, 1, x, y) };
        // A weight that is stored in full: rounded as the file says.
        let by = self.scale(view, 1)?;
        let t = read_tensor(stored)?.tensor;
        let unit = Scale { scale: by.scale.map(|s| 1.0 / s), zero: vec![0.0], range: by.range };
        let mut q = Self::real(view, &t, &unit, view.int("axis", 1))?;
        let levels = Scale {
            scale: by.scale.map(|_| 1.0),
            zero: by.zero.iter().map(|z| -z).collect(),
            range: by.range,
        };
        q = Self::real(view, &q.map(f64::round_ties_even), &levels, view.int("axis", 1))?;
        let q = q.map(|v| v.clamp(by.range.0, by.range.1));
        let real = Self::real(view, &q, &by, view.int("axis", 1))?;
        self.store(y.to_owned(), real);
        Ok(())
    }

    fn dequantise(&mut self, view: &NodeView<'_>, y: &str) -> Result<(), OnnxError> {
        let x = view.input(0).ok_or_else(|| view.fail("it has no input"))?;
        if let Some(stored) = self.constants.get(x).copied() {
            let by = self.scale(view, 1)?;
            let real = Self::real(view, &read_tensor(stored)?.tensor, &by, view.int("axis", 1))?;
            self.store(y.to_owned(), real);
        } else if let Some(real) = self.folded.get(x).cloned() {
            self.store(y.to_owned(), real);
        } else {
            self.emitter.node("Identity", &[x], y, Vec::new());
        }
        Ok(())
    }

    /// Scales that follow from each record: the tensor stays real, and its scale is 1.
    fn dynamic(&mut self, view: &NodeView<'_>) -> Result<(), OnnxError> {
        let x = view.input(0).ok_or_else(|| view.fail("it has no input"))?;
        if let Some(y) = view.proto.output.first() {
            self.emitter.node("Identity", &[x], y, Vec::new());
        }
        for (i, value) in [(1, 1.0), (2, 0.0)] {
            if let Some(name) = view.proto.output.get(i).filter(|n| !n.is_empty()) {
                self.emitter.floats(name.clone(), &[], &[value]);
            }
        }
        Ok(())
    }

    /// `MatMulInteger` and `ConvInteger` after [`Self::dynamic`]: reals times the weight's integers, scaled by what follows.
    fn integer(&mut self, view: &NodeView<'_>, y: &str) -> Result<(), OnnxError> {
        let name = |i: usize| view.input(i).ok_or_else(|| view.fail(format!("input {i} is missing")));
        let (x, w) = (name(0)?, name(1)?);
        let stored = self.constants.get(w).copied();
        let stored = stored.ok_or_else(|| view.fail("its weight is no stored constant"))?;
        let zero = match view.input(3).map(|z| self.constants.get(z).copied()) {
            None => vec![0.0],
            Some(Some(t)) => read_tensor(t)?.tensor.data,
            Some(None) => return Err(view.fail("its weight's zero point is no stored constant")),
        };
        let conv = view.proto.op_type == "ConvInteger";
        let scale = Tensor { shape: vec![zero.len()], data: vec![1.0; zero.len()] };
        let by = Scale { scale, zero, range: (0.0, 0.0) };
        let real = Self::real(view, &read_tensor(stored)?.tensor, &by, if conv { 0 } else { -1 })?;
        let w = self.store(format!("{y}/weight"), real);
        self.plain(view, if conv { "Conv" } else { "MatMul" }, &[x.to_owned(), w], y);
        Ok(())
    }
}
