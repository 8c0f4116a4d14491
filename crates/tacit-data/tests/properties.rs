//! Round trips, and readers that survive anything.

#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Write};

use proptest::prelude::*;
use tacit_data::{
    Format, OutOfRangePolicy, ReadOptions, RowChoice, Table, infer_schema, parse_schema, records_from_bytes,
    schema_json,
};
use tacit_model::{Class, Feature, Schema, format_decimal};

const FORMATS: [Format; 4] = [Format::Csv, Format::Npy, Format::Npz, Format::Json];

fn arb_feature(index: usize) -> impl Strategy<Value = Feature> {
    let name = "[a-zA-Z,\"\u{e9} ]{0,8}".prop_map(move |text| format!("f{index} {text}").trim().to_owned());
    let bound = -1_000_000_000i64..1_000_000_000;
    (name, 0u8..=9, bound.clone(), bound).prop_map(|(name, decimals, a, b)| Feature {
        name,
        decimals,
        min: a.min(b),
        max: a.max(b),
        unit: None,
        code: None,
        system: None,
    })
}

fn arb_schema() -> impl Strategy<Value = Schema> {
    (1usize..6).prop_flat_map(|n| (0..n).map(arb_feature).collect::<Vec<_>>()).prop_map(|features| {
        let classes = ["no", "yes, \"quoted\""].map(|name| Class { name: name.to_owned() }).to_vec();
        Schema::new(features, classes).expect("names differ by their number")
    })
}

type Data = (Schema, Vec<Vec<i64>>, Vec<usize>);

fn arb_records() -> impl Strategy<Value = Data> {
    arb_schema().prop_flat_map(|schema| {
        let row: Vec<_> = schema.features.iter().map(|f| f.min..=f.max).collect();
        let rows = proptest::collection::vec((row, 0usize..2), 1..8);
        (Just(schema), rows).prop_map(|(schema, rows)| {
            let (rows, labels) = rows.into_iter().unzip();
            (schema, rows, labels)
        })
    })
}

/// An `.npy` file of doubles of shape (samples, values).
fn npy(rows: &[Vec<f64>], fortran: bool) -> Vec<u8> {
    let (height, width) = (rows.len(), rows[0].len());
    let order = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': '<f8', 'fortran_order': {order}, 'shape': ({height}, {width}), }}");
    header.push_str(&" ".repeat(63 - (10 + header.len()) % 64));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    let at = |n: usize| if fortran { rows[n % height][n / height] } else { rows[n / width][n % width] };
    (0..height * width).for_each(|n| bytes.extend(at(n).to_le_bytes()));
    bytes
}

fn npz(arrays: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        let options =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Everything a caller does with a file; the outcome does not matter.
fn use_everything(bytes: &[u8], format: Format) {
    for label in [None, Some("y"), Some("f0")] {
        let Ok(table) = Table::from_bytes(bytes, format, "fuzz", label) else { continue };
        if let Ok(schema) = infer_schema(&table, None) {
            let records =
                table.records(&schema, &ReadOptions::default()).expect("inferred from these records");
            assert_eq!(records.rows.len(), table.rows());
        }
        let schema = Schema::new(
            vec![Feature {
                name: "f0".to_owned(),
                decimals: 2,
                min: -100,
                max: 100,
                unit: None,
                code: None,
                system: None,
            }],
            vec![Class { name: "a".to_owned() }],
        )
        .unwrap();
        let options = ReadOptions { out_of_range: OutOfRangePolicy::Clip, rows: RowChoice::One(Some(0)) };
        let _ = table.records(&schema, &options).map_err(|e| e.to_string());
    }
}

proptest! {
    #[test]
    fn canonical_text_reads_back((schema, rows, labels) in arb_records()) {
        let texts = |row: &Vec<i64>| -> Vec<String> {
            row.iter().zip(&schema.features).map(|(v, f)| format_decimal(*v, f.decimals)).collect()
        };
        // Columns backwards, and one that nobody asked for.
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut header: Vec<String> = schema.features.iter().map(|f| f.name.clone()).collect();
        header.extend(["label".to_owned(), "extra".to_owned()]);
        header.reverse();
        writer.write_record(&header).unwrap();
        for (row, label) in rows.iter().zip(&labels) {
            let mut cells = texts(row);
            cells.extend([schema.classes[*label].name.clone(), "x".to_owned()]);
            cells.reverse();
            writer.write_record(&cells).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let records =
            records_from_bytes(&bytes, Format::Csv, "t", &schema, Some("label"), &ReadOptions::default()).unwrap();
        prop_assert_eq!(&records.rows, &rows);
        prop_assert_eq!(records.labels.as_ref(), Some(&labels));
        prop_assert_eq!(&records.ignored_columns, &["extra".to_owned()]);
        prop_assert_eq!((records.rounded_cells, records.out_of_range_cells), (0, 0));

        let mut canonical = Vec::new();
        records.write_csv(&schema, "label", &mut canonical).unwrap();
        let again =
            records_from_bytes(&canonical, Format::Csv, "t", &schema, Some("label"), &ReadOptions::default()).unwrap();
        prop_assert_eq!((&again.rows, &again.labels), (&records.rows, &records.labels));
        let mut twice = Vec::new();
        again.write_csv(&schema, "label", &mut twice).unwrap();
        prop_assert_eq!(twice, canonical);

        let json: String = rows.iter().map(|row| format!("[{}]", texts(row).join(","))).collect::<Vec<_>>().join(",");
        let json = format!("[{json}]");
        // JSON alone: `01` is no number there, and the canonical text never begins so.
        let of_json =
            records_from_bytes(json.as_bytes(), Format::Json, "t", &schema, None, &ReadOptions::default()).unwrap();
        prop_assert_eq!(&of_json.rows, &rows);
    }

    #[test]
    fn doubles_are_the_same_integers_as_their_text((schema, rows, labels) in arb_records(), fortran in any::<bool>()) {
        let floats: Vec<Vec<f64>> = rows
            .iter()
            .map(|row| {
                row.iter().zip(&schema.features).map(|(v, f)| format_decimal(*v, f.decimals).parse().unwrap()).collect()
            })
            .collect();
        let samples = npy(&floats, fortran);
        let of_npy = records_from_bytes(&samples, Format::Npy, "t", &schema, None, &ReadOptions::default()).unwrap();
        prop_assert_eq!(&of_npy.rows, &rows);
        prop_assert_eq!(of_npy.rounded_cells, 0);
        let classes: Vec<Vec<f64>> = labels.iter().map(|l| vec![*l as f64]).collect();
        let archive = npz(&[("X", &samples), ("y", &npy(&classes, fortran))]);
        let of_npz =
            records_from_bytes(&archive, Format::Npz, "t", &schema, Some("y"), &ReadOptions::default()).unwrap();
        prop_assert_eq!((&of_npz.rows, of_npz.labels.as_ref()), (&rows, Some(&labels)));
    }

    #[test]
    fn floats_are_their_nearest_decimals(values in proptest::collection::vec(any::<f64>(), 2..6), decimals in 0u8..=9) {
        let features = (0..values.len()).map(|i| Feature {
            name: format!("x{i}"), decimals, min: 0, max: 0, unit: None, code: None, system: None,
        });
        let schema = Schema::new(features.collect(), vec![]).unwrap();
        let options = ReadOptions { out_of_range: OutOfRangePolicy::Clip, ..ReadOptions::default() };
        let bytes = npy(std::slice::from_ref(&values), false);
        match records_from_bytes(&bytes, Format::Npy, "t", &schema, None, &options) {
            Ok(records) => {
                for (value, units) in values.iter().zip(&records.rows[0]) {
                    let scaled = value * 10f64.powi(i32::from(decimals));
                    prop_assert!((scaled - *units as f64).abs() <= 0.5 + scaled.abs() * 1e-15);
                }
            }
            Err(_) => {
                let limit = (1u64 << 40) as f64 * (1.0 - 1e-12);
                prop_assert!(values.iter().any(|v| !v.is_finite() || v.abs() * 10f64.powi(i32::from(decimals)) >= limit));
            }
        }
    }

    #[test]
    fn a_schema_inferred_contains_its_records(
        cells in proptest::collection::vec("-?[0-9]{1,7}(\\.[0-9]{1,8})?(e-?[0-9])?", 1..12),
    ) {
        let csv = format!("a\n{}\n", cells.join("\n"));
        let table = Table::from_bytes(csv.as_bytes(), Format::Csv, "t", None).unwrap();
        if let Ok(schema) = infer_schema(&table, None) {
            let records = table.records(&schema, &ReadOptions::default()).unwrap();
            let f = &schema.features[0];
            prop_assert!(f.decimals <= 9);
            let (low, high) = (records.rows.iter().map(|r| r[0]).min().unwrap(), records.rows.iter().map(|r| r[0]).max().unwrap());
            prop_assert!(f.min < low && high < f.max || f.max == (1 << 40) - 1 || f.min == 1 - (1 << 40));
        }
    }

    #[test]
    fn schemas_read_back(schema in arb_schema()) {
        prop_assert_eq!(parse_schema(schema_json(&schema).as_bytes(), "s").unwrap(), schema);
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for format in FORMATS {
            use_everything(&bytes, format);
        }
        let _ = parse_schema(&bytes, "s");
    }

    #[test]
    fn random_text_never_panics(text in "[\\[\\]{}\",:;0-9eE.+\\-a-c\\\\yf\n\r\t \u{feff}\u{1F600}]{0,120}") {
        for format in [Format::Csv, Format::Json] {
            use_everything(text.as_bytes(), format);
        }
        let _ = parse_schema(text.as_bytes(), "s");
    }

    #[test]
    fn random_headers_never_panic(header in "[{}()',:0-9LTFa-z_<>|iuf8 \n-]{0,120}|\\{'descr': '[<>|][a-zA-Z]?[0-9]{0,3}', 'fortran_order': (True|False), 'shape': \\(([0-9]{0,20}L?,){0,4}\\)(, )?\\}", data in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.bytes());
        bytes.extend(data);
        use_everything(&bytes, Format::Npy);
    }

    #[test]
    fn damaged_files_never_panic(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let samples = npy(&[vec![1.5], vec![-0.25], vec![3.0]], false);
        let archive = npz(&[("X", &samples), ("y", &samples)]);
        let csv = b"f0,y\n1.5,a\n-0.25,a\n".to_vec();
        let json = br#"[{"f0": 1.5, "y": "a"}, {"f0": -2.5e-1, "y": 0}]"#.to_vec();
        for (format, valid) in FORMATS.into_iter().zip([csv, samples, archive, json]) {
            let mut bytes = valid;
            for (at, value) in &edits {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            if let Some(cut) = &cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            use_everything(&bytes, format);
        }
    }
}

#[test]
fn nesting_does_not_exhaust_the_stack() {
    for (open, close) in [("[", "]"), ("{\"f0\":", "}"), ("[{\"f0\":", "}]")] {
        for text in [open.repeat(1 << 20), format!("{}1{}", open.repeat(1 << 19), close.repeat(1 << 19))] {
            use_everything(text.as_bytes(), Format::Json);
        }
    }
}

#[test]
fn many_names_in_few_records_stay_cheap() {
    // Every record has a name of its own: a dense table would have 10^10 cells.
    let json: Vec<String> = (0..100_000).map(|i| format!("{{\"k{i}\":1}}")).collect();
    let table =
        Table::from_bytes(format!("[{}]", json.join(",")).as_bytes(), Format::Json, "t", None).unwrap();
    assert!(
        infer_schema(&table, None).unwrap_err().to_string().contains("row 0, column `k1`: a missing value")
    );
}
