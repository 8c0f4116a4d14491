//! The model that answers, and the proof of its own that a worker makes before any request.

use std::time::{Duration, Instant};

use rand_core::CryptoRngCore;
use tacit_claim::{Card, CardPoints, Context, EngineId, InputOpening, WeightsOpening};
use tacit_core::{
    CoreError, DataFolder, Progress, ProveInference, Proved, Record, Shown, commit_input, prove_inference,
};
use tacit_model::Model;

/// A committed model with everything that proofs about it need.
#[derive(Debug)]
pub struct ProviderModel {
    /// The model.
    pub model: Model,
    /// Its card.
    pub card: Card,
    /// What is too large for the card.
    pub points: Option<CardPoints>,
    /// Opens the card's commitment; not needed where the weights are public.
    pub opening: Option<WeightsOpening>,
    /// Setups, keys and checked certificates.
    pub folder: DataFolder,
}

/// An engine that was found to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// The engine.
    pub engine: EngineId,
    /// How long a proof takes here, all of it.
    pub time: Duration,
    /// Bytes of a proof file.
    pub bytes: usize,
}

/// Which engines of a card work here.
#[derive(Debug)]
pub struct SelfTest {
    /// Those that do, at least one.
    pub offered: Vec<Offered>,
    /// Those that do not, and why.
    pub failed: Vec<(EngineId, CoreError)>,
}

impl ProviderModel {
    /// Proves the model's answer on a record that was committed to, and verifies the proof.
    ///
    /// # Errors
    /// [`CoreError`].
    pub fn prove(
        &self,
        engine: EngineId,
        record: &InputOpening,
        context: Context,
        rng: &mut dyn CryptoRngCore,
        progress: &dyn Progress,
    ) -> Result<Proved, CoreError> {
        let request = ProveInference {
            model: &self.model,
            card: &self.card,
            points: self.points.as_ref(),
            opening: self.opening.as_ref(),
            record: Record::Committed(record),
            engine,
            reveal_input: false,
            reveal_weights: false,
            shown: Shown::Answer,
            context,
        };
        prove_inference(&self.folder, &request, rng, progress)
    }

    /// Proves and verifies once with every engine of the card, on a record in the middle of every range: finds a model,
    /// opening or card of another, checks the card's certificate, makes keys, and measures. Gives those engines that
    /// work, and those that do not with the reason, such as a setup that is not installed.
    ///
    /// # Errors
    /// [`CoreError`] when no engine works: the first one's.
    pub fn self_test(
        &self,
        rng: &mut dyn CryptoRngCore,
        progress: &dyn Progress,
    ) -> Result<SelfTest, CoreError> {
        let middle = self.card.schema().features.iter().map(|f| f.min + (f.max - f.min) / 2).collect();
        let record = commit_input(&self.card, middle, rng)?;
        let (mut offered, mut failed) = (Vec::new(), Vec::new());
        for engine in self.card.commitments().engines().collect::<Vec<_>>() {
            // Twice: the first makes what later ones find.
            let once =
                |rng: &mut dyn CryptoRngCore| self.prove(engine, &record, Context::default(), rng, progress);
            let tried = once(rng).and_then(|_| {
                let start = Instant::now();
                once(rng).map(|proved| (start.elapsed(), proved.bundle.to_bytes().len()))
            });
            match tried {
                Ok((time, bytes)) => offered.push(Offered { engine, time, bytes }),
                Err(e) => failed.push((engine, e)),
            }
        }
        if offered.is_empty() && !failed.is_empty() {
            return Err(failed.swap_remove(0).1);
        }
        Ok(SelfTest { offered, failed })
    }
}
