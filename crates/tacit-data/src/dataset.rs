//! Test sets: a table read by a schema, with labels and the columns that tell groups apart.

use std::ops::Range;
use std::path::Path;

use tacit_model::{Dataset, Grouping, Labels, Schema};

use crate::error::{DataError, Problem};
use crate::number::NumberError;
use crate::records::{OutOfRangePolicy, ReadOptions, Records};
use crate::table::Table;

/// Most decimals of labels that are numbers.
const MAX_DECIMALS: u8 = 9;

/// A test set as read, and what reading left out or changed.
#[derive(Debug)]
pub struct TestSetFile {
    /// The test set.
    pub dataset: Dataset,
    /// Columns or arrays of the file that are nothing of it.
    pub ignored_columns: Vec<String>,
    /// Cells that had more decimals than the schema and were rounded half to even.
    pub rounded_cells: usize,
    /// Whether some label was no class's name and was taken for a class's position.
    pub numbered_labels: bool,
    /// Cells outside their feature's range: kept as they are, clipped by whoever runs the model.
    pub out_of_range_cells: usize,
}

/// What a model that predicts numbers should answer, one number per record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    /// Unit of the values: `10^-decimals`.
    pub decimals: u8,
    /// The number of every record.
    pub values: Vec<i64>,
}

impl Targets {
    /// The numbers as floats.
    pub fn floats(&self) -> impl Iterator<Item = f64> + '_ {
        let unit = 10f64.powi(self.decimals.into());
        self.values.iter().map(move |v| *v as f64 / unit)
    }
}

/// Reads the test set at `path`. `label` names the column or array of labels; `groupings` the columns that tell groups
/// apart, which may be features too.
///
/// # Errors
/// [`DataError`] says what is wrong with the file, or where it and the schema disagree.
pub fn read_dataset(
    path: &Path,
    schema: &Schema,
    label: Option<&str>,
    groupings: &[&str],
) -> Result<TestSetFile, DataError> {
    Table::read(path, label)?.dataset(schema, groupings)
}

impl Table {
    /// The table as a test set by `schema`.
    ///
    /// # Errors
    /// As for [`read_dataset`].
    pub fn dataset(&self, schema: &Schema, groupings: &[&str]) -> Result<TestSetFile, DataError> {
        self.to_dataset(schema, groupings).map_err(|problem| problem.in_file(self.file()))
    }

    fn to_dataset(&self, schema: &Schema, groupings: &[&str]) -> Result<TestSetFile, Problem> {
        let options = ReadOptions { out_of_range: OutOfRangePolicy::Clip, ..ReadOptions::default() };
        let Records { rows, labels, targets, mut ignored_columns, rounded_cells, out_of_range_cells, .. } =
            self.to_records(schema, &options)?;
        let named = |row: usize| {
            let text = self.label_cell(row).text();
            schema.classes.iter().any(|class| class.name == text)
        };
        // Where a class is called by a number, numbers are names.
        let numbers_are_names = schema.classes.iter().any(|class| class.name.trim().parse::<i64>().is_ok());
        let numbered_labels = labels.is_some() && !numbers_are_names && !(0..self.rows()).all(named);
        let labels = match (self.label_name(), labels, targets) {
            (Some(column), Some(indices), _) => Some(Labels::Classes {
                column: column.to_owned(),
                classes: schema.classes.iter().map(|c| c.name.clone()).collect(),
                indices: indices.into_iter().map(|i| i as u32).collect(),
            }),
            (Some(column), None, Some(Targets { decimals, values })) => {
                Some(Labels::Numbers { column: column.to_owned(), decimals, values })
            }
            _ => None,
        };
        let groupings: Vec<Grouping> =
            groupings.iter().map(|name| self.grouping(name)).collect::<Result<_, _>>()?;
        ignored_columns.retain(|name| groupings.iter().all(|g| g.column != *name));
        let dataset = Dataset::new(schema, rows, labels, groupings)?;
        Ok(TestSetFile { dataset, ignored_columns, rounded_cells, numbered_labels, out_of_range_cells })
    }

    /// Labels of some rows that are numbers, in the fewest decimals that hold each exactly, or rounded half to even to nine.
    pub(crate) fn targets(&self, column: &str, rows: Range<usize>) -> Result<Targets, Problem> {
        let mut scratch = String::new();
        let mut last = None;
        for decimals in 0..=MAX_DECIMALS {
            let (mut values, mut exact) = (Vec::with_capacity(rows.len()), true);
            for row in rows.clone() {
                let cell = self.label_cell(row);
                match cell.scale(decimals, &mut scratch) {
                    Ok(scaled) => {
                        values.push(scaled.units);
                        exact &= !scaled.rounded;
                    }
                    // With fewer decimals it was not too large: those will do.
                    Err(NumberError::TooLarge) if last.is_some() => {
                        return last.ok_or(Problem::NoRecords);
                    }
                    Err(e @ NumberError::TooLarge) => {
                        return Err(self.cell_error(row, column, cell, e, None));
                    }
                    Err(_) => {
                        return Err(Problem::NotATarget {
                            place: self.place(row),
                            column: column.to_owned(),
                            text: cell.text().into_owned(),
                        });
                    }
                }
            }
            let targets = Targets { decimals, values };
            if exact {
                return Ok(targets);
            }
            last = Some(targets);
        }
        last.ok_or(Problem::NoRecords)
    }

    fn grouping(&self, name: &str) -> Result<Grouping, Problem> {
        let names = self.column_names().unwrap_or_default();
        let column = names.iter().position(|n| n == name).ok_or_else(|| Problem::NotThere {
            what: "column",
            name: name.to_owned(),
            // An archive has arrays in the place of columns.
            present: if self.column_names().is_some() { names.to_vec() } else { self.arrays() },
        })?;
        let values: Vec<_> = (0..self.rows()).map(|row| self.cell(row, column).text().into_owned()).collect();
        if let Some(row) = values.iter().position(String::is_empty) {
            return Err(self.cell_error(row, name, self.cell(row, column), NumberError::Missing, None));
        }
        Ok(Grouping::of(name.to_owned(), &values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Format;
    use tacit_model::{Class, Feature};

    fn schema(classes: &[&str]) -> Schema {
        let feature = |name: &str| Feature {
            name: name.into(),
            decimals: 1,
            min: 0,
            max: 100,
            unit: None,
            code: None,
            system: None,
        };
        let classes = classes.iter().map(|c| Class { name: (*c).into() }).collect();
        Schema::new(vec![feature("a"), feature("b")], classes).unwrap()
    }

    fn read(csv: &str, label: Option<&str>, classes: &[&str], by: &[&str]) -> Result<TestSetFile, DataError> {
        Table::from_bytes(csv.as_bytes(), Format::Csv, "t.csv", label)?.dataset(&schema(classes), by)
    }

    const CSV: &str = "b,site,y,a,note\n1,x,yes,0.5,-\n2,z,no,99.04,-\n3,x,yes,11,-\n";

    #[test]
    fn columns_by_name_whatever_their_order() {
        let file = read(CSV, Some("y"), &["no", "yes"], &["site"]).unwrap();
        let data = &file.dataset;
        assert_eq!((data.record(0), data.record(1)), (&[5, 10][..], &[990, 20][..]));
        assert_eq!((file.rounded_cells, file.out_of_range_cells), (1, 2));
        assert_eq!(file.ignored_columns, ["note"]);
        assert!(!file.numbered_labels);
        let numbered =
            read(&CSV.replace("yes", "1").replace("no,", "0,"), Some("y"), &["no", "yes"], &["site"]);
        let numbered = numbered.unwrap();
        assert!(numbered.numbered_labels);
        assert_eq!(numbered.dataset.digest(), data.digest());
        assert_eq!(data.grouping("site").unwrap().groups, ["x", "z"]);
        assert_eq!(data.clipped(1, &schema(&[])).collect::<Vec<_>>(), [100, 20]);
        // The same records in another form.
        let json = r#"[{"a":"0.5","b":1,"y":"yes","site":"x"},{"a":99.0,"b":2,"y":"no","site":"z"},
            {"site":"x","a":11,"b":3.0,"y":"yes"}]"#;
        let table = Table::from_bytes(json.as_bytes(), Format::Json, "t.json", Some("y")).unwrap();
        let again = table.dataset(&schema(&["no", "yes"]), &["site"]).unwrap();
        assert_eq!(again.dataset.digest(), data.digest());
        // Rows in another order are another set.
        let swapped = "b,site,y,a,note\n2,z,no,99.04,-\n1,x,yes,0.5,-\n3,x,yes,11,-\n";
        let swapped = read(swapped, Some("y"), &["no", "yes"], &["site"]).unwrap();
        assert_ne!(swapped.dataset.digest(), data.digest());
    }

    #[test]
    fn labels_may_be_numbers() {
        let csv = "a,b,y\n1,1,0.25\n1,1,-3\n1,1,1e1\n";
        let file = read(csv, Some("y"), &[], &[]).unwrap();
        let Some(Labels::Numbers { decimals, values, .. }) = file.dataset.labels() else { panic!() };
        assert_eq!((*decimals, &values[..]), (2, &[25, -300, 1000][..]));
        for (label, what) in
            [("nan", "a missing label (`nan`)"), ("", "a missing label;"), ("yes", "`yes` is not a number")]
        {
            let error = read(&format!("a,b,y\n1,1,{label}\n"), Some("y"), &[], &[]).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains("the model predicts numbers"), "{error}");
        }
    }

    #[test]
    fn what_is_missing_or_misplaced_is_named() {
        let message = |r: Result<TestSetFile, DataError>| r.unwrap_err().to_string();
        let classes = &["no", "yes"][..];
        assert!(message(read(CSV, Some("y"), classes, &["place"])).contains("place"));
        assert!(message(read(CSV, Some("y"), &["no", "maybe"], &[])).contains("yes"));
        assert!(message(read(CSV, Some("a"), classes, &[])).contains("cannot be the label"));
        assert!(message(read("a,b,y\n", Some("y"), classes, &[])).contains("no records"));
        assert!(message(read("a,b,y\n1,,yes\n", Some("y"), classes, &[])).contains('b'));
        assert!(message(read("a,b,y\n1,nan,yes\n", Some("y"), classes, &[])).contains("nan"));
        assert!(message(read("a,b,y,g\n1,1,yes,\n", Some("y"), classes, &["g"])).contains('g'));
        assert!(message(read(CSV, Some("y"), classes, &["site", "site"])).contains("twice"));
    }
}
