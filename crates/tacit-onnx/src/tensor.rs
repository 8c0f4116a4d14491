//! Row-major `f64` tensors: the constants of the float graph.

use tacit_model::{broadcast_index, broadcast_shapes};

/// A constant tensor. `data.len()` is the product of `shape`; an empty shape is a scalar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<f64>,
}

impl Tensor {
    pub(crate) fn vector(data: Vec<f64>) -> Self {
        Self { shape: vec![data.len()], data }
    }

    pub(crate) fn scalar(value: f64) -> Self {
        Self { shape: Vec::new(), data: vec![value] }
    }

    /// The only element of a tensor of one element.
    pub(crate) fn as_scalar(&self) -> Option<f64> {
        match self.data[..] {
            [v] => Some(v),
            _ => None,
        }
    }

    pub(crate) fn is_finite(&self) -> bool {
        self.data.iter().all(|v| v.is_finite())
    }

    pub(crate) fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { shape: self.shape.clone(), data: self.data.iter().map(|&v| f(v)).collect() }
    }

    /// The same elements under a shape with as many of them.
    pub(crate) fn reshaped(mut self, shape: Vec<usize>) -> Option<Self> {
        (elements(&shape) == Some(self.data.len())).then(|| {
            self.shape = shape;
            self
        })
    }

    /// Repeated along the axes that broadcasting (NumPy's rule) stretches; `None` where it does not fit `shape`.
    pub(crate) fn broadcast_to(&self, shape: &[usize]) -> Option<Self> {
        if self.shape == shape {
            return Some(self.clone());
        }
        if broadcast_shapes(&self.shape, shape).as_deref() != Some(shape) {
            return None;
        }
        let data = (0..elements(shape)?).map(|i| self.data[broadcast_index(i, shape, &self.shape)]).collect();
        Some(Self { shape: shape.to_vec(), data })
    }

    /// Elementwise `f` after broadcasting both; `None` where the shapes do not fit.
    pub(crate) fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Option<Self> {
        let shape = broadcast_shapes(&self.shape, &other.shape)?;
        let (a, b) = (self.broadcast_to(&shape)?, other.broadcast_to(&shape)?);
        let data = a.data.iter().zip(&b.data).map(|(&x, &y)| f(x, y)).collect();
        Some(Self { shape, data })
    }

    /// Axes permuted: `result.shape[i] = shape[perm[i]]`. `perm` is a permutation of the axes.
    pub(crate) fn transposed(&self, perm: &[usize]) -> Self {
        let shape: Vec<usize> = perm.iter().map(|&p| self.shape[p]).collect();
        let data = transpose_map(&self.shape, perm).into_iter().map(|i| self.data[i]).collect();
        Self { shape, data }
    }
}

/// Largest absolute element, 0 for none; NaN counts as infinite.
pub(crate) fn max_abs(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m, v| if v.is_nan() { f64::INFINITY } else { m.max(v.abs()) })
}

/// Product of the axes; `None` on overflow.
pub(crate) fn elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
}

/// Whether `perm` is a permutation of `0..rank`.
pub(crate) fn is_permutation(perm: &[usize], rank: usize) -> bool {
    let mut sorted = perm.to_vec();
    sorted.sort_unstable();
    sorted.iter().copied().eq(0..rank)
}

/// For every element of the transposed tensor, the flat index of its source in a tensor of shape `shape`.
pub(crate) fn transpose_map(shape: &[usize], perm: &[usize]) -> Vec<usize> {
    let out: Vec<usize> = perm.iter().map(|&p| shape[p]).collect();
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    let total: usize = shape.iter().product();
    (0..total)
        .map(|i| {
            let mut rest = i;
            let mut source = 0;
            for axis in (0..out.len()).rev() {
                source += rest % out[axis] * strides[perm[axis]];
                rest /= out[axis];
            }
            source
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasts_as_numpy_does() {
        let a = Tensor { shape: vec![2, 1], data: vec![1.0, 2.0] };
        let b = Tensor::vector(vec![10.0, 20.0, 30.0]);
        let c = a.zip(&b, |x, y| x + y).unwrap();
        assert_eq!(c.shape, [2, 3]);
        assert_eq!(c.data, [11.0, 21.0, 31.0, 12.0, 22.0, 32.0]);
        assert!(b.broadcast_to(&[2, 2]).is_none());
        assert_eq!(Tensor::scalar(1.0).broadcast_to(&[2]).unwrap().data, [1.0, 1.0]);
    }

    #[test]
    fn transposes() {
        let t = Tensor { shape: vec![2, 3], data: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
        assert_eq!(t.transposed(&[1, 0]).data, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(elements(&[2, usize::MAX, 4]), None);
    }
}
