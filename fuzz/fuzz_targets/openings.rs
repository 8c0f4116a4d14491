//! Readers of secret files, and of what lies beside a card.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(opening) = tacit_claim::WeightsOpening::from_bytes(data) {
        assert_eq!(&**opening.to_bytes(), data);
    }
    if let Ok(opening) = tacit_claim::InputOpening::from_bytes(data) {
        assert_eq!(&**opening.to_bytes(), data);
    }
    if let Ok(opening) = tacit_claim::OutputOpening::from_bytes(data) {
        assert_eq!(&**opening.to_bytes(), data);
    }
    if let Ok(opening) = tacit_claim::DatasetOpening::from_bytes(data) {
        assert_eq!(&**opening.to_bytes(), data);
    }
    if let Ok(chunk) = tacit_claim::ProofChunk::from_bytes(data) {
        assert_eq!(&**chunk.to_bytes(), data);
    }
    if let Ok(points) = tacit_claim::CardPoints::from_bytes(data) {
        assert_eq!(&*points.to_bytes(), data);
    }
    let _ = tacit_claim::OwnerKey::from_text(data);
});
