//! The only place that prints. Results go to standard output, everything else to standard error.

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::failure::{DOES_NOT_HOLD, Failure, UNUSABLE};
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
        for note in &report.notes {
            let _ = writeln!(err, "{DIM}note:{DIM:#} {}", plain(note));
        }
        for warning in &report.warnings {
            let _ = writeln!(err, "{LOUD}warning:{LOUD:#} {}", plain(warning));
        }
    }
    finish(written, report.code)
}

/// Prints why a command did not do its work. `holds` is the verdict, for commands that give one.
pub(crate) fn failure(failure: &Failure, holds: Option<bool>, as_json: bool) -> ExitCode {
    if as_json {
        let mut object = json!({
            "error": plain(&failure.message),
            "advice": failure.advice.as_deref().map(plain),
            "exit_code": failure.code,
        });
        if let Some(holds) = holds {
            object["holds"] = holds.into();
        }
        return finish(json_line(&object), failure.code);
    }
    let mut err = anstream::stderr();
    let mut written = Ok(());
    if holds.is_some() && failure.code == DOES_NOT_HOLD {
        written = writeln!(anstream::stdout(), "{BAD}DOES NOT HOLD{BAD:#}: {}", plain(&failure.message));
    } else {
        let _ = writeln!(err, "{BAD}error:{BAD:#} {}", plain(&failure.message));
    }
    if let Some(advice) = &failure.advice {
        let _ = writeln!(err, "{DIM} help:{DIM:#} {}", plain(advice));
    }
    finish(written, failure.code)
}

/// Prints items as they come, for commands that tell a story.
pub(crate) fn text(items: &[Item]) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let mut width = 0;
    for (at, item) in items.iter().enumerate() {
        match item {
            Item::Line(style, text) => writeln!(out, "{style}{}{style:#}", plain(text))?,
            Item::Table(table) => writeln!(out, "{table}")?,
            Item::Field(label, value) => {
                if width == 0 {
                    let labels = items[at..].iter().map_while(|i| match i {
                        Item::Field(label, _) => Some(label.len()),
                        _ => None,
                    });
                    width = labels.max().unwrap_or(0);
                }
                writeln!(out, "{DIM}{label:width$}{DIM:#}  {}", plain(value))?;
                continue;
            }
        }
        width = 0;
    }
    out.flush()
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
