//! Choosing a layer's binary weight scale, its integers, and its biases.

use rayon::prelude::*;

use crate::convolution::Matrices;

/// One layer to round: how it computes, on what, and what it should give.
pub(crate) struct Layer<'a, F> {
    /// Real weights; empty for a layer that only adds.
    pub(crate) weight: &'a [f64],
    /// Real biases, if the layer has any.
    pub(crate) bias: Option<&'a [f64]>,
    /// Index of the bias of an output element.
    pub(crate) bias_of: &'a (dyn Fn(usize) -> usize + Sync),
    /// Exponent of the inputs.
    pub(crate) input_exponent: i32,
    /// How the weight is laid out; `None` for an elementwise one.
    pub(crate) matrices: Option<Matrices>,
    /// Whether there are enough records to fit corrections to.
    pub(crate) fitted: bool,
    /// Integer inputs of the tuning records, or of patches of them.
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

impl Rounded {
    /// Weights and biases, integers held in floats.
    pub(crate) fn reals(&self) -> (Vec<f64>, Option<Vec<f64>>) {
        let floats = |v: &Vec<i64>| v.iter().map(|&w| w as f64).collect();
        (floats(&self.weight), self.bias.as_ref().map(floats))
    }
}

/// Exponents stay within this magnitude; real weights beyond 2^±200 make no model.
const MAX_EXPONENT: f64 = 200.0;
/// Most bits of weight precision given up to make room for biases.
const MAX_COARSER: i32 = 6;
/// What the squared error of a scale that cuts weights off is multiplied with before comparing.
const CLIPPING_PENALTY: f64 = 2.0;
/// Most multiplications to compute or use a Gram matrix.
const MAX_GRAM_WORK: usize = 1 << 30;
/// Weight of the nearest integers against the records, relative to the inputs' mean square.
const RIDGE: f64 = 0.01;
/// Passes over a column's weights.
const SWEEPS: usize = 8;
/// Records that must reach a neuron before its mean error is corrected, or an input before its weights may be cut off.
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

/// How a candidate is derived from the real weights.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    exponent: i32,
    /// Real corrections, per bias.
    correction: Option<&'a [f64]>,
    /// How inputs vary together, to let errors of weights cancel.
    grams: Option<&'a [Gram]>,
}

impl<F: Fn(&[f64], &[f64]) -> Vec<f64> + Sync> Layer<'_, F> {
    /// Tries scales around the one that just holds the largest weight, nearest rounding and rounding by [`Gram`], biases as
    /// they are and corrected by the mean error, and keeps what errs least (in the mean square).
    ///
    /// Corrections are fitted on every other record and compared on all, and a scale that cuts weights off has to be
    /// clearly better, so that rare records keep their outputs.
    pub(crate) fn round(&self) -> Rounded {
        let top = ((1i64 << (self.weight_bits - 1)) - 1) as f64;
        let largest = crate::tensor::max_abs(self.weight);
        let nearest = |exponent| Candidate { exponent, correction: None, grams: None };
        let Some(fit) = fitting_exponent(largest, top) else {
            // All weights are 0: the scale matters for the biases alone.
            return self.at(nearest(if self.weight.is_empty() { 0 } else { self.weight_bits.into() }));
        };
        let grams = self.matrices.filter(|_| self.fitted).and_then(|m| self.grams(m));
        let seldom = self.seldom_read();
        let penalised = |rounded: Rounded| {
            let error = match rounded.clipped_weights {
                0 => self.error(&rounded),
                // The records do not say what such a cut costs.
                _ if self.cuts(&rounded, &seldom) => f64::INFINITY,
                _ => self.error(&rounded) * CLIPPING_PENALTY,
            };
            (error, rounded)
        };
        let mut candidates = Vec::new();
        for exponent in [fit, fit + 1, fit + 2, fit - 1] {
            candidates.push(nearest(exponent));
            if grams.is_some() {
                candidates.push(Candidate { grams: grams.as_deref(), ..nearest(exponent) });
            }
        }
        let tried = candidates.into_par_iter().flat_map_iter(|candidate| {
            let rounded = self.at(candidate);
            let corrected = (self.fitted && self.bias.is_some()).then(|| {
                let mean = self.mean_error(&rounded);
                penalised(self.at(Candidate { correction: Some(&mean), ..candidate }))
            });
            corrected.into_iter().chain([penalised(rounded)])
        });
        let mut tried: Vec<(f64, Rounded)> = tried.collect();
        // Coarser scales make room for biases that do not fit.
        for exponent in (fit - MAX_COARSER..=fit - 2).rev() {
            let finer = self.at(nearest(exponent + 1));
            if finer.clipped_biases == 0 {
                break;
            }
            tried.push(penalised(self.at(nearest(exponent))));
        }
        // The first of the best, whatever order they were computed in.
        let best = tried.into_iter().reduce(|best, other| if other.0 < best.0 { other } else { best });
        best.map_or_else(|| self.at(nearest(fit)), |(_, rounded)| rounded)
    }

    /// Per weight, whether hardly a record has anything but 0 at the input that it multiplies; empty for a layer that is no
    /// matrix product.
    fn seldom_read(&self) -> Vec<bool> {
        let Some(m) = self.matrices else { return Vec::new() };
        let mut reached = vec![0usize; m.groups * m.rows];
        for inputs in self.inputs {
            for (i, part) in inputs.chunks_exact(m.rows).enumerate() {
                let counts = &mut reached[i % m.groups * m.rows..][..m.rows];
                counts.iter_mut().zip(part).for_each(|(n, v)| *n += usize::from(*v != 0.0));
            }
        }
        (0..self.weight.len()).map(|i| reached[i / m.columns] < MIN_ACTIVE).collect()
    }

    /// Whether a weight that is `seldom` read was cut off.
    fn cuts(&self, rounded: &Rounded, seldom: &[bool]) -> bool {
        let scale = exp2(rounded.weight_exponent);
        self.weight.iter().zip(seldom).any(|(w, seldom)| *seldom && to_width(w * scale, self.weight_bits).1)
    }

    /// The integers of a candidate.
    fn at(&self, candidate: Candidate<'_>) -> Rounded {
        let Candidate { exponent, correction, grams } = candidate;
        let scaled: Vec<f64> = self.weight.iter().map(|w| w * exp2(exponent)).collect();
        let mut clipped_weights = 0;
        let mut weight: Vec<i64> = scaled
            .iter()
            .map(|w| {
                let (q, cut) = to_width(*w, self.weight_bits);
                clipped_weights += usize::from(cut);
                q
            })
            .collect();
        if let (Some(grams), Some(m)) = (grams, self.matrices) {
            let top = (1i64 << (self.weight_bits - 1)) - 1;
            let each = m.rows * m.columns;
            let groups = scaled.chunks_exact(each).zip(weight.chunks_exact_mut(each)).zip(grams);
            groups.for_each(|((scaled, weight), gram)| gram.descend(scaled, weight, top));
        }
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
        Rounded { weight, bias, weight_exponent: exponent, clipped_weights, clipped_biases }
    }

    /// Calls `f(bias index, wanted, got before the clamp)` for the outputs of every record in `rows`.
    fn compare(
        &self,
        rounded: &Rounded,
        rows: impl Iterator<Item = usize>,
        mut f: impl FnMut(usize, f64, f64),
    ) {
        let weight: Vec<f64> = rounded.weight.iter().map(|&w| w as f64).collect();
        let unit = exp2(-rounded.weight_exponent - self.input_exponent);
        for row in rows {
            let outputs = (self.apply)(self.inputs[row], &weight);
            for (i, (acc, want)) in outputs.into_iter().zip(self.targets[row]).enumerate() {
                let (j, bias) = match &rounded.bias {
                    Some(b) => ((self.bias_of)(i), b[(self.bias_of)(i)]),
                    None => (0, 0),
                };
                f(j, *want, (acc + bias as f64) * unit);
            }
        }
    }

    /// Records that corrections are fitted on.
    fn fitting_rows(&self) -> impl Iterator<Item = usize> {
        (0..self.inputs.len()).step_by(2)
    }

    /// Squared error after the clamp.
    fn error(&self, rounded: &Rounded) -> f64 {
        let (lo, hi) = self.clamp;
        let mut sum = 0.0;
        self.compare(rounded, 0..self.inputs.len(), |_, want, got| {
            sum += (want - got.max(lo).min(hi)).powi(2)
        });
        sum
    }

    /// Mean of wanted − got per bias before the clamp.
    fn mean_error(&self, rounded: &Rounded) -> Vec<f64> {
        let (lo, hi) = self.clamp;
        let biases = rounded.bias.as_ref().map_or(1, Vec::len);
        let mut totals = vec![(0.0, 0usize); biases];
        self.compare(rounded, self.fitting_rows(), |j, want, got| {
            // Where the wanted value is clamped, it says nothing about the value before the clamp.
            if want > lo && want < hi {
                totals[j].0 += want - got;
                totals[j].1 += 1;
            }
        });
        totals.into_iter().map(|(sum, n)| if n < MIN_ACTIVE { 0.0 } else { sum / n as f64 }).collect()
    }

    /// The Gram matrix of every group's inputs, `None` where that would be too much work.
    fn grams(&self, m: Matrices) -> Option<Vec<Gram>> {
        let rows: Vec<&[f64]> =
            self.fitting_rows().flat_map(|r| self.inputs[r].chunks_exact(m.rows)).collect();
        let work = m.rows.checked_mul(m.rows)?.checked_mul((m.groups * m.columns).max(rows.len()))?;
        let of = |group: usize| -> Gram {
            let rows: Vec<&[f64]> = rows.iter().copied().skip(group).step_by(m.groups).collect();
            Gram::new(&rows, m.rows, self.bias.is_some())
        };
        (work <= MAX_GRAM_WORK).then(|| (0..m.groups).map(of).collect())
    }
}

/// `XᵀX` of a layer's inputs `X`: the squared error of a column's weights with errors `e` is `eᵀ(XᵀX)e`.
///
/// Inputs of real data vary together, so that an error of one weight can be cancelled by that of another. Starting from
/// the nearest integers, single weights are moved to their other neighbour while that lowers the error (coordinate
/// descent; the objective is that of Frantar et al., "GPTQ", 2022).
struct Gram {
    k: usize,
    products: Vec<f64>,
}

impl Gram {
    /// `centred` where biases take up the inputs' means.
    fn new(rows: &[&[f64]], k: usize, centred: bool) -> Self {
        let mut mean = vec![0.0; k];
        if centred {
            for row in rows {
                for (m, x) in mean.iter_mut().zip(*row) {
                    *m += x / rows.len() as f64;
                }
            }
        }
        let mut products = vec![0.0; k * k];
        for row in rows {
            let x: Vec<f64> = row.iter().zip(&mean).map(|(x, m)| x - m).collect();
            for (a, line) in x.iter().zip(products.chunks_exact_mut(k)) {
                for (p, b) in line.iter_mut().zip(&x) {
                    *p += a * b;
                }
            }
        }
        // What the records leave open is held near the nearest integers.
        let diagonal: f64 = products.iter().step_by(k + 1).sum();
        let ridge = RIDGE * diagonal / k as f64 + f64::MIN_POSITIVE;
        products.iter_mut().step_by(k + 1).for_each(|p| *p += ridge);
        Self { k, products }
    }

    /// Moves weights (`k` rows, `top` their largest magnitude) next to the wanted values `scaled`.
    fn descend(&self, scaled: &[f64], weight: &mut [i64], top: i64) {
        let k = self.k;
        let n = weight.len() / k;
        for column in 0..n {
            let mut errors: Vec<f64> =
                (0..k).map(|j| weight[j * n + column] as f64 - scaled[j * n + column]).collect();
            let mut gradient: Vec<f64> = self
                .products
                .chunks_exact(k)
                .map(|line| line.iter().zip(&errors).map(|(p, e)| p * e).sum())
                .collect();
            for _ in 0..SWEEPS {
                let mut moved = false;
                for j in 0..k {
                    let line = &self.products[j * k..(j + 1) * k];
                    let step = if gradient[j] > 0.0 { -1.0 } else { 1.0 };
                    let gain = 2.0 * step * gradient[j] + line[j];
                    let w = weight[j * n + column] + step as i64;
                    if gain < 0.0 && (errors[j] + step).abs() < 1.0 && w.abs() <= top {
                        weight[j * n + column] = w;
                        errors[j] += step;
                        for (g, p) in gradient.iter_mut().zip(line) {
                            *g += step * p;
                        }
                        moved = true;
                    }
                }
                if !moved {
                    break;
                }
            }
        }
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
