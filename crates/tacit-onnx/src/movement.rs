//! Moving elements: where each element of the result comes from.

use tacit_model::Window;

/// Marks an element that comes from nowhere: the fill of a padding.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// What stands around a padded value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// Zeros.
    Zero,
    /// Something no larger than any element, for a maximum to ignore.
    Lowest,
}

impl Fill {
    /// As a real number.
    pub(crate) fn value(self) -> f64 {
        match self {
            Self::Zero => 0.0,
            Self::Lowest => f64::NEG_INFINITY,
        }
    }
}

/// A movement of elements. The shape of the result is that of the node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Movement {
    /// Fill in front of and behind each axis.
    Pad { before: Vec<usize>, after: Vec<usize>, fill: Fill },
    /// Every `steps`-th element of each axis from `starts` on.
    Slice { starts: Vec<usize>, steps: Vec<usize> },
    /// NumPy's broadcasting.
    Broadcast,
    /// Windows over the last axes, as [`tacit_model::Op::Windows`] defines them.
    Windows(Window),
}

impl Movement {
    /// For every element of a result of shape `to`, the flat index of its source in a value of shape `from`, or
    /// [`NOWHERE`]. The shapes fit: the importer made them.
    pub(crate) fn sources(&self, from: &[usize], to: &[usize]) -> Vec<u32> {
        let strides = strides(from);
        match self {
            Self::Pad { before, .. } => {
                let mut out = vec![NOWHERE; to.iter().product()];
                let outer = self::strides(to);
                let start: usize = before.iter().zip(&outer).map(|(b, s)| b * s).sum();
                for (i, at) in linear(from, start, &outer).into_iter().enumerate() {
                    out[at as usize] = i as u32;
                }
                out
            }
            Self::Slice { starts, steps } => {
                let start = starts.iter().zip(&strides).map(|(c, s)| c * s).sum();
                let steps: Vec<usize> = steps.iter().zip(&strides).map(|(c, s)| c * s).collect();
                linear(to, start, &steps)
            }
            Self::Broadcast => {
                let skipped = to.len() - from.len();
                let step = |axis: usize| match axis.checked_sub(skipped) {
                    Some(own) if from[own] != 1 => strides[own],
                    _ => 0,
                };
                linear(to, 0, &(0..to.len()).map(step).collect::<Vec<_>>())
            }
            Self::Windows(window) => {
                let lead = from.len() - window.kernel.len();
                let mut steps = strides[..lead].to_vec();
                steps.extend(window.strides.iter().zip(&strides[lead..]).map(|(w, s)| w * s));
                steps.extend(window.dilations.iter().zip(&strides[lead..]).map(|(w, s)| w * s));
                linear(to, 0, &steps)
            }
        }
    }
}

/// Row-major strides.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// `start + Σ coordinate · step` for every element of `shape`, in row-major order.
pub(crate) fn linear(shape: &[usize], start: usize, steps: &[usize]) -> Vec<u32> {
    let mut out = vec![start as u32];
    for (&len, &step) in shape.iter().zip(steps) {
        out = out.iter().flat_map(|&base| (0..len).map(move |c| base + (c * step) as u32)).collect();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_where_the_definition_says() {
        let pad = Movement::Pad { before: vec![1, 0], after: vec![0, 1], fill: Fill::Zero };
        assert_eq!(pad.sources(&[1, 2], &[2, 3]), [NOWHERE, NOWHERE, NOWHERE, 0, 1, NOWHERE]);
        let slice = Movement::Slice { starts: vec![1, 0], steps: vec![1, 2] };
        assert_eq!(slice.sources(&[2, 3], &[1, 2]), [3, 5]);
        assert_eq!(Movement::Broadcast.sources(&[2, 1], &[2, 2, 2]), [0, 0, 1, 1, 0, 0, 1, 1]);
        let window = Window { kernel: vec![2], strides: vec![1], dilations: vec![2] };
        assert_eq!(Movement::Windows(window).sources(&[2, 4], &[2, 2, 2]), [0, 2, 1, 3, 4, 6, 5, 7]);
    }
}
