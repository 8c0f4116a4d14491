//! The same three records in every format, made by NumPy where they are arrays, are the same integers.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use tacit_data::{
    Format, OutOfRangePolicy, ReadOptions, RowChoice, Table, as_floats, infer_schema, parse_schema,
    read_records, read_schema, records_from_bytes, schema_json, select_row,
};
use tacit_model::Schema;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn schema() -> Schema {
    read_schema(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/schema.json")).unwrap()
}

const ROWS: [[i64; 2]; 3] = [[182, 800], [160, 625], [26, 702]];

#[test]
fn every_format_holds_the_same_integers() {
    for (name, label, ignored) in [
        ("people.csv", Some("kind"), vec![]),
        ("people.csv", None, vec!["kind"]),
        ("shuffled.csv", Some("kind"), vec!["name"]),
        ("objects.json", Some("kind"), vec!["name"]),
        ("arrays.json", None, vec![]),
        ("doubles.npy", None, vec![]),
        ("fortran.npy", None, vec![]),
        ("big_endian.npy", None, vec![]),
        ("singles.npy", None, vec![]),
        ("people.npz", Some("y"), vec!["weights"]),
        ("people.npz", None, vec!["y", "weights"]),
        ("compressed.npz", Some("y"), vec![]),
        ("strings.npz", Some("y"), vec![]),
        ("bytes.npz", Some("y"), vec![]),
    ] {
        let records = read_records(&fixture(name), &schema(), label, &ReadOptions::default())
            .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(records.rows, ROWS, "{name}");
        assert_eq!(records.labels, label.map(|_| vec![1, 0, 0]), "{name}");
        assert_eq!(records.ignored_columns, ignored, "{name}");
        // 0.265 and 70.25 have a decimal too many.
        assert_eq!((records.rounded_cells, records.out_of_range_cells), (2, 0), "{name}");
        assert_eq!(records.source, fixture(name).display().to_string());
    }
}

#[test]
fn formats_are_told_apart_by_content_too() {
    for (name, format) in [
        ("people.csv", Format::Csv),
        ("shuffled.csv", Format::Csv),
        ("objects.json", Format::Json),
        ("doubles.npy", Format::Npy),
        ("people.npz", Format::Npz),
    ] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        assert_eq!(Format::detect(Path::new("data"), &bytes), format, "{name}");
        assert_eq!(Format::detect(&fixture(name), b""), format, "{name}");
    }
}

#[test]
fn one_row_is_chosen() {
    let one = |row| ReadOptions { rows: RowChoice::One(row), ..ReadOptions::default() };
    let records = read_records(&fixture("people.csv"), &schema(), Some("kind"), &one(Some(1))).unwrap();
    assert_eq!((records.rows, records.labels), (vec![ROWS[1].to_vec()], Some(vec![0])));
    assert!(records.source.ends_with("people.csv, row 1"));

    // What is wrong with other rows does not matter.
    let csv = b"height,weight\n1.5,60\nwrong,9999\n";
    let read = |row| records_from_bytes(csv, Format::Csv, "two.csv", &schema(), None, &one(row));
    assert_eq!(read(Some(0)).unwrap().rows, [[150, 600]]);
    assert!(read(Some(1)).unwrap_err().to_string().starts_with("two.csv: row 1 (line 3), column `height`"));
    assert_eq!(read(None).unwrap_err().to_string(), "two.csv: holds 2 records; choose one row, from 0 to 1");

    let single = |json: &str| {
        records_from_bytes(json.as_bytes(), Format::Json, "one.json", &schema(), None, &one(None))
            .unwrap()
            .rows
    };
    for json in
        [r#"{"weight": 60, "height": 1.5}"#, "[1.5, 60]", "[[1.5, 60]]", r#"[{"height":1.5,"weight":6e1}]"#]
    {
        assert_eq!(single(json), [[150, 600]], "{json}");
    }
    assert_eq!(select_row(1, None).unwrap(), 0);
    assert_eq!(select_row(3, Some(2)).unwrap(), 2);
    assert!(select_row(3, Some(3)).unwrap_err().to_string().contains("the last of these 3 records is 2"));
    assert!(select_row(0, None).is_err());
}

#[test]
fn clipping_keeps_and_counts_values_out_of_range() {
    let csv = b"height,weight\n-1,60\n1.5,500.04\n9,-0.06\n";
    let options = ReadOptions { out_of_range: OutOfRangePolicy::Clip, ..ReadOptions::default() };
    let records = records_from_bytes(csv, Format::Csv, "c.csv", &schema(), None, &options).unwrap();
    assert_eq!(records.rows, [[-100, 600], [150, 5000], [900, -1]]);
    assert_eq!((records.out_of_range_cells, records.rounded_cells), (3, 2));
    // Height, of 251 units, has no cell that is rounded; weight has thousands of units.
    assert!(records.coarse_features.is_empty());
    assert_eq!(as_floats(&records, &schema())[1], [1.5, 500.0]);
    let csv = b"height,weight\n1.555,60\n";
    let records = records_from_bytes(csv, Format::Csv, "c.csv", &schema(), None, &options).unwrap();
    assert_eq!(records.coarse_features, ["height"]);
}

#[test]
fn numbers_are_class_indices_unless_classes_are_numbers() {
    let labels = |classes: &str, labels: &str| {
        let text = format!(
            r#"{{"format":"tacit.schema/1","features":[{{"name":"a","decimals":0,"min":"0","max":"9","unit":null,
            "code":null,"system":null}}],"classes":[{classes}]}}"#
        );
        let schema = parse_schema(text.as_bytes(), "schema.json").unwrap();
        let csv = format!("a,y\n1,{}\n", labels.replace(' ', "\n1,"));
        records_from_bytes(csv.as_bytes(), Format::Csv, "l.csv", &schema, Some("y"), &ReadOptions::default())
            .map(|records| records.labels.unwrap())
            .map_err(|e| e.to_string())
    };
    let named = r#"{"name":"no"},{"name":"yes"}"#;
    let numbered = r#"{"name":"1"},{"name":"2"}"#;
    assert_eq!(labels(named, "yes no 1 0 1.0 +1").unwrap(), [1, 0, 1, 0, 1, 1]);
    assert_eq!(labels(numbered, "2 1 1.0 2e0").unwrap(), [1, 0, 0, 1]);
    assert!(labels(numbered, "0").unwrap_err().contains("the label `0` is not a class"));
    assert!(labels("", "yes").unwrap_err().contains("the schema has no classes"));
}

#[test]
fn arrays_are_inferred_with_numbered_names() {
    let table = Table::read(&fixture("people.npz"), Some("y")).unwrap();
    let schema = infer_schema(&table, None).unwrap();
    let summary: Vec<_> =
        schema.features.iter().map(|f| (f.name.as_str(), f.decimals, f.range_text())).collect();
    assert_eq!(summary, [("x0", 3, "[-0.124, 2.209]".to_owned()), ("x1", 2, "[58.12, 84.38]".to_owned())]);
    assert_eq!(schema.classes.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["0", "1"]);
    // Singles say 0.265, not 0.26499998569488525.
    let singles = infer_schema(&Table::read(&fixture("singles.npy"), None).unwrap(), None).unwrap();
    assert_eq!(singles.features, schema.features);
}

#[test]
fn schemas_survive_their_file() {
    let text = schema_json(&schema());
    assert_eq!(parse_schema(text.as_bytes(), "schema.json").unwrap(), schema());
    assert!(text.ends_with("}\n"));

    let error = |text: &str| parse_schema(text.as_bytes(), "s.json").unwrap_err().to_string();
    assert!(error("").starts_with("s.json: not a well-formed schema file: EOF"));
    assert!(
        error(&text.replace("schema/1", "schema/2")).contains("`tacit.schema/2` is not `tacit.schema/1`")
    );
    assert!(error(&text.replace("weight", "height")).contains("two features are called `height`"));
    assert!(error(&text.replace("\"3.00\"", "\"3.001\"")).contains("`3.001` has more than 2 decimals"));
    assert!(error(&text.replace("\"3.00\"", "3")).contains("text in quotes, such as \"min\": \"-5\""));
    let tall = "{\n      \"name\": \"tall\"\n    }";
    assert!(text.contains(tall), "{text}");
    assert!(error(&text.replace(tall, "3")).contains("expected a class such as {\"name\": \"benign\"}"));
    assert!(error(&text.replace("\"unit\"", "\"units\"")).contains("unknown field `units`"));
    assert!(error(&(text.clone() + "x")).contains("trailing characters"));
    assert!(error(&"[".repeat(1 << 20)).contains("not a well-formed schema file"));
    let unnamed = error(&text.replace("weight", " "));
    assert!(unnamed.contains("a name is empty"), "{unnamed}");
    let missing = read_schema(Path::new("no/such/schema.json")).unwrap_err().to_string();
    assert!(missing.starts_with("no/such/schema.json: cannot be read"), "{missing}");
}

#[test]
fn what_is_no_table_is_named() {
    let error = |bytes: &[u8], name: &str| {
        let format = Format::detect(Path::new(name), bytes);
        Table::from_bytes(bytes, format, name, None).unwrap_err().to_string()
    };
    for name in ["a.csv", "a.npy", "a.npz", "a.json", "a"] {
        assert_eq!(error(b"", name), format!("{name}: the file is empty"));
        assert_eq!(error(b" \n\r\n", name), format!("{name}: the file is empty"));
    }
    assert!(
        error(b"PAR1\x15\x04", "a.parquet").contains("Parquet files are not read; save the records as CSV")
    );
    for (first, name) in
        [("[Content_Types].xml", "a.xlsx"), ("docProps/app.xml", "a.csv"), ("_rels/.rels", "a")]
    {
        let workbook = [&b"PK\x03\x04"[..], &[0; 26], first.as_bytes(), b"and more"].concat();
        assert!(error(&workbook, name).contains("Excel (.xlsx) files are not read"));
    }
    assert!(error(b"x,y\n1,2\n", "a.npz").contains("it is no zip archive"));
}

#[test]
fn axes_of_another_order_are_refused() {
    let npy = |shape: &[usize]| {
        let header = format!(
            "{{'descr': '|u1', 'fortran_order': False, 'shape': ({}), }}",
            shape.iter().map(|n| format!("{n}, ")).collect::<String>()
        );
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(vec![1; shape.iter().product()]);
        Table::from_bytes(&bytes, Format::Npy, "x.npy", None).unwrap()
    };
    for (shape, sample) in [
        (&[2, 3, 4, 5][..], &[3, 4, 5][..]),
        // Flat values, one axis fewer or one more: in the order of the array.
        (&[2, 60], &[3, 4, 5]),
        (&[2, 4, 5], &[1, 4, 5]),
        // One channel, last or first.
        (&[2, 4, 5, 1], &[1, 4, 5]),
        (&[2, 1, 60], &[60]),
        (&[2, 60], &[60]),
        (&[60], &[3, 4, 5]),
    ] {
        npy(shape).check_axes(sample).unwrap_or_else(|e| panic!("{e}"));
    }
    for (shape, sample) in [(&[2, 4, 5, 3][..], &[3, 4, 5][..]), (&[2, 5, 4], &[4, 5])] {
        let error = npy(shape).check_axes(sample).unwrap_err().to_string();
        assert!(error.starts_with("x.npy: the array of samples has shape (2, "), "{error}");
    }
    let error = npy(&[2, 4, 5, 3]).check_axes(&[3, 4, 5]).unwrap_err().to_string();
    assert!(error.ends_with("has shape (2, 4, 5, 3); the model's input is (samples, 3, 4, 5)"), "{error}");
}

#[test]
fn labels_of_a_model_of_numbers_are_targets() {
    let mut schema = schema();
    schema.classes.clear();
    let csv = b"height,weight,y\n1.82,80,2.5\n1.6,62.5,-1\n";
    let read = |row| {
        let options = ReadOptions { rows: row, ..ReadOptions::default() };
        records_from_bytes(csv, Format::Csv, "t.csv", &schema, Some("y"), &options).unwrap()
    };
    let all = read(RowChoice::All);
    assert_eq!((&all.labels, &*all.ignored_columns), (&None, &[][..]));
    assert_eq!(all.targets.unwrap().floats().collect::<Vec<_>>(), [2.5, -1.0]);
    let one = read(RowChoice::One(Some(1))).targets.unwrap();
    assert_eq!((one.decimals, &*one.values), (0, &[-1][..]));
    let bad = b"height,weight,y\n1.82,80,tall\n";
    let error = records_from_bytes(bad, Format::Csv, "t.csv", &schema, Some("y"), &ReadOptions::default())
        .unwrap_err();
    assert!(error.to_string().contains("`tall` is not a number; the model predicts numbers"), "{error}");
}
