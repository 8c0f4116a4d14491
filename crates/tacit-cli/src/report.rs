//! What a command found out: text for people and one JSON object for scripts, from the same calls.

use anstyle::{AnsiColor, Style};
use comfy_table::Table;
use serde_json::{Map, Value};

/// What a verdict in favour looks like.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What a verdict against looks like.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What a warning looks like.
pub(crate) const LOUD: Style = AnsiColor::Yellow.on_default().bold();
/// What a label or an aside looks like.
pub(crate) const DIM: Style = Style::new().dimmed();
/// What a heading looks like.
pub(crate) const BOLD: Style = Style::new().bold();
/// Plain text.
pub(crate) const PLAIN: Style = Style::new();

/// A piece of text.
pub(crate) enum Item {
    Line(Style, String),
    Field(&'static str, String),
    Table(Box<Table>),
}

/// The result of a command that did its work.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) items: Vec<Item>,
    pub(crate) json: Map<String, Value>,
    pub(crate) notes: Vec<String>,
    pub(crate) warnings: Vec<String>,
    /// For standard error, after the rest.
    pub(crate) aside: Vec<String>,
    /// Exit code.
    pub(crate) code: u8,
}

impl Report {
    /// A line of text.
    pub(crate) fn line(&mut self, style: Style, text: impl Into<String>) {
        self.items.push(Item::Line(style, text.into()));
    }

    /// A labelled value.
    pub(crate) fn field(&mut self, label: &'static str, value: impl Into<String>) {
        self.items.push(Item::Field(label, value.into()));
    }

    /// A table.
    pub(crate) fn table(&mut self, table: Table) {
        self.items.push(Item::Table(Box::new(table)));
    }

    /// An entry of the JSON object.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.json.insert(key.to_owned(), value.into());
    }

    /// Something worth knowing, on standard error.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Something to look at before going on, on standard error.
    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }
}

/// Text of unknown origin without control characters, so that no file can steer a terminal.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '"' | '\'' | '\\') { out.push(c) } else { out.extend(c.escape_debug()) }
    }
    out
}

/// A table in the house style.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_header(header.iter().copied());
    table
}

/// `396 of 398 (99.50 %)`.
pub(crate) fn rate(correct: u64, samples: u64) -> String {
    if samples == 0 {
        return "0 of 0".to_owned();
    }
    format!("{correct} of {samples} ({:.2} %)", 100.0 * correct as f64 / samples as f64)
}

/// `1 record`, `2 records`.
pub(crate) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
