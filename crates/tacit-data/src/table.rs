//! A data file as read: cells in rows, before a schema says what they mean.

use std::io::Read;
use std::path::Path;

use crate::array::Array;
use crate::cell::Cell;
use crate::csv_file::CsvTable;
use crate::error::{DataError, Place, Problem};
use crate::json::{JsonArrays, JsonObjects, JsonTable};

/// Largest file that is read, in bytes.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 30;

/// Format of a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values in UTF-8 with a header row.
    Csv,
    /// One NumPy array of shape (samples, …), or one sample of shape (values,).
    Npy,
    /// NumPy arrays by name: `X` of shape (samples, …), labels of shape (samples,).
    Npz,
    /// An array of objects by feature name, one such object, or an array of arrays.
    Json,
}

impl Format {
    /// The format by the extension of the file's name, or else by how its bytes begin. What is nothing else is CSV.
    #[must_use]
    pub fn detect(path: &Path, bytes: &[u8]) -> Self {
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        match extension.as_deref() {
            Some("csv") => Self::Csv,
            Some("npy") => Self::Npy,
            Some("npz") => Self::Npz,
            Some("json") => Self::Json,
            _ if bytes.starts_with(b"\x93NUMPY") => Self::Npy,
            _ if bytes.starts_with(b"PK\x03\x04") => Self::Npz,
            _ => match strip_bom(bytes).iter().find(|b| !b.is_ascii_whitespace()) {
                Some(b'[' | b'{') => Self::Json,
                _ => Self::Csv,
            },
        }
    }
}

/// A data file as read.
#[derive(Debug)]
pub struct Table {
    file: String,
    body: Body,
    label: Option<Label>,
    /// Arrays of an `.npz` file that are neither `X` nor the labels.
    other_arrays: Vec<String>,
}

#[derive(Debug)]
enum Body {
    Csv(CsvTable),
    Objects(JsonObjects),
    Arrays(JsonArrays),
    Array(Array),
}

/// The labels of a table.
#[derive(Debug)]
struct Label {
    /// Name of the column or array.
    name: String,
    source: LabelSource,
}

#[derive(Debug)]
enum LabelSource {
    Column(usize),
    Array(Array),
}

impl Table {
    /// Reads the file at `path`. `label` names the column (CSV, JSON) or array (`.npz`) of labels.
    ///
    /// # Errors
    /// [`DataError`] when the file cannot be read, is larger than 1 GiB, is malformed, or has no such labels.
    pub fn read(path: &Path, label: Option<&str>) -> Result<Self, DataError> {
        let file = path.display().to_string();
        let bytes = read_capped(path, MAX_FILE_BYTES).map_err(|p| p.in_file(&file))?;
        Self::from_bytes(&bytes, Format::detect(path, &bytes), &file, label)
    }

    /// Reads `bytes` as `format`. `file` is what errors call the source.
    ///
    /// # Errors
    /// [`DataError`] when the bytes are malformed or hold no such labels.
    pub fn from_bytes(
        bytes: &[u8],
        format: Format,
        file: &str,
        label: Option<&str>,
    ) -> Result<Self, DataError> {
        Self::parse(bytes, format, file, label).map_err(|problem| problem.in_file(file))
    }

    fn parse(bytes: &[u8], format: Format, file: &str, label: Option<&str>) -> Result<Self, Problem> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(Problem::Empty);
        }
        if let Some(foreign) = foreign(bytes) {
            return Err(Problem::Foreign(foreign));
        }
        #[cfg(feature = "npz")]
        let (mut other_arrays, mut label_array) = (Vec::new(), None);
        #[cfg(not(feature = "npz"))]
        let (other_arrays, label_array) = (Vec::new(), None);
        let body = match format {
            Format::Csv => Body::Csv(CsvTable::parse(strip_bom(bytes))?),
            Format::Json => match JsonTable::parse(strip_bom(bytes))? {
                JsonTable::Objects(objects) => Body::Objects(objects),
                JsonTable::Arrays(arrays) => Body::Arrays(arrays),
            },
            Format::Npy => Body::Array(Array::from_npy(bytes)?),
            #[cfg(not(feature = "npz"))]
            Format::Npz => return Err(Problem::NotRead(".npz")),
            #[cfg(feature = "npz")]
            Format::Npz => {
                let (samples, labels, others) = crate::npz::from_npz(bytes, label)?;
                label_array = labels;
                other_arrays = others;
                Body::Array(samples)
            }
        };
        let source = match (label, label_array) {
            (Some(_), Some(array)) => Some(LabelSource::Array(array)),
            (Some(name), None) => Some(LabelSource::Column(body.label_column(name)?)),
            (None, _) => None,
        };
        let label = label.zip(source).map(|(name, source)| Label { name: name.to_owned(), source });
        let table = Self { file: file.to_owned(), body, label, other_arrays };
        if table.rows() == 0 {
            return Err(Problem::NoRecords);
        }
        if let Some(Label { name, source: LabelSource::Array(array) }) = &table.label
            && (array.rows() != table.rows() || array.width() != 1)
        {
            return Err(Problem::Shape {
                array: name.clone(),
                found: array.shape().to_vec(),
                expected: format!("({},): one label for each sample", table.rows()),
            });
        }
        Ok(table)
    }

    /// The source, as the caller named it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Number of records, at least 1.
    #[must_use]
    pub fn rows(&self) -> usize {
        match &self.body {
            Body::Csv(t) => t.rows.len(),
            Body::Objects(t) => t.rows.len(),
            Body::Arrays(t) => t.rows.len(),
            Body::Array(a) => a.rows(),
        }
    }

    /// Names of the columns in the file's order, the label's included; `None` where columns have only positions.
    #[must_use]
    pub fn column_names(&self) -> Option<&[String]> {
        match &self.body {
            Body::Csv(t) => Some(&t.names),
            Body::Objects(t) => Some(&t.names),
            Body::Arrays(_) | Body::Array(_) => None,
        }
    }

    /// Number of columns, the label's included; of an array, values in a sample.
    #[must_use]
    pub fn width(&self) -> usize {
        match &self.body {
            Body::Csv(t) => t.names.len(),
            Body::Objects(t) => t.names.len(),
            Body::Arrays(t) => t.width,
            Body::Array(a) => a.width(),
        }
    }

    /// Refuses an array of samples that has as many axes as the model's input and not the same, axes of length 1 aside, which
    /// change no order. One with more or fewer axes, such as a row of values for each sample, is taken in its order.
    ///
    /// # Errors
    /// [`Problem::Axes`] names both shapes.
    pub fn check_axes(&self, sample: &[usize]) -> Result<(), DataError> {
        let long = |axes: &[usize]| axes.iter().copied().filter(|n| *n != 1).collect::<Vec<_>>();
        match self.array_shape() {
            Some(found)
                if sample.len() > 1
                    && found.len() == sample.len() + 1
                    && long(&found[1..]) != long(sample) =>
            {
                Err(Problem::Axes { found: found.to_vec(), expected: sample.to_vec() }.in_file(&self.file))
            }
            _ => Ok(()),
        }
    }

    /// Whether there are labels and all of them are numbers.
    #[must_use]
    pub fn has_numbers_for_labels(&self) -> bool {
        self.label_name().is_some_and(|column| self.targets(column, 0..self.rows()).is_ok())
    }

    /// Names of the arrays of an archive.
    pub(crate) fn arrays(&self) -> Vec<String> {
        let labels = match &self.label {
            Some(Label { name, source: LabelSource::Array(_) }) => Some(name),
            _ => None,
        };
        match self.body {
            Body::Array(_) => {
                std::iter::once(&"X".to_owned()).chain(labels).chain(&self.other_arrays).cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Shape of the array of samples, where the file holds one.
    pub(crate) fn array_shape(&self) -> Option<&[usize]> {
        match &self.body {
            Body::Array(a) => Some(a.shape()),
            _ => None,
        }
    }

    /// The cell in `row` and `column`, both below the table's bounds.
    pub(crate) fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        match &self.body {
            Body::Csv(t) => Cell::Text(t.rows[row].get(column).unwrap_or("")),
            Body::Objects(t) => Cell::Text(t.cell(row, column)),
            Body::Arrays(t) => Cell::Text(t.rows[row].get(column).map_or("", String::as_str)),
            Body::Array(a) => a.cell(row, column),
        }
    }

    /// Name of the labels, where there are any.
    #[must_use]
    pub fn label_name(&self) -> Option<&str> {
        self.label.as_ref().map(|label| label.name.as_str())
    }

    /// Column of the labels, where they stand in the table itself.
    pub(crate) fn label_column(&self) -> Option<usize> {
        match self.label.as_ref()?.source {
            LabelSource::Column(column) => Some(column),
            LabelSource::Array(_) => None,
        }
    }

    /// The label of `row`, empty where there are no labels.
    pub(crate) fn label_cell(&self, row: usize) -> Cell<'_> {
        match self.label.as_ref().map(|label| &label.source) {
            Some(LabelSource::Column(column)) => self.cell(row, *column),
            Some(LabelSource::Array(array)) => array.cell(row, 0),
            None => Cell::Text(""),
        }
    }

    /// Arrays of the file that are neither samples nor labels.
    pub(crate) fn other_arrays(&self) -> &[String] {
        &self.other_arrays
    }

    pub(crate) fn place(&self, row: usize) -> Place {
        let line = match &self.body {
            Body::Csv(t) => Some(t.lines[row]),
            _ => None,
        };
        Place { row, line }
    }
}

impl Body {
    fn label_column(&self, name: &str) -> Result<usize, Problem> {
        let names = match self {
            Self::Csv(t) => &t.names,
            Self::Objects(t) => &t.names,
            Self::Arrays(_) => {
                return Err(Problem::NoPlaceForLabels {
                    what: "a JSON array of arrays",
                    label: name.to_owned(),
                });
            }
            Self::Array(_) => {
                return Err(Problem::NoPlaceForLabels { what: "an .npy file", label: name.to_owned() });
            }
        };
        names.iter().position(|n| n == name).ok_or_else(|| Problem::NotThere {
            what: "column",
            name: name.to_owned(),
            present: names.clone(),
        })
    }
}

/// The name of a common format of tables that is not read, by how its files begin.
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    // What a workbook's archive may hold first, by the programs that write some; the name stands at a fixed place.
    const PARTS: [&[u8]; 4] = [b"[Content_Types].xml", b"docProps/", b"_rels/", b"xl/"];
    match bytes {
        [b'P', b'A', b'R', b'1', ..] => Some("Parquet"),
        [b'P', b'K', 3, 4, ..]
            if bytes.get(30..).is_some_and(|name| PARTS.iter().any(|part| name.starts_with(part))) =>
        {
            Some("Excel (.xlsx)")
        }
        [0xd0, 0xcf, 0x11, 0xe0, ..] => Some("Excel (.xls)"),
        [0x89, b'H', b'D', b'F', ..] => Some("HDF5"),
        [0x1f, 0x8b, ..] => Some("gzip"),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => Some("Arrow (Feather)"),
        _ => None,
    }
}

/// The bytes of a file of at most `limit` bytes.
pub(crate) fn read_capped(path: &Path, limit: u64) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(Problem::TooBig { limit, unit: "bytes" });
    }
    Ok(bytes)
}

fn strip_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// `bytes` as text.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        Problem::Encoding { line: 1 + before.iter().filter(|b| **b == b'\n').count() as u64 }
    })
}
