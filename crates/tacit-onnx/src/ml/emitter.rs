//! Standard nodes and constants that take the place of one node of the file.

use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;

/// Nodes in evaluation order and the constants that they read. Names begin with the name of an output of the node that
/// they stand for, followed by a stroke: no other tensor of a valid file is called so.
#[derive(Debug)]
pub(crate) struct Emitter {
    /// Version of the standard operator set.
    opset: i64,
    /// Name of the node that is being replaced, for reports.
    pub(crate) name: String,
    pub(crate) nodes: Vec<pb::NodeProto>,
    pub(crate) constants: Vec<pb::TensorProto>,
}

impl Emitter {
    pub(crate) fn new(opset: i64) -> Self {
        Self { opset, name: String::new(), nodes: Vec::new(), constants: Vec::new() }
    }

    /// A node with one output.
    pub(crate) fn node(
        &mut self,
        op: &str,
        inputs: &[&str],
        output: &str,
        attribute: Vec<pb::AttributeProto>,
    ) {
        self.nodes.push(pb::NodeProto {
            op_type: op.to_owned(),
            name: self.name.clone(),
            input: inputs.iter().map(|&s| s.to_owned()).collect(),
            output: vec![output.to_owned()],
            attribute,
            ..Default::default()
        });
    }

    /// A constant of 32-bit floats.
    pub(crate) fn floats(&mut self, name: String, dims: &[usize], data: &[f64]) -> String {
        self.constants.push(pb::TensorProto {
            name: name.clone(),
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: DataType::Float as i32,
            float_data: data.iter().map(|&v| v as f32).collect(),
            ..Default::default()
        });
        name
    }

    /// A list of integers.
    pub(crate) fn integers(&mut self, name: String, data: &[usize]) -> String {
        self.constants.push(pb::TensorProto {
            name: name.clone(),
            dims: vec![data.len() as i64],
            data_type: DataType::Int64 as i32,
            int64_data: data.iter().map(|&v| v as i64).collect(),
            ..Default::default()
        });
        name
    }

    /// `y = min(max(x, lo), hi)`.
    pub(crate) fn clip(&mut self, x: &str, lo: f64, hi: f64, y: &str) {
        if self.opset < 11 {
            self.node("Clip", &[x], y, vec![float("min", lo), float("max", hi)]);
            return;
        }
        let lo = self.floats(format!("{y}/lo"), &[], &[lo]);
        let hi = self.floats(format!("{y}/hi"), &[], &[hi]);
        self.node("Clip", &[x, &lo, &hi], y, Vec::new());
    }
}

/// An integer attribute.
pub(crate) fn int(name: &str, value: i64) -> pb::AttributeProto {
    pb::AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Int as i32,
        i: value,
        ..Default::default()
    }
}

/// A float attribute.
fn float(name: &str, value: f64) -> pb::AttributeProto {
    pb::AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Float as i32,
        f: value as f32,
        ..Default::default()
    }
}
