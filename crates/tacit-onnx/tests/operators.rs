//! Every supported operator against onnxruntime (through `expected.json`) and tract; every refusal against its text.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use prost::Message as _;
use support::{expected, onnx, records, refused, schema};
use tacit_model::OutputScale;
use tacit_onnx::{
    AxisLength, OPERATORS, OnnxError, QuantiseOptions, UnsupportedNode, float_logits, probe, quantise,
};

fn close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| (x - y).abs() <= tolerance)
}

#[test]
fn float_logits_are_those_of_onnxruntime() {
    for (name, e) in expected() {
        let got = float_logits(&onnx(&name), &e.schema(), &e.integers(), &QuantiseOptions::default())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        for (row, want) in got.iter().zip(&e.outputs) {
            let magnitude = want.iter().fold(1.0f64, |m, v| m.max(v.abs()));
            assert!(close(row, want, 1e-4 * magnitude), "{name}: {row:?} instead of {want:?}");
        }
    }
}

#[test]
fn quantised_logits_approximate_the_float_ones() {
    for (name, e) in expected() {
        let schema = e.schema();
        let calibration = records(&schema, 200, 7);
        let narrow = QuantiseOptions { weight_bits: Some(8), ..QuantiseOptions::default() };
        let (model, report) = quantise(&onnx(&name), &schema, &calibration, None, &narrow)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        // 8-bit weights in up to four layers.
        let tolerance = 0.02 * report.largest_output;
        assert!(report.max_error <= tolerance, "{name}: {} of {}", report.max_error, report.largest_output);
        assert!(report.layers.iter().all(|l| l.saturated == 0), "{name}: {:?}", report.warnings());
        for (record, want) in e.integers().iter().zip(&e.outputs) {
            let output = model.run(record).unwrap().output().to_vec();
            let real: Vec<f64> = output.iter().map(|&q| model.architecture().output_value(q)).collect();
            assert!(close(&real, want, tolerance), "{name}: {real:?} instead of {want:?}");
        }
        // Wider weights come closer.
        let wide = QuantiseOptions { weight_bits: Some(16), ..QuantiseOptions::default() };
        let (_, report) = quantise(&onnx(&name), &schema, &calibration, None, &wide).unwrap();
        // Steep functions have tables of 2^14 entries.
        let tolerance = if name == "function_exp" { 0.002 } else { 0.001 } * report.largest_output;
        assert!(
            report.max_error <= tolerance,
            "{name} wide: {} of {}",
            report.max_error,
            report.largest_output
        );
    }
}

#[test]
fn every_record_in_range_evaluates() {
    for (name, e) in expected() {
        let schema = e.schema();
        // Calibrated on two small records only: the rest saturates rather than fails.
        let small = vec![vec![0; e.features], vec![1; e.features]];
        let (model, _) = quantise(&onnx(&name), &schema, &small, None, &QuantiseOptions::default())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        for record in records(&schema, 50, 3) {
            model.run(&record).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[test]
fn refusals_say_why() {
    for (name, text) in refused() {
        let schema = schema(4, 4, -20_000, 20_000, 0);
        let error =
            quantise(&onnx(&name), &schema, &records(&schema, 5, 1), None, &QuantiseOptions::default())
                .err()
                .unwrap_or_else(|| panic!("{name} was accepted"));
        assert!(error.to_string().contains(&text), "{name}: {error}");
    }
}

#[test]
fn unsupported_operators_are_all_named_with_their_nodes() {
    let schema = schema(4, 4, -20_000, 20_000, 0);
    let error =
        float_logits(&onnx("unsupported"), &schema, &[vec![0; 4]], &QuantiseOptions::default()).unwrap_err();
    let node = |op: &str, node: &str| UnsupportedNode { op: op.into(), node: node.into() };
    let nodes = vec![node("Sin", "Sin_r"), node("com.acme.Twist", "Twist_s"), node("Det", "Det_out")];
    assert_eq!(error, OnnxError::UnsupportedOperator { nodes });
    let many = (0..3).map(|i| node("Sin", &format!("s{i}"))).chain([node("LSTM", "l")]).collect();
    let text = OnnxError::UnsupportedOperator { nodes: many }.to_string();
    assert_eq!(
        text,
        "operators `Sin` (nodes `s0`, `s1`, `s2`), `LSTM` (node `l`, recurrent) are not supported"
    );
}

#[test]
fn every_supported_operator_has_a_fixture() {
    let mut seen = BTreeSet::new();
    for name in expected().keys() {
        seen.extend(probe(&onnx(name)).unwrap().operators.into_iter().map(|(op, _)| op));
    }
    // The operators of pipelines and quantisers, as real files use them.
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/zoo")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|e| e == "onnx") {
            let summary = probe(&std::fs::read(path).unwrap()).unwrap();
            seen.extend(summary.operators.into_iter().map(|(op, _)| op));
        }
    }
    let missing: Vec<&str> = OPERATORS.iter().map(|op| op.name).filter(|op| !seen.contains(*op)).collect();
    assert!(missing.is_empty(), "no fixture for {missing:?}");
}

#[test]
fn what_follows_the_logits_is_left_out_and_recorded() {
    for (name, scale, dropped) in [
        ("softmax", OutputScale::SoftmaxLogits, 1),
        ("log_softmax", OutputScale::SoftmaxLogits, 1),
        ("softmax_opset_11", OutputScale::SoftmaxLogits, 1),
        ("sigmoid", OutputScale::SigmoidLogit, 1),
        ("sigmoid_flattened", OutputScale::SigmoidLogit, 2),
        ("arg_max", OutputScale::Plain, 1),
        ("label_and_scores", OutputScale::SoftmaxLogits, 1),
        ("sklearn_mlp_binary", OutputScale::SigmoidLogit, 3),
        ("sklearn_logistic", OutputScale::SigmoidLogit, 1),
        ("sklearn_mlp_three", OutputScale::SoftmaxLogits, 1),
        // Sigmoids divided by their sum: the logits alone say no probability.
        ("one_against_rest", OutputScale::Plain, 2),
        ("mlp", OutputScale::Plain, 0),
    ] {
        let schema = expected()[name].schema();
        let calibration = records(&schema, 20, 1);
        let (model, report) =
            quantise(&onnx(name), &schema, &calibration, None, &QuantiseOptions::default()).unwrap();
        assert_eq!(model.architecture().output_scale, scale, "{name}");
        assert_eq!(report.dropped.len(), dropped, "{name}: {:?}", report.dropped);
        assert_eq!(report.probabilities_lost, name == "one_against_rest");
    }
}

#[test]
fn folding_leaves_one_operator_per_dense_layer() {
    use tacit_model::Op;
    for (name, dense, nodes) in [
        ("scaler_sub_div", 1, 3),
        ("batchnorm_before_relu", 2, 5),
        ("batchnorm_after_relu", 2, 5),
        ("batchnorm_first", 1, 3),
        ("reversed_sub", 1, 3),
        ("scaler_between_shapes", 1, 5),
        ("batchnorm_channels", 1, 4),
        ("relu_before_flatten", 2, 6),
        ("sklearn_mlp_binary", 2, 5),
    ] {
        let schema = expected()[name].schema();
        let calibration = records(&schema, 20, 1);
        let (model, _) =
            quantise(&onnx(name), &schema, &calibration, None, &QuantiseOptions::default()).unwrap();
        let architecture = model.architecture();
        let count = architecture.nodes.iter().filter(|n| matches!(n.op, Op::MatMul { .. })).count();
        assert_eq!((count, architecture.nodes.len()), (dense, nodes), "{name}: {:?}", architecture.nodes);
    }
}

#[test]
fn an_output_can_be_chosen() {
    let schema = schema(4, 4, -20_000, 20_000, 3);
    let calibration = records(&schema, 20, 1);
    for (output, lowest) in [("out", -1.0), ("second", 0.0)] {
        let options = QuantiseOptions { output: Some(output.to_owned()), ..QuantiseOptions::default() };
        let (_, report) = quantise(&onnx("two_outputs"), &schema, &calibration, None, &options).unwrap();
        assert_eq!(report.output, output);
        assert!(report.layers[0].representable_min <= lowest);
    }
    let options = QuantiseOptions { output: Some("third".to_owned()), ..QuantiseOptions::default() };
    let error = quantise(&onnx("two_outputs"), &schema, &calibration, None, &options).unwrap_err();
    assert!(matches!(error, OnnxError::UnknownOutput { .. }), "{error}");
}

#[test]
fn open_axes_are_named_and_can_be_given_a_length() {
    let schema = schema(4, 4, -20_000, 20_000, 3);
    let calibration = records(&schema, 20, 1);
    let run = |shape: &[(&str, u64)]| {
        let length = |&(axis, length): &(&str, u64)| AxisLength { axis: axis.to_owned(), length };
        let options =
            QuantiseOptions { shape: shape.iter().map(length).collect(), ..QuantiseOptions::default() };
        quantise(&onnx("open_axis"), &schema, &calibration, None, &options)
    };
    let error = run(&[]).unwrap_err();
    assert_eq!(error, OnnxError::OpenAxes { input: "record".to_owned(), axes: vec!["M".to_owned()] });
    let (model, _) = run(&[("M", 4)]).unwrap();
    assert_eq!(run(&[("record.1", 4)]).unwrap().0.to_bytes(), model.to_bytes());
    assert_eq!(model.architecture().input_shape, [4]);
    let features = run(&[("M", 5)]).unwrap_err();
    assert!(matches!(features, OnnxError::FeatureCount { model: 5, schema: 4, .. }), "{features}");
    let error = run(&[("K", 4)]).unwrap_err();
    assert_eq!(error.to_string(), "model input: the model's input has no open axis `K`; open are: `M`");
    for (shape, what) in [
        (("N", 4), "runs over the samples"),
        (("M", 0), "cannot have the length 0"),
        (("M", u64::MAX), "cannot have the length 18446744073709551615"),
    ] {
        let error = run(&[shape]).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn every_layer_has_its_error() {
    let schema = schema(4, 4, -20_000, 20_000, 3);
    let calibration = records(&schema, 200, 1);
    let run = |weight_bits| {
        let options = QuantiseOptions { weight_bits: Some(weight_bits), ..QuantiseOptions::default() };
        quantise(&onnx("mlp"), &schema, &calibration, None, &options).unwrap().1
    };
    let (narrow, wide) = (run(4), run(16));
    for (narrow, wide) in narrow.layers.iter().zip(&wide.layers) {
        assert!(0.0 < wide.rms_error && wide.rms_error <= wide.max_error, "{wide:?}");
        assert!(wide.rms_error * 10.0 < narrow.rms_error, "{wide:?} {narrow:?}");
    }
    // The last layer's error is the model's, on fewer records.
    let last = wide.layers.last().unwrap();
    assert!(last.max_error <= wide.max_error * (1.0 + 1e-4) + 1e-6, "{last:?} {wide:?}");
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let good = QuantiseOptions::default();
    let bytes = onnx("mlp");
    let classes = schema(4, 4, -20_000, 20_000, 3);
    let rows = records(&classes, 3, 1);
    let labels = vec![0, 1, 2, 0, 1];
    quantise(&bytes, &classes, &rows, Some(&labels), &good).unwrap();
    type Check = fn(&OnnxError) -> bool;
    let run = |schema: &_, rows: &[Vec<i64>], labels: Option<&[usize]>, options: &_, check: Check| {
        let error = quantise(&bytes, schema, rows, labels, options).unwrap_err();
        assert!(check(&error), "{error}");
    };
    run(&classes, &[], None, &good, |e| matches!(e, OnnxError::NoRecords));
    run(&classes, &[vec![0; 3]], None, &good, |e| matches!(e, OnnxError::Record { row: 0, .. }));
    run(&classes, &rows, Some(&labels[1..]), &good, |e| matches!(e, OnnxError::Labels(_)));
    run(&classes, &rows, Some(&[3; 5]), &good, |e| matches!(e, OnnxError::Labels(_)));
    let five = schema(5, 4, -20_000, 20_000, 3);
    run(&five, &[vec![0; 5]], None, &good, |e| {
        matches!(e, OnnxError::FeatureCount { model: 4, schema: 5, .. })
    });
    let two = schema(4, 4, -20_000, 20_000, 2);
    run(&two, &rows, None, &good, |e| matches!(e, OnnxError::ClassCount { outputs: 3, classes: 2 }));
    for options in [
        QuantiseOptions { weight_bits: Some(1), ..good.clone() },
        QuantiseOptions { weight_bits: Some(17), ..good.clone() },
        QuantiseOptions { activation_bits: 25, ..good.clone() },
        QuantiseOptions { headroom_bits: 9, ..good.clone() },
    ] {
        run(&classes, &rows, None, &options, |e| matches!(e, OnnxError::Options { .. }));
    }
}

#[test]
fn values_outside_their_range_are_clipped_and_counted() {
    let schema = schema(4, 4, -20_000, 20_000, 0);
    let mut rows = records(&schema, 10, 1);
    rows[3][1] = 30_000;
    rows[4][0] = -30_000;
    let (_, report) = quantise(&onnx("mlp"), &schema, &rows, None, &QuantiseOptions::default()).unwrap();
    assert_eq!(report.clipped_cells(), 2);
    assert_eq!(report.warnings().len(), 1);
}

#[test]
fn the_float_model_is_judged_on_records_as_they_were_given() {
    let wide = schema(4, 4, -20_000, 20_000, 3);
    let rows = records(&wide, 198, 1);
    let float = float_logits(&onnx("mlp"), &wide, &rows, &QuantiseOptions::default()).unwrap();
    let best = |row: &Vec<f64>| (0..3).rev().max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
    let labels: Vec<usize> = float.iter().map(best).collect();
    let narrow = schema(4, 4, -2000, 2000, 3);
    let (_, report) =
        quantise(&onnx("mlp"), &narrow, &rows, Some(&labels), &QuantiseOptions::default()).unwrap();
    assert_eq!(report.float_accuracy.unwrap().correct, 200);
    assert!(report.quantised_accuracy.unwrap().correct <= 200 - report.clipped_classes + 1);
    assert!(report.clipped_classes > 10, "{}", report.clipped_classes);
    assert!(report.clipped_features.is_sorted_by_key(|(_, cells)| std::cmp::Reverse(*cells)));
    let text = format!(
        "most of feature `{}` ({}); the float model predicts another class on {} of 200 records because of it",
        report.clipped_features[0].0, report.clipped_features[0].1, report.clipped_classes
    );
    assert!(report.warnings()[0].contains(&text), "{:?}", report.warnings());
}

#[test]
fn the_same_arguments_give_the_same_model() {
    let e = &expected()["residual"];
    let calibration = records(&e.schema(), 50, 5);
    let make = || {
        let options = QuantiseOptions::default();
        quantise(&onnx("residual"), &e.schema(), &calibration, None, &options).unwrap().0.to_bytes()
    };
    assert_eq!(make(), make());
}

#[test]
fn a_summary_lists_inputs_outputs_and_operators() {
    let summary = probe(&onnx("unsupported")).unwrap();
    assert_eq!(summary.inputs[0].name, "record");
    assert_eq!(summary.inputs[0].element_type, Some("FLOAT"));
    assert_eq!(summary.inputs[0].shape, Some(vec![None, Some(4)]));
    assert_eq!(summary.chosen_output.as_deref(), Some("out"));
    let count = |op: &str| (op.to_owned(), 1);
    assert_eq!(summary.operators, [count("Det"), count("Gemm"), count("Sin"), count("com.acme.Twist")]);
    assert_eq!(summary.unsupported, ["Det", "Sin", "com.acme.Twist"]);
    assert_eq!(summary.opset, 17);
    assert_eq!(summary.constants, 6 * 4 + 6);
    // Only what the scores depend on has to be supported.
    let summary = probe(&onnx("sklearn_mlp_binary")).unwrap();
    assert!(summary.operators.iter().any(|(op, _)| op == "ai.onnx.ml.ArrayFeatureExtractor"));
    assert!(summary.unsupported.is_empty(), "{:?}", summary.unsupported);
}

#[test]
fn weights_show_in_scales_only() {
    // Two models of the same shape with different weights: everything public but shifts and scales is the same.
    use tacit_model::Op;
    let e = &expected()["mlp"];
    let schema = e.schema();
    let calibration = records(&schema, 100, 2);
    let bytes = onnx("mlp");
    let mut other = bytes.clone();
    // The weights are stored as raw little-endian floats; negate a hundred bytes' worth by their sign bits.
    let model = tract_onnx::pb::ModelProto::decode(&bytes[..]).unwrap();
    let raw = &model.graph.unwrap().initializer[0].raw_data;
    let at = bytes.windows(raw.len()).position(|w| w == raw).unwrap();
    other[at..at + raw.len()].iter_mut().skip(3).step_by(8).for_each(|b| *b ^= 0x80);
    let architecture = |bytes: &[u8]| {
        // Of one width: the choice of a width follows from what it costs.
        let options = QuantiseOptions { weight_bits: Some(8), ..QuantiseOptions::default() };
        quantise(bytes, &schema, &calibration, None, &options).unwrap().0.architecture().clone()
    };
    let (a, b) = (architecture(&bytes), architecture(&other));
    assert_eq!(a.params, b.params);
    assert_eq!(a.nodes[0], b.nodes[0], "the first step follows from the schema alone");
    let kinds = |a: &tacit_model::Architecture| -> Vec<_> {
        a.nodes.iter().map(|n| std::mem::discriminant::<Op>(&n.op)).collect()
    };
    assert_eq!(kinds(&a), kinds(&b));
}
