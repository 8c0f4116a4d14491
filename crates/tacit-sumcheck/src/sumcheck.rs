//! Sum-check with committed round polynomials.
//!
//! Lund et al. (1992); with commitments as messages: Wahby et al. (2018), §4. Variables are bound from the least
//! significant to the most significant one. Two shapes:
//!
//! * [`weighted`]: `claim = Σ_x eq(z, x) h(x)` with `h` of degree two in every variable. The known factor of the round
//!   polynomial is split off (Gruen, "Some improvements for the PIOP for ZeroCheck" (2024), §3), so a round sends the
//!   two higher coefficients of the quadratic `t` with `(1 − z_j) t(0) + z_j t(1) = claim`, and the claim left at the end is
//!   `h(s)` itself.
//! * [`plain`]: `claim = Σ_x h(x)` with `h` of degree `d`: a round sends `d` coefficients, the lowest follows from
//!   `g(0) + g(1) = claim`.

use halo2curves::ff::{BatchInvert as _, Field, PrimeField as _};

use crate::group::F;
use crate::party::{Linear, Malformed, Message, Party};

/// The prover's side of [`weighted`].
pub(crate) trait WeightedRounds {
    /// `(t(1), t₂)`: the quadratic's value at one and its leading coefficient.
    fn round(&mut self) -> (F, F);
    /// Binds the variable.
    fn bind(&mut self, r: &F);
}

/// The prover's side of [`plain`].
pub(crate) trait PlainRounds {
    /// Coefficients of the round polynomial, from the linear one to the highest.
    fn round(&mut self) -> Vec<F>;
    /// Binds the variable.
    fn bind(&mut self, r: &F);
}

/// The point reached and the claim left there.
pub(crate) struct Reduced<S> {
    /// Most significant variable first.
    pub(crate) point: Vec<F>,
    pub(crate) claim: S,
}

/// Reduces `claim = Σ_x eq(z, x) h(x)` to `h(point)`.
pub(crate) fn weighted<P: Party>(
    party: &mut P,
    mut claim: P::Scalar,
    z: &[F],
    mut prover: Option<&mut dyn WeightedRounds>,
) -> Result<Reduced<P::Scalar>, Malformed> {
    let mut point = Vec::with_capacity(z.len());
    // 1 / (1 − z_j), for the prover. A challenge of one has probability 2^-254 and would only fail the proof.
    let mut inverses: Vec<F> =
        if prover.is_some() { z.iter().map(|z| F::ONE - z).collect() } else { Vec::new() };
    inverses.iter_mut().batch_invert();
    for (j, z) in z.iter().enumerate().rev() {
        let current = party.value(&claim);
        let sent = party.commit(Message::Round, 2, || {
            let (at_one, leading) = prover.as_mut().expect("only the prover computes values").round();
            // claim = t(1) − (1 − z)(t₁ + t₂)
            let higher = (at_one - current.expect("the prover has values")) * inverses[j];
            vec![higher - leading, leading]
        })?;
        let r = party.challenge("sum-check");
        // t(r) = claim − z (t₁ + t₂) + r t₁ + r² t₂
        claim.add(&sent[0], &(r - z));
        claim.add(&sent[1], &(r.square() - z));
        if let Some(prover) = &mut prover {
            prover.bind(&r);
        }
        point.push(r);
    }
    point.reverse();
    Ok(Reduced { point, claim })
}

/// Reduces `claim = Σ_x h(x)` over `vars` variables, `h` of degree `degree` in each, to `h(point)`.
pub(crate) fn plain<P: Party>(
    party: &mut P,
    mut claim: P::Scalar,
    vars: usize,
    degree: usize,
    mut prover: Option<&mut dyn PlainRounds>,
) -> Result<Reduced<P::Scalar>, Malformed> {
    let mut point = Vec::with_capacity(vars);
    for _ in 0..vars {
        let sent = party.commit(Message::Round, degree, || {
            prover.as_mut().expect("only the prover computes values").round()
        })?;
        let r = party.challenge("sum-check");
        // g(r) = c₀ + Σ c_i r^i with c₀ = (claim − Σ c_i) / 2
        claim.scale(&F::TWO_INV);
        let mut power = r;
        for c in &sent {
            claim.add(c, &(power - F::TWO_INV));
            power *= r;
        }
        if let Some(prover) = &mut prover {
            prover.bind(&r);
        }
        point.push(r);
    }
    point.reverse();
    Ok(Reduced { point, claim })
}
