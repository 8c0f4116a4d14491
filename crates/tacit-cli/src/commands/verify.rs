//! `tacit verify`

use std::path::Path;
use std::time::Instant;

use tacit_claim::{
    AccuracyClaim, AnswerFact, Bundle, Card, CardPoints, Claim, ClaimKind, DataClaim, Fingerprint, Inference,
    InputClaim, OutputClaim, OutputOpening, PredictionsClaim, Requirement, answer_text,
};
use tacit_competition::Finding;
use tacit_core::{Expectations, Supplied, Verdict, verify};
use tacit_data::TestSetFile;

use crate::args::verify::Verify;
use crate::commands::attestation;
use crate::commands::prove::{setup_json, setup_text};
use crate::failure::{DOES_NOT_HOLD, Failure, POLICY};
use crate::home::data_folder;
use crate::load::{self, ProofFile};
use crate::predictions;
use crate::progress::Spinner;
use crate::report::{GOOD, PLAIN, Report};

pub(crate) fn run(args: &Verify) -> Result<Report, Failure> {
    let signer = attestation::Signer::of(args)?;
    let model = args.model.as_deref().map(load::model).transpose()?;
    let Proven { bundle, card, points, is_disclosure } = Proven::read(args)?;
    check_owner(&card, args.pin.as_ref())?;
    let claim = bundle.claim();
    let answer = args.answer.as_deref().map(load::output_opening).transpose()?;
    let mut report = Report::default();
    let test = test_set(args, claim, &card, &mut report)?;
    let folder = data_folder()?;
    let expected = Expectations {
        card: args.expect_card,
        input: args.expect_input.clone(),
        context: args.context.clone(),
        answer: answer.clone(),
        allow_dev_srs: args.allow_dev_srs,
    };
    let supplied = Supplied {
        points: points.as_ref(),
        model: model.as_ref(),
        data: test.as_ref().map(|test| &test.dataset),
    };
    let spinner = Spinner::new("verifying");
    let start = Instant::now();
    let found = verify(&folder, &bundle, &card, supplied, &expected, &spinner);
    let verdict = match (found, &signer) {
        (Err(e), Some(signer)) => return Err(signer.sign_against(&bundle, &card, e)),
        (found, _) => found?,
    };
    if let Some(path) = &args.predictions {
        check_predictions(path, claim, &card)?;
    }
    drop(spinner);
    let seconds = start.elapsed().as_secs_f64();
    if let Some(signer) = &signer {
        signer.sign(&bundle, &card, Finding::Holds)?;
    }

    tell_verdict(&mut report, &verdict);
    if let Some(test) = &test {
        report.field(
            "test set seen",
            format!("yes: {} ({})", seen_path(args), hex::encode(test.dataset.digest().0)),
        );
    }
    if let Some(answer) = &answer {
        report.field("the hidden answer is", answer_text(card.architecture(), &answer.values));
    }
    report.field("setup", setup_text(verdict.setup.as_ref()));
    report.field("verified in", format!("{:.0} ms", seconds * 1000.0));
    if let Some(signer) = &signer {
        let (path, verifier) = (signer.path.display().to_string(), signer.fingerprint().to_string());
        report.field("signed verdict", format!("{path}, by {verifier}"));
        report.set("attestation", path);
        report.set("verifier", verifier);
        if is_disclosure {
            report.note(
                "the verdict names the proof in the file and its card, each by its digest: it serves the proof without the \
                 card as well",
            );
        }
    }
    warn_of_setup(&mut report, &verdict);
    if let Some(commitment) = claim.input_commitment() {
        let what = if matches!(claim.kind, ClaimKind::Inference(_)) { "record" } else { "test set" };
        report.field(what, commitment.pin().to_string());
        if args.expect_input.is_none() {
            report.note(format!("is that the {what} you mean? Pin its commitment with --expect-input"));
        }
    }
    tell_trust(&mut report, args, &card);
    if args.context.is_none() && !claim.context.is_empty() {
        report.note("the claim's context was not checked; pass what you expect with --context");
    }
    set_verdict(&mut report, claim, &card, verdict);
    report.set("dataset_digest", claim.dataset_digest().map(|d| hex::encode(d.0)));
    match &claim.kind {
        ClaimKind::Inference(inference) => {
            tell_inference(&mut report, inference, claim, &card, answer.as_ref())
        }
        ClaimKind::Accuracy(accuracy) => {
            let texts: Vec<String> = accuracy.requirements.iter().map(|r| r.text(card.schema())).collect();
            let labels = match &accuracy.data {
                DataClaim::Public { labels, .. } => Some(labels.as_str()),
                DataClaim::Hidden { .. } => None,
            };
            report.set("samples", accuracy.samples);
            report.set("labels", labels);
            report.set("requirements", texts);
            if let (Some(labels), None) = (labels, &args.labels) {
                report.note(format!(
                    "are the labels in `{}` the true ones? Name the column that you expect with --labels",
                    crate::report::plain(labels)
                ));
            }
        }
        ClaimKind::Predictions(predictions) => {
            report.set("samples", predictions.samples);
            report.set("predictions", predictions.answers.values().to_vec());
        }
    }
    report.set("seconds", seconds);
    Ok(report)
}

/// A proof, its card, and what lies beside the card.
struct Proven {
    bundle: Bundle,
    card: Card,
    points: Option<CardPoints>,
    /// Whether one file held both.
    is_disclosure: bool,
}

impl Proven {
    fn read(args: &Verify) -> Result<Self, Failure> {
        let ProofFile { bundle, card: own, points } = load::proof_or_disclosure(&args.proof)?;
        match (own, &args.card) {
            (Some(card), None) => Ok(Self { bundle, card, points, is_disclosure: true }),
            (Some(card), Some(path)) => {
                let (named, own) = (load::card(path)?.id(), card.id());
                if named == own {
                    return Ok(Self { bundle, card, points, is_disclosure: true });
                }
                let message = format!("the proof brings the card {own}; {} is card {named}", path.display());
                Err(Failure::new(message)
                    .code(DOES_NOT_HOLD)
                    .advise("verify the proof against the card that it was made for"))
            }
            (None, Some(path)) => {
                let card = load::card(path)?;
                let points = load::points_for(bundle.claim().engine, path, &card)?;
                Ok(Self { bundle, card, points, is_disclosure: false })
            }
            (None, None) => Err(Failure::new(format!("{}: a proof without its card", args.proof.display()))
                .advise("name the card with --card")),
        }
    }
}

/// Refuses a card that somebody else than the pinned owner signed.
fn check_owner(card: &Card, pin: Option<&Fingerprint>) -> Result<(), Failure> {
    let owner = card.owner().fingerprint();
    match pin.filter(|pin| **pin != owner) {
        None => Ok(()),
        Some(pin) => {
            Err(Failure::new(format!("the card is signed by {owner}, not by {pin}, whom you pinned"))
                .code(POLICY)
                .advise("do not trust this card unless the owner whom you know says that it is theirs"))
        }
    }
}

/// Who says that this is the card that is meant.
fn tell_trust(report: &mut Report, args: &Verify, card: &Card) {
    let by = match (args.expect_card.is_some(), args.card.is_some(), args.pin.is_some()) {
        (true, _, _) => "its id",
        (false, _, true) => "its owner's fingerprint",
        (false, true, false) => "the file that you named",
        (false, false, false) => "nobody",
    };
    report.set("card_pinned_by", by);
    if args.card.is_none() {
        report.field("card", format!("{}, of {}; pinned by {by}", card.id(), card.owner().fingerprint()));
    }
    match by {
        "nobody" => report.warn(
            "the card came with the proof and is pinned by nobody: anybody can make a card, and a proof for it; pin the card \
             that you know with --expect-card, or its owner with --pin",
        ),
        "the file that you named" => {
            report.note(format!("is {} the card you were told of? Pin it with --expect-card", card.id()));
        }
        _ => {}
    }
}

/// The verdict and the claim as a sentence, what stays hidden and what nobody vouches for.
pub(crate) fn tell_verdict(report: &mut Report, verdict: &Verdict) {
    report.line(GOOD, "HOLDS");
    report.line(PLAIN, verdict.sentence.clone());
    let hidden = if verdict.hidden.is_empty() { "nothing".to_owned() } else { verdict.hidden.join(", ") };
    report.field("stays hidden", hidden);
    report.field("not vouched for", verdict.unvouched.join("; "));
}

pub(crate) fn warn_of_setup(report: &mut Report, verdict: &Verdict) {
    if verdict.setup.is_some_and(|s| s.is_unsafe_dev()) {
        report.warn("UNSAFE DEVELOPMENT SETUP: anybody can forge such a proof; it proves nothing to anybody");
    }
}

/// The same for scripts.
pub(crate) fn set_verdict(report: &mut Report, claim: &Claim, card: &Card, verdict: Verdict) {
    report.set("holds", true);
    report.set("claim", verdict.sentence);
    report.set("claim_digest", claim.digest().to_string());
    report.set("card_id", card.id().to_string());
    report.set("owner", card.owner().fingerprint().to_string());
    report.set("engine", claim.engine.name());
    report.set("context", claim.context.as_str());
    report.set("input_commitment", claim.input_commitment().map(ToString::to_string));
    report.set("hidden", verdict.hidden);
    report.set("not_vouched_for", verdict.unvouched);
    report.set("setup", setup_json(verdict.setup.as_ref()));
}

fn seen_path(args: &Verify) -> String {
    args.data.as_ref().map_or_else(String::new, |path| path.display().to_string())
}

/// The test set as the claim speaks of it.
fn test_set(
    args: &Verify,
    claim: &Claim,
    card: &Card,
    report: &mut Report,
) -> Result<Option<TestSetFile>, Failure> {
    let (labels, columns) = match &claim.kind {
        ClaimKind::Accuracy(AccuracyClaim {
            data: DataClaim::Public { labels, .. }, requirements, ..
        }) => (Some(args.labels.as_deref().unwrap_or(labels.as_str())), Requirement::groupings(requirements)),
        ClaimKind::Predictions(PredictionsClaim { .. }) => (None, Vec::new()),
        ClaimKind::Accuracy(_) | ClaimKind::Inference(_) => {
            if args.data.is_some() {
                report.note("the claim is about no public test set: --data was not looked at");
            }
            return Ok(None);
        }
    };
    let Some(path) = &args.data else { return Ok(None) };
    load::test_set(path, card.schema(), &card.architecture().input_shape, labels, &columns, report).map(Some)
}

/// Whether a file of predictions is the one that the claim lists.
fn check_predictions(path: &Path, claim: &Claim, card: &Card) -> Result<(), Failure> {
    let ClaimKind::Predictions(PredictionsClaim { answers, .. }) = &claim.kind else {
        return Err(Failure::new("the claim lists no predictions").advise("leave out --predictions"));
    };
    let rows = |bytes: &[u8]| -> Result<Vec<csv::StringRecord>, csv::Error> {
        csv::ReaderBuilder::new().has_headers(false).from_reader(bytes).records().collect()
    };
    let file = tacit_core::files::read(path, 1 << 30)?;
    let given = rows(&file).map_err(|e| {
        Failure::new(format!("{}: {e}", path.display()))
            .advise("pass the CSV file that was written with the proof")
    })?;
    let expected = rows(&predictions::csv(card.architecture(), answers)?)
        .map_err(|e| Failure::new(format!("the predictions cannot be compared: {e}")))?;
    if given == expected {
        return Ok(());
    }
    let row =
        given.iter().zip(&expected).position(|(a, b)| a != b).unwrap_or(given.len().min(expected.len()));
    let place = if row == 0 {
        "the header differs".to_owned()
    } else {
        format!("they differ from row {} on", row - 1)
    };
    Err(Failure::new(format!(
        "{}: these are not the predictions that the proof is about: {place}",
        path.display()
    ))
    .code(DOES_NOT_HOLD)
    .advise("do not rely on this file"))
}

pub(crate) fn tell_inference(
    report: &mut Report,
    Inference { input, output, .. }: &Inference,
    claim: &Claim,
    card: &Card,
    answer: Option<&OutputOpening>,
) {
    let record = if let InputClaim::Revealed { record } = input { Some(record.clone()) } else { None };
    report.set("record", record);
    let commitment = if let OutputClaim::Hidden { commitment } = output { Some(commitment) } else { None };
    report.set("output_commitment", commitment.map(ToString::to_string));
    let values = claim.output_values().or(answer.map(|a| a.values.as_slice()));
    report.set("output_values", values.map(<[i64]>::to_vec));
    let architecture = card.architecture();
    let stated = claim.facts().iter().find_map(|fact| match fact {
        AnswerFact::Class { index } => Some(*index as usize),
        AnswerFact::Top { .. } | AnswerFact::Bound(_) => None,
    });
    let class = values.and_then(|v| architecture.predicted_class(v)).or(stated);
    let class = class.and_then(|i| architecture.schema.classes.get(i));
    report.set("class", class.map(|c| crate::report::plain(&c.name)));
    let facts: Vec<String> = claim.facts().iter().map(|fact| fact.text(&card.answers())).collect();
    report.set("facts", facts);
}
