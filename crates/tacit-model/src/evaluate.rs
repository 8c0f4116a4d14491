//! The reference evaluator: runs the integer graph on one record, straight from the operators' definitions.

use crate::architecture::{Architecture, ArchitectureError, NodeId};
use crate::decimal::format_decimal;
use crate::file::Weights;
use crate::fixed::requantise;
use crate::image;
use crate::operator::{Op, Operand, broadcast_shapes};

/// Every value of one run, index 0 being the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// Row-major elements of every value.
    pub values: Vec<Vec<i64>>,
}

impl Evaluation {
    /// The output's elements.
    #[must_use]
    pub fn output(&self) -> &[i64] {
        self.values.last().map_or(&[], Vec::as_slice)
    }
}

/// Why a record cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// The record has another number of features.
    #[error("the record has {actual} values; the schema names {expected} features")]
    RecordLength {
        /// Features of the schema.
        expected: usize,
        /// Values of the record.
        actual: usize,
    },
    /// A value outside its declared range.
    #[error("feature `{feature}` is {value}, outside its declared range {range}")]
    OutOfRange {
        /// Feature name.
        feature: String,
        /// The value, in its decimals.
        value: String,
        /// The range, in its decimals.
        range: String,
    },
    /// The architecture is ill-formed.
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
}

/// Checks a record against the schema's declared ranges (the `refuse` policy).
pub(crate) fn check_record(architecture: &Architecture, record: &[i64]) -> Result<(), EvaluationError> {
    let features = &architecture.schema.features;
    if record.len() != features.len() {
        return Err(EvaluationError::RecordLength { expected: features.len(), actual: record.len() });
    }
    for (v, f) in record.iter().zip(features) {
        if *v < f.min || *v > f.max {
            return Err(EvaluationError::OutOfRange {
                feature: f.name.clone(),
                value: format_decimal(*v, f.decimals),
                range: f.range_text(),
            });
        }
    }
    Ok(())
}

/// Runs `architecture` with `weights` on one record of schema integers.
///
/// # Errors
/// [`EvaluationError`] when the record does not fit the schema or the architecture is ill-formed.
pub fn evaluate(
    architecture: &Architecture,
    weights: &Weights,
    record: &[i64],
) -> Result<Evaluation, EvaluationError> {
    check_record(architecture, record)?;
    let shapes = architecture.validate()?;
    let mut values: Vec<Vec<i64>> = Vec::with_capacity(shapes.len());
    values.push(record.to_vec());
    for (j, node) in architecture.nodes.iter().enumerate() {
        let shape = |id: &NodeId| shapes[id.0 as usize].0.as_slice();
        let value = |id: &NodeId| values[id.0 as usize].as_slice();
        let operand = |o: &Operand| -> (&[usize], &[i64]) {
            match o {
                Operand::Value(id) => (shape(id), value(id)),
                Operand::Param(id) => {
                    (&architecture.params[id.0 as usize].shape, &weights.tensors()[id.0 as usize])
                }
            }
        };
        let out_shape = shapes[j + 1].0.as_slice();
        let out = match &node.op {
            Op::Normalise { x, rule } => value(x)
                .iter()
                .enumerate()
                .map(|(i, v)| {
                    let m = rule.multipliers[i % rule.multipliers.len()];
                    requantise(v * m, rule.shift, rule.lo, rule.hi)
                })
                .collect(),
            Op::MatMul { x, weight, bias } => {
                let w = &weights.tensors()[weight.0 as usize];
                let n = architecture.params[weight.0 as usize].shape[1];
                let k = architecture.params[weight.0 as usize].shape[0];
                let bias = bias.map(|b| &weights.tensors()[b.0 as usize]);
                let mut out = Vec::with_capacity(out_shape.iter().product());
                for row in value(x).chunks_exact(k) {
                    let mut y = bias.map_or_else(|| vec![0; n], Clone::clone);
                    for (a, w_row) in row.iter().zip(w.chunks_exact(n)) {
                        for (y, w) in y.iter_mut().zip(w_row) {
                            *y += a * w;
                        }
                    }
                    out.extend(y);
                }
                out
            }
            Op::Linear { terms, offset } => {
                let mut out = vec![*offset; out_shape.iter().product()];
                for (coefficient, o) in terms {
                    let (s, v) = operand(o);
                    for (i, y) in out.iter_mut().enumerate() {
                        *y += coefficient * v[broadcast_index(i, out_shape, s)];
                    }
                }
                out
            }
            Op::Mul { a, b } => {
                let ((sa, va), (sb, vb)) = (operand(a), operand(b));
                debug_assert_eq!(broadcast_shapes(sa, sb).as_deref(), Some(out_shape));
                (0..out_shape.iter().product())
                    .map(|i| va[broadcast_index(i, out_shape, sa)] * vb[broadcast_index(i, out_shape, sb)])
                    .collect()
            }
            Op::Requant { x, shift, lo, hi } => {
                value(x).iter().map(|v| requantise(*v, *shift, *lo, *hi)).collect()
            }
            Op::Reshape { x, .. } => value(x).to_vec(),
            Op::Transpose { x, perm } => {
                let s = shape(x);
                image::gather(value(x), s, out_shape, |to, from| {
                    perm.iter().zip(to).for_each(|(&axis, &c)| from[axis] = c);
                    true
                })
            }
            Op::Conv { x, weight, bias, strides, dilations } => {
                let spec = &architecture.params[weight.0 as usize].shape;
                let weight = &weights.tensors()[weight.0 as usize];
                let bias = bias.map(|b| weights.tensors()[b.0 as usize].as_slice());
                image::convolve(
                    (value(x), shape(x)),
                    (weight, spec),
                    bias,
                    strides,
                    dilations,
                    &out_shape[1..],
                )
            }
            Op::Pad { x, before, .. } => {
                let s = shape(x);
                image::gather(value(x), s, out_shape, |to, from| {
                    to.iter().enumerate().all(|(i, c)| {
                        let inside = c.checked_sub(before[i]).filter(|&c| c < s[i]);
                        from[i] = inside.unwrap_or(0);
                        inside.is_some()
                    })
                })
            }
            Op::Slice { x, starts, steps, .. } => image::gather(value(x), shape(x), out_shape, |to, from| {
                to.iter().enumerate().for_each(|(i, c)| from[i] = starts[i] + c * steps[i]);
                true
            }),
            Op::Concat { parts, axis } => {
                let lead: usize = out_shape[..*axis].iter().product();
                let mut out = Vec::with_capacity(out_shape.iter().product());
                for i in 0..lead {
                    for part in parts {
                        let each = value(part).len() / lead;
                        out.extend_from_slice(&value(part)[i * each..(i + 1) * each]);
                    }
                }
                out
            }
            Op::Broadcast { x, .. } => (0..out_shape.iter().product())
                .map(|i| value(x)[broadcast_index(i, out_shape, shape(x))])
                .collect(),
            Op::Windows { x, window } => {
                let (s, n) = (shape(x), window.kernel.len());
                let lead = s.len() - n;
                image::gather(value(x), s, out_shape, |to, from| {
                    from[..lead].copy_from_slice(&to[..lead]);
                    for i in 0..n {
                        from[lead + i] =
                            to[lead + i] * window.strides[i] + to[lead + n + i] * window.dilations[i];
                    }
                    true
                })
            }
            Op::Sum { x, .. } => {
                let group = value(x).len() / out_shape.iter().product::<usize>();
                value(x).chunks_exact(group).map(|group| group.iter().sum()).collect()
            }
            Op::Max { x, .. } => {
                let group = value(x).len() / out_shape.iter().product::<usize>();
                let max = |group: &[i64]| group.iter().copied().max().unwrap_or_default();
                value(x).chunks_exact(group).map(max).collect()
            }
            Op::Scale { x, by, shape } => value(x)
                .iter()
                .enumerate()
                .map(|(i, v)| v * by[broadcast_index(i, out_shape, shape)])
                .collect(),
            Op::Quotient { a, b } => {
                let ((sa, va), (sb, vb)) = ((shape(a), value(a)), (shape(b), value(b)));
                let at = |i: usize| (broadcast_index(i, out_shape, sa), broadcast_index(i, out_shape, sb));
                (0..out_shape.iter().product()).map(at).map(|(i, j)| va[i].div_euclid(vb[j])).collect()
            }
            Op::Root { x } => value(x).iter().map(|v| v.isqrt()).collect(),
            Op::Table { x, first, values: table } => {
                value(x).iter().map(|v| table[(v - first) as usize]).collect()
            }
        };
        values.push(out);
    }
    Ok(Evaluation { values })
}

/// Flat index into a row-major tensor of shape `from` of the element that broadcasts to flat index `i` of shape `to` (NumPy's
/// rule; the shapes must broadcast).
#[must_use]
pub fn broadcast_index(i: usize, to: &[usize], from: &[usize]) -> usize {
    let mut rest = i;
    let mut stride = 1;
    let mut at = 0;
    for axis in (0..to.len()).rev() {
        let coordinate = rest % to[axis];
        rest /= to[axis];
        if let Some(own) = (axis + from.len()).checked_sub(to.len()) {
            if from[own] != 1 {
                at += coordinate * stride;
            }
            stride *= from[own];
        }
    }
    at
}
