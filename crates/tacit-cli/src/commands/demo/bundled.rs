//! The examples' files, compiled in.

use tacit_data::{
    Format, OutOfRangePolicy, ReadOptions, Records, RowChoice, parse_schema, records_from_bytes,
};
use tacit_model::Schema;

use crate::failure::Failure;

macro_rules! bundled {
    ($path:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../", $path))
    };
}

/// The competition's test set, as a file.
pub(super) const DIGITS: &[u8] = bundled!("datasets/optical-digits/test.csv");
/// Its column of labels.
pub(super) const DIGIT: &str = "digit";
/// A perceptron of 64, 64, 32 and 10 neurons.
pub(super) const PERCEPTRON: &[u8] = bundled!("examples/kaggle/mlp.onnx");
/// A logistic regression.
pub(super) const LOGISTIC: &[u8] = bundled!("examples/kaggle/logistic.onnx");
/// A perceptron of 64, 8 and 10 neurons, stopped early.
pub(super) const WEAK: &[u8] = bundled!("examples/kaggle/weak.onnx");

pub(super) fn digits_schema() -> Result<Schema, Failure> {
    Ok(parse_schema(bundled!("datasets/optical-digits/schema.json"), "schema.json")?)
}

/// The competition's training records.
pub(super) fn digits_train(schema: &Schema) -> Result<Records, Failure> {
    let bytes = bundled!("datasets/optical-digits/train.csv");
    read(bytes, "train.csv", DIGIT, schema, OutOfRangePolicy::Refuse, RowChoice::All)
}

/// A perceptron of 30, 32, 16 and 2 neurons.
pub(super) const MODEL: &[u8] = bundled!("examples/medical/model.onnx");
const SCHEMA: &[u8] = bundled!("datasets/breast-cancer-wisconsin/schema.json");
const TRAIN: &[u8] = bundled!("datasets/breast-cancer-wisconsin/train.csv");
const TEST: &[u8] = bundled!("datasets/breast-cancer-wisconsin/test.csv");
const LABEL: &str = "diagnosis";

/// The record that is proved.
pub(super) const ROW: usize = 0;

pub(super) fn schema() -> Result<Schema, Failure> {
    Ok(parse_schema(SCHEMA, "schema.json")?)
}

/// The training records.
pub(super) fn train(schema: &Schema) -> Result<Records, Failure> {
    read(TRAIN, "train.csv", LABEL, schema, OutOfRangePolicy::Refuse, RowChoice::All)
}

/// The test records, some of which lie outside the declared ranges.
pub(super) fn test(schema: &Schema) -> Result<Records, Failure> {
    read(TEST, "test.csv", LABEL, schema, OutOfRangePolicy::Clip, RowChoice::All)
}

/// One test record as a file of its own, without its label.
pub(super) fn record_file() -> Result<Vec<u8>, Failure> {
    let broken = |e: csv::Error| Failure::new(format!("the bundled records: {e}"));
    let mut reader = csv::Reader::from_reader(TEST);
    let header = reader.headers().map_err(broken)?.clone();
    let row = reader.records().nth(ROW).transpose().map_err(broken)?.unwrap_or_default();
    let mut writer = csv::Writer::from_writer(Vec::new());
    for line in [&header, &row] {
        let fields = header.iter().zip(line).filter(|(name, _)| *name != LABEL).map(|(_, field)| field);
        writer.write_record(fields).map_err(broken)?;
    }
    writer.into_inner().map_err(|e| Failure::new(format!("the bundled records: {e}")))
}

/// One test record.
pub(super) fn record(schema: &Schema) -> Result<Records, Failure> {
    read(TEST, "test.csv", LABEL, schema, OutOfRangePolicy::Refuse, RowChoice::One(Some(ROW)))
}

fn read(
    bytes: &[u8],
    name: &str,
    label: &str,
    schema: &Schema,
    out_of_range: OutOfRangePolicy,
    rows: RowChoice,
) -> Result<Records, Failure> {
    Ok(records_from_bytes(
        bytes,
        Format::Csv,
        name,
        schema,
        Some(label),
        &ReadOptions { out_of_range, rows },
    )?)
}
