//! Claims and proof files: what is bound, what is refused, what people read.

use tacit_claim::testing::{card, claim, commitment, public_card, sign, unsigned_card};
use tacit_claim::{
    Bundle, BundleError, Card, Claim, ClaimError, ClaimKind, ClaimMismatch, Context, EncodingError, EngineId,
    Inference, InputClaim, OutputClaim, RecordError, WeightsClaim,
};
use tacit_model::testing::{mlp, record};
use tacit_model::{ArchitectureDigest, OutputScale};

fn inference(input: InputClaim, output: OutputClaim, weights: WeightsClaim) -> Inference {
    Inference { input, output, weights }
}

fn hidden_input() -> InputClaim {
    InputClaim::Hidden { commitment: commitment(7) }
}

fn answer(values: &[i64]) -> OutputClaim {
    OutputClaim::Public { values: values.to_vec() }
}

fn kind(claim: &mut Claim) -> &mut Inference {
    match &mut claim.kind {
        ClaimKind::Inference(inference) => inference,
        other => panic!("no inference: {other:?}"),
    }
}

#[test]
fn round_trips() {
    let card = public_card(1);
    let record = record(card.architecture(), 1);
    for engine in EngineId::ALL {
        for input in [hidden_input(), InputClaim::Revealed { record: record.clone() }] {
            for output in [answer(&[-32768, 32767]), OutputClaim::Hidden { commitment: commitment(8) }] {
                for weights in [WeightsClaim::Hidden, WeightsClaim::Revealed] {
                    let inference = inference(input.clone(), output.clone(), weights);
                    let claim = Claim::new(&card, engine, inference, Context::default()).expect("fits");
                    assert_eq!(Claim::from_bytes(&claim.to_bytes()).as_ref(), Ok(&claim));
                    let bundle = Bundle::new(claim, vec![1, 2, 3]).expect("short");
                    assert_eq!(Bundle::from_bytes(&bundle.to_bytes()), Ok(bundle));
                }
            }
        }
    }
}

#[test]
fn the_digest_binds_every_field() {
    let (card, other) = (card(1), card(2));
    let base = claim(&card, EngineId::Halo2, 1);
    let edits: [&dyn Fn(&mut Claim); 11] = [
        &|_| (),
        &|c| c.engine = EngineId::Sumcheck,
        &|c| c.card_id = other.id(),
        &|c| c.architecture_digest = ArchitectureDigest([0; 32]),
        &|c| c.context = Context::new("another").expect("short"),
        &|c| c.context = Context::default(),
        &|c| kind(c).input = InputClaim::Hidden { commitment: commitment(99) },
        &|c| kind(c).input = InputClaim::Revealed { record: vec![0, 0, 0] },
        &|c| kind(c).output = answer(&[1, 2]),
        &|c| kind(c).output = OutputClaim::Hidden { commitment: commitment(1) },
        &|c| kind(c).weights = WeightsClaim::Revealed,
    ];
    let mut digests: Vec<_> = edits
        .iter()
        .map(|edit| {
            let mut claim = base.clone();
            edit(&mut claim);
            claim.digest().0
        })
        .collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), edits.len());
}

#[test]
fn a_changed_file_is_refused_or_another() {
    let card = public_card(1);
    let revealed = inference(
        InputClaim::Revealed { record: record(card.architecture(), 1) },
        answer(&[-5, 6]),
        WeightsClaim::Revealed,
    );
    let revealed = Claim::new(&card, EngineId::Sumcheck, revealed, Context::default()).expect("fits");
    for claim in [claim(&card, EngineId::Halo2, 1), revealed] {
        let claim_len = claim.to_bytes().len();
        let digest = claim.digest();
        let bundle = Bundle::new(claim, (0..100).collect()).expect("short");
        let bytes = bundle.to_bytes();
        let claim_at = 14..14 + claim_len;
        let proof_at = claim_at.end + 4..bytes.len();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bad = bytes.clone();
                bad[at] ^= 1 << bit;
                let Ok(read) = Bundle::from_bytes(&bad) else { continue };
                assert_eq!(read.to_bytes(), bad, "a second encoding: bit {bit} of byte {at}");
                if claim_at.contains(&at) {
                    assert_ne!(read.claim().digest(), digest, "bit {bit} of byte {at}");
                } else {
                    assert!(proof_at.contains(&at), "bit {bit} of byte {at} was read");
                    assert_ne!(read.proof(), bundle.proof());
                }
            }
            assert!(Bundle::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
        }
        let long = [&bytes[..], &[0]].concat();
        assert_eq!(Bundle::from_bytes(&long), Err(BundleError::Trailing(1)));
    }
}

#[test]
fn lengths_and_versions_are_checked_first() {
    let claim = claim(&card(1), EngineId::Halo2, 1);
    let claim_len = claim.to_bytes().len();
    let bytes = Bundle::new(claim.clone(), vec![1]).expect("short").to_bytes();
    let with = |at: usize, new: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        Bundle::from_bytes(&bytes)
    };
    assert_eq!(with(0, b"X"), Err(BundleError::Magic));
    assert_eq!(with(8, &[2, 0]), Err(BundleError::Version { expected: 1, actual: 2 }));
    let huge = u32::MAX.to_le_bytes();
    assert!(matches!(with(10, &huge), Err(BundleError::Claim(ClaimError::TooLarge { .. }))));
    assert!(matches!(with(14 + claim_len, &huge), Err(BundleError::ProofLength { .. })));
    assert_eq!(with(14 + claim_len, &[2]), Err(BundleError::Truncated));
    assert!(matches!(with(14 + claim_len, &[0]), Err(BundleError::ProofLength { actual: 0, .. })));
    assert_eq!(with(14, &[2]), Err(BundleError::Claim(ClaimError::Version { expected: 1, actual: 2 })));
    assert!(matches!(Bundle::new(claim.clone(), Vec::new()), Err(BundleError::ProofLength { .. })));
    let mut long = claim;
    kind(&mut long).output = answer(&vec![0; Claim::MAX_VALUES + 1]);
    assert!(matches!(Bundle::new(long.clone(), vec![1]), Err(BundleError::Claim(ClaimError::Values { .. }))));
    assert!(Claim::from_bytes(&long.to_bytes()).is_err());
}

#[test]
fn attestations_wait_for_a_later_version() {
    let claim = claim(&card(1), EngineId::Halo2, 1);
    let mut bytes = claim.to_bytes();
    assert_eq!(bytes.pop(), Some(0), "an empty list ends the encoding");
    for bad in [vec![1], vec![1, 0], vec![0x80, 0x00], vec![0, 0]] {
        let error = Claim::from_bytes(&[&bytes[..], &bad].concat());
        assert!(matches!(error, Err(ClaimError::Encoding(_))), "{error:?}");
    }
    let overlong = Claim::from_bytes(&[&bytes[..], &[0x80, 0x00]].concat());
    assert_eq!(overlong, Err(ClaimError::Encoding(EncodingError::NotCanonical)));
}

#[test]
fn claims_fit_their_card() {
    use ClaimMismatch as M;
    let (card, other, public) = (card(1), card(2), public_card(1));
    let base = claim(&card, EngineId::Halo2, 1);
    assert_eq!(base.check_against(&card), Ok(()));
    let mismatch = base.check_against(&other).expect_err("another card");
    assert!(mismatch.is_other_card());
    assert_eq!(mismatch, M::OtherCard { expected: other.id(), actual: card.id() });

    let check = |card: &Card, edit: &dyn Fn(&mut Claim)| {
        let mut claim = claim(card, EngineId::Halo2, 1);
        edit(&mut claim);
        let result = claim.check_against(card);
        assert!(!result.as_ref().is_err_and(M::is_other_card));
        result
    };
    assert!(matches!(
        check(&card, &|c| c.architecture_digest = ArchitectureDigest([0; 32])),
        Err(M::ArchitectureDigest { .. })
    ));
    assert_eq!(
        check(&card, &|c| kind(c).output = answer(&[1])),
        Err(M::OutputLength { expected: 2, samples: 1, actual: 1 })
    );
    let bounds = card.output_bounds();
    assert_eq!(check(&card, &|c| kind(c).output = answer(&[bounds.lo, bounds.hi])), Ok(()));
    for value in [bounds.lo - 1, bounds.hi + 1, i64::MIN, i64::MAX] {
        assert_eq!(
            check(&card, &|c| kind(c).output = answer(&[0, value])),
            Err(M::OutputBounds { index: 1, value, bounds })
        );
    }
    let revealed = |record: Vec<i64>| {
        move |c: &mut Claim| kind(c).input = InputClaim::Revealed { record: record.clone() }
    };
    let record = record(card.architecture(), 1);
    assert_eq!(check(&card, &revealed(record.clone())), Ok(()));
    assert_eq!(
        check(&card, &revealed(record[1..].to_vec())),
        Err(M::Record(RecordError::Length { expected: 3, actual: 2 }))
    );
    let mut outside = record;
    outside[1] = card.schema().features[1].max + 1;
    assert_eq!(
        check(&card, &revealed(outside)),
        Err(M::Record(RecordError::Range {
            feature: "x1".into(),
            value: "93.8".into(),
            range: "[-11.0, 93.7]".into()
        }))
    );
    let reveal: &dyn Fn(&mut Claim) = &|c| kind(c).weights = WeightsClaim::Revealed;
    assert_eq!(check(&card, reveal), Err(M::WeightsHidden));
    assert_eq!(check(&public, reveal), Ok(()));

    let mut content = unsigned_card(mlp(&[3, 2], 8, 16, 1).architecture(), 1);
    content.commitments.sumcheck = None;
    let halo2_only = sign(content, 1);
    let inference = inference(hidden_input(), answer(&[0, 0]), WeightsClaim::Hidden);
    let error = Claim::new(&halo2_only, EngineId::Sumcheck, inference, Context::default());
    assert_eq!(error, Err(M::Engine { engine: EngineId::Sumcheck, card: vec![EngineId::Halo2] }));
}

#[test]
fn reads_as_a_sentence() {
    let card = card(1);
    let owner = card.owner().fingerprint();
    let inference = inference(hidden_input(), answer(&[-822, 1285]), WeightsClaim::Hidden);
    let context = Context::new("cup 7 » round 2").expect("short");
    let claim = Claim::new(&card, EngineId::Halo2, inference, context).expect("fits");
    assert_eq!(
        claim.sentence(&card).expect("fits"),
        format!(
            "The model of card {} («model 1», owner {owner}), run on the record committed to as {}, answers: class \
             class 1 (logits -3.211, 5.020). Made for «cup 7 \\u{{bb}} round 2».",
            card.id().short(),
            commitment(7).short(),
        )
    );
    assert_eq!(claim.hidden(&card), ["weights", "input"]);
    assert_eq!(claim.unvouched(), ["record attested by: nobody"]);
    assert_eq!(claim.output_values(), Some(&[-822, 1285][..]));
    assert_eq!(claim.input_commitment(), Some(&commitment(7)));
    assert!(claim.sentence(&self::card(2)).is_err_and(|e| e.is_other_card()));
}

#[test]
fn reads_as_a_sentence_when_all_is_open() {
    let card = public_card(1);
    let owner = card.owner().fingerprint();
    let inference = inference(
        InputClaim::Revealed { record: vec![-100, 937, 0] },
        OutputClaim::Hidden { commitment: commitment(8) },
        WeightsClaim::Revealed,
    );
    let claim = Claim::new(&card, EngineId::Halo2, inference, Context::default()).expect("fits");
    assert_eq!(
        claim.sentence(&card).expect("fits"),
        format!(
            "The model of card {} («model 1», owner {owner}), with public weights, run on the record (x0 -100, x1 \
             93.7, x2 0.00), gives the answer committed to as {}.",
            card.id().short(),
            commitment(8).short(),
        )
    );
    assert_eq!(claim.hidden(&card), ["output"]);
}

/// The part of the sentence after "answers: ".
fn answer_of(scale: OutputScale, classes: usize, values: &[i64]) -> String {
    let mut content = unsigned_card(mlp(&[3, values.len()], 8, 16, 1).architecture(), 1);
    content.architecture.output_scale = scale;
    content.architecture.schema.classes.truncate(classes);
    for (class, name) in content.architecture.schema.classes.iter_mut().zip(["benign", "not. \u{1b}benign"]) {
        class.name = name.to_owned();
    }
    let card = sign(content, 1);
    let inference = inference(hidden_input(), answer(values), WeightsClaim::Hidden);
    let claim = Claim::new(&card, EngineId::Halo2, inference, Context::default()).expect("fits");
    let sentence = claim.sentence(&card).expect("fits");
    sentence.split_once("answers: ").expect("an answer").1.to_owned()
}

#[test]
fn answers_say_what_they_are() {
    use OutputScale as S;
    assert_eq!(answer_of(S::Plain, 0, &[384]), "value 1.500.");
    assert_eq!(answer_of(S::Plain, 2, &[384]), "class «not. \\u{1b}benign» (logit 1.500).");
    assert_eq!(answer_of(S::Plain, 2, &[0]), "class benign (logit 0.000).");
    assert_eq!(answer_of(S::Plain, 2, &[5, 5]), "class benign (logits 0.020, 0.020).");
    assert_eq!(
        answer_of(S::SoftmaxLogits, 2, &[512, 0]),
        "class benign (logits 2.000, 0.000). The claim is about the logits; the probabilities computed from them are \
         0.8808, 0.1192."
    );
    assert_eq!(
        answer_of(S::SigmoidLogit, 2, &[-256]),
        "class benign (logit -1.000). The claim is about the logit; the probability computed from it is 0.2689."
    );
    let many = answer_of(S::Plain, 0, &[0; 20]);
    assert!(many.ends_with("0.000 and 4 more."), "{many}");
}

#[test]
fn json_for_people() {
    let card = card(1);
    let claim = claim(&card, EngineId::Halo2, 1);
    let bundle = Bundle::new(claim.clone(), vec![1, 2, 3]).expect("short");
    let json = bundle.to_json();
    assert_eq!(json["format"], "tacit.proof/1");
    assert_eq!(json["claim"]["version"], 1);
    assert_eq!(json["claim"]["engine"], "halo2");
    assert_eq!(json["claim"]["card_id"], card.id().to_string());
    assert_eq!(json["claim"]["context"], "test 1");
    assert_eq!(json["claim"]["attestations"], serde_json::json!([]));
    let inference = &json["claim"]["kind"]["inference"];
    assert_eq!(inference["input"]["hidden"]["commitment"], commitment(1).to_string());
    assert_eq!(inference["output"]["public"]["values"], serde_json::json!(claim.output_values()));
    assert_eq!(inference["weights"], "hidden");
    assert_eq!(json["claim_digest"], claim.digest().to_string());
    assert_eq!(json["proof"]["bytes"], 3);
}
