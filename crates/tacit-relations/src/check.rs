//! The checker: evaluates every relation directly over the integers. The reference for every engine.

use crate::relation::Relation;
use crate::system::{RelationSystem, Segment, TensorId};
use crate::trace::Trace;

/// What a trace breaks. Names places, never values: they may be hidden.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} fails at element {element}")]
pub struct Violation {
    /// What is broken.
    pub kind: ViolationKind,
    /// First element that breaks it.
    pub element: usize,
}

/// The rule broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViolationKind {
    /// A tensor of another length, or a constant, public or committed tensor outside its bounds.
    Tensor(TensorId),
    /// A relation: its index and kind.
    Relation(usize, &'static str),
}

impl std::fmt::Display for ViolationKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tensor(id) => write!(f, "tensor {}", id.0),
            Self::Relation(index, kind) => write!(f, "relation {index} ({kind})"),
        }
    }
}

/// Checks every tensor and every relation of `system` against `trace`.
///
/// # Errors
/// The first [`Violation`], in order of tensors, then relations.
pub fn check(system: &RelationSystem, trace: &Trace) -> Result<(), Violation> {
    for (i, spec) in system.tensors().iter().enumerate() {
        let tensor = |element| Violation { kind: ViolationKind::Tensor(TensorId(i as u32)), element };
        let values = trace.values.get(i).ok_or_else(|| tensor(0))?;
        if values.len() != spec.len() {
            return Err(tensor(values.len().min(spec.len())));
        }
        let allowed = |element: usize, v: i64| match spec.segment {
            Segment::Constant => v == spec.constant[element],
            Segment::Witness => true,
            Segment::Public => (spec.bounds.0..=spec.bounds.1).contains(&v),
            Segment::Weights | Segment::Input | Segment::Output => {
                (-(1i64 << (spec.width - 1))..1i64 << (spec.width - 1)).contains(&v)
            }
        };
        if let Some(element) = values.iter().enumerate().position(|(e, v)| !allowed(e, *v)) {
            return Err(tensor(element));
        }
    }
    for (index, r) in system.relations().iter().enumerate() {
        let broken = match r {
            Relation::Range { x, lo, hi } => {
                let shown = x.elements(trace.tensor(x.tensor));
                shown.iter().position(|v| !(*lo..=*hi).contains(v))
            }
            Relation::Hint { lo, hi, y, .. } => {
                trace.tensor(*y).iter().position(|v| !(*lo..=*hi).contains(v))
            }
            _ => r.result().and_then(|y| {
                let given = trace.tensor(y);
                let right = r.evaluate(&trace.values, given.len());
                let differs = given.iter().zip(&right).position(|(g, r)| g != r);
                // A table has no result for an operand off its domain.
                differs.or((right.len() < given.len()).then_some(right.len()))
            }),
        };
        if let Some(element) = broken {
            return Err(Violation { kind: ViolationKind::Relation(index, r.kind()), element });
        }
    }
    Ok(())
}
