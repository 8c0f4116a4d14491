//! Attacks on the opening: wrong evaluations, rows that are not what they seem, wrong products, zeros that
//! are not.
//!
//! The opening stands alone here: a prover commits to tensors of many layouts, claims evaluations at a random
//! point, and opens them by [`Liar::open`], the production prover's steps with places to cheat.

use std::sync::Arc;

use halo2curves::ff::Field as _;
use halo2curves::group::Curve as _;
use tacit_relations::testing::builder::Builder;
use tacit_relations::{Commitment, Segment, Statement};

use super::{Liar, Stage, off, transcript};
use crate::claims::{Claims, Context};
use crate::expr::Source;
use crate::group::{Affine, F, Generators, Point, decode_all, encode, hash_to_curve, msm, normalise};
use crate::opening::{Joined, inner_product, join, row_weights};
use crate::party::{Linear, Malformed, Message, Opened, Party, Verifier};
use crate::pedersen::Pedersen;
use crate::plan::Fill;
use crate::poly::{eq_table, fold, inner};
use crate::sumcheck::{PlainRounds, plain};
use crate::transcript::Oracle;

/// Where a prover departs from the opening's last steps.
#[derive(Default)]
pub(super) struct Tricks {
    /// `κ` is off by this multiple of `U`.
    kappa: F,
    /// `δ` is off by this multiple of `U`.
    delta: F,
    /// The masked dot product's response is off by this.
    response: F,
    /// The masked vector is off by this, at every place.
    masked: F,
    /// Beyond the rows' ends: columns, rows, what lies there.
    beyond: Vec<(usize, usize, usize, F)>,
}

impl Liar {
    /// The production prover's opening, but for the tricks.
    pub(super) fn open(
        &mut self,
        context: &Context<'_>,
        claims: &Claims<Opened>,
        blinds: &[Vec<F>],
        tricks: &Tricks,
    ) -> Result<(), Malformed> {
        let joined = if tricks.beyond.is_empty() {
            join(self, context, claims)?
        } else {
            self.join_beyond(context, claims, tricks)?
        };
        let pedersen = Pedersen::get();
        let generators = Generators::get(context.plan.width);
        let bases = &generators.rows[..context.plan.width];
        let eq = eq_table(&joined.s);
        let mut vector = vec![F::ZERO; context.plan.width];
        for (claim, (full, tail)) in claims.list.iter().zip(&joined.weights) {
            let combined = claim.combined.as_ref().expect("a prover has rows");
            for (u, weight) in [(&combined.full, full), (&combined.tail, tail)] {
                vector.iter_mut().zip(u).for_each(|(sum, u)| *sum += *u * weight);
            }
        }
        let rows = row_weights(context, &claims.list, &joined.weights);
        for (column, row, at, value) in &tricks.beyond {
            vector[*at] += rows[*column][*row] * value;
        }
        let vector_blind: F = rows.iter().zip(blinds).map(|(weights, blinds)| inner(weights, blinds)).sum();

        let Joined { x, y, product, zero, dot, .. } = &joined;
        let [b1, b2, b3, b4, b5, k, mask_blind, mask_dot_blind] =
            std::array::from_fn(|_| self.prover.random());
        let mask: Vec<F> = (0..vector.len()).map(|_| self.prover.random()).collect();
        let mask_dot = inner(&mask, &eq);
        let first = normalise(&[
            pedersen.commit(&b1, &b2),
            pedersen.commit(&b3, &b4),
            pedersen.commit(&(b3 * x.value + tricks.delta), &(b3 * x.blind + b5)),
            pedersen.commit(&tricks.kappa, &k),
            msm(&mask, bases) + pedersen.blind(&mask_blind),
            pedersen.commit(&mask_dot, &mask_dot_blind),
        ]);
        self.points(Message::Mask, 6, || first)?;
        let e = self.challenge("respond");
        let responses = vec![
            b1 + e * x.value,
            b2 + e * x.blind,
            b3 + e * y.value,
            b4 + e * y.blind,
            b5 + e * (product.blind - x.blind * y.value),
            k + e * zero.blind,
            mask_blind + e * vector_blind,
            mask_dot + e * dot.value + tricks.response,
            mask_dot_blind + e * dot.blind,
        ];
        self.elements(Message::Response, responses.len(), || responses)?;
        let masked: Vec<F> = mask.iter().zip(&vector).map(|(m, v)| *m + e * v + tricks.masked).collect();
        inner_product(self, masked, eq, bases, &generators.u)
    }

    /// The joining sum-check of a prover whose rows go on beyond their ends, where weights are zero. For
    /// claims alone.
    fn join_beyond(
        &mut self,
        context: &Context<'_>,
        claims: &Claims<Opened>,
        tricks: &Tricks,
    ) -> Result<Joined<Opened>, Malformed> {
        assert!(self.requirements().products.is_empty(), "claims alone");
        let zero = Opened::known(F::ZERO);
        self.challenge("zeros");
        let gamma = self.challenge("claims");
        let width = context.plan.width;
        let mut rounds = Beyond(Vec::new());
        let (mut claim, mut power) = (zero.clone(), F::ONE);
        let mut ends = Vec::new();
        for c in &claims.list {
            claim.add(&c.scalar, &power);
            let layout = &context.plan.columns[c.column].layout;
            let (row_weights, columns) = (layout.row_weights(&c.point), layout.column_weights(&c.point));
            let combined = c.combined.as_ref().expect("a prover has rows");
            let tail_len = layout.tail_len().unwrap_or(0);
            for (u, len, tail) in
                [(&combined.full, layout.row_len(), false), (&combined.tail, tail_len, true)]
            {
                let mut u: Vec<F> = u.iter().map(|u| *u * power).collect();
                u.resize(width, F::ZERO);
                for (column, row, at, value) in &tricks.beyond {
                    if *column == c.column && layout.is_tail(*row) == tail {
                        assert!(*at >= len, "beyond the end");
                        u[*at] += row_weights[*row] * value * power;
                    }
                }
                let mut r = columns[..len].to_vec();
                r.resize(width, F::ZERO);
                rounds.0.push((u, r));
            }
            ends.push((columns, tail_len, power));
            power *= gamma;
        }
        let vars = crate::grid::bits_of(width);
        let reduced = plain(self, claim, vars, 2, Some(&mut rounds))?;
        let eq = eq_table(&reduced.point);
        let weights = ends
            .iter()
            .map(|(c, tail, power)| (inner(c, &eq) * power, inner(&c[..*tail], &eq) * power))
            .collect();
        Ok(Joined {
            x: zero.clone(),
            y: zero.clone(),
            product: zero.clone(),
            zero,
            dot: reduced.claim,
            s: reduced.point,
            weights,
        })
    }
}

/// `Σ_x Σ_i u_i(x) R_i(x)` over whole rows.
struct Beyond(Vec<(Vec<F>, Vec<F>)>);

impl PlainRounds for Beyond {
    fn round(&mut self) -> Vec<F> {
        let mut sum = vec![F::ZERO; 2];
        for (u, r) in &self.0 {
            for (u, r) in u.chunks(2).zip(r.chunks(2)) {
                let (du, dr) = (u[1] - u[0], r[1] - r[0]);
                sum[0] += u[0] * dr + du * r[0];
                sum[1] += du * dr;
            }
        }
        sum
    }

    fn bind(&mut self, r: &F) {
        for (u, weights) in &mut self.0 {
            fold(u, r);
            fold(weights, r);
        }
    }
}

/// Tensors whose rows are one, several, full, short; and one wider than the others' rows.
fn stage() -> Stage {
    let mut b = Builder::new("many layouts", 70);
    for shape in [&[5][..], &[70], &[3, 50], &[2, 70], &[2, 3, 33], &[130, 2], &[1_100]] {
        b.input(shape, 7);
    }
    Stage::new(b.finish())
}

/// What a cheating prover does before the opening.
#[derive(Default)]
struct Cheat {
    /// Evaluations that are off: claim, by how much.
    evaluations: Vec<(usize, F)>,
    /// What is added to row commitments of the statement: position of the row, point.
    rows: Vec<(usize, Point)>,
    /// How much the prover takes a row's blind to be off: column, row.
    blinds: Vec<(usize, usize, F)>,
    /// A product and a zero to show: `a · b = c`, `zero = 0`.
    product: Option<[F; 3]>,
    zero: Option<F>,
    /// Two scalars of which each is claimed to be zero.
    zeros: Option<[F; 2]>,
    tricks: Tricks,
    oracle: Option<Oracle>,
}

/// Both parties' steps before the opening: claims on every committed tensor, a product, zeros.
fn claim<P: Party>(
    party: &mut P,
    context: &Context<'_>,
    stage: &Stage,
    cheat: &Cheat,
) -> Result<Claims<P::Scalar>, Malformed> {
    let mut claims = Claims::new();
    for column in stage.columns_of(|f| matches!(f, Fill::Tensor(_))) {
        for _ in 0..2 {
            let vars = stage.plan.column_grids[column].vars();
            let point = party.challenges("point", vars);
            claims.source(party, context, Source::Column(column), point)?;
        }
    }
    if let Some(product) = cheat.product {
        let mut sent = party.commit(Message::Product, 3, || product.to_vec())?.into_iter();
        let mut next = || sent.next().expect("three were sent");
        let (a, b, c) = (next(), next(), next());
        party.require_product(a, b, c);
    }
    let zeros: Vec<F> = cheat.zero.into_iter().chain(cheat.zeros.into_iter().flatten()).collect();
    if !zeros.is_empty() {
        let count = zeros.len();
        for scalar in party.commit(Message::Product, count, || zeros)? {
            party.require_zero(scalar);
        }
    }
    Ok(claims)
}

/// Whether the cheat is taken for honest.
fn accepted(stage: &Stage, cheat: &Cheat) -> bool {
    let mut statement = stage.statement(stage.committed(&stage.columns));
    shift(&mut statement, &cheat.rows);
    let transcript = transcript(&statement, cheat.oracle.clone());

    let context = stage.context(&stage.columns, true);
    let evaluations = cheat.evaluations.iter().map(|(i, by)| (Message::Evaluation, *i, *by));
    let mut liar = Liar::new(transcript.clone(), evaluations.collect());
    let mut blinds = liar.rows(stage, &stage.columns);
    for (column, row, by) in &cheat.blinds {
        blinds[*column][*row] += by;
    }
    let claims = claim(&mut liar, &context, stage, cheat).expect("a prover reads nothing");
    liar.open(&context, &claims, &blinds, &cheat.tricks).expect("a prover reads nothing");
    let proof = liar.prover.finish();

    let context = stage.context(&[], false);
    let commitments: Vec<Affine> =
        statement.commitments.values().flat_map(|c| decode_all(&c.0).expect("points")).collect();
    let mut verifier = Verifier::new(transcript, &proof).expect("it is framed");
    let rows = stage.plan.segment(Segment::Witness).map(|c| c.layout.rows()).sum();
    verifier.points(Message::WitnessRow, rows, Vec::new).expect("they are there");
    let claims = claim(&mut verifier, &context, stage, cheat).expect("they are there");
    verifier.open(&context, &claims, &commitments).expect("it is whole").is_some()
}

/// Adds points to row commitments.
fn shift(statement: &mut Statement, rows: &[(usize, Point)]) {
    for (at, by) in rows {
        let Commitment(bytes) = statement.commitments.get_mut(&Segment::Input).expect("inputs only");
        let mut points = decode_all(bytes).expect("points");
        points[*at] = (by + points[*at]).to_affine();
        *bytes = points.iter().flat_map(encode).collect();
    }
}

/// An oracle that answers one challenge, as if it had been drawn before what it is to bind.
fn known(label: &'static str, answer: F) -> Option<Oracle> {
    Some(Arc::new(move |asked, _| (asked == label).then_some(answer)))
}

#[test]
fn honest_openings_hold() {
    let stage = stage();
    assert!(accepted(&stage, &Cheat::default()));
    let [a, b] = [F::from(6), F::from(7)];
    let honest = Cheat { product: Some([a, b, a * b]), zeros: Some([F::ZERO; 2]), ..Cheat::default() };
    assert!(accepted(&stage, &honest));
}

#[test]
fn a_wrong_evaluation_does_not_open() {
    let stage = stage();
    let claims = 2 * stage.columns_of(|f| matches!(f, Fill::Tensor(_))).len();
    for i in 0..claims {
        for by in [F::ONE, -F::ONE, off()] {
            let cheat = Cheat { evaluations: vec![(i, by)], ..Cheat::default() };
            assert!(!accepted(&stage, &cheat), "evaluation {i}");
        }
    }
    // Two that cancel: only where the challenge that joins claims is known before they are committed.
    let gamma = F::from(1_234);
    for (i, j) in [(0, 1), (2, 7), (5, 12)] {
        let evaluations = vec![(i, -gamma.pow_vartime([(j - i) as u64])), (j, F::ONE)];
        let cheat =
            Cheat { evaluations: evaluations.clone(), oracle: known("claims", gamma), ..Cheat::default() };
        assert!(accepted(&stage, &cheat), "γ is known");
        assert!(!accepted(&stage, &Cheat { evaluations, ..Cheat::default() }));
    }
}

#[test]
fn rows_are_what_they_were_committed_as() {
    let stage = stage();
    let generators = Generators::get(2 * stage.plan.width);
    let width = stage.plan.width;
    let rows: usize = stage.plan.segment(Segment::Input).map(|c| c.layout.rows()).sum();
    let by = off();
    let foreign = hash_to_curve(b"another base");
    for row in 0..rows {
        let bases = [
            ("H", generators.h),
            ("U", generators.u),
            ("the first generator", generators.rows[0]),
            ("the last generator of the argument", generators.rows[width - 1]),
            ("a generator beyond the argument", generators.rows[width]),
            ("a point of no use", foreign),
        ];
        for (what, base) in bases {
            let cheat = Cheat { rows: vec![(row, base * by)], ..Cheat::default() };
            assert!(!accepted(&stage, &cheat), "row {row} shifted by {what}");
        }
    }
    // A prover that knows of the shift along H holds another blind for the same values.
    let column = stage.columns_of(|f| matches!(f, Fill::Tensor(_)))[2];
    let before: usize = stage.plan.columns[..column].iter().map(|c| c.layout.rows()).sum();
    let cheat = Cheat {
        rows: vec![(before + 1, generators.h * by)],
        blinds: vec![(column, 1, by)],
        ..Cheat::default()
    };
    assert!(accepted(&stage, &cheat));
    // Rows in another order.
    let mut statement = stage.statement(stage.committed(&stage.columns));
    let points = decode_all(&statement.commitments[&Segment::Input].0).expect("points");
    let swap = Point::from(points[before + 1]) - points[before];
    let cheat = Cheat { rows: vec![(before, swap), (before + 1, -swap)], ..Cheat::default() };
    assert!(!accepted(&stage, &cheat));
    shift(&mut statement, &cheat.rows);
    let swapped = decode_all(&statement.commitments[&Segment::Input].0).expect("points");
    assert_eq!([swapped[before], swapped[before + 1]], [points[before + 1], points[before]]);
}

/// What lies beyond a row's end has no weight: a prover that commits to it and says so everywhere proves the
/// same evaluation as without it, and no other.
#[test]
fn beyond_the_end_of_a_row_nothing_counts() {
    let stage = stage();
    let width = stage.plan.width;
    let generators = Generators::get(width);
    let by = off();
    let mut cases = 0;
    for (i, column) in stage.columns_of(|f| matches!(f, Fill::Tensor(_))).into_iter().enumerate() {
        let layout = &stage.plan.columns[column].layout;
        let before: usize = stage.plan.columns[..column].iter().map(|c| c.layout.rows()).sum();
        for row in [0, layout.rows() - 1] {
            let end = layout.range(row).len();
            for at in [end, end + 1, width - 1] {
                if at < end || at >= width {
                    continue;
                }
                cases += 1;
                let tricks = Tricks { beyond: vec![(column, row, at, by)], ..Tricks::default() };
                let rows = vec![(before + row, generators.rows[at] * by)];
                // Silent about it.
                assert!(!accepted(&stage, &Cheat { rows: rows.clone(), ..Cheat::default() }));
                let cheat = Cheat { rows, tricks, ..Cheat::default() };
                assert!(accepted(&stage, &cheat), "column {column}, row {row}, {at}");
                // As if it counted, at one of the two points.
                let cheat = Cheat { evaluations: vec![(2 * i, by)], ..cheat };
                assert!(!accepted(&stage, &cheat), "column {column}, row {row}, {at}");
            }
        }
    }
    println!("beyond the end of a row: {cases} places");
}

#[test]
fn wrong_products_and_zeros_are_not_shown() {
    let stage = stage();
    let [a, b] = [F::from(6), F::from(7)];
    for wrong in [F::ZERO, a * b + F::ONE, -(a * b), off()] {
        let cheat = Cheat { product: Some([a, b, wrong]), ..Cheat::default() };
        assert!(!accepted(&stage, &cheat), "a wrong product");
        // With a first message that would put it right for a known challenge.
        let e = F::from(99);
        let tricks = || Tricks { delta: e * (a * b - wrong), ..Tricks::default() };
        let cheat = Cheat { product: Some([a, b, wrong]), tricks: tricks(), ..Cheat::default() };
        assert!(!accepted(&stage, &cheat), "a wrong product");
        let cheat = Cheat { oracle: known("respond", e), ..cheat };
        assert!(accepted(&stage, &cheat), "the challenge is known");
    }
    for wrong in [F::ONE, -F::ONE, off()] {
        assert!(!accepted(&stage, &Cheat { zero: Some(wrong), ..Cheat::default() }), "not zero");
        let e = F::from(98);
        let tricks = Tricks { kappa: -e * wrong, ..Tricks::default() };
        let cheat = Cheat { zero: Some(wrong), tricks, ..Cheat::default() };
        assert!(!accepted(&stage, &cheat), "not zero");
        let cheat = Cheat { oracle: known("respond", e), ..cheat };
        assert!(accepted(&stage, &cheat), "the challenge is known");
        // Two that cancel.
        let omega = F::from(55);
        let cheat = Cheat { zeros: Some([-omega * wrong, wrong]), ..Cheat::default() };
        assert!(!accepted(&stage, &cheat), "neither is zero");
        assert!(accepted(&stage, &Cheat { oracle: known("zeros", omega), ..cheat }), "ω is known");
    }
}

#[test]
fn wrong_responses_and_vectors_are_refused() {
    let stage = stage();
    for tricks in [
        Tricks { response: off(), ..Tricks::default() },
        Tricks { masked: off(), ..Tricks::default() },
        Tricks { kappa: off(), ..Tricks::default() },
        Tricks { delta: off(), ..Tricks::default() },
    ] {
        assert!(!accepted(&stage, &Cheat { tricks, ..Cheat::default() }));
    }
}

/// A multiple of `U` hidden in a row would move the dot product, were the scalar base `ξ·U` known before the
/// responses: every challenge is known in the first run, from which the prover computes what to hide.
#[test]
fn the_scalar_base_comes_after_the_responses() {
    let stage = stage();
    let lie = 3;
    let column = stage.columns_of(|f| matches!(f, Fill::Tensor(_)))[lie / 2];
    let before: usize = stage.plan.columns[..column].iter().map(|c| c.layout.rows()).sum();
    let generators = Generators::get(stage.plan.width);
    let oracle: Oracle = Arc::new(|_, i| Some(F::from(0x1_0001).pow_vartime([i as u64 + 3])));
    // What the prover learns by rehearsing: the weight of the row, and how far the lie moves the dot product.
    let rehearse = |evaluations: Vec<(usize, F)>| {
        let cheat = Cheat { evaluations: evaluations.clone(), ..Cheat::default() };
        let statement = stage.statement(stage.committed(&stage.columns));
        let context = stage.context(&stage.columns, true);
        let lies = evaluations.iter().map(|(i, by)| (Message::Evaluation, *i, *by)).collect();
        let mut liar = Liar::new(transcript(&statement, Some(Arc::clone(&oracle))), lies);
        liar.rows(&stage, &stage.columns);
        let claims = claim(&mut liar, &context, &stage, &cheat).expect("nothing is read");
        let joined = join(&mut liar, &context, &claims).expect("nothing is read");
        let rows = row_weights(&context, &claims.list, &joined.weights);
        liar.challenge("respond");
        (joined.dot.value, rows[column][0], liar.challenge("scalar base"))
    };
    let (honest, weight, xi) = rehearse(Vec::new());
    let (lied, same, _) = rehearse(vec![(lie, F::ONE)]);
    assert_eq!(weight, same, "challenges do not depend on messages");
    // In the argument the row adds `e·weight·shift·U` where the lie adds `e·(lied − honest)·ξ·U`.
    let shift = -(lied - honest) * xi * weight.invert().expect("not zero");
    let cheat = |oracle: Option<Oracle>| Cheat {
        evaluations: vec![(lie, F::ONE)],
        rows: vec![(before, generators.u * shift)],
        oracle,
        ..Cheat::default()
    };
    assert!(accepted(&stage, &cheat(Some(oracle))), "every challenge is known");
    assert!(!accepted(&stage, &cheat(None)), "challenges are drawn from messages");
}
