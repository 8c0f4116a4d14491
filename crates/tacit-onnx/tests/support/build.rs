//! ONNX files written node by node.

use prost::Message as _;
use tacit_model::testing::SplitMix;
use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Dim};
use tract_onnx::pb::type_proto::{Tensor, Value};

/// A network in the making; its input is called `record`.
pub struct Net {
    pub graph: pb::GraphProto,
    pub rng: SplitMix,
    pub opset: i64,
}

/// An attribute that holds an integer.
pub fn int(name: &str, i: i64) -> pb::AttributeProto {
    pb::AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i, ..Default::default() }
}

/// An attribute that holds a number.
pub fn float(name: &str, f: f32) -> pb::AttributeProto {
    pb::AttributeProto { name: name.into(), r#type: AttributeType::Float as i32, f, ..Default::default() }
}

/// An attribute that holds integers.
pub fn ints(name: &str, values: &[usize]) -> pb::AttributeProto {
    let ints = values.iter().map(|&v| v as i64).collect();
    pb::AttributeProto { name: name.into(), r#type: AttributeType::Ints as i32, ints, ..Default::default() }
}

/// An attribute that holds text.
pub fn text(name: &str, s: &str) -> pb::AttributeProto {
    let s = s.as_bytes().to_vec();
    pb::AttributeProto { name: name.into(), r#type: AttributeType::String as i32, s, ..Default::default() }
}

impl Net {
    pub fn new(opset: i64, seed: u64) -> Self {
        Self { graph: pb::GraphProto::default(), rng: SplitMix(seed), opset }
    }

    pub fn uniform(&mut self, lo: f64, hi: f64) -> f32 {
        (lo + (hi - lo) * (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64) as f32
    }

    fn initialiser(&mut self, dims: &[usize], ty: DataType, raw: Vec<u8>) -> String {
        let name = format!("c{}", self.graph.initializer.len());
        self.graph.initializer.push(pb::TensorProto {
            name: name.clone(),
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: ty as i32,
            raw_data: raw,
            ..Default::default()
        });
        name
    }

    pub fn constant(&mut self, dims: &[usize], data: &[f32]) -> String {
        self.initialiser(dims, DataType::Float, data.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    pub fn scalar(&mut self, v: f32) -> String {
        self.constant(&[], &[v])
    }

    pub fn integers(&mut self, data: &[i64]) -> String {
        self.initialiser(&[data.len()], DataType::Int64, data.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// Weights as training leaves them, for a fan-in of `fan_in`.
    pub fn weight(&mut self, dims: &[usize], fan_in: usize) -> String {
        let reach = (3.0 / fan_in as f64).sqrt();
        self.random(dims, -reach, reach)
    }

    pub fn random(&mut self, dims: &[usize], lo: f64, hi: f64) -> String {
        let count = dims.iter().product::<usize>();
        let data: Vec<f32> = (0..count).map(|_| self.uniform(lo, hi)).collect();
        self.constant(dims, &data)
    }

    /// Adds a node; returns the name of its first output.
    pub fn node(&mut self, op: &str, inputs: &[&str], attribute: Vec<pb::AttributeProto>) -> String {
        self.node_of(op, inputs, 1, attribute).remove(0)
    }

    pub fn node_of(
        &mut self,
        op: &str,
        inputs: &[&str],
        outputs: usize,
        attribute: Vec<pb::AttributeProto>,
    ) -> Vec<String> {
        let at = self.graph.node.len();
        let output: Vec<String> = (0..outputs).map(|i| format!("v{at}_{i}")).collect();
        self.graph.node.push(pb::NodeProto {
            op_type: op.to_owned(),
            name: format!("{op}_{at}"),
            input: inputs.iter().map(|&s| s.to_owned()).collect(),
            output: output.clone(),
            attribute,
            ..Default::default()
        });
        output
    }

    /// The file, for records of shape `shape` and with `output` as its result.
    pub fn finish(mut self, shape: &[usize], output: &str) -> Vec<u8> {
        let dims = shape.iter().map(|&d| Dim::DimValue(d as i64));
        let dim = [Dim::DimParam("N".to_owned())].into_iter().chain(dims);
        let dim = dim.map(|d| Dimension { value: Some(d), ..Default::default() }).collect();
        let info = |name: &str, shape| pb::ValueInfoProto {
            name: name.to_owned(),
            r#type: Some(pb::TypeProto {
                value: Some(Value::TensorType(Tensor { elem_type: DataType::Float as i32, shape })),
                ..Default::default()
            }),
            ..Default::default()
        };
        self.graph.input = vec![info("record", Some(pb::TensorShapeProto { dim }))];
        self.graph.output = vec![info(output, None)];
        let set = |domain: &str, version| pb::OperatorSetIdProto { domain: domain.into(), version };
        pb::ModelProto {
            ir_version: 8,
            opset_import: vec![set("", self.opset)],
            graph: Some(self.graph),
            ..Default::default()
        }
        .encode_to_vec()
    }
}
