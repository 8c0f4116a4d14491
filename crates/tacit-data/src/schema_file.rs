//! `schema.json`: reading and writing.

use std::path::Path;

use tacit_model::Schema;

use crate::error::{DataError, Problem};
use crate::table::{read_capped, utf8};

/// Largest schema file, in bytes.
const MAX_SCHEMA_BYTES: u64 = 64 << 20;

/// Reads the schema file at `path`.
///
/// # Errors
/// [`DataError`] when the file cannot be read, is larger than 64 MiB, or breaks a rule of [`Schema`].
pub fn read_schema(path: &Path) -> Result<Schema, DataError> {
    let file = path.display().to_string();
    let bytes = read_capped(path, MAX_SCHEMA_BYTES).map_err(|problem| problem.in_file(&file))?;
    parse_schema(&bytes, &file)
}

/// Reads a schema from the bytes of a schema file. `file` is what errors call the source.
///
/// # Errors
/// As for [`read_schema`].
pub fn parse_schema(bytes: &[u8], file: &str) -> Result<Schema, DataError> {
    let parse = || {
        if bytes.len() as u64 > MAX_SCHEMA_BYTES {
            return Err(Problem::TooBig { limit: MAX_SCHEMA_BYTES, unit: "bytes" });
        }
        serde_json::from_str(utf8(bytes)?)
            .map_err(|e| Problem::Malformed { format: "schema", message: in_words(&e.to_string()) })
    };
    parse().map_err(|problem| problem.in_file(file))
}

/// What the parser found, with an example in the place of the names of its types.
fn in_words(message: &str) -> String {
    const WORDS: [(&str, &str); 5] = [
        ("struct Class", "a class such as {\"name\": \"benign\"}"),
        (
            "struct RawFeature",
            "a feature such as {\"name\": \"age\", \"decimals\": 0, \"min\": \"0\", \"max\": \"120\"}",
        ),
        ("struct RawSchema", "an object with \"format\", \"features\" and \"classes\""),
        ("expected u8", "expected a whole number from 0 to 9"),
        ("expected a string", "expected text in quotes, such as \"min\": \"-5\""),
    ];
    WORDS.iter().fold(message.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The text of a schema file: indented JSON that ends in a line feed.
///
/// # Panics
/// Never: a schema holds only strings and small numbers.
#[must_use]
pub fn schema_json(schema: &Schema) -> String {
    let mut text = serde_json::to_string_pretty(schema).expect("strings and small numbers are always JSON");
    text.push('\n');
    text
}
