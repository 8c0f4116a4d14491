//! Strided, padded windows onto tensors: slice, reshape, transpose, pad and broadcast without moving an element.

use std::borrow::Cow;

use crate::system::TensorId;

/// One axis of a [`View`]: coordinates `[before, before + valid)` map to `(coordinate - before) * stride`, the others
/// are padding and read as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// Length of the axis.
    pub len: usize,
    /// Distance in the tensor between neighbours; 0 broadcasts.
    pub stride: usize,
    /// Zero-padding in front.
    pub before: usize,
    /// Coordinates that are not padding.
    pub valid: usize,
}

impl Axis {
    /// An axis without padding.
    #[must_use]
    pub fn plain(len: usize, stride: usize) -> Self {
        Self { len, stride, before: 0, valid: len }
    }
}

/// A tensor seen through axes: the element at coordinates `c` is `tensor[offset + Σ (c_i - before_i) stride_i]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The tensor looked at.
    pub tensor: TensorId,
    /// Position of the element at the first valid coordinates.
    pub offset: usize,
    /// Axes, outermost first.
    pub axes: Vec<Axis>,
}

impl View {
    /// The whole tensor of `shape`, in row-major order.
    #[must_use]
    pub fn whole(tensor: TensorId, shape: &[usize]) -> Self {
        let mut stride = 1;
        let mut axes: Vec<Axis> = shape
            .iter()
            .rev()
            .map(|&len| {
                let axis = Axis::plain(len, stride);
                stride *= len;
                axis
            })
            .collect();
        axes.reverse();
        Self { tensor, offset: 0, axes }
    }

    /// The tensor of `shape` broadcast to `to` (NumPy's rule); `None` when the shapes do not broadcast.
    #[must_use]
    pub fn broadcast(tensor: TensorId, shape: &[usize], to: &[usize]) -> Option<Self> {
        let whole = Self::whole(tensor, shape);
        let missing = to.len().checked_sub(shape.len())?;
        let axes = to
            .iter()
            .enumerate()
            .map(|(i, &len)| match i.checked_sub(missing).map(|own| whole.axes[own]) {
                None => Some(Axis::plain(len, 0)),
                Some(axis) if axis.len == len => Some(axis),
                Some(axis) if axis.len == 1 => Some(Axis::plain(len, 0)),
                Some(_) => None,
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Self { axes, ..whole })
    }

    /// Number of elements seen.
    #[must_use]
    pub fn len(&self) -> usize {
        self.axes.iter().map(|a| a.len).product()
    }

    /// Whether no element is seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Position in the tensor of the `flat`-th element in row-major order of the view; `None` for padding.
    #[must_use]
    pub fn index(&self, flat: usize) -> Option<usize> {
        let mut rest = flat;
        let mut at = self.offset;
        for axis in self.axes.iter().rev() {
            let coordinate = rest % axis.len;
            rest /= axis.len;
            let inside = coordinate.checked_sub(axis.before).filter(|&c| c < axis.valid)?;
            at += inside * axis.stride;
        }
        Some(at)
    }

    /// The `flat`-th element, zero for padding.
    #[must_use]
    pub fn get(&self, values: &[i64], flat: usize) -> i64 {
        self.index(flat).map_or(0, |i| values[i])
    }

    /// Every element in row-major order: the tensor's own memory where the view shows a run of it, a copy elsewhere.
    #[must_use]
    pub fn elements<'a>(&self, values: &'a [i64]) -> Cow<'a, [i64]> {
        match self.merged()[..] {
            [] => Cow::Borrowed(&values[self.offset..=self.offset]),
            [Axis { len, stride: 1, before: 0, valid }] if valid == len => {
                Cow::Borrowed(&values[self.offset..self.offset + len])
            }
            _ => Cow::Owned(self.materialise(values)),
        }
    }

    /// Every element in row-major order, zero for padding.
    #[must_use]
    pub fn materialise(&self, values: &[i64]) -> Vec<i64> {
        let mut out = Vec::with_capacity(self.len());
        self.fill(values, &mut out);
        out
    }

    /// Appends every element in row-major order, zero for padding.
    pub fn fill(&self, values: &[i64], out: &mut Vec<i64>) {
        fill(&self.merged(), self.offset, values, out);
    }

    /// Axes that show the same elements in the same order, as few as possible.
    #[must_use]
    pub fn merged(&self) -> Vec<Axis> {
        let mut merged: Vec<Axis> = Vec::with_capacity(self.axes.len());
        for inner in self.axes.iter().filter(|a| (a.len, a.valid) != (1, 1)) {
            match merged.last_mut() {
                Some(outer) if inner.valid == inner.len && outer.stride == inner.stride * inner.len => {
                    let Axis { len, stride, .. } = *inner;
                    let Axis { len: outer_len, before, valid, .. } = *outer;
                    *outer = Axis { len: outer_len * len, stride, before: before * len, valid: valid * len };
                }
                _ => merged.push(*inner),
            }
        }
        merged
    }

    /// What the view shows at one position of its first axis; `None` where that is padding or there is no axis.
    pub(crate) fn slice(&self, coordinate: usize) -> Option<Self> {
        let (first, axes) = self.axes.split_first()?;
        let inside = coordinate.checked_sub(first.before).filter(|&c| c < first.valid)?;
        Some(Self { tensor: self.tensor, offset: self.offset + inside * first.stride, axes: axes.to_vec() })
    }

    /// How many of the last axes there are beside first ones of `lead` elements together; `None` where no axis ends there or
    /// none is left.
    #[must_use]
    pub fn last_axes(&self, lead: usize) -> Option<usize> {
        let mut size = 1;
        for (i, axis) in self.axes.iter().enumerate() {
            if size == lead && self.axes[i..].iter().map(|a| a.len).product::<usize>() * lead == self.len() {
                return Some(self.axes.len() - i);
            }
            size *= axis.len;
        }
        None
    }

    /// Whether the view shows a tensor of `len` elements whole and in order.
    #[must_use]
    pub fn is_identity(&self, len: usize) -> bool {
        let mut stride = 1;
        let in_order = self.axes.iter().rev().all(|axis| {
            let ok = axis.before == 0 && axis.valid == axis.len && (axis.len == 1 || axis.stride == stride);
            stride *= axis.len;
            ok
        });
        in_order && self.offset == 0 && stride == len
    }

    /// Whether every index lies inside a tensor of `len` elements.
    pub(crate) fn fits(&self, len: usize) -> bool {
        let well_formed = self
            .axes
            .iter()
            .all(|a| a.len > 0 && a.before.checked_add(a.valid).is_some_and(|end| end <= a.len));
        let last = self.axes.iter().try_fold(self.offset, |at, a| {
            let reach = a.valid.saturating_sub(1).checked_mul(a.stride)?;
            at.checked_add(reach)
        });
        let size = self.axes.iter().try_fold(1usize, |n, a| n.checked_mul(a.len));
        well_formed && size.is_some() && last.is_some_and(|l| l < len)
    }
}

/// Appends what `axes` show from position `at` on.
fn fill(axes: &[Axis], at: usize, values: &[i64], out: &mut Vec<i64>) {
    let Some((axis, inner)) = axes.split_first() else {
        out.push(values[at]);
        return;
    };
    let each: usize = inner.iter().map(|a| a.len).product();
    let start = out.len();
    out.resize(start + axis.before * each, 0);
    match (inner, axis.stride) {
        ([], 1) => out.extend_from_slice(&values[at..at + axis.valid]),
        ([], stride) => out.extend((0..axis.valid).map(|i| values[at + i * stride])),
        _ => (0..axis.valid).for_each(|i| fill(inner, at + i * axis.stride, values, out)),
    }
    out.resize(start + axis.len * each, 0);
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    const T: TensorId = TensorId(0);

    /// An axis of `len` with small strides, zero among them, and padding half the time.
    fn arb_axis(len: usize) -> impl Strategy<Value = Axis> {
        (0..=len, any::<bool>(), prop_oneof![Just(1usize), 0usize..20]).prop_flat_map(
            move |(valid, padded, stride)| {
                let valid = if padded { valid } else { len };
                (0..=len - valid).prop_map(move |before| Axis { len, stride, before, valid })
            },
        )
    }

    /// A view of axes of these lengths, half the time in order of memory.
    pub(crate) fn arb_view(tensor: TensorId, lens: Vec<usize>) -> impl Strategy<Value = View> {
        let axes: Vec<_> = lens.iter().map(|&len| arb_axis(len)).collect();
        (axes, 0usize..4, any::<bool>(), any::<prop::sample::Index>()).prop_map(
            move |(mut axes, offset, whole, padded)| {
                if whole {
                    // Padding on one axis at most, so that runs join across the others.
                    let keep = padded.index(axes.len() + 1);
                    let plain = View::whole(tensor, &lens).axes;
                    for (i, (axis, plain)) in axes.iter_mut().zip(plain).enumerate() {
                        *axis = if i == keep { Axis { stride: plain.stride, ..*axis } } else { plain };
                    }
                }
                View { tensor, offset, axes }
            },
        )
    }

    /// Different values, enough for every view of [`arb_view`] with up to four axes.
    pub(crate) fn memory() -> Vec<i64> {
        (0..2_000).map(|i| (i * 7_919) % 4_001 - 2_000).collect()
    }

    proptest! {
        #[test]
        fn whole_views_are_read_as_element_by_element(
            view in prop::collection::vec(1usize..6, 0..5).prop_flat_map(|lens| arb_view(T, lens)),
        ) {
            let values = memory();
            prop_assert!(view.fits(values.len()));
            let expected: Vec<i64> = (0..view.len()).map(|i| view.get(&values, i)).collect();
            prop_assert_eq!(&view.materialise(&values), &expected);
            prop_assert_eq!(&view.elements(&values)[..], &expected[..]);
            let mut appended = vec![5];
            view.fill(&values, &mut appended);
            prop_assert_eq!(&appended[1..], &expected[..]);
            if let Some(first) = view.axes.first() {
                let slices: Vec<i64> = (0..first.len)
                    .flat_map(|i| match view.slice(i) {
                        Some(slice) => slice.materialise(&values),
                        None => vec![0; view.len() / first.len],
                    })
                    .collect();
                prop_assert_eq!(slices, expected);
            }
        }
    }

    #[test]
    fn a_run_of_memory_is_not_copied() {
        let values = memory();
        let v = View { offset: 9, ..View::whole(T, &[3, 1, 4, 5]) };
        assert!(matches!(v.elements(&values), Cow::Borrowed(run) if run == &values[9..69]));
        let rows = View { axes: vec![Axis::plain(3, 7), Axis::plain(5, 1)], ..v };
        assert!(matches!(rows.elements(&values), Cow::Owned(_)));
    }

    #[test]
    fn whole_is_identity_and_transpose_is_not() {
        let v = View::whole(T, &[2, 3]);
        assert!(v.is_identity(6));
        let t = View { axes: vec![v.axes[1], v.axes[0]], ..v };
        assert!(!t.is_identity(6));
        assert_eq!((0..6).map(|i| t.index(i)).collect::<Vec<_>>(), [0, 3, 1, 4, 2, 5].map(Some));
    }

    #[test]
    fn broadcast_and_padding() {
        let b = View::broadcast(T, &[3], &[2, 3]).expect("broadcasts");
        assert_eq!((0..6).map(|i| b.get(&[7, 8, 9], i)).collect::<Vec<_>>(), [7, 8, 9, 7, 8, 9]);
        assert!(View::broadcast(T, &[2], &[2, 3]).is_none());
        let p = View { tensor: T, offset: 0, axes: vec![Axis { len: 4, stride: 1, before: 1, valid: 2 }] };
        assert_eq!((0..4).map(|i| p.get(&[5, 6], i)).collect::<Vec<_>>(), [0, 5, 6, 0]);
        assert!(p.fits(2) && !p.fits(1));
    }
}
