//! The merge of chunks: sums of hidden totals satisfy a relation system.
//!
//! A chunk `i` proves that its totals `t_{i,r}`, `r < R`, satisfy its relations; the verifier knows commitments
//! `D_{i,r}` to them, linear forms in the points of the chunk's proof. The *verdict* is a relation system whose one
//! given tensor, number 0 of segment `Input`, holds the sums `s_r`. A merge is, in this order,
//!
//! 1. row commitments to `s`, under a fresh salt;
//! 2. a proof of the verdict system by the engine's ordinary protocol, in which each `s_r` is evaluated: `E_r`;
//! 3. a Schnorr proof that `Σ_r λ^r (E_r − Σ_i D_{i,r})` is a multiple of `H`: first message `K`, response `z`.
//!
//! The transcript absorbs binding, digest of the verdict system, commitment, number of chunks and the digests of all
//! chunks (statement and proof) in order; then the verdict's proof runs; `λ` is drawn after that proof. So `λ` comes
//! after everything that the equations speak of: the `D` are functions of the chunks' statements and proofs, the `E` of
//! the verdict's proof.
//!
//! # Why the sums are the sums
//!
//! * `D_{i,r}` opens to `t_{i,r}`: it is the linear form that the chunk's own opening shows to be the evaluation of the
//!   totals' expression at the Boolean point of element `r`, which is that element.
//! * `t_{i,r}` is an integer below `2^100` in magnitude: the element of a tensor whose value the chunk's relations fix
//!   over the integers ([`RelationSystem`] admits no other; inputs by the range check of their width, weights by their
//!   certificate). So `|Σ_i t_{i,r}| < 2^32 · 2^100`, far below half the field.
//! * `E_r` opens to `s_r` in the same way, by the opening of the verdict's proof. `−2^(w−1) ≤ s_r < 2^(w−1)`, `w ≤ 62`
//!   the declared width, by the range check that the plan makes for every tensor of segment `Input`, whether a relation
//!   reads it or not.
//! * `Σ_r λ^r (s_r − Σ_i t_{i,r}) = 0` by the Schnorr proof (or its prover knows a relation between `U` and `H`), hence
//!   `s_r = Σ_i t_{i,r}` in the field for every `r`, but for `(R−1)/|F|`; and both sides being small, over the
//!   integers.
//! * `s` satisfies the verdict by the proof of it. Values between `s` and what the verdict asks of it are pinned there.
//!
//! What is added up are the elements of the tensor that a [`Chunk`](crate::Chunk) names, one by one: an element cannot
//! stand in for another, because each has a power of `λ` of its own.

use std::collections::BTreeMap;

use halo2curves::ff::{Field as _, PrimeField as _};
use halo2curves::group::{Curve as _, Group as _};
use rand_core::CryptoRngCore;
use tacit_relations::{
    Assignment, Commitment, Engine as _, EngineError, Opening, Openings, Progress, Refused, RelationSystem,
    Segment, Statement, TensorId, Trace, check, trace,
};
use zeroize::Zeroizing;

use crate::chunks::{ChunkSecret, MAX_TOTALS};
use crate::claims::Totals;
use crate::engine::{SumcheckEngine, affordable};
use crate::grid::Grid;
use crate::group::{F, Point, decode, encode, msm, normalise};
use crate::party::{Inventory, Message, Opened};
use crate::pedersen::Pedersen;
use crate::plan::Plan;
use crate::protocol;
use crate::secret::Secret;
use crate::transcript::Transcript;

const MERGE: &str = "tacit/sumcheck/2/merge";

/// The tensor of the sums.
const SUMS: TensorId = TensorId(0);

/// Bytes of the Schnorr proof.
const LINK: usize = 64;

/// The verdict of a claim, as a statement whose commitment is part of the merge.
pub(crate) struct Merging {
    pub(crate) plan: Plan,
    pub(crate) statement: Statement,
}

impl Merging {
    /// Refuses a verdict that is about anything but the sums of so many totals.
    pub(crate) fn new(
        binding: &[u8; 32],
        verdict: &RelationSystem,
        totals: usize,
    ) -> Result<Self, EngineError> {
        let about_sums = verdict.tensors().iter().enumerate().all(|(i, tensor)| match tensor.segment {
            Segment::Input => i == 0 && tensor.len() == totals,
            segment => i > 0 && matches!(segment, Segment::Constant | Segment::Witness),
        });
        if !about_sums || verdict.tensors().is_empty() || totals > MAX_TOTALS {
            return Err(EngineError::new(format!(
                "the verdict must be about tensor 0 of the input, of {totals} elements, and about nothing else that is given"
            )));
        }
        let (commitments, public) = (BTreeMap::new(), BTreeMap::new());
        let statement = Statement { system: verdict.clone(), binding: *binding, commitments, public };
        Ok(Self { plan: affordable(&statement)?, statement })
    }

    /// With this commitment to the sums.
    pub(crate) fn commit(&mut self, commitment: Commitment) {
        self.statement.commitments.insert(Segment::Input, commitment);
    }

    /// The commitment to the sums, and what follows it in a merge.
    pub(crate) fn split<'m>(&self, merge: &'m [u8]) -> Result<(Commitment, &'m [u8]), Refused> {
        let rows: usize = self.plan.segment(Segment::Input).map(|c| c.layout.rows()).sum();
        let split = merge.split_at_checked(32 * rows);
        let (commitment, rest) = split.ok_or_else(|| malformed("the merge is cut short"))?;
        Ok((Commitment(commitment.to_vec()), rest))
    }

    /// The transcript before the first challenge. Without a commitment it is good for a seed only.
    pub(crate) fn transcript<'d>(&self, digests: impl ExactSizeIterator<Item = &'d [u8; 64]>) -> Transcript {
        let mut transcript = protocol::transcript(MERGE, &self.statement);
        transcript.absorb("chunks", &(digests.len() as u64).to_le_bytes());
        for digest in digests {
            transcript.absorb("chunk proof", digest);
        }
        transcript
    }

    /// The sums as the tensor to evaluate.
    pub(crate) fn sums(&self) -> Result<Totals<'_>, EngineError> {
        let expr = self.plan.tensors.first().and_then(Option::as_ref);
        let expr = expr.ok_or_else(|| EngineError::new("the verdict has no sums"))?;
        Ok(Totals { expr, grid: Grid::of_shape(&self.statement.system.tensor(SUMS).shape) })
    }

    /// What follows the commitment in a merge, whatever the trace says of the sums.
    pub(crate) fn prove(
        &self,
        secrets: &[ChunkSecret],
        trace: &Trace,
        openings: &Openings,
        rng: &mut dyn CryptoRngCore,
        mut transcript: Transcript,
    ) -> Result<Vec<u8>, EngineError> {
        let sums = self.sums()?;
        let (plan, statement, begun) = (&self.plan, &self.statement, transcript.clone());
        let (proof, evaluations) =
            protocol::prove_trace(plan, statement, trace, openings, rng, begun, Some(&sums))?;
        let powers = link(&mut transcript, &proof, evaluations.len());
        let blind = Secret::from(vec![difference(&evaluations, secrets, &powers)]);
        let mut seed = mask_seed("tacit/sumcheck/merge mask", rng, secrets, &transcript);
        let mask = Secret::from(vec![seed.challenge("mask")]);
        let first = encode(&Pedersen::get().blind(&mask[0]).to_affine());
        transcript.absorb("point", &first);
        let response = mask[0] + transcript.challenge("respond to link") * blind[0];
        Ok([&proof[..], &first, &response.to_bytes()].concat())
    }

    /// Verifies what follows the commitment in a merge. `totals` are the sums of the chunks' commitments.
    pub(crate) fn verify(
        &self,
        rest: &[u8],
        totals: &[Point],
        mut transcript: Transcript,
    ) -> Result<Inventory, Refused> {
        self.statement.validate()?;
        let cut_short = || malformed("the merge is cut short");
        let split = rest.len().checked_sub(LINK).and_then(|at| rest.split_at_checked(at));
        let (proof, schnorr) = split.ok_or_else(cut_short)?;
        let (point, response) = schnorr.split_first_chunk::<32>().ok_or_else(cut_short)?;
        let first = decode(point).ok_or_else(|| malformed("a point is not the encoding of one"))?;
        let response = response.first_chunk::<32>().ok_or_else(cut_short)?;
        let response = Option::<F>::from(F::from_repr(*response))
            .ok_or_else(|| malformed("a field element is not in canonical form"))?;

        let sums = self.sums()?;
        let (plan, statement, begun) = (&self.plan, &self.statement, transcript.clone());
        let (messages, evaluations) = protocol::verify_totals(plan, statement, proof, begun, Some(&sums))?;
        let powers = link(&mut transcript, proof, evaluations.len());
        transcript.absorb("point", point);
        let e = transcript.challenge("respond to link");
        // K + e Σ λ^r (E_r − D_r) − z·H = 0
        let differences: Vec<Point> = evaluations.iter().zip(totals).map(|(e, d)| *e - *d).collect();
        let difference = msm(&powers, &normalise(&differences));
        let left = Point::from(first) + difference * e - Pedersen::get().blind(&response);
        if evaluations.len() != totals.len() || !bool::from(left.is_identity()) {
            return Err(Refused::DoesNotHold);
        }
        let commitment = self.statement.commitments.values().map(|c| c.0.len()).sum();
        let mut inventory = vec![(Message::WitnessRow, commitment)];
        inventory.extend(messages);
        inventory.extend([(Message::Mask, 32), (Message::Response, 32)]);
        Ok(inventory)
    }
}

fn malformed(what: &str) -> Refused {
    Refused::Malformed(what.to_owned())
}

/// Powers of the challenge that joins the equations of all totals, after everything that they speak of.
pub(crate) fn link(transcript: &mut Transcript, proof: &[u8], totals: usize) -> Vec<F> {
    transcript.absorb("verdict", proof);
    let lambda = transcript.challenge("link");
    std::iter::successors(Some(F::ONE), |power| Some(*power * lambda)).take(totals).collect()
}

/// The blinding of `Σ_r λ^r (E_r − Σ_i D_{i,r})`.
fn difference(evaluations: &[Opened], secrets: &[ChunkSecret], powers: &[F]) -> F {
    let of_element = |r: usize| secrets.iter().fold(evaluations[r].blind, |sum, s| sum - s.blinds[r]);
    powers.iter().enumerate().map(|(r, power)| *power * of_element(r)).sum()
}

/// What the salt and the mask are drawn from: they are new for every attempt, even where the source of randomness is not.
fn mask_seed(
    name: &str,
    rng: &mut dyn CryptoRngCore,
    secrets: &[ChunkSecret],
    transcript: &Transcript,
) -> Transcript {
    let secrets: Vec<Zeroizing<Vec<u8>>> = secrets.iter().map(ChunkSecret::to_bytes).collect();
    protocol::mask_seed(name, rng, secrets.iter().map(|s| ("secret", s.as_slice())), transcript)
}

/// The sums over all chunks, element by element.
fn add_up(secrets: &[ChunkSecret]) -> Result<Zeroizing<Vec<i64>>, EngineError> {
    let (first, others) = secrets.split_first().ok_or_else(|| EngineError::new("there is no chunk"))?;
    let mut sums = first.values.clone();
    for secret in others {
        if secret.totals() != sums.len() {
            return Err(EngineError::new("the chunks have different numbers of totals"));
        }
        for (sum, value) in sums.iter_mut().zip(&*secret.values) {
            *sum = sum.checked_add(*value).ok_or_else(|| EngineError::new("a sum of totals is too large"))?;
        }
    }
    Ok(sums)
}

impl SumcheckEngine {
    /// Shows that the sums of the totals over all chunks, in order, satisfy `verdict`: a system whose only given tensor is number
    /// 0, of segment `Input`, as many elements as each chunk has totals, with a declared width. The sums stay hidden.
    ///
    /// # Errors
    /// [`EngineError`] when they do not satisfy it, or do not fit the width.
    pub fn merge(
        &self,
        binding: &[u8; 32],
        secrets: &[ChunkSecret],
        verdict: &RelationSystem,
        rng: &mut dyn CryptoRngCore,
        progress: &dyn Progress,
    ) -> Result<Vec<u8>, EngineError> {
        progress.stage("merging the chunks");
        let mut given = Assignment::default();
        given.input.push(add_up(secrets)?.to_vec());
        let merging = Merging::new(binding, verdict, given.input[0].len())?;
        let failed = |e: String| EngineError::new(format!("the sums do not satisfy the verdict: {e}"));
        let trace = trace(verdict, &given).map_err(|e| failed(e.to_string()))?;
        check(verdict, &trace).map_err(|e| failed(e.to_string()))?;
        self.merge_trace(merging, secrets, &trace, rng)
    }

    /// The same for a trace that says what it likes of the sums.
    pub(crate) fn merge_trace(
        &self,
        mut merging: Merging,
        secrets: &[ChunkSecret],
        trace: &Trace,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Vec<u8>, EngineError> {
        let digests = || secrets.iter().map(|s| &s.proof);
        let seed = mask_seed("tacit/sumcheck/merge salt", rng, secrets, &merging.transcript(digests()));
        let opening = Opening(seed.fingerprint());
        let sums = BTreeMap::from([(SUMS, trace.tensor(SUMS))]);
        let commitment = self.commit(&merging.statement.system, Segment::Input, &sums, &opening)?;
        merging.commit(commitment.clone());
        let openings = Openings::from([(Segment::Input, opening)]);
        let transcript = merging.transcript(digests());
        let rest = merging.prove(secrets, trace, &openings, rng, transcript)?;
        Ok([commitment.0, rest].concat())
    }
}

/// Claims in chunks for the tests of soundness and zero knowledge.
#[cfg(test)]
pub(crate) mod testing {
    use tacit_relations::testing::Case;
    use tacit_relations::testing::builder::{Builder, signed};
    use tacit_relations::{Axis, Relation, TensorSpec, View};

    use super::*;
    use crate::chunks::{Chunk, prepare};
    use crate::transcript::Oracle;

    pub(crate) const CHUNKS: usize = 2;

    /// Three records through a matrix; total `r` is a sum of the answers with weights of its own.
    pub(crate) fn case(index: usize, totals: usize) -> (Case, Chunk) {
        let mut b = Builder::new("a chunk", index as u64);
        let (x, w) = (b.input(&[3, 2], 6), b.weights_of(&[2, 1], 5, vec![3, -7]));
        let (a, c) = (b.shaped(x, &[1, 3, 2]), b.shaped(w, &[1, 2, 1]));
        let y = b.contraction(a, c, None);
        let weights = b.constant(&[totals, 3], (0..3 * totals as i64).map(|i| i * i % 5).collect());
        let (a, c) = (b.shaped(weights, &[1, totals, 3]), b.shaped(y, &[1, 3, 1]));
        let totals = b.contraction(a, c, None);
        let samples = 3 * index as u64..3 * (index as u64 + 1);
        (b.finish(), Chunk { index: index as u32, count: CHUNKS as u32, samples, totals })
    }

    /// Every sum lies within these bounds.
    pub(crate) fn verdict(totals: usize, (lo, hi): (i64, i64)) -> RelationSystem {
        let (shape, bounds) = (vec![totals], signed(30));
        let sums = TensorSpec { shape, bounds, segment: Segment::Input, width: 30, constant: Vec::new() };
        let x = View { tensor: SUMS, offset: 0, axes: vec![Axis::plain(totals, 1)] };
        RelationSystem::new(vec![sums], vec![Relation::Range { x, lo, hi }]).expect("well-formed")
    }

    pub(crate) fn programmed(transcript: Transcript, oracle: Option<&Oracle>) -> Transcript {
        match oracle {
            Some(oracle) => transcript.programmed(oracle.clone()),
            None => transcript,
        }
    }

    /// What a verifier knows of a chunk's totals, where it accepts the proof.
    pub(crate) fn commitments(
        plan: &Plan,
        statement: &Statement,
        chunk: &Chunk,
        proof: &[u8],
        oracle: Option<&Oracle>,
    ) -> Result<(Inventory, Vec<Point>), Refused> {
        let (transcript, totals) = prepare(plan, statement, chunk)?;
        let transcript = programmed(transcript, oracle);
        protocol::verify_totals(plan, statement, proof, transcript, Some(&totals))
    }

    /// A merge whose prover commits to these sums, whatever the secrets say; everything else is as it should be.
    pub(crate) fn merge_of(
        secrets: &[ChunkSecret],
        sums: &[i64],
        verdict: &RelationSystem,
        oracle: Option<&Oracle>,
        rng: &mut dyn CryptoRngCore,
    ) -> Vec<u8> {
        let mut merging = Merging::new(&[7; 32], verdict, sums.len()).expect("it is about the sums");
        let given = Assignment { weights: Vec::new(), input: vec![sums.to_vec()], public: Vec::new() };
        let trace = trace(verdict, &given).expect("they fit their width");
        let mut salt = [0; 32];
        rng.fill_bytes(&mut salt);
        let tensors = BTreeMap::from([(SUMS, sums)]);
        let commitment = SumcheckEngine.commit(verdict, Segment::Input, &tensors, &Opening(salt));
        let commitment = commitment.expect("they fit their width");
        merging.commit(commitment.clone());
        let transcript = programmed(merging.transcript(secrets.iter().map(|s| &s.proof)), oracle);
        let openings = Openings::from([(Segment::Input, Opening(salt))]);
        let rest = merging.prove(secrets, &trace, &openings, rng, transcript);
        [commitment.0, rest.expect("they satisfy the verdict")].concat()
    }

    /// The verifier's last step, given what it knows of the chunks.
    pub(crate) fn check_merge(
        digests: &[[u8; 64]],
        totals: &[Point],
        verdict: &RelationSystem,
        merge: &[u8],
        oracle: Option<&Oracle>,
    ) -> Result<Inventory, Refused> {
        let mut merging = Merging::new(&[7; 32], verdict, totals.len())?;
        let (commitment, rest) = merging.split(merge)?;
        merging.commit(commitment);
        let transcript = programmed(merging.transcript(digests.iter()), oracle);
        merging.verify(rest, totals, transcript)
    }
}
