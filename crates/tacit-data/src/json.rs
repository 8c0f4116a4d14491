//! JSON: an array of objects by feature name, one such object, or an array of arrays.
//!
//! Numbers are kept as the text of the file, so that no decimal passes through a float.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Place, Problem};
use crate::table::utf8;

/// Deepest nesting of arrays in one record.
const MAX_DEPTH: usize = 8;

/// A JSON file as read.
pub(crate) enum JsonTable {
    Objects(JsonObjects),
    Arrays(JsonArrays),
}

/// Records by name. Only the cells that a record has take space.
#[derive(Debug, Default)]
pub(crate) struct JsonObjects {
    /// Every name that some record has, by first appearance.
    pub(crate) names: Vec<String>,
    /// Column and text of every cell, by column. Numbers are as in the file, `null` is empty.
    pub(crate) rows: Vec<Vec<(usize, String)>>,
}

/// Records by position, nested arrays flattened in row-major order.
#[derive(Debug)]
pub(crate) struct JsonArrays {
    pub(crate) width: usize,
    pub(crate) rows: Vec<Vec<String>>,
}

impl JsonObjects {
    /// The text of a cell, empty where the record has none.
    pub(crate) fn cell(&self, row: usize, column: usize) -> &str {
        let row = &self.rows[row];
        row.binary_search_by_key(&column, |(c, _)| *c).map_or("", |at| &row[at].1)
    }
}

impl JsonTable {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let text = utf8(bytes)?;
        let whole: &RawValue = parse(text)?;
        if whole.get().starts_with('{') {
            return objects(&[whole]);
        }
        if !whole.get().starts_with('[') {
            return Err(malformed("expected an array of records, or one record as an object"));
        }
        let records: Vec<&RawValue> = parse(whole.get())?;
        match records.first().and_then(|r| r.get().bytes().next()) {
            None => Ok(Self::Objects(JsonObjects::default())),
            Some(b'{') => objects(&records),
            Some(b'[') => arrays(&records),
            // One record as a flat array.
            Some(_) => arrays(&[whole]),
        }
    }
}

fn objects(records: &[&RawValue]) -> Result<JsonTable, Problem> {
    let mut table = JsonObjects::default();
    let mut columns: HashMap<String, usize> = HashMap::new();
    for (row, record) in records.iter().enumerate() {
        if !record.get().starts_with('{') {
            return Err(malformed(format!("record {row} is not an object like the first")));
        }
        let Fields(fields) = parse(record.get()).map_err(|p| in_record(p, row))?;
        let mut cells = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            let text = scalar(value).map_err(|p| in_record(p, row))?;
            let next = columns.len();
            let column = *columns.entry(name).or_insert_with_key(|name| {
                table.names.push(name.clone());
                next
            });
            cells.push((column, text));
        }
        cells.sort_unstable_by_key(|(column, _)| *column);
        if let Some(pair) = cells.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(malformed(format!(
                "record {row} names `{}` twice",
                table.names[pair[0].0].escape_debug()
            )));
        }
        table.rows.push(cells);
    }
    Ok(JsonTable::Objects(table))
}

fn arrays(records: &[&RawValue]) -> Result<JsonTable, Problem> {
    let mut rows = Vec::with_capacity(records.len());
    for (row, record) in records.iter().enumerate() {
        if !record.get().starts_with('[') {
            return Err(malformed(format!("record {row} is not an array like the first")));
        }
        let mut cells = Vec::new();
        flatten(record, MAX_DEPTH, &mut cells).map_err(|p| in_record(p, row))?;
        rows.push(cells);
    }
    let width = rows.first().map_or(0, Vec::len);
    if let Some((row, cells)) = rows.iter().enumerate().find(|(_, cells)| cells.len() != width) {
        return Err(Problem::Ragged {
            place: Place { row, line: None },
            found: cells.len() as u64,
            expected: width as u64,
        });
    }
    Ok(JsonTable::Arrays(JsonArrays { width, rows }))
}

fn flatten(value: &RawValue, depth: usize, cells: &mut Vec<String>) -> Result<(), Problem> {
    if !value.get().starts_with('[') {
        cells.push(scalar(value)?);
        return Ok(());
    }
    if depth == 0 {
        return Err(malformed(format!("arrays nested deeper than {MAX_DEPTH}")));
    }
    let elements: Vec<&RawValue> = parse(value.get())?;
    elements.into_iter().try_for_each(|element| flatten(element, depth - 1, cells))
}

/// The text of a number, string or boolean; empty for `null`.
fn scalar(value: &RawValue) -> Result<String, Problem> {
    match value.get().bytes().next() {
        Some(b'"') => parse::<Cow<'_, str>>(value.get()).map(Cow::into_owned),
        Some(b'n') => Ok(String::new()),
        Some(b'[' | b'{') => Err(malformed("an array or object stands where a number is expected")),
        _ => Ok(value.get().to_owned()),
    }
}

/// Fields of an object in their order, repeated names included.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<String, &RawValue>()? {
                    if fields.len() > 1 << 22 {
                        return Err(A::Error::custom("too many fields"));
                    }
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

fn parse<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
    serde_json::from_str(text).map_err(|error| malformed(error.to_string()))
}

fn malformed(message: impl Into<String>) -> Problem {
    Problem::Malformed { format: "JSON", message: message.into() }
}

fn in_record(problem: Problem, row: usize) -> Problem {
    match problem {
        Problem::Malformed { format, message } => {
            Problem::Malformed { format, message: format!("record {row}: {message}") }
        }
        other => other,
    }
}
