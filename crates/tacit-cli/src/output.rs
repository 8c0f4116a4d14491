//! The only place that prints. Results go to standard output, everything else to standard error.

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::failure::{Failure, UNUSABLE};
use crate::report::{BAD, DIM, Item, LOUD, Report, plain};

/// Prints what a command found out.
pub(crate) fn report(report: &Report, as_json: bool) -> ExitCode {
    let written = if as_json {
        let mut object = report.json.clone();
        object.insert("warnings".to_owned(), report.warnings.clone().into());
        object.insert("notes".to_owned(), report.notes.clone().into());
        json_line(&Value::Object(object))
    } else {
        text(&report.items)
    };
    if !as_json {
        let mut err = anstream::stderr();
        let columns = error_columns();
        for note in &report.notes {
            let _ = writeln!(err, "{DIM}note:{DIM:#} {}", wrapped(&plain(note), columns, 6));
        }
        for warning in &report.warnings {
            let _ = writeln!(err, "{LOUD}warning:{LOUD:#} {}", wrapped(&plain(warning), columns, 9));
        }
        for line in &report.aside {
            let _ = writeln!(err, "{}", plain(line));
        }
    }
    finish(written, report.code)
}

/// Prints why a command did not do its work.
pub(crate) fn failure(failure: &Failure, as_json: bool) -> ExitCode {
    if as_json {
        return finish(json_line(&failure_json(failure)), failure.code);
    }
    let _ = writeln!(
        anstream::stderr(),
        "{BAD}error:{BAD:#} {}",
        wrapped(&plain(&failure.message), error_columns(), 7)
    );
    advice(failure);
    ExitCode::from(failure.code)
}

/// Prints the verdict that a claim does not hold, and why.
pub(crate) fn verdict_against(failure: &Failure, as_json: bool) -> ExitCode {
    let written = if as_json {
        let mut object = failure_json(failure);
        object["holds"] = false.into();
        json_line(&object)
    } else {
        let written = writeln!(anstream::stdout(), "{BAD}DOES NOT HOLD{BAD:#}: {}", plain(&failure.message));
        advice(failure);
        written
    };
    finish(written, failure.code)
}

fn failure_json(failure: &Failure) -> Value {
    json!({
        "error": plain(&failure.message),
        "advice": failure.advice.as_deref().map(plain),
        "exit_code": failure.code,
    })
}

fn advice(failure: &Failure) {
    if let Some(advice) = &failure.advice {
        let _ = writeln!(
            anstream::stderr(),
            "{DIM} help:{DIM:#} {}",
            wrapped(&plain(advice), error_columns(), 7)
        );
    }
}

/// Prints items as they come, for commands that tell a story. Wrapped to the width of a terminal.
pub(crate) fn text(items: &[Item]) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let columns = comfy_table::Table::new().width().map_or(usize::MAX, usize::from);
    let mut width = 0;
    for (at, item) in items.iter().enumerate() {
        match item {
            Item::Line(style, text) => writeln!(out, "{style}{}{style:#}", line(text, columns))?,
            Item::Table(table) => writeln!(out, "{table}")?,
            Item::Field(label, value) => {
                if width == 0 {
                    let labels = items[at..].iter().map_while(|i| match i {
                        Item::Field(label, _) => Some(label.len()),
                        _ => None,
                    });
                    width = labels.max().unwrap_or(0);
                }
                let value = wrapped(&plain(value), columns, width + 2);
                writeln!(out, "{DIM}{label:width$}{DIM:#}  {value}")?;
                continue;
            }
        }
        width = 0;
    }
    out.flush()
}

/// The width of the terminal that standard error is, if it is one.
fn error_columns() -> usize {
    let mut table = comfy_table::Table::new();
    table.use_stderr();
    table.width().map_or(usize::MAX, usize::from)
}

/// A line, continued under its own beginning.
fn line(text: &str, columns: usize) -> String {
    let body = text.trim_start_matches(' ');
    let indent = text.len() - body.len();
    let (mark, body) = body.strip_prefix("- ").map_or(("", body), |rest| ("- ", rest));
    format!("{:indent$}{mark}{}", "", wrapped(&plain(body), columns, indent + mark.len()))
}

/// `text` broken between words to fit `columns`, of which the first `indent` are kept free after the first line.
fn wrapped(text: &str, columns: usize, indent: usize) -> String {
    let room = columns.saturating_sub(indent);
    if room < 20 || text.chars().count() <= room {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if used > 0 && used + length > room {
            out.truncate(out.trim_end().len());
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            used = 0;
        }
        out.push_str(word);
        used += word.chars().count();
    }
    out
}

fn json_line(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    out.flush()
}

/// A reader that went away has what it wanted; anything else that keeps a result from being written is an error.
fn finish(written: io::Result<()>, code: u8) -> ExitCode {
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(
                anstream::stderr(),
                "{BAD}error:{BAD:#} the result cannot be written: {}",
                plain(&e.to_string())
            );
            ExitCode::from(if code == 0 { UNUSABLE } else { code })
        }
        _ => ExitCode::from(code),
    }
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_are_broken_between_words() {
        let text = "the quick brown fox jumps over the lazy dog";
        assert_eq!(wrapped(text, 100, 0), text);
        assert_eq!(wrapped(text, 24, 0), "the quick brown fox\njumps over the lazy dog");
        assert_eq!(wrapped(text, 26, 2), "the quick brown fox\n  jumps over the lazy dog");
        assert_eq!(wrapped(text, 10, 0), text, "too narrow to be of use");
        let long = "x".repeat(30);
        assert_eq!(wrapped(&format!("{long} {long}"), 20, 0), format!("{long}\n{long}"));
    }
}
