//! The integer operators: what each computes, and the shape and exact bounds of its result.

use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, MAX_BOUND, MAX_ELEMENTS, MAX_RANK, NodeId, ParamId, ValueBounds};

/// Most entries of a table.
const MAX_TABLE: usize = 1 << 16;

/// Either a value of the graph or a hidden parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operand {
    /// A computed value.
    Value(NodeId),
    /// A hidden parameter.
    Param(ParamId),
}

/// `y_j = clamp(round(x_j * multipliers_j / 2^shift), lo, hi)`: brings the record's decimals to binary scale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalise {
    /// One public multiplier per feature, or a single one for all.
    pub multipliers: Vec<i64>,
    /// Right shift after the multiplication.
    pub shift: u8,
    /// Smallest result.
    pub lo: i64,
    /// Largest result.
    pub hi: i64,
}

/// An integer operator. All arithmetic is exact over the integers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Op {
    /// The record's first step; `x` has the record's shape.
    Normalise {
        /// Value to normalise.
        x: NodeId,
        /// The rule.
        rule: Normalise,
    },
    /// `y[.., n] = Σ_k x[.., k] · weight[k, n] (+ bias[n])`.
    MatMul {
        /// Left operand, shape `[.., k]`.
        x: NodeId,
        /// Parameter of shape `[k, n]`.
        weight: ParamId,
        /// Parameter of shape `[n]`.
        bias: Option<ParamId>,
    },
    /// `y = Σ_i coefficient_i · operand_i + offset`, operands broadcast as NumPy does.
    Linear {
        /// Public coefficients and their operands.
        terms: Vec<(i64, Operand)>,
        /// Public constant.
        offset: i64,
    },
    /// `y = a ⊙ b`, broadcast as NumPy does.
    Mul {
        /// Left operand.
        a: Operand,
        /// Right operand.
        b: Operand,
    },
    /// `y = clamp(round(x / 2^shift), lo, hi)`; ReLU is `lo = 0`.
    Requant {
        /// Value to requantise.
        x: NodeId,
        /// Right shift.
        shift: u8,
        /// Smallest result.
        lo: i64,
        /// Largest result.
        hi: i64,
    },
    /// Same elements in row-major order under another shape.
    Reshape {
        /// Value to reshape.
        x: NodeId,
        /// New shape.
        shape: Vec<usize>,
    },
    /// Axes permuted: `y.shape[i] = x.shape[perm[i]]`.
    Transpose {
        /// Value to transpose.
        x: NodeId,
        /// Permutation of the axes.
        perm: Vec<usize>,
    },
    /// Correlation of the last axes of `x` with a kernel, group by group: for `g` groups of `c` channels and `o` outputs
    /// `y[g·o, p..] = Σ_{c, k..} x[g·c, p·stride + k·dilation ..] · weight[g, c, k.., o] (+ bias[g·o])`.
    Conv {
        /// Operand, shape `[groups · channels, ..]`; padding is an operator of its own.
        x: NodeId,
        /// Parameter of shape `[groups, channels, kernel.., outputs]`.
        weight: ParamId,
        /// Parameter of shape `[groups · outputs]`.
        bias: Option<ParamId>,
        /// Distance between neighbouring positions, one per kernel axis.
        strides: Vec<usize>,
        /// Distance between neighbouring kernel elements, one per kernel axis.
        dilations: Vec<usize>,
    },
    /// Zeros around the elements of `x`, axis by axis.
    Pad {
        /// Value to pad.
        x: NodeId,
        /// Zeros in front of each axis.
        before: Vec<usize>,
        /// Zeros behind each axis.
        after: Vec<usize>,
    },
    /// `y[i, ..] = x[starts_0 + i · steps_0, ..]`.
    Slice {
        /// Value to read.
        x: NodeId,
        /// First coordinate of each axis.
        starts: Vec<usize>,
        /// Length of each axis of the result.
        shape: Vec<usize>,
        /// Distance of coordinates, at least one.
        steps: Vec<usize>,
    },
    /// Values side by side along an axis.
    Concat {
        /// Values that agree in every other axis.
        parts: Vec<NodeId>,
        /// The axis.
        axis: usize,
    },
    /// `x` broadcast to a shape (NumPy's rule).
    Broadcast {
        /// Value to repeat.
        x: NodeId,
        /// New shape.
        shape: Vec<usize>,
    },
    /// `y[.., p.., k..] = x[.., p·stride + k·dilation ..]` over the last axes.
    Windows {
        /// Value to read.
        x: NodeId,
        /// The windows.
        window: Window,
    },
    /// Sum over the last axes.
    Sum {
        /// Value to sum.
        x: NodeId,
        /// How many axes; at least one.
        axes: usize,
    },
    /// Maximum over the last axes.
    Max {
        /// Value to compare.
        x: NodeId,
        /// How many axes; at least one.
        axes: usize,
    },
    /// `y = x ⊙ by`, public constants broadcast to the shape of `x`. They may follow from shapes and public attributes
    /// alone, never from weights.
    Scale {
        /// Value to multiply.
        x: NodeId,
        /// Row-major constants.
        by: Vec<i64>,
        /// Their shape.
        shape: Vec<usize>,
    },
    /// `y = values[x - first]` elementwise: a function of one integer. Every value that `x` can take has an entry.
    Table {
        /// Value to look up.
        x: NodeId,
        /// Smallest value of the domain.
        first: i64,
        /// Results over the domain, in order.
        values: Vec<i64>,
    },
    /// `y = floor(a / b)`, broadcast as NumPy does; `b` is at least 1 whatever the record.
    Quotient {
        /// Dividend.
        a: NodeId,
        /// Divisor.
        b: NodeId,
    },
    /// `y = floor(sqrt(x))` elementwise; `x` is at least 0 whatever the record.
    Root {
        /// Radicand.
        x: NodeId,
    },
}

/// Windows over the last axes of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Elements along each axis.
    pub kernel: Vec<usize>,
    /// Distance between neighbouring windows.
    pub strides: Vec<usize>,
    /// Distance between neighbouring elements of a window.
    pub dilations: Vec<usize>,
}

impl Window {
    /// How many windows fit along axes of these lengths; `None` where the window is ill-formed or none fits.
    #[must_use]
    pub fn positions(&self, lens: &[usize]) -> Option<Vec<usize>> {
        let Self { kernel, strides, dilations } = self;
        let all = [kernel, strides, dilations];
        if kernel.is_empty() || all.iter().any(|v| v.len() != lens.len() || v.contains(&0)) {
            return None;
        }
        lens.iter()
            .enumerate()
            .map(|(i, len)| {
                let extent = (kernel[i] - 1).checked_mul(dilations[i])?.checked_add(1)?;
                Some(len.checked_sub(extent)? / strides[i] + 1)
            })
            .collect()
    }
}

impl Op {
    /// What the operator reads, values and parameters.
    #[must_use]
    pub fn operands(&self) -> Vec<Operand> {
        let value = |id: &NodeId| Operand::Value(*id);
        match self {
            Self::Normalise { x, .. }
            | Self::Requant { x, .. }
            | Self::Reshape { x, .. }
            | Self::Transpose { x, .. }
            | Self::Pad { x, .. }
            | Self::Slice { x, .. }
            | Self::Broadcast { x, .. }
            | Self::Windows { x, .. }
            | Self::Sum { x, .. }
            | Self::Max { x, .. }
            | Self::Scale { x, .. }
            | Self::Root { x }
            | Self::Table { x, .. } => vec![value(x)],
            Self::MatMul { x, weight, bias } | Self::Conv { x, weight, bias, .. } => {
                let bias = bias.map(Operand::Param);
                [Some(value(x)), Some(Operand::Param(*weight)), bias].into_iter().flatten().collect()
            }
            Self::Linear { terms, .. } => terms.iter().map(|(_, o)| *o).collect(),
            Self::Mul { a, b } => vec![*a, *b],
            Self::Quotient { a, b } => vec![value(a), value(b)],
            Self::Concat { parts, .. } => parts.iter().map(value).collect(),
        }
    }

    /// Whether the operator only moves elements: its values are those of its operand, in other places.
    #[must_use]
    pub fn is_movement(&self) -> bool {
        matches!(
            self,
            Self::Reshape { .. }
                | Self::Transpose { .. }
                | Self::Pad { .. }
                | Self::Slice { .. }
                | Self::Concat { .. }
                | Self::Broadcast { .. }
                | Self::Windows { .. }
        )
    }
}

impl Architecture {
    /// Shape and bounds of one operator's result; `None` when it is ill-formed.
    pub(crate) fn infer(
        &self,
        op: &Op,
        values: &[(Vec<usize>, ValueBounds)],
    ) -> Option<(Vec<usize>, i128, i128)> {
        let value = |id: &NodeId| values.get(id.0 as usize);
        let operand = |o: &Operand| -> Option<(Vec<usize>, ValueBounds)> {
            match o {
                Operand::Value(id) => value(id).cloned(),
                Operand::Param(id) => self.params.get(id.0 as usize).map(|p| (p.shape.clone(), p.bounds())),
            }
        };
        let clamp_ok =
            |shift: u8, lo: i64, hi: i64| shift <= 60 && lo <= hi && lo > -(1 << 40) && hi < (1 << 40);
        match op {
            Op::Normalise { x, rule } => {
                let (shape, b) = value(x)?;
                let n = elements(shape)?;
                let one_each = rule.multipliers.len() == n || rule.multipliers.len() == 1;
                let bound = i128::from(b.lo).abs().max(i128::from(b.hi).abs());
                let fits = rule.multipliers.iter().all(|m| {
                    i128::from(m.unsigned_abs()) * bound + (1i128 << rule.shift.min(60)) < MAX_BOUND
                });
                (one_each && fits && clamp_ok(rule.shift, rule.lo, rule.hi))
                    .then(|| (shape.clone(), rule.lo.into(), rule.hi.into()))
            }
            Op::MatMul { x, weight, bias } => {
                let (shape, xb) = value(x)?;
                let w = self.params.get(weight.0 as usize)?;
                let [k, n] = w.shape[..] else { return None };
                if shape.last() != Some(&k) {
                    return None;
                }
                let (lo, hi) = product_bounds(*xb, w.bounds());
                let (mut lo, mut hi) = (lo.checked_mul(k as i128)?, hi.checked_mul(k as i128)?);
                if let Some(bias) = bias {
                    let b = self.params.get(bias.0 as usize)?;
                    if b.shape[..] != [n] {
                        return None;
                    }
                    lo += i128::from(b.bounds().lo);
                    hi += i128::from(b.bounds().hi);
                }
                let mut shape = shape.clone();
                *shape.last_mut()? = n;
                Some((shape, lo, hi))
            }
            Op::Linear { terms, offset } => {
                if terms.is_empty() || terms.len() > 64 {
                    return None;
                }
                let mut shape = Vec::new();
                let (mut lo, mut hi) = (i128::from(*offset), i128::from(*offset));
                for (coefficient, o) in terms {
                    let (s, b) = operand(o)?;
                    shape = broadcast_shapes(&shape, &s)?;
                    let c = i128::from(*coefficient);
                    let (p, q) = (c.checked_mul(b.lo.into())?, c.checked_mul(b.hi.into())?);
                    lo = lo.checked_add(p.min(q))?;
                    hi = hi.checked_add(p.max(q))?;
                }
                Some((shape, lo, hi))
            }
            Op::Mul { a, b } => {
                let ((sa, ba), (sb, bb)) = (operand(a)?, operand(b)?);
                let (lo, hi) = product_bounds(ba, bb);
                Some((broadcast_shapes(&sa, &sb)?, lo, hi))
            }
            Op::Requant { x, shift, lo, hi } => {
                let (shape, _) = value(x)?;
                clamp_ok(*shift, *lo, *hi).then(|| (shape.clone(), (*lo).into(), (*hi).into()))
            }
            Op::Reshape { x, shape } => {
                let (s, b) = value(x)?;
                (elements(s) == elements(shape)).then(|| (shape.clone(), b.lo.into(), b.hi.into()))
            }
            Op::Transpose { x, perm } => {
                let (s, b) = value(x)?;
                let mut sorted = perm.clone();
                sorted.sort_unstable();
                if sorted != (0..s.len()).collect::<Vec<_>>() {
                    return None;
                }
                let shape = perm.iter().map(|&p| s[p]).collect();
                Some((shape, b.lo.into(), b.hi.into()))
            }
            Op::Conv { x, weight, bias, strides, dilations } => {
                let (shape, xb) = value(x)?;
                let w = self.params.get(weight.0 as usize)?;
                let [groups, channels, kernel @ .., outputs] = &w.shape[..] else { return None };
                let (first, lens) = shape.split_first()?;
                if Some(*first) != groups.checked_mul(*channels) {
                    return None;
                }
                let window = Window {
                    kernel: kernel.to_vec(),
                    strides: strides.clone(),
                    dilations: dilations.clone(),
                };
                let positions = window.positions(lens)?;
                let fan_in = elements(&[&[*channels], kernel].concat())? as i128;
                let (lo, hi) = product_bounds(*xb, w.bounds());
                let (mut lo, mut hi) = (lo.checked_mul(fan_in)?, hi.checked_mul(fan_in)?);
                let all = groups.checked_mul(*outputs)?;
                if let Some(bias) = bias {
                    let b = self.params.get(bias.0 as usize)?;
                    if b.shape[..] != [all] {
                        return None;
                    }
                    lo += i128::from(b.bounds().lo);
                    hi += i128::from(b.bounds().hi);
                }
                Some(([&[all], &positions[..]].concat(), lo, hi))
            }
            Op::Pad { x, before, after } => {
                let (s, b) = value(x)?;
                if before.len() != s.len() || after.len() != s.len() {
                    return None;
                }
                let padded = |i: usize| s[i].checked_add(before[i])?.checked_add(after[i]);
                let shape: Option<Vec<usize>> = (0..s.len()).map(padded).collect();
                Some((shape?, b.lo.min(0).into(), b.hi.max(0).into()))
            }
            Op::Slice { x, starts, shape, steps } => {
                let (s, b) = value(x)?;
                let axes = starts.len() == s.len() && shape.len() == s.len() && steps.len() == s.len();
                let fits = |i: usize| {
                    let reach = shape[i].checked_sub(1)?.checked_mul(steps[i])?.checked_add(starts[i])?;
                    (steps[i] > 0 && reach < s[i]).then_some(())
                };
                (axes && (0..s.len()).all(|i| fits(i).is_some()))
                    .then(|| (shape.clone(), b.lo.into(), b.hi.into()))
            }
            Op::Concat { parts, axis } => {
                if parts.is_empty() || parts.len() > 64 {
                    return None;
                }
                let (mut shape, first) = value(&parts[0])?.clone();
                let (mut lo, mut hi) = (first.lo, first.hi);
                for part in &parts[1..] {
                    let (s, b) = value(part)?;
                    let agree = |i: usize| i == *axis || shape[i] == s[i];
                    if s.len() != shape.len() || !(0..s.len()).all(agree) {
                        return None;
                    }
                    let joined = shape.get(*axis)?.checked_add(s[*axis])?;
                    *shape.get_mut(*axis)? = joined;
                    (lo, hi) = (lo.min(b.lo), hi.max(b.hi));
                }
                (*axis < shape.len()).then(|| (shape, lo.into(), hi.into()))
            }
            Op::Broadcast { x, shape } => {
                let (s, b) = value(x)?;
                (elements(shape).is_some() && broadcast_shapes(s, shape).as_ref() == Some(shape))
                    .then(|| (shape.clone(), b.lo.into(), b.hi.into()))
            }
            Op::Windows { x, window } => {
                let (s, b) = value(x)?;
                let (lead, lens) = s.split_at(s.len().checked_sub(window.kernel.len())?);
                let positions = window.positions(lens)?;
                Some(([lead, &positions, &window.kernel].concat(), b.lo.into(), b.hi.into()))
            }
            Op::Sum { x, axes } => {
                let (s, b) = value(x)?;
                let (lead, summed) = s.split_at(s.len().checked_sub(*axes).filter(|_| *axes > 0)?);
                let n = elements(summed)? as i128;
                Some((lead.to_vec(), i128::from(b.lo) * n, i128::from(b.hi) * n))
            }
            Op::Max { x, axes } => {
                let (s, b) = value(x)?;
                let lead = &s[..s.len().checked_sub(*axes).filter(|_| *axes > 0)?];
                Some((lead.to_vec(), b.lo.into(), b.hi.into()))
            }
            Op::Scale { x, by, shape } => {
                let (s, b) = value(x)?;
                if elements(shape) != Some(by.len()) || broadcast_shapes(shape, s).as_ref() != Some(s) {
                    return None;
                }
                let bounds = by.iter().map(|&m| product_bounds(*b, ValueBounds { lo: m, hi: m }));
                let (lo, hi) = bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
                Some((s.clone(), lo, hi))
            }
            Op::Quotient { a, b } => {
                let ((sa, ba), (sb, bb)) = (value(a)?, value(b)?);
                // A rest, and what a quotient times its divisor can be, stay within the bounds of all values.
                let reach = i128::from(ba.lo).abs().max(ba.hi.into()) + i128::from(bb.hi);
                let ends = [ba.lo, ba.hi].into_iter().flat_map(|n| [bb.lo, bb.hi].map(|d| (n, d)));
                let quotients = ends.filter(|(_, d)| *d > 0).map(|(n, d)| i128::from(n.div_euclid(d)));
                let (lo, hi) = quotients.fold((i128::MAX, i128::MIN), |(lo, hi), q| (lo.min(q), hi.max(q)));
                (bb.lo >= 1 && reach < MAX_BOUND).then_some((broadcast_shapes(sa, sb)?, lo, hi))
            }
            Op::Root { x } => {
                let (s, b) = value(x)?;
                let (lo, hi) = (u64::try_from(b.lo).ok()?, u64::try_from(b.hi).ok()?);
                Some((s.clone(), lo.isqrt().into(), hi.isqrt().into()))
            }
            Op::Table { x, first, values } => {
                let (s, b) = value(x)?;
                let last = i128::from(*first) + values.len() as i128 - 1;
                let covered = *first <= b.lo && i128::from(b.hi) <= last && values.len() <= MAX_TABLE;
                let (lo, hi) = (values.iter().min()?, values.iter().max()?);
                covered.then(|| (s.clone(), i128::from(*lo), i128::from(*hi)))
            }
        }
    }
}

/// Number of elements of a shape, `None` beyond the limits.
pub(crate) fn elements(shape: &[usize]) -> Option<usize> {
    if shape.len() > MAX_RANK {
        return None;
    }
    shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| n <= MAX_ELEMENTS)
}

/// Bounds of a product of two bounded integers.
fn product_bounds(a: ValueBounds, b: ValueBounds) -> (i128, i128) {
    let mut lo = i128::MAX;
    let mut hi = i128::MIN;
    for x in [a.lo, a.hi] {
        for y in [b.lo, b.hi] {
            let p = i128::from(x) * i128::from(y);
            lo = lo.min(p);
            hi = hi.max(p);
        }
    }
    (lo, hi)
}

/// The shape that two shapes broadcast to, aligned at the last axis (NumPy's rule), or `None`.
#[must_use]
pub fn broadcast_shapes(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let at = |s: &[usize], i: usize| if i + s.len() < rank { 1 } else { s[i + s.len() - rank] };
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}
