//! The float reference: tract runs the original operators up to the logits.

use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Dim};
use tract_onnx::pb::type_proto::{Tensor as TensorType, Value as TypeValue};
use tract_onnx::prelude::{
    Datum, Framework, InferenceModel, InferenceModelExt, IntoRunnable, Tensor, TractResult, TypedModel,
    TypedRunnableModel, tvec,
};

use crate::error::OnnxError;
use crate::guard::guarded;
use crate::import::Input;
use crate::proto::{NodeView, reachable, read_tensor};

/// A model that tract can run.
pub(crate) struct Reference {
    plan: std::sync::Arc<TypedRunnableModel>,
    input: Input,
    /// Samples of one run: what the file fixes, else 1.
    batch: usize,
    outputs: usize,
}

impl Reference {
    /// Prepares the part of `model` that the tensor `logits` depends on.
    ///
    /// tract sees no more than that part: no symbolic axes, no annotations, no labels. Everything in it was checked by
    /// the importer before.
    ///
    /// # Errors
    /// [`OnnxError::Reference`], [`OnnxError::Panic`].
    pub(crate) fn new(
        mut model: pb::ModelProto,
        input: &Input,
        logits: &str,
        outputs: usize,
    ) -> Result<Self, OnnxError> {
        let batch = input.batch.unwrap_or(1);
        trim(&mut model, input, logits, batch);
        // tract's optimiser gives up on some graphs, such as a stride pulled over a convolution; as they are, they run as well.
        let plan = planned(&model, InferenceModelExt::into_optimized)
            .or_else(|_| planned(&model, InferenceModelExt::into_typed))?;
        Ok(Self { plan, input: input.clone(), batch, outputs })
    }

    /// The logits of every record of real numbers.
    ///
    /// # Errors
    /// [`OnnxError::Reference`], [`OnnxError::NotFinite`], [`OnnxError::Panic`].
    pub(crate) fn run(&self, records: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, OnnxError> {
        guarded("runtime", || {
            let mut logits = Vec::with_capacity(records.len());
            for group in records.chunks(self.batch) {
                let out = self.run_batch(group).map_err(|e| OnnxError::Reference(format!("{e:#}")))?;
                if out.len() != self.batch * self.outputs {
                    return Err(OnnxError::Reference(format!(
                        "{} outputs instead of {}",
                        out.len(),
                        self.batch * self.outputs
                    )));
                }
                let rows = out.chunks(self.outputs.max(1)).take(group.len());
                for row in rows {
                    if row.iter().any(|v| !v.is_finite()) {
                        let row = logits.len();
                        return Err(OnnxError::NotFinite(format!(
                            "the float model's output on record {row}"
                        )));
                    }
                    logits.push(row.to_vec());
                }
            }
            Ok(logits)
        })
    }

    fn run_batch(&self, group: &[Vec<f64>]) -> TractResult<Vec<f64>> {
        let mut flat: Vec<f64> = group.iter().flatten().copied().collect();
        // A file that fixes the number of samples gets the last record repeated.
        for _ in group.len()..self.batch {
            flat.extend(group.last().into_iter().flatten());
        }
        let mut shape = self.input.shape.clone();
        if self.input.batched {
            shape.insert(0, self.batch);
        }
        let tensor = Tensor::from_shape(&shape, &flat)?;
        let tensor = match self.input.ty {
            DataType::Double => tensor,
            DataType::Int64 => tensor.cast_to::<i64>()?.into_owned(),
            DataType::Int32 => tensor.cast_to::<i32>()?.into_owned(),
            _ => tensor.cast_to::<f32>()?.into_owned(),
        };
        let outputs = self.plan.run(tvec!(tensor.into()))?;
        let Some(output) = outputs.first() else { return Ok(Vec::new()) };
        Ok(output.cast_to_dt(f64::datum_type())?.to_plain_array_view::<f64>()?.iter().copied().collect())
    }
}

/// A model as tract runs it, made ready by `prepare`.
fn planned(
    model: &pb::ModelProto,
    prepare: fn(InferenceModel) -> TractResult<TypedModel>,
) -> Result<std::sync::Arc<TypedRunnableModel>, OnnxError> {
    guarded("runtime", || {
        let read = || tract_onnx::onnx().with_ignore_value_info(true).model_for_proto_model(model);
        let plan = read().and_then(prepare).and_then(|m| m.into_runnable());
        plan.map_err(|e| OnnxError::Reference(format!("{e:#}")))
    })
}

/// `Celu` in pieces: tract's own gives other numbers than onnxruntime where `alpha` is not 1.
fn write_out_celu(nodes: Vec<pb::NodeProto>, constants: &mut Vec<pb::TensorProto>) -> Vec<pb::NodeProto> {
    let pieces = |node: pb::NodeProto| -> Vec<pb::NodeProto> {
        let (Some(x), Some(y), "Celu") = (node.input.first(), node.output.first(), node.op_type.as_str())
        else {
            return vec![node];
        };
        let alpha = NodeView::new(&node).float("alpha", 1.0);
        constants.push(pb::TensorProto {
            name: format!("{y}/alpha"),
            data_type: DataType::Float as i32,
            float_data: vec![alpha as f32],
            ..Default::default()
        });
        let piece = |op: &str, inputs: [&str; 2], output: String| pb::NodeProto {
            op_type: op.to_owned(),
            input: inputs.into_iter().filter(|i| !i.is_empty()).map(str::to_owned).collect(),
            output: vec![output],
            ..Default::default()
        };
        let (alpha, part, elu) = (format!("{y}/alpha"), format!("{y}/part"), format!("{y}/elu"));
        vec![
            piece("Div", [x, &alpha], part.clone()),
            piece("Elu", [&part, ""], elu.clone()),
            piece("Mul", [&elu, &alpha], y.clone()),
        ]
    };
    nodes.into_iter().flat_map(pieces).collect()
}

/// Numbers of half precision as single ones: not every operator of tract computes with halves, and the reference may be
/// more precise than the file asks for.
fn widen(t: &mut pb::TensorProto) {
    if t.data_type != DataType::Float16 as i32 {
        return;
    }
    // A tensor that cannot be read is left to tract to refuse.
    let Ok(c) = read_tensor(t) else { return };
    t.data_type = DataType::Float as i32;
    t.float_data = c.tensor.data.iter().map(|&v| v as f32).collect();
    t.int32_data.clear();
    t.raw_data.clear();
}

/// Reduces `model` to the nodes and constants behind `logits`, with the input's shape written out.
fn trim(model: &mut pb::ModelProto, input: &Input, logits: &str, batch: usize) {
    let Some(graph) = &mut model.graph else { return };
    let (kept, names) = reachable(&graph.node, [logits]);
    let names: std::collections::HashSet<String> = names.into_iter().map(str::to_owned).collect();
    let mut kept = kept.into_iter().peekable();
    let nodes = std::mem::take(&mut graph.node);
    let mut nodes: Vec<pb::NodeProto> =
        nodes.into_iter().enumerate().filter(|(i, _)| kept.next_if_eq(i).is_some()).map(|(_, n)| n).collect();
    for node in &mut nodes {
        // Names need not be unique in ONNX but must be in tract, which falls back on the output's name.
        node.name.clear();
        node.doc_string.clear();
    }
    let mut initializer = std::mem::take(&mut graph.initializer);
    initializer.retain(|t| names.contains(&t.name));
    initializer.iter_mut().for_each(widen);
    for node in &mut nodes {
        let is_cast = node.op_type == "Cast";
        for attribute in &mut node.attribute {
            attribute.t.iter_mut().for_each(widen);
            if is_cast && attribute.name == "to" && attribute.i == DataType::Float16 as i64 {
                attribute.i = DataType::Float as i64;
            }
        }
    }
    let nodes = write_out_celu(nodes, &mut initializer);
    let axes = input.batched.then_some(batch).into_iter().chain(input.shape.iter().copied());
    let dim =
        axes.map(|d| Dimension { value: Some(Dim::DimValue(d as i64)), ..Default::default() }).collect();
    let elem_type = if input.ty == DataType::Float16 { DataType::Float } else { input.ty } as i32;
    let ty = TensorType { elem_type, shape: Some(pb::TensorShapeProto { dim }) };
    let value_info = |name: &str, ty| pb::ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(pb::TypeProto { value: ty, ..Default::default() }),
        ..Default::default()
    };
    *graph = pb::GraphProto {
        node: nodes,
        name: "reference".to_owned(),
        initializer,
        input: vec![value_info(&input.name, Some(TypeValue::TensorType(ty)))],
        output: vec![value_info(logits, None)],
        ..Default::default()
    };
}
