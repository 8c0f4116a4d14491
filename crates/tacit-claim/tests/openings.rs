//! Openings and the cards they belong to; kinds of files.

use tacit_claim::testing::{card, claim, commitment, owner, public_card, sign, unsigned_card};
use tacit_claim::{
    Bundle, CardPoints, ClaimDigest, CommittedInput, EngineId, FileKind, InputOpening, OpeningMismatch,
    OutputOpening, RecordError, SaltBytes, WeightsOpening, sniff,
};
use tacit_model::ModelDigest;
use tacit_model::testing::{mlp, record, small_mlp};

fn salts(engines: &[EngineId]) -> std::collections::BTreeMap<EngineId, SaltBytes> {
    engines.iter().map(|e| (*e, SaltBytes::new([7; 32]))).collect()
}

fn input(card: &tacit_claim::Card, engines: &[EngineId]) -> InputOpening {
    InputOpening {
        card_id: card.id(),
        schema_digest: card.schema_digest(),
        record: record(card.architecture(), 1),
        commitments: salts(engines)
            .into_iter()
            .map(|(e, salt)| (e, CommittedInput { salt, commitment: commitment(1) }))
            .collect(),
    }
}

#[test]
fn a_weights_opening_belongs_to_one_card() {
    use OpeningMismatch as M;
    let (card, other) = (card(1), card(2));
    let mut opening = WeightsOpening {
        card_id: card.id(),
        architecture_digest: card.architecture_digest(),
        model_digest: ModelDigest([3; 32]),
        salts: salts(&EngineId::ALL),
    };
    assert_eq!(opening.check_against(&card), Ok(()));
    assert_eq!(opening.check_against(&other), Err(M::OtherCard { expected: other.id(), actual: card.id() }));
    opening.salts = salts(&[EngineId::Halo2]);
    assert_eq!(opening.check_against(&card), Err(M::Engine { engine: EngineId::Sumcheck }));
}

#[test]
fn an_input_opening_serves_every_card_with_its_schema() {
    use OpeningMismatch as M;
    let (a, b) = (card(1), public_card(2));
    let opening = input(&a, &[EngineId::Halo2]);
    for card in [&a, &b] {
        assert_eq!(opening.check_against(card, EngineId::Halo2), Ok(()));
        assert_eq!(
            opening.check_against(card, EngineId::Sumcheck),
            Err(M::Engine { engine: EngineId::Sumcheck })
        );
    }
    let wider = sign(unsigned_card(mlp(&[4, 2], 8, 16, 1).architecture(), 1), 1);
    assert!(matches!(opening.check_against(&wider, EngineId::Halo2), Err(M::OtherSchema { .. })));
    let mut outside = opening.clone();
    outside.record[0] = 901;
    assert!(matches!(
        outside.check_against(&a, EngineId::Halo2),
        Err(M::Record(RecordError::Range { feature, .. })) if feature == "x0"
    ));
}

#[test]
fn kinds_of_files() {
    let card = card(1);
    let schema = serde_json::to_vec_pretty(card.schema()).expect("JSON");
    let pretty: serde_json::Value = serde_json::from_slice(card.to_json()).expect("JSON");
    let weights = WeightsOpening {
        card_id: card.id(),
        architecture_digest: card.architecture_digest(),
        model_digest: ModelDigest([3; 32]),
        salts: salts(&EngineId::ALL),
    };
    let bundle = Bundle::new(claim(&card, EngineId::Halo2, 1), vec![1]).expect("short");
    let onnx = [&[0x08, 0x08, 0x12, 0x07][..], b"pytorch"].concat();
    let key = owner(1).to_text();
    let answer =
        OutputOpening { claim: ClaimDigest([1; 32]), values: vec![1], salt: SaltBytes::new([7; 32]) };
    let points = CardPoints::new(vec![1], vec![2]).expect("short");
    let files: [(&[u8], FileKind); 23] = [
        (&small_mlp(1).to_bytes(), FileKind::Model),
        (card.to_json(), FileKind::Card),
        (&serde_json::to_vec_pretty(&pretty).expect("JSON"), FileKind::Card),
        (b"{\"format\":\"tacit.card/2\"}", FileKind::Card),
        (&bundle.to_bytes(), FileKind::Proof),
        (&weights.to_bytes(), FileKind::WeightsOpening),
        (&input(&card, &EngineId::ALL).to_bytes(), FileKind::InputOpening),
        (&answer.to_bytes(), FileKind::OutputOpening),
        (&points.to_bytes(), FileKind::CardPoints),
        (key.as_bytes(), FileKind::OwnerKey),
        (&schema, FileKind::Schema),
        (b"ptau\x01\0\0\0", FileKind::Srs),
        (&onnx, FileKind::Onnx),
        (b"{\"format\":\"tacit.competition/1\"}", FileKind::Competition),
        (b"{\"format\":\"tacit.competition-receipt/2\"}", FileKind::CompetitionReceipt),
        (b"{\"format\":\"tacit.competition-seal/1\"}", FileKind::CompetitionSeal),
        (b"{\"payloadType\":\"application/vnd.in-toto+json\"}", FileKind::Verdict),
        (b"{\"payloadType\":\"text/plain\"}", FileKind::Unknown),
        (b"", FileKind::Unknown),
        (b"TACIT", FileKind::Unknown),
        (b"{}", FileKind::Unknown),
        (b"{\"format\":[[1]]}", FileKind::Unknown),
        (b"a,b,c\n1,2,3\n", FileKind::Unknown),
    ];
    for (bytes, kind) in files {
        assert_eq!(sniff(bytes), kind, "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)]));
    }
    assert!(FileKind::OwnerKey.is_secret() && FileKind::OutputOpening.is_secret());
    assert!(FileKind::CompetitionSeal.is_secret() && !FileKind::CompetitionReceipt.is_secret());
    assert!(!FileKind::Card.is_secret() && !FileKind::CardPoints.is_secret());
}
