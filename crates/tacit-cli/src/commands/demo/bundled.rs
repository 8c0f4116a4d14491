//! The medical example's files, compiled in.

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
    read(TRAIN, "train.csv", schema, OutOfRangePolicy::Refuse, RowChoice::All)
}

/// The test records, some of which lie outside the declared ranges.
pub(super) fn test(schema: &Schema) -> Result<Records, Failure> {
    read(TEST, "test.csv", schema, OutOfRangePolicy::Clip, RowChoice::All)
}

/// One test record.
pub(super) fn record(schema: &Schema) -> Result<Records, Failure> {
    read(TEST, "test.csv", schema, OutOfRangePolicy::Refuse, RowChoice::One(Some(ROW)))
}

fn read(
    bytes: &[u8],
    name: &str,
    schema: &Schema,
    out_of_range: OutOfRangePolicy,
    rows: RowChoice,
) -> Result<Records, Failure> {
    Ok(records_from_bytes(
        bytes,
        Format::Csv,
        name,
        schema,
        Some(LABEL),
        &ReadOptions { out_of_range, rows },
    )?)
}
