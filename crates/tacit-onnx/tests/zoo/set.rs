//! A data set of the zoo: records, their labels, and what onnxruntime computes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tacit_model::{Class, Feature, Schema};

use crate::npz::{self, Array};

/// Where the models and data sets lie.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tacit-onnx/tests/zoo")
}

/// One NPZ file of the zoo.
pub(crate) struct Data {
    pub(crate) arrays: BTreeMap<String, Array>,
}

impl Data {
    /// Reads the set of a name.
    pub(crate) fn read(name: &str) -> Self {
        Self { arrays: npz::read(&folder().join(format!("{name}.npz"))) }
    }

    /// The records, schema integers.
    pub(crate) fn records(&self) -> Vec<Vec<i64>> {
        self.arrays["records"].rows().map(|r| r.iter().map(|&v| v as i64).collect()).collect()
    }

    /// The schema, with so many classes.
    pub(crate) fn schema(&self, classes: usize) -> Schema {
        let at = |key: &str, i: usize| self.arrays[key].data[i];
        let feature = |i| Feature {
            name: format!("x{i}"),
            decimals: at("decimals", i) as u8,
            min: at("low", i) as i64,
            max: at("high", i) as i64,
            unit: None,
            code: None,
            system: None,
        };
        let features = (0..self.arrays["decimals"].data.len()).map(feature).collect();
        Schema::new(features, (0..classes).map(|i| Class { name: format!("class {i}") }).collect()).unwrap()
    }
}
