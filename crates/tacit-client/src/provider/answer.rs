//! From a sealed request to a sealed answer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rand_core::CryptoRngCore;
use tacit_claim::{EngineId, OwnerKey, RecordError};
use tacit_core::{CoreError, Silent, opens_input};
use tacit_exchange::{
    Answer, MessageError, OpenedRequest, Prekeys, Refusal, RequestId, SealError, SealedRequest,
    SealedResponse, Unopened,
};

use super::model::{Offered, ProviderModel};

/// What is said of a panic: its message could hold values.
const DEFECT: &str = "answering met a defect of tacit";
/// How often a proof is tried that should work.
const TRIES: usize = 2;

/// Answers requests for one model.
#[derive(Debug)]
pub(crate) struct Answerer<'a> {
    pub(crate) model: &'a ProviderModel,
    pub(crate) key: &'a OwnerKey,
    pub(crate) offered: &'a [Offered],
    /// Seconds after which requests are too old.
    pub(crate) max_age: u64,
}

/// An answer, sealed.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) response: SealedResponse,
    pub(crate) said: Said,
    /// The engine that was asked for.
    pub(crate) asked: Option<EngineId>,
}

/// What was said to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// An answer with its proof.
    Proved(EngineId),
    /// A sealed refusal. Which, the patient alone reads.
    Refused,
    /// That proving failed, with what failed: nothing of the record.
    Failed(String),
    /// That it could not be opened.
    NotOpened(Unopened),
}

/// Why a request gets no answer at all: it is not one that the relay may give us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswerable {
    #[error("the relay handed out another request, {0}, under this one's id")]
    OtherRequest(RequestId),
    #[error("the request is for another card")]
    OtherCard,
    #[error("the answer cannot be sealed: {0}")]
    Seal(#[from] SealError),
}

impl Answerer<'_> {
    /// Bytes of the longest proof file that is made: every answer is padded like that.
    fn least(&self) -> usize {
        self.offered.iter().map(|o| o.bytes).max().unwrap_or(0)
    }

    /// The answer to the request `id`, whose bytes the relay says these are.
    pub(crate) fn answer(
        &self,
        id: RequestId,
        bytes: &[u8],
        prekeys: &Prekeys,
        now: u64,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Made, Unanswerable> {
        let not_opened = |why| Made {
            response: SealedResponse::not_opened(id, why, self.key),
            said: Said::NotOpened(why),
            asked: None,
        };
        // Nothing is signed about a request other than the one with this id.
        if RequestId::of(bytes) != id {
            return Err(Unanswerable::OtherRequest(RequestId::of(bytes)));
        }
        let Ok(request) = SealedRequest::from_bytes(bytes) else {
            return Ok(not_opened(Unopened::Damaged));
        };
        if request.header().card_id != self.model.card.id() {
            return Err(Unanswerable::OtherCard);
        }
        let Some(prekey) = prekeys.get(request.header().prekey_id) else {
            return Ok(not_opened(Unopened::PrekeyGone));
        };
        let opened = match OpenedRequest::open(&request, prekey) {
            Ok(opened) => opened,
            Err(MessageError::OtherPrekey) => return Ok(not_opened(Unopened::PrekeyGone)),
            Err(_) => return Ok(not_opened(Unopened::Damaged)),
        };
        // A defect that a stranger's record meets must not stop one worker after the other.
        let checked = catch_unwind(AssertUnwindSafe(|| self.check(&opened, now)));
        let (answer, said) = match checked {
            Ok(Ok(())) => self.prove(&opened, rng),
            Ok(Err(refusal)) => (Answer::Refused(refusal), Said::Refused),
            Err(_) => (Answer::Refused(Refusal::Failed), Said::Failed(DEFECT.to_owned())),
        };
        let response = opened.answer(&answer, self.least(), self.key, rng)?;
        Ok(Made { response, said, asked: Some(opened.engine()) })
    }

    /// Whether a proof can be made of what is asked: age, engine, schema, length, ranges, and whether record and salt
    /// open the commitment.
    fn check(&self, opened: &OpenedRequest, now: u64) -> Result<(), Refusal> {
        let age = now.saturating_sub(opened.header().created_at);
        if age > self.max_age {
            return Err(Refusal::Expired { age, max: self.max_age });
        }
        let (card, engine, input) = (&self.model.card, opened.engine(), opened.input());
        if !self.offered.iter().any(|o| o.engine == engine) {
            return Err(Refusal::Engine);
        }
        if input.schema_digest != card.schema_digest() {
            return Err(Refusal::WrongSchema);
        }
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        match card.check_record(&input.record) {
            Ok(()) => {}
            Err(RecordError::Length { .. }) => {
                let (expected, actual) = (small(card.schema().features.len()), small(input.record.len()));
                return Err(Refusal::WrongLength { expected, actual });
            }
            Err(_) => {
                let outside = card.schema().features.iter().zip(&input.record);
                let found = outside.enumerate().find(|(_, (f, v))| !(f.min..=f.max).contains(v));
                return Err(found.map_or(Refusal::Failed, |(feature, (_, value))| Refusal::OutOfRange {
                    feature: small(feature),
                    value: *value,
                }));
            }
        }
        match opens_input(card, &input, engine) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refusal::OtherCommitment),
            Err(_) => Err(Refusal::Failed),
        }
    }

    fn prove(&self, opened: &OpenedRequest, rng: &mut dyn CryptoRngCore) -> (Answer, Said) {
        let mut why = String::new();
        for _ in 0..TRIES {
            let proved = catch_unwind(AssertUnwindSafe(|| {
                let (engine, context) = (opened.engine(), opened.context());
                self.model.prove(engine, &opened.input(), context, &mut *rng, &Silent)
            }));
            match proved {
                Ok(Ok(proved)) => return (Answer::Proved(proved.bundle), Said::Proved(opened.engine())),
                Ok(Err(e)) => why = without_values(&e),
                Err(_) => DEFECT.clone_into(&mut why),
            }
        }
        (Answer::Refused(Refusal::Failed), Said::Failed(why))
    }
}

/// What an error says where it can say nothing of a record.
fn without_values(e: &CoreError) -> String {
    match e {
        CoreError::Record(_)
        | CoreError::Evaluation(_)
        | CoreError::Trace(_)
        | CoreError::Opening(_)
        | CoreError::Claim(_)
        | CoreError::DoesNotHold(_) => "the record cannot be proved".to_owned(),
        other => other.to_string(),
    }
}
