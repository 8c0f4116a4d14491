//! What cannot be translated is refused by name; nothing panics, and nothing large is made from a small file.

#![allow(clippy::unwrap_used)]

mod support;

use prost::Message as _;
use support::build::{Net, int, ints, text};
use support::{expected, onnx, records, schema};
use tacit_onnx::{AxisLength, OnnxError, QuantiseOptions, float_logits, quantise};
use tract_onnx::pb;

/// The error of a network of records of shape `[2, 6, 6]`.
fn error(bytes: &[u8]) -> OnnxError {
    let schema = schema(72, 3, -2000, 2000, 0);
    quantise(bytes, &schema, &records(&schema, 2, 1), None, &QuantiseOptions::default()).unwrap_err()
}

fn says(bytes: &[u8], what: &str) {
    let error = error(bytes).to_string();
    assert!(error.contains(what), "{error}");
}

fn one(
    op: &str,
    constants: impl Fn(&mut Net) -> Vec<String>,
    attributes: Vec<pb::AttributeProto>,
) -> Vec<u8> {
    let mut net = Net::new(17, 1);
    let constants = constants(&mut net);
    let inputs: Vec<&str> = ["record"].into_iter().chain(constants.iter().map(String::as_str)).collect();
    let out = net.node(op, &inputs, attributes);
    net.finish(&[2, 6, 6], &out)
}

#[test]
fn windows_that_make_no_sense_are_refused() {
    let weight = |net: &mut Net| vec![net.random(&[4, 2, 3, 3], -1.0, 1.0)];
    let huge = usize::try_from(i64::MAX).unwrap();
    for (attributes, what) in [
        (vec![ints("strides", &[0, 1])], "`strides` is [0, 1]"),
        (vec![ints("strides", &[1])], "2 numbers from 1 up are needed"),
        (vec![ints("dilations", &[huge, 1])], "`dilations`"),
        (vec![ints("dilations", &[4, 1])], "a window of 9 does not fit into 6 positions"),
        (vec![ints("pads", &[huge, 0, 0, 0])], "`pads`"),
        (vec![ints("pads", &[1, 1])], "4 numbers from 0 up are needed"),
        (vec![int("group", 0)], "cannot be split into 0 groups"),
        (vec![int("group", 3)], "cannot be split into 3 groups"),
        (vec![int("group", 2)], "does not fit 2 channels in 2 groups"),
        (vec![ints("kernel_shape", &[5, 5])], "`kernel_shape` is [5, 5]"),
        (vec![text("auto_pad", "SIDEWAYS")], "`auto_pad` is `SIDEWAYS`"),
    ] {
        says(&one("Conv", weight, attributes), what);
    }
    says(&one("Conv", |net| vec![net.random(&[4, 2, 3], -1.0, 1.0)], vec![]), "4 axes are needed");
    for (attributes, what) in [
        (vec![], "`kernel_shape` is missing"),
        (vec![ints("kernel_shape", &[7, 1])], "a window of 7 does not fit"),
        (vec![ints("kernel_shape", &[2, 2]), ints("pads", &[2, 0, 0, 0])], "as wide as its windows"),
    ] {
        says(&one("MaxPool", |_| vec![], attributes.clone()), what);
        says(&one("AveragePool", |_| vec![], attributes), what);
    }
    let wide = vec![ints("strides", &[1 << 19, 1 << 19])];
    says(&one("ConvTranspose", |net| vec![net.random(&[2, 1, 1, 1], -1.0, 1.0)], wide), "too large");
}

#[test]
fn small_files_make_nothing_large() {
    let scales = |net: &mut Net| vec![String::new(), net.constant(&[4], &[1.0, 1.0, 4000.0, 4000.0])];
    says(&one("Resize", scales, vec![text("mode", "nearest")]), "too large");
    let size = |net: &mut Net| vec![net.integers(&[1, 1 << 40, 1, 1])];
    says(&one("Expand", size, vec![]), "cannot be repeated");
    let size = |net: &mut Net| vec![net.integers(&[1 << 40, 2, 6, 6])];
    says(&one("Expand", size, vec![]), "repeats samples");
    let pads = |net: &mut Net| vec![net.integers(&[0, 0, 1 << 19, 1 << 19, 0, 0, 0, 0])];
    says(&one("Pad", pads, vec![]), "too large");
    let mut net = Net::new(17, 1);
    let shape = net.integers(&[1 << 30, 1 << 30]);
    let zeros = net.node("ConstantOfShape", &[&shape], vec![]);
    let out = net.node("Add", &["record", &zeros], vec![]);
    says(&net.finish(&[2, 6, 6], &out), "grow far beyond the size of the file");
}

#[test]
fn control_flow_and_old_or_new_operator_sets_are_named() {
    let mut net = Net::new(17, 1);
    let flag = net.integers(&[1]);
    let a = net.node("If", &[&flag, "record"], vec![]);
    let b = net.node("LSTM", &[&a], vec![]);
    let out = net.node("Loop", &[&b], vec![]);
    says(
        &net.finish(&[2, 6, 6], &out),
        "operators `If` (node `If_0`, control flow), `LSTM` (node `LSTM_1`, recurrent), `Loop` (node `Loop_2`, control flow) are not",
    );
    for opset in [6, 26] {
        let mut net = Net::new(opset, 1);
        let out = net.node("Relu", &["record"], vec![]);
        says(&net.finish(&[2, 6, 6], &out), &format!("written for operator set {opset}; 7 to 25 are read"));
    }
}

#[test]
fn cycles_and_missing_tensors_are_refused() {
    let bytes = one("Relu", |_| vec![], vec![]);
    let mut model = pb::ModelProto::decode(&bytes[..]).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let mut second = graph.node[0].clone();
    second.input = vec!["v0_0".into()];
    second.output = vec!["v1_0".into()];
    graph.node.push(second);
    graph.node[0].op_type = "Add".into();
    graph.node[0].input.push("v1_0".into());
    says(
        &model.encode_to_vec(),
        "node `Relu_0` reads `v1_0`, which a later node computes: a graph must be in order and without cycles",
    );
    says(&one("Conv", |_| vec!["nowhere".into()], vec![]), "reads `nowhere`, which nothing defines");
}

#[test]
fn a_width_is_chosen_where_none_is_given() {
    // A regressor whose outputs lie within [-1, 1]: eight bits leave more than a hundredth of that.
    let e = &expected()["clip_of_clip"];
    let (schema, bytes) = (e.schema(), onnx("clip_of_clip"));
    let calibration = records(&schema, 200, 7);
    let run = |weight_bits| {
        let options = QuantiseOptions { weight_bits, ..QuantiseOptions::default() };
        quantise(&bytes, &schema, &calibration, None, &options).unwrap()
    };
    let (model, report) = run(None);
    let tried: Vec<u8> = report.tried.iter().map(|t| t.weight_bits).collect();
    assert_eq!((report.weight_bits, tried), (10, vec![8, 10]));
    assert!(report.is_faithful() && report.max_error <= 0.01 * report.output_range);
    assert!(model.architecture().params.iter().any(|p| p.width == 10));
    let text = report.notes().join("\n");
    assert!(report.warnings().is_empty());
    assert!(
        text.starts_with("weights have 10 bits: with 8, an output errs by 1.57 % of the range"),
        "{text}"
    );
    let (_, report) = run(Some(8));
    assert_eq!((report.weight_bits, report.tried.len()), (8, 1));
    assert!(!report.is_faithful());
    assert!(report.warnings().join("\n").contains("of the range of the outputs"), "{:?}", report.warnings());
}

#[test]
fn exact_ties_are_no_close_decisions() {
    // Two outputs that a ReLU cuts off: where both are zero, no error of the integers turns the decision.
    let mut net = Net::new(17, 1);
    let flat = net.node("Flatten", &["record"], vec![int("axis", 1)]);
    let weight = net.random(&[72, 2], -1.0, 1.0);
    let product = net.node("MatMul", &[&flat, &weight], vec![]);
    let out = net.node("Relu", &[&product], vec![]);
    let schema = schema(72, 3, -2000, 2000, 2);
    let options = QuantiseOptions { weight_bits: Some(12), ..QuantiseOptions::default() };
    let rows = records(&schema, 200, 1);
    let bytes = net.finish(&[2, 6, 6], &out);
    let (_, report) = quantise(&bytes, &schema, &rows, None, &options).unwrap();
    let float = float_logits(&bytes, &schema, &rows, &options).unwrap();
    assert!(float.iter().filter(|row| row[0] == row[1]).count() > 20);
    assert!(report.expected_disagreement.unwrap() < 0.001, "{:?}", report.expected_disagreement);
}

#[test]
fn a_name_that_the_samples_share_is_the_other_axes() {
    let mut net = Net::new(17, 1);
    let out = net.node("Relu", &["record"], vec![]);
    let mut model = pb::ModelProto::decode(&net.finish(&[2, 6, 6], &out)[..]).unwrap();
    let input = &mut model.graph.as_mut().unwrap().input[0];
    let pb::type_proto::Value::TensorType(tensor) = input.r#type.as_mut().unwrap().value.as_mut().unwrap();
    for axis in [0, 2] {
        tensor.shape.as_mut().unwrap().dim[axis].value =
            Some(pb::tensor_shape_proto::dimension::Value::DimParam("n".into()));
    }
    let bytes = model.encode_to_vec();
    assert_eq!(tacit_onnx::probe(&bytes).unwrap().inputs[0].open_axes, ["n"]);
    assert!(matches!(error(&bytes), OnnxError::OpenAxes { axes, .. } if axes == ["n"]));
    let schema = schema(72, 3, -2000, 2000, 0);
    let shape = vec![AxisLength { axis: "n".into(), length: 6 }];
    let options = QuantiseOptions { shape, ..QuantiseOptions::default() };
    quantise(&bytes, &schema, &records(&schema, 2, 1), None, &options).unwrap();
}
