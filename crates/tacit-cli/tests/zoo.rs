//! Every family of the model zoo the whole way: an exporter's file is quantised, committed to, proved on a record and
//! verified; what does not belong is refused.

#![allow(clippy::unwrap_used)] // Tests may.

#[path = "../../tacit-onnx/tests/zoo/npz.rs"]
mod npz;
#[path = "../../tacit-onnx/tests/zoo/set.rs"]
mod set;

use std::time::Instant;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use set::{Data, folder};
use tacit_claim::{
    AnswerBound, Bundle, Card, CardName, CommitmentPin, Context, EngineId, OwnerKey, WeightsClaim,
};
use tacit_core::{
    Asked, CommitRequest, Committed, CoreError, DataFolder, Expectations, Outcome, ProveInference, Record,
    Shown, Silent, Supplied, Verdict, commit, prove_inference, verify,
};
use tacit_model::{Model, OutputScale, format_decimal};
use tacit_onnx::{QuantiseOptions, quantise};

/// What of a family's proof is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// The answer; weights and record are hidden.
    Answer,
    /// The answer and the weights; the record is hidden.
    Weights,
    /// That the only output is at least what it is; all else is hidden.
    Bound,
    /// That the likeliest class is at least as probable as it is, by the model's own softmax or sigmoid; all else is hidden.
    Likely,
}

use Shows::{Answer, Bound, Likely, Weights};

const LINEAR: &[(&str, &str, Shows)] = &[
    ("logistic_robust", "cancer", Answer),
    ("logistic_multinomial_zipmap", "digits", Answer),
    ("linear_svc", "digits", Answer),
    ("ridge", "diabetes", Answer),
    ("pca_whitened_logistic", "digits", Answer),
    ("columns_logistic", "clinic", Answer),
    ("imputer_logistic", "cancer", Answer),
    ("normalizer_l2_logistic", "digits", Answer),
];

const DENSE: &[(&str, &str, Shows)] = &[
    ("mlp_relu", "digits", Answer),
    ("mlp_regressor_tanh", "diabetes", Answer),
    ("columns_mlp", "clinic", Answer),
    ("keras_elu", "digits", Answer),
    ("keras_hard_sigmoid", "digits", Answer),
    ("keras_prelu", "digits", Answer),
    ("keras_relu6", "digits", Answer),
    ("keras_selu", "digits", Answer),
    ("keras_sigmoid", "digits", Answer),
    ("keras_softplus", "digits", Answer),
    ("torch_gelu", "digits", Answer),
    ("torch_hardswish", "digits", Answer),
    ("torch_leaky_relu", "digits", Answer),
    ("torch_mlp_float16", "digits", Answer),
    ("torch_silu_dynamo", "digits", Answer),
    ("torch_layer_norm_pieces", "digits", Answer),
];

const CONVOLUTIONAL: &[(&str, &str, Shows)] = &[
    ("lenet_max", "digits28", Answer),
    ("keras_lenet", "digits28", Answer),
    ("resnet", "patterns", Answer),
    ("mobilenet", "patterns", Answer),
    ("unet_nearest", "small_patterns", Answer),
    ("unet_transposed", "small_patterns", Answer),
    ("squeeze_excitation", "small_patterns", Answer),
    ("conv1d", "signals", Answer),
    ("pools", "small_patterns", Answer),
];

const QUANTISED: &[(&str, &str, Shows)] = &[
    ("torch_mlp_qdq", "digits", Answer),
    ("torch_mlp_qoperator", "digits", Answer),
    ("lenet_max_qdq_channels", "digits28", Answer),
    ("mobilenet_qoperator", "patterns", Answer),
];

const FEATURES: &[(&str, &str, Shows)] =
    &[("iris_code", "strips", Weights), ("iris_code_packed", "strips", Weights)];

const ANOMALY: &[(&str, &str, Shows)] =
    &[("autoencoder_squared", "digits", Bound), ("autoencoder_absolute", "digits", Bound)];

const PROBABILITIES: &[(&str, &str, Shows)] = &[
    ("logistic_multinomial", "digits", Likely),
    ("mlp_relu", "digits", Likely),
    ("keras_binary", "cancer", Likely),
];

/// Small enough for circuits.
const SMALL: &[(&str, &str, Shows)] = &[
    ("logistic_robust", "cancer", Answer),
    ("ridge", "diabetes", Answer),
    ("mlp_regressor", "diabetes", Answer),
    ("conv1d", "signals", Answer),
    ("normalizer_l1_logistic", "digits", Answer),
    ("logistic_multinomial", "digits", Likely),
];

/// Records that scales are chosen on: the proofs do not depend on how well.
const CALIBRATION: usize = 40;

#[test]
fn linear_models() {
    whole_way(LINEAR, EngineId::Sumcheck);
}

#[test]
fn dense_networks() {
    whole_way(DENSE, EngineId::Sumcheck);
}

#[test]
fn convolutional_networks() {
    whole_way(CONVOLUTIONAL, EngineId::Sumcheck);
}

#[test]
fn quantised_files() {
    whole_way(QUANTISED, EngineId::Sumcheck);
}

#[test]
fn feature_codes_with_public_weights() {
    whole_way(FEATURES, EngineId::Sumcheck);
}

#[test]
fn anomaly_scores_above_a_bound() {
    whole_way(ANOMALY, EngineId::Sumcheck);
}

#[test]
fn probabilities_at_least() {
    whole_way(PROBABILITIES, EngineId::Sumcheck);
}

#[test]
fn small_models_in_circuits() {
    whole_way(SMALL, EngineId::Halo2);
}

fn whole_way(models: &[(&str, &str, Shows)], engine: EngineId) {
    let kept = tempfile::tempdir().unwrap();
    let folder = DataFolder::new(kept.path());
    if engine == EngineId::Halo2 {
        folder.srs().add_unsafe_dev(14).unwrap();
    }
    let other = Proof::new(&folder, "ridge", "diabetes", Answer, engine, 7);
    for &(name, set, shows) in models {
        Proof::new(&folder, name, set, shows, engine, 6).check(&folder, &other);
    }
}

/// A model of the zoo and a proof of its answer on a record.
struct Proof {
    name: String,
    model: Model,
    committed: Committed,
    bundle: Bundle,
    output: Vec<i64>,
}

impl Proof {
    fn new(folder: &DataFolder, name: &str, set: &str, shows: Shows, engine: EngineId, seed: u64) -> Self {
        let start = Instant::now();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let data = Data::read(set);
        let onnx = std::fs::read(self::folder().join(format!("{name}.onnx"))).unwrap();
        let records = data.records();
        let few: Vec<Vec<i64>> = records.iter().take(CALIBRATION).cloned().collect();
        let options = QuantiseOptions {
            weight_bits: Some(8),
            equalise: false,
            probabilities: shows == Likely,
            ..QuantiseOptions::default()
        };
        let (model, _) = quantise(&onnx, &data.schema(0), &few, None, &options).unwrap();
        let quantised = start.elapsed();

        let key = OwnerKey::from_seed(&zeroize::Zeroizing::new([7; 32]));
        let request = CommitRequest {
            model: &model,
            name: CardName::new("zoo").unwrap(),
            engines: &[engine],
            owner: &key,
            public_weights: shows == Weights,
            quantisation: None,
        };
        let committed = commit(folder, &request, &mut rng, &Silent).unwrap();
        // Not one of the records that scales were chosen on.
        let record = records[CALIBRATION + 3].clone();
        let output = model.run(&record).unwrap().output().to_vec();
        let facts = match shows {
            Bound | Likely => vec![Asked::Bound(bound(&committed.card, &output, 0))],
            Answer | Weights => Vec::new(),
        };
        let request = ProveInference {
            model: &model,
            card: &committed.card,
            points: committed.points.as_ref(),
            opening: Some(&committed.opening),
            record: Record::Fresh(record),
            engine,
            reveal_input: false,
            reveal_weights: shows == Weights,
            shown: if facts.is_empty() { Shown::Answer } else { Shown::Facts(&facts) },
            context: Context::new("zoo").unwrap(),
        };
        let start = Instant::now();
        let proved = prove_inference(folder, &request, &mut rng, &Silent).unwrap();
        println!(
            "{name}: {} weights, quantised in {quantised:.2?}, proved in {:.2?}, {} bytes",
            model.architecture().weight_count(),
            start.elapsed(),
            proved.bundle.to_bytes().len()
        );
        assert_eq!(proved.output, output, "{name}");
        if !facts.is_empty() {
            // One unit more is not proved.
            let more = [Asked::Bound(bound(&committed.card, &output, 1))];
            let e = prove_inference(
                folder,
                &ProveInference {
                    record: Record::Fresh(records[CALIBRATION + 3].clone()),
                    shown: Shown::Facts(&more),
                    context: Context::new("zoo").unwrap(),
                    ..request
                },
                &mut rng,
                &Silent,
            );
            assert!(matches!(e, Err(CoreError::BoundMissed(_))), "{name}: {e:?}", e = e.err());
        }
        Self { name: name.to_owned(), model, bundle: proved.bundle, committed, output }
    }

    fn verify(
        &self,
        folder: &DataFolder,
        bundle: &Bundle,
        of: &Self,
        input: Option<CommitmentPin>,
    ) -> Result<Verdict, CoreError> {
        let expected = Expectations { allow_dev_srs: true, input, ..Expectations::default() };
        let supplied = Supplied {
            points: of.committed.points.as_ref(),
            // Given just where the weights are public, which is where it can be checked.
            model: (bundle.claim().weights() == WeightsClaim::Revealed).then_some(&of.model),
            ..Supplied::default()
        };
        verify(folder, bundle, &of.committed.card, supplied, &expected, &Silent)
    }

    fn check(&self, folder: &DataFolder, other: &Self) {
        let name = &self.name;
        let bundle = Bundle::from_bytes(&self.bundle.to_bytes()).unwrap();
        let own = bundle.claim().input_commitment().unwrap().clone();
        let start = Instant::now();
        let verdict = self.verify(folder, &bundle, self, Some(own.into())).unwrap();
        println!("{name}: verified in {:.2?}", start.elapsed());
        match bundle.claim().output_values() {
            Some(values) => assert_eq!(values, self.output, "{name}"),
            None => {
                assert!(
                    verdict.sentence.contains("a hidden answer of which this holds"),
                    "{name}: {verdict:?}"
                );
                assert!(verdict.hidden.iter().any(|h| h.starts_with("output")), "{name}");
            }
        }
        assert!(verdict.hidden.iter().any(|h| h.starts_with("input")), "{name}: {:?}", verdict.hidden);

        let refused = |result: Result<Verdict, CoreError>| {
            let Err(e) = result else { panic!("{name}: accepted") };
            assert_eq!(e.outcome(), Outcome::DoesNotHold, "{name}: {e}");
        };
        let theirs = other.bundle.claim().input_commitment().unwrap().clone();
        refused(self.verify(folder, &bundle, self, Some(theirs.into())));
        if name != &other.name {
            refused(self.verify(folder, &bundle, other, None));
        }
        let (claim, proof) = bundle.into_parts();
        for at in [0, proof.len() / 3, proof.len() / 2, proof.len() - 1] {
            let mut bad = proof.clone();
            bad[at] ^= 4;
            refused(self.verify(folder, &Bundle::new(claim.clone(), bad).unwrap(), self, None));
        }
    }
}

/// That the largest output is at least itself and `more` units.
fn bound(card: &Card, output: &[i64], more: i64) -> AnswerBound {
    let (index, value) = output.iter().enumerate().rev().max_by_key(|(_, v)| **v).unwrap();
    // Twelve decimals, rounded down: still above what is one unit less.
    let decimal = (i128::from(value + more) * 10i128.pow(12)) >> card.architecture().output_exponent;
    let decimal = format_decimal(decimal.try_into().unwrap(), 12);
    let quantity = match card.architecture().output_scale {
        OutputScale::Probabilities => format!("probability[{index}]"),
        _ if output.len() == 1 => "output".to_owned(),
        _ => format!("output[{index}]"),
    };
    AnswerBound::parse(&format!("{quantity} >= {decimal}"), &card.answers()).unwrap()
}
