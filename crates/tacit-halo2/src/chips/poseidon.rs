//! Poseidon's permutation of width 9 (circomlib's parameters), 18 rows of nine cells for eight absorbed elements.
//!
//! Full rounds stand one to a row. The 63 partial rounds stand nine to a row, one cell each, by a change of basis: over the
//! partial rounds the state is a linear system driven by the S-box outputs `z_r`. Write `M = [[m00, w], [m, A]]` for the MDS
//! matrix and move the round constants of the other elements onto element 0 (Grassi et al., *Poseidon*, appendix B). With the
//! characteristic polynomial `λ^8 = Σ_i α_i λ^(8-i)` of `A`, put
//!
//! ```text
//! f_r   = z_r + Σ_{i=1..8} α_i f_{r-i}                   controllable canonical form of (A, m)
//! s_r   = Σ_{i=0..7} q_i f_{r-1-i}                       elements 1..8 before round r;  q_0 = m, q_i = A q_{i-1} - α_i m
//! u_r   = c_r + Σ_{i=1..9} β_i f_{r-i}                   S-box input;  β_1 = m00, β_{1+i} = w·q_{i-1} - m00 α_i
//! ```
//!
//! so that the constraint of a round is `u_r^5 = f_r - Σ α_i f_{r-i}` and the state is the last eight `f`.
//!
//! | rows | cells | constrained by |
//! | --- | --- | --- |
//! | 0 | capacity 0, eight inputs | copies |
//! | 1..=4 | state | `PoseidonFull` on the row before: `next_i = Σ_j M_ij (cur_j + k_j)^5`, `k` fixed |
//! | 5 | `f_{-8}..f_{-1}`, `f_0` | `PoseidonEnter` on row 4: `s_0 = Σ q_i f_{-1-i}`, `(cur_0 + k_0)^5 = f_0 - Σ α_i f_{-i}` |
//! | 6..=11 | `f_1`..`f_54` | `PoseidonPartial`, `PoseidonPartialLast` on the row before |
//! | 12 | `f_55`..`f_62`, `f_54` again | `PoseidonPartial` on the row before; copy |
//! | 13 | state | `PoseidonExit` on row 12 |
//! | 14..=17 | state | `PoseidonFull`; the result is cell 0 of row 17 |
//!
//! `q_0..q_7` is a basis (the pair `(A, m)` is controllable), so `f_{-8}..f_{-1}` are determined by row 4; a test checks it.

use std::sync::OnceLock;

use halo2_proofs::plonk::{ConstraintSystem, Expression};
use halo2curves::bn256::Fr;
use halo2curves::ff::Field;

use super::Columns;
use crate::shape::STATE;
use crate::sheet::{Cell, Gate, Sheet};

/// Elements besides element 0.
const REST: usize = STATE - 1;
const HALF_FULL: usize = 4;
const PARTIAL: usize = 63;
/// Rows of one permutation.
pub(crate) const ROWS: usize = 18;

/// Constants of the layout above.
struct Form {
    mds: Vec<Vec<Fr>>,
    /// Constants added before the S-boxes of full round `r` (first four, last four).
    full: Vec<Vec<Fr>>,
    /// `c_r`.
    partial: Vec<Fr>,
    alpha: [Fr; REST],
    beta: [Fr; STATE],
    /// `q[i]`, a vector of eight.
    q: Vec<Vec<Fr>>,
    /// Inverse of the matrix with columns `q_i`.
    q_inverse: Vec<Vec<Fr>>,
}

fn dot(a: &[Fr], b: &[Fr]) -> Fr {
    a.iter().zip(b).fold(Fr::ZERO, |sum, (x, y)| sum + x * y)
}

fn form() -> &'static Form {
    static FORM: OnceLock<Form> = OnceLock::new();
    FORM.get_or_init(|| {
        let p = tacit_digest::parameters(STATE);
        let round = |r: usize| p.round_constants[r * STATE..(r + 1) * STATE].to_vec();
        let m: Vec<Fr> = (1..STATE).map(|i| p.mds[i][0]).collect();
        let w = &p.mds[0][1..];
        let a: Vec<Vec<Fr>> = (1..STATE).map(|i| p.mds[i][1..].to_vec()).collect();
        let times_a = |v: &[Fr]| -> Vec<Fr> { a.iter().map(|row| dot(row, v)).collect() };

        // α by Faddeev–LeVerrier: N_1 = A, α_k = tr(N_k) / k, N_{k+1} = A (N_k - α_k I).
        let mut alpha = [Fr::ZERO; REST];
        let mut n = a.clone();
        for (k, coefficient) in alpha.iter_mut().enumerate() {
            let trace = (0..REST).fold(Fr::ZERO, |t, i| t + n[i][i]);
            let inverse = Option::<Fr>::from(Fr::from(k as u64 + 1).invert()).expect("1..=8 are units");
            *coefficient = trace * inverse;
            for (i, row) in n.iter_mut().enumerate() {
                row[i] -= *coefficient;
            }
            let columns: Vec<Vec<Fr>> =
                (0..REST).map(|j| times_a(&n.iter().map(|row| row[j]).collect::<Vec<_>>())).collect();
            n = (0..REST).map(|i| columns.iter().map(|c| c[i]).collect()).collect();
        }

        let mut q = vec![m.clone()];
        for i in 1..REST {
            let next = times_a(&q[i - 1]).iter().zip(&m).map(|(x, y)| x - alpha[i - 1] * y).collect();
            q.push(next);
        }
        let m00 = p.mds[0][0];
        let mut beta = [m00; STATE];
        for i in 0..REST {
            beta[i + 1] = dot(w, &q[i]) - m00 * alpha[i];
        }

        // Constants of elements 1..8 in partial rounds travel through the linear layer onto later rounds.
        let mut carried = vec![Fr::ZERO; STATE];
        let mut partial = Vec::with_capacity(PARTIAL);
        for i in 0..PARTIAL {
            let k: Vec<Fr> = round(HALF_FULL + i).iter().zip(&carried).map(|(x, y)| x + y).collect();
            partial.push(k[0]);
            carried = p.mds.iter().map(|row| dot(&row[1..], &k[1..])).collect();
        }
        let mut full: Vec<Vec<Fr>> =
            (0..HALF_FULL).chain(HALF_FULL + PARTIAL..2 * HALF_FULL + PARTIAL).map(round).collect();
        for (k, c) in full[HALF_FULL].iter_mut().zip(&carried) {
            *k += c;
        }
        let q_inverse = invert(&(0..REST).map(|j| q.iter().map(|v| v[j]).collect()).collect::<Vec<_>>());
        Form { mds: p.mds.clone(), full, partial, alpha, beta, q, q_inverse }
    })
}

/// Gauss–Jordan. The matrix is a constant of the parameters, checked by a test.
fn invert(matrix: &[Vec<Fr>]) -> Vec<Vec<Fr>> {
    let n = matrix.len();
    let mut left = matrix.to_vec();
    let mut right: Vec<Vec<Fr>> =
        (0..n).map(|i| (0..n).map(|j| Fr::from(u64::from(i == j))).collect()).collect();
    for i in 0..n {
        let pivot = (i..n).find(|&r| left[r][i] != Fr::ZERO).expect("the pair (A, m) is controllable");
        left.swap(i, pivot);
        right.swap(i, pivot);
        let inverse = Option::<Fr>::from(left[i][i].invert()).expect("the pivot is not zero");
        for x in left[i].iter_mut().chain(right[i].iter_mut()) {
            *x *= inverse;
        }
        for r in (0..n).filter(|&r| r != i) {
            let factor = left[r][i];
            for c in 0..n {
                let (l, s) = (left[i][c], right[i][c]);
                left[r][c] -= factor * l;
                right[r][c] -= factor * s;
            }
        }
    }
    right
}

fn fifth(x: Fr) -> Fr {
    x.square().square() * x
}

fn fifth_expression(x: Expression<Fr>) -> Expression<Fr> {
    let square = x.clone() * x.clone();
    square.clone() * square * x
}

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, columns: &Columns) {
    let f = form();
    let weighted = |terms: Vec<(Expression<Fr>, Fr)>| {
        terms.into_iter().map(|(e, c)| e * c).reduce(|a, b| a + b).expect("at least one term")
    };
    meta.create_gate("poseidon full round", |cells| {
        let mut q = columns.query(cells);
        let on = q.gate(Gate::PoseidonFull);
        let boxed: Vec<_> = (0..STATE).map(|j| fifth_expression(q.advice(j, 0) + q.fixed(j))).collect();
        (0..STATE)
            .map(|i| {
                let mixed = weighted((0..STATE).map(|j| (boxed[j].clone(), f.mds[i][j])).collect());
                on.clone() * (mixed - q.advice(i, 1))
            })
            .collect::<Vec<_>>()
    });
    meta.create_gate("poseidon enter", |cells| {
        let mut q = columns.query(cells);
        let on = q.gate(Gate::PoseidonEnter);
        let mut polynomials: Vec<_> = (0..REST)
            .map(|j| {
                // f_{-1-i} stands in column 7 - i of the next row.
                let s = weighted((0..REST).map(|i| (q.advice(REST - 1 - i, 1), f.q[i][j])).collect());
                on.clone() * (s - q.advice(j + 1, 0))
            })
            .collect();
        let history = weighted((0..REST).map(|i| (q.advice(REST - 1 - i, 1), f.alpha[i])).collect());
        let boxed = fifth_expression(q.advice(0, 0) + q.fixed(0));
        polynomials.push(on * (q.advice(REST, 1) - history - boxed));
        polynomials
    });
    for (gate, name, range) in [
        (Gate::PoseidonPartial, "poseidon partial rounds", 0..REST),
        (Gate::PoseidonPartialLast, "poseidon ninth partial round", REST..STATE),
    ] {
        meta.create_gate(name, |cells| {
            let mut q = columns.query(cells);
            let on = q.gate(gate);
            range
                .map(|p| {
                    // The cell `back` rounds before column p of the next row.
                    let mut before = |back: usize| match p.checked_sub(back) {
                        Some(column) => q.advice(column, 1),
                        None => q.advice(p + STATE - back, 0),
                    };
                    let input = weighted((1..=STATE).map(|i| (before(i), f.beta[i - 1])).collect());
                    let history = weighted((1..=REST).map(|i| (before(i), f.alpha[i - 1])).collect());
                    let boxed = fifth_expression(input + q.fixed(p));
                    on.clone() * (q.advice(p, 1) - history - boxed)
                })
                .collect::<Vec<_>>()
        });
    }
    meta.create_gate("poseidon exit", |cells| {
        let mut q = columns.query(cells);
        let on = q.gate(Gate::PoseidonExit);
        // f_{62-i} stands in column 7 - i, f_54 in column 8.
        let column = |i: usize| if i < REST { REST - 1 - i } else { REST };
        let first = weighted((0..STATE).map(|i| (q.advice(column(i), 0), f.beta[i])).collect());
        let mut polynomials = vec![on.clone() * (first - q.advice(0, 1))];
        for j in 0..REST {
            let s = weighted((0..REST).map(|i| (q.advice(column(i), 0), f.q[i][j])).collect());
            polynomials.push(on.clone() * (s - q.advice(j + 1, 1)));
        }
        polynomials
    });
}

/// Writes one permutation of `(0, inputs)`; `zero` is a cell fixed to zero. Returns the cell of the hash.
pub(crate) fn hash8(sheet: &mut Sheet, zero: Cell, inputs: &[Cell; REST]) -> Cell {
    if sheet.is_dry() {
        for _ in 0..ROWS {
            let _ = sheet.row();
        }
        return Cell { column: 0, row: sheet.rows() - 1 };
    }
    let f = form();
    let mut row = sheet.row();
    let _ = sheet.copy(zero, 0, row);
    for (i, input) in inputs.iter().enumerate() {
        let _ = sheet.copy(*input, i + 1, row);
    }
    let mut state: Vec<Fr> = (0..STATE).map(|column| sheet.value(Cell { column, row })).collect();
    let write_row = |sheet: &mut Sheet, values: &[Fr]| {
        let row = sheet.row();
        for (i, v) in values.iter().enumerate() {
            let _ = sheet.write(i, row, *v);
        }
        row
    };
    let full_round = |sheet: &mut Sheet, row: usize, state: &mut Vec<Fr>, k: &[Fr]| {
        sheet.enable(Gate::PoseidonFull, row);
        for (i, c) in k.iter().enumerate() {
            sheet.fix(i, row, *c);
        }
        let boxed: Vec<Fr> = state.iter().zip(k).map(|(x, c)| fifth(x + c)).collect();
        *state = f.mds.iter().map(|m| dot(m, &boxed)).collect();
        write_row(sheet, state)
    };
    for r in 0..HALF_FULL {
        row = full_round(sheet, row, &mut state, &f.full[r]);
    }

    // history[j] = f_{j-8}.
    sheet.enable(Gate::PoseidonEnter, row);
    sheet.fix(0, row, f.partial[0]);
    let phi: Vec<Fr> = f.q_inverse.iter().map(|m| dot(m, &state[1..])).collect();
    let mut history: Vec<Fr> = phi.iter().rev().copied().collect();
    let driven = |history: &[Fr], z: Fr| {
        z + history.iter().rev().zip(&f.alpha).fold(Fr::ZERO, |sum, (x, a)| sum + x * a)
    };
    history.push(driven(&history, fifth(state[0] + f.partial[0])));
    for r in 1..PARTIAL {
        let u = history.iter().rev().zip(&f.beta).fold(f.partial[r], |sum, (x, b)| sum + x * b);
        history.push(driven(&history, fifth(u)));
    }
    row = write_row(sheet, &history[..STATE]);
    for block in 0..7 {
        sheet.enable(Gate::PoseidonPartial, row);
        let first = 1 + block * STATE;
        for p in 0..STATE.min(PARTIAL - first) {
            sheet.fix(p, row, f.partial[first + p]);
        }
        let last = block == 6;
        if !last {
            sheet.enable(Gate::PoseidonPartialLast, row);
            row = write_row(sheet, &history[REST + first..REST + first + STATE]);
        } else {
            let before = Cell { column: REST, row };
            row = write_row(sheet, &history[REST + first..]);
            let _ = sheet.copy(before, REST, row);
        }
    }
    sheet.enable(Gate::PoseidonExit, row);
    let latest: Vec<Fr> = history.iter().rev().copied().collect();
    state[0] = dot(&f.beta, &latest[..STATE]);
    for j in 0..REST {
        state[j + 1] = (0..REST).fold(Fr::ZERO, |sum, i| sum + f.q[i][j] * latest[i]);
    }
    row = write_row(sheet, &state);
    for r in HALF_FULL..2 * HALF_FULL {
        row = full_round(sheet, row, &mut state, &f.full[r]);
    }
    Cell { column: 0, row }
}

#[cfg(test)]
mod tests {
    use halo2curves::ff::Field;
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::chips::linear;
    use crate::shape::CircuitShape;

    #[test]
    fn the_layout_computes_the_native_hash() {
        let shape = CircuitShape {
            k: 8,
            slots: 4,
            limb_bits: 6,
            lane_width: 0,
            reuses_matrices: false,
            looks_up_functions: false,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..20 {
            let mut sheet = Sheet::new(shape, false);
            let zero = linear::fixed_cell(&mut sheet, Fr::ZERO);
            let values: [Fr; REST] = std::array::from_fn(|_| Fr::random(&mut rng));
            let cells = linear::free_cells(&mut sheet, &values);
            let before = sheet.rows();
            let out = hash8(&mut sheet, zero, &std::array::from_fn(|i| cells[i]));
            assert_eq!(sheet.rows() - before, ROWS);
            assert_eq!(sheet.value(out), tacit_digest::hash8(&values));
        }
    }
}
