//! One walk over the nodes that knows, as far as it can, each tensor as columns over the record.

use std::collections::{HashMap, HashSet};

use tacit_model::Schema;
use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::type_proto::Value as TypeValue;

use super::columns::{Column, combine, dense, join};
use super::emitter::{Emitter, int};
use super::{encode, linear};
use crate::error::OnnxError;
use crate::import::read_input;
use crate::proto::{Const, ML_DOMAIN, NodeView, node_name, read_tensor};

/// Most multiplications of composing one layer with the columns that it reads.
const MAX_WORK: usize = 1 << 26;

/// A tensor of shape `[samples, columns]` whose columns are known.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    /// Whether a node of the rewritten graph computes the tensor under its own name.
    pub(super) written: bool,
}

/// Row-major weight of shape `[width, n]` and bias of `n` elements.
type Dense = (Vec<f64>, Vec<f64>);

/// The state of the walk.
pub(super) struct Front<'a> {
    pub(super) emitter: Emitter,
    /// Name of a tensor of floats that holds the record, and its width.
    pub(super) record: String,
    pub(super) schema: &'a Schema,
    pub(super) tables: HashMap<String, Table>,
    initialisers: HashMap<String, pb::TensorProto>,
    /// Tensors that something else reads than operators for which `[1 - p, p]` and `p` are the same.
    split: HashSet<String>,
}

/// Rewrites the operators of `ai.onnx.ml` and composes what selects, joins and scales columns into the first layers.
pub(super) fn rewrite(
    graph: &mut pb::GraphProto,
    opset: i64,
    output: &str,
    schema: &Schema,
) -> Result<(), OnnxError> {
    let initialisers: HashMap<String, pb::TensorProto> =
        graph.initializer.iter().map(|t| (t.name.clone(), t.clone())).collect();
    let same = |n: &pb::NodeProto| matches!(n.op_type.as_str(), "ZipMap" | "Identity" | "Normalizer");
    let mut front = Front {
        emitter: Emitter::new(opset),
        record: String::new(),
        schema,
        tables: HashMap::new(),
        split: graph.node.iter().filter(|n| !same(n)).flat_map(|n| n.input.iter().cloned()).collect(),
        initialisers,
    };
    front.read_record(graph);
    for node in std::mem::take(&mut graph.node) {
        front.node(node)?;
    }
    front.write(output);
    graph.node = front.emitter.nodes;
    graph.initializer.extend(front.emitter.constants);
    Ok(())
}

impl<'a> Front<'a> {
    /// Knows the columns of the model's input where that is one matrix of floats or integers with a feature per column.
    fn read_record(&mut self, graph: &pb::GraphProto) {
        let mut inputs = graph.input.iter().filter(|i| !self.initialisers.contains_key(&i.name));
        let (Some(info), None) = (inputs.next(), inputs.next()) else { return };
        // An input that cannot be read is refused by the importer, with the reason.
        let Ok(input) = read_input(info) else { return };
        if input.shape != [self.schema.features.len()] || !input.batched {
            return;
        }
        let columns = (0..self.schema.features.len()).map(Column::feature).collect();
        self.record = info.name.clone();
        match info.r#type.as_ref().and_then(|t| t.value.as_ref()) {
            Some(TypeValue::TensorType(t)) if t.elem_type == DataType::Float as i32 => {}
            _ => {
                self.record = format!("{}/float", info.name);
                let to = int("to", DataType::Float as i64);
                self.emitter.node("Cast", &[&info.name], &self.record, vec![to]);
            }
        }
        self.tables.insert(info.name.clone(), Table { columns, written: true });
    }

    pub(super) fn features(&self) -> usize {
        self.schema.features.len()
    }

    /// A constant by the name of its tensor.
    pub(super) fn constant(&self, name: Option<&str>) -> Result<Option<Const>, OnnxError> {
        name.and_then(|n| self.initialisers.get(n)).map(read_tensor).transpose()
    }

    /// The columns of input `i`, where they are known.
    pub(super) fn table(&self, view: &NodeView<'_>, i: usize) -> Option<&Table> {
        self.tables.get(view.input(i)?)
    }

    /// Whether something reads both columns of a pair of opposite scores.
    pub(super) fn is_split(&self, name: &str) -> bool {
        self.split.contains(name)
    }

    /// Makes sure that a node computes a tensor that so far is known by its columns only.
    pub(super) fn write(&mut self, name: &str) {
        let Some(table) = self.tables.get_mut(name).filter(|t| !t.written) else { return };
        table.written = true;
        let columns = table.columns.clone();
        let features = self.features();
        join(&mut self.emitter, (&self.record, features), &columns, name);
    }

    /// Emits `y = x · weight + bias` for the tensor `x`; `weight` is row-major of shape `[width, n]`.
    pub(super) fn layer(&mut self, x: &str, weight: &[f64], bias: &[f64], y: &str) {
        let features = self.features();
        match self.tables.get(x).filter(|t| !t.written) {
            Some(table) => {
                dense(&mut self.emitter, (&self.record, features), &table.columns, weight, bias, y)
            }
            None => {
                let w = self.emitter.floats(
                    format!("{y}/weight"),
                    &[weight.len() / bias.len(), bias.len()],
                    weight,
                );
                let b = self.emitter.floats(format!("{y}/bias"), &[bias.len()], bias);
                self.emitter.node("Gemm", &[x, &w, &b], y, Vec::new());
            }
        }
    }

    /// `columns · weight + bias`, composed; `None` where a column is computed or it is too much work.
    pub(super) fn compose(&self, columns: &[Column], weight: &[f64], bias: &[f64]) -> Option<Vec<Column>> {
        let n = bias.len();
        if columns.len().checked_mul(n)?.checked_mul(self.features())? > MAX_WORK {
            return None;
        }
        let column = |k: usize| -> Option<Column> {
            let weights: Vec<f64> = weight.iter().skip(k).step_by(n).copied().collect();
            combine(columns, &weights, bias[k], self.features())
        };
        (0..n).map(column).collect()
    }

    fn node(&mut self, node: pb::NodeProto) -> Result<(), OnnxError> {
        let view = NodeView::new(&node);
        let output = node.output.first().cloned().unwrap_or_default();
        self.emitter.name = node_name(&node);
        if node.domain == ML_DOMAIN {
            match node.op_type.as_str() {
                "Scaler" => return linear::scaler(self, &view),
                "LinearClassifier" => return linear::classifier(self, &view),
                "LinearRegressor" => return linear::regressor(self, &view),
                "ArrayFeatureExtractor" => return self.select(&view, 1),
                "FeatureVectorizer" => return self.vectorise(&view),
                "Imputer" => return encode::imputer(self, &view),
                "OneHotEncoder" => return encode::one_hot(self, &view),
                "LabelEncoder" => return encode::labels(self, &view),
                "Binarizer" => return encode::binarise(self, &view),
                "ZipMap" => {
                    let x = view.input(0).ok_or_else(|| view.fail("it has no input"))?;
                    self.write(x);
                    self.emitter.node("Identity", &[x], &output, Vec::new());
                    return Ok(());
                }
                _ => {}
            }
        } else if matches!(node.domain.as_str(), "" | "ai.onnx")
            && let Some((columns, written)) = self.standard(&view)?
        {
            self.tables.insert(output, Table { columns, written });
            if !written {
                return Ok(());
            }
        } else if matches!(node.op_type.as_str(), "MatMul" | "Gemm")
            && self.table(&view, 0).is_some_and(|t| !t.written)
            && let Some((weight, bias)) = self.weights(&view)?
        {
            let x = node.input[0].clone();
            self.layer(&x, &weight, &bias, &output);
            return Ok(());
        }
        for x in &node.input {
            self.write(x);
        }
        self.emitter.nodes.push(node);
        Ok(())
    }

    /// The columns of a standard operator's result and whether its node can stay as it is; `None` where they are not
    /// known.
    fn standard(&self, view: &NodeView<'_>) -> Result<Option<(Vec<Column>, bool)>, OnnxError> {
        let op = view.proto.op_type.as_str();
        if op == "Concat" {
            return Ok(self.joined(view, view.int("axis", 0)).map(|columns| (columns, false)));
        }
        let Some(table) = self.table(view, 0) else { return Ok(None) };
        let columns = &table.columns;
        let second = self.constant(view.input(1))?;
        let row = |default: f64| -> Option<Vec<f64>> {
            let data = second.as_ref().map_or(vec![default], |c| c.tensor.data.clone());
            match data.len() {
                1 => Some(vec![data[0]; columns.len()]),
                n if n == columns.len() => Some(data),
                _ => None,
            }
        };
        let each = |f: &dyn Fn(f64) -> (f64, f64)| -> Option<Vec<Column>> {
            let step = |(c, v): (&Column, f64)| {
                let (factor, shift) = f(v);
                c.clone().affine(factor, shift)
            };
            Some(columns.iter().zip(row(0.0)?).map(step).collect())
        };
        let known = match op {
            "Identity" | "Dropout" => Some(columns.clone()),
            "Cast" => {
                let to = view.int("to", 0);
                let integer = [DataType::Int64, DataType::Int32].iter().any(|t| *t as i64 == to);
                let float = to == DataType::Float as i64;
                let whole = || columns.iter().all(|c| encode::whole(self, c));
                (float || (integer && whole())).then(|| columns.clone())
            }
            "Reshape" => {
                let shape = second.as_ref().and_then(Const::integers);
                let kept = |s: Vec<i64>| matches!(s[..], [-1 | 0, k] if usize::try_from(k).ok() == Some(columns.len()) || k == -1 && s[0] == 0);
                shape.is_some_and(kept).then(|| columns.clone())
            }
            "Gather" if matches!(view.int("axis", 0), 1 | -1) => {
                return Ok(second
                    .filter(|c| c.tensor.shape.len() == 1)
                    .and_then(|c| picked(columns, &c))
                    .map(|columns| (columns, false)));
            }
            "Add" | "Sub" | "Mul" | "Div" if second.is_some() => match op {
                "Add" => each(&|v| (1.0, v)),
                "Sub" => each(&|v| (1.0, -v)),
                "Mul" => each(&|v| (v, 0.0)),
                _ => each(&|v| (1.0 / v, 0.0)),
            },
            "MatMul" | "Gemm" => match self.weights(view)? {
                Some((weight, bias)) => self.compose(columns, &weight, &bias),
                None => None,
            },
            _ => None,
        };
        Ok(known.map(|columns| (columns, table.written)))
    }

    /// The weight (row-major, `[width, n]`) and bias of a dense layer over the columns of its first input; `None` where
    /// they are not plain constants.
    fn weights(&self, view: &NodeView<'_>) -> Result<Option<Dense>, OnnxError> {
        let Some(width) = self.table(view, 0).map(|t| t.columns.len()) else { return Ok(None) };
        let Some(weight) = self.constant(view.input(1))? else { return Ok(None) };
        let gemm = view.proto.op_type == "Gemm";
        let plain =
            view.float("alpha", 1.0) == 1.0 && view.float("beta", 1.0) == 1.0 && view.int("transA", 0) == 0;
        if gemm && !plain || weight.tensor.shape.len() != 2 {
            return Ok(None);
        }
        let weight = if gemm && view.int("transB", 0) != 0 {
            weight.tensor.transposed(&[1, 0])
        } else {
            weight.tensor
        };
        let n = weight.shape[1];
        let bias = match (view.input(2).is_some(), self.constant(view.input(2))?) {
            (false, _) => vec![0.0; n],
            (true, Some(b)) if b.tensor.data.len() == n => b.tensor.data,
            _ => return Ok(None),
        };
        Ok((weight.shape[0] == width && n > 0).then_some((weight.data, bias)))
    }

    /// The columns of all inputs in a row; `None` where those of one are not known.
    fn joined(&self, view: &NodeView<'_>, axis: i64) -> Option<Vec<Column>> {
        if !matches!(axis, 1 | -1) {
            return None;
        }
        let mut columns = Vec::new();
        for i in 0..view.proto.input.len() {
            columns.extend_from_slice(&self.table(view, i)?.columns);
        }
        Some(columns)
    }

    fn vectorise(&mut self, view: &NodeView<'_>) -> Result<(), OnnxError> {
        let columns = self
            .joined(view, 1)
            .ok_or_else(|| view.fail("it joins computed values; only columns of the record can be joined"))?;
        let y = output(view, 0)?;
        self.tables.insert(y, Table { columns, written: false });
        Ok(())
    }

    /// Columns by constant indices, given as input `i`.
    fn select(&mut self, view: &NodeView<'_>, i: usize) -> Result<(), OnnxError> {
        let y = output(view, 0)?;
        let x = view.input(0).ok_or_else(|| view.fail("it has no input"))?;
        let indices = self
            .constant(view.input(i))?
            .ok_or_else(|| view.fail("its indices depend on the record; only constant ones are supported"))?;
        if let Some(table) = self.tables.get(x) {
            let columns = picked(&table.columns, &indices).ok_or_else(|| {
                view.fail(format!("an index lies outside of the {} columns", table.columns.len()))
            })?;
            self.tables.insert(y, Table { columns, written: false });
            return Ok(());
        }
        let places = indices.integers().unwrap_or_default();
        let places: Option<Vec<usize>> = places.iter().map(|&p| usize::try_from(p).ok()).collect();
        let places = places.ok_or_else(|| view.fail("its indices are no whole numbers from 0"))?;
        let indices = self.emitter.integers(format!("{y}/indices"), &places);
        self.emitter.node("Gather", &[x, &indices], &y, vec![int("axis", -1)]);
        Ok(())
    }
}

/// Name of output `i`.
pub(super) fn output(view: &NodeView<'_>, i: usize) -> Result<String, OnnxError> {
    let output = view.proto.output.get(i).filter(|o| !o.is_empty());
    output.cloned().ok_or_else(|| view.fail(format!("it has no output {i}")))
}

/// The columns at constant indices, counted from the end where negative.
fn picked(columns: &[Column], indices: &Const) -> Option<Vec<Column>> {
    let place = |i: i64| usize::try_from(if i < 0 { i + columns.len() as i64 } else { i }).ok();
    indices.integers()?.into_iter().map(|i| columns.get(place(i)?).cloned()).collect()
}
