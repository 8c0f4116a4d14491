//! A proof from beginning to end. Every wire is committed before the first challenge.

use std::collections::BTreeMap;

use rand_core::{CryptoRngCore, SeedableRng as _};
use tacit_relations::{
    Commitment, EngineError, Opening, Openings, Refused, Segment, Statement, TensorId, Trace,
};
use zeroize::Zeroize as _;

use crate::claims::{Claims, Context, Totals};
use crate::expr::Values;
use crate::group::{Affine, F, Generators, Point, decode_all, encode};
use crate::hyrax::{Row, commit_rows};
use crate::layout::Layout;
use crate::party::{Inventory, Malformed, Message, Opened, Party, Prover, Verifier};
use crate::plan::{Plan, PublicVector};
use crate::secret::Secret;
use crate::transcript::{Transcript, derive};
use crate::witness::{Misfit, fill};
use crate::{checks, lookups, viewed};

/// The rows of a vector.
pub(crate) fn rows<'v>(layout: &Layout, values: &'v [i64]) -> impl Iterator<Item = Row<'v>> {
    (0..layout.rows()).map(|r| Row { runs: vec![(0, &values[layout.range(r)])] })
}

/// Commitments to the rows of a vector under these blinds.
pub(crate) fn commit_vector(
    generators: &Generators,
    layout: &Layout,
    values: &[i64],
    blinds: &[F],
) -> Vec<Affine> {
    commit_rows(generators, &rows(layout, values).collect::<Vec<_>>(), blinds)
}

/// Blinds of the rows of a segment of the statement, from its opening.
pub(crate) fn segment_blinds(segment: Segment, opening: &Opening, rows: usize) -> Vec<F> {
    let label = match segment {
        Segment::Weights => "tacit/sumcheck/blind/weights",
        Segment::Input => "tacit/sumcheck/blind/input",
        _ => "tacit/sumcheck/blind/output",
    };
    (0..rows as u64).map(|i| derive(label, &opening.0, i)).collect()
}

/// The points of a commitment, which must be as many as the plan's rows.
fn points(plan: &Plan, segment: Segment, commitment: &Commitment) -> Option<Vec<Affine>> {
    let rows: usize = plan.segment(segment).map(|c| c.layout.rows()).sum();
    if commitment.0.len() != 32 * rows {
        return None;
    }
    decode_all(&commitment.0)
}

/// The transcript before the first message: version, statement, commitments.
pub(crate) fn transcript(name: &str, statement: &Statement) -> Transcript {
    let mut transcript = Transcript::new(name);
    transcript.absorb("binding", &statement.binding);
    transcript.absorb("system", &statement.system.digest());
    for (id, values) in &statement.public {
        transcript.absorb("public tensor", &id.0.to_le_bytes());
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        transcript.absorb("public values", &bytes);
    }
    for (segment, commitment) in &statement.commitments {
        transcript.absorb("segment", format!("{segment:?}").as_bytes());
        transcript.absorb("commitment", &commitment.0);
    }
    transcript
}

/// Values of a constant or public tensor.
fn public_tensor(statement: &Statement, id: TensorId) -> &[i64] {
    let spec = statement.system.tensor(id);
    if spec.segment == Segment::Constant { &spec.constant } else { &statement.public[&id] }
}

/// Values of the plan's public vectors. The statement has been validated.
pub(crate) fn public_vectors(plan: &Plan, statement: &Statement) -> Vec<Vec<i64>> {
    plan.publics
        .iter()
        .map(|public| match public {
            PublicVector::View(view) => view.materialise(public_tensor(statement, view.tensor)),
            PublicVector::Values(values) => values.to_vec(),
        })
        .collect()
}

/// Whether public values lie where relations want them.
fn public_ranges_hold(plan: &Plan, statement: &Statement) -> bool {
    plan.public_ranges.iter().all(|range| {
        let values = range.view.materialise(public_tensor(statement, range.view.tensor));
        values.iter().all(|v| (range.lo..=range.hi).contains(v))
    })
}

/// Lookups and relations.
pub(crate) fn relations<P: Party>(
    party: &mut P,
    context: &Context<'_>,
) -> Result<Claims<P::Scalar>, Malformed> {
    let mut claims = Claims::new();
    {
        let _span = tracing::info_span!(target: "tacit_sumcheck", "lookups").entered();
        lookups::run(party, context, &mut claims)?;
    }
    let _span = tracing::info_span!(target: "tacit_sumcheck", "sum-checks").entered();
    checks::run(party, context, &mut claims)?;
    Ok(claims)
}

/// What is to be opened, and the elements of a tensor.
pub(crate) type Reduced<S> = (Claims<S>, Vec<S>);

/// The sum-checks, and the elements of a tensor that is asked for: what they leave is opened afterwards.
pub(crate) fn run<P: Party>(
    party: &mut P,
    context: &Context<'_>,
    totals: Option<&Totals<'_>>,
) -> Result<Reduced<P::Scalar>, Malformed> {
    let mut claims = relations(party, context)?;
    let totals = totals.map(|totals| claims.totals(party, context, totals)).transpose()?;
    let _span = tracing::info_span!(target: "tacit_sumcheck", "views").entered();
    viewed::run(party, context, &mut claims)?;
    Ok((claims, totals.unwrap_or_default()))
}

/// What masks are drawn from: operating system's randomness, secrets and the transcript so far together, so that a weak
/// source alone does not repeat a mask.
pub(crate) fn mask_seed<'s>(
    name: &str,
    rng: &mut dyn CryptoRngCore,
    secrets: impl Iterator<Item = (&'s str, &'s [u8])>,
    transcript: &Transcript,
) -> Transcript {
    let mut seed = Transcript::new(name);
    let mut fresh = [0; 64];
    rng.fill_bytes(&mut fresh);
    seed.absorb("fresh", &fresh);
    fresh.zeroize();
    for (label, secret) in secrets {
        seed.absorb(label, secret);
    }
    seed.absorb("statement", &transcript.fingerprint());
    seed
}

/// A fresh generator for one attempt.
pub(crate) fn attempt(
    rng: &mut dyn CryptoRngCore,
    openings: &Openings,
    transcript: &Transcript,
) -> rand_chacha::ChaCha20Rng {
    let secrets = openings.values().map(|opening| ("opening", &opening.0[..]));
    let seed = mask_seed("tacit/sumcheck/masks", rng, secrets, transcript);
    rand_chacha::ChaCha20Rng::from_seed(seed.fingerprint())
}

/// Proves `statement` by the plan.
pub(crate) fn prove(
    name: &str,
    plan: &Plan,
    statement: &Statement,
    trace: &Trace,
    openings: &Openings,
    rng: &mut dyn CryptoRngCore,
) -> Result<Vec<u8>, EngineError> {
    prove_trace(plan, statement, trace, openings, rng, transcript(name, statement), None)
        .map(|(proof, _)| proof)
}

/// The same with a given transcript, and with the elements of a tensor.
pub(crate) fn prove_trace(
    plan: &Plan,
    statement: &Statement,
    trace: &Trace,
    openings: &Openings,
    rng: &mut dyn CryptoRngCore,
    transcript: Transcript,
    totals: Option<&Totals<'_>>,
) -> Result<(Vec<u8>, Vec<Opened>), EngineError> {
    let publics = public_vectors(plan, statement);
    let mut values = Values {
        columns: Vec::with_capacity(plan.columns.len()),
        column_grids: &plan.column_grids,
        publics: &publics,
        public_grids: &plan.public_grids,
        views: &plan.views,
    };
    {
        let _span = tracing::info_span!(target: "tacit_sumcheck", "fill").entered();
        fill(plan, trace, &mut values, Misfit::Refuse)?;
    }
    let mut context = Context { plan, values, proving: true };
    let proof = prove_totals(&context, openings, rng, transcript, totals);
    for column in &mut context.values.columns {
        if let std::borrow::Cow::Owned(column) = column {
            column.zeroize();
        }
    }
    proof
}

/// Proves with these columns, whatever they are.
#[cfg(test)]
pub(crate) fn prove_columns(
    context: &Context<'_>,
    openings: &Openings,
    rng: &mut dyn CryptoRngCore,
    transcript: Transcript,
) -> Result<Vec<u8>, EngineError> {
    prove_totals(context, openings, rng, transcript, None).map(|(proof, _)| proof)
}

/// Proves with these columns, whatever they are. The elements of a tensor are committed like any other evaluation and
/// handed out.
pub(crate) fn prove_totals(
    context: &Context<'_>,
    openings: &Openings,
    rng: &mut dyn CryptoRngCore,
    transcript: Transcript,
    totals: Option<&Totals<'_>>,
) -> Result<(Vec<u8>, Vec<Opened>), EngineError> {
    let rng = attempt(rng, openings, &transcript);
    prove_as(Prover::new(transcript, rng), context, openings, totals)
}

/// The same by a given prover.
pub(crate) fn prove_as(
    mut prover: Prover,
    context: &Context<'_>,
    openings: &Openings,
    totals: Option<&Totals<'_>>,
) -> Result<(Vec<u8>, Vec<Opened>), EngineError> {
    let blinds = commit_witness(&mut prover, context, openings)?;
    let (claims, totals) = run(&mut prover, context, totals).map_err(shape)?;
    {
        let _span = tracing::info_span!(target: "tacit_sumcheck", "openings").entered();
        prover.open(context, &claims, &blinds).map_err(shape)?;
    }
    Ok((prover.finish(), totals))
}

/// Commits to the witness; the blinds of every column's rows, those of the statement first.
pub(crate) fn commit_witness(
    prover: &mut Prover,
    context: &Context<'_>,
    openings: &Openings,
) -> Result<Vec<Secret>, EngineError> {
    let plan = context.plan;
    let mut blinds: Vec<Secret> = Vec::with_capacity(plan.columns.len());
    for segment in Segment::COMMITTED {
        let rows: Vec<usize> = plan.segment(segment).map(|c| c.layout.rows()).collect();
        if rows.is_empty() {
            continue;
        }
        let opening = openings
            .get(&segment)
            .ok_or_else(|| EngineError::new(format!("the {segment:?} segment has no opening")))?;
        let all = Secret::from(segment_blinds(segment, opening, rows.iter().sum()));
        let mut all = all.iter().copied();
        blinds.extend(rows.into_iter().map(|n| all.by_ref().take(n).collect::<Secret>()));
    }
    let _span = tracing::info_span!(target: "tacit_sumcheck", "commit").entered();
    let first = blinds.len();
    let mut uncommitted = Vec::new();
    for (column, values) in plan.columns.iter().zip(&context.values.columns).skip(first) {
        blinds.push((0..column.layout.rows()).map(|_| prover.random()).collect());
        uncommitted.extend(rows(&column.layout, values));
    }
    let fresh: Secret = blinds[first..].iter().flat_map(|b| b.iter().copied()).collect();
    let committed = commit_rows(&Generators::get(plan.width), &uncommitted, &fresh);
    prover.points(Message::WitnessRow, committed.len(), || committed).map_err(shape)?;
    Ok(blinds)
}

/// A prover does not read, so nothing it reads is malformed.
fn shape(malformed: Malformed) -> EngineError {
    EngineError::new(format!("the proof could not be put together: {}", malformed.0))
}

/// Verifies a proof of `statement` by the plan; returns kinds and bytes of its messages.
pub(crate) fn verify(
    name: &str,
    plan: &Plan,
    statement: &Statement,
    proof: &[u8],
) -> Result<Inventory, Refused> {
    verify_with(plan, statement, proof, transcript(name, statement))
}

/// The same with a given transcript.
pub(crate) fn verify_with(
    plan: &Plan,
    statement: &Statement,
    proof: &[u8],
    transcript: Transcript,
) -> Result<Inventory, Refused> {
    verify_totals(plan, statement, proof, transcript, None).map(|(inventory, _)| inventory)
}

/// The same, with the commitments to the elements of a tensor.
pub(crate) fn verify_totals(
    plan: &Plan,
    statement: &Statement,
    proof: &[u8],
    transcript: Transcript,
    totals: Option<&Totals<'_>>,
) -> Result<(Inventory, Vec<Point>), Refused> {
    let malformed = |m: Malformed| Refused::Malformed(m.0.to_owned());
    if !public_ranges_hold(plan, statement) {
        return Err(Refused::DoesNotHold);
    }
    let mut commitments = Vec::new();
    for segment in Segment::COMMITTED {
        let Some(commitment) = statement.commitments.get(&segment) else { continue };
        let points = points(plan, segment, commitment);
        commitments.extend(
            points.ok_or_else(|| Refused::Malformed(format!("the {segment:?} commitment is not one")))?,
        );
    }
    let publics = public_vectors(plan, statement);
    let values = Values {
        columns: Vec::new(),
        column_grids: &plan.column_grids,
        publics: &publics,
        public_grids: &plan.public_grids,
        views: &plan.views,
    };
    let context = Context { plan, values, proving: false };
    let mut verifier = Verifier::new(transcript, proof).map_err(malformed)?;
    let rows = plan.segment(Segment::Witness).map(|c| c.layout.rows()).sum();
    verifier.points(Message::WitnessRow, rows, Vec::new).map_err(malformed)?;
    let (claims, totals) = run(&mut verifier, &context, totals).map_err(malformed)?;
    let totals = totals.iter().map(|scalar| verifier.commitment(scalar)).collect();
    let _span = tracing::info_span!(target: "tacit_sumcheck", "openings").entered();
    let inventory = verifier.open(&context, &claims, &commitments).map_err(malformed)?;
    Ok((inventory.ok_or(Refused::DoesNotHold)?, totals))
}

/// Commits to the tensors of a segment.
pub(crate) fn commit(
    system: &tacit_relations::RelationSystem,
    segment: Segment,
    tensors: &BTreeMap<TensorId, &[i64]>,
    opening: &Opening,
) -> Result<Commitment, EngineError> {
    if !Segment::COMMITTED.contains(&segment) {
        return Err(EngineError::new(format!("{segment:?} is not committed")));
    }
    let mut bytes = Vec::new();
    let mut start = 0;
    let ids: Vec<TensorId> = system.parts(segment).into_iter().flat_map(|p| p.tensors).collect();
    let layouts: Vec<Layout> = ids.iter().map(|id| Layout::of_shape(&system.tensor(*id).shape)).collect();
    let total = layouts.iter().map(Layout::rows).sum();
    let blinds = Secret::from(segment_blinds(segment, opening, total));
    for (id, layout) in ids.iter().zip(&layouts) {
        let spec = system.tensor(*id);
        let values = tensors.get(id).copied().unwrap_or_default();
        let bound = 1i64 << (spec.width - 1);
        if values.len() != spec.len() || !values.iter().all(|v| (-bound..bound).contains(v)) {
            return Err(EngineError::new(format!(
                "the {segment:?} segment cannot be committed: tensor {} has another length or a value beyond its {} bits",
                id.0, spec.width
            )));
        }
        let generators = Generators::get(layout.row_len());
        let blinds = &blinds[start..start + layout.rows()];
        start += layout.rows();
        bytes.extend(commit_vector(&generators, layout, values, blinds).iter().flat_map(encode));
    }
    Ok(Commitment(bytes))
}
