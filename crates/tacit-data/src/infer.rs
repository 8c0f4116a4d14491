//! A schema from data, where nobody wrote one.

use std::borrow::Cow;
use std::collections::BTreeSet;

use tacit_model::{Class, Feature, Schema};

use crate::cell::Cell;
use crate::error::{DataError, Problem, is_missing_label};
use crate::number::{MAX_UNITS, NumberError, is_number, scale};
use crate::table::Table;

/// Most decimals that inference gives a feature ...
const MAX_INFERRED_DECIMALS: u8 = 6;
/// ... whose largest value has this many units of them at least; one of smaller values gets more, ...
const MIN_UNITS: u64 = 100_000;
/// ... up to as many as a schema may have.
const MAX_SMALL_DECIMALS: u8 = 9;
/// Most classes that inference finds.
const MAX_CLASSES: usize = 4096;

/// Infers a schema from every record of `table`.
///
/// * **Names** are those of the columns, the label's apart; `x0`, `x1`, … where columns have only positions.
/// * **Decimals** are the fewest that hold every value of the column, rounded half to even at six; at seven to nine where all
///   values are below 0.1, so that five digits count. A column whose values would not fit below 2^40 units has fewer.
/// * **Ranges** are what was observed, widened by a quarter of its span on each side (rounded outwards to a unit). A
///   constant column is widened by a quarter of its magnitude, and by 1 at least.
/// * **Classes** are `classes`, or else the distinct labels: in numerical order if all are whole numbers, otherwise in
///   the order of their bytes. That is the order of scikit-learn's `classes_`, but a model may have been trained with
///   another, or with a class that these records lack: then say so in `classes`, or in a schema. Without labels
///   there are none.
///
/// # Errors
/// [`DataError`] names the cell that is no number, or the label that is no class.
pub fn infer_schema(table: &Table, classes: Option<Vec<Class>>) -> Result<Schema, DataError> {
    infer(table, classes).map_err(|problem| problem.in_file(table.file()))
}

fn infer(table: &Table, classes: Option<Vec<Class>>) -> Result<Schema, Problem> {
    let columns: Vec<usize> = (0..table.width()).filter(|c| Some(*c) != table.label_column()).collect();
    let name = |column: usize| match table.column_names() {
        Some(names) => names[column].clone(),
        None => format!("x{column}"),
    };
    let mut scratch = String::new();
    let mut observed = vec![Observed::default(); columns.len()];
    for row in 0..table.rows() {
        for (column, observed) in columns.iter().zip(&mut observed) {
            let cell = table.cell(row, *column);
            match cell.scale(MAX_INFERRED_DECIMALS, &mut scratch) {
                Ok(scaled) => observed.add(scaled.units, scaled.rounded),
                Err(NumberError::TooLarge) => observed.add_large(cell, &mut scratch),
                Err(error) => return Err(table.cell_error(row, &name(*column), cell, error, None)),
            }
        }
    }
    for (column, observed) in columns.iter().zip(&mut observed) {
        if let Some(mut finer) = observed.finer() {
            for row in 0..table.rows() {
                let cell = table.cell(row, *column);
                match cell.scale(finer.finest, &mut scratch) {
                    Ok(scaled) => finer.add(scaled.units, scaled.rounded),
                    Err(error) => {
                        return Err(table.cell_error(row, &name(*column), cell, error, None));
                    }
                }
            }
            *observed = finer;
        }
    }
    let features = columns
        .iter()
        .zip(observed)
        .map(|(column, observed)| {
            let (decimals, (min, max)) = match observed.range() {
                Some(found) => found,
                None => range_of_large(table, *column, &name(*column), observed.decimals, &mut scratch)?,
            };
            Ok(Feature { name: name(*column), decimals, min, max, unit: None, code: None, system: None })
        })
        .collect::<Result<Vec<_>, Problem>>()?;
    let classes = match (classes, table.label_name()) {
        (Some(classes), _) => classes,
        (None, Some(label)) => infer_classes(table, label)?,
        (None, None) => Vec::new(),
    };
    Ok(Schema::new(features, classes)?)
}

/// What a column holds, in units of `10^-finest`.
#[derive(Clone)]
struct Observed {
    finest: u8,
    low: i64,
    high: i64,
    /// The fewest decimals that hold every value.
    decimals: u8,
    /// Whether a value does not fit.
    too_large: bool,
    /// Whether a value has more decimals.
    rounded: bool,
}

impl Default for Observed {
    fn default() -> Self {
        Self::new(MAX_INFERRED_DECIMALS)
    }
}

impl Observed {
    fn new(finest: u8) -> Self {
        Self { finest, low: i64::MAX, high: i64::MIN, decimals: 0, too_large: false, rounded: false }
    }

    fn add(&mut self, units: i64, rounded: bool) {
        (self.low, self.high) = (self.low.min(units), self.high.max(units));
        self.decimals = self.decimals.max(significant_decimals(units, self.finest));
        self.rounded |= rounded;
    }

    /// An empty column of more decimals, where values are small and these cut digits off.
    fn finer(&self) -> Option<Self> {
        let largest = self.low.unsigned_abs().max(self.high.unsigned_abs());
        if self.too_large || !self.rounded || largest >= MIN_UNITS {
            return None;
        }
        let enough = |more: &u8| largest * 10u64.pow(u32::from(*more)) >= MIN_UNITS;
        let most = MAX_SMALL_DECIMALS - self.finest;
        Some(Self::new(self.finest + (1..most).find(enough).unwrap_or(most)))
    }

    /// A cell that does not fit with all decimals.
    fn add_large(&mut self, cell: Cell<'_>, scratch: &mut String) {
        self.too_large = true;
        // More decimals than fit are of no use.
        let mut enough =
            |decimals: &u8| cell.scale(*decimals, scratch).map_or(true, |scaled| !scaled.rounded);
        let decimals = (0..MAX_INFERRED_DECIMALS).find(|d| enough(d)).unwrap_or(MAX_INFERRED_DECIMALS);
        self.decimals = self.decimals.max(decimals);
    }

    /// Decimals and widened range, if they fit.
    fn range(&self) -> Option<(u8, (i64, i64))> {
        if self.too_large {
            return None;
        }
        // Exact: no value has more decimals. That is also how the values themselves round to so many.
        let unit = 10i64.pow(u32::from(self.finest - self.decimals));
        let range = widen(self.low / unit, self.high / unit, self.decimals);
        fits(range).then_some((self.decimals, range))
    }
}

/// Decimals and widened range of a column of large values: the most decimals that fit, up to `decimals`.
fn range_of_large(
    table: &Table,
    column: usize,
    name: &str,
    mut decimals: u8,
    scratch: &mut String,
) -> Result<(u8, (i64, i64)), Problem> {
    loop {
        match extremes(table, column, decimals, scratch) {
            Ok((low, high)) => {
                let (min, max) = widen(low, high, decimals);
                if fits((min, max)) || decimals == 0 {
                    return Ok((decimals, (min.max(1 - MAX_UNITS), max.min(MAX_UNITS - 1))));
                }
            }
            Err((row, error)) if decimals == 0 => {
                return Err(table.cell_error(row, name, table.cell(row, column), error, None));
            }
            Err(_) => {}
        }
        decimals -= 1;
    }
}

fn fits((min, max): (i64, i64)) -> bool {
    min > -MAX_UNITS && max < MAX_UNITS
}

/// The fewest decimals that hold `units` of `10^-finest`.
fn significant_decimals(mut units: i64, finest: u8) -> u8 {
    let mut decimals = finest;
    while decimals > 0 && units % 10 == 0 {
        units /= 10;
        decimals -= 1;
    }
    decimals
}

/// Smallest and largest value of a column, in units of `10^-decimals`; or the first row that is no such number.
fn extremes(
    table: &Table,
    column: usize,
    decimals: u8,
    scratch: &mut String,
) -> Result<(i64, i64), (usize, NumberError)> {
    let (mut low, mut high) = (i64::MAX, i64::MIN);
    for row in 0..table.rows() {
        let units = table.cell(row, column).scale(decimals, scratch).map_err(|error| (row, error))?.units;
        (low, high) = (low.min(units), high.max(units));
    }
    Ok((low, high))
}

/// `[low, high]` with a quarter of its span more on each side.
fn widen(low: i64, high: i64, decimals: u8) -> (i64, i64) {
    let quarter = |n: i64| n / 4 + i64::from(n % 4 != 0);
    let margin = if low == high {
        quarter(low.abs()).max(10i64.pow(u32::from(decimals)))
    } else {
        quarter(high - low)
    };
    (low - margin, high + margin)
}

/// A label as the name of a class: whole numbers in their shortest form, anything else as it stands.
pub(crate) fn class_name(cell: Cell<'_>) -> Cow<'_, str> {
    let text = cell.text();
    match scale(&text, 0) {
        Ok(whole) if !whole.rounded => Cow::Owned(whole.units.to_string()),
        _ => text,
    }
}

fn infer_classes(table: &Table, label: &str) -> Result<Vec<Class>, Problem> {
    let mut names = BTreeSet::new();
    for row in 0..table.rows() {
        let cell = table.label_cell(row);
        let name = class_name(cell);
        let whole = name.parse::<i64>().is_ok();
        if is_missing_label(&name) || (!whole && is_number(&name)) {
            let text = name.into_owned();
            return Err(Problem::NotAClass { place: table.place(row), column: label.to_owned(), text });
        }
        if !names.contains(name.as_ref()) {
            names.insert(name.into_owned());
            if names.len() > MAX_CLASSES {
                return Err(Problem::TooManyClasses { column: label.to_owned(), limit: MAX_CLASSES });
            }
        }
    }
    let mut names: Vec<String> = names.into_iter().collect();
    if let Ok(numbers) = names.iter().map(|n| n.parse::<i64>()).collect::<Result<Vec<_>, _>>() {
        let mut numbers = numbers;
        numbers.sort_unstable();
        names = numbers.iter().map(i64::to_string).collect();
    }
    Ok(names.into_iter().map(|name| Class { name }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    fn schema(csv: &str, label: Option<&str>) -> Result<Schema, String> {
        let table =
            Table::from_bytes(csv.as_bytes(), Format::Csv, "t.csv", label).map_err(|e| e.to_string())?;
        infer_schema(&table, None).map_err(|e| e.to_string())
    }

    fn feature(column: &str) -> (u8, i64, i64) {
        let f = &schema(&format!("a\n{column}\n"), None).unwrap().features[0];
        (f.decimals, f.min, f.max)
    }

    #[test]
    fn decimals_are_the_fewest_and_at_most_six_or_more_of_small_values() {
        assert_eq!(feature("1\n9"), (0, -1, 11));
        assert_eq!(feature("1.50\n9.25"), (2, -44, 1119));
        assert_eq!(feature("0.12345649\n0"), (6, -30_864, 154_320));
        assert_eq!(feature("0.1000004\n0"), (1, -1, 2));
        assert_eq!(feature("0.0123456789\n0"), (7, -30_865, 154_322));
        assert_eq!(feature("-0.00123456789\n0"), (8, -154_322, 30_865));
        assert_eq!(feature("0.000000123\n0"), (9, -31, 154));
        assert_eq!(feature("0.01\n0.02"), (2, 0, 3));
        assert_eq!(feature("1e-9\n0"), (9, -1, 2));
        assert_eq!(feature("1e-10\n0"), (0, -1, 1));
    }

    #[test]
    fn constant_columns_get_a_range() {
        assert_eq!(feature("0\n0"), (0, -1, 1));
        assert_eq!(feature("-50\n-50"), (0, -63, -37));
        assert_eq!(feature("0.25"), (2, -75, 125));
    }

    #[test]
    fn large_values_cost_decimals() {
        assert_eq!(feature("1000000.123456\n0"), (5, -25_000_003_087, 125_000_015_433));
        assert_eq!(feature("1000000000\n0"), (0, -250_000_000, 1_250_000_000));
        assert_eq!(feature("20000000000.25\n0"), (1, -50_000_000_001, 250_000_000_003));
        assert_eq!(feature("1099511627775\n0"), (0, -274_877_906_944, (1 << 40) - 1));
        let error = schema("a\n1\n1099511627776\n", None).unwrap_err();
        assert!(error.contains("row 1 (line 3), column `a`: `1099511627776` is too large"), "{error}");
    }

    #[test]
    fn classes_are_sorted() {
        let names = |labels: &str| {
            schema(&format!("y,a\n{}", labels.replace(' ', ",1\n") + ",1\n"), Some("y"))
                .map(|s| s.classes.into_iter().map(|c| c.name).collect::<Vec<_>>())
        };
        assert_eq!(names("10 9 2.0 9").unwrap(), ["2", "9", "10"]);
        assert_eq!(names("b a B 10").unwrap(), ["10", "B", "a", "b"]);
        assert!(names("1 1.5").unwrap_err().contains("`1.5` is not a class name"));
        for missing in ["", "?", "NA", "nan"] {
            assert!(
                names(&format!("a {missing} b"))
                    .unwrap_err()
                    .contains("row 1 (line 3), column `y`: a missing label")
            );
        }
    }

    #[test]
    fn text_columns_are_refused() {
        let error = schema("id,a\nP-1,2\n", None).unwrap_err();
        assert!(error.contains("column `id`: `P-1` is not a number; only the label column may"), "{error}");
        for mark in ["NaN", "?", "NA", "n/a"] {
            let error = schema(&format!("a,b\n{mark},2\n"), None).unwrap_err();
            assert!(error.ends_with(&format!("column `a`: a missing value (`{mark}`)")), "{error}");
        }
        let error = schema("a\n1e300\n", None).unwrap_err();
        assert!(
            error.ends_with("`1e300` is too large; numbers below 1099511627776 (2^40) are read"),
            "{error}"
        );
    }
}
