//! Functions of one number, and how each is put together from a line, a hinge and a table.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// A function of one number. Parameters are attributes of the operator: public, like the function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Function {
    Sigmoid,
    Tanh,
    Erf,
    HardSigmoid {
        alpha: f64,
        beta: f64,
    },
    Elu {
        alpha: f64,
    },
    Selu {
        alpha: f64,
        gamma: f64,
    },
    LeakyRelu {
        alpha: f64,
    },
    Celu {
        alpha: f64,
    },
    /// `e^min(x, 0)`.
    Decay,
    Softplus,
    Softsign,
    Gelu,
    GeluTanh,
    /// `x · sigmoid(alpha · x)`; SiLU where `alpha` is 1.
    Swish {
        alpha: f64,
    },
    HardSwish,
    Mish,
    Abs,
    Exp,
    Log,
    Sqrt,
    Reciprocal,
}

/// `f(x) = slope · x + hinge · max(x, 0) + rest(x)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Parts {
    pub(crate) slope: f64,
    pub(crate) hinge: f64,
    pub(crate) rest: Rest,
}

/// What a function is beside a line and a hinge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rest {
    /// Nothing.
    Zero,
    /// A function that hardly changes outside of these bounds: a table between them serves every record.
    Within(f64, f64),
    /// A function that keeps changing: a table over the range seen in calibration, and no wider than these bounds.
    Seen(f64, f64),
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `ln(1 + e^x)` without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

impl Function {
    /// `f(x)`.
    pub(crate) fn value(self, x: f64) -> f64 {
        match self {
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => x.tanh(),
            Self::Erf => libm::erf(x),
            Self::HardSigmoid { alpha, beta } => (alpha * x + beta).clamp(0.0, 1.0),
            Self::Elu { alpha } => x.max(0.0) + alpha * x.min(0.0).exp_m1(),
            Self::Selu { alpha, gamma } => gamma * (x.max(0.0) + alpha * x.min(0.0).exp_m1()),
            Self::LeakyRelu { alpha } => x.max(0.0) + alpha * x.min(0.0),
            Self::Celu { alpha } => x.max(0.0) + alpha * (x.min(0.0) / alpha).exp_m1(),
            Self::Decay => x.min(0.0).exp(),
            Self::Softplus => softplus(x),
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Gelu => 0.5 * x * (1.0 + libm::erf(x * FRAC_1_SQRT_2)),
            Self::GeluTanh => 0.5 * x * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh()),
            Self::Swish { alpha } => x * sigmoid(alpha * x),
            Self::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Self::Mish => x * softplus(x).tanh(),
            Self::Abs => x.abs(),
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Sqrt => x.sqrt(),
            Self::Reciprocal => 1.0 / x,
        }
    }

    /// How the function is put together. Bounds of tables are powers of two, so that equal functions get equal tables.
    pub(crate) fn parts(self) -> Parts {
        let table = |hinge, lo, hi| Parts { slope: 0.0, hinge, rest: Rest::Within(lo, hi) };
        let seen = |lo, hi| Parts { slope: 0.0, hinge: 0.0, rest: Rest::Seen(lo, hi) };
        let line = |slope, hinge| Parts { slope, hinge, rest: Rest::Zero };
        let reach = |x: f64| x.log2().ceil().clamp(-20.0, 20.0).exp2();
        match self {
            Self::Sigmoid => table(0.0, -8.0, 8.0),
            Self::Tanh | Self::Erf => table(0.0, -4.0, 4.0),
            Self::HardSigmoid { alpha, beta } if alpha != 0.0 => {
                let r = reach((beta / alpha).abs().max(((1.0 - beta) / alpha).abs()));
                table(0.0, -r, r)
            }
            Self::HardSigmoid { .. } => table(0.0, -1.0, 1.0),
            Self::Elu { .. } => table(1.0, -8.0, 0.0),
            Self::Selu { gamma, .. } => table(gamma, -8.0, 0.0),
            Self::LeakyRelu { alpha } => line(alpha, 1.0 - alpha),
            Self::Celu { alpha } => table(1.0, -reach(8.0 * alpha), 0.0),
            Self::Decay => table(0.0, -16.0, 0.0),
            Self::Abs => line(-1.0, 2.0),
            Self::Softplus | Self::Mish => table(1.0, -8.0, 8.0),
            Self::Gelu | Self::GeluTanh | Self::HardSwish => table(1.0, -4.0, 4.0),
            Self::Swish { alpha: 0.0 } => line(0.5, 0.0),
            Self::Swish { alpha } => {
                let r = reach(8.0 / alpha.abs());
                // Towards which end the function is a line through the origin.
                let (slope, hinge) = if alpha < 0.0 { (1.0, -1.0) } else { (0.0, 1.0) };
                Parts { slope, hinge, rest: Rest::Within(-r, r) }
            }
            Self::Softsign | Self::Exp => seen(f64::NEG_INFINITY, f64::INFINITY),
            Self::Log | Self::Reciprocal => seen(f64::MIN_POSITIVE, f64::INFINITY),
            Self::Sqrt => seen(0.0, f64::INFINITY),
        }
    }

    /// Whether `f(c · x) = c · f(x)` for every `c > 0`.
    pub(crate) fn is_homogeneous(self) -> bool {
        matches!(self, Self::LeakyRelu { .. } | Self::Abs)
    }

    /// The function that exporters write as several operators and that `f` is, as far as 32-bit floats tell.
    pub(crate) fn recognise(f: impl Fn(f64) -> f64) -> Option<Self> {
        const KNOWN: [Function; 12] = [
            Function::Sigmoid,
            Function::Tanh,
            Function::Gelu,
            Function::GeluTanh,
            Function::Swish { alpha: 1.0 },
            Function::Swish { alpha: 1.702 },
            Function::HardSwish,
            Function::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 },
            Function::Mish,
            Function::Softplus,
            Function::Softsign,
            Function::Abs,
        ];
        let points = || (-60..=60).map(|i| f64::from(i) * 0.11);
        let got: Vec<f64> = points().map(f).collect();
        KNOWN.into_iter().find(|known| {
            points().zip(&got).all(|(x, got)| (known.value(x) - got).abs() <= 2e-6 * (1.0 + x.abs()))
        })
    }
}

impl Parts {
    /// `f(x)` without its line and hinge.
    pub(crate) fn rest(&self, f: Function, x: f64) -> f64 {
        f.value(x) - self.slope * x - self.hinge * x.max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest change of a table's function beyond its bounds.
    const LEFT_OUT: f64 = 0.006;

    const ALL: [Function; 17] = [
        Function::Celu { alpha: 2.0 },
        Function::Decay,
        Function::Sigmoid,
        Function::Tanh,
        Function::Erf,
        Function::HardSigmoid { alpha: 0.2, beta: 0.5 },
        Function::Elu { alpha: 1.0 },
        Function::Selu { alpha: 1.673_263, gamma: 1.050_701 },
        Function::LeakyRelu { alpha: 0.1 },
        Function::Softplus,
        Function::Gelu,
        Function::GeluTanh,
        Function::Swish { alpha: 1.0 },
        Function::Swish { alpha: -0.5 },
        Function::HardSwish,
        Function::Mish,
        Function::Abs,
    ];

    #[test]
    fn beyond_its_bounds_a_rest_hardly_changes() {
        for f in ALL {
            let parts = f.parts();
            let (lo, hi) = match parts.rest {
                Rest::Within(lo, hi) => (lo, hi),
                Rest::Zero => (0.0, 0.0),
                Rest::Seen(..) => panic!("{f:?} is unbounded"),
            };
            for i in 0..400 {
                let d = f64::from(i) * 0.1;
                for (end, x) in [(lo, lo - d), (hi, hi + d)] {
                    let change = (parts.rest(f, x) - parts.rest(f, end)).abs();
                    assert!(change <= LEFT_OUT, "{f:?} changes by {change} at {x}");
                }
            }
        }
    }

    #[test]
    fn what_is_written_in_pieces_is_recognised() {
        assert_eq!(Function::recognise(|x| x / (1.0 + (-x).exp())), Some(Function::Swish { alpha: 1.0 }));
        let root = f64::from(std::f32::consts::SQRT_2);
        let gelu = |x: f64| x * 0.5 * (libm::erf(x / root) + 1.0);
        assert_eq!(Function::recognise(gelu), Some(Function::Gelu));
        assert_eq!(Function::recognise(|x| (x.exp() + 1.0).ln()), Some(Function::Softplus));
        assert_eq!(Function::recognise(|x| x), None);
        assert_eq!(Function::recognise(|x| 1.001 * x * sigmoid(x)), None, "a weight that the file holds");
    }
}
