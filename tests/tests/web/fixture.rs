//! Real cards and proofs about the bundled medical model, as files.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rand_core::OsRng;
use tacit_claim::{
    Bundle, Card, CardName, Claim, ClaimKind, Context, Disclosure, EngineId, OwnerKey, Requirement,
};
use tacit_core::{
    CommitRequest, Committed, DataFolder, ProveInference, Proved, Record, Required, Shown, Silent,
    TestSetProof, commit, prove_accuracy, prove_inference,
};
use tacit_data::{Format, Table, parse_schema};
use tacit_model::{Model, Schema};
use tacit_onnx::{QuantiseOptions, quantise};
use tempfile::TempDir;

use crate::relay::Published;

macro_rules! bundled {
    ($path:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../", $path))
    };
}

const TEST: &[u8] = bundled!("datasets/breast-cancer-wisconsin/test.csv");
/// What the proof about a record was made for.
pub(crate) const CONTEXT: &str = "second opinion, November";
/// A name that would be markup if it were taken for any.
pub(crate) const NAME: &str = "breast mass <img src=x onerror=alert(1)> diagnosis";

/// Cards, and a folder of files about them.
pub(crate) struct Fixture {
    folder: TempDir,
    pub(crate) card: Published,
    /// The same model, committed to by somebody else.
    pub(crate) other: Published,
    pub(crate) answer: String,
}

impl Fixture {
    /// Made once for all tests.
    pub(crate) fn get() -> &'static Self {
        static FIXTURE: OnceLock<Fixture> = OnceLock::new();
        FIXTURE.get_or_init(Self::make)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        assert!(path.is_file(), "there is no {name}");
        path
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).expect("it was written")
    }

    fn make() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataFolder::new(folder.path().join("data"));
        let schema = parse_schema(bundled!("datasets/breast-cancer-wisconsin/schema.json"), "schema.json")
            .expect("a schema");
        let model = model(&schema);
        let name = CardName::new(NAME).expect("a name");
        let committed = committed(&data, &model, name, 1);
        let other = self::committed(&data, &model, CardName::new("another").expect("a name"), 2);
        let write =
            |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("a file");

        let good = inference(&data, &model, &committed, &schema, false);
        let hidden = inference(&data, &model, &committed, &schema, true);
        let proof = good.bundle.to_bytes();
        let mut bad = proof.clone();
        let middle = bad.len() - 4000;
        bad[middle] ^= 4;
        write("good.proof", &proof);
        write("bad.proof", &bad);
        write("cut.proof", &proof[..proof.len() / 2]);
        write("hidden.proof", &hidden.bundle.to_bytes());
        write("hidden.answer.secret", &hidden.output_opening.expect("a hidden answer").to_bytes());
        write("accuracy.proof", &accuracy(&data, &model, &committed, &schema).to_bytes());
        let shared = Disclosure {
            bundle: good.bundle.clone(),
            card: committed.card.clone(),
            points: committed.points.clone(),
        };
        write("shared.proof", &shared.to_bytes());
        write("halo2.proof", &halo2(&committed.card, good.bundle.claim()).to_bytes());
        write("test.csv", TEST);
        write("garbage.bin", &[0xa5; 5000]);
        let card = |name: &str, of: &Committed| {
            write(&format!("{name}.json"), of.card.to_json());
            Published { card: of.card.clone(), points: of.points.clone() }
        };
        let answer = model.architecture().predicted_class(&good.output).expect("a class");
        Self {
            card: card("card", &committed),
            other: card("other", &other),
            answer: schema.classes[answer].name.clone(),
            folder,
        }
    }
}

fn table(csv: &[u8], name: &str) -> Table {
    Table::from_bytes(csv, Format::Csv, name, Some("diagnosis")).expect("a table")
}

fn model(schema: &Schema) -> Model {
    let train = table(bundled!("datasets/breast-cancer-wisconsin/train.csv"), "train.csv");
    let train = train.records(schema, &Default::default()).expect("records");
    let onnx = bundled!("examples/medical/model.onnx");
    quantise(onnx, schema, &train.rows, train.labels.as_deref(), &QuantiseOptions::default())
        .expect("a model")
        .0
}

fn committed(folder: &DataFolder, model: &Model, name: CardName, seed: u8) -> Committed {
    let owner = OwnerKey::from_seed(&zeroize::Zeroizing::new([seed; 32]));
    let request = CommitRequest {
        model,
        name,
        engines: &EngineId::ALL,
        owner: &owner,
        public_weights: false,
        quantisation: None,
    };
    commit(folder, &request, &mut OsRng, &Silent).expect("a commitment")
}

fn inference(
    folder: &DataFolder,
    model: &Model,
    of: &Committed,
    schema: &Schema,
    hide_output: bool,
) -> Proved {
    let records = table(TEST, "test.csv").dataset(schema, &[]).expect("records");
    let request = ProveInference {
        model,
        card: &of.card,
        points: of.points.as_ref(),
        opening: Some(&of.opening),
        record: Record::Fresh(records.dataset.record(0).to_vec()),
        engine: EngineId::Sumcheck,
        reveal_input: false,
        reveal_weights: false,
        shown: if hide_output { Shown::Commitment } else { Shown::Answer },
        context: Context::new(CONTEXT).expect("a context"),
    };
    prove_inference(folder, &request, &mut OsRng, &Silent).expect("a proof")
}

fn accuracy(folder: &DataFolder, model: &Model, of: &Committed, schema: &Schema) -> Bundle {
    let test = table(TEST, "test.csv").dataset(schema, &[]).expect("a test set");
    let request = TestSetProof {
        model,
        card: &of.card,
        points: of.points.as_ref(),
        opening: Some(&of.opening),
        data: &test.dataset,
        engine: EngineId::Sumcheck,
        reveal_weights: false,
        context: &Context::default(),
    };
    let required = Requirement::parse("accuracy >= 90%", schema, None).expect("a requirement");
    let required = Required::These(required);
    prove_accuracy(folder, &request, &required, false, &mut OsRng, &Silent).expect("a proof").bundle
}

/// A file that claims to be proved by the halo2 engine: a browser does not look further.
fn halo2(card: &Card, like: &Claim) -> Bundle {
    let ClaimKind::Inference(inference) = like.kind.clone() else { unreachable!("it is about a record") };
    let claim = Claim::new(card, EngineId::Halo2, inference, Context::default()).expect("a claim");
    Bundle::new(claim, vec![7; 4000]).expect("a bundle")
}

/// The module, where it was built.
pub(crate) fn module() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    Some(target.join("web/tacit_verifier.wasm")).filter(|path| path.is_file())
}
