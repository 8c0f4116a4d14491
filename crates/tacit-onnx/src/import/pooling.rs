//! Maxima and means over windows.

use super::image::Geometry;
use super::{Importer, Value};
use crate::error::OnnxError;
use crate::graph::{FloatOp, ValueId};
use crate::movement::{Fill, Movement};
use crate::proto::NodeView;
use crate::tensor::Tensor;

impl<'a> Importer<'a> {
    /// Windows of a pooling operator.
    fn pooling(&mut self, view: &NodeView<'a>) -> Result<(ValueId, Geometry), OnnxError> {
        let (x, lens) = self.positions_of(view)?;
        if view.ints("kernel_shape").is_none() {
            return Err(view.fail("`kernel_shape` is missing"));
        }
        let kernel = self.per_axis(view, "kernel_shape", lens.len())?;
        let geometry = self.geometry(view, &lens, kernel)?;
        let Geometry { window, before, after, .. } = &geometry;
        for axis in 0..lens.len() {
            let extent = (window.kernel[axis] - 1) * window.dilations[axis] + 1;
            if before[axis] >= extent || after[axis] >= extent {
                return Err(
                    view.fail("its padding is as wide as its windows, some of which would hold nothing")
                );
            }
        }
        Ok((x, geometry))
    }

    /// `[channels, positions.., kernel..]`.
    fn windows(
        &mut self,
        view: &NodeView<'a>,
        x: ValueId,
        geometry: &Geometry,
        fill: Fill,
    ) -> Result<ValueId, OnnxError> {
        let after: Vec<usize> = geometry.after.iter().zip(&geometry.extra).map(|(a, e)| a + e).collect();
        let x = self.padded(view, x, &geometry.before, &after, fill)?;
        let shape = [&self.shape(x)[..1], &geometry.positions, &geometry.window.kernel].concat();
        self.add(view, FloatOp::Move { x, movement: Movement::Windows(geometry.window.clone()) }, shape)
    }

    pub(super) fn max_pool(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        if view.proto.output.get(1).is_some_and(|o| !o.is_empty()) {
            return Err(view.fail("its indices are an output; only the maxima are supported"));
        }
        let (x, geometry) = self.pooling(view)?;
        let channels = self.shape(x)[0];
        let x = self.windows(view, x, &geometry, Fill::Lowest)?;
        let axes = geometry.positions.len();
        self.push(view, FloatOp::Largest { x, axes }, [&[channels], &geometry.positions[..]].concat())
    }

    pub(super) fn average_pool(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let (x, geometry) = self.pooling(view)?;
        let (channels, lens) = (self.shape(x)[0], self.shape(x)[1..].to_vec());
        // First of all, since it holds the number of elements to its limit.
        let x = self.windows(view, x, &geometry, Fill::Zero)?;
        let padding_counts = view.int("count_include_pad", 0) != 0;
        let Geometry { window, before, after, positions, .. } = &geometry;
        // How many elements of a window count, axis by axis.
        let counted = |axis: usize, position: usize| {
            let (from, to) = match padding_counts {
                true => (0, before[axis] + lens[axis] + after[axis]),
                false => (before[axis], before[axis] + lens[axis]),
            };
            let start = position * window.strides[axis];
            let inside = |k: &usize| (from..to).contains(&(start + k * window.dilations[axis]));
            (0..window.kernel[axis]).filter(inside).count()
        };
        let mut by = Tensor::scalar(1.0);
        for (axis, &count) in positions.iter().enumerate() {
            let line = Tensor::vector((0..count).map(|p| 1.0 / counted(axis, p) as f64).collect());
            let mut column = vec![1; positions.len() - axis];
            column[0] = count;
            let product = line.reshaped(column).and_then(|line| by.zip(&line, |a, b| a * b));
            by = product.ok_or_else(|| view.fail("its windows are damaged"))?;
        }
        if by.data.windows(2).all(|w| w[0] == w[1]) {
            by = Tensor::scalar(by.data[0]);
        }
        if !by.is_finite() {
            return Err(view.fail("a window holds nothing but padding"));
        }
        let shape = [&[channels], &positions[..]].concat();
        let axes = positions.len();
        self.push(view, FloatOp::Total { x, axes, by }, shape)
    }
}
