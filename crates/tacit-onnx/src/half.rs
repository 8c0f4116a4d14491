//! Files in half precision, widened to single precision before anything else looks at them.
//!
//! Weights keep the values that half precision gave them. What a runtime would round between operators is not rounded:
//! the integers of the quantised model are finer than half precision.

use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::type_proto::Value as TypeValue;

use crate::error::OnnxError;
use crate::proto::read_tensor;

const HALF: i32 = DataType::Float16 as i32;
const SINGLE: i32 = DataType::Float as i32;

/// Widens constants, casts and the types of inputs.
///
/// # Errors
/// [`OnnxError::Tensor`] for a constant whose data does not fill its shape.
pub(crate) fn widen(graph: &mut pb::GraphProto) -> Result<(), OnnxError> {
    for tensor in &mut graph.initializer {
        constant(tensor)?;
    }
    for node in &mut graph.node {
        let cast = node.op_type == "Cast";
        for attribute in &mut node.attribute {
            if let Some(tensor) = &mut attribute.t {
                constant(tensor)?;
            }
            if cast && attribute.name == "to" && attribute.i == i64::from(HALF) {
                attribute.i = i64::from(SINGLE);
            }
        }
    }
    for input in &mut graph.input {
        if let Some(TypeValue::TensorType(t)) = input.r#type.as_mut().and_then(|t| t.value.as_mut())
            && t.elem_type == HALF
        {
            t.elem_type = SINGLE;
        }
    }
    Ok(())
}

fn constant(tensor: &mut pb::TensorProto) -> Result<(), OnnxError> {
    if tensor.data_type != HALF {
        return Ok(());
    }
    let values = read_tensor(tensor)?.tensor.data;
    *tensor = pb::TensorProto {
        name: std::mem::take(&mut tensor.name),
        dims: std::mem::take(&mut tensor.dims),
        data_type: SINGLE,
        float_data: values.into_iter().map(|v| v as f32).collect(),
        ..Default::default()
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_constants_keep_their_values() {
        let mut graph = pb::GraphProto {
            initializer: vec![pb::TensorProto {
                name: "w".to_owned(),
                dims: vec![2],
                data_type: HALF,
                // 1.5 and -2.
                raw_data: vec![0x00, 0x3e, 0x00, 0xc0],
                ..Default::default()
            }],
            ..Default::default()
        };
        widen(&mut graph).unwrap();
        let w = &graph.initializer[0];
        assert_eq!((w.data_type, &w.float_data[..]), (SINGLE, &[1.5, -2.0][..]));
        assert_eq!(w.name, "w");
        let mut short =
            pb::TensorProto { data_type: HALF, dims: vec![3], raw_data: vec![0; 2], ..Default::default() };
        assert!(matches!(constant(&mut short), Err(OnnxError::Tensor { .. })));
    }
}
