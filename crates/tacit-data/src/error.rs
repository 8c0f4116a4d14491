//! What can be wrong with a data file, said so that somebody can repair it.

use std::fmt;

use crate::number::MAX_UNITS;

/// Longest text of a file that is repeated in an error, in characters.
const SHOWN: usize = 40;
/// Most names that are listed in an error.
const LISTED: usize = 8;

/// A data or schema file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct DataError {
    /// The file, as the caller named it.
    pub file: String,
    /// What is wrong with it.
    pub problem: Box<Problem>,
}

/// Where a record stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Data row, counted from 0.
    pub row: usize,
    /// Line of the file, counted from 1, where the format has lines.
    pub line: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "row {} (line {line})", self.row),
            None => write!(f, "row {}", self.row),
        }
    }
}

/// What is wrong with one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellProblem {
    /// The file has nothing there, or a mark such as `NaN` that says so.
    Missing,
    /// No finite decimal number.
    NotANumber,
    /// 2^40 units of the last decimal or more, which no range allows.
    TooLarge,
    /// A number outside the declared range.
    OutOfRange,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The operating system refused.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// Larger than any file that is read, or unpacking to more.
    #[error("holds more than {limit} {unit}, the most that is read")]
    TooBig {
        /// The limit.
        limit: u64,
        /// What is counted: bytes or values.
        unit: &'static str,
    },
    /// Text that is no UTF-8.
    #[error("line {line} is not UTF-8 text; save the file as UTF-8")]
    Encoding {
        /// Line, counted from 1.
        line: u64,
    },
    /// A format that this build leaves out.
    #[error("{0} files are not read here; use CSV, JSON or .npy")]
    NotRead(&'static str),
    /// Not a byte, or nothing but blanks.
    #[error("the file is empty")]
    Empty,
    /// A format that no build reads, told by how the file begins.
    #[error("{0} files are not read; save the records as CSV, .npy or .npz")]
    Foreign(&'static str),
    /// Not well-formed in its format.
    #[error("not a well-formed {format} file: {message}")]
    Malformed {
        /// The format that was expected.
        format: &'static str,
        /// What the reader found.
        message: String,
    },
    /// A row with more or fewer cells than the others.
    #[error("{place} has {found} cell{}, not {expected}", if *found == 1 { "" } else { "s" })]
    Ragged {
        /// The row.
        place: Place,
        /// Cells in the row.
        found: u64,
        /// Cells in the header, the first row or the schema.
        expected: u64,
    },
    /// Two columns of one name.
    #[error("the column name {} stands there twice; the first row must hold the names of the columns, each once", quoted(.0))]
    DuplicateColumn(String),
    /// A first row that holds data.
    #[error("the first row holds numbers where the names of the columns are expected; add a header row")]
    NoHeader,
    /// Records, labels and groups that do not make a test set.
    #[error(transparent)]
    Dataset(#[from] tacit_model::DatasetError),
    /// No data rows.
    #[error("holds no records")]
    NoRecords,
    /// Features of the schema that the file does not have.
    #[error("{} missing: {}; the file has {}", if missing.len() == 1 { "a column of the schema is" } else { "columns of the schema are" }, listed(missing), listed(present))]
    MissingColumns {
        /// Features without a column.
        missing: Vec<String>,
        /// Columns of the file.
        present: Vec<String>,
    },
    /// The label column or an array that the file does not have.
    #[error("there is no {what} {}; the file has {}", quoted(name), listed(present))]
    NotThere {
        /// What was looked for: column or array.
        what: &'static str,
        /// Its name.
        name: String,
        /// What the file has instead.
        present: Vec<String>,
    },
    /// One column as label and feature.
    #[error("{} is a feature of the schema and cannot be the label too", quoted(.0))]
    LabelIsFeature(String),
    /// Labels asked of a file that cannot hold any.
    #[error("{what} has no place for the labels {}; use CSV, JSON objects or .npz", quoted(label))]
    NoPlaceForLabels {
        /// The kind of file.
        what: &'static str,
        /// The label column asked for.
        label: String,
    },
    /// An array of an unexpected shape.
    #[error("the array {} has shape {}; expected {expected}", quoted(array), shape_text(found))]
    Shape {
        /// Name of the array.
        array: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that would do.
        expected: String,
    },
    /// An array whose axes are not those of the model's input.
    #[error(
        "the array of samples has shape {}; the model's input is {}",
        shape_text(found),
        input_text(expected)
    )]
    Axes {
        /// The array's shape, the samples' axis first.
        found: Vec<usize>,
        /// The shape of one sample for the model.
        expected: Vec<usize>,
    },
    /// A cell that is no allowed value.
    #[error("{}", cell_text(*.place, column, text, *.problem, range.as_deref()))]
    Cell {
        /// The row.
        place: Place,
        /// Name of the column.
        column: String,
        /// The text of the cell.
        text: String,
        /// What is wrong with it.
        problem: CellProblem,
        /// The allowed range, where a schema gives one.
        range: Option<String>,
        /// Whether the labels were named: the cell is none then.
        labelled: bool,
    },
    /// A label that is no class of the schema.
    #[error(
        "{place}, column {}: the label {} is not a class; the classes are {}",
        quoted(column),
        quoted(text),
        listed(classes)
    )]
    Label {
        /// The row.
        place: Place,
        /// Name of the label column.
        column: String,
        /// The label.
        text: String,
        /// Names of the classes.
        classes: Vec<String>,
    },
    /// A label that is no number, of a model that predicts numbers.
    #[error(
        "{place}, column {}: {}; the model predicts numbers (the schema has no classes), so labels are numbers",
        quoted(column),
        label_text(text, "a number")
    )]
    NotATarget {
        /// The row.
        place: Place,
        /// Name of the label column.
        column: String,
        /// The label.
        text: String,
    },
    /// A label column that does not hold classes.
    #[error("{place}, column {}: {}", quoted(column), label_text(text, "a class name or a whole number"))]
    NotAClass {
        /// The row.
        place: Place,
        /// Name of the label column.
        column: String,
        /// The label.
        text: String,
    },
    /// More distinct labels than classes could be.
    #[error(
        "the column {} holds more than {limit} different labels; is it the label column?",
        quoted(column)
    )]
    TooManyClasses {
        /// Name of the label column.
        column: String,
        /// Most classes.
        limit: usize,
    },
    /// Several records where one is wanted.
    #[error("holds {rows} records; choose one row, from 0 to {}", rows - 1)]
    RowNotChosen {
        /// Number of records.
        rows: usize,
    },
    /// A row beyond the end.
    #[error("there is no row {row}: rows count from 0 and the last of these {rows} records is {}", rows - 1)]
    NoSuchRow {
        /// The row asked for.
        row: usize,
        /// Number of records, at least 1.
        rows: usize,
    },
    /// The schema breaks a rule.
    #[error("{0}")]
    Schema(#[from] tacit_model::SchemaError),
}

impl Problem {
    /// The error that names the file.
    pub(crate) fn in_file(self, file: &str) -> DataError {
        DataError { file: file.to_owned(), problem: Box::new(self) }
    }
}

/// A text of the file, cut to a readable length and free of control characters.
fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let mut text = names.iter().take(LISTED).map(|n| quoted(n)).collect::<Vec<_>>().join(", ");
    if names.len() > LISTED {
        text.push_str(&format!(" and {} more", names.len() - LISTED));
    }
    text
}

fn shape_text(shape: &[usize]) -> String {
    let mut text = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    if shape.len() == 1 {
        text.push(',');
    }
    format!("({text})")
}

/// The shape of the model's input, its first axis that of the samples.
fn input_text(sample: &[usize]) -> String {
    let axes: Vec<String> = sample.iter().map(usize::to_string).collect();
    format!("(samples, {})", axes.join(", "))
}

/// What is wrong with a label.
fn label_text(text: &str, wanted: &str) -> String {
    match is_missing_label(text) {
        true => missing_text("label", text),
        false => format!("{} is not {wanted}", quoted(text)),
    }
}

/// Whether a label says that there is none, in one of the ways in which spreadsheets and data frames do.
pub(crate) fn is_missing_label(text: &str) -> bool {
    ["", "nan", "na", "n/a", "?"].iter().any(|mark| text.trim().eq_ignore_ascii_case(mark))
}

/// Whether a cell that is no number says that there is none. These two marks may well be the names of classes.
pub(crate) fn is_missing(text: &str) -> bool {
    is_missing_label(text) || ["null", "none"].iter().any(|mark| text.trim().eq_ignore_ascii_case(mark))
}

fn missing_text(what: &str, text: &str) -> String {
    match text.trim() {
        "" => format!("a missing {what}"),
        mark => format!("a missing {what} ({})", quoted(mark)),
    }
}

fn cell_text(place: Place, column: &str, text: &str, problem: CellProblem, range: Option<&str>) -> String {
    let what = match problem {
        CellProblem::Missing => missing_text("value", text),
        CellProblem::NotANumber => format!("{} is not a number", quoted(text)),
        CellProblem::TooLarge => format!("{} is too large", quoted(text)),
        CellProblem::OutOfRange => format!("{} is out of range", quoted(text)),
    };
    let what_to_do = match range {
        Some(range) => format!("a number in {range} is allowed"),
        None => match problem {
            CellProblem::Missing => return format!("{place}, column {}: {what}", quoted(column)),
            CellProblem::TooLarge => format!("numbers below {MAX_UNITS} (2^40) are read"),
            _ => "only the label column may hold anything but numbers".to_owned(),
        },
    };
    format!("{place}, column {}: {what}; {what_to_do}", quoted(column))
}
