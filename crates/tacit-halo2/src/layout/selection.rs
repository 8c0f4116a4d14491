//! Results that are selected from known values: maxima, their selectors, entries of a table.

use std::sync::Arc;

use halo2curves::bn256::Fr;
use halo2curves::ff::Field;
use tacit_relations::{TensorId, View};

use super::Layout;
use crate::chips::{fr, function, maximum};
use crate::sheet::Cell;

impl Layout<'_> {
    pub(super) fn table(&mut self, x: &View, first: i64, values: &Arc<[i64]>, y: TensorId) {
        let function = self.sheet.function(first, values);
        let mut cells = Vec::with_capacity(x.len());
        for i in 0..x.len() {
            let x = self.seen(x, i);
            cells.push(function::call(&mut self.sheet, function, x, fr(self.witness.get(y, i))));
        }
        self.homes[y.0 as usize] = Some(cells);
    }

    pub(super) fn max(&mut self, x: &View, y: TensorId) {
        let (zero, bits) = (self.constant(Fr::ZERO), self.difference_bits(x));
        let mut cells = Vec::with_capacity(self.system.tensor(y).len());
        for (i, group) in self.groups(x, x.len() / self.system.tensor(y).len()).iter().enumerate() {
            let value = fr(self.witness.get(y, i));
            cells.extend(maximum::max(&mut self.sheet, zero, group, bits, value));
        }
        self.homes[y.0 as usize] = Some(cells);
    }

    pub(super) fn arg_max(&mut self, x: &View, y: TensorId) {
        let (one, bits) = (self.constant(Fr::ONE), self.difference_bits(x));
        let mut cells = Vec::with_capacity(x.len());
        for group in self.groups(x, x.axes.last().map_or(1, |axis| axis.len)) {
            let selected: Vec<Fr> =
                (0..group.len()).map(|j| fr(self.witness.get(y, cells.len() + j))).collect();
            cells.extend(maximum::arg_max(&mut self.sheet, one, &group, bits, &selected));
        }
        self.homes[y.0 as usize] = Some(cells);
    }

    /// The cells of every `len` neighbours.
    fn groups(&mut self, x: &View, len: usize) -> Vec<Vec<Cell>> {
        let starts = (0..x.len()).step_by(len);
        starts.map(|start| (start..start + len).map(|i| self.seen(x, i)).collect()).collect()
    }

    /// Bits of the largest difference between two elements of a view, from public facts.
    fn difference_bits(&self, x: &View) -> u32 {
        let (lo, hi) = self.system.tensor(x.tensor).bounds;
        // Padding is zero.
        u64::BITS - hi.max(0).abs_diff(lo.min(0)).leading_zeros()
    }
}
