//! Data files to integers by a schema: CSV, `.npy`, `.npz` and JSON.
//!
//! A record has one integer form, whatever file it came from: feature `j` of value `v` is the integer
//! `v * 10^decimals`, rounded half to even where the file holds more decimals than the schema.
//!
//! * [`Table`]: a file as read, before any schema: named or numbered columns of cells.
//! * [`Records`]: integers in the schema's order, and labels as class indices.
//! * [`TestSetFile`]: a test set in canonical form, values out of range kept as they are.
//! * [`infer_schema`]: a [`Schema`] from a table, where nobody wrote one.
//!
//! Where a file matches features by name (CSV, JSON objects) the order of columns does not matter and extra columns
//! are listed as ignored; where it cannot (arrays), features are matched by position.
//!
//! Without the feature `npz` (on by default) the library reads no archives and links no decompressor.
//!
//! Files are hostile: no reader panics, none allocates by a length it has not checked, and every bad cell is an error
//! that names the column, the row (data rows count from 0) and the allowed range.
//!
//! ```
//! use tacit_data::{Format, Table, infer_schema};
//!
//! let csv = b"height,weight,kind\n1.82,80,tall\n1.6,62.5,short\n";
//! let table = Table::from_bytes(csv, Format::Csv, "people.csv", Some("kind"))?;
//! let schema = infer_schema(&table, None)?;
//! let records = table.records(&schema, &Default::default())?;
//! assert_eq!(records.rows, [[182, 800], [160, 625]]);
//! assert_eq!(records.labels, Some(vec![1, 0])); // "short" sorts before "tall"
//! # Ok::<(), tacit_data::DataError>(())
//! ```
//!
//! [`Schema`]: tacit_model::Schema

// Tests may unwrap; readers may not.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod array;
mod cell;
mod csv_file;
mod dataset;
mod error;
mod infer;
mod json;
#[cfg(feature = "npz")]
mod npz;
mod number;
mod records;
mod schema_file;
mod table;

pub use dataset::{Targets, TestSetFile, read_dataset};
pub use error::{CellProblem, DataError, Place, Problem};
pub use infer::infer_schema;
pub use records::{
    OutOfRangePolicy, ReadOptions, Records, RowChoice, as_floats, read_records, records_from_bytes,
    select_row,
};
pub use schema_file::{parse_schema, read_schema, schema_json};
pub use table::{Format, Table};
