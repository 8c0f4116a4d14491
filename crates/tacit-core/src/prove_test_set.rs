//! Proving claims about a test set.

use rand_core::CryptoRngCore;
use tacit_claim::{
    AccuracyClaim, AnswersClaim, Bundle, Card, CardPoints, Claim, ClaimKind, ColumnName, CommittedInput,
    Context, DataClaim, DatasetOpening, EngineId, Fraction, Metric, PredictionsClaim, ProofChunk,
    Requirement, SaltBytes, Scope, WeightsClaim, WeightsOpening,
};
use tacit_model::{Dataset, Labels, Model};
use tacit_relations::{
    Assignment, Commitment, Opening, Openings, Progress, Segment, Tally, Trace, committed_labels, tally,
    trace,
};

use crate::chunks::{ChunkStore, chunk_count};
use crate::commit::commit_dataset;
use crate::error::CoreError;
use crate::folder::DataFolder;
use crate::halo2::srs::SrsOrigin;
use crate::measure::miss;
use crate::prove::{Owned, proof};
use crate::statement::lower_hidden;
use crate::test_set::Part;

/// What to prove about a test set, whatever the claim.
#[derive(Debug, Clone, Copy)]
pub struct TestSetProof<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its card.
    pub card: &'a Card,
    /// What lies beside the card; needed for the sumcheck engine where the card does not carry it itself.
    pub points: Option<&'a CardPoints>,
    /// Opens the card's commitment; not needed where the card's weights are public.
    pub opening: Option<&'a WeightsOpening>,
    /// The test set.
    pub data: &'a Dataset,
    /// The engine.
    pub engine: EngineId,
    /// Let the verifier recompute the weights' commitment from the model file.
    pub reveal_weights: bool,
    /// What the proof is made for.
    pub context: &'a Context,
}

impl TestSetProof<'_> {
    const fn owned(&self) -> Owned<'_> {
        let Self { model, card, points, opening, engine, .. } = *self;
        Owned { model, card, points, opening, engine }
    }

    const fn weights_claim(&self) -> WeightsClaim {
        if self.reveal_weights { WeightsClaim::Revealed } else { WeightsClaim::Hidden }
    }
}

/// What is required.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Required {
    /// These, all of them.
    These(Vec<Requirement>),
    /// Accuracy of at least what the model reaches, and these.
    Reached(Vec<Requirement>),
}

/// A proof about a test set.
#[derive(Debug)]
pub struct ProvedTestSet {
    /// The proof file.
    pub bundle: Bundle,
    /// The setup that the proof was made under. `None` where the engine needs none.
    pub setup: Option<SrsOrigin>,
}

/// What the model answers to every record, in order: output integers, shape (samples, outputs).
struct Answers(zeroize::Zeroizing<Vec<i64>>);

impl Answers {
    fn of(request: &TestSetProof<'_>) -> Result<Self, CoreError> {
        let schema = &request.model.architecture().schema;
        let mut outputs = zeroize::Zeroizing::new(Vec::new());
        for i in 0..request.data.samples() {
            let record: Vec<i64> = request.data.clipped(i, schema).collect();
            outputs.extend_from_slice(request.model.run(&record)?.output());
        }
        Ok(Self(outputs))
    }
}

/// A claim that the model meets, ready to be proved in one go or in chunks.
pub struct Ready<'a> {
    pub(crate) request: &'a TestSetProof<'a>,
    pub(crate) claim: Claim,
    pub(crate) tally: Tally,
    pub(crate) weights: Commitment,
    pub(crate) opening: Opening,
    /// Salt of a hidden test set.
    data_salt: Option<SaltBytes>,
}

/// What of the test set the claim states.
#[derive(Debug, Clone, Copy)]
pub enum TestData<'a> {
    /// Its digest: the verifier reads the file.
    Public,
    /// A commitment to records and labels, made now under a fresh salt.
    Hidden,
    /// The same, made before: the claim shows the same commitment.
    Committed(&'a DatasetOpening),
}

/// In how many chunks to prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunks {
    /// As few as keep a proof within about this many bytes of memory.
    Within(u64),
    /// So many.
    Exactly(u32),
}

/// Checks that the model of a card meets requirements on a test set, and states the claim.
///
/// # Errors
/// [`CoreError::Missed`] where the model does not meet them; [`CoreError`].
pub fn prepare_accuracy<'a>(
    folder: &DataFolder,
    request: &'a TestSetProof<'a>,
    required: &Required,
    stated: TestData<'_>,
    chunks: Chunks,
    rng: &mut dyn CryptoRngCore,
    progress: &dyn Progress,
) -> Result<Ready<'a>, CoreError> {
    let (card, data) = (request.card, request.data);
    let samples = data.samples() as u64;
    let hide_data = !matches!(stated, TestData::Public);
    if !data.fits(card.schema()) {
        return Err(CoreError::DataSchema);
    }
    request.owned().check_architecture()?;
    progress.stage("running the model");
    let answers = Answers::of(request)?;
    let requirements = resolve(request, required, &answers)?;
    requirements.iter().try_for_each(|r| r.check(card.schema()).map_err(CoreError::Requirement))?;
    let seen = if hide_data { None } else { Some(data) };
    let tally = tally(card.architecture(), &requirements, samples, seen)?;
    check_met(request, &requirements, &tally, &answers)?;
    drop(answers);

    let chunks = match chunks {
        Chunks::Exactly(count) => count,
        Chunks::Within(_) if hide_data || request.engine == EngineId::Halo2 => 1,
        Chunks::Within(memory) => chunk_count(card, data.samples(), &tally, memory),
    };
    let (weights, opening) = request.owned().ready(folder, &lower_hidden(card.architecture())?, progress)?;
    let (data_claim, data_salt) = match stated {
        TestData::Public => (DataClaim::Public { digest: data.digest(), labels: label_column(data)? }, None),
        TestData::Hidden => committed(&commit_dataset(card, data, rng)?, request)?,
        TestData::Committed(opening) => committed(opening, request)?,
    };
    let accuracy =
        AccuracyClaim { samples, data: data_claim, requirements, chunks, weights: request.weights_claim() };
    let claim = Claim::new(card, request.engine, accuracy, request.context.clone())?;
    Ok(Ready { request, claim, tally, weights, opening, data_salt })
}

/// A committed test set as a claim states it, and its salt.
fn committed(
    opening: &DatasetOpening,
    request: &TestSetProof<'_>,
) -> Result<(DataClaim, Option<SaltBytes>), CoreError> {
    opening.check_against(request.card, request.engine, request.data)?;
    let CommittedInput { salt, commitment } = opening.commitments[&request.engine].clone();
    Ok((DataClaim::Hidden { commitment }, Some(salt)))
}

/// Proves in one go that the model of a card meets requirements on a test set: [`prepare_accuracy`] and
/// [`Ready::prove`].
///
/// # Errors
/// [`CoreError::Missed`] where the model does not meet them, before any proving; [`CoreError`].
pub fn prove_accuracy(
    folder: &DataFolder,
    request: &TestSetProof<'_>,
    required: &Required,
    hide_data: bool,
    rng: &mut dyn CryptoRngCore,
    progress: &dyn Progress,
) -> Result<ProvedTestSet, CoreError> {
    let stated = if hide_data { TestData::Hidden } else { TestData::Public };
    prepare_accuracy(folder, request, required, stated, Chunks::Exactly(1), rng, progress)?.prove(
        folder,
        &(),
        rng,
        progress,
    )
}

impl Ready<'_> {
    /// What will be proved.
    #[must_use]
    pub const fn claim(&self) -> &Claim {
        &self.claim
    }

    fn accuracy(&self) -> &AccuracyClaim {
        match &self.claim.kind {
            ClaimKind::Accuracy(accuracy) => accuracy,
            _ => unreachable!("made as one"),
        }
    }

    /// Number of chunks.
    #[must_use]
    pub fn chunks(&self) -> u32 {
        self.accuracy().chunks
    }

    /// Proves the claim, in one go or chunk by chunk, and verifies the proof before handing it out. Finished chunks are
    /// taken from and left in `store`.
    ///
    /// # Errors
    /// [`CoreError`].
    pub fn prove(
        &self,
        folder: &DataFolder,
        store: &dyn ChunkStore,
        rng: &mut dyn CryptoRngCore,
        progress: &dyn Progress,
    ) -> Result<ProvedTestSet, CoreError> {
        let accuracy = self.accuracy();
        if accuracy.chunks > 1 {
            return Ok(ProvedTestSet {
                bundle: self.in_chunks(accuracy, store, rng, progress)?,
                setup: None,
            });
        }
        let TestSetProof { model, card, data, engine, .. } = *self.request;
        let part = Part::whole(card, data.samples(), self.data_salt.is_some(), &self.tally)?;
        let mut openings = Openings::from([(Segment::Weights, self.opening.clone())]);
        let mut input = Vec::new();
        if let Some(salt) = &self.data_salt {
            openings.insert(Segment::Input, Opening(*salt.expose()));
            input = hidden_input(card, data)?;
        }
        let statement = part.statement(&self.claim, self.weights.clone(), Some(data));
        progress.stage("computing the trace");
        let trace = compute(model, &statement, input)?;
        let (proof, setup) = proof(folder, engine, &statement, &trace, &openings, rng, progress)?;
        Ok(ProvedTestSet { bundle: Bundle::new(self.claim.clone(), proof)?, setup })
    }

    /// Proves one chunk, counted from 0.
    ///
    /// # Errors
    /// [`CoreError::NoSuchChunk`], [`CoreError`].
    pub fn prove_chunk(
        &self,
        index: u32,
        rng: &mut dyn CryptoRngCore,
        progress: &dyn Progress,
    ) -> Result<ProofChunk, CoreError> {
        self.chunk(self.accuracy(), index, rng, progress)
    }
}

/// Proves what the model of a card answers to every record of a public test set: its classes, or with `outputs` the
/// output integers.
///
/// # Errors
/// [`CoreError`].
pub fn prove_predictions(
    folder: &DataFolder,
    request: &TestSetProof<'_>,
    outputs: bool,
    rng: &mut dyn CryptoRngCore,
    progress: &dyn Progress,
) -> Result<ProvedTestSet, CoreError> {
    let (card, data) = (request.card, request.data);
    if !data.fits(card.schema()) {
        return Err(CoreError::DataSchema);
    }
    request.owned().check_architecture()?;
    progress.stage("running the model");
    let answers = Answers::of(request)?;
    let architecture = card.architecture();
    let answers = if outputs {
        AnswersClaim::Outputs { values: answers.0.to_vec() }
    } else {
        let width = answers.0.len() / data.samples();
        let class = |row: &[i64]| architecture.predicted_class(row).map(|c| c as i64);
        let indices: Option<Vec<i64>> = answers.0.chunks_exact(width).map(class).collect();
        AnswersClaim::Classes { indices: indices.ok_or(CoreError::NoClasses)? }
    };
    let (samples, digest, weights) = (data.samples() as u64, data.records_digest(), request.weights_claim());
    let predictions = PredictionsClaim { samples, digest, answers, weights };
    let part = Part::answers(card, &predictions)?;
    let (committed, weights_opening) = request.owned().ready(folder, part.system(), progress)?;
    let claim = Claim::new(card, request.engine, predictions, request.context.clone())?;
    let statement = part.statement(&claim, committed, Some(data));
    progress.stage("computing the trace");
    let trace = compute(request.model, &statement, Vec::new())?;
    let openings = Openings::from([(Segment::Weights, weights_opening)]);
    let (proof, setup) = proof(folder, request.engine, &statement, &trace, &openings, rng, progress)?;
    Ok(ProvedTestSet { bundle: Bundle::new(claim, proof)?, setup })
}

/// Requirements as the claim states them: shares of all records as counts.
fn resolve(
    request: &TestSetProof<'_>,
    required: &Required,
    answers: &Answers,
) -> Result<Vec<Requirement>, CoreError> {
    let samples = request.data.samples() as u64;
    let (mut all, more) = match required {
        Required::These(requirements) => (Vec::new(), requirements),
        Required::Reached(requirements) => {
            let Some(Labels::Classes { indices, .. }) = request.data.labels() else {
                return Err(CoreError::NoClasses);
            };
            let architecture = request.model.architecture();
            let width = answers.0.len() / request.data.samples();
            let right = answers.0.chunks_exact(width).zip(indices);
            let right = right
                .filter(|(row, y)| architecture.predicted_class(row) == Some(**y as usize))
                .count() as u64;
            let bound = Fraction::new(right, samples).map_err(CoreError::Requirement)?;
            (vec![Requirement::accuracy_at_least(bound)], requirements)
        }
    };
    for requirement in more {
        let mut requirement = requirement.clone();
        if requirement.scope == Scope::Overall
            && matches!(requirement.metric, Metric::Accuracy | Metric::Top(_))
        {
            let count = requirement.bound.count(requirement.comparison, samples);
            requirement.bound = Fraction::new(count, samples).map_err(CoreError::Requirement)?;
        }
        if !all.contains(&requirement) {
            all.push(requirement);
        }
    }
    Ok(all)
}

/// Fails with what is missing where the model does not meet the requirements: for the prover's eyes.
fn check_met(
    request: &TestSetProof<'_>,
    requirements: &[Requirement],
    tally: &Tally,
    answers: &Answers,
) -> Result<(), CoreError> {
    let architecture = request.model.architecture();
    let sums = zeroize::Zeroizing::new(tally.sums(architecture, request.data, &answers.0));
    match tally.missed(&sums).and_then(|form| requirements.get(form.requirement)) {
        Some(requirement) => {
            Err(CoreError::Missed(miss(requirement, architecture, request.data, &answers.0)))
        }
        None => Ok(()),
    }
}

fn label_column(data: &Dataset) -> Result<ColumnName, CoreError> {
    let column = data.labels().ok_or(CoreError::NoLabels)?.column();
    ColumnName::new(column).map_err(|e| CoreError::Requirement(e.into()))
}

/// Tensors of the `Input` segment of a hidden test set: records and labels.
pub(crate) fn hidden_input(card: &Card, data: &Dataset) -> Result<Vec<Vec<i64>>, CoreError> {
    for i in 0..data.samples() {
        card.check_record(data.record(i)).map_err(|source| CoreError::DataRecord { row: i, source })?;
    }
    let records = (0..data.samples()).flat_map(|i| data.record(i).iter().copied()).collect();
    let labels = committed_labels(card.architecture(), data)?;
    Ok(vec![records, labels])
}

/// The values of every tensor.
pub(crate) fn compute(
    model: &Model,
    statement: &tacit_relations::Statement,
    input: Vec<Vec<i64>>,
) -> Result<Trace, CoreError> {
    let _span = tracing::info_span!("trace").entered();
    let system = &statement.system;
    let defined: std::collections::HashSet<_> =
        system.relations().iter().filter_map(tacit_relations::Relation::result).collect();
    let given = system.segment(Segment::Public).filter(|id| !defined.contains(id));
    let public = given.map(|id| statement.public.get(&id).cloned().unwrap_or_default()).collect();
    let weights = model.weights().tensors().to_vec();
    Ok(trace(system, &Assignment { weights, input, public })?)
}
