//! How a vector lies in the rows of a Hyrax matrix.
//!
//! Wahby et al., "Doubly-efficient zkSNARKs without trusted setup" (2018), §6. A row is a contiguous run of the compact
//! vector; its `j`-th element meets the `j`-th generator. One axis is cut into blocks of a power of two, so that the
//! evaluation at a point is `Σ_row L[row] ⟨row, R⟩`. Nothing is padded: rows that would hold padding do not exist, and
//! where the last block of the cut axis is short, its rows take a shorter `R`. What a dishonest prover commits beyond
//! a row's end meets no weight.

use crate::grid::{Grid, bits_of};
use crate::group::F;
use crate::poly::eq_table;

/// Narrowest and widest rows.
const ROW: (usize, usize) = (64, 2048);

/// A vector cut into rows.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    grid: Grid,
    /// Axis that is cut; axes before it choose rows, axes after it lie within rows.
    axis: usize,
    /// Base-2 logarithm of a block of the cut axis.
    low: usize,
    /// Blocks of the cut axis.
    blocks: usize,
    /// Elements of a full row.
    row_len: usize,
    /// Elements of a row of the last block.
    tail_len: usize,
    rows: usize,
}

/// Row length that suits a vector of `len` elements by itself.
pub(crate) fn natural_width(len: usize) -> usize {
    (1usize << (bits_of(len) / 2 + 1)).clamp(ROW.0, ROW.1)
}

impl Layout {
    /// The layout of a tensor that a statement commits: it depends on the shape alone.
    pub(crate) fn of_shape(shape: &[usize]) -> Self {
        let grid = Grid::of_shape(shape);
        Self::new(&grid, natural_width(grid.len()))
    }

    /// Rows of at most `width` elements (a power of two).
    pub(crate) fn new(grid: &Grid, width: usize) -> Self {
        let (mut axis, mut inner) = (grid.lens.len(), 1);
        // Whole axes while they fit.
        while axis > 0 && inner * grid.lens[axis - 1] <= width {
            axis -= 1;
            inner *= grid.lens[axis];
        }
        if axis == 0 {
            let len = grid.len();
            return Self {
                grid: grid.clone(),
                axis,
                low: 0,
                blocks: 1,
                row_len: len,
                tail_len: len,
                rows: 1,
            };
        }
        // Then as large a block of the next one as fits.
        axis -= 1;
        let len = grid.lens[axis];
        let low = (width / inner).ilog2() as usize;
        let blocks = len.div_ceil(1 << low);
        let row_len = inner << low;
        let tail_len = inner * (len - ((blocks - 1) << low));
        let rows = grid.lens[..axis].iter().product::<usize>() * blocks;
        Self { grid: grid.clone(), axis, low, blocks, row_len, tail_len, rows }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn row_len(&self) -> usize {
        self.row_len
    }

    /// Elements of the short rows, where there are any beside full ones.
    pub(crate) fn tail_len(&self) -> Option<usize> {
        (self.tail_len < self.row_len).then_some(self.tail_len)
    }

    /// Whether a row is short.
    pub(crate) fn is_tail(&self, row: usize) -> bool {
        self.tail_len < self.row_len && row % self.blocks == self.blocks - 1
    }

    /// Where a row lies in the compact vector.
    pub(crate) fn range(&self, row: usize) -> std::ops::Range<usize> {
        let per_outer = self.row_len * (self.blocks - 1) + self.tail_len;
        let start = row / self.blocks * per_outer + row % self.blocks * self.row_len;
        start..start + if self.is_tail(row) { self.tail_len } else { self.row_len }
    }

    /// The axes within a row and the coordinates that a point gives them: equal exactly where column weights are.
    pub(crate) fn within(&self, point: &[F]) -> (Vec<usize>, Vec<F>) {
        if self.rows == 1 {
            return (self.grid.lens.clone(), point.to_vec());
        }
        let mut lens = vec![1 << self.low];
        lens.extend(&self.grid.lens[self.axis + 1..]);
        let vars: usize = lens.iter().map(|&len| bits_of(len)).sum();
        (lens, point[point.len() - vars..].to_vec())
    }

    /// Row and place in it of the element at `point`, where the point is Boolean and no padding: all weights but its own are
    /// zero.
    pub(crate) fn element(&self, point: &[F]) -> Option<(usize, usize)> {
        use halo2curves::ff::Field as _;
        let padded = point.iter().try_fold(0, |index, z| match *z {
            z if z == F::ZERO => Some(2 * index),
            z if z == F::ONE => Some(2 * index + 1),
            _ => None,
        })?;
        let compact = self.grid.compact_positions()(padded)?;
        let per_outer = self.row_len * (self.blocks - 1) + self.tail_len;
        let block = (compact % per_outer / self.row_len).min(self.blocks - 1);
        Some((compact / per_outer * self.blocks + block, compact % per_outer - block * self.row_len))
    }

    /// One weight per element of a full row, at `point`; a short row takes the first ones.
    pub(crate) fn column_weights(&self, point: &[F]) -> Vec<F> {
        let (lens, within) = self.within(point);
        outer_product(&lens, &Grid { lens: lens.clone() }.split(&within))
    }

    /// One weight per row, at `point`: with the column weights they evaluate the vector's multilinear extension.
    pub(crate) fn row_weights(&self, point: &[F]) -> Vec<F> {
        if self.rows == 1 {
            return vec![halo2curves::ff::Field::ONE];
        }
        let axes = self.grid.split(point);
        let high = &axes[self.axis][..axes[self.axis].len() - self.low];
        let mut lens = self.grid.lens[..self.axis].to_vec();
        lens.push(self.blocks);
        let mut row_axes = axes[..self.axis].to_vec();
        row_axes.push(high);
        outer_product(&lens, &row_axes)
    }
}

/// `Π_axis eq(z_axis, i_axis)` for every compact position.
pub(crate) fn outer_product(lens: &[usize], axes: &[&[F]]) -> Vec<F> {
    let mut product = vec![halo2curves::ff::Field::ONE];
    for (&len, z) in lens.iter().zip(axes) {
        let mut table = eq_table(z);
        table.truncate(len);
        product = product.iter().flat_map(|p: &F| table.iter().map(move |e| *p * e)).collect();
    }
    product
}

#[cfg(test)]
mod tests {
    use halo2curves::ff::Field as _;

    use super::*;
    use crate::poly::inner;

    #[test]
    fn rows_cover_the_vector_and_weights_evaluate_it() {
        for (shape, width) in [
            (vec![], 64),
            (vec![70], 64),
            (vec![5, 7], 4),
            (vec![5, 7], 16),
            (vec![3, 5, 6], 8),
            (vec![2, 2], 64),
        ] {
            let grid = Grid { lens: shape };
            let layout = Layout::new(&grid, width);
            let values: Vec<F> = (1..=grid.len() as u64).map(F::from).collect();
            let covered: Vec<usize> = (0..layout.rows()).flat_map(|r| layout.range(r)).collect();
            assert_eq!(covered, (0..grid.len()).collect::<Vec<_>>(), "{grid:?}");
            let point: Vec<F> = (0..grid.vars() as u64).map(|i| F::from(17 * i + 5)).collect();
            let (rows, columns) = (layout.row_weights(&point), layout.column_weights(&point));
            assert_eq!((rows.len(), columns.len()), (layout.rows(), layout.row_len()));
            let value = (0..layout.rows())
                .fold(F::ZERO, |sum, r| sum + rows[r] * inner(&values[layout.range(r)], &columns));
            let expected = inner(&values, &outer_product(&grid.lens, &grid.split(&point)));
            assert_eq!(value, expected, "{grid:?}");
            assert_eq!(layout.element(&point), (point.is_empty()).then_some((0, 0)), "{grid:?}");
            // At Boolean points all weights are those of one element.
            for (compact, value) in values.iter().enumerate() {
                let point = crate::poly::bits(grid.pad(compact), grid.vars());
                let (row, at) = layout.element(&point).unwrap();
                assert_eq!(values[layout.range(row)][at], *value);
                let unit =
                    |len: usize, i: usize| (0..len).map(|j| F::from(u64::from(i == j))).collect::<Vec<_>>();
                assert_eq!(layout.row_weights(&point), unit(layout.rows(), row));
                assert_eq!(layout.column_weights(&point), unit(layout.row_len(), at));
            }
        }
    }
}
