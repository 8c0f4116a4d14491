//! Fixed-point arithmetic: the one rounding rule and the one saturation rule.

/// `floor((x + 2^(shift-1)) / 2^shift)`: round half up, for negative `x` too. `shift = 0` is the identity.
///
/// # Panics
/// Never for `|x| < 2^62` and `shift <= 62`, which lowering guarantees.
#[must_use]
pub fn round_half_up_shift(x: i64, shift: u8) -> i64 {
    if shift == 0 {
        return x;
    }
    // `>>` on a signed integer is an arithmetic shift: floor division by a power of two.
    (x + (1i64 << (shift - 1))) >> shift
}

/// `clamp(round(x / 2^shift), lo, hi)`: the `Requant` of the semantics.
#[must_use]
pub fn requantise(x: i64, shift: u8, lo: i64, hi: i64) -> i64 {
    round_half_up_shift(x, shift).max(lo).min(hi)
}

/// The smallest width `w` (bits, at least 1) such that `lo` and `hi` lie in `[-2^(w-1), 2^(w-1))`.
#[must_use]
pub fn signed_width(lo: i64, hi: i64) -> u8 {
    let bits = |v: i64| {
        let magnitude = if v < 0 { !v } else { v };
        64 - magnitude.leading_zeros() + 1
    };
    u8::try_from(bits(lo).max(bits(hi))).unwrap_or(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_half_up_on_both_sides_of_zero() {
        for (x, want) in [(-6, -1), (-3, -1), (-2, 0), (-1, 0), (0, 0), (1, 0), (2, 1), (5, 1), (6, 2)] {
            assert_eq!(round_half_up_shift(x, 2), want, "round({x} / 4)");
        }
    }

    #[test]
    fn saturates() {
        assert_eq!(requantise(1000, 1, -128, 127), 127);
        assert_eq!(requantise(-1000, 1, -128, 127), -128);
        assert_eq!(requantise(-5, 0, 0, 127), 0);
    }

    #[test]
    fn widths() {
        assert_eq!(signed_width(0, 0), 1);
        assert_eq!(signed_width(-1, 0), 1);
        assert_eq!(signed_width(0, 1), 2);
        assert_eq!(signed_width(-128, 127), 8);
        assert_eq!(signed_width(-129, 0), 9);
        assert_eq!(signed_width(i64::MIN, i64::MAX), 64);
    }
}
