//! Does a claim fit a card? Checked by whoever makes a claim and by whoever verifies one, before any proving work.

use tacit_model::{Dataset, ValueBounds, format_decimal};

use crate::answer::{AnswerError, AnswerFact};
use crate::bytes::{CardId, SchemaDigest};
use crate::card::{Card, OutOfRange};
use crate::claim::{Claim, ClaimKind, Inference, InputClaim, OutputClaim, WeightsClaim};
use crate::engine::EngineId;
use crate::opening::{DatasetOpening, InputOpening, WeightsOpening};
use crate::requirement::{Metric, Requirement, RequirementError, Scope};
use crate::test_set::{AccuracyClaim, AnswersClaim, DataClaim, PredictionsClaim};
use crate::text::{Context, printable};

impl Claim {
    /// Makes a claim about a card's model.
    ///
    /// # Errors
    /// [`ClaimMismatch`] when the card cannot back such a claim.
    pub fn new(
        card: &Card,
        engine: EngineId,
        kind: impl Into<ClaimKind>,
        context: Context,
    ) -> Result<Self, ClaimMismatch> {
        let claim = Self {
            engine,
            card_id: card.id(),
            architecture_digest: card.architecture_digest(),
            kind: kind.into(),
            context,
            attestations: Vec::new(),
        };
        claim.check_against(card)?;
        Ok(claim)
    }

    /// Checks that the claim is about this card and could hold for it: engine, lengths, ranges, bounds, openness.
    ///
    /// # Errors
    /// [`ClaimMismatch`]; [`ClaimMismatch::is_other_card`] tells a claim about another card from an impossible one.
    pub fn check_against(&self, card: &Card) -> Result<(), ClaimMismatch> {
        use ClaimMismatch as M;
        if self.card_id != card.id() {
            return Err(M::OtherCard { expected: card.id(), actual: self.card_id });
        }
        if card.commitments().get(self.engine).is_none() {
            return Err(M::Engine { engine: self.engine, card: card.commitments().engines().collect() });
        }
        if self.architecture_digest != card.architecture_digest() {
            return Err(M::ArchitectureDigest {
                expected: hex::encode(card.architecture_digest().0),
                actual: hex::encode(self.architecture_digest.0),
            });
        }
        match &self.kind {
            ClaimKind::Inference(inference) => check_inference(inference, card)?,
            ClaimKind::Accuracy(accuracy) => check_accuracy(accuracy, self.engine, card)?,
            ClaimKind::Predictions(predictions) => check_predictions(predictions, card)?,
        }
        if self.weights() == WeightsClaim::Revealed && !card.weights().is_public() {
            return Err(M::WeightsHidden);
        }
        Ok(())
    }
}

fn check_inference(inference: &Inference, card: &Card) -> Result<(), ClaimMismatch> {
    if let InputClaim::Revealed { record } = &inference.input {
        card.check_record(record)?;
    }
    match &inference.output {
        OutputClaim::Public { values } => check_outputs(values, 1, card),
        OutputClaim::Hidden { .. } => Ok(()),
        OutputClaim::Facts { facts } => Ok(AnswerFact::check_all(facts, &card.answers())?),
    }
}

/// As many output integers as `samples` records have, within the architecture's bounds.
fn check_outputs(values: &[i64], samples: u64, card: &Card) -> Result<(), ClaimMismatch> {
    use ClaimMismatch as M;
    let (expected, bounds) = (card.output_len(), card.output_bounds());
    if usize::try_from(samples).ok().and_then(|n| n.checked_mul(expected)) != Some(values.len()) {
        return Err(M::OutputLength { expected, samples, actual: values.len() });
    }
    match values.iter().position(|v| *v < bounds.lo || *v > bounds.hi) {
        Some(index) => Err(M::OutputBounds { index, value: values[index], bounds }),
        None => Ok(()),
    }
}

fn check_accuracy(claim: &AccuracyClaim, engine: EngineId, card: &Card) -> Result<(), ClaimMismatch> {
    use ClaimMismatch as M;
    if claim.samples == 0 {
        return Err(M::NoRecords);
    }
    if !(1..=Requirement::MAX).contains(&claim.requirements.len()) {
        return Err(M::Requirements(claim.requirements.len()));
    }
    claim.requirements.iter().try_for_each(|r| r.check(card.schema()))?;
    let hidden = matches!(claim.data, DataClaim::Hidden { .. });
    if let DataClaim::Hidden { commitment } = &claim.data {
        let (samples, schema) = (claim.samples, card.schema());
        if DataClaim::engine_commitment(commitment, samples, card.schema_digest()).is_none() {
            return Err(M::HiddenData { samples });
        }
        let max = AccuracyClaim::most_hidden(engine, commitment);
        let each = schema.features.len() as u64 + schema.classes.len().max(1) as u64;
        let actual = samples.saturating_mul(each);
        if actual > max {
            return Err(M::HiddenValues { max, actual });
        }
    }
    let whole = hidden || engine == EngineId::Halo2;
    let most = if whole { 1 } else { claim.samples.min(AccuracyClaim::MAX_CHUNKS.into()) };
    if !(1..=most).contains(&claim.chunks.into()) {
        return Err(M::Chunks { most, actual: claim.chunks });
    }
    let needs_data = |r: &&Requirement| r.scope != Scope::Overall || r.metric == Metric::BalancedAccuracy;
    match claim.requirements.iter().find(needs_data).filter(|_| hidden) {
        Some(requirement) => Err(M::NeedsPublicData(requirement.text(card.schema()))),
        None => Ok(()),
    }
}

fn check_predictions(claim: &PredictionsClaim, card: &Card) -> Result<(), ClaimMismatch> {
    use ClaimMismatch as M;
    if claim.samples == 0 {
        return Err(M::NoRecords);
    }
    match &claim.answers {
        AnswersClaim::Outputs { values } => check_outputs(values, claim.samples, card),
        AnswersClaim::Classes { indices } => {
            let classes = card.schema().classes.len();
            if indices.len() as u64 != claim.samples {
                return Err(M::OutputLength { expected: 1, samples: claim.samples, actual: indices.len() });
            }
            let is_class = |i: &i64| usize::try_from(*i).is_ok_and(|i| i < classes);
            match indices.iter().position(|i| !is_class(i)) {
                Some(index) => Err(M::NoSuchClass { index, value: indices[index], classes }),
                None => Ok(()),
            }
        }
    }
}

impl Card {
    /// Checks a record against the schema's length and declared ranges, under the card's policy.
    ///
    /// # Errors
    /// [`RecordError`] names the first feature out of range, its value and its range.
    pub fn check_record(&self, record: &[i64]) -> Result<(), RecordError> {
        let features = &self.schema().features;
        if record.len() != features.len() {
            return Err(RecordError::Length { expected: features.len(), actual: record.len() });
        }
        let OutOfRange::Refuse = self.policy().out_of_range;
        match record.iter().zip(features).find(|(v, f)| **v < f.min || **v > f.max) {
            Some((v, f)) => Err(RecordError::Range {
                feature: printable(&f.name),
                value: format_decimal(*v, f.decimals),
                range: f.range_text(),
            }),
            None => Ok(()),
        }
    }
}

impl WeightsOpening {
    /// Checks that the opening is the card's and holds a salt for every engine of it.
    ///
    /// # Errors
    /// [`OpeningMismatch`].
    pub fn check_against(&self, card: &Card) -> Result<(), OpeningMismatch> {
        if self.card_id != card.id() || self.architecture_digest != card.architecture_digest() {
            return Err(OpeningMismatch::OtherCard { expected: card.id(), actual: self.card_id });
        }
        let missing = card.commitments().engines().find(|e| !self.salts.contains_key(e));
        missing.map_or(Ok(()), |engine| Err(OpeningMismatch::Engine { engine }))
    }
}

impl InputOpening {
    /// Checks that the record is one for the card's schema, in range, and committed for `engine`.
    ///
    /// # Errors
    /// [`OpeningMismatch`].
    pub fn check_against(&self, card: &Card, engine: EngineId) -> Result<(), OpeningMismatch> {
        let expected = card.schema_digest();
        if self.schema_digest != expected {
            return Err(OpeningMismatch::OtherSchema { expected, actual: self.schema_digest });
        }
        card.check_record(&self.record)?;
        if self.commitments.contains_key(&engine) { Ok(()) } else { Err(OpeningMismatch::Engine { engine }) }
    }
}

impl DatasetOpening {
    /// Checks that the test set is `data`, and committed for the card's model by `engine`.
    ///
    /// # Errors
    /// [`OpeningMismatch`].
    pub fn check_against(
        &self,
        card: &Card,
        engine: EngineId,
        data: &Dataset,
    ) -> Result<(), OpeningMismatch> {
        if self.card_id != card.id() {
            return Err(OpeningMismatch::OtherCard { expected: card.id(), actual: self.card_id });
        }
        if self.dataset_digest != data.digest() {
            return Err(OpeningMismatch::OtherDataset);
        }
        if self.commitments.contains_key(&engine) { Ok(()) } else { Err(OpeningMismatch::Engine { engine }) }
    }
}

/// Why a record does not fit a card's schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Another length.
    #[error("the record has {actual} values; the card's schema names {expected} features")]
    Length {
        /// Features of the schema.
        expected: usize,
        /// Values of the record.
        actual: usize,
    },
    /// A value outside its declared range.
    #[error("feature `{feature}` of the record is {value}, outside its declared range {range}")]
    Range {
        /// Feature name.
        feature: String,
        /// The value, in its decimals.
        value: String,
        /// The range, in its decimals.
        range: String,
    },
}

/// Why an opening cannot be used with a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpeningMismatch {
    /// It opens another card.
    #[error("the opening belongs to card {actual}, not to card {expected}")]
    OtherCard {
        /// The card at hand.
        expected: CardId,
        /// The opening's card.
        actual: CardId,
    },
    /// Its record is one of another schema.
    #[error("the committed record has schema {actual}, the card {expected}")]
    OtherSchema {
        /// The card's schema.
        expected: SchemaDigest,
        /// The opening's schema.
        actual: SchemaDigest,
    },
    /// It opens the commitment to another test set.
    #[error("the opening belongs to another test set: other records, other labels or another order")]
    OtherDataset,
    /// It holds nothing for an engine.
    #[error("the opening holds no salt for the {engine} engine")]
    Engine {
        /// The engine.
        engine: EngineId,
    },
    /// Its record does not fit the schema.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Why a claim does not fit a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimMismatch {
    /// The claim is about another card.
    #[error("the claim is about card {actual}, not about card {expected}")]
    OtherCard {
        /// The card at hand.
        expected: CardId,
        /// The claim's card.
        actual: CardId,
    },
    /// The card has no commitment under the claim's engine.
    #[error("the claim is for the {engine} engine; the card was made for {}", names(.card))]
    Engine {
        /// The claim's engine.
        engine: EngineId,
        /// The card's engines.
        card: Vec<EngineId>,
    },
    /// The claim names its card but another architecture.
    #[error("the claim names architecture {actual}, its card {expected}")]
    ArchitectureDigest {
        /// The card's digest, hexadecimal.
        expected: String,
        /// The claim's digest, hexadecimal.
        actual: String,
    },
    /// The revealed record does not fit the schema.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// An answer of another length.
    #[error(
        "the claim's answer has {actual} values; the card's model gives {expected} for each of {samples} record(s)"
    )]
    OutputLength {
        /// Outputs of the model.
        expected: usize,
        /// Records of the claim.
        samples: u64,
        /// Values of the answer.
        actual: usize,
    },
    /// An answer that the architecture cannot give, whatever the weights.
    #[error(
        "value {index} of the claim's answer is {value}; the card's model gives values from {} to {}",
        bounds.lo,
        bounds.hi
    )]
    OutputBounds {
        /// Index in the answer.
        index: usize,
        /// The integer.
        value: i64,
        /// What the architecture can give.
        bounds: ValueBounds,
    },
    /// A class that the card does not name.
    #[error("answer {index} of the claim is class {value}; the card names {classes} classes")]
    NoSuchClass {
        /// Index of the record.
        index: usize,
        /// The class.
        value: i64,
        /// Classes of the card.
        classes: usize,
    },
    /// A claim about no record.
    #[error("the claim is about a test set without records")]
    NoRecords,
    /// The commitment is not to a test set of this size and schema.
    #[error("the commitment to the hidden test set is not to {samples} records of the card's schema")]
    HiddenData {
        /// Records of the claim.
        samples: u64,
    },
    /// A hidden test set of more values than its commitment holds, or than are proved.
    #[error(
        "the hidden test set would have {actual} values, labels included; at most {max} can be proved of this commitment"
    )]
    HiddenValues {
        /// Most values.
        max: u64,
        /// Values of the claim.
        actual: u64,
    },
    /// No requirement, or too many.
    #[error("the claim states {0} requirements; 1 to {max} can be stated", max = Requirement::MAX)]
    Requirements(usize),
    /// A requirement that the card's model cannot be held to.
    #[error(transparent)]
    Requirement(#[from] RequirementError),
    /// A number of parts in which such a claim cannot be proved.
    #[error(
        "the claim is in {actual} chunks; such a claim has 1 to {most} (one, of a hidden test set or by the halo2 engine)"
    )]
    Chunks {
        /// Most parts.
        most: u64,
        /// Parts of the claim.
        actual: u32,
    },
    /// A requirement that only the verifier's own look at the labels makes sense of.
    #[error("`{0}` needs a test set that the verifier sees: of a hidden one it can be proved of no model")]
    NeedsPublicData(String),
    /// A fact that cannot be stated of the model's answers, or an integer bound that does not follow from its text.
    #[error("the claim's statement about the answer: {0}")]
    Fact(#[from] AnswerError),
    /// The claim takes the weights as public, the card hides them.
    #[error("the claim takes the weights as public; the card keeps them hidden")]
    WeightsHidden,
}

impl ClaimMismatch {
    /// Whether the claim may be fine and the card is the wrong one.
    #[must_use]
    pub const fn is_other_card(&self) -> bool {
        matches!(self, Self::OtherCard { .. })
    }
}

fn names(engines: &[EngineId]) -> String {
    engines.iter().map(|e| e.name()).collect::<Vec<_>>().join(" and ")
}
