//! Logarithms in integers alone, so that every machine rounds a bound on a probability alike.
//!
//! `ln(a/b)` is enclosed between two integers in units of `2^-62`, by `a/b = 2^k r` with `r` in `[2/3, 4/3]` and
//! `ln r = 2 artanh((r - 1)/(r + 1))`, `artanh z = z + z^3/3 + z^5/5 + …`, once with every step rounded down and once
//! with every step rounded up. All terms are non-negative, so the two enclose the value. `ln 2` is `2 artanh(1/3)`.

/// Fraction bits of the enclosure.
const BITS: u32 = 62;
/// Terms of the series: with `z` at most 1/3 the next one is below `2^-128`.
const TERMS: u128 = 40;
/// Largest numerator and denominator.
pub(crate) const MAX_TERM: u64 = 1_000_000_000_000;
/// Largest magnitude of the exponent.
pub(crate) const MAX_EXPONENT: i32 = 40;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    Down,
    Up,
}

fn divide(n: u128, d: u128, round: Round) -> u128 {
    if round == Round::Up { n.div_ceil(d) } else { n / d }
}

/// A bound of `2^62 · 2 artanh(n/d)`, for `n/d` in `[0, 1/3]` and `n` below `2^64`.
fn twice_artanh(n: u128, d: u128, round: Round) -> u128 {
    let one = 1 << BITS;
    let z = divide(n << BITS, d, round);
    let square = divide(z * z, one, round);
    let (mut power, mut sum) = (z, 0);
    for i in 0..TERMS {
        sum += divide(power, 2 * i + 1, round);
        power = divide(power * square, one, round);
    }
    // The terms left out add up to less than `power`.
    if round == Round::Up {
        sum += power;
    }
    2 * sum
}

/// Bounds of `2^62 · ln(a/b)`.
fn ln(a: u64, b: u64) -> (i128, i128) {
    let bounds = |n, d| (twice_artanh(n, d, Round::Down) as i128, twice_artanh(n, d, Round::Up) as i128);
    let (mut a, mut b, mut k) = (u128::from(a), u128::from(b), 0i128);
    while 3 * a > 4 * b {
        b *= 2;
        k += 1;
    }
    while 3 * a < 2 * b {
        a *= 2;
        k -= 1;
    }
    let (below, above) = bounds(a.abs_diff(b), a + b);
    let (below, above) = if a < b { (-above, -below) } else { (below, above) };
    let two = bounds(1, 3);
    let (low, high) = if k < 0 { (two.1, two.0) } else { two };
    (k * low + below, k * high + above)
}

/// `⌈2^exponent · ln(a/b)⌉`, exactly. `None` where a term is zero or above [`MAX_TERM`], the exponent's magnitude above
/// [`MAX_EXPONENT`], or the value too close to an integer for 62 bits to tell on which side it lies.
pub(crate) fn scaled_ln_up(a: u64, b: u64, exponent: i32) -> Option<i64> {
    let fits = |term| (1..=MAX_TERM).contains(&term);
    if !fits(a) || !fits(b) || exponent.abs() > MAX_EXPONENT {
        return None;
    }
    if a == b {
        return Some(0);
    }
    // Between 22 and 102; the bounds stay below 2^67.
    let shift = BITS.checked_add_signed(-exponent)?;
    let up = |x: i128| (x + (1 << shift) - 1) >> shift;
    let (low, high) = ln(a, b);
    // The logarithm of a rational other than 1 is irrational: no integer is hit.
    if up(low) == up(high) { i64::try_from(up(low)).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encloses_the_logarithm_tightly() {
        for (a, b) in [
            (2, 1),
            (1, 2),
            (4, 1),
            (1, 1),
            (999, 1),
            (1, MAX_TERM),
            (MAX_TERM, MAX_TERM - 1),
            (7, 5),
            (2, 3),
        ] {
            let (low, high) = ln(a, b);
            let exact = (a as f64 / b as f64).ln();
            let unit = f64::powi(2.0, -62);
            assert!(
                (low as f64 * unit - exact).abs() <= 1e-12 * exact.abs().max(1e-3),
                "{a}/{b}: {low}, {exact}"
            );
            assert!(low <= high && high - low < 1 << 13, "{a}/{b}: {}", high - low);
        }
        // ln 2 = 0.6931471805599453094172321214581765680755… · 2^62, by an independent computation.
        let ln2 = 3_196_577_161_300_663_914i128;
        let (low, high) = ln(2, 1);
        assert!(low <= ln2 && ln2 < high, "{low} {high}");
    }

    #[test]
    fn rounds_up_whatever_the_sign() {
        // ln 4 = 1.386…, in units of 2^-8: 354.89.
        assert_eq!(scaled_ln_up(4, 1, 8), Some(355));
        assert_eq!(scaled_ln_up(1, 4, 8), Some(-354));
        assert_eq!(scaled_ln_up(4, 1, 0), Some(2));
        assert_eq!(scaled_ln_up(4, 1, -3), Some(1));
        assert_eq!(scaled_ln_up(1, 4, -40), Some(0));
        assert_eq!(scaled_ln_up(3, 3, 40), Some(0));
        assert_eq!(scaled_ln_up(4, 1, 40), Some(1_524_246_769_572));
        for refused in [(0, 1, 0), (1, 0, 0), (MAX_TERM + 1, 1, 0), (2, 1, 41), (2, 1, -41)] {
            assert_eq!(scaled_ln_up(refused.0, refused.1, refused.2), None);
        }
    }
}
