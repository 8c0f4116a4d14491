//! The Poseidon permutation, optimised and plain.
//!
//! A round adds constants, applies `x^5` to every element (full round) or to element 0 only (partial round), and
//! multiplies by the MDS matrix `M`. The plain form is [`permute_reference`].
//!
//! # Partial rounds with sparse matrices
//!
//! [`Permutation`] is the equivalent form of appendix B of the Poseidon paper, in a change of basis that needs only
//! one matrix inverse per width. Split state and matrix as
//!
//! ```text
//! x = (a, b),   a one element, b the other t - 1
//! M = [ m  v^T ]
//!     [ w   N  ]
//! ```
//!
//! Between the first and the last partial round nothing non-linear happens to `b`, so its constants can be carried
//! forward: the offset `(alpha, beta)` that a round inherits leaves `alpha` to the S-box and becomes
//! `(v^T beta, N beta)` for the next; after the last partial round it is added to that full round's constants. With
//! `R` partial rounds, write `b = N^(i-R) c` before round `i`; then round `i` is
//!
//! ```text
//! s  = (a + k_i)^5
//! a' = m s + v_i^T c        v_i = v^T N^(i-R)
//! c' = c + w_i s            w_i = N^(R-1-i) w
//! ```
//!
//! which takes `2t - 1` multiplications beside the S-box in place of `t^2`. Before round 0, `c = N^R b` is merged
//! with the matrix of the full round before it; after round `R - 1`, `c = b`.

use std::sync::OnceLock;

use halo2curves::bn256::Fr;

use crate::parameters::{FULL_ROUNDS, MAX_WIDTH, MIN_WIDTH, Parameters, parameters};

/// Full rounds on either side of the partial ones.
const HALF: usize = FULL_ROUNDS / 2;

/// The permutation of one width with everything that depends only on the width computed beforehand.
#[derive(Debug)]
pub struct Permutation {
    parameters: &'static Parameters,
    /// `diag(1, N^R) M`, row by row: the matrix of the last full round before the partial ones.
    last_before: Vec<Fr>,
    /// `M`, row by row.
    mds: Vec<Fr>,
    /// One per partial round.
    sparse: Vec<SparseRound>,
    /// The constants of the first full round after the partial ones, with what these carried forward.
    first_after: Vec<Fr>,
}

/// One partial round: `s = (a + k)^5; a' = m s + v . c; c' = c + w s`.
#[derive(Debug)]
struct SparseRound {
    /// `k_i`.
    constant: Fr,
    /// `(m, v_i)`, `t` elements.
    row: Vec<Fr>,
    /// `w_i`, `t - 1` elements.
    column: Vec<Fr>,
}

impl Permutation {
    /// The permutation of `width` elements; its tables are made when first asked for.
    ///
    /// # Panics
    ///
    /// If `width` is not in 2..=17, as [`parameters`].
    #[must_use]
    pub fn of_width(width: usize) -> &'static Self {
        static MADE: [OnceLock<Permutation>; MAX_WIDTH - MIN_WIDTH + 1] =
            [const { OnceLock::new() }; MAX_WIDTH - MIN_WIDTH + 1];
        let parameters = parameters(width);
        MADE[width - MIN_WIDTH].get_or_init(|| Self::new(parameters))
    }

    fn new(parameters: &'static Parameters) -> Self {
        let (t, rounds) = (parameters.width, parameters.partial_rounds);
        let mds = &parameters.mds;
        let v = &mds[0][1..];
        let w: Vec<Fr> = mds[1..].iter().map(|row| row[0]).collect();
        let n: Vec<Vec<Fr>> = mds[1..].iter().map(|row| row[1..].to_vec()).collect();
        let n_inverse = invert(&n).expect("every square submatrix of an MDS matrix is invertible");

        // Constants: carry the offset (alpha, beta) through the partial rounds.
        let constants = |round: usize| &parameters.round_constants[round * t..(round + 1) * t];
        let mut alpha = Fr::zero();
        let mut beta = vec![Fr::zero(); t - 1];
        let mut constant = Vec::with_capacity(rounds);
        for round in 0..rounds {
            let c = constants(HALF + round);
            constant.push(alpha + c[0]);
            beta.iter_mut().zip(&c[1..]).for_each(|(b, c)| *b += c);
            alpha = dot(v, &beta);
            beta = n.iter().map(|row| dot(row, &beta)).collect();
        }
        let mut first_after = constants(HALF + rounds).to_vec();
        first_after[0] += alpha;
        first_after[1..].iter_mut().zip(&beta).for_each(|(c, b)| *c += b);

        // Sparse rounds, from the last to the first: v_i = v_(i+1) N^-1, w_i = N w_(i+1). N^R comes column by column.
        let mut sparse = Vec::with_capacity(rounds);
        let (mut v_i, mut w_i) = (v.to_vec(), w);
        for &constant in constant.iter().rev() {
            v_i = row_times(&v_i, &n_inverse);
            let row = std::iter::once(mds[0][0]).chain(v_i.iter().copied()).collect();
            sparse.push(SparseRound { constant, row, column: w_i.clone() });
            w_i = n.iter().map(|row| dot(row, &w_i)).collect();
        }
        sparse.reverse();
        let n_to_r = power(&n, rounds);
        let mut last_before = mds[0].clone();
        for row in &n_to_r {
            last_before.extend(row_times(row, &mds[1..]));
        }
        Self { parameters, last_before, mds: mds.concat(), sparse, first_after }
    }

    /// Elements of state.
    #[must_use]
    pub fn width(&self) -> usize {
        self.parameters.width
    }

    /// Applies the permutation to a state of [`Self::width`] elements.
    ///
    /// # Panics
    ///
    /// If `state` has another length.
    pub fn apply(&self, state: &mut [Fr]) {
        let t = self.width();
        assert_eq!(state.len(), t, "a permutation of width {t} is applied to a state of as many elements");
        let constants = |round: usize| &self.parameters.round_constants[round * t..(round + 1) * t];
        for round in 0..HALF {
            let matrix = if round + 1 == HALF { &self.last_before } else { &self.mds };
            full_round(state, constants(round), matrix);
        }
        for round in &self.sparse {
            let s = fifth_power(state[0] + round.constant);
            let (a, c) = (&mut state[0], 1..t);
            *a = round.row[0] * s;
            let mut sum = Fr::zero();
            for ((x, v), w) in state[c].iter_mut().zip(&round.row[1..]).zip(&round.column) {
                sum += *x * v;
                *x += s * w;
            }
            state[0] += sum;
        }
        full_round(state, &self.first_after, &self.mds);
        for round in HALF + self.sparse.len() + 1..self.parameters.rounds() {
            full_round(state, constants(round), &self.mds);
        }
    }
}

/// Applies the permutation of `state.len()` elements, 2 to 17, in place.
///
/// # Panics
///
/// If the length is not in 2..=17.
pub fn permute(state: &mut [Fr]) {
    Permutation::of_width(state.len()).apply(state);
}

/// The permutation as the paper states it, round by round: the reference for [`permute`] and for the circuit.
///
/// # Panics
///
/// If the length is not in 2..=17.
pub fn permute_reference(state: &mut [Fr]) {
    let p = parameters(state.len());
    for round in 0..p.rounds() {
        for (x, c) in state.iter_mut().zip(&p.round_constants[round * p.width..]) {
            *x += c;
        }
        let boxes = if p.is_full(round) { p.width } else { 1 };
        state[..boxes].iter_mut().for_each(|x| *x = fifth_power(*x));
        let mixed: Vec<Fr> = p.mds.iter().map(|row| dot(row, state)).collect();
        state.copy_from_slice(&mixed);
    }
}

/// circomlib's `Poseidon(n)` of 1 to 16 inputs: the permutation of `n + 1` elements, element 0 zero (the capacity)
/// followed by the inputs; the hash is element 0 of the result. There is no padding and no length in it: every number
/// of inputs is a hash function of its own.
///
/// # Panics
///
/// If there are no inputs or more than 16.
#[must_use]
pub fn hash(inputs: &[Fr]) -> Fr {
    let t = inputs.len() + 1;
    assert!((MIN_WIDTH..=MAX_WIDTH).contains(&t), "Poseidon takes 1 to 16 inputs, not {}", inputs.len());
    let mut state = [Fr::zero(); MAX_WIDTH];
    state[1..t].copy_from_slice(inputs);
    permute(&mut state[..t]);
    state[0]
}

/// `Poseidon(8)`, the hash of the tree and of every digest: [`hash()`] with exactly eight inputs.
#[must_use]
pub fn hash8(inputs: &[Fr; 8]) -> Fr {
    hash(inputs)
}

/// Add constants, S-box on every element, multiply by `matrix` (row by row).
fn full_round(state: &mut [Fr], constants: &[Fr], matrix: &[Fr]) {
    let t = state.len();
    let mut boxed = [Fr::zero(); MAX_WIDTH];
    for ((y, x), c) in boxed.iter_mut().zip(state.iter()).zip(constants) {
        *y = fifth_power(*x + c);
    }
    for (x, row) in state.iter_mut().zip(matrix.chunks_exact(t)) {
        *x = dot(row, &boxed[..t]);
    }
}

fn fifth_power(x: Fr) -> Fr {
    x.square().square() * x
}

fn dot(a: &[Fr], b: &[Fr]) -> Fr {
    a.iter().zip(b).fold(Fr::zero(), |sum, (a, b)| sum + *a * b)
}

/// `row * matrix`.
fn row_times(row: &[Fr], matrix: &[Vec<Fr>]) -> Vec<Fr> {
    let columns = matrix.first().map_or(0, Vec::len);
    (0..columns).map(|j| row.iter().zip(matrix).fold(Fr::zero(), |sum, (a, m)| sum + *a * m[j])).collect()
}

/// `matrix^exponent` for a square matrix.
fn power(matrix: &[Vec<Fr>], mut exponent: usize) -> Vec<Vec<Fr>> {
    let times = |a: &[Vec<Fr>], b: &[Vec<Fr>]| a.iter().map(|row| row_times(row, b)).collect::<Vec<_>>();
    let mut square = matrix.to_vec();
    let mut result = identity(matrix.len());
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = times(&result, &square);
        }
        exponent >>= 1;
        if exponent > 0 {
            square = times(&square, &square);
        }
    }
    result
}

fn identity(n: usize) -> Vec<Vec<Fr>> {
    (0..n).map(|i| (0..n).map(|j| if i == j { Fr::one() } else { Fr::zero() }).collect()).collect()
}

/// Gauss–Jordan elimination; `None` if the square matrix is singular.
fn invert(matrix: &[Vec<Fr>]) -> Option<Vec<Vec<Fr>>> {
    let n = matrix.len();
    let mut left = matrix.to_vec();
    let mut right = identity(n);
    for column in 0..n {
        let pivot = (column..n).find(|&row| left[row][column] != Fr::zero())?;
        left.swap(column, pivot);
        right.swap(column, pivot);
        let scale = Option::<Fr>::from(left[column][column].invert())?;
        left[column].iter_mut().chain(&mut right[column]).for_each(|x| *x *= scale);
        let (pivot_left, pivot_right) = (left[column].clone(), right[column].clone());
        for row in (0..n).filter(|&row| row != column) {
            let factor = left[row][column];
            left[row].iter_mut().zip(&pivot_left).for_each(|(x, p)| *x -= factor * p);
            right[row].iter_mut().zip(&pivot_right).for_each(|(x, p)| *x -= factor * p);
        }
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use halo2curves::ff::Field;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn optimised_is_reference() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for width in MIN_WIDTH..=MAX_WIDTH {
            for _ in 0..4 {
                let mut fast: Vec<Fr> = (0..width).map(|_| Fr::random(&mut rng)).collect();
                let mut plain = fast.clone();
                permute(&mut fast);
                permute_reference(&mut plain);
                assert_eq!(fast, plain, "width {width}");
            }
        }
    }

    #[test]
    fn length_separates() {
        let x = Fr::from(7);
        assert_ne!(hash(&[x]), hash(&[x, Fr::zero()]));
    }

    #[test]
    fn inverse() {
        let n = 5;
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let m: Vec<Vec<Fr>> = (0..n).map(|_| (0..n).map(|_| Fr::random(&mut rng)).collect()).collect();
        let product: Vec<Vec<Fr>> =
            invert(&m).expect("random matrix").iter().map(|row| row_times(row, &m)).collect();
        assert_eq!(product, identity(n));
        assert_eq!(power(&m, 3), m.iter().map(|r| row_times(&row_times(r, &m), &m)).collect::<Vec<_>>());
        assert!(invert(&vec![vec![Fr::one(); n]; n]).is_none());
    }

    #[test]
    #[should_panic(expected = "1 to 16 inputs")]
    fn no_inputs() {
        let _ = hash(&[]);
    }

    #[test]
    #[should_panic(expected = "1 to 16 inputs")]
    fn seventeen_inputs() {
        let _ = hash(&[Fr::one(); 17]);
    }
}
