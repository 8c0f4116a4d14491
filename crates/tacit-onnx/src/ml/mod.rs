//! What classical pipelines put around a model, rewritten before anything else looks at the graph: the operators of
//! `ai.onnx.ml`, the selection and joining of columns, and the arithmetic of probabilities.
//!
//! Only what the chosen output depends on is kept, so the branches that make labels go here.

mod columns;
pub(crate) mod emitter;
mod encode;
mod front;
mod linear;
mod probabilities;

use tacit_model::Schema;
use tract_onnx::pb;

use crate::error::OnnxError;
use crate::proto::{ML_DOMAIN, reachable};

/// Rewrites what `output` depends on. `schema` says which features are whole numbers, and their ranges.
///
/// # Errors
/// [`OnnxError::Node`] for operators and attributes without a translation.
pub(crate) fn rewrite(
    graph: &mut pb::GraphProto,
    opset: i64,
    output: &str,
    schema: &Schema,
) -> Result<(), OnnxError> {
    keep_reachable(graph, output);
    probabilities::rewrite(graph);
    if graph.node.iter().any(|n| n.domain == ML_DOMAIN) {
        front::rewrite(graph, opset, output, schema)?;
        keep_reachable(graph, output);
    }
    Ok(())
}

fn keep_reachable(graph: &mut pb::GraphProto, output: &str) {
    let (kept, _) = reachable(&graph.node, [output]);
    let mut kept = kept.into_iter().peekable();
    let mut at = 0;
    graph.node.retain(|_| {
        at += 1;
        kept.next_if_eq(&(at - 1)).is_some()
    });
}

#[cfg(test)]
mod tests {
    use tacit_model::Feature;
    use tract_onnx::pb::attribute_proto::AttributeType;
    use tract_onnx::pb::tensor_proto::DataType;
    use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Dim};
    use tract_onnx::pb::type_proto::{Tensor, Value};

    use super::*;

    /// Two whole numbers from 0 to 3 and one of two decimals.
    fn schema() -> Schema {
        let feature = |(i, decimals, max): (usize, u8, i64)| Feature {
            name: format!("x{i}"),
            decimals,
            min: 0,
            max,
            unit: None,
            code: None,
            system: None,
        };
        Schema::new([(0, 0, 3), (1, 0, 3), (2, 2, 500)].map(feature).to_vec(), Vec::new()).unwrap()
    }

    fn node(
        domain: &str,
        op: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, &[f32])],
    ) -> pb::NodeProto {
        let attribute = |(name, values): &(&str, &[f32])| pb::AttributeProto {
            name: (*name).to_owned(),
            r#type: AttributeType::Floats as i32,
            f: values[0],
            i: values[0] as i64,
            floats: values.to_vec(),
            ints: values.iter().map(|&v| v as i64).collect(),
            ..Default::default()
        };
        pb::NodeProto {
            domain: domain.to_owned(),
            op_type: op.to_owned(),
            input: inputs.iter().map(|&s| s.to_owned()).collect(),
            output: vec![output.to_owned()],
            attribute: attributes.iter().map(attribute).collect(),
            ..Default::default()
        }
    }

    /// The operators that are left of a graph over `x` with the constant `places`, up to `y`.
    fn rewritten(nodes: Vec<pb::NodeProto>, places: &[i64]) -> Result<Vec<String>, OnnxError> {
        let dim = |value| Dimension { value, ..Default::default() };
        let shape = pb::TensorShapeProto { dim: vec![dim(None), dim(Some(Dim::DimValue(3)))] };
        let ty = Tensor { elem_type: DataType::Float as i32, shape: Some(shape) };
        let mut graph = pb::GraphProto {
            node: nodes,
            input: vec![pb::ValueInfoProto {
                name: "x".to_owned(),
                r#type: Some(pb::TypeProto { value: Some(Value::TensorType(ty)), ..Default::default() }),
                ..Default::default()
            }],
            initializer: vec![pb::TensorProto {
                name: "places".to_owned(),
                dims: vec![places.len() as i64],
                data_type: DataType::Int64 as i32,
                int64_data: places.to_vec(),
                ..Default::default()
            }],
            ..Default::default()
        };
        rewrite(&mut graph, 17, "y", &schema())?;
        Ok(graph.node.into_iter().map(|n| n.op_type).collect())
    }

    fn refusal(nodes: Vec<pb::NodeProto>, places: &[i64]) -> String {
        rewritten(nodes, places).unwrap_err().to_string()
    }

    #[test]
    fn selected_scaled_and_joined_columns_are_one_layer() {
        let nodes = vec![
            node(ML_DOMAIN, "Imputer", &["x"], "filled", &[("replaced_value_float", &[f32::NAN])]),
            node(ML_DOMAIN, "ArrayFeatureExtractor", &["filled", "places"], "picked", &[]),
            node(ML_DOMAIN, "Scaler", &["picked"], "scaled", &[("offset", &[1.0, 2.0]), ("scale", &[3.0])]),
            node("", "Concat", &["scaled", "x"], "joined", &[("axis", &[1.0])]),
            node(ML_DOMAIN, "LinearRegressor", &["joined"], "y", &[("coefficients", &[1.0; 5])]),
        ];
        let mut nodes = nodes;
        // `targets` has its default; the helper would give it one coefficient per attribute.
        nodes[4].attribute.truncate(1);
        assert_eq!(rewritten(nodes, &[2, 0]).unwrap(), ["Gemm"]);
    }

    #[test]
    fn a_marker_outside_the_declared_range_never_occurs() {
        let imputer = |marker| {
            vec![
                node(ML_DOMAIN, "Imputer", &["x"], "filled", &[("replaced_value_float", &[marker])]),
                node("", "Relu", &["filled"], "y", &[]),
            ]
        };
        assert_eq!(rewritten(imputer(-1.0), &[]).unwrap(), ["Gemm", "Relu"]);
        let text = refusal(imputer(2.0), &[]);
        assert!(text.contains("2 stands for a missing value") && text.contains("feature `x0`"), "{text}");
    }

    #[test]
    fn codes_must_be_whole_features() {
        let encoder = |places: &[i64]| {
            let nodes = vec![
                node(ML_DOMAIN, "ArrayFeatureExtractor", &["x", "places"], "picked", &[]),
                node(ML_DOMAIN, "OneHotEncoder", &["picked"], "y", &[("cats_int64s", &[0.0, 1.0])]),
            ];
            rewritten(nodes, places)
        };
        let ops = encoder(&[1]).unwrap();
        assert_eq!(ops[..3], ["Slice", "MatMul", "Add"]);
        let text = encoder(&[2]).unwrap_err().to_string();
        assert!(text.contains("feature `x2` has 2 decimals"), "{text}");
        let computed = vec![
            node("", "Relu", &["x"], "z", &[]),
            node(ML_DOMAIN, "OneHotEncoder", &["z"], "y", &[("cats_int64s", &[0.0])]),
        ];
        assert!(refusal(computed, &[]).contains("works on computed values"));
    }

    #[test]
    fn consecutive_codes_of_a_declared_range_are_shifted() {
        let encoder = |values: &[f32]| {
            vec![
                node(ML_DOMAIN, "ArrayFeatureExtractor", &["x", "places"], "picked", &[]),
                node(
                    ML_DOMAIN,
                    "LabelEncoder",
                    &["picked"],
                    "z",
                    &[("keys_floats", &[0.0, 1.0, 2.0, 3.0]), ("values_floats", values)],
                ),
                node("", "Relu", &["z"], "y", &[]),
            ]
        };
        assert_eq!(rewritten(encoder(&[5.0, 6.0, 7.0, 8.0]), &[0]).unwrap(), ["Gemm", "Relu"]);
        let ops = rewritten(encoder(&[5.0, 6.0, 7.0, 9.0]), &[0]).unwrap();
        assert!(ops.contains(&"Slice".to_owned()), "{ops:?}");
    }
}
