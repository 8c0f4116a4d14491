//! Cards: one spelling each, every field checked, every byte signed.

use serde_json::{Value, json};
use tacit_claim::testing::{bytes, card, commitment, owner, public_card, unsigned_card};
use tacit_claim::{
    Accuracy, Card, CardError, CardId, CardName, CardPoints, CardWeights, CertificateDigest, Commitments,
    EngineId, ModelId, Quantisation, SaltBytes, SumcheckParameters, UnsignedCard,
};
use tacit_model::testing::mlp;
use tacit_model::{Node, NodeId, Op, Operand};

fn value(card: &Card) -> Value {
    serde_json::from_slice(card.to_json()).expect("own JSON")
}

fn canonical(value: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("JSON")
}

/// Changes a card's JSON and has its own owner sign the result.
fn forged(edit: impl FnOnce(&mut Value)) -> Result<Card, CardError> {
    let mut value = value(&card(1));
    edit(&mut value);
    value.as_object_mut().expect("object").remove("signature");
    let signature = owner(1).sign("tacit/card/1", &canonical(&value));
    value["signature"] = hex_text(&signature.0).into();
    Card::from_json(&canonical(&value))
}

fn hex_text(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn round_trips() {
    for card in [card(1), public_card(2)] {
        assert_eq!(Card::from_json(card.to_json()), Ok(card.clone()));
        assert_eq!(card.id().to_string().parse::<CardId>(), Ok(card.id()));
        assert_eq!(card.architecture_digest(), card.architecture().digest());
        assert_eq!((card.output_len(), card.schema().features.len()), (2, 3));
    }
    assert!(forged(|_| ()).is_ok());
    assert_ne!(card(1).id(), card(2).id());
}

#[test]
fn identities_by_engine() {
    let card = card(1);
    let ids: Vec<_> = card.commitments().iter().map(|c| (c.engine, c.model_id)).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0].1, ids[1].1);
    assert_eq!(card.commitments().get(EngineId::Halo2).map(|c| c.version), Some(1));
    assert_eq!(card.unvouched().len(), 2);
}

#[test]
fn every_bit_counts() {
    for card in [card(1), public_card(1)] {
        let json = card.to_json();
        for at in 0..json.len() {
            for bit in 0..8 {
                let mut bad = json.to_vec();
                bad[at] ^= 1 << bit;
                assert!(Card::from_json(&bad).is_err(), "flipped bit {bit} of byte {at}");
            }
            assert!(Card::from_json(&json[..at]).is_err(), "cut at {at}");
        }
    }
}

#[test]
fn one_spelling() {
    let card = card(1);
    let text = std::str::from_utf8(card.to_json()).expect("UTF-8");
    let refused =
        |text: &str| assert_eq!(Card::from_json(text.as_bytes()), Err(CardError::NotCanonical), "{text}");
    refused(&serde_json::to_string_pretty(&value(&card)).expect("JSON"));
    refused(&format!("{text}\n"));
    refused(&format!(" {text}"));
    // The last key first.
    let (rest, weights) = text.rsplit_once(",\"weights\":").expect("the last key");
    refused(&format!("{{\"weights\":{},{}}}", weights.trim_end_matches('}'), &rest[1..]));
    refused(&text.replace("\"model 1\"", "\"mod\\u0065l 1\""));
    refused(&text.replace("\"unit\":null", "\"unit\":null ").replacen("null ", "null", 1));
    refused(&text.replace(",\"unit\":null", ""));
    refused(&text.replacen("\"commitments\":{", "\"commitments\":{ ", 1));
    // Upper-case hexadecimal.
    let digest = hex_text(&card.architecture_digest().0);
    refused(&text.replace(&digest, &digest.to_uppercase()));
    // A byte order mark, and a number in another form, are not even this JSON.
    for bad in [format!("\u{feff}{text}"), text.replace("\"lowering_version\":1", "\"lowering_version\":1.0")]
    {
        assert!(matches!(Card::from_json(bad.as_bytes()), Err(CardError::Json(_))));
    }
}

#[test]
fn unknown_and_duplicate_fields() {
    let text = String::from_utf8(card(1).to_json().to_vec()).expect("UTF-8");
    for (from, to) in [
        ("{\"architecture\":", "{\"anything\":1,\"architecture\":"),
        ("\"policy\":{", "\"policy\":{\"anything\":1,"),
        ("\"commitments\":{", "\"commitments\":{\"plonky\":{},"),
        ("\"halo2\":{", "\"halo2\":{\"anything\":1,"),
        ("\"schema\":{", "\"schema\":{\"anything\":1,"),
        ("\"name\":\"model 1\"", "\"name\":\"model 1\",\"name\":\"model 1\""),
        ("\"out_of_range\":\"refuse\"", "\"out_of_range\":\"refuse\",\"out_of_range\":\"refuse\""),
    ] {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        let bad = text.replacen(from, to, 1);
        assert!(matches!(Card::from_json(bad.as_bytes()), Err(CardError::Json(_))), "{to}");
    }
    // The same engine twice.
    let halo2 = value(&card(1))["commitments"]["halo2"].to_string();
    let bad = text.replacen("\"commitments\":{", &format!("\"commitments\":{{\"halo2\":{halo2},"), 1);
    assert!(matches!(Card::from_json(bad.as_bytes()), Err(CardError::Json(m)) if m.contains("duplicate")));
}

#[test]
fn public_salts_are_one_per_engine() {
    let text = String::from_utf8(public_card(1).to_json().to_vec()).expect("UTF-8");
    let bad = text.replacen("\"salts\":{", &format!("\"salts\":{{\"halo2\":\"{}\",", "00".repeat(32)), 1);
    assert_eq!(Card::from_json(bad.as_bytes()), Err(CardError::NotCanonical));
    let salts = |engines: &[EngineId]| CardWeights::Public {
        salts: engines.iter().map(|e| (*e, SaltBytes::new([1; 32]))).collect(),
    };
    let mut content = unsigned_card(mlp(&[3, 2], 8, 16, 1).architecture(), 1);
    content.weights = salts(&[EngineId::Halo2]);
    assert_eq!(Card::sign(content.clone(), &owner(1)), Err(CardError::PublicSalts));
    content.commitments.sumcheck = None;
    assert!(Card::sign(content.clone(), &owner(1)).is_ok());
    content.weights = salts(&EngineId::ALL);
    assert_eq!(Card::sign(content.clone(), &owner(1)), Err(CardError::PublicSalts));
    content.commitments = Commitments::default();
    assert_eq!(Card::sign(content, &owner(1)), Err(CardError::NoCommitment));
}

#[test]
fn every_field_is_checked_even_under_the_owners_signature() {
    use CardError as E;
    assert_eq!(forged(|v| v["format"] = "tacit.card/2".into()), Err(E::Format(Some("tacit.card/2".into()))));
    assert_eq!(forged(|v| v["format"] = 1.into()), Err(E::Format(None)));
    assert_eq!(
        forged(|v| v["lowering_version"] = 2.into()),
        Err(E::LoweringVersion { expected: 1, actual: 2 })
    );
    assert!(matches!(
        forged(|v| v["architecture_digest"] = hex_text(&bytes(9)).into()),
        Err(E::ArchitectureDigest { .. })
    ));
    // Another architecture under the old digest.
    assert!(matches!(
        forged(|v| v["architecture"]["output_exponent"] = 9.into()),
        Err(E::ArchitectureDigest { .. })
    ));
    assert!(matches!(
        forged(|v| v["architecture"]["input_shape"] = json!([4])),
        Err(E::Architecture(tacit_model::ArchitectureError::InputShape))
    ));
    let other_owner = owner(2).public();
    assert_eq!(
        forged(|v| v["owner"] = other_owner.to_string().into()),
        Err(E::Signature(other_owner.fingerprint()))
    );
    assert_eq!(
        forged(|v| v["quantisation"]["float_accuracy"]["correct"] = 361.into()),
        Err(E::Accuracy { correct: 361, samples: 360 })
    );
    assert_eq!(forged(|v| v["commitments"] = json!({})), Err(E::NoCommitment));
    for (edit, what) in [
        (json!({"name": "a\u{1b}[2J"}), "control character"),
        (json!({"name": ""}), "empty"),
        (json!({"owner": "00".repeat(32)}), "small order"),
        (json!({"owner": "zz"}), "64 hexadecimal digits"),
        (json!({"policy": {"out_of_range": "clip"}}), "unknown variant"),
        (json!({"weights": "public"}), ""),
        (json!({"weights": 1}), ""),
    ] {
        let error = forged(|v| {
            let edit = edit.as_object().expect("object");
            v.as_object_mut().expect("object").extend(edit.clone());
        });
        assert!(matches!(&error, Err(E::Json(m)) if m.contains(what)), "{edit}: {error:?}");
    }
    for field in value(&card(1)).as_object().expect("object").keys() {
        if field != "quantisation" && field != "signature" {
            assert!(forged(|v| drop(v.as_object_mut().expect("object").remove(field))).is_err(), "{field}");
        }
    }
}

#[test]
fn the_signature_covers_every_field() {
    let card = card(1);
    let edits: [fn(&mut Value); 5] = [
        |v| v["name"] = "model 2".into(),
        |v| v["commitments"]["halo2"]["version"] = 2.into(),
        |v| v["commitments"]["sumcheck"] = Value::Null,
        |v| drop(v.as_object_mut().map(|m| m.remove("quantisation"))),
        |v| v["quantisation"]["quantised_accuracy"]["correct"] = 360.into(),
    ];
    for edit in edits {
        let mut value = value(&card);
        edit(&mut value);
        if value["commitments"]["sumcheck"].is_null() {
            value["commitments"].as_object_mut().expect("object").remove("sumcheck");
        }
        let fingerprint = card.owner().fingerprint();
        assert_eq!(Card::from_json(&canonical(&value)), Err(CardError::Signature(fingerprint)));
    }
    let mut value = value(&card);
    value.as_object_mut().expect("object").remove("signature");
    assert_eq!(Card::from_json(&canonical(&value)), Err(CardError::Unsigned));
    // Somebody else's name on the same card, under his own signature, is another card.
    value["owner"] = owner(2).public().to_string().into();
    let signature = owner(2).sign("tacit/card/1", &canonical(&value));
    value["signature"] = hex_text(&signature.0).into();
    let copied = Card::from_json(&canonical(&value)).expect("his own card");
    assert_ne!(copied.id(), card.id());
}

#[test]
fn numbers_stay_exact() {
    let mut content = unsigned_card(mlp(&[3, 2], 8, 16, 1).architecture(), 1);
    let output = u32::try_from(content.architecture.nodes.len()).expect("few");
    let scaled = |coefficient: i64| Node {
        op: Op::Linear { terms: vec![(coefficient, Operand::Value(NodeId(output)))], offset: 0 },
    };
    content.architecture.nodes.push(scaled(1 << 40));
    let card = Card::sign(content.clone(), &owner(1)).expect("exact in a double");
    assert_eq!(card.architecture(), &content.architecture);
    // Zero times the largest offset: within the architecture's bounds, beyond a double.
    content.architecture.nodes.pop();
    let large = (1i64 << 59) + 1;
    content
        .architecture
        .nodes
        .push(Node { op: Op::Linear { terms: vec![(0, Operand::Value(NodeId(output)))], offset: large } });
    assert!(content.architecture.validate().is_ok());
    assert_eq!(Card::sign(content, &owner(1)), Err(CardError::Number(large.to_string())));
}

#[test]
fn hostile_numbers_are_refused_before_they_are_computed_with() {
    // Sixty-four of these would overflow the bounds' arithmetic.
    let error = forged(|v| {
        v["architecture"]["nodes"] = json!([
            {"op": {"linear": {"terms": vec![json!([-(1i64 << 62), {"value": 0}]); 64], "offset": 0}}}
        ]);
    });
    assert!(matches!(error, Err(CardError::Number(_))), "{error:?}");
    let error =
        forged(|v| v["quantisation"]["float_accuracy"] = json!({"correct": 0, "samples": 1u64 << 63}));
    assert_eq!(error, Err(CardError::Number("9223372036854776000".into())));
}

#[test]
fn size_and_depth_are_bounded() {
    assert_eq!(Card::from_json(&vec![b' '; (32 << 20) + 1]), Err(CardError::TooLarge((32 << 20) + 1)));
    for text in ["{\"a\":".repeat(100_000), format!("{{\"format\":{}", "[".repeat(100_000))] {
        assert!(matches!(Card::from_json(text.as_bytes()), Err(CardError::Json(_))));
    }
    let deep =
        format!("{{\"a\":{}1{},\"format\":\"tacit.card/1\"}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(Card::from_json(deep.as_bytes()), Err(CardError::Json(_))));
}

#[test]
fn quantisation_is_optional() {
    let mut content = unsigned_card(mlp(&[3, 2], 8, 16, 1).architecture(), 1);
    for quantisation in [
        None,
        Some(Quantisation::default()),
        Some(Quantisation {
            quantised_accuracy: Some(Accuracy { correct: 1, samples: 1 }),
            float_accuracy: None,
        }),
    ] {
        content.quantisation = quantisation;
        let card = Card::sign(content.clone(), &owner(1)).expect("optional");
        assert_eq!(card.quantisation(), quantisation);
    }
}

#[test]
fn errors_repeat_nothing_that_a_terminal_would_obey() {
    let bad = "{\"format\":\"\\u001b[2Jtacit\"}";
    let Err(error) = Card::from_json(bad.as_bytes()) else { panic!("accepted") };
    assert!(!error.to_string().contains('\u{1b}'), "{error}");
    let bad = "{\"format\":\"tacit.card/1\",\"\\u001b[2J\":1}";
    let Err(error) = Card::from_json(bad.as_bytes()) else { panic!("accepted") };
    assert!(matches!(error, CardError::Json(_)) && !error.to_string().contains('\u{1b}'), "{error}");
}

/// A card with a sumcheck commitment whose points and certificate it carries itself.
fn inline_card(points: Option<CardPoints>, certificate: CertificateDigest, owner_seed: u64) -> Card {
    let mut content = unsigned_card(mlp(&[3, 4, 2], 8, 16, 1).architecture(), 1);
    let sumcheck = content.commitments.sumcheck.as_mut().expect("for every engine");
    sumcheck.parameters = SumcheckParameters { certificate, points };
    Card::sign(content, &owner(owner_seed)).expect("keeps the rules")
}

#[test]
fn points_in_a_card_are_those_that_it_names() {
    let points = CardPoints::new(vec![7; 96], b"certificate".to_vec()).expect("short");
    let card = inline_card(Some(points.clone()), points.certificate_digest(), 1);
    let read = Card::from_json(card.to_json()).expect("own JSON");
    assert_eq!(read.inline_points(), Some(&points));
    assert_eq!(
        with_parameters(&read, |p| p["certificate"] = "00".repeat(32).into()),
        Err(CardError::Certificate)
    );
    for bad in ["", "AAAA", "VEFDSVRQVFM=", "not base64", "VEFDSVRQVFM"] {
        let refused = with_parameters(&read, |p| p["points"] = bad.into());
        assert!(matches!(refused, Err(CardError::Json(_))), "{bad}: {refused:?}");
    }
    assert!(matches!(with_parameters(&read, |p| p["points"] = Value::Null), Err(CardError::NotCanonical)));
}

/// Edits the sumcheck parameters and has the card's own owner sign the result.
fn with_parameters(card: &Card, edit: impl FnOnce(&mut Value)) -> Result<Card, CardError> {
    let mut value = value(card);
    edit(&mut value["commitments"]["sumcheck"]["parameters"]);
    value.as_object_mut().expect("object").remove("signature");
    let signature = owner(1).sign("tacit/card/1", &canonical(&value));
    value["signature"] = hex_text(&signature.0).into();
    Card::from_json(&canonical(&value))
}

#[test]
fn a_certificate_is_bound_to_everything_but_itself() {
    let points = CardPoints::new(vec![7; 96], b"certificate".to_vec()).expect("short");
    let base = inline_card(None, CertificateDigest([1; 32]), 1);
    let binding = base.certificate_binding();
    let content = unsigned_card(base.architecture(), 1);
    assert_eq!(content.certificate_binding(base.owner()), Ok(binding), "known before the card is made");
    // The certificate and where it lies are not bound: they follow from it.
    for other in [
        inline_card(None, CertificateDigest([2; 32]), 1),
        inline_card(Some(points.clone()), points.certificate_digest(), 1),
    ] {
        assert_ne!(other.id(), base.id());
        assert_eq!(other.certificate_binding(), binding);
    }
    // Owner, name, weights, architecture, other engines, openness are.
    assert_ne!(inline_card(None, CertificateDigest([1; 32]), 2).certificate_binding(), binding);
    let edits: &[&dyn Fn(&mut UnsignedCard)] = &[
        &|c| c.name = CardName::new("another").expect("short"),
        &|c| c.quantisation = None,
        &|c| c.commitments.halo2 = None,
        &|c| c.architecture = mlp(&[3, 5, 2], 8, 16, 1).architecture().clone(),
        &|c| c.weights = public_card(1).weights().clone(),
        &|c| c.commitments.sumcheck.as_mut().expect("there").weights = commitment(99),
        &|c| c.commitments.sumcheck.as_mut().expect("there").version = 2,
        &|c| c.commitments.sumcheck.as_mut().expect("there").model_id = ModelId(bytes(99)),
    ];
    for (i, edit) in edits.iter().enumerate() {
        let mut changed = unsigned_card(base.architecture(), 1);
        edit(&mut changed);
        assert_ne!(changed.certificate_binding(base.owner()), Ok(binding), "edit {i}");
    }
}
