//! The ONNX importer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = tacit_onnx::probe(data);
});
