//! What some files are, before anything is checked: so that the page can say what is missing, and fetch a card.

use serde::Serialize;
use tacit_claim::{Card, ClaimKind, EngineId, WeightsClaim, sniff};

use super::files::{File, Given, use_of};

/// What the files are.
#[derive(Debug, Serialize)]
pub struct Inspection {
    /// Each of them, in their order.
    pub files: Vec<Inspected>,
    /// The proof, if there is one that can be read.
    pub proof: Option<ProofSummary>,
    /// The card, if there is one: its canonical form and its signature were checked.
    pub card: Option<CardSummary>,
}

/// What a file is.
#[derive(Debug, Serialize)]
pub struct Inspected {
    /// What its owner calls it.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// What it is for here, if it is of use.
    pub use_of: Option<&'static str>,
    /// Whether it must not leave its owner.
    pub secret: bool,
    /// Why it cannot be read, if it cannot.
    pub problem: Option<String>,
}

/// What a proof is about and needs.
#[derive(Debug, Serialize)]
pub struct ProofSummary {
    /// The card that the claim names.
    pub card_id: String,
    /// The engine.
    pub engine: &'static str,
    /// Whether proofs of this engine are checked here.
    pub checked_here: bool,
    /// What it is about: `inference`, `accuracy` or `predictions`.
    pub kind: &'static str,
    /// What is needed and not there.
    pub missing: Vec<Missing>,
}

/// What a proof can need beside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// `card.json`, the one that the claim names.
    Card,
    /// `card.points`.
    Points,
    /// The model, whose weights are public.
    Model,
    /// The test set, which is public.
    Data,
}

/// What a card says of itself that its JSON does not spell out.
#[derive(Debug, Serialize)]
pub struct CardSummary {
    /// SHA-256 of the card's bytes.
    pub id: String,
    /// What its owner calls the model.
    pub name: String,
    /// The fingerprint of its owner, whose signature it bears.
    pub owner: String,
    /// Engines that prove for it.
    pub engines: Vec<&'static str>,
    /// Number of weights.
    pub weight_count: usize,
    /// Whether the weights are public.
    pub public_weights: bool,
    /// What it says on its owner's word alone.
    pub unvouched: Vec<String>,
    /// Whether proofs of the sumcheck engine need `card.points` beside it.
    pub needs_points: bool,
}

/// Says what the files are.
#[must_use]
pub fn inspect(files: &[File<'_>]) -> Inspection {
    let (mut proof, mut card) = (None, None);
    let (mut has_points, mut has_model, mut has_data) = (false, false, false);
    let inspected = files
        .iter()
        .map(|file| {
            let found = Given::of(std::slice::from_ref(file));
            let kind = sniff(file.bytes);
            let problem = found.as_ref().err().map(|stop| stop.reason().to_owned());
            if let Ok(given) = found {
                has_points |= given.points.is_some();
                has_model |= given.model.is_some();
                has_data |= given.data.is_some();
                proof = given.proof.map(|p| p.bundle).or(proof.take());
                card = given.card.or(card.take());
            }
            Inspected {
                name: file.name.clone(),
                kind: kind.to_string(),
                use_of: use_of(kind),
                secret: kind.is_secret(),
                problem,
            }
        })
        .collect();
    let proof = proof.map(|bundle| {
        let claim = bundle.claim();
        let card = card.as_ref().filter(|card: &&Card| card.id() == claim.card_id);
        let points = claim.engine == EngineId::Sumcheck && card.is_some_and(needs_points);
        let missing = [
            (Missing::Card, card.is_none()),
            (Missing::Points, points && !has_points),
            (Missing::Model, claim.weights() == WeightsClaim::Revealed && !has_model),
            (Missing::Data, claim.dataset_digest().is_some() && !has_data),
        ];
        ProofSummary {
            card_id: claim.card_id.to_string(),
            engine: claim.engine.name(),
            checked_here: claim.engine == EngineId::Sumcheck,
            kind: match &claim.kind {
                ClaimKind::Inference(_) => "inference",
                ClaimKind::Accuracy(_) => "accuracy",
                ClaimKind::Predictions(_) => "predictions",
            },
            missing: missing.into_iter().filter(|(_, lacks)| *lacks).map(|(what, _)| what).collect(),
        }
    });
    Inspection { files: inspected, proof, card: card.map(|card| summary(&card)) }
}

fn needs_points(card: &Card) -> bool {
    card.commitments().sumcheck.is_some() && card.inline_points().is_none()
}

fn summary(card: &Card) -> CardSummary {
    CardSummary {
        id: card.id().to_string(),
        name: card.name().to_string(),
        owner: card.owner().fingerprint().to_string(),
        engines: card.commitments().engines().map(EngineId::name).collect(),
        weight_count: card.architecture().weight_count(),
        public_weights: card.weights().is_public(),
        unvouched: card.unvouched(),
        needs_points: needs_points(card),
    }
}
