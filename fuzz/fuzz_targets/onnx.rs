//! The ONNX importer: what a file holds, and the whole way to integers on two records as wide as its input.
#![no_main]

use std::sync::Once;

use tacit_model::{Feature, Schema};
use tacit_onnx::{QuantiseOptions, probe, quantise};

/// Widest record that is made up.
const MAX_FEATURES: u64 = 4096;

static HOOK: Once = Once::new();

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // The fuzzer's hook aborts at every panic, also at those that the reader turns into errors. All others still unwind to
    // the fuzzer, which aborts then.
    HOOK.call_once(|| std::panic::set_hook(Box::new(|info| eprintln!("{info}"))));
    let Ok(summary) = probe(data) else { return };
    let [input] = &summary.inputs[..] else { return };
    let Some(shape) = &input.shape else { return };
    let axes = if shape.len() > 1 { &shape[1..] } else { &shape[..] };
    let Some(features) = axes.iter().try_fold(1u64, |n, d| n.checked_mul((*d)?)) else { return };
    if !(1..=MAX_FEATURES).contains(&features) {
        return;
    }
    let feature = |i| Feature {
        name: format!("x{i}"),
        decimals: 0,
        min: -8,
        max: 8,
        unit: None,
        code: None,
        system: None,
    };
    let Ok(schema) = Schema::new((0..features).map(feature).collect(), Vec::new()) else { return };
    let records: Vec<Vec<i64>> =
        (0..2).map(|r| (0..features).map(|i| (i * 7 + r * 3) as i64 % 17 - 8).collect()).collect();
    // A large file of real weights is no subject for a fuzzer; one width is enough.
    let options = QuantiseOptions { weight_bits: Some(8), ..QuantiseOptions::default() };
    let _ = quantise(data, &schema, &records, None, &options);
});
