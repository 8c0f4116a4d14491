//! Readers of CSV, JSON, npy and npz.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    use tacit_data::{Format, Table};
    for format in [Format::Csv, Format::Json, Format::Npy, Format::Npz] {
        let _ = Table::from_bytes(data, format, "fuzz", Some("y"));
    }
    let _ = tacit_data::parse_schema(data, "fuzz");
});
