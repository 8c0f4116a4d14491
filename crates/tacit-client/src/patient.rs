//! The patient's side: sealing a record, fetching the answer, and believing it only once it is verified.

use std::time::{Duration, Instant};

use rand_core::CryptoRngCore;
use tacit_claim::{Bundle, ClaimKind, CommitmentPin, Context, Disclosure, EngineId, OutputClaim};
use tacit_core::{
    CoreError, Expectations, Memory, Outcome, Progress, Supplied, Verdict, commit_input, verify,
};
use tacit_exchange::{
    Answer, Ask, AskError, MessageError, PendingRequest, ProviderDocument, ProviderError, Refusal,
    ResponseError, SealedResponse, Unopened,
};

use crate::fetch::Published;
use crate::relay::{Fetched, Patience, RelayAddress, RelayClient, RelayError, unix_now};

/// Why a record is not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealRecordError {
    /// The record, or the engine.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// No prekey.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The message.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The card was not made for that engine.
    #[error("card {card} was not made for the {engine} engine")]
    Engine {
        /// The card.
        card: tacit_claim::CardId,
        /// The engine asked for.
        engine: EngineId,
    },
}

/// Commits to a record and seals it for the provider of a card. What comes back opens the answer: it is to be on disk
/// before anything is [posted](post).
///
/// # Errors
/// [`SealRecordError`].
pub fn seal_record(
    published: &Published,
    provider: &ProviderDocument,
    record: Vec<i64>,
    engine: Option<EngineId>,
    relay: &RelayAddress,
    rng: &mut dyn CryptoRngCore,
) -> Result<PendingRequest, SealRecordError> {
    let card = &published.card;
    let has = |engine: &EngineId| card.commitments().get(*engine).is_some();
    let engine = match engine {
        Some(engine) if has(&engine) => engine,
        Some(engine) => return Err(SealRecordError::Engine { card: card.id(), engine }),
        None if has(&EngineId::Sumcheck) => EngineId::Sumcheck,
        None => EngineId::Halo2,
    };
    let now = unix_now();
    let prekey = provider.prekey_at(now)?;
    let input = commit_input(card, record, rng)?;
    let ask = Ask { card, prekey, engine, input: &input, now };
    Ok(ask.seal(relay.to_string(), rng)?.with_points(published.points.clone()))
}

/// Leaves a request at its relay. As often as it takes: the same request twice is one.
///
/// # Errors
/// [`RelayError`].
pub fn post(relay: &RelayClient, pending: &PendingRequest) -> Result<(), RelayError> {
    relay.post_request(pending.id(), pending.request().to_bytes())
}

/// Why an answer is not believed, or there is none.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The relay.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// Not in time.
    #[error("no answer within {} s", .0.as_secs())]
    NotYet(Duration),
    /// The request was deleted, or waited too long.
    #[error("the relay has deleted the request: its sender asked for that, or it waited too long")]
    Gone,
    /// The relay forgets the request as often as it is sent.
    #[error("the relay does not keep the request: it was sent {0} times")]
    Forgotten(u32),
    /// What the relay handed out is no answer of this provider to this request.
    #[error("what the relay handed out is not the provider's answer: {0}")]
    NotTheAnswer(ResponseError),
    /// The provider signed it, and it cannot be read.
    #[error("the answer is signed by the provider and cannot be read: {0}")]
    Unreadable(ResponseError),
    /// The provider could not open the request.
    #[error("the provider could not open the request: {0}")]
    NotOpened(Unopened),
    /// The provider refused.
    #[error("the provider refused: {}", refusal_text(.0))]
    Refused(Refusal),
    /// The proof holds, about another record.
    #[error(
        "the provider answered with a valid proof for somebody else's record: it is about {}, yours was committed to as {expected}",
        .actual.as_ref().map_or_else(|| "a record that it shows".to_owned(), |pin| format!("the record committed to as {pin}"))
    )]
    OtherRecord {
        /// The commitment to the patient's own record.
        expected: CommitmentPin,
        /// The claim's.
        actual: Option<CommitmentPin>,
    },
    /// The proof holds, and was made for another request.
    #[error(
        "the provider answered with a valid proof that was made for another request: its context is `{actual}`, not `{expected}`"
    )]
    OtherRequest {
        /// The context of this request.
        expected: Context,
        /// The claim's.
        actual: Context,
    },
    /// The proof is about something else than an answer of the model.
    #[error("the provider's proof does not say what the model answers")]
    NoAnswer,
    /// The proof does not hold, or cannot be verified here.
    #[error("the provider's proof: {0}")]
    Proof(CoreError),
}

/// Whose fault it is: an answer's signature is checked before anything in it is opened.
impl From<ResponseError> for ReceiveError {
    fn from(e: ResponseError) -> Self {
        match e {
            ResponseError::Bundle(_)
            | ResponseError::Message(MessageError::Seal(_) | MessageError::Content(_)) => Self::Unreadable(e),
            ResponseError::Message(_) => Self::NotTheAnswer(e),
        }
    }
}

impl ReceiveError {
    /// What it means.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::NotTheAnswer(ResponseError::Message(
                MessageError::Version { .. } | MessageError::Suite(_),
            ))
            | Self::Relay(_)
            | Self::NotYet(_)
            | Self::Gone
            | Self::Forgotten(_)
            | Self::NotOpened(_)
            | Self::Refused(_) => Outcome::Unusable,
            Self::Unreadable(e) if is_newer(e) => Outcome::Unusable,
            Self::NotTheAnswer(_)
            | Self::Unreadable(_)
            | Self::OtherRecord { .. }
            | Self::OtherRequest { .. }
            | Self::NoAnswer => Outcome::DoesNotHold,
            Self::Proof(e) => e.outcome(),
        }
    }

    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Relay(e) => return e.advice(),
            Self::NotYet(_) => "the request waits at the relay: run the same command again later".to_owned(),
            Self::Forgotten(_) => "try again later, or use another relay".to_owned(),
            Self::NotTheAnswer(ResponseError::Message(
                MessageError::Version { .. } | MessageError::Suite(_),
            )) => "update tacit, or ask the provider to".to_owned(),
            Self::Unreadable(e) if is_newer(e) => {
                "update tacit, or ask the provider to use an older one".to_owned()
            }
            Self::Unreadable(_) => {
                "tell the provider, whose program made it; nobody on the way could".to_owned()
            }
            Self::NotTheAnswer(_) => {
                "do not rely on it: the relay is wrong or lies. Your record was not shown to it; try \
                again, or use another relay"
                    .to_owned()
            }
            Self::Gone | Self::NotOpened(_) => "send the record again with `tacit patient send`".to_owned(),
            Self::Refused(refusal) => refusal_advice(refusal).to_owned(),
            Self::OtherRecord { .. } | Self::OtherRequest { .. } | Self::NoAnswer => {
                "do not rely on this answer; tell the provider".to_owned()
            }
            // The provider signed it: it is not damaged on its way, and no other card or file would help.
            Self::Proof(e) if e.outcome() == Outcome::DoesNotHold => {
                "do not rely on this answer; tell the provider, who signed it".to_owned()
            }
            Self::Proof(e) => e.advice()?,
        })
    }
}

/// Whether an answer holds what a later version made.
fn is_newer(e: &ResponseError) -> bool {
    matches!(e, ResponseError::Bundle(e) if e.newer_than().is_some())
}

/// A refusal in words that need no schema: of a feature, its place.
fn refusal_text(refusal: &Refusal) -> String {
    match refusal {
        Refusal::WrongSchema => "the record is for another schema than the card's".to_owned(),
        Refusal::WrongLength { expected, actual } => {
            format!("the record has {actual} values; the model takes {expected}")
        }
        Refusal::OutOfRange { feature, .. } => {
            format!("value {} of the record is outside the range that the card allows", feature + 1)
        }
        Refusal::OtherCommitment => {
            "record and salt do not open the commitment that came with them".to_owned()
        }
        Refusal::Engine => "it does not prove by the engine that was asked for".to_owned(),
        Refusal::Expired { age, max } => {
            format!("the request was {age} seconds old when it was opened; at most {max} are answered")
        }
        Refusal::Failed => "it failed while answering".to_owned(),
    }
}

const fn refusal_advice(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::WrongSchema | Refusal::WrongLength { .. } | Refusal::OtherCommitment => {
            "the record was checked against the card before it was sent: tell the provider"
        }
        Refusal::OutOfRange { .. } => {
            "correct the record and send it again, or ask for a model with a wider range"
        }
        Refusal::Engine => "send the record again with another --engine",
        Refusal::Expired { .. } => {
            "send the record again; if it was sent just now, this machine's clock or the provider's is wrong"
        }
        Refusal::Failed => "send the record again later, or tell the provider",
    }
}

/// The longest that the relay is asked to wait at a time.
const POLL: Duration = Duration::from_secs(30);
/// How often a request is sent anew that the relay does not know.
const POSTS: u32 = 5;

/// Waits for the sealed answer to a request, and sends the request again where the relay does not know it. Nothing of
/// what comes is believed yet.
///
/// # Errors
/// [`ReceiveError::Relay`], [`ReceiveError::NotYet`], [`ReceiveError::Forgotten`].
pub fn fetch(relay: &RelayClient, pending: &PendingRequest, wait: Duration) -> Result<Vec<u8>, ReceiveError> {
    let until = Instant::now() + wait;
    let mut posts = 0;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let patience =
            Patience { total: left.max(Patience::default().total.min(wait)), ..Patience::default() };
        let relay = relay.with_patience(patience);
        match relay.response(pending.id(), pending.capability(), POLL.min(left))? {
            Fetched::Answer(bytes) => return Ok(bytes),
            Fetched::Gone => return Err(ReceiveError::Gone),
            Fetched::Unknown if posts == POSTS => return Err(ReceiveError::Forgotten(posts)),
            Fetched::Unknown => {
                if posts > 0 {
                    std::thread::sleep(Duration::from_millis(200));
                }
                post(&relay, pending)?;
                posts += 1;
            }
            Fetched::Pending if until <= Instant::now() => return Err(ReceiveError::NotYet(wait)),
            // A relay that does not wait is not asked without pause.
            Fetched::Pending => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// An answer that was verified: the card's model gave it on the patient's own record, for this request.
#[derive(Debug)]
pub struct Diagnosis {
    /// The claim with its proof.
    pub bundle: Bundle,
    /// What verification says.
    pub verdict: Verdict,
}

/// Opens a sealed answer and verifies its proof against the pinned card, the patient's own commitment and this
/// request.
///
/// # Errors
/// [`ReceiveError`]; nothing of an answer that is not verified is in it.
pub fn believe(
    pending: &PendingRequest,
    sealed: &[u8],
    memory: &impl Memory,
    allow_dev_srs: bool,
    progress: &dyn Progress,
) -> Result<Diagnosis, ReceiveError> {
    let response = SealedResponse::from_bytes(sealed)
        .map_err(|e| ReceiveError::NotTheAnswer(ResponseError::Message(e)))?;
    let bundle = match pending.open(&response)? {
        Ok(Answer::Proved(bundle)) => bundle,
        Ok(Answer::Refused(refusal)) => return Err(ReceiveError::Refused(refusal)),
        Err(why) => return Err(ReceiveError::NotOpened(why)),
    };
    let claim = bundle.claim();
    match &claim.kind {
        ClaimKind::Inference(inference) if matches!(inference.output, OutputClaim::Public { .. }) => {}
        _ => return Err(ReceiveError::NoAnswer),
    }
    // Record and context are looked at last: a proof that holds for something else is told from one that does not.
    let expected = Expectations { card: Some(pending.card().id()), allow_dev_srs, ..Expectations::default() };
    let supplied = Supplied { points: pending.points(), ..Supplied::default() };
    let verdict = verify(memory, &bundle, pending.card(), supplied, &expected, progress)
        .map_err(ReceiveError::Proof)?;
    let own = pending.commitment();
    if claim.engine != pending.engine() || !claim.input_commitment().is_some_and(|c| own.matches(c)) {
        let expected = pending.input().commitments[&pending.engine()].commitment.pin();
        let actual = claim.input_commitment().map(tacit_claim::Commitment::pin);
        return Err(ReceiveError::OtherRecord { expected, actual });
    }
    if claim.context != pending.context() {
        return Err(ReceiveError::OtherRequest {
            expected: pending.context(),
            actual: claim.context.clone(),
        });
    }
    Ok(Diagnosis { bundle, verdict })
}

/// One file that proves an answer to somebody else: the proof with the pinned card. It names no request and no relay.
#[must_use]
pub fn disclose(pending: &PendingRequest, diagnosis: Diagnosis) -> Disclosure {
    Disclosure { bundle: diagnosis.bundle, card: pending.card().clone(), points: pending.points().cloned() }
}
