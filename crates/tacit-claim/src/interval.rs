//! How well a rate on a sample tells the rate in the population.

use statrs::function::beta::beta_reg;

/// What is left on both sides together.
const ALPHA: f64 = 0.05;

/// The exact two-sided 95 % confidence interval of a rate of which `count` of `samples` were seen (Clopper and Pearson, "The
/// use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26, 1934): bounds in
/// `[0, 1]`. For people; no claim is about it.
#[must_use]
pub fn clopper_pearson(count: u64, samples: u64) -> (f64, f64) {
    let count = count.min(samples);
    let (k, n) = (count as f64, samples as f64);
    // The quantile of the beta distribution, by bisection down to neighbouring floats.
    let quantile = |a: f64, b: f64, p: f64| {
        let (mut below, mut above) = (0.0, 1.0);
        for _ in 0..64 {
            let middle: f64 = (below + above) / 2.0;
            if beta_reg(a, b, middle) < p { below = middle } else { above = middle }
        }
        (below + above) / 2.0
    };
    let low = if count == 0 { 0.0 } else { quantile(k, n - k + 1.0, ALPHA / 2.0) };
    let high = if count == samples { 1.0 } else { quantile(k + 1.0, n - k, 1.0 - ALPHA / 2.0) };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: at the lower bound, seeing as much or more has probability 2.5 %; at the upper bound, as little or less.
    #[test]
    fn bounds_are_those_of_the_definition() {
        let at_least = |k: u64, n: u64, p: f64| -> f64 {
            // In logarithms: the first terms are smaller than any float.
            let mut term = n as f64 * (1.0 - p).ln();
            let mut below = 0.0;
            for i in 0..k {
                below += term.exp();
                term += ((n - i) as f64 / (i + 1) as f64 * p / (1.0 - p)).ln();
            }
            1.0 - below
        };
        for (k, n) in [(1, 2), (5, 10), (342, 360), (359, 360), (1, 360), (171, 171 * 2)] {
            let (low, high) = clopper_pearson(k, n);
            assert!((at_least(k, n, low) - 0.025).abs() < 1e-6, "{k} of {n}: {low}");
            assert!((1.0 - at_least(k + 1, n, high) - 0.025).abs() < 1e-6, "{k} of {n}: {high}");
        }
        assert_eq!(clopper_pearson(0, 7).0, 0.0);
        assert_eq!(clopper_pearson(7, 7).1, 1.0);
        assert_eq!(clopper_pearson(0, 0), (0.0, 1.0));
        let (low, high) = clopper_pearson(50_000, 100_000);
        assert!(low > 0.4968 && high < 0.5032 && low < 0.5 && high > 0.5);
    }
}
