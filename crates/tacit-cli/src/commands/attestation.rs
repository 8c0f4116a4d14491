//! Signed verdicts: `tacit verify --attest` signs one, `tacit attestation` checks one.

use std::path::{Path, PathBuf};

use tacit_claim::{Bundle, Card, Fingerprint, OwnerKey};
use tacit_competition::{ExpectedVerifier, FileDigest, Finding, SignedVerdict, Tool, Verdict, VerdictError};
use tacit_core::CoreError;
use tacit_core::files::{self, Access};

use crate::args::verify::{Attestation, Verify};
use crate::failure::{DOES_NOT_HOLD, Failure};
use crate::keys::owner_key;
use crate::load::{self, ProofFile};
use crate::outputs;
use crate::report::{GOOD, PLAIN, Report, plain};

/// Who signs what was found, and where it goes.
pub(crate) struct Signer {
    key: OwnerKey,
    pub(crate) path: PathBuf,
    force: bool,
}

impl Signer {
    /// The signer that the arguments ask for.
    pub(crate) fn of(args: &Verify) -> Result<Option<Self>, Failure> {
        let Some(key_path) = &args.attest else { return Ok(None) };
        let path = args.attestation.clone().unwrap_or_else(|| verdict_path(&args.proof));
        let optional = [&args.model, &args.data, &args.predictions, &args.answer];
        let mut inputs: Vec<_> = optional.into_iter().map(Option::as_deref).collect();
        let points = args.card.as_deref().map(load::points_path);
        inputs.extend([Some(&*args.proof), args.card.as_deref(), points.as_deref(), Some(key_path)]);
        outputs::check([&*path], &inputs, args.force.force)?;
        Ok(Some(Self { key: owner_key(key_path, &args.unlock)?, path, force: args.force.force }))
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.key.public().fingerprint()
    }

    /// Signs what was found of a claim that is about this card.
    pub(crate) fn sign(&self, bundle: &Bundle, card: &Card, finding: Finding) -> Result<(), Failure> {
        let claim = bundle.claim();
        let mut unvouched = claim.unvouched();
        unvouched.extend(card.unvouched());
        let verdict = Verdict {
            sentence: claim.sentence(card).map_err(CoreError::from)?,
            verdict: finding,
            evidence: FileDigest::of(&bundle.to_bytes()),
            claim_digest: claim.digest(),
            dataset_digest: claim.dataset_digest().map(Into::into),
            context: claim.context.clone(),
            engine: claim.engine,
            hidden: claim.hidden(card).into_iter().map(str::to_owned).collect(),
            unvouched,
            tool: Tool {
                name: env!("CARGO_BIN_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
        };
        let envelope = SignedVerdict::sign(card.id(), verdict, &self.key);
        Ok(files::write(&self.path, &envelope, Access::Public, self.force)?)
    }

    /// Signs a verdict against, where it is the proof itself that fails, and not what somebody wanted it to be
    /// about; the failure then says so.
    pub(crate) fn sign_against(&self, bundle: &Bundle, card: &Card, error: CoreError) -> Failure {
        let is_judged = matches!(
            error,
            CoreError::DoesNotHold(_) | CoreError::Certificate(..) | CoreError::WeightsDiffer
        );
        let failure = Failure::from(error);
        if !is_judged {
            return failure.also("no verdict was signed: the proof itself was not judged");
        }
        let finding = Finding::DoesNotHold { reason: plain(&failure.message) };
        match self.sign(bundle, card, finding) {
            Ok(()) => failure.also(format!("the verdict against it is signed: {}", self.path.display())),
            Err(e) => failure.also(format!("the verdict could not be written: {}", e.message)),
        }
    }
}

/// Where a verdict lies beside its proof.
fn verdict_path(proof: &Path) -> PathBuf {
    outputs::beside(proof, ".verdict.json")
}

pub(crate) fn run(args: &Attestation) -> Result<Report, Failure> {
    let envelope = load::verdict(&args.file)?;
    let expected = ExpectedVerifier::Fingerprint(args.verifier);
    let signed = SignedVerdict::verify(&envelope, &expected).map_err(|e| failure(&args.file, &e))?;
    let SignedVerdict { card, verdict, .. } = &signed;
    if let Some(expected) = args.expect_card.filter(|id| id != card) {
        return Err(elsewhere(format!("the verdict is about card {card}, not about {expected}")));
    }
    if let Some(path) = &args.proof {
        // Of a proof with its card, the verdict is about the proof in it, and the card too.
        let ProofFile { bundle, card: own, .. } = load::proof_or_disclosure(path)?;
        if let Some(own) = own.as_ref().map(Card::id).filter(|own| own != card) {
            let path = path.display();
            return Err(elsewhere(format!("the verdict is about card {card}, and {path} brings card {own}")));
        }
        let found = FileDigest::of(&bundle.to_bytes());
        let is = if own.is_some() { "holds" } else { "is" };
        if found != verdict.evidence {
            let (path, evidence) = (path.display(), verdict.evidence);
            return Err(elsewhere(format!(
                "the verdict is about the proof file {evidence}, and {path} {is} {found}"
            )));
        }
    }
    let mut report = Report::default();
    tell(&mut report, &signed);
    if let Finding::DoesNotHold { reason } = &verdict.verdict {
        return Err(Failure::new(format!("says {}: {}", args.verifier, plain(reason)))
            .code(DOES_NOT_HOLD)
            .advise("the verifier refused the proof: do not rely on it"));
    }
    if args.proof.is_none() {
        report.note("the proof was not compared: name it with --proof");
    }
    if args.expect_card.is_none() {
        report.note(format!("is {card} the card you were told of? Pin it with --expect-card"));
    }
    report.set("holds", true);
    Ok(report)
}

fn elsewhere(message: String) -> Failure {
    Failure::new(message).code(DOES_NOT_HOLD).advise("ask for the verdict on the proof that you mean")
}

/// A verdict that is not by the verifier, or none at all.
fn failure(path: &Path, e: &VerdictError) -> Failure {
    let failure = Failure::new(format!("{}: {e}", path.display()));
    match e {
        VerdictError::Verifier | VerdictError::Envelope(tacit_competition::EnvelopeError::Signature) => {
            failure.code(DOES_NOT_HOLD).advise("do not rely on this verdict")
        }
        _ => failure.advise("use the file as `tacit verify --attest` wrote it"),
    }
}

/// What a verdict says.
pub(crate) fn tell(report: &mut Report, signed: &SignedVerdict) {
    let SignedVerdict { card, verdict, verifier } = signed;
    if verdict.verdict == Finding::Holds {
        report.line(GOOD, format!("HOLDS, says {}", verifier.fingerprint()));
    }
    report.line(PLAIN, plain(&verdict.sentence));
    report.field("stays hidden", listed(&verdict.hidden, ", "));
    report.field("not vouched for", listed(&verdict.unvouched, "; "));
    report.field("card", card.to_string());
    report.field("proof file", verdict.evidence.to_string());
    if let Some(digest) = &verdict.dataset_digest {
        report.field("test set", digest.to_string());
    }
    let tool = format!("{} {}", plain(&verdict.tool.name), plain(&verdict.tool.version));
    report.field("verified by", format!("{tool}, {} engine", verdict.engine));
    report.set("claim", plain(&verdict.sentence));
    report.set("claim_digest", verdict.claim_digest.to_string());
    report.set("card_id", card.to_string());
    report.set("proof_sha256", verdict.evidence.to_string());
    report.set("dataset_digest", verdict.dataset_digest.map(|d| d.to_string()));
    report.set("context", verdict.context.as_str());
    report.set("engine", verdict.engine.name());
    report.set("hidden", verdict.hidden.clone());
    report.set("not_vouched_for", verdict.unvouched.clone());
    report.set("tool", tool);
    report.set("verifier", verifier.fingerprint().to_string());
}

fn listed(items: &[String], between: &str) -> String {
    if items.is_empty() { "nothing".to_owned() } else { plain(&items.join(between)) }
}
