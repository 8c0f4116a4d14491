//! Bytes that strangers wrote: every reader answers with a value or a typed error, and what it reads it writes again.

use proptest::prelude::*;
use tacit_claim::testing::{card, claim, commitment, owner, public_card};
use tacit_claim::{
    AccuracyClaim, AnswersClaim, Bundle, Card, CardId, CardPoints, Claim, ClaimDigest, ColumnName,
    Commitment, CommittedInput, Context, DataClaim, DatasetOpening, Disclosure, EngineId, Fingerprint,
    InputOpening, OutputOpening, OwnerKey, OwnerPublicKey, PredictionsClaim, ProofChunk, Requirement,
    SaltBytes, WeightsClaim, WeightsOpening, sniff,
};
use tacit_model::{DatasetDigest, ModelDigest};

/// Runs every reader; whatever is accepted has this one encoding.
fn read_all(bytes: &[u8]) {
    if let Ok(card) = Card::from_json(bytes) {
        assert_eq!(card.to_json(), bytes);
    }
    if let Ok(claim) = Claim::from_bytes(bytes) {
        assert_eq!(claim.to_bytes(), bytes);
    }
    if let Ok(bundle) = Bundle::from_bytes(bytes) {
        assert_eq!(bundle.to_bytes(), bytes);
        let _ = (bundle.claim().sentence(&card(1)), bundle.to_json());
    }
    if let Ok(disclosure) = Disclosure::from_bytes(bytes) {
        assert_eq!(disclosure.to_bytes(), bytes);
    }
    if let Ok(opening) = WeightsOpening::from_bytes(bytes) {
        assert_eq!(*opening.to_bytes(), bytes);
    }
    if let Ok(opening) = InputOpening::from_bytes(bytes) {
        assert_eq!(*opening.to_bytes(), bytes);
    }
    if let Ok(opening) = OutputOpening::from_bytes(bytes) {
        assert_eq!(*opening.to_bytes(), bytes);
    }
    if let Ok(opening) = DatasetOpening::from_bytes(bytes) {
        assert_eq!(*opening.to_bytes(), bytes);
    }
    if let Ok(chunk) = ProofChunk::from_bytes(bytes) {
        assert_eq!(*chunk.to_bytes(), bytes);
    }
    if let Ok(points) = CardPoints::from_bytes(bytes) {
        assert_eq!(points.to_bytes(), bytes);
    }
    if let Ok(key) = OwnerKey::from_text(bytes) {
        assert_eq!(key.to_text().as_bytes(), bytes);
    }
    let _ = sniff(bytes);
    let text = String::from_utf8_lossy(bytes);
    let _ = (text.parse::<CardId>(), text.parse::<Commitment>(), text.parse::<OwnerPublicKey>());
    for schema in [card(1).schema().clone(), tacit_model::testing::schema(2, 0)] {
        for requirement in Requirement::parse(&text, &schema, Some("site")).unwrap_or_default() {
            let again = requirement.text(&schema);
            assert_eq!(Requirement::parse(&again, &schema, None), Ok(vec![requirement]), "{again}");
        }
    }
    let _ = (text.parse::<Fingerprint>(), text.parse::<EngineId>(), Context::new(text));
}

/// One valid file of each kind.
fn valid_files() -> Vec<Vec<u8>> {
    let card = card(1);
    let claim = claim(&card, EngineId::Halo2, 1);
    let salts = EngineId::ALL.into_iter().map(|e| (e, SaltBytes::new([7; 32])));
    let committed = salts.clone().map(|(e, salt)| (e, CommittedInput { salt, commitment: commitment(3) }));
    let opening = WeightsOpening {
        card_id: card.id(),
        architecture_digest: card.architecture_digest(),
        model_digest: ModelDigest([3; 32]),
        salts: salts.collect(),
    };
    let input = InputOpening {
        card_id: card.id(),
        schema_digest: card.schema_digest(),
        record: vec![1, -2, 3],
        commitments: committed.collect(),
    };
    let salt = SaltBytes::new([7; 32]);
    let output = OutputOpening { claim: ClaimDigest([4; 32]), values: vec![-5, 6], salt };
    assert_eq!(opening.check_against(&card), Ok(()));
    assert_eq!(input.check_against(&card, EngineId::Halo2), Ok(()));
    let dataset = DatasetOpening {
        card_id: card.id(),
        dataset_digest: DatasetDigest([8; 32]),
        commitments: input.commitments.clone(),
    };
    let requirements =
        Requirement::parse("recall[class 1] >= 0.9 by site", card.schema(), None).expect("one");
    let accuracy = AccuracyClaim {
        samples: 5,
        data: DataClaim::Public {
            digest: DatasetDigest([8; 32]),
            labels: ColumnName::new("y").expect("a name"),
        },
        requirements,
        chunks: 2,
        weights: WeightsClaim::Hidden,
    };
    let accuracy = Claim::new(&card, EngineId::Sumcheck, accuracy, Context::default()).expect("fits");
    let answers = AnswersClaim::Classes { indices: vec![0, 1, 1] };
    let digest = DatasetDigest([8; 32]);
    let predictions = PredictionsClaim { samples: 3, digest, answers, weights: WeightsClaim::Hidden };
    let predictions = Claim::new(&card, EngineId::Halo2, predictions, Context::default()).expect("fits");
    let chunk = ProofChunk {
        claim: accuracy.clone(),
        index: 1,
        proof: vec![1, 2, 3],
        secret: zeroize::Zeroizing::new(vec![4, 5]),
    };
    let disclosure = Disclosure {
        bundle: Bundle::new(claim.clone(), vec![9; 50]).expect("short"),
        card: card.clone(),
        points: Some(CardPoints::new(vec![7; 64], vec![8; 20]).expect("short")),
    };
    let without_points = Disclosure { points: None, ..disclosure.clone() };
    vec![
        disclosure.to_bytes(),
        without_points.to_bytes(),
        accuracy.to_bytes(),
        Bundle::new(predictions, vec![9; 50]).expect("short").to_bytes(),
        chunk.to_bytes().to_vec(),
        dataset.to_bytes().to_vec(),
        card.to_json().to_vec(),
        public_card(1).to_json().to_vec(),
        claim.to_bytes(),
        Bundle::new(claim, vec![9; 50]).expect("short").to_bytes(),
        opening.to_bytes().to_vec(),
        input.to_bytes().to_vec(),
        output.to_bytes().to_vec(),
        CardPoints::new(vec![7; 64], vec![8; 20]).expect("short").to_bytes(),
        owner(1).to_text().as_bytes().to_vec(),
    ]
}

#[test]
fn disclosures_round_trip_and_refuse_damage() {
    for file in &valid_files()[..2] {
        assert_eq!(Disclosure::from_bytes(file).expect("valid").to_bytes(), *file);
        for at in 0..file.len() {
            assert!(Disclosure::from_bytes(&file[..at]).is_err(), "cut at {at}");
            let mut bad = file.clone();
            bad[at] ^= 1;
            read_all(&bad);
        }
        assert!(Disclosure::from_bytes(&[&file[..], &[0]].concat()).is_err());
        // A part that is announced to be longer than any.
        let mut bad = file.clone();
        bad[10..14].copy_from_slice(&[0xff; 4]);
        assert!(Disclosure::from_bytes(&bad).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        read_all(&bytes);
    }

    #[test]
    fn random_bytes_behind_a_beginning(
        which in 0usize..15,
        keep in 0usize..200,
        tail in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let file = &valid_files()[which];
        read_all(&[&file[..keep.min(file.len())], &tail].concat());
    }

    #[test]
    fn spliced_files(
        which in 0usize..15,
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
        new in proptest::collection::vec(any::<u8>(), 0..9),
    ) {
        let file = &valid_files()[which];
        let (a, b) = (from.index(file.len()), to.index(file.len()));
        read_all(&[&file[..a.min(b)], &new, &file[a.max(b)..]].concat());
    }

    /// What people may write as a requirement: pieces of the grammar in any order.
    #[test]
    fn requirements_of_any_pieces(pieces in proptest::collection::vec(prop::sample::select(vec![
        "recall", "top", "gap(", ")", "[", "]", "class 1", "3", " ", ">=", "<=", "0.9", "1", "95%", "1/2", " by ", "site",
        "equalised_odds", "accuracy", "mae", "balanced_accuracy", "\"", "«", "»", "\u{202e}", "e9", "-1", "/0",
    ]), 0..12)) {
        read_all(pieces.concat().as_bytes());
    }

    #[test]
    fn random_secrets_behind_a_valid_checksum(
        head in prop::sample::select(vec![b"TACITOPN\x02\0", b"TACITINP\x01\0", b"TACITOUT\x01\0", b"TACITDAT\x01\0"]),
        body in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        use sha2::Digest as _;
        read_all(&[&head[..], &sha2::Sha256::digest(&body), &body].concat());
    }

    #[test]
    fn records_of_any_integers_survive(record in proptest::collection::vec(any::<i64>(), 0..100)) {
        let opening = InputOpening {
            card_id: CardId([0; 32]),
            schema_digest: card(1).schema_digest(),
            record,
            commitments: Default::default(),
        };
        prop_assert_eq!(InputOpening::from_bytes(&opening.to_bytes()), Ok(opening));
    }
}

#[test]
fn no_secret_in_debug_or_errors() {
    let salt = SaltBytes::new([0xc5; 32]);
    let shown = format!("{salt:?} {:?} {:?}", owner(1), public_card(1));
    assert!(!shown.contains("c5c5") && !shown.contains("197, 197"), "{shown}");
    let secret = owner(1).to_text();
    let line = secret.lines().nth(2).expect("the secret's line").strip_prefix("secret ").expect("secret");
    assert!(!format!("{:?} {:#?}", owner(1), owner(1)).contains(&line[..8]));
    for at in 0..secret.len() {
        let mut bad = secret.as_bytes().to_vec();
        bad[at] ^= 2;
        if let Err(error) = OwnerKey::from_text(&bad) {
            assert!(!format!("{error} {error:?}").contains(&line[8..16]));
        }
    }
}
