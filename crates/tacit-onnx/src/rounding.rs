//! Choosing a layer's binary weight scale, its integers, and its biases.

/// One layer to round: how it computes, on what, and what it should give.
pub(crate) struct Layer<'a, F> {
    /// Real weights; empty for a layer that only adds.
    pub(crate) weight: &'a [f64],
    /// Real biases, if the layer has any.
    pub(crate) bias: Option<&'a [f64]>,
    /// Index of the bias of an output element.
    pub(crate) bias_of: &'a dyn Fn(usize) -> usize,
    /// Exponent of the inputs.
    pub(crate) input_exponent: i32,
    /// Integer inputs of the tuning records.
    pub(crate) inputs: &'a [&'a [f64]],
    /// Real outputs wanted, after the clamp.
    pub(crate) targets: &'a [&'a [f64]],
    /// The clamp that follows.
    pub(crate) clamp: (f64, f64),
    /// Weight width in bits.
    pub(crate) weight_bits: u8,
    /// Bias width in bits.
    pub(crate) bias_bits: u8,
    /// `layer(input, weight)` without biases, over integers held in floats.
    pub(crate) apply: F,
}

/// Integers of a layer and their scale.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rounded {
    pub(crate) weight: Vec<i64>,
    pub(crate) bias: Option<Vec<i64>>,
    /// Exponent of the weights.
    pub(crate) weight_exponent: i32,
    pub(crate) clipped_weights: usize,
    pub(crate) clipped_biases: usize,
}

/// Exponents stay within this magnitude; real weights beyond 2^±200 make no model.
const MAX_EXPONENT: f64 = 200.0;
/// Records needed before the mean error says something about the model and not about the records.
const MIN_RECORDS_FOR_CORRECTION: usize = 32;
/// Records that must reach a neuron before its mean error is corrected.
const MIN_ACTIVE: usize = 8;

/// `2^exponent`.
pub(crate) fn exp2(exponent: i32) -> f64 {
    f64::powi(2.0, exponent)
}

/// The largest `e` such that `magnitude * 2^e` is at most `top`, within the limits; `None` for magnitude 0.
pub(crate) fn fitting_exponent(magnitude: f64, top: f64) -> Option<i32> {
    if magnitude <= 0.0 {
        return None;
    }
    let e = (top / magnitude).log2().floor().clamp(-MAX_EXPONENT, MAX_EXPONENT) as i32;
    // The logarithm of a number just below a power of two may round up.
    Some(if magnitude * exp2(e) > top { e - 1 } else { e })
}

/// Rounds to the nearest integer within a signed width; the second value tells whether it had to be cut off.
fn to_width(v: f64, bits: u8) -> (i64, bool) {
    let top = (1i64 << (bits - 1)) - 1;
    let r = v.round();
    if r > top as f64 {
        (top, true)
    } else if r < -(top as f64) {
        (-top, true)
    } else {
        (r as i64, false)
    }
}

impl<F: Fn(&[f64], &[f64]) -> Vec<f64>> Layer<'_, F> {
    /// Tries scales around the one that just holds the largest weight, with and without correcting the mean error by the
    /// biases, and keeps what errs least (in the mean square) on the tuning records.
    pub(crate) fn round(&self) -> Rounded {
        let top = ((1i64 << (self.weight_bits - 1)) - 1) as f64;
        let largest = crate::tensor::max_abs(self.weight);
        let Some(fit) = fitting_exponent(largest, top) else {
            // All weights are 0: the scale matters for the biases alone.
            return self.at(if self.weight.is_empty() { 0 } else { self.weight_bits.into() }, None).0;
        };
        let mut best: Option<(f64, Rounded)> = None;
        let mut consider = |error: f64, rounded: Rounded| {
            let better =
                best.as_ref().is_none_or(|(e, b)| (rounded.clipped_biases, error) < (b.clipped_biases, *e));
            if better {
                best = Some((error, rounded));
            }
        };
        for exponent in [fit, fit + 1, fit + 2, fit - 1] {
            let (plain, error, mean) = self.measured(exponent, None);
            consider(error, plain);
            if self.bias.is_some() && self.inputs.len() >= MIN_RECORDS_FOR_CORRECTION {
                let (corrected, error, _) = self.measured(exponent, Some(&mean));
                consider(error, corrected);
            }
        }
        // A coarser scale makes room for biases that do not fit.
        let mut exponent = fit - 2;
        while best.as_ref().is_some_and(|(_, b)| b.clipped_biases > 0) && exponent > fit - 6 {
            let (rounded, error, _) = self.measured(exponent, None);
            if best.as_ref().is_none_or(|(_, b)| rounded.clipped_biases < b.clipped_biases) {
                best = Some((error, rounded));
            }
            exponent -= 1;
        }
        best.map_or_else(|| self.at(fit, None).0, |(_, rounded)| rounded)
    }

    /// The integers at a scale, with `correction` (real, per bias) added to the biases.
    fn at(&self, exponent: i32, correction: Option<&[f64]>) -> (Rounded, Vec<f64>) {
        let scale = exp2(exponent);
        let mut clipped_weights = 0;
        let weight: Vec<i64> = self
            .weight
            .iter()
            .map(|w| {
                let (q, cut) = to_width(w * scale, self.weight_bits);
                clipped_weights += usize::from(cut);
                q
            })
            .collect();
        let bias_scale = exp2(exponent + self.input_exponent);
        let mut clipped_biases = 0;
        let bias = self.bias.map(|b| {
            b.iter()
                .enumerate()
                .map(|(j, b)| {
                    let (q, cut) =
                        to_width((b + correction.map_or(0.0, |c| c[j])) * bias_scale, self.bias_bits);
                    clipped_biases += usize::from(cut);
                    q
                })
                .collect::<Vec<i64>>()
        });
        let real = weight.iter().map(|&w| w as f64).collect();
        (Rounded { weight, bias, weight_exponent: exponent, clipped_weights, clipped_biases }, real)
    }

    /// The integers at a scale, their squared error, and the mean of (wanted − got) per bias before the clamp.
    fn measured(&self, exponent: i32, correction: Option<&[f64]>) -> (Rounded, f64, Vec<f64>) {
        let (rounded, weight) = self.at(exponent, correction);
        let unit = exp2(-exponent - self.input_exponent);
        let (lo, hi) = self.clamp;
        let mut error = 0.0;
        let biases = rounded.bias.as_ref().map_or(0, Vec::len);
        let (mut sums, mut counts) = (vec![0.0; biases], vec![0usize; biases]);
        for (x, wanted) in self.inputs.iter().zip(self.targets) {
            for (i, (acc, want)) in (self.apply)(x, &weight).into_iter().zip(*wanted).enumerate() {
                let j = (self.bias_of)(i);
                let bias = rounded.bias.as_ref().map_or(0, |b| b[j]);
                let got = (acc + bias as f64) * unit;
                let difference = want - got.max(lo).min(hi);
                error += difference * difference;
                // Where the wanted value is clamped, it says nothing about the value before the clamp.
                if biases > 0 && *want > lo && *want < hi {
                    sums[j] += want - got;
                    counts[j] += 1;
                }
            }
        }
        let mean =
            sums.iter().zip(&counts).map(|(s, &n)| if n < MIN_ACTIVE { 0.0 } else { s / n as f64 }).collect();
        (rounded, error, mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_fit() {
        assert_eq!(fitting_exponent(1.0, 127.0), Some(6));
        assert_eq!(fitting_exponent(127.0, 127.0), Some(0));
        assert_eq!(fitting_exponent(128.0, 127.0), Some(-1));
        assert_eq!(fitting_exponent(0.0, 127.0), None);
        assert_eq!(to_width(127.4, 8), (127, false));
        assert_eq!(to_width(-128.0, 8), (-127, true));
    }
}
