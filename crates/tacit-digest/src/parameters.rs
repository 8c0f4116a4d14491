//! Poseidon's parameters for widths 2 to 17, as circomlib has them.
//!
//! They come from the crate `poseidon-rs`, which carries them as decimal strings that take some 80 ms to parse. The build
//! script makes a table of them: for each width in turn the round constants (round by round, `width` each) and then the MDS
//! matrix (row by row), every element as 32 canonical little-endian bytes. Each width is decoded once, when first asked for.

use std::sync::OnceLock;

use halo2curves::bn256::Fr;

/// The smallest width (elements of state) with parameters.
pub const MIN_WIDTH: usize = 2;
/// The largest width (elements of state) with parameters.
pub const MAX_WIDTH: usize = 17;
/// Full rounds of every width, half before the partial rounds and half after.
pub const FULL_ROUNDS: usize = 8;
/// Partial rounds by width, from width 2 on (circomlib's `N_ROUNDS_P`).
const PARTIAL_ROUNDS: [usize; WIDTHS] = [56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68];

const WIDTHS: usize = MAX_WIDTH - MIN_WIDTH + 1;
/// Bytes of one field element in the table.
const ELEMENT: usize = 32;

static TABLE: &[u8; table_len()] = include_bytes!(concat!(env!("OUT_DIR"), "/parameters.bin"));

/// The parameters of one width: what a circuit needs to lay the permutation out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// Elements of state, `t` in the paper.
    pub width: usize,
    /// Rounds in which every element passes the S-box, `R_F`; half before the partial rounds, half after.
    pub full_rounds: usize,
    /// Rounds in which only element 0 passes the S-box, `R_P`.
    pub partial_rounds: usize,
    /// `(full_rounds + partial_rounds) * width` constants; round `r` adds `round_constants[r * width + i]` to element `i`.
    pub round_constants: Vec<Fr>,
    /// `width` rows of `width` elements; a round maps the state `x` to `mds * x`.
    pub mds: Vec<Vec<Fr>>,
}

impl Parameters {
    /// Number of rounds of either kind.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.full_rounds + self.partial_rounds
    }

    /// Whether every element passes the S-box in round `round`, counted from 0.
    #[must_use]
    pub fn is_full(&self, round: usize) -> bool {
        let half = self.full_rounds / 2;
        round < half || round >= half + self.partial_rounds
    }
}

/// The parameters of circomlib's Poseidon for a state of `width` elements, decoded when first asked for.
///
/// # Panics
///
/// If `width` is not in 2..=17. Widths are chosen by the program, never read from a file.
#[must_use]
pub fn parameters(width: usize) -> &'static Parameters {
    static DECODED: [OnceLock<Parameters>; WIDTHS] = [const { OnceLock::new() }; WIDTHS];
    assert!(
        (MIN_WIDTH..=MAX_WIDTH).contains(&width),
        "Poseidon has parameters for widths 2 to 17, not {width}"
    );
    DECODED[width - MIN_WIDTH].get_or_init(|| decode(width))
}

/// Field elements in the table for one width: round constants, then the matrix.
const fn elements(width: usize) -> usize {
    (FULL_ROUNDS + PARTIAL_ROUNDS[width - MIN_WIDTH]) * width + width * width
}

/// Byte offset in the table at which `width` begins.
const fn offset(width: usize) -> usize {
    let (mut total, mut w) = (0, MIN_WIDTH);
    while w < width {
        total += elements(w) * ELEMENT;
        w += 1;
    }
    total
}

/// Bytes of the whole table.
const fn table_len() -> usize {
    offset(MAX_WIDTH + 1)
}

fn decode(width: usize) -> Parameters {
    let partial_rounds = PARTIAL_ROUNDS[width - MIN_WIDTH];
    let start = offset(width);
    let (chunks, _) = TABLE[start..start + elements(width) * ELEMENT].as_chunks::<ELEMENT>();
    let mut values = chunks.iter().map(|bytes| {
        Option::<Fr>::from(Fr::from_bytes(bytes)).expect("the build script writes canonical elements")
    });
    let round_constants = values.by_ref().take((FULL_ROUNDS + partial_rounds) * width).collect();
    let mds = (0..width).map(|_| values.by_ref().take(width).collect()).collect();
    Parameters { width, full_rounds: FULL_ROUNDS, partial_rounds, round_constants, mds }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        for width in MIN_WIDTH..=MAX_WIDTH {
            let p = parameters(width);
            assert_eq!(p.width, width);
            assert_eq!(p.round_constants.len(), p.rounds() * width);
            assert_eq!(p.mds.len(), width);
            assert!(p.mds.iter().all(|row| row.len() == width));
            assert_eq!((0..p.rounds()).filter(|&r| p.is_full(r)).count(), FULL_ROUNDS);
        }
    }

    #[test]
    #[should_panic(expected = "widths 2 to 17")]
    fn width_18_is_refused() {
        let _ = parameters(18);
    }
}
