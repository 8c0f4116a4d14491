//! CSV with a header row.

use csv::{ReaderBuilder, StringRecord};

use crate::error::{Place, Problem};
use crate::number::is_number;
use crate::table::utf8;

/// A CSV file as read: every row has as many cells as there are names.
#[derive(Debug)]
pub(crate) struct CsvTable {
    pub(crate) names: Vec<String>,
    pub(crate) rows: Vec<StringRecord>,
    /// Line on which each row begins, counted from 1.
    pub(crate) lines: Vec<u64>,
}

impl CsvTable {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let text = utf8(bytes)?;
        let mut reader = ReaderBuilder::new().from_reader(text.as_bytes());
        let names: Vec<String> =
            reader.headers().map_err(|e| problem(&e, text))?.iter().map(|n| n.trim().to_owned()).collect();
        if let [only] = &names[..]
            && let Some(separator) = only.chars().find(|c| matches!(c, ';' | '\t'))
        {
            let message = format!(
                "cells are separated by {separator:?}; separate them by commas, and write 1.5, not 1,5"
            );
            return Err(Problem::Malformed { format: "CSV", message });
        }
        if looks_like_data(&names) {
            return Err(Problem::NoHeader);
        }
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(Problem::DuplicateColumn(twice.clone()));
        }
        let (mut rows, mut lines) = (Vec::new(), Vec::new());
        let mut lines_so_far = Lines::new(text);
        for row in reader.records() {
            let row = row.map_err(|e| problem(&e, text))?;
            lines.push(row.position().map_or(0, |p| lines_so_far.line_of(p)));
            rows.push(row);
        }
        Ok(Self { names, rows, lines })
    }
}

/// Counts lines as rows go by. The reader's own count is of the line on which the row before ended.
struct Lines<'a> {
    bytes: &'a [u8],
    /// Bytes counted.
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0, line: 1 }
    }

    /// The line on which the row at `position` begins; positions must not decrease.
    fn line_of(&mut self, position: &csv::Position) -> u64 {
        let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
        while let Some(byte) = self.bytes.get(self.at) {
            if self.at >= start && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            let lone_return = *byte == b'\r' && self.bytes.get(self.at + 1) != Some(&b'\n');
            self.line += u64::from(*byte == b'\n' || lone_return);
            self.at += 1;
        }
        self.line
    }
}

/// Whether a first row holds numbers. Whole numbers alone may be the names that a data frame gave its columns.
fn looks_like_data(names: &[String]) -> bool {
    !names.is_empty()
        && names.iter().all(|n| is_number(n))
        && names.iter().any(|n| !n.bytes().all(|b| b.is_ascii_digit()))
}

fn problem(error: &csv::Error, text: &str) -> Problem {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => Problem::Ragged {
            place: Place {
                // Record 0 is the header.
                row: pos
                    .as_ref()
                    .map_or(0, |p| usize::try_from(p.record().saturating_sub(1)).unwrap_or(usize::MAX)),
                line: pos.as_ref().map(|p| Lines::new(text).line_of(p)),
            },
            found: *len,
            expected: *expected_len,
        },
        _ => Problem::Malformed { format: "CSV", message: error.to_string() },
    }
}
