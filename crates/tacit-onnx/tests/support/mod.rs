//! What several test files share.

#![allow(dead_code, unreachable_pub)]

pub mod build;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tacit_model::{Class, Feature, Schema};

/// One entry of `expected.json`.
#[derive(Debug, Deserialize)]
pub struct Expected {
    pub features: usize,
    pub decimals: u8,
    pub records: Vec<Vec<f64>>,
    pub outputs: Vec<Vec<f64>>,
}

impl Expected {
    /// The records as schema integers.
    pub fn integers(&self) -> Vec<Vec<i64>> {
        let scale = f64::powi(10.0, self.decimals.into());
        self.records.iter().map(|r| r.iter().map(|v| (v * scale).round() as i64).collect()).collect()
    }

    /// A schema for the records, without classes.
    pub fn schema(&self) -> Schema {
        let reach = if self.decimals == 0 { 100 } else { 2 * 10i64.pow(self.decimals.into()) };
        schema(self.features, self.decimals, -reach, reach, 0)
    }
}

/// Path of a fixture.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Bytes of a fixture.
pub fn onnx(name: &str) -> Vec<u8> {
    fs::read(fixture(&format!("{name}.onnx"))).unwrap()
}

/// Everything that onnxruntime computed.
pub fn expected() -> BTreeMap<String, Expected> {
    serde_json::from_str(&fs::read_to_string(fixture("expected.json")).unwrap()).unwrap()
}

/// Part of the error's text per file.
pub fn refused() -> BTreeMap<String, String> {
    serde_json::from_str(&fs::read_to_string(fixture("refused.json")).unwrap()).unwrap()
}

/// A schema of equal features.
pub fn schema(features: usize, decimals: u8, min: i64, max: i64, classes: usize) -> Schema {
    let feature =
        |i| Feature { name: format!("x{i}"), decimals, min, max, unit: None, code: None, system: None };
    let class = |i| Class { name: format!("class {i}") };
    Schema::new((0..features).map(feature).collect(), (0..classes).map(class).collect()).unwrap()
}

/// `count` records inside the declared ranges, the corners of all-smallest and all-largest values first.
pub fn records(schema: &Schema, count: usize, seed: u64) -> Vec<Vec<i64>> {
    let mut rng = tacit_model::testing::SplitMix(seed);
    let mut rows: Vec<Vec<i64>> = vec![
        schema.features.iter().map(|f| f.min).collect(),
        schema.features.iter().map(|f| f.max).collect(),
    ];
    rows.extend((0..count).map(|_| schema.features.iter().map(|f| rng.range(f.min, f.max)).collect()));
    rows
}
