//! Statements of claims about a test set: what prover and verifier alike build from claim, card and data.

use std::collections::BTreeMap;
use std::ops::Range;

use tacit_claim::{
    AccuracyClaim, AnswersClaim, Card, Claim, ClaimKind, DataClaim, PredictionsClaim, SchemaDigest,
};
use tacit_model::{Architecture, Dataset, DatasetDigest};
use tacit_relations::{
    Commitment, Lowered, RelationSystem, Segment, Statement, Tally, TestSet, TestSetClaim, lower_test_set,
    tally,
};

use crate::error::CoreError;

/// What the claim's forms are, after checking that the data is what the claim names.
pub(crate) fn tally_of(
    card: &Card,
    claim: &AccuracyClaim,
    data: Option<&Dataset>,
) -> Result<Tally, CoreError> {
    let data = match &claim.data {
        DataClaim::Public { digest, labels } => {
            let data = data.ok_or(CoreError::NoData)?;
            check_data(data.samples(), data.digest(), claim.samples, *digest)?;
            let column = data.labels().ok_or(CoreError::NoLabels)?.column();
            if column != labels.as_str() {
                let (expected, actual) = (labels.clone(), column.escape_debug().to_string());
                return Err(CoreError::OtherLabels { expected, actual });
            }
            Some(data)
        }
        DataClaim::Hidden { .. } => None,
    };
    Ok(tally(card.architecture(), &claim.requirements, claim.samples, data)?)
}

/// Whether a test set of this size and digest is the one that the claim names.
pub(crate) fn check_data(
    samples: usize,
    actual: DatasetDigest,
    claimed: u64,
    expected: DatasetDigest,
) -> Result<(), CoreError> {
    if samples as u64 != claimed || actual != expected {
        return Err(CoreError::OtherData { expected: expected.0, actual: actual.0 });
    }
    Ok(())
}

/// A lowered claim about the records `range` with what belongs to it.
pub(crate) struct Part<'a> {
    pub(crate) lowered: Lowered,
    pub(crate) architecture: &'a Architecture,
    schema: SchemaDigest,
    pub(crate) range: Range<usize>,
    pub(crate) tally: Option<&'a Tally>,
}

impl<'a> Part<'a> {
    /// The claim about all records at once.
    pub(crate) fn whole(
        card: &'a Card,
        samples: usize,
        hidden: bool,
        tally: &'a Tally,
    ) -> Result<Self, CoreError> {
        let test = TestSet { samples, hidden, claim: TestSetClaim::Tally(tally) };
        Self::new(card, test, 0..samples, Some(tally))
    }

    /// The sums over some records of a public test set.
    pub(crate) fn chunk(card: &'a Card, range: Range<usize>, tally: &'a Tally) -> Result<Self, CoreError> {
        let test = TestSet { samples: range.len(), hidden: false, claim: TestSetClaim::Sums(tally) };
        Self::new(card, test, range, Some(tally))
    }

    /// The answers to all records.
    pub(crate) fn answers(card: &'a Card, claim: &PredictionsClaim) -> Result<Self, CoreError> {
        let samples = usize::try_from(claim.samples).map_err(|_| CoreError::NoData)?;
        let kind = match claim.answers {
            AnswersClaim::Classes { .. } => TestSetClaim::Classes,
            AnswersClaim::Outputs { .. } => TestSetClaim::Outputs,
        };
        Self::new(card, TestSet { samples, hidden: false, claim: kind }, 0..samples, None)
    }

    fn new(
        card: &'a Card,
        test: TestSet<'_>,
        range: Range<usize>,
        tally: Option<&'a Tally>,
    ) -> Result<Self, CoreError> {
        let _span = tracing::info_span!("lower").entered();
        let architecture = card.architecture();
        let lowered = lower_test_set(architecture, test)?;
        Ok(Self { lowered, architecture, schema: card.schema_digest(), range, tally })
    }

    pub(crate) const fn system(&self) -> &RelationSystem {
        &self.lowered.system
    }

    /// The statement, `data` being the public test set where there is one.
    pub(crate) fn statement(self, claim: &Claim, weights: Commitment, data: Option<&Dataset>) -> Statement {
        let mut commitments = BTreeMap::from([(Segment::Weights, weights)]);
        if let ClaimKind::Accuracy(AccuracyClaim {
            data: DataClaim::Hidden { commitment }, samples, ..
        }) = &claim.kind
        {
            // The claim was checked against the card: the size and the schema are those in front of it.
            let engine = DataClaim::engine_commitment(commitment, *samples, self.schema);
            commitments.insert(Segment::Input, Commitment(engine.unwrap_or_default().to_vec()));
        }
        let answers = match &claim.kind {
            ClaimKind::Predictions(predictions) => predictions.answers.values(),
            _ => &[],
        };
        let public = data.filter(|_| claim.dataset_digest().is_some()).map_or_else(BTreeMap::new, |data| {
            let range = self.range.clone();
            self.lowered.public_values(self.architecture, data, range, self.tally, answers)
        });
        Statement { system: self.lowered.system, binding: claim.digest().0, commitments, public }
    }
}
