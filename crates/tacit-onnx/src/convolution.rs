//! The arithmetic of layers: groups of matrices, and convolutions as such over patches.

use crate::graph::FloatOp;
use crate::movement::linear;

/// A layer's weight as `groups` matrices of `rows` rows and `columns` columns, one after the other. A dense layer has one
/// group; a convolution's rows are channels and, within each, the elements of its kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Matrices {
    pub(crate) groups: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Rows of one input channel.
    pub(crate) taps: usize,
}

impl Matrices {
    /// `None` for operators that are no layers.
    pub(crate) fn of(op: &FloatOp) -> Option<Self> {
        match op {
            FloatOp::MatMul { weight, .. } => {
                Some(Self { groups: 1, rows: weight.shape[0], columns: weight.shape[1], taps: 1 })
            }
            FloatOp::Conv { weight, .. } => Some(Self::of_kernel(&weight.shape)),
            _ => None,
        }
    }

    /// Of a weight of shape `[groups, channels, kernel.., outputs]`.
    pub(crate) fn of_kernel(shape: &[usize]) -> Self {
        let inner = &shape[2..shape.len() - 1];
        let taps = inner.iter().product();
        Self { groups: shape[0], rows: shape[1] * taps, columns: shape[shape.len() - 1], taps }
    }

    /// Output channel of a weight by its flat index.
    pub(crate) fn output(&self, i: usize) -> usize {
        i / (self.rows * self.columns) * self.columns + i % self.columns
    }

    /// Input channel of a weight by its flat index.
    pub(crate) fn input(&self, i: usize) -> usize {
        i / self.columns / self.taps
    }

    pub(crate) fn outputs(&self) -> usize {
        self.groups * self.columns
    }

    pub(crate) fn inputs(&self) -> usize {
        self.groups * self.rows / self.taps
    }

    /// Every group's row of `x` (`groups · rows` numbers at a time) times its matrix.
    pub(crate) fn apply(&self, x: &[f64], weight: &[f64], bias: Option<&[f64]>) -> Vec<f64> {
        let Self { groups, rows, columns, .. } = *self;
        let mut out = Vec::with_capacity(x.len() / rows * columns);
        for (i, row) in x.chunks_exact(rows).enumerate() {
            let (group, start) = (i % groups, out.len());
            match bias {
                Some(b) => out.extend_from_slice(&b[group * columns..(group + 1) * columns]),
                None => out.resize(start + columns, 0.0),
            }
            let matrix = &weight[group * rows * columns..(group + 1) * rows * columns];
            for (a, line) in row.iter().zip(matrix.chunks_exact(columns)) {
                if *a != 0.0 {
                    for (y, w) in out[start..].iter_mut().zip(line) {
                        *y += a * w;
                    }
                }
            }
        }
        out
    }
}

/// Patches that are multiplied at a time.
const BLOCK: usize = 32;

/// Where a convolution reads: a patch begins at a position and holds a few elements of every input channel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Patches {
    pub(crate) matrices: Matrices,
    /// Elements of one input channel.
    plane: usize,
    /// Flat index in a channel's plane where each patch begins.
    starts: Vec<u32>,
    /// Distance of each kernel element from there.
    taps: Vec<u32>,
}

impl Patches {
    /// Of a value of shape `shape`, a weight of shape `[groups, channels, kernel.., outputs]` and results at `positions`.
    pub(crate) fn new(
        shape: &[usize],
        weight: &[usize],
        strides: &[usize],
        dilations: &[usize],
        positions: &[usize],
    ) -> Self {
        let lens = &shape[1..];
        let mut flat = vec![1; lens.len()];
        for axis in (1..lens.len()).rev() {
            flat[axis - 1] = flat[axis] * lens[axis];
        }
        let steps = |by: &[usize]| flat.iter().zip(by).map(|(s, b)| s * b).collect::<Vec<_>>();
        Self {
            matrices: Matrices::of_kernel(weight),
            plane: lens.iter().product(),
            starts: linear(positions, 0, &steps(strides)),
            taps: linear(&weight[2..weight.len() - 1], 0, &steps(dilations)),
        }
    }

    /// How many patches there are.
    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Patch `position` of `x`, group by group, appended to `out`.
    pub(crate) fn read(&self, x: &[f64], position: usize, out: &mut Vec<f64>) {
        for channel in x.chunks_exact(self.plane) {
            let channel = &channel[self.starts[position] as usize..];
            out.extend(self.taps.iter().map(|&t| channel[t as usize]));
        }
    }

    /// The convolution of a whole value, shape `[groups · outputs, positions..]`.
    pub(crate) fn convolve(&self, x: &[f64], weight: &[f64], bias: Option<&[f64]>) -> Vec<f64> {
        let (outputs, count) = (self.matrices.outputs(), self.len());
        let mut y = vec![0.0; outputs * count];
        let mut patches = Vec::with_capacity(BLOCK * self.matrices.groups * self.matrices.rows);
        for first in (0..count).step_by(BLOCK) {
            patches.clear();
            (first..count.min(first + BLOCK)).for_each(|position| self.read(x, position, &mut patches));
            for (i, v) in self.matrices.apply(&patches, weight, bias).into_iter().enumerate() {
                y[i % outputs * count + first + i / outputs] = v;
            }
        }
        y
    }
}
