//! The classical operators (`ai.onnx.ml`) that scikit-learn exports put around a dense network, rewritten into
//! standard ones before anything else looks at the graph.

use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;

use crate::error::OnnxError;
use crate::proto::{ML_DOMAIN, NodeView};

/// Rewrites `Scaler`, `LinearClassifier`, `LinearRegressor`, `ZipMap` and marks `Normalizer`; other nodes stay.
///
/// # Errors
/// [`OnnxError::Node`] for attributes without a translation.
pub(crate) fn rewrite(graph: &mut pb::GraphProto) -> Result<(), OnnxError> {
    let mut nodes = Vec::with_capacity(graph.node.len());
    let mut constants = Vec::new();
    for node in std::mem::take(&mut graph.node) {
        if node.domain != ML_DOMAIN {
            nodes.push(node);
            continue;
        }
        let view = NodeView::new(&node);
        let mut rewriter = Rewriter { view: &view, nodes: &mut nodes, constants: &mut constants };
        match node.op_type.as_str() {
            "Scaler" => rewriter.scaler()?,
            "LinearClassifier" => rewriter.linear_classifier()?,
            "LinearRegressor" => rewriter.linear_regressor()?,
            "ZipMap" => {
                let (x, y) = (rewriter.input()?, rewriter.output(0)?);
                rewriter.node("Identity", &[&x], &y, Vec::new());
            }
            // Kept; the importer and `tail` know it. Everything else is refused where it is used.
            _ => nodes.push(node),
        }
    }
    graph.node = nodes;
    graph.initializer.extend(constants);
    Ok(())
}

struct Rewriter<'a> {
    view: &'a NodeView<'a>,
    nodes: &'a mut Vec<pb::NodeProto>,
    constants: &'a mut Vec<pb::TensorProto>,
}

impl Rewriter<'_> {
    fn input(&self) -> Result<String, OnnxError> {
        self.view.input(0).map(str::to_owned).ok_or_else(|| self.view.fail("it has no input"))
    }

    fn output(&self, i: usize) -> Result<String, OnnxError> {
        let output = self.view.proto.output.get(i).filter(|o| !o.is_empty());
        output.cloned().ok_or_else(|| self.view.fail(format!("it has no output {i}")))
    }

    fn node(&mut self, op: &str, inputs: &[&str], output: &str, attribute: Vec<pb::AttributeProto>) {
        self.nodes.push(pb::NodeProto {
            op_type: op.to_owned(),
            name: self.view.proto.name.clone(),
            input: inputs.iter().map(|&s| s.to_owned()).collect(),
            output: vec![output.to_owned()],
            attribute,
            ..Default::default()
        });
    }

    /// Adds a constant whose name no valid file uses: it begins with the name of this node's own output.
    fn constant(&mut self, name: String, dims: &[usize], data: &[f64]) -> String {
        self.constants.push(pb::TensorProto {
            name: name.clone(),
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: DataType::Float as i32,
            float_data: data.iter().map(|&v| v as f32).collect(),
            ..Default::default()
        });
        name
    }

    /// `y = (x - offset) * scale`.
    fn scaler(&mut self) -> Result<(), OnnxError> {
        let (x, y) = (self.input()?, self.output(0)?);
        let (offset, scale) = (self.view.floats("offset"), self.view.floats("scale"));
        if offset.is_empty() || scale.is_empty() {
            return Err(self.view.fail("it needs the attributes `offset` and `scale`"));
        }
        let centred = format!("{y}/centred");
        let o = self.constant(format!("{y}/offset"), &[offset.len()], &offset);
        let s = self.constant(format!("{y}/scale"), &[scale.len()], &scale);
        self.node("Sub", &[&x, &o], &centred, Vec::new());
        self.node("Mul", &[&centred, &s], &y, Vec::new());
        Ok(())
    }

    /// `rows` rows of coefficients and as many intercepts, as a `Gemm` into `output`.
    fn gemm(
        &mut self,
        x: &str,
        rows: usize,
        coefficients: &[f64],
        intercepts: &[f64],
        output: &str,
    ) -> Result<(), OnnxError> {
        let width = coefficients.len() / rows.max(1);
        if width == 0 || width * rows != coefficients.len() || intercepts.len() != rows {
            return Err(self.view.fail(format!(
                "{} coefficients and {} intercepts do not make {rows} rows",
                coefficients.len(),
                intercepts.len()
            )));
        }
        let w = self.constant(format!("{output}/coefficients"), &[rows, width], coefficients);
        let b = self.constant(format!("{output}/intercepts"), &[rows], intercepts);
        let trans_b = pb::AttributeProto {
            name: "transB".to_owned(),
            r#type: AttributeType::Int as i32,
            i: 1,
            ..Default::default()
        };
        self.node("Gemm", &[x, &w, &b], output, vec![trans_b]);
        Ok(())
    }

    fn intercepts(&self, rows: usize) -> Vec<f64> {
        let given = self.view.floats("intercepts");
        if given.is_empty() { vec![0.0; rows] } else { given }
    }

    fn linear_regressor(&mut self) -> Result<(), OnnxError> {
        let (x, y) = (self.input()?, self.output(0)?);
        let transform = self.view.text("post_transform");
        if !matches!(transform, "" | "NONE") {
            return Err(self.view.fail(format!("the post_transform `{transform}` is not supported")));
        }
        let rows = usize::try_from(self.view.int("targets", 1)).unwrap_or(0);
        self.gemm(&x, rows, &self.view.floats("coefficients"), &self.intercepts(rows), &y)
    }

    /// Only the scores (output 1) are produced; the label follows from them by the schema's classes.
    fn linear_classifier(&mut self) -> Result<(), OnnxError> {
        let (x, scores) = (self.input()?, self.output(1)?);
        let transform = self.view.text("post_transform");
        let coefficients = self.view.floats("coefficients");
        let labels = self.view.attribute("classlabels_ints").map_or(0, |a| a.ints.len())
            + self.view.attribute("classlabels_strings").map_or(0, |a| a.strings.len());
        let rows = match self.view.floats("intercepts").len() {
            0 => labels,
            n => n,
        };
        let intercepts = self.intercepts(rows);
        let tail = match transform {
            "" | "NONE" => "Identity",
            "SOFTMAX" => "Softmax",
            "LOGISTIC" => "Sigmoid",
            other => return Err(self.view.fail(format!("the post_transform `{other}` is not supported"))),
        };
        let half = coefficients.len() / 2;
        let opposite = |v: &[f64]| v[..v.len() / 2].iter().zip(&v[v.len() / 2..]).all(|(a, b)| *a == -b);
        let logits = format!("{scores}/logits");
        if rows == 2
            && tail != "Softmax"
            && coefficients.len().is_multiple_of(2)
            && opposite(&coefficients)
            && intercepts.len() == 2
            && opposite(&intercepts)
        {
            // Two rows that are each other's negative are one logit.
            self.gemm(&x, 1, &coefficients[half..], &intercepts[1..], &logits)?;
        } else if rows == 1 && tail == "Softmax" {
            return Err(self.view.fail("a softmax over one row of coefficients"));
        } else {
            self.gemm(&x, rows, &coefficients, &intercepts, &logits)?;
        }
        self.node(tail, &[&logits], &scores, Vec::new());
        Ok(())
    }
}
