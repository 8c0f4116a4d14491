//! Files as they were first written: they keep being read, their ids stay what they are.
//!
//! `TACIT_REGENERATE_FIXTURES=1` writes them anew; a difference then is a new version of a format.

use std::path::PathBuf;

use tacit_claim::testing::{bytes, commitment, owner, sign, unsigned_card};
use tacit_claim::{
    Bundle, Card, CardName, CardPoints, Claim, CommittedInput, Context, EngineId, Inference, InputClaim,
    InputOpening, OpeningError, OutputClaim, OwnerKey, SaltBytes, WeightsClaim, WeightsOpening,
};
use tacit_model::testing::mlp;
use tacit_model::{Class, Feature, ModelDigest, OutputScale};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn feature(name: &str, unit: &str, code: Option<&str>) -> Feature {
    Feature {
        name: name.to_owned(),
        decimals: 2,
        min: -50,
        max: 4000,
        unit: Some(unit.to_owned()),
        code: code.map(str::to_owned),
        system: code.map(|_| "http://loinc.org".to_owned()),
    }
}

fn make_card() -> Card {
    let mut content = unsigned_card(mlp(&[3, 4, 2], 8, 16, 1).architecture(), 1);
    content.name = CardName::new("Brustkrebs, «größer» \"v1\"").expect("short");
    let schema = &mut content.architecture.schema;
    schema.features = vec![
        feature("radius", "mm", None),
        feature("glucose", "mg/dL", Some("2345-7")),
        feature("𝛼", "µm", None),
    ];
    schema.classes = ["benign", "malignant"].map(|name| Class { name: name.to_owned() }).to_vec();
    content.architecture.output_scale = OutputScale::SoftmaxLogits;
    sign(content, 1)
}

fn make_files() -> Vec<(&'static str, Vec<u8>)> {
    let card = make_card();
    let inference = Inference {
        input: InputClaim::Hidden { commitment: commitment(1) },
        output: OutputClaim::Public { values: vec![-822, 1285] },
        weights: WeightsClaim::Hidden,
    };
    let context = Context::new("cup 7, round 2").expect("short");
    let claim = Claim::new(&card, EngineId::Halo2, inference, context).expect("fits");
    let salt = |n| SaltBytes::new(bytes(n));
    let salts = [(EngineId::Sumcheck, salt(1)), (EngineId::Halo2, salt(2))];
    let opening = WeightsOpening {
        card_id: card.id(),
        architecture_digest: card.architecture_digest(),
        model_digest: ModelDigest(bytes(3)),
        salts: salts.clone().into(),
    };
    let input = InputOpening {
        card_id: card.id(),
        schema_digest: card.schema_digest(),
        record: vec![-50, 1799, 4000],
        commitments: salts.map(|(e, salt)| (e, CommittedInput { salt, commitment: commitment(1) })).into(),
    };
    vec![
        ("card.json", card.to_json().to_vec()),
        ("card.points", CardPoints::new(vec![5; 96], bytes(4).to_vec()).expect("short").to_bytes()),
        ("inference.proof", Bundle::new(claim, b"not a proof".to_vec()).expect("short").to_bytes()),
        ("opening.secret", opening.to_bytes().to_vec()),
        ("input.secret", input.to_bytes().to_vec()),
        ("owner.key", owner(1).to_text().as_bytes().to_vec()),
    ]
}

/// The ids and digests that must not drift.
fn pins(read: impl Fn(&str) -> Vec<u8>) -> String {
    let card = Card::from_json(&read("card.json")).expect("card");
    let bundle = Bundle::from_bytes(&read("inference.proof")).expect("proof");
    let opening = WeightsOpening::from_bytes(&read("opening.secret")).expect("opening");
    let input = InputOpening::from_bytes(&read("input.secret")).expect("input opening");
    let points = CardPoints::from_bytes(&read("card.points")).expect("points");
    let key = OwnerKey::from_text(&read("owner.key")).expect("key");
    assert_eq!(bundle.claim().check_against(&card), Ok(()));
    assert_eq!(opening.check_against(&card), Ok(()));
    assert_eq!(input.check_against(&card, EngineId::Halo2), Ok(()));
    assert_eq!(&key.public(), card.owner());
    format!(
        "card {}\ncertificate binding {}\ncertificate {}\nschema {}\nclaim {}\nowner {}\nsentence {}\n",
        card.id(),
        hex_text(&card.certificate_binding()),
        points.certificate_digest(),
        card.schema_digest(),
        bundle.claim().digest(),
        card.owner().fingerprint(),
        bundle.claim().sentence(&card).expect("fits"),
    )
}

fn hex_text(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Files of versions that are read no more keep being refused as such.
#[test]
fn old_versions_are_named() {
    let read = |name: &str| std::fs::read(path(name)).expect("the fixture is in the repository");
    assert_eq!(
        WeightsOpening::from_bytes(&read("opening-v1.secret")),
        Err(OpeningError::Version { file: "opening", expected: 2, actual: 1 })
    );
}

#[test]
fn fixtures_keep_being_read_and_written() {
    if std::env::var_os("TACIT_REGENERATE_FIXTURES").is_some_and(|v| v == "1") {
        let files = make_files();
        let read = |name: &str| files.iter().find(|(n, _)| *n == name).expect("a fixture").1.clone();
        std::fs::write(path("pins.txt"), pins(read)).expect("writable");
        for (name, bytes) in &files {
            std::fs::write(path(name), bytes).expect("writable");
        }
    }
    let read = |name: &str| std::fs::read(path(name)).expect("the fixture is in the repository");
    assert_eq!(pins(read), String::from_utf8(read("pins.txt")).expect("UTF-8"));
    for (name, bytes) in make_files() {
        assert!(read(name) == bytes, "{name} would be written differently today");
    }
}
