//! Commit, prove, verify through the library, and everything that must be refused. Every test runs with every
//! engine.

#![allow(clippy::unwrap_used)]

mod common;

use common::{altered_bytes_are_refused, key, refused, with_every_engine};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sha2::{Digest as _, Sha256};
use tacit_claim::{
    Bundle, Card, CardName, CardPoints, CertificateDigest, ClaimKind, CommitmentPin, Context, EngineId,
    InputClaim, OutputClaim, SaltBytes, UnsignedCard, WeightsOpening,
};
use tacit_core::{
    CommitRequest, Committed, CoreError, DataFolder, Expectations, Outcome, ProveInference, Proved, Record,
    Shown, Silent, Supplied, Verdict, commit, commit_input, prove_inference, statement, verify,
};
use tacit_model::Model;
use tacit_model::testing::{record, small_mlp};

with_every_engine! {
    proves_every_visibility,
    a_committed_record_keeps_its_commitment,
    a_hidden_answer_can_be_opened,
    refuses_what_does_not_belong,
    altered_proofs_do_not_hold,
    cards_of_other_versions_are_refused,
}

struct Stage {
    engine: EngineId,
    _folder: tempfile::TempDir,
    data: DataFolder,
    model: Model,
    card: Card,
    points: Option<CardPoints>,
    opening: WeightsOpening,
    rng: ChaCha20Rng,
}

fn stage(engine: EngineId, public_weights: bool) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::new(folder.path());
    if engine == EngineId::Halo2 {
        data.srs().add_unsafe_dev(10).unwrap();
    }
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let model = small_mlp(5);
    let request = CommitRequest {
        model: &model,
        name: CardName::new("test").unwrap(),
        engines: &[engine],
        owner: &key(),
        public_weights,
        quantisation: None,
    };
    let Committed { card, points, opening } = commit(&data, &request, &mut rng, &Silent).unwrap();
    Stage { engine, _folder: folder, data, model, card, points, opening, rng }
}

fn request<'a>(stage: &'a Stage, record: Record<'a>) -> ProveInference<'a> {
    ProveInference {
        model: &stage.model,
        card: &stage.card,
        points: stage.points.as_ref(),
        opening: Some(&stage.opening),
        record,
        engine: stage.engine,
        reveal_input: false,
        reveal_weights: false,
        shown: Shown::Answer,
        context: Context::new("request 1").unwrap(),
    }
}

/// The development setup is what the halo2 engine has here.
fn trusting() -> Expectations {
    Expectations { allow_dev_srs: true, ..Expectations::default() }
}

impl Stage {
    fn prove(&self, request: &ProveInference<'_>) -> Result<Proved, CoreError> {
        prove_inference(&self.data, request, &mut self.rng.clone(), &Silent)
    }

    /// Verifies with the card's own points.
    fn verify(&self, bundle: &Bundle, expected: &Expectations) -> Result<Verdict, CoreError> {
        self.verify_with(bundle, &self.card, self.points.as_ref(), expected)
    }

    fn verify_with(
        &self,
        bundle: &Bundle,
        card: &Card,
        points: Option<&CardPoints>,
        expected: &Expectations,
    ) -> Result<Verdict, CoreError> {
        verify(&self.data, bundle, card, Supplied { points, ..Supplied::default() }, expected, &Silent)
    }
}

/// The error of what must not work.
#[track_caller]
fn proves_every_visibility(engine: EngineId) {
    let s = stage(engine, true);
    let x = record(s.model.architecture(), 1);
    for bits in 0..8 {
        let mut r = request(&s, Record::Fresh(x.clone()));
        (r.reveal_input, r.reveal_weights) = (bits & 1 != 0, bits & 2 != 0);
        let hides_output = bits & 4 != 0;
        r.shown = if hides_output { Shown::Commitment } else { Shown::Answer };
        let proved = s.prove(&r).unwrap();
        assert_eq!(proved.output, s.model.run(&x).unwrap().output());
        assert_eq!(proved.output_opening.is_some(), hides_output);
        let bundle = Bundle::from_bytes(&proved.bundle.to_bytes()).unwrap();
        let with = |model: &Model| {
            verify(
                &s.data,
                &bundle,
                &s.card,
                Supplied { points: s.points.as_ref(), model: Some(model), data: None },
                &trusting(),
                &Silent,
            )
        };
        let verdict = with(&s.model).unwrap();
        assert_eq!(verdict.setup.is_some(), engine == EngineId::Halo2);
        assert!(verdict.setup.is_none_or(|s| s.is_unsafe_dev()));
        assert_eq!(proved.setup, verdict.setup);
        if r.reveal_weights {
            assert!(matches!(s.verify(&bundle, &trusting()), Err(CoreError::NoModel)));
            refused(with(&small_mlp(6)), Outcome::DoesNotHold);
        }
    }
    // The salts are on the card: no opening is needed, and another model is noticed all the same.
    let r = ProveInference { opening: None, ..request(&s, Record::Fresh(x.clone())) };
    s.prove(&r).unwrap();
    let model = small_mlp(6);
    let r = ProveInference { opening: None, model: &model, ..request(&s, Record::Fresh(x)) };
    assert!(matches!(s.prove(&r), Err(CoreError::OtherModel(_))));
}

fn a_committed_record_keeps_its_commitment(engine: EngineId) {
    let mut s = stage(engine, false);
    let opening = commit_input(&s.card, record(s.model.architecture(), 2), &mut s.rng).unwrap();
    let proved = s.prove(&request(&s, Record::Committed(&opening))).unwrap();
    let known = opening.commitments[&engine].commitment.clone();
    assert_eq!(proved.bundle.claim().input_commitment(), Some(&known));
    for pin in
        [known.pin(), known.clone().into(), CommitmentPin::Digest(Sha256::digest(known.as_bytes()).into())]
    {
        s.verify(&proved.bundle, &Expectations { input: Some(pin), ..trusting() }).unwrap();
    }
    let another = commit_input(&s.card, record(s.model.architecture(), 2), &mut s.rng).unwrap();
    let other = another.commitments[&engine].commitment.clone();
    let expected = Expectations { input: Some(other.pin()), ..trusting() };
    refused(s.verify(&proved.bundle, &expected), Outcome::DoesNotHold);
    // ... nor after the claim is rewritten to name it.
    let (mut claim, proof) = proved.bundle.into_parts();
    let ClaimKind::Inference(inference) = &mut claim.kind else { panic!("an inference") };
    inference.input = InputClaim::Hidden { commitment: other };
    let lifted = Bundle::new(claim, proof).unwrap();
    refused(s.verify(&lifted, &expected), Outcome::DoesNotHold);
}

fn a_hidden_answer_can_be_opened(engine: EngineId) {
    let s = stage(engine, false);
    let x = record(s.model.architecture(), 2);
    let r = ProveInference { shown: Shown::Commitment, ..request(&s, Record::Fresh(x.clone())) };
    let proved = s.prove(&r).unwrap();
    let answer = proved.output_opening.unwrap();
    assert_eq!(answer.values, proved.output);
    let with = |answer| s.verify(&proved.bundle, &Expectations { answer: Some(answer), ..trusting() });
    with(answer.clone()).unwrap();
    let mut other = answer.clone();
    other.values[0] -= 1;
    assert!(matches!(with(other), Err(CoreError::OtherAnswer)));
    let mut other = answer.clone();
    other.values.push(0);
    assert!(matches!(with(other), Err(CoreError::OtherAnswer)));
    let mut other = answer.clone();
    other.values[0] = i64::MAX;
    assert!(matches!(with(other), Err(CoreError::OtherAnswer)));
    let mut other = answer.clone();
    other.salt = SaltBytes::new([0; 32]);
    assert!(matches!(with(other), Err(CoreError::OtherAnswer)));
    // The same answer of another claim.
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let again = prove_inference(&s.data, &r, &mut rng, &Silent).unwrap();
    let e = s.verify(&again.bundle, &Expectations { answer: Some(answer.clone()), ..trusting() });
    assert!(matches!(e, Err(CoreError::OtherAnswer)));
    let open = s.prove(&request(&s, Record::Fresh(x))).unwrap();
    let e = s.verify(&open.bundle, &Expectations { answer: Some(answer), ..trusting() });
    assert!(matches!(e, Err(CoreError::PublicAnswer)));
}

fn refuses_what_does_not_belong(engine: EngineId) {
    let s = stage(engine, false);
    let x = record(s.model.architecture(), 3);
    let proved = s.prove(&request(&s, Record::Fresh(x.clone()))).unwrap();
    let bundle = &proved.bundle;
    s.verify(bundle, &trusting()).unwrap();
    if engine == EngineId::Halo2 {
        refused(s.verify(bundle, &Expectations::default()), Outcome::Policy);
    } else {
        s.verify(bundle, &Expectations::default()).unwrap();
    }

    let other = stage(engine, true);
    let e = s.verify_with(bundle, &other.card, other.points.as_ref(), &trusting());
    refused(e, Outcome::DoesNotHold);
    let pinned = Expectations { card: Some(other.card.id()), ..trusting() };
    refused(s.verify(bundle, &pinned), Outcome::Policy);
    let context = Expectations { context: Some(Context::new("request 2").unwrap()), ..trusting() };
    refused(s.verify(bundle, &context), Outcome::DoesNotHold);

    // Another answer, another context, another card, with the proof kept.
    let (claim, proof) = bundle.clone().into_parts();
    let mut changed = claim.clone();
    changed.context = Context::new("request 2").unwrap();
    refused(s.verify(&Bundle::new(changed, proof.clone()).unwrap(), &trusting()), Outcome::DoesNotHold);
    let mut changed = claim.clone();
    changed.card_id = other.card.id();
    let lifted = Bundle::new(changed, proof.clone()).unwrap();
    let e = s.verify_with(&lifted, &other.card, other.points.as_ref(), &trusting());
    refused(e, Outcome::DoesNotHold);
    let ClaimKind::Inference(mut inference) = claim.kind.clone() else { panic!("an inference") };
    let mut values = proved.output.clone();
    values[0] -= 1;
    inference.output = OutputClaim::Public { values };
    let mut changed = claim;
    changed.kind = ClaimKind::Inference(inference);
    refused(s.verify(&Bundle::new(changed, proof).unwrap(), &trusting()), Outcome::DoesNotHold);

    // A model other than the committed one, a record out of range, a missing opening, another engine.
    let model = small_mlp(6);
    let r = ProveInference { model: &model, ..request(&s, Record::Fresh(x.clone())) };
    assert!(matches!(s.prove(&r), Err(CoreError::OtherModel(_))));
    let mut far = x.clone();
    far[1] = 1 << 20;
    assert!(matches!(s.prove(&request(&s, Record::Fresh(far))), Err(CoreError::Record(_))));
    let r = ProveInference { opening: None, ..request(&s, Record::Fresh(x.clone())) };
    assert!(matches!(s.prove(&r), Err(CoreError::NoOpening(_))));
    let [other] = EngineId::ALL.into_iter().filter(|e| *e != engine).collect::<Vec<_>>()[..] else {
        panic!()
    };
    let r = ProveInference { engine: other, ..request(&s, Record::Fresh(x)) };
    assert!(matches!(s.prove(&r), Err(CoreError::OtherEngine { .. })));
}

fn altered_proofs_do_not_hold(engine: EngineId) {
    let s = stage(engine, false);
    let x = record(s.model.architecture(), 4);
    let (claim, proof) = s.prove(&request(&s, Record::Fresh(x))).unwrap().bundle.into_parts();
    let check = |bytes: Vec<u8>| s.verify(&Bundle::new(claim.clone(), bytes).unwrap(), &trusting());
    altered_bytes_are_refused(&proof, check);
}

/// The same content with an edit, signed by its owner.
fn edited(card: &Card, edit: impl FnOnce(&mut UnsignedCard)) -> Card {
    let mut content = UnsignedCard {
        name: card.name().clone(),
        architecture: card.architecture().clone(),
        weights: card.weights().clone(),
        commitments: card.commitments().clone(),
        policy: card.policy(),
        quantisation: card.quantisation(),
    };
    edit(&mut content);
    Card::sign(content, &key()).unwrap()
}

/// Proves for `card` with the secrets of `s`.
fn prove_for(s: &Stage, card: &Card, points: Option<&CardPoints>) -> Result<Proved, CoreError> {
    let mut opening = s.opening.clone();
    opening.card_id = card.id();
    let record = Record::Fresh(record(s.model.architecture(), 3));
    s.prove(&ProveInference { card, points, opening: Some(&opening), ..request(s, record) })
}

fn cards_of_other_versions_are_refused(engine: EngineId) {
    let s = stage(engine, false);
    let other_version = edited(&s.card, |c| match engine {
        EngineId::Halo2 => c.commitments.halo2.as_mut().unwrap().version += 1,
        EngineId::Sumcheck => c.commitments.sumcheck.as_mut().unwrap().version += 1,
    });
    let e = refused(prove_for(&s, &other_version, s.points.as_ref()), Outcome::Unusable);
    assert!(matches!(e, CoreError::CardVersion { .. }), "{e}");
    let other_id = edited(&s.card, |c| match engine {
        EngineId::Halo2 => c.commitments.halo2.as_mut().unwrap().model_id.0[0] ^= 1,
        EngineId::Sumcheck => c.commitments.sumcheck.as_mut().unwrap().model_id.0[0] ^= 1,
    });
    let e = refused(prove_for(&s, &other_id, s.points.as_ref()), Outcome::Unusable);
    assert!(matches!(e, CoreError::ModelId(_)), "{e}");
}

/// A setup from a `.ptau` file needs no flag, and the development setup beside it changes nothing.
#[test]
fn an_imported_setup_is_accepted() {
    let s = stage(EngineId::Halo2, false);
    let fixture =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../tacit-halo2/tests/fixtures/ptau/power08-prepared.ptau");
    let entry = s.data.srs().import_ptau(std::path::Path::new(fixture), 8, &mut |_| {}).unwrap();
    assert!(!entry.origin.is_unsafe_dev());
    let x = record(s.model.architecture(), 4);
    let proved = s.prove(&request(&s, Record::Fresh(x))).unwrap();
    assert_eq!(proved.setup, Some(entry.origin));
    let verdict = s.verify(&proved.bundle, &Expectations::default()).unwrap();
    assert_eq!(verdict.setup, Some(entry.origin));

    // The same proof, for a verifier who has only the development setup.
    let other = tempfile::tempdir().unwrap();
    let only_dev = DataFolder::new(other.path());
    only_dev.srs().add_unsafe_dev(8).unwrap();
    let e = verify(&only_dev, &proved.bundle, &s.card, Supplied::default(), &trusting(), &Silent);
    refused(e, Outcome::DoesNotHold);

    // A proof under the development setup, for a verifier who has both: refused by policy, or accepted by
    // flag.
    let dev = stage(EngineId::Halo2, false);
    let proved = dev.prove(&request(&dev, Record::Fresh(record(s.model.architecture(), 5)))).unwrap();
    let e = s.verify_with(&proved.bundle, &dev.card, None, &Expectations::default());
    assert!(matches!(e, Err(CoreError::DevSetup)));
    let verdict = s.verify_with(&proved.bundle, &dev.card, None, &trusting()).unwrap();
    assert!(verdict.setup.unwrap().is_unsafe_dev());
}

/// The sumcheck engine's points and certificate: in the card or beside it, never missing, never others.
#[test]
fn a_card_needs_its_points_and_its_certificate() {
    let s = stage(EngineId::Sumcheck, false);
    let inline = s.card.inline_points().expect("a small card carries its points").clone();
    assert!(s.points.is_none());
    let beside = edited(&s.card, |c| c.commitments.sumcheck.as_mut().unwrap().parameters.points = None);
    assert_eq!(beside.certificate_binding(), s.card.certificate_binding());
    let bundle = prove_for(&s, &beside, Some(&inline)).unwrap().bundle;
    // Verifiers who have checked nothing yet.
    let fresh = || tempfile::tempdir().unwrap();
    let check = |home: &tempfile::TempDir, card: &Card, points: Option<&CardPoints>| {
        let supplied = Supplied { points, ..Supplied::default() };
        verify(&DataFolder::new(home.path()), &bundle, card, supplied, &Expectations::default(), &Silent)
    };
    let home = fresh();
    check(&home, &beside, Some(&inline)).unwrap();
    let marks = std::fs::read_dir(home.path().join("checked")).unwrap();
    let marks: Vec<_> = marks.map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(marks, [beside.id().to_string()]);

    let (points, certificate) = (inline.points(), inline.certificate());
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    // The checked card is remembered; what is not that card's is refused all the same.
    for home in [&home, &fresh()] {
        let e = refused(check(home, &beside, None), Outcome::Unusable);
        assert!(matches!(e, CoreError::NoPoints(id) if id == beside.id()), "{e}");
        for at in [0, points.len() / 2, points.len() - 1] {
            let other = CardPoints::new(flipped(points, at), certificate.to_vec()).unwrap();
            let e = refused(check(home, &beside, Some(&other)), Outcome::Unusable);
            assert!(matches!(e, CoreError::OtherPoints(_)), "{e}");
        }
        let many = CardPoints::new(points.repeat(1 + 10_000 / points.len()), certificate.to_vec()).unwrap();
        assert!(matches!(check(home, &beside, Some(&many)), Err(CoreError::OtherPoints(_))));
        let fewer = CardPoints::new(points[..points.len() - 32].to_vec(), certificate.to_vec());
        if let Ok(fewer) = fewer {
            assert!(matches!(check(home, &beside, Some(&fewer)), Err(CoreError::OtherPoints(_))));
        }
        for at in [0, certificate.len() / 2, certificate.len() - 1] {
            let other = CardPoints::new(points.to_vec(), flipped(certificate, at)).unwrap();
            let e = refused(check(home, &beside, Some(&other)), Outcome::Unusable);
            assert!(matches!(e, CoreError::OtherCertificate(_)), "{e}");
        }
    }

    // An owner who signs for a certificate that proves nothing, or for another card's.
    let bad = CardPoints::new(points.to_vec(), flipped(certificate, certificate.len() / 2)).unwrap();
    let renamed = edited(&s.card, |c| c.name = CardName::new("another").unwrap());
    let cheating = edited(&beside, |c| {
        c.commitments.sumcheck.as_mut().unwrap().parameters.certificate = bad.certificate_digest();
    });
    for (card, points) in [(&cheating, Some(&bad)), (&renamed, None)] {
        let home = fresh();
        let mut claim = bundle.claim().clone();
        claim.card_id = card.id();
        let lifted = Bundle::new(claim, bundle.proof().to_vec()).unwrap();
        let data = DataFolder::new(home.path());
        for _ in 0..2 {
            let supplied = Supplied { points, ..Supplied::default() };
            let e = verify(&data, &lifted, card, supplied, &Expectations::default(), &Silent);
            let e = refused(e, Outcome::DoesNotHold);
            assert!(matches!(e, CoreError::Certificate(..)), "{e}");
            assert!(!home.path().join("checked").exists(), "only what holds is remembered");
        }
        let e = refused(prove_for(&s, card, points), Outcome::DoesNotHold);
        assert!(matches!(e, CoreError::Certificate(..)), "{e}");
    }
    let unnamed = edited(&beside, |c| {
        c.commitments.sumcheck.as_mut().unwrap().parameters.certificate = CertificateDigest([0; 32]);
    });
    let e = prove_for(&s, &unnamed, Some(&inline)).unwrap_err();
    assert!(matches!(e, CoreError::OtherCertificate(_)), "{e}");

    // A mark that was made for something else is no mark, and a folder that cannot be written is no obstacle.
    let home = fresh();
    let checked = home.path().join("checked");
    std::fs::create_dir(&checked).unwrap();
    std::fs::write(checked.join(beside.id().to_string()), "tacit-checked/1\n").unwrap();
    check(&home, &beside, Some(&inline)).unwrap();
    let file = fresh();
    let not_a_folder = DataFolder::new(file.path().join("file"));
    std::fs::write(not_a_folder.path(), "").unwrap();
    let supplied = Supplied { points: Some(&inline), ..Supplied::default() };
    verify(&not_a_folder, &bundle, &beside, supplied, &Expectations::default(), &Silent).unwrap();
}

/// A card for both engines: a proof by either, and each only by its own.
#[test]
fn a_card_for_both_engines() {
    let s = stage(EngineId::Halo2, false);
    let mut rng = s.rng.clone();
    let request = CommitRequest {
        model: &s.model,
        name: CardName::new("both").unwrap(),
        engines: &EngineId::ALL,
        owner: &key(),
        public_weights: false,
        quantisation: None,
    };
    let Committed { card, points, opening } = commit(&s.data, &request, &mut rng, &Silent).unwrap();
    assert_eq!(card.commitments().engines().collect::<Vec<_>>(), EngineId::ALL);
    let ids: Vec<_> = card.commitments().iter().map(|c| c.model_id).collect();
    assert_ne!(ids[0], ids[1]);
    let input = commit_input(&card, record(s.model.architecture(), 2), &mut rng).unwrap();
    for engine in EngineId::ALL {
        let r = ProveInference {
            model: &s.model,
            card: &card,
            points: points.as_ref(),
            opening: Some(&opening),
            record: Record::Committed(&input),
            engine,
            reveal_input: false,
            reveal_weights: false,
            shown: Shown::Answer,
            context: Context::default(),
        };
        let proved = prove_inference(&s.data, &r, &mut rng, &Silent).unwrap();
        s.verify_with(&proved.bundle, &card, points.as_ref(), &trusting()).unwrap();
        let (mut claim, proof) = proved.bundle.into_parts();
        claim.engine = EngineId::ALL.into_iter().find(|e| *e != engine).unwrap();
        let swapped = Bundle::new(claim, proof).unwrap();
        let e = s.verify_with(&swapped, &card, points.as_ref(), &trusting());
        assert_eq!(e.unwrap_err().outcome(), Outcome::DoesNotHold);
    }
}

/// Rebuilding the statement needs the points, and looks at nothing else.
#[test]
fn statements_are_rebuilt_from_claim_and_card() {
    for engine in EngineId::ALL {
        let s = stage(engine, false);
        let x = record(s.model.architecture(), 4);
        let bundle = s.prove(&request(&s, Record::Fresh(x))).unwrap().bundle;
        let rebuilt = statement(bundle.claim(), &s.card, s.points.as_ref(), None).unwrap();
        assert_eq!(rebuilt.binding, bundle.claim().digest().0);
        rebuilt.validate().unwrap();
        if engine == EngineId::Sumcheck {
            let expected = s.card.inline_points().unwrap().points();
            assert_eq!(rebuilt.commitments[&tacit_relations::Segment::Weights].0, expected);
        }
    }
}
