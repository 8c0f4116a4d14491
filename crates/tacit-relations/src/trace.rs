//! The integer trace: values for every tensor, computed in the order of the relations.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::relation::Relation;
use crate::system::{RelationSystem, Segment, TensorId};

/// Values for the tensors that no relation defines: weights, input, given public tensors. In order of tensor index
/// within each segment. Zeroised when dropped.
#[derive(Default, Clone, Zeroize, ZeroizeOnDrop)]
pub struct Assignment {
    /// Tensors of `Segment::Weights`.
    pub weights: Vec<Vec<i64>>,
    /// Tensors of `Segment::Input`.
    pub input: Vec<Vec<i64>>,
    /// Tensors of `Segment::Public` that no relation defines.
    pub public: Vec<Vec<i64>>,
}

/// Row-major values of every tensor, by index. Zeroised when dropped; never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Trace {
    /// Values by tensor index.
    pub values: Vec<Vec<i64>>,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trace({} tensors, hidden)", self.values.len())
    }
}

impl Trace {
    /// Values of one tensor.
    #[must_use]
    pub fn tensor(&self, id: TensorId) -> &[i64] {
        &self.values[id.0 as usize]
    }
}

/// Why no trace can be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// Another number of tensors in a segment.
    #[error("the {segment:?} segment has {expected} tensors, {actual} were given")]
    Count {
        /// Segment.
        segment: Segment,
        /// Tensors of the system.
        expected: usize,
        /// Tensors given.
        actual: usize,
    },
    /// Another number of elements.
    #[error("tensor {tensor} has {expected} elements, {actual} were given")]
    Length {
        /// Tensor index.
        tensor: usize,
        /// Elements of the system.
        expected: usize,
        /// Elements given.
        actual: usize,
    },
    /// A value outside the tensor's declared bounds. The value is not shown.
    #[error("tensor {tensor}, element {element} lies outside its declared bounds")]
    Bounds {
        /// Tensor index.
        tensor: usize,
        /// Element index.
        element: usize,
    },
    /// An operand of a table outside its domain. The value is not shown.
    #[error("relation {relation}: element {element} lies outside the table's domain")]
    Domain {
        /// Index of the relation.
        relation: usize,
        /// Element index of its operand.
        element: usize,
    },
}

/// Computes every tensor from `given`.
///
/// # Errors
/// [`TraceError`] when `given` does not fit the system's shapes and bounds, or leads out of a table's domain.
pub fn trace(system: &RelationSystem, given: &Assignment) -> Result<Trace, TraceError> {
    let mut values: Vec<Vec<i64>> = vec![Vec::new(); system.tensors().len()];
    let results: std::collections::HashSet<_> =
        system.relations().iter().filter_map(Relation::result).collect();
    for id in system.segment(Segment::Constant) {
        values[id.0 as usize] = system.tensor(id).constant.clone();
    }
    for (segment, tensors) in
        [(Segment::Weights, &given.weights), (Segment::Input, &given.input), (Segment::Public, &given.public)]
    {
        let ids: Vec<_> = system.segment(segment).filter(|id| !results.contains(id)).collect();
        if ids.len() != tensors.len() {
            return Err(TraceError::Count { segment, expected: ids.len(), actual: tensors.len() });
        }
        for (id, v) in ids.into_iter().zip(tensors) {
            let spec = system.tensor(id);
            let tensor = id.0 as usize;
            if v.len() != spec.len() {
                return Err(TraceError::Length { tensor, expected: spec.len(), actual: v.len() });
            }
            let (lo, hi) = spec.bounds;
            if let Some(element) = v.iter().position(|x| *x < lo || *x > hi) {
                return Err(TraceError::Bounds { tensor, element });
            }
            values[tensor].clone_from(v);
        }
    }
    for (relation, r) in system.relations().iter().enumerate() {
        if let Some(y) = r.result() {
            let len = system.tensor(y).len();
            let result = r.evaluate(&values, len);
            if result.len() < len {
                return Err(TraceError::Domain { relation, element: result.len() });
            }
            values[y.0 as usize] = result;
        }
    }
    Ok(Trace { values })
}
