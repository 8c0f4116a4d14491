//! The end of a proof: what the sum-checks left is opened in zero knowledge.
//!
//! 1. All products `a·b = c` of committed scalars are folded to one by a weighted sum-check over their list.
//! 2. All claims on columns are joined by powers of `γ`. In row space a claim is `⟨u, R⟩`, `u` the rows of the column
//!    combined by the point's row weights; one sum-check over columns reduces `Σ γ^i ⟨u_i, R_i⟩` to `⟨u*, eq(s)⟩` with
//!    `u* = Σ γ^i R_i(s) u_i`, whose commitment is the same combination of row commitments. Columns beyond a row's end
//!    have weight zero in `R_i`, so nothing there counts.
//! 3. First messages of the Σ-protocols (Maurer 2009; Wahby et al. 2018, Fig. 5 and 6): product, zero, and a masked vector
//!    for the dot product; one challenge; responses.
//! 4. The masked vector is shown by a logarithmic inner-product argument (Bünz et al. 2018, §3) with the scalar base
//!    `ξ·U`, `ξ` drawn after the responses. It needs no zero knowledge: the vector is uniform.
//! 5. The verifier checks all group equations as one random combination.

use std::collections::BTreeMap;

use halo2curves::ff::{BatchInvert as _, Field};
use halo2curves::group::{Curve as _, Group as _};
use rayon::prelude::*;

use crate::claims::{Claim, Claims, Context};
use crate::group::{Affine, F, Generators, Point, msm, normalise};
use crate::layout::Layout;
use crate::party::{
    Combination, Inventory, Linear, Malformed, Message, Opened, Party, Prover, Read, Verifier,
};
use crate::pedersen::Pedersen;
use crate::poly::{SplitEq, at, eq_table, fold, inner};
use crate::secret::Secret;
use crate::sumcheck::{PlainRounds, WeightedRounds, plain, weighted};

/// The inner-product argument stops folding at this length and sends what is left.
const FOLDED: usize = 16;

/// What both parties know when the sum-checks are over.
pub(crate) struct Joined<S> {
    /// `x · y = product`.
    pub(crate) x: S,
    pub(crate) y: S,
    pub(crate) product: S,
    /// A scalar that is zero.
    pub(crate) zero: S,
    /// `⟨u*, eq(s)⟩ = dot`.
    pub(crate) dot: S,
    pub(crate) s: Vec<F>,
    /// Weight of each claim in `u*`: for its full rows and for its short ones.
    pub(crate) weights: Vec<(F, F)>,
}

/// Steps 1 and 2.
pub(crate) fn join<P: Party>(
    party: &mut P,
    context: &Context<'_>,
    claims: &Claims<P::Scalar>,
) -> Result<Joined<P::Scalar>, Malformed> {
    let zero = P::Scalar::known(F::ZERO);
    let requirements = party.requirements();

    let count = requirements.products.len().max(1);
    let vars = crate::grid::bits_of(count);
    let tau = party.challenges("fold products", vars);
    let mut prover = context.proving.then(|| {
        let value = |s: &P::Scalar| party.value(s).expect("the prover has values");
        let products = &requirements.products;
        ProductRounds {
            a: products.iter().map(|p| value(&p.0)).collect(),
            b: products.iter().map(|p| value(&p.1)).collect(),
            c: products.iter().map(|p| value(&p.2)).collect(),
            eq: SplitEq::new(&tau),
        }
    });
    let rounds = prover.as_mut().map(|p| p as &mut dyn WeightedRounds);
    let reduced = weighted(party, zero.clone(), &tau, rounds)?;
    let at_point = eq_table(&reduced.point);
    let (mut x, mut y, mut product) = (zero.clone(), zero.clone(), reduced.claim);
    for ((a, b, c), e) in requirements.products.iter().zip(&at_point) {
        x.add(a, e);
        y.add(b, e);
        product.add(c, e);
    }

    let omega = party.challenge("zeros");
    let mut joined_zero = zero.clone();
    for scalar in requirements.zeros.iter().rev() {
        joined_zero.scale(&omega);
        joined_zero.add(scalar, &F::ONE);
    }

    let gamma = party.challenge("claims");
    let vars = crate::grid::bits_of(context.plan.width);
    let mut claim = zero;
    let mut power = F::ONE;
    let mut powers = Vec::with_capacity(claims.list.len());
    for c in &claims.list {
        claim.add(&c.scalar, &power);
        powers.push(power);
        power *= gamma;
    }
    let places = Places::new(context, &claims.list);
    let mut prover = context.proving.then(|| ColumnRounds::new(&places, &claims.list, &powers));
    let rounds = prover.as_mut().map(|p| p as &mut dyn PlainRounds);
    let reduced = plain(party, claim, vars, 2, rounds)?;
    let at_point = places.evaluate(&eq_table(&reduced.point));
    let weights = places.of_claim.iter().zip(&powers).map(|(&place, power)| {
        let (full, tail) = at_point[place];
        (*power * full, *power * tail)
    });
    let weights = weights.collect();
    Ok(Joined { x, y, product, zero: joined_zero, dot: reduced.claim, s: reduced.point, weights })
}

/// `Σ_i eq(τ, i) (a_i b_i − c_i) = 0`.
struct ProductRounds {
    a: Vec<F>,
    b: Vec<F>,
    c: Vec<F>,
    eq: SplitEq,
}

impl WeightedRounds for ProductRounds {
    fn round(&mut self) -> (F, F) {
        self.eq.pop();
        self.eq.sum(self.a.len().div_ceil(2), |y| {
            let [a0, a1, b0, b1] =
                [(&self.a, 0), (&self.a, 1), (&self.b, 0), (&self.b, 1)].map(|(v, i)| at(v, 2 * y + i));
            (a1 * b1 - at(&self.c, 2 * y + 1), (a1 - a0) * (b1 - b0))
        })
    }

    fn bind(&mut self, r: &F) {
        for v in [&mut self.a, &mut self.b, &mut self.c] {
            fold(v, r);
        }
    }
}

/// Where in its row a claim weighs columns: few places for many claims, since points are shared.
struct Places<'t> {
    /// A layout, a point, and the length of short rows; different places weigh columns differently.
    list: Vec<(&'t Layout, &'t [F])>,
    of_claim: Vec<usize>,
}

impl<'t> Places<'t> {
    fn new<S>(context: &Context<'t>, claims: &'t [Claim<S>]) -> Self {
        let mut known = BTreeMap::new();
        let mut list = Vec::new();
        let of_claim = claims.iter().map(|claim| {
            let layout = &context.plan.columns[claim.column].layout;
            *known.entry((layout.within(&claim.point), layout.tail_len())).or_insert_with(|| {
                list.push((layout, claim.point.as_slice()));
                list.len() - 1
            })
        });
        let of_claim = of_claim.collect();
        Self { list, of_claim }
    }

    /// The extensions of the column weights, of full rows and of short ones, at the point of an equality table.
    fn evaluate(&self, eq: &[F]) -> Vec<(F, F)> {
        let places = self.list.par_iter();
        places
            .map(|(layout, point)| {
                if let Some((_, at)) = layout.element(point) {
                    return (
                        eq[at],
                        if layout.tail_len().is_some_and(|len| at < len) { eq[at] } else { F::ZERO },
                    );
                }
                let columns = layout.column_weights(point);
                let tail = layout.tail_len().map_or(F::ZERO, |len| inner(&columns[..len], eq));
                (inner(&columns, eq), tail)
            })
            .collect()
    }
}

/// `Σ_x Σ_i u_i(x) R_i(x)`.
struct ColumnRounds {
    pairs: Vec<(Vec<F>, Vec<F>)>,
}

impl ColumnRounds {
    fn new<S>(places: &Places<'_>, claims: &[Claim<S>], powers: &[F]) -> Self {
        // Claims at one place are one pair, or two where there are short rows. Elements of one row are one pair.
        let mut pairs: Vec<(Vec<F>, Vec<F>)> = Vec::with_capacity(2 * places.list.len());
        let mut of_place = vec![None; places.list.len()];
        let mut of_row = BTreeMap::new();
        for ((claim, power), place) in claims.iter().zip(powers).zip(&places.of_claim) {
            let (layout, point) = &places.list[*place];
            let combined = claim.combined.as_ref().expect("the prover has rows");
            if let Some((row, at)) = layout.element(&claim.point) {
                let pair = *of_row.entry((claim.column, row)).or_insert_with(|| {
                    let own = if layout.is_tail(row) { &combined.tail } else { &combined.full };
                    pairs.push((own.clone(), vec![F::ZERO; own.len()]));
                    pairs.len() - 1
                });
                pairs[pair].1[at] += power;
                continue;
            }
            let first = *of_place[*place].get_or_insert_with(|| {
                let columns = layout.column_weights(point);
                let tail = layout.tail_len().unwrap_or(0);
                let short = (vec![F::ZERO; tail], columns[..tail].to_vec());
                pairs.extend([(vec![F::ZERO; columns.len()], columns), short]);
                pairs.len() - 2
            });
            for (pair, u) in [(first, &combined.full), (first + 1, &combined.tail)] {
                for (sum, u) in pairs[pair].0.iter_mut().zip(u) {
                    *sum += *u * power;
                }
            }
        }
        pairs.retain(|(u, _)| !u.is_empty());
        Self { pairs }
    }
}

impl PlainRounds for ColumnRounds {
    fn round(&mut self) -> Vec<F> {
        let [linear, leading] = self
            .pairs
            .par_iter()
            .map(|(u, r)| {
                (0..u.len().div_ceil(2)).fold([F::ZERO; 2], |sum, y| {
                    let (u0, r0) = (u[2 * y], r[2 * y]);
                    let (du, dr) = (at(u, 2 * y + 1) - u0, at(r, 2 * y + 1) - r0);
                    [sum[0] + u0 * dr + du * r0, sum[1] + du * dr]
                })
            })
            .reduce(|| [F::ZERO; 2], |a, b| [a[0] + b[0], a[1] + b[1]]);
        vec![linear, leading]
    }

    fn bind(&mut self, r: &F) {
        self.pairs.par_iter_mut().for_each(|(u, weights)| {
            fold(u, r);
            fold(weights, r);
        });
    }
}

/// Weight of every row commitment in the commitment to `u*`, column by column.
pub(crate) fn row_weights<S: Sync>(
    context: &Context<'_>,
    claims: &[Claim<S>],
    weights: &[(F, F)],
) -> Vec<Vec<F>> {
    let mut rows: Vec<Vec<F>> = context.plan.columns.iter().map(|c| vec![F::ZERO; c.layout.rows()]).collect();
    for (claim, (full, tail)) in claims.iter().zip(weights) {
        let layout = &context.plan.columns[claim.column].layout;
        let of_point = layout.row_weights(&claim.point);
        for (row, (sum, weight)) in rows[claim.column].iter_mut().zip(of_point).enumerate() {
            *sum += weight * if layout.is_tail(row) { tail } else { full };
        }
    }
    rows
}

/// Bases of the argument: `x_i` for the challenge of round `i`, the weight `Π x_i^{±1}` of every generator.
fn fold_weights(challenges: &[(F, F)], width: usize) -> Vec<F> {
    // The first round folds the upper half onto the lower one.
    let mut weights = vec![F::ONE; width];
    let mut half = width / 2;
    for (x, inverse) in challenges {
        for (i, w) in weights.iter_mut().enumerate() {
            *w *= if i & half == 0 { inverse } else { x };
        }
        half /= 2;
    }
    weights
}

impl Prover {
    /// Steps 1 to 4. `blinds` are those of every column's rows.
    pub(crate) fn open(
        &mut self,
        context: &Context<'_>,
        claims: &Claims<Opened>,
        blinds: &[Secret],
    ) -> Result<(), Malformed> {
        let joined = join(self, context, claims)?;
        let pedersen = Pedersen::get();
        let generators = Generators::get(context.plan.width);
        let bases = &generators.rows[..context.plan.width];
        let eq = eq_table(&joined.s);

        let mut vector = Secret::from(vec![F::ZERO; context.plan.width]);
        for (claim, (full, tail)) in claims.list.iter().zip(&joined.weights) {
            let combined = claim.combined.as_ref().expect("the prover has rows");
            for (u, weight) in [(&combined.full, full), (&combined.tail, tail)] {
                for (sum, u) in vector.iter_mut().zip(u) {
                    *sum += *u * weight;
                }
            }
        }
        let rows = row_weights(context, &claims.list, &joined.weights);
        let vector_blind: F = rows.iter().zip(blinds).map(|(weights, blinds)| inner(weights, blinds)).sum();

        // First messages.
        let Joined { x, y, product, zero, dot, .. } = &joined;
        let [b1, b2, b3, b4, b5, k, mask_blind, mask_dot_blind] = std::array::from_fn(|_| self.random());
        let mask: Secret = (0..vector.len()).map(|_| self.random()).collect();
        let mask_dot = inner(&mask, &eq);
        let first = normalise(&[
            pedersen.commit(&b1, &b2),
            pedersen.commit(&b3, &b4),
            // b₃·X + b₅·H
            pedersen.commit(&(b3 * x.value), &(b3 * x.blind + b5)),
            pedersen.blind(&k),
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
            mask_dot + e * dot.value,
            mask_dot_blind + e * dot.blind,
        ];
        self.elements(Message::Response, responses.len(), || responses)?;
        let masked: Vec<F> = mask.iter().zip(vector.iter()).map(|(m, v)| *m + e * v).collect();
        inner_product(self, masked, eq, bases, &generators.u)
    }
}

/// Step 4: shows `⟨a, b⟩` of a vector that tells nothing.
pub(crate) fn inner_product<P: Party>(
    party: &mut P,
    mut a: Vec<F>,
    mut b: Vec<F>,
    bases: &[Affine],
    u: &Affine,
) -> Result<(), Malformed> {
    let xi = party.challenge("scalar base");
    let base = (Point::from(*u) * xi).to_affine();
    let mut challenges: Vec<(F, F)> = Vec::new();
    while a.len() > FOLDED {
        let half = a.len() / 2;
        let (a0, a1) = a.split_at(half);
        let (b0, b1) = b.split_at(half);
        let weights = fold_weights(&challenges, bases.len());
        // A folded generator is the weighted sum of those whose index agrees in the bits that are left.
        let cross = |a: &[F], upper: bool, dot: F| {
            let mut scalars = Vec::with_capacity(bases.len() / 2 + 1);
            let mut points = Vec::with_capacity(bases.len() / 2 + 1);
            for (i, (weight, base)) in weights.iter().zip(bases).enumerate() {
                if (i & half != 0) == upper {
                    scalars.push(a[i & (half - 1)] * weight);
                    points.push(*base);
                }
            }
            scalars.push(dot);
            points.push(base);
            msm(&scalars, &points)
        };
        let sent = normalise(&[cross(a0, true, inner(a0, b1)), cross(a1, false, inner(a1, b0))]);
        party.points(Message::Fold, 2, || sent)?;
        let x = party.challenge("fold");
        let inverse = x.invert().unwrap_or(F::ZERO);
        a = a0.iter().zip(a1).map(|(a0, a1)| *a0 * x + *a1 * inverse).collect();
        b = b0.iter().zip(b1).map(|(b0, b1)| *b0 * inverse + *b1 * x).collect();
        challenges.push((x, inverse));
    }
    party.elements(Message::Folded, a.len(), || a).map(|_| ())
}

/// A sum of multiples of known points that must be the identity.
struct Equations {
    h: F,
    u: F,
    rows: Vec<F>,
    /// Points of the proof.
    points: Vec<F>,
}

impl Equations {
    /// Adds `weight · (form)`.
    fn add(&mut self, form: &Combination, weight: &F) {
        self.u += form.constant * weight;
        for (i, c) in &form.terms {
            self.points[*i as usize] += *c * weight;
        }
    }

    /// Adds `weight · (first message + e · form − u·U − h·H)`; the first message is a point of the proof.
    fn response(&mut self, first: usize, form: &Combination, e: &F, (u, h): (F, F), weight: &F) {
        self.points[first] += weight;
        self.add(form, &(*weight * e));
        self.u -= *weight * u;
        self.h -= *weight * h;
    }
}

impl Verifier<'_> {
    /// Steps 1 to 5. `commitments` are the row commitments of the columns of the statement, in order; those of the witness
    /// were read from the proof, from its first point on. Returns the kinds of all messages with their bytes.
    pub(crate) fn open(
        mut self,
        context: &Context<'_>,
        claims: &Claims<Combination>,
        commitments: &[Affine],
    ) -> Result<Option<Inventory>, Malformed> {
        let joined = join(&mut self, context, claims)?;
        let width = context.plan.width;
        let first = self.position();
        self.points(Message::Mask, 6, Vec::new)?;
        let e = self.challenge("respond");
        let z = self.elements(Message::Response, 9, Vec::new)?;
        let xi = self.challenge("scalar base");
        let mut folds = Vec::new();
        let mut len = width;
        while len > FOLDED {
            let at = self.position();
            self.points(Message::Fold, 2, Vec::new)?;
            folds.push((at, self.challenge("fold")));
            len /= 2;
        }
        let folded = self.elements(Message::Folded, len, Vec::new)?;
        let Read { points, inventory, mut transcript } = self.finish()?;

        // One random combination of all equations, each of the form `Σ = 0`.
        let mut sum = Equations {
            h: F::ZERO,
            u: F::ZERO,
            rows: vec![F::ZERO; width],
            points: vec![F::ZERO; points.len()],
        };
        let Joined { x, y, product, zero, dot, s, weights } = &joined;
        // α + e·X = z₁·U + z₂·H
        let w = transcript.challenge("combine");
        sum.response(first, x, &e, (z[0], z[1]), &w);
        // β + e·Y = z₃·U + z₄·H
        let w = transcript.challenge("combine");
        sum.response(first + 1, y, &e, (z[2], z[3]), &w);
        // δ + e·Z = z₃·X + z₅·H
        let w = transcript.challenge("combine");
        sum.response(first + 2, product, &e, (F::ZERO, z[4]), &w);
        sum.add(x, &-(w * z[2]));
        // κ + e·O = z₆·H
        let w = transcript.challenge("combine");
        sum.response(first + 3, zero, &e, (F::ZERO, z[5]), &w);
        // Δ + e·T = z₈·U + z₉·H
        let w = transcript.challenge("combine");
        sum.response(first + 5, dot, &e, (z[7], z[8]), &w);
        // D + e·P − z₇·H + z₈·ξU + Σ (x² L + x⁻² R) = Σ a s_j·G_j + ⟨a, b⟩·ξU
        let w = transcript.challenge("combine");
        sum.points[first + 4] += w;
        sum.h -= w * z[6];
        sum.u += w * xi * z[7];
        let mut challenges: Vec<F> = folds.iter().map(|f| f.1).collect();
        challenges.iter_mut().batch_invert();
        let challenges: Vec<(F, F)> = folds.iter().map(|f| f.1).zip(challenges).collect();
        let mut b = eq_table(s);
        for ((at, _), (x, inverse)) in folds.iter().zip(&challenges) {
            sum.points[*at] += w * x.square();
            sum.points[at + 1] += w * inverse.square();
            let half = b.len() / 2;
            b = (0..half).map(|i| b[i] * inverse + b[half + i] * x).collect();
        }
        sum.u -= w * xi * inner(&folded, &b);
        for (i, weight) in fold_weights(&challenges, width).iter().enumerate() {
            sum.rows[i] -= w * folded[i & (len - 1)] * weight;
        }
        let rows = row_weights(context, &claims.list, weights).concat();
        let mut scalars: Vec<F> = rows.iter().map(|r| w * e * r).collect();
        // Rows of the witness are the first points of the proof.
        for (point, row) in sum.points.iter_mut().zip(scalars.drain(commitments.len()..)) {
            *point += row;
        }

        let generators = Generators::get(width);
        let bases = [commitments, &points, &generators.rows[..width], &[generators.h, generators.u]].concat();
        let scalars = [scalars, sum.points, sum.rows, vec![sum.h, sum.u]].concat();
        Ok(bool::from(msm(&scalars, &bases).is_identity()).then_some(inventory))
    }
}
