//! Index spaces: axes of any length, each padded to a power of two only in the variables that address it.

use crate::group::F;

/// Axes, outermost first. A position is *compact* (row-major over the real lengths) or *padded* (every axis takes
/// `⌈log₂ len⌉` bits).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Grid {
    pub(crate) lens: Vec<usize>,
}

/// `⌈log₂ len⌉`.
pub(crate) fn bits_of(len: usize) -> usize {
    len.next_power_of_two().trailing_zeros() as usize
}

impl Grid {
    /// The axes of a shape that are longer than one.
    pub(crate) fn of_shape(shape: &[usize]) -> Self {
        Self { lens: shape.iter().copied().filter(|&len| len > 1).collect() }
    }

    /// Number of elements.
    pub(crate) fn len(&self) -> usize {
        self.lens.iter().product()
    }

    /// Number of variables.
    pub(crate) fn vars(&self) -> usize {
        self.lens.iter().map(|&len| bits_of(len)).sum()
    }

    /// Distance between compact neighbours along each axis.
    pub(crate) fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1; self.lens.len()];
        for i in (1..self.lens.len()).rev() {
            strides[i - 1] = strides[i] * self.lens[i];
        }
        strides
    }

    /// The padded position of a compact one.
    pub(crate) fn pad(&self, compact: usize) -> usize {
        let (mut rest, mut padded, mut shift) = (compact, 0, 0);
        for &len in self.lens.iter().rev() {
            padded |= (rest % len) << shift;
            rest /= len;
            shift += bits_of(len);
        }
        padded
    }

    /// The compact position of a padded one; `None` for padding.
    pub(crate) fn compact_positions(&self) -> impl Fn(usize) -> Option<usize> + Sync + '_ {
        move |padded| {
            let (mut rest, mut compact, mut stride) = (padded, 0, 1);
            for &len in self.lens.iter().rev() {
                let bits = bits_of(len);
                let coordinate = rest & ((1 << bits) - 1);
                if coordinate >= len {
                    return None;
                }
                compact += coordinate * stride;
                stride *= len;
                rest >>= bits;
            }
            (rest == 0).then_some(compact)
        }
    }

    /// One past the last padded position in use.
    pub(crate) fn padded_len(&self) -> usize {
        self.pad(self.len() - 1) + 1
    }

    /// Calls `visit(compact, padded)` for every element in order.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(usize, usize)) {
        let Some((&last, outer)) = self.lens.split_last() else { return visit(0, 0) };
        let outer = Self { lens: outer.to_vec() };
        let shift = bits_of(last);
        for row in 0..outer.len() {
            let base = outer.pad(row) << shift;
            for i in 0..last {
                visit(row * last + i, base + i);
            }
        }
    }

    /// The coordinates of a point, axis by axis.
    pub(crate) fn split<'p>(&self, point: &'p [F]) -> Vec<&'p [F]> {
        let mut rest = point;
        self.lens
            .iter()
            .map(|&len| {
                let (axis, tail) = rest.split_at(bits_of(len));
                rest = tail;
                axis
            })
            .collect()
    }

    /// The multilinear extension of the indicator of the real positions.
    pub(crate) fn indicator(&self, axes: &[&[F]]) -> F {
        use halo2curves::ff::Field as _;
        self.lens.iter().zip(axes).fold(F::ONE, |product, (&len, z)| product * crate::poly::eq_sum(z, len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_keeps_axes_apart() {
        let grid = Grid::of_shape(&[1, 3, 1, 5]);
        assert_eq!((grid.lens.as_slice(), grid.len(), grid.vars()), (&[3, 5][..], 15, 5));
        assert_eq!(grid.strides(), [5, 1]);
        assert_eq!(grid.pad(7), 0b01_010);
        assert_eq!(grid.padded_len(), 0b10_101);
        let mut seen = 0;
        grid.for_each(|compact, padded| {
            assert_eq!((compact, padded), (seen, grid.pad(seen)));
            assert_eq!(grid.compact_positions()(padded), Some(compact));
            seen += 1;
        });
        assert_eq!(seen, 15);
        assert_eq!((grid.compact_positions()(0b01_101), grid.compact_positions()(0b11_000)), (None, None));
        assert_eq!(Grid::default().padded_len(), 1);
    }
}
