//! The medical example: what quantisation costs on records that the calibration never saw.

use std::fs;
use std::path::{Path, PathBuf};

use tacit_model::{Schema, parse_decimal};
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
        let value = |f: &tacit_model::Feature| parse_decimal(&row[column(&f.name)], f.decimals).unwrap();
        rows.push(schema.features.iter().map(value).collect());
        let label = &row[column("diagnosis")];
        labels.push(schema.classes.iter().position(|c| c.name == *label).unwrap());
    }
    (rows, labels)
}

#[test]
fn quantisation_costs_no_more_than_one_record() {
    let schema = fs::read_to_string(root().join("datasets/breast-cancer-wisconsin/schema.json")).unwrap();
    let schema: Schema = serde_json::from_str(&schema).unwrap();
    let onnx = fs::read(root().join("examples/medical/model.onnx")).unwrap();
    let (train, train_labels) = records(&schema, "train.csv");
    let (test, test_labels) = records(&schema, "test.csv");
    let float = float_logits(&onnx, &schema, &test, None).unwrap();
    for weight_bits in [4, 6, 8, 10, 16] {
        for equalise in [false, true] {
            let options = QuantiseOptions { weight_bits, equalise, ..QuantiseOptions::default() };
            let (model, report) = quantise(&onnx, &schema, &train, Some(&train_labels), &options).unwrap();
            let mut correct = (0, 0);
            let mut error = 0.0f64;
            for ((record, logits), label) in test.iter().zip(&float).zip(&test_labels) {
                let clipped: Vec<i64> =
                    record.iter().zip(&schema.features).map(|(v, f)| (*v).clamp(f.min, f.max)).collect();
                let out = model.run(&clipped).unwrap().output().to_vec();
                let class = model.architecture().predicted_class(&out).unwrap();
                correct.0 += usize::from(usize::from(logits[1] > logits[0]) == *label);
                correct.1 += usize::from(class == *label);
                for (q, l) in out.iter().zip(logits) {
                    error = error.max((model.architecture().output_value(*q) - l).abs());
                }
            }
            println!(
                "{weight_bits} {equalise}: test {correct:?} err {error:.3}; train {:?} {:?} max {:.3} rms {:.4} of {:.2} eq {} ref {:.2e}",
                report.float_accuracy,
                report.quantised_accuracy,
                report.max_error,
                report.rms_error,
                report.largest_output,
                report.equalised,
                report.reference_difference
            );
            if weight_bits == 8 {
                println!("{:#?}\n{:?}", report.layers, model.architecture().nodes);
                println!("{:?}", report.warnings());
            }
        }
    }
}
