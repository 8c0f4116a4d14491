//! Signed verdicts: what a verifier found of a proof, for those who cannot verify it themselves and trust the
//! verifier. An [in-toto Statement](https://in-toto.io/Statement/v1) in a DSSE envelope.
//!
//! The subject is the card by its SHA-256; the predicate says what was found, of which proof. A verdict is
//! the verifier's word, as good as its key; the proof itself needs nobody's word.

use serde::{Deserialize, Serialize};
use tacit_claim::{CardId, ClaimDigest, Context, EngineId, Fingerprint, OwnerKey, OwnerPublicKey};

use crate::dsse::{self, Envelope, EnvelopeError};
use crate::ids::{FileDigest, TestSetDigest};
use crate::text::shown;
use tacit_claim::format_tag;
use tacit_claim::strict_json as json;

const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Whether the claim holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// The proof was verified.
    Holds,
    /// It was not.
    DoesNotHold {
        /// Why not.
        reason: String,
    },
}

/// The program that verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What a verifier found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedVerdict {
    /// The card.
    pub card: CardId,
    /// What was found.
    pub verdict: Verdict,
    /// Who says so.
    pub verifier: OwnerPublicKey,
}

/// The predicate of a verdict, without the verifier's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The claim as a sentence.
    pub sentence: String,
    /// Whether it holds.
    pub verdict: Finding,
    /// SHA-256 of the proof file.
    pub evidence: FileDigest,
    /// The claim's digest.
    pub claim_digest: ClaimDigest,
    /// Digest of the test set, where the claim is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_digest: Option<TestSetDigest>,
    /// What the claim was made for.
    pub context: Context,
    /// The engine that proved it.
    pub engine: EngineId,
    /// What stays hidden.
    pub hidden: Vec<String>,
    /// What nobody vouched for.
    pub unvouched: Vec<String>,
    /// What verified.
    pub tool: Tool,
}

format_tag!(StatementTag, "https://in-toto.io/Statement/v1");
format_tag!(PredicateTag, SignedVerdict::PREDICATE_TYPE);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "_type")]
    kind: StatementTag,
    predicate: Predicate,
    predicate_type: PredicateTag,
    subject: [Subject; 1],
}

/// Fields that are not known are found out by the canonical form.
#[derive(Serialize, Deserialize)]
struct Predicate {
    #[serde(flatten)]
    finding: Verdict,
    verifier: OwnerPublicKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    digest: Sha256Set,
    name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sha256Set {
    sha256: CardId,
}

/// Whose verdict is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedVerifier {
    /// The holder of this key.
    Key(OwnerPublicKey),
    /// The holder of the key with this fingerprint.
    Fingerprint(Fingerprint),
}

/// Why a verdict is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerdictError {
    /// The envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The signed statement is no verdict in canonical form.
    #[error("the signed statement is no verdict of this version: {0}")]
    Statement(String),
    /// A verdict by somebody else.
    #[error("the verdict is not by the expected verifier")]
    Verifier,
}

impl SignedVerdict {
    /// Type of the statement's predicate.
    pub const PREDICATE_TYPE: &'static str = "urn:tacit:verdict:1";

    /// Signs a verdict: the bytes of a DSSE envelope, JSON.
    #[must_use]
    pub fn sign(card: CardId, verdict: Verdict, verifier: &OwnerKey) -> Vec<u8> {
        let statement = Statement {
            kind: StatementTag,
            predicate: Predicate { finding: verdict, verifier: verifier.public() },
            predicate_type: PredicateTag,
            subject: [Subject { digest: Sha256Set { sha256: card }, name: "card.json".to_owned() }],
        };
        dsse::seal(PAYLOAD_TYPE, &json::write(&statement), verifier)
    }

    /// Reads an envelope and checks that the expected verifier signed what is in it.
    ///
    /// Where only a fingerprint is known, the key is taken from the statement, compared with the fingerprint,
    /// and then used like one that was known.
    ///
    /// # Errors
    /// [`VerdictError`].
    pub fn verify(envelope: &[u8], expected: &ExpectedVerifier) -> Result<Self, VerdictError> {
        let envelope = Envelope::read(envelope)?;
        match expected {
            ExpectedVerifier::Key(key) => Self::open(envelope, *key),
            ExpectedVerifier::Fingerprint(fingerprint) => {
                let key = read(envelope.unchecked_payload())?.predicate.verifier;
                if key.fingerprint() != *fingerprint {
                    return Err(VerdictError::Verifier);
                }
                Self::open(envelope, key)
            }
        }
    }

    /// Reads an envelope and checks that the verifier whom it names signed it. Who that is, nobody said: to
    /// show what a file holds, and for nothing else.
    ///
    /// # Errors
    /// [`VerdictError`].
    pub fn read_unpinned(envelope: &[u8]) -> Result<Self, VerdictError> {
        let envelope = Envelope::read(envelope)?;
        let key = read(envelope.unchecked_payload())?.predicate.verifier;
        Self::open(envelope, key)
    }

    fn open(envelope: Envelope, key: OwnerPublicKey) -> Result<Self, VerdictError> {
        let statement = read(&envelope.open(PAYLOAD_TYPE, &key)?)?;
        if statement.predicate.verifier != key {
            return Err(VerdictError::Verifier);
        }
        let [subject] = statement.subject;
        Ok(Self { card: subject.digest.sha256, verdict: statement.predicate.finding, verifier: key })
    }
}

fn read(payload: &[u8]) -> Result<Statement, VerdictError> {
    let refused = |why: &str| VerdictError::Statement(shown(why));
    let statement: Statement = serde_json::from_slice(payload).map_err(|e| refused(&e.to_string()))?;
    if json::write(&statement) == payload { Ok(statement) } else { Err(refused("not in canonical form")) }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};
    use tacit_claim::testing::owner;

    use super::*;

    fn verdict() -> Verdict {
        Verdict {
            sentence: "The model of card … gets at least 342 of 360 right.".to_owned(),
            verdict: Finding::Holds,
            evidence: FileDigest([3; 32]),
            claim_digest: ClaimDigest([4; 32]),
            dataset_digest: Some(TestSetDigest([5; 32])),
            context: Context::new("a competition").expect("plain"),
            engine: EngineId::Sumcheck,
            hidden: vec!["weights".to_owned()],
            unvouched: vec!["test set attested by: nobody".to_owned()],
            tool: Tool { name: "tacit".to_owned(), version: "0.1.0".to_owned() },
        }
    }

    fn card() -> CardId {
        CardId([9; 32])
    }

    #[test]
    fn a_verdict_is_an_in_toto_statement() {
        let bytes = SignedVerdict::sign(card(), verdict(), &owner(1));
        let envelope: Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(envelope["payloadType"], "application/vnd.in-toto+json");
        assert_eq!(envelope["signatures"][0]["keyid"], owner(1).public().fingerprint().to_string());
        let payload = STANDARD.decode(envelope["payload"].as_str().expect("text")).expect("base64");
        let statement: Value = serde_json::from_slice(&payload).expect("JSON");
        assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
        assert_eq!(statement["predicateType"], "urn:tacit:verdict:1");
        let subject = json!([{"name": "card.json", "digest": {"sha256": "09".repeat(32)}}]);
        assert_eq!(statement["subject"], subject);
        assert_eq!(statement["predicate"]["verdict"], "holds");
        assert_eq!(statement["predicate"]["evidence"], "03".repeat(32));
    }

    #[test]
    fn a_verdict_is_its_verifiers_and_nobody_elses() {
        let (a, b) = (owner(1), owner(2));
        let bytes = SignedVerdict::sign(card(), verdict(), &a);
        let by_key = ExpectedVerifier::Key(a.public());
        let by_fingerprint = ExpectedVerifier::Fingerprint(a.public().fingerprint());
        let expected = SignedVerdict { card: card(), verdict: verdict(), verifier: a.public() };
        assert_eq!(SignedVerdict::verify(&bytes, &by_key), Ok(expected.clone()));
        assert_eq!(SignedVerdict::verify(&bytes, &by_fingerprint), Ok(expected.clone()));
        assert_eq!(SignedVerdict::read_unpinned(&bytes), Ok(expected));
        let other = ExpectedVerifier::Key(b.public());
        assert_eq!(SignedVerdict::verify(&bytes, &other), Err(EnvelopeError::Signature.into()));
        let other = ExpectedVerifier::Fingerprint(b.public().fingerprint());
        assert_eq!(SignedVerdict::verify(&bytes, &other), Err(VerdictError::Verifier));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            // The hint which key it is, and names and places of fields, are nobody's word.
            if let Ok(read) = SignedVerdict::verify(&bad, &by_key) {
                assert_eq!(read.verdict, verdict(), "flipped byte {at}");
            }
        }
    }

    #[test]
    fn only_verdicts_are_read_from_what_is_signed() {
        let key = owner(1);
        let by_key = ExpectedVerifier::Key(key.public());
        let bytes = SignedVerdict::sign(card(), verdict(), &key);
        let envelope: Value = serde_json::from_slice(&bytes).expect("JSON");
        let payload = STANDARD.decode(envelope["payload"].as_str().expect("text")).expect("base64");
        let text = String::from_utf8(payload).expect("JSON");
        let other = owner(2).public().to_string();
        for (from, to) in [
            ("Statement/v1", "Statement/v2"),
            ("urn:tacit:verdict:1", "urn:tacit:verdict:2"),
            ("\"holds\"", "\"perhaps\""),
            ("\"holds\"", "1e400"),
            ("{\"_type\"", "{ \"_type\""),
            ("\"hidden\"", "\"hidden_\""),
        ] {
            let changed = dsse::seal(PAYLOAD_TYPE, text.replacen(from, to, 1).as_bytes(), &key);
            let read = SignedVerdict::verify(&changed, &by_key);
            assert!(matches!(read, Err(VerdictError::Statement(_))), "{from} to {to}: {read:?}");
        }
        let theirs = text.replace(&key.public().to_string(), &other);
        let read = SignedVerdict::verify(&dsse::seal(PAYLOAD_TYPE, theirs.as_bytes(), &key), &by_key);
        assert_eq!(read, Err(VerdictError::Verifier), "a verdict that names another verifier");
        let refused = Verdict { verdict: Finding::DoesNotHold { reason: "no".to_owned() }, ..verdict() };
        let bytes = SignedVerdict::sign(card(), refused.clone(), &key);
        assert_eq!(SignedVerdict::verify(&bytes, &by_key).map(|v| v.verdict), Ok(refused));
    }
}
