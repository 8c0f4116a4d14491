//! Records: a table read by a schema.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use tacit_model::{Feature, Schema, format_decimal};

use crate::cell::Cell;
use crate::dataset::Targets;
use crate::error::{CellProblem, DataError, Problem, is_missing, is_missing_label};
use crate::infer::class_name;
use crate::number::NumberError;
use crate::table::{Format, Table};

/// What becomes of a value outside its declared range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutOfRangePolicy {
    /// The value is an error. For single records.
    #[default]
    Refuse,
    /// The value is kept as it is and counted; whoever evaluates the model clips it. For test sets.
    Clip,
}

/// Which records of a file to read. What is wrong with the others does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowChoice {
    /// Every record.
    #[default]
    All,
    /// One record, counted from 0. `None` will do where the file holds a single one.
    One(Option<usize>),
}

/// How to read records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// What becomes of values out of range.
    pub out_of_range: OutOfRangePolicy,
    /// Which records to read.
    pub rows: RowChoice,
}

/// A range of fewer units tells few values apart.
const FEW_UNITS: i64 = 1000;

/// Records in the canonical integer form: the same for every file that holds the same values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// One row per record in the file's order, of shape (records, features): the values in the schema's order, each in
    /// units of its feature's last decimal and below 2^40 in magnitude. Under [`OutOfRangePolicy::Clip`] values may
    /// leave their feature's range.
    pub rows: Vec<Vec<i64>>,
    /// Class index of every record, where labels were asked for and the schema has classes.
    pub labels: Option<Vec<usize>>,
    /// The number that each record should be answered with, where labels were asked for and the schema has no classes.
    pub targets: Option<Targets>,
    /// Columns or arrays of the file that are neither feature nor label.
    pub ignored_columns: Vec<String>,
    /// Cells that had more decimals than the schema and were rounded half to even.
    pub rounded_cells: usize,
    /// Features of which cells were rounded though they tell few values apart: their ranges have fewer than 1000 units.
    pub coarse_features: Vec<String>,
    /// Cells outside their feature's range: 0 under [`OutOfRangePolicy::Refuse`].
    pub out_of_range_cells: usize,
    /// Where the records come from, for people: the file, and the row if one was chosen.
    pub source: String,
}

/// Reads records and, where `label` names their column or array, labels from the file at `path`.
///
/// # Errors
/// [`DataError`] says what is wrong with the file, or where it and the schema disagree.
pub fn read_records(
    path: &Path,
    schema: &Schema,
    label: Option<&str>,
    options: &ReadOptions,
) -> Result<Records, DataError> {
    Table::read(path, label)?.records(schema, options)
}

/// Reads records as [`read_records`] does from bytes in memory. `file` is what errors call the source.
///
/// # Errors
/// As for [`read_records`].
pub fn records_from_bytes(
    bytes: &[u8],
    format: Format,
    file: &str,
    schema: &Schema,
    label: Option<&str>,
    options: &ReadOptions,
) -> Result<Records, DataError> {
    Table::from_bytes(bytes, format, file, label)?.records(schema, options)
}

/// The row that `choice` means among `rows` records: one of several must be chosen, a single one need not be.
///
/// # Errors
/// [`Problem::RowNotChosen`] or [`Problem::NoSuchRow`], which say how many records there are.
pub fn select_row(rows: usize, choice: Option<usize>) -> Result<usize, Problem> {
    match choice {
        _ if rows == 0 => Err(Problem::NoRecords),
        Some(row) if row < rows => Ok(row),
        Some(row) => Err(Problem::NoSuchRow { row, rows }),
        None if rows == 1 => Ok(0),
        None => Err(Problem::RowNotChosen { rows }),
    }
}

/// The values of `records` as floats, of shape (records, features): the double nearest to `units / 10^decimals`.
#[must_use]
pub fn as_floats(records: &Records, schema: &Schema) -> Vec<Vec<f64>> {
    let powers: Vec<f64> = schema.features.iter().map(|f| 10f64.powi(i32::from(f.decimals))).collect();
    let float = |row: &Vec<i64>| row.iter().zip(&powers).map(|(v, power)| *v as f64 / power).collect();
    records.rows.iter().map(float).collect()
}

impl Table {
    /// Reads the table's records by `schema`.
    ///
    /// # Errors
    /// [`DataError`] names columns that are missing, or the first cell or label that is not allowed.
    pub fn records(&self, schema: &Schema, options: &ReadOptions) -> Result<Records, DataError> {
        self.to_records(schema, options).map_err(|problem| problem.in_file(self.file()))
    }

    pub(crate) fn to_records(&self, schema: &Schema, options: &ReadOptions) -> Result<Records, Problem> {
        let (chosen, source) = match options.rows {
            RowChoice::All => (0..self.rows(), self.file().to_owned()),
            RowChoice::One(choice) => {
                let row = select_row(self.rows(), choice)?;
                (row..row + 1, format!("{}, row {row}", self.file()))
            }
        };
        let columns = self.match_columns(schema)?;
        let mut records = Records {
            rows: Vec::with_capacity(chosen.len()),
            labels: None,
            targets: None,
            ignored_columns: self.ignored_columns(&columns),
            rounded_cells: 0,
            coarse_features: Vec::new(),
            out_of_range_cells: 0,
            source,
        };
        let mut scratch = String::new();
        let mut rounded = vec![false; columns.len()];
        for row in chosen.clone() {
            let mut values = Vec::with_capacity(columns.len());
            for ((feature, column), rounded) in schema.features.iter().zip(&columns).zip(&mut rounded) {
                let cell = self.cell(row, *column);
                let error = |e| self.cell_error(row, &feature.name, cell, e, Some(feature.range_text()));
                let scaled = cell.scale(feature.decimals, &mut scratch).map_err(|e| error(e.into()))?;
                records.rounded_cells += usize::from(scaled.rounded);
                *rounded |= scaled.rounded;
                if !(feature.min..=feature.max).contains(&scaled.units) {
                    if options.out_of_range == OutOfRangePolicy::Refuse {
                        return Err(error(CellProblem::OutOfRange));
                    }
                    records.out_of_range_cells += 1;
                }
                values.push(scaled.units);
            }
            records.rows.push(values);
        }
        let coarse = |(f, rounded): &(&Feature, bool)| *rounded && f.max - f.min < FEW_UNITS;
        let coarse = schema.features.iter().zip(rounded).filter(coarse);
        records.coarse_features = coarse.map(|(f, _)| f.name.clone()).collect();
        match self.label_name() {
            None => {}
            // A model that predicts numbers is measured against numbers.
            Some(label) if schema.classes.is_empty() => records.targets = Some(self.targets(label, chosen)?),
            Some(label) => {
                let classes = ClassMap::new(schema, label);
                records.labels = Some(chosen.map(|row| classes.index(self, row)).collect::<Result<_, _>>()?);
            }
        }
        Ok(records)
    }

    /// Column of every feature.
    fn match_columns(&self, schema: &Schema) -> Result<Vec<usize>, Problem> {
        let wanted = schema.features.len();
        let Some(names) = self.column_names() else {
            return if self.width() == wanted {
                Ok((0..wanted).collect())
            } else {
                Err(self.width_error(wanted))
            };
        };
        let by_name: HashMap<&str, usize> = names.iter().enumerate().map(|(i, n)| (n.as_str(), i)).collect();
        let mut columns = Vec::with_capacity(wanted);
        let mut missing = Vec::new();
        for feature in &schema.features {
            match by_name.get(feature.name.as_str()) {
                Some(column) if Some(*column) == self.label_column() => {
                    return Err(Problem::LabelIsFeature(feature.name.clone()));
                }
                Some(column) => columns.push(*column),
                None => missing.push(feature.name.clone()),
            }
        }
        if missing.is_empty() {
            return Ok(columns);
        }
        Err(Problem::MissingColumns { missing, present: names.to_vec() })
    }

    fn width_error(&self, wanted: usize) -> Problem {
        match self.array_shape() {
            Some(shape) => Problem::Shape {
                array: "X".to_owned(),
                found: shape.to_vec(),
                expected: format!("(samples, …) with {wanted} values in each sample"),
            },
            None => {
                Problem::Ragged { place: self.place(0), found: self.width() as u64, expected: wanted as u64 }
            }
        }
    }

    fn ignored_columns(&self, used: &[usize]) -> Vec<String> {
        let mut is_used = vec![false; self.width()];
        for column in used.iter().copied().chain(self.label_column()) {
            is_used[column] = true;
        }
        let names = self.column_names().unwrap_or_default().iter().zip(is_used);
        let unused = names.filter(|(_, used)| !used).map(|(name, _)| name);
        unused.chain(self.other_arrays()).cloned().collect()
    }
}

impl Records {
    /// Writes the canonical CSV text: a header with the features' names, values with exactly the schema's decimals, and
    /// the names of the classes in a last column `label` where the records have labels. Lines end in `\n`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_csv(&self, schema: &Schema, label: &str, out: impl Write) -> std::io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        let names = schema.features.iter().map(|f| f.name.as_str());
        writer.write_record(names.chain(self.labels.as_ref().map(|_| label)))?;
        for (i, row) in self.rows.iter().enumerate() {
            for (feature, value) in schema.features.iter().zip(row) {
                writer.write_field(format_decimal(*value, feature.decimals))?;
            }
            let class = self.labels.as_ref().and_then(|labels| schema.classes.get(labels[i]));
            if let Some(class) = class {
                writer.write_field(&class.name)?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
        writer.flush()
    }
}

/// The class that a label means.
struct ClassMap<'a> {
    column: &'a str,
    names: Vec<&'a str>,
    by_name: HashMap<&'a str, usize>,
    /// Whether a whole number that is no name is an index: not where a name is a whole number itself.
    numbers_are_indices: bool,
}

impl<'a> ClassMap<'a> {
    fn new(schema: &'a Schema, column: &'a str) -> Self {
        let names: Vec<&str> = schema.classes.iter().map(|class| class.name.as_str()).collect();
        let numbers_are_indices = names.iter().all(|name| name.trim().parse::<i64>().is_err());
        let by_name = names.iter().enumerate().map(|(i, name)| (*name, i)).collect();
        Self { column, names, by_name, numbers_are_indices }
    }

    fn index(&self, table: &Table, row: usize) -> Result<usize, Problem> {
        let cell = table.label_cell(row);
        let (text, name) = (cell.text(), class_name(cell));
        let by_name = self.by_name.get(text.as_ref()).or_else(|| self.by_name.get(name.as_ref())).copied();
        let by_number = || name.parse().ok().filter(|i| self.numbers_are_indices && *i < self.names.len());
        let (place, column) = (table.place(row), self.column.to_owned());
        by_name.or_else(by_number).ok_or_else(|| match is_missing_label(&text) {
            true => Problem::NotAClass { place, column, text: text.into_owned() },
            false => {
                let classes = self.names.iter().map(|name| (*name).to_owned()).collect();
                Problem::Label { place, column, text: text.into_owned(), classes }
            }
        })
    }
}

impl From<NumberError> for CellProblem {
    fn from(error: NumberError) -> Self {
        match error {
            NumberError::Missing => Self::Missing,
            NumberError::NotANumber => Self::NotANumber,
            NumberError::TooLarge => Self::TooLarge,
        }
    }
}

impl Table {
    /// The error that names a bad cell.
    pub(crate) fn cell_error(
        &self,
        row: usize,
        column: &str,
        cell: Cell<'_>,
        problem: impl Into<CellProblem>,
        range: Option<String>,
    ) -> Problem {
        let text = cell.text().into_owned();
        let problem = match problem.into() {
            CellProblem::NotANumber if is_missing(&text) => CellProblem::Missing,
            other => other,
        };
        let labelled = self.label_name().is_some();
        Problem::Cell { place: self.place(row), column: column.to_owned(), text, problem, range, labelled }
    }
}
