//! The bundled data is what its README says, and reads without loss.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tacit_data::{
    DataError, OutOfRangePolicy, Problem, ReadOptions, Records, Table, as_floats, infer_schema, read_records,
    read_schema, schema_json,
};
use tacit_model::Schema;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/breast-cancer-wisconsin")
}

fn schema() -> Schema {
    read_schema(&folder().join("schema.json")).unwrap()
}

fn read(name: &str, out_of_range: OutOfRangePolicy) -> Result<Records, DataError> {
    let options = ReadOptions { out_of_range, ..ReadOptions::default() };
    read_records(&folder().join(name), &schema(), Some("diagnosis"), &options)
}

#[test]
fn files_have_the_digests_of_the_readme() {
    for folder in [folder(), folder().join("../optical-digits")] {
        let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
        for name in ["train.csv", "test.csv", "schema.json"] {
            let digest = hex::encode(Sha256::digest(std::fs::read(folder.join(name)).unwrap()));
            let row = readme.lines().find(|line| line.starts_with(&format!("| `{name}`"))).unwrap();
            assert!(row.contains(&digest), "{} has SHA-256 {digest}", folder.join(name).display());
        }
    }
}

#[test]
fn the_digits_are_what_competitions_seal() {
    let folder = folder().join("../optical-digits");
    let schema = read_schema(&folder.join("schema.json")).unwrap();
    let test = tacit_data::read_dataset(&folder.join("test.csv"), &schema, Some("digit"), &[]).unwrap();
    assert_eq!((test.dataset.samples(), test.out_of_range_cells, test.rounded_cells), (360, 0, 0));
    let digest = "ded2af68c3584c3e518208a622a6fff43e8e8fbd1d7d95eba1a05b7cbc97f662";
    assert_eq!(
        hex::encode(test.dataset.digest().0),
        digest,
        "the canonical form of data sets must not drift"
    );
}

#[test]
fn training_records_are_exact_and_in_range() {
    let train = read("train.csv", OutOfRangePolicy::Refuse).unwrap();
    assert_eq!(train.rows.len(), 398);
    assert_eq!((train.rounded_cells, train.out_of_range_cells), (0, 0));
    assert_eq!(train.labels.as_ref().unwrap().iter().filter(|class| **class == 0).count(), 148);
    assert!(train.ignored_columns.is_empty());
    assert_eq!(train.rows[0][..3], [17_990, 1038, 12_280]);
    assert_eq!(as_floats(&train, &schema())[0][..3], [17.99, 10.38, 122.8]);

    let mut text = Vec::new();
    train.write_csv(&schema(), "diagnosis", &mut text).unwrap();
    let table = Table::from_bytes(&text, tacit_data::Format::Csv, "again", Some("diagnosis")).unwrap();
    assert_eq!(table.records(&schema(), &ReadOptions::default()).unwrap().rows, train.rows);
}

#[test]
fn eleven_cells_of_the_test_records_are_out_of_range() {
    let test = read("test.csv", OutOfRangePolicy::Clip).unwrap();
    assert_eq!(test.rows.len(), 171);
    assert_eq!((test.rounded_cells, test.out_of_range_cells), (0, 11));
    let outside =
        |row: &Vec<i64>| row.iter().zip(&schema().features).any(|(v, f)| !(f.min..=f.max).contains(v));
    let rows: Vec<usize> = (0..171).filter(|i| outside(&test.rows[*i])).collect();
    assert_eq!(rows, [48, 57, 131, 145]);

    let error = read("test.csv", OutOfRangePolicy::Refuse).unwrap_err();
    assert!(
        matches!(*error.problem, Problem::Cell { place, .. } if place.row == 48 && place.line == Some(50))
    );
}

#[test]
fn the_schema_follows_the_rule_of_inference() {
    let written = schema();
    let table = Table::read(&folder().join("train.csv"), Some("diagnosis")).unwrap();
    let inferred = infer_schema(&table, Some(written.classes.clone())).unwrap();
    assert_eq!(inferred.features.len(), 30);
    for (written, inferred) in written.features.iter().zip(&inferred.features) {
        // Two columns of larger values have a seventh decimal here and there.
        if ["mean concavity", "concavity error"].contains(&&*written.name) {
            assert_eq!((&written.name, written.decimals, 6), (&inferred.name, 7, inferred.decimals));
        } else {
            assert_eq!(written, inferred);
        }
    }
    // Left to itself, inference sorts the names of the classes.
    let sorted = infer_schema(&table, None).unwrap();
    assert_eq!(sorted.classes.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["benign", "malignant"]);

    let text = std::fs::read_to_string(folder().join("schema.json")).unwrap();
    assert_eq!(schema_json(&written), text);
}
