//! Commit, prove, verify through the library, and everything that must be refused.

#![allow(clippy::unwrap_used)]

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_claim::{Bundle, Card, CardName, Context, EngineId, OwnerKey, WeightsOpening};
use tacit_core::{
    CommitRequest, CoreError, DataFolder, Expectations, Outcome, ProveInference, Record, Silent, commit,
    commit_input, prove_inference, verify,
};
use tacit_model::Model;
use tacit_model::testing::{record, small_mlp};
use zeroize::Zeroizing;

struct Stage {
    _folder: tempfile::TempDir,
    data: DataFolder,
    model: Model,
    card: Card,
    opening: WeightsOpening,
    rng: ChaCha20Rng,
}

fn stage(public_weights: bool) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::new(folder.path());
    data.srs().add_unsafe_dev(10).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let model = small_mlp(5);
    let (card, opening) = commit(
        &CommitRequest {
            model: &model,
            name: CardName::new("test").unwrap(),
            engines: &[EngineId::Halo2],
            owner: &OwnerKey::from_seed(&Zeroizing::new([7; 32])),
            public_weights,
            quantisation: None,
        },
        &mut rng,
    )
    .unwrap();
    Stage { _folder: folder, data, model, card, opening, rng }
}

fn request<'a>(stage: &'a Stage, record: Record<'a>) -> ProveInference<'a> {
    ProveInference {
        model: &stage.model,
        card: &stage.card,
        opening: Some(&stage.opening),
        record,
        engine: EngineId::Halo2,
        reveal_input: false,
        reveal_weights: false,
        hide_output: false,
        context: Context::new("request 1").unwrap(),
    }
}

fn dev() -> Expectations {
    Expectations { allow_dev_srs: true, ..Expectations::default() }
}

fn check(stage: &Stage, bundle: &Bundle, card: &Card, expected: &Expectations) -> Result<(), CoreError> {
    verify(&stage.data, bundle, card, None, expected, &Silent).map(|_| ())
}

#[test]
fn proves_every_visibility() {
    let s = stage(true);
    let x = record(s.model.architecture(), 1);
    for bits in 0..8 {
        let mut r = request(&s, Record::Fresh(x.clone()));
        (r.reveal_input, r.reveal_weights, r.hide_output) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
        let proved = prove_inference(&s.data, &r, &mut s.rng.clone(), &Silent).unwrap();
        assert_eq!(proved.output, s.model.run(&x).unwrap().output());
        assert_eq!(proved.output_salt.is_some(), r.hide_output);
        let bundle = Bundle::from_bytes(&proved.bundle.to_bytes()).unwrap();
        let verdict = verify(&s.data, &bundle, &s.card, Some(&s.model), &dev(), &Silent).unwrap();
        assert!(verdict.setup.is_unsafe_dev());
        if r.reveal_weights {
            let e = check(&s, &bundle, &s.card, &dev()).unwrap_err();
            assert!(matches!(e, CoreError::NoModel), "{e}");
            let other = verify(&s.data, &bundle, &s.card, Some(&small_mlp(6)), &dev(), &Silent).unwrap_err();
            assert_eq!(other.outcome(), Outcome::DoesNotHold);
        }
    }
}

/// A setup from a `.ptau` file needs no flag, and the development setup beside it changes nothing.
#[test]
fn an_imported_setup_is_accepted() {
    let s = stage(false);
    let fixture =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../tacit-halo2/tests/fixtures/ptau/power08-prepared.ptau");
    let entry = s.data.srs().import_ptau(std::path::Path::new(fixture), 8, &mut |_| {}).unwrap();
    assert!(!entry.origin.is_unsafe_dev());
    let x = record(s.model.architecture(), 4);
    let proved =
        prove_inference(&s.data, &request(&s, Record::Fresh(x)), &mut s.rng.clone(), &Silent).unwrap();
    assert!(!proved.setup.is_unsafe_dev());
    let verdict = verify(&s.data, &proved.bundle, &s.card, None, &Expectations::default(), &Silent).unwrap();
    assert_eq!(verdict.setup, entry.origin);

    // The same proof, for a verifier who has only the development setup.
    let other = tempfile::tempdir().unwrap();
    let only_dev = DataFolder::new(other.path());
    only_dev.srs().add_unsafe_dev(8).unwrap();
    let e = verify(&only_dev, &proved.bundle, &s.card, None, &dev(), &Silent).unwrap_err();
    assert_eq!(e.outcome(), Outcome::DoesNotHold);

    // A proof under the development setup, for a verifier who has both: refused by policy, or accepted by flag.
    let stage_dev = stage(false);
    let r = request(&stage_dev, Record::Fresh(record(s.model.architecture(), 5)));
    let proved = prove_inference(&stage_dev.data, &r, &mut s.rng.clone(), &Silent).unwrap();
    let e = verify(&s.data, &proved.bundle, &stage_dev.card, None, &Expectations::default(), &Silent)
        .unwrap_err();
    assert!(matches!(e, CoreError::DevSetup), "{e}");
    let verdict = verify(&s.data, &proved.bundle, &stage_dev.card, None, &dev(), &Silent).unwrap();
    assert!(verdict.setup.is_unsafe_dev());
}

#[test]
fn a_committed_record_keeps_its_commitment() {
    let mut s = stage(false);
    let opening = commit_input(&s.card, record(s.model.architecture(), 2), &mut s.rng).unwrap();
    let proved =
        prove_inference(&s.data, &request(&s, Record::Committed(&opening)), &mut s.rng.clone(), &Silent)
            .unwrap();
    let known = opening.commitments[&EngineId::Halo2].commitment.clone();
    assert_eq!(proved.bundle.claim().input_commitment(), Some(&known));
    let expected = Expectations { input: Some(known), ..dev() };
    check(&s, &proved.bundle, &s.card, &expected).unwrap();
    let another = commit_input(&s.card, record(s.model.architecture(), 2), &mut s.rng).unwrap();
    let other = another.commitments[&EngineId::Halo2].commitment.clone();
    let e = check(&s, &proved.bundle, &s.card, &Expectations { input: Some(other), ..dev() }).unwrap_err();
    assert_eq!(e.outcome(), Outcome::DoesNotHold);
}

#[test]
fn refuses_what_does_not_belong() {
    let s = stage(false);
    let x = record(s.model.architecture(), 3);
    let proved =
        prove_inference(&s.data, &request(&s, Record::Fresh(x.clone())), &mut s.rng.clone(), &Silent)
            .unwrap();
    let bundle = &proved.bundle;

    let e = check(&s, bundle, &s.card, &Expectations::default()).unwrap_err();
    assert_eq!(e.outcome(), Outcome::Policy, "only the development setup is installed: {e}");

    let other = stage(true);
    let e = check(&s, bundle, &other.card, &dev()).unwrap_err();
    assert_eq!(e.outcome(), Outcome::DoesNotHold, "another card: {e}");
    let pinned = Expectations { card: Some(other.card.id()), ..dev() };
    assert_eq!(check(&s, bundle, &s.card, &pinned).unwrap_err().outcome(), Outcome::Policy);

    let context = Expectations { context: Some(Context::new("request 2").unwrap()), ..dev() };
    assert_eq!(check(&s, bundle, &s.card, &context).unwrap_err().outcome(), Outcome::DoesNotHold);

    // Another answer, another context, with the proof kept.
    let (claim, proof) = bundle.clone().into_parts();
    let mut changed = claim.clone();
    changed.context = Context::new("request 2").unwrap();
    let lifted = Bundle::new(changed, proof.clone()).unwrap();
    assert_eq!(check(&s, &lifted, &s.card, &dev()).unwrap_err().outcome(), Outcome::DoesNotHold);
    let tacit_claim::ClaimKind::Inference(mut inference) = claim.kind.clone();
    let mut values = proved.output.clone();
    values[0] -= 1;
    inference.output = tacit_claim::OutputClaim::Public { values };
    let mut changed = claim;
    changed.kind = tacit_claim::ClaimKind::Inference(inference);
    let forged = Bundle::new(changed, proof).unwrap();
    assert_eq!(check(&s, &forged, &s.card, &dev()).unwrap_err().outcome(), Outcome::DoesNotHold);

    // A model other than the committed one, a record out of range, a missing opening.
    let model = small_mlp(6);
    let r = ProveInference { model: &model, ..request(&s, Record::Fresh(x.clone())) };
    assert!(matches!(
        prove_inference(&s.data, &r, &mut s.rng.clone(), &Silent),
        Err(CoreError::OtherModel(_))
    ));
    let mut far = x.clone();
    far[1] = 1 << 20;
    let r = request(&s, Record::Fresh(far));
    assert!(matches!(prove_inference(&s.data, &r, &mut s.rng.clone(), &Silent), Err(CoreError::Record(_))));
    let r = ProveInference { opening: None, ..request(&s, Record::Fresh(x)) };
    assert!(matches!(
        prove_inference(&s.data, &r, &mut s.rng.clone(), &Silent),
        Err(CoreError::NoOpening(_))
    ));
}
