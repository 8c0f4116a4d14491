//! `Upsample`, which operator set 10 renamed to `Resize`, rewritten before anything else looks at the graph: tract knows
//! the new name only. `Slice`, the other operator whose form changed there, is rewritten along with it. The rounding of
//! coordinates, which set 10 fixes and set 11 made an attribute, is written out.

use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;

use crate::error::OnnxError;
use crate::proto::NodeView;

/// The operator set that knows `Resize`.
const RESIZE_SET: i64 = 10;

/// Rewrites a model of operator set 7 to 10 that enlarges something; others stay as they are.
///
/// # Errors
/// [`OnnxError::Node`] for an `Upsample` without scales.
pub(crate) fn rewrite(model: &mut pb::ModelProto) -> Result<(), OnnxError> {
    let standard = |domain: &str| matches!(domain, "" | "ai.onnx");
    let is_old = |o: &pb::OperatorSetIdProto| standard(&o.domain) && o.version <= RESIZE_SET;
    let enlarges =
        |n: &pb::NodeProto| standard(&n.domain) && matches!(n.op_type.as_str(), "Upsample" | "Resize");
    let Some(graph) = &mut model.graph else { return Ok(()) };
    if !model.opset_import.iter().any(is_old) || !graph.node.iter().any(enlarges) {
        return Ok(());
    }
    model.opset_import.iter_mut().filter(|o| is_old(o)).for_each(|o| o.version = RESIZE_SET);
    let mut constants = Vec::new();
    for node in graph.node.iter_mut().filter(|n| standard(&n.domain)) {
        let output = node.output.first().cloned().unwrap_or_default();
        // Names that no valid file uses: they begin with the name of this node's own output.
        let mut constant = |name: &str, ty: DataType, ints: Vec<i64>, floats: Vec<f32>| {
            let name = format!("{output}/{name}");
            constants.push(pb::TensorProto {
                name: name.clone(),
                dims: vec![ints.len().max(floats.len()) as i64],
                data_type: ty as i32,
                int64_data: ints,
                float_data: floats,
                ..Default::default()
            });
            name
        };
        let view = NodeView::new(node);
        let mut added = Vec::new();
        match node.op_type.as_str() {
            "Upsample" if view.input(1).is_none() => {
                let scales: Vec<f32> = view.floats("scales").iter().map(|&v| v as f32).collect();
                if scales.is_empty() {
                    return Err(view.fail("it has no scales"));
                }
                added.push(constant("scales", DataType::Float, Vec::new(), scales));
            }
            "Slice" if node.input.len() == 1 => {
                for name in ["starts", "ends", "axes"] {
                    if let Some(ints) = view.ints(name) {
                        added.push(constant(name, DataType::Int64, ints.to_vec(), Vec::new()));
                    }
                }
            }
            "Upsample" | "Resize" => {}
            _ => continue,
        }
        node.attribute.retain(|a| a.name == "mode");
        node.input.extend(added);
        if enlarges(node) {
            node.op_type = "Resize".to_owned();
            let rule = |name: &str, value: &str| pb::AttributeProto {
                name: name.to_owned(),
                r#type: AttributeType::String as i32,
                s: value.as_bytes().to_vec(),
                ..Default::default()
            };
            node.attribute.push(rule("nearest_mode", "floor"));
            node.attribute.push(rule("coordinate_transformation_mode", "asymmetric"));
        }
    }
    graph.initializer.extend(constants);
    Ok(())
}
