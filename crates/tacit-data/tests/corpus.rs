//! One file per failure. `NAME.expected` beside `NAME` holds the error's text after lines of options:
//! `# label COLUMN`, `# row N`, `# one` (a row not chosen), `# clip`, `# infer` (no schema).
//!
//! With `TACIT_BLESS=1` in the environment the texts are written anew.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use tacit_data::{DataError, OutOfRangePolicy, ReadOptions, RowChoice, Table, infer_schema, read_schema};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// Reads a file of the corpus as the options say.
fn read(path: &Path, options: &[&str]) -> Result<(), DataError> {
    let (mut label, mut read, mut infer) = (None, ReadOptions::default(), false);
    for option in options {
        match option.split_once(' ').unwrap_or((option, "")) {
            ("label", column) => label = Some(column),
            ("row", row) => read.rows = RowChoice::One(Some(row.parse().expect("a row"))),
            ("one", "") => read.rows = RowChoice::One(None),
            ("clip", "") => read.out_of_range = OutOfRangePolicy::Clip,
            ("infer", "") => infer = true,
            _ => panic!("{}: unknown option `{option}`", path.display()),
        }
    }
    let table = Table::read(path, label)?;
    if infer {
        return infer_schema(&table, None).map(drop);
    }
    let schema = read_schema(&corpus().join("schema.json")).expect("the corpus's schema is well-formed");
    table.records(&schema, &read).map(drop)
}

#[test]
fn every_failure_has_its_text() {
    let bless = std::env::var_os("TACIT_BLESS").is_some();
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for expected_path in entries.iter().filter(|p| p.extension().is_some_and(|e| e == "expected")) {
        let path = expected_path.with_extension("");
        let expected = std::fs::read_to_string(expected_path).unwrap();
        let options: Vec<&str> = expected.lines().map_while(|line| line.strip_prefix("# ")).collect();
        let outcome = match read(&path, &options) {
            Ok(()) => "no error".to_owned(),
            Err(error) => {
                let text = error.to_string();
                let file = path.display().to_string();
                text.strip_prefix(&format!("{file}: ")).expect("an error begins with the file").to_owned()
            }
        };
        let mut found: String = options.iter().map(|o| format!("# {o}\n")).collect();
        found.push_str(&outcome);
        found.push('\n');
        count += 1;
        if bless {
            std::fs::write(expected_path, &found).unwrap();
        } else if found != expected {
            wrong.push(format!("{}\n  expected {expected}  found    {found}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 80, "only {count} failures in the corpus");
}

#[test]
fn every_file_has_its_text() {
    for entry in std::fs::read_dir(corpus()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name != "schema.json" && !name.ends_with(".expected") {
            assert!(path.with_file_name(format!("{name}.expected")).exists(), "{name} has no text");
        }
    }
}
