//! Reader of `MODEL.tacit`: typed errors only, and whatever it accepts it writes back byte for byte.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(model) = tacit_model::Model::from_bytes(data) {
        assert_eq!(model.to_bytes(), data);
    }
});
