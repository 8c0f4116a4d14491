//! Reader of `card.json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(card) = tacit_claim::Card::from_json(data) {
        assert_eq!(card.to_json(), data);
    }
});
