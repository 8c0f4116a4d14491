//! The medical example: what quantisation costs on records that the calibration never saw.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use tacit_model::{Feature, Schema, parse_decimal};
use tacit_onnx::{QuantiseOptions, float_logits, quantise};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn records(schema: &Schema, file: &str) -> (Vec<Vec<i64>>, Vec<usize>) {
    let path = root().join("datasets/breast-cancer-wisconsin").join(file);
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|h| h == name).unwrap();
    let mut rows = Vec::new();
    let mut labels = Vec::new();
    for row in reader.records() {
        let row = row.unwrap();
        let value = |f: &Feature| parse_decimal(&row[column(&f.name)], f.decimals).unwrap();
        rows.push(schema.features.iter().map(value).collect());
        let label = &row[column("diagnosis")];
        labels.push(schema.classes.iter().position(|c| c.name == *label).unwrap());
    }
    (rows, labels)
}

#[test]
fn quantisation_costs_at_most_one_record() {
    let schema = fs::read_to_string(root().join("datasets/breast-cancer-wisconsin/schema.json")).unwrap();
    let schema: Schema = serde_json::from_str(&schema).unwrap();
    let onnx = fs::read(root().join("examples/medical/model.onnx")).unwrap();
    let (train, train_labels) = records(&schema, "train.csv");
    let (test, test_labels) = records(&schema, "test.csv");
    let float = float_logits(&onnx, &schema, &test, &QuantiseOptions::default()).unwrap();
    // The largest logit is about 24.
    for (weight_bits, most_error, most_records) in [(8, 0.2, 1), (6, 0.6, 1), (16, 0.01, 0)] {
        let options = QuantiseOptions { weight_bits: Some(weight_bits), ..QuantiseOptions::default() };
        let (model, report) = quantise(&onnx, &schema, &train, Some(&train_labels), &options).unwrap();
        assert!(report.max_error < most_error, "{weight_bits} bits: {}", report.max_error);
        assert!(report.warnings().is_empty(), "{:?}", report.warnings());
        let (a, b) = (report.float_accuracy.unwrap(), report.quantised_accuracy.unwrap());
        assert_eq!(a.total, train.len());
        assert!(a.correct.abs_diff(b.correct) <= most_records, "{a:?} {b:?}");
        let mut correct = (0, 0);
        for ((record, logits), label) in test.iter().zip(&float).zip(&test_labels) {
            // The policy for test sets.
            let clip = |(v, f): (&i64, &Feature)| (*v).clamp(f.min, f.max);
            let clipped: Vec<i64> = record.iter().zip(&schema.features).map(clip).collect();
            let out = model.run(&clipped).unwrap().output().to_vec();
            let class = model.architecture().predicted_class(&out).unwrap();
            correct.0 += usize::from(usize::from(logits[1] > logits[0]) == *label);
            correct.1 += usize::from(class == *label);
        }
        let (float, quantised): (usize, usize) = correct;
        assert!(
            float.abs_diff(quantised) <= most_records,
            "{weight_bits} bits: {correct:?} of {}",
            test.len()
        );
    }
}
