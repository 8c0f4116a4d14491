//! Reader of proof files.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(bundle) = tacit_claim::Bundle::from_bytes(data) {
        assert_eq!(bundle.to_bytes(), data);
    }
});
