//! Which axis of a tensor an axis of a view walks along.

use tacit_relations::{Axis, View};

use crate::expr::Slot;
use crate::grid::Grid;

/// Slots for the axes of `grid` (the viewed tensor's) that make `view` an expression over `lens`; `None` where the view does
/// anything but permute, broadcast and fix whole axes.
pub(crate) fn slots(view: &View, grid: &Grid, lens: &[usize]) -> Option<Vec<Slot>> {
    let axes = view.merged();
    if axes.iter().any(|a| a.valid != a.len) {
        return None;
    }
    let pieces = split(&axes, lens)?;
    let strides = grid.strides();
    let mut slots: Vec<Option<Slot>> = vec![None; strides.len()];
    for (i, &stride) in pieces.iter().enumerate() {
        if lens[i] == 1 || stride == 0 {
            continue;
        }
        let free = |g: &usize| strides[*g] == stride && grid.lens[*g] == lens[i] && slots[*g].is_none();
        let g = (0..strides.len()).find(free)?;
        slots[g] = Some(Slot::Axis(i));
    }
    // The rest of the offset must be coordinates of the axes that are left.
    let mut offset = view.offset;
    for (slot, (&stride, &len)) in slots.iter_mut().zip(strides.iter().zip(&grid.lens)) {
        let coordinate = offset / stride;
        match slot {
            Some(_) if coordinate != 0 => return None,
            Some(_) => {}
            None if coordinate >= len => return None,
            None => {
                *slot = Some(Slot::At(coordinate));
                offset %= stride;
            }
        }
    }
    (offset == 0).then(|| slots.into_iter().flatten().collect())
}

/// Strides of axes of lengths `lens` that walk like `axes`.
fn split(axes: &[Axis], lens: &[usize]) -> Option<Vec<usize>> {
    let mut strides = vec![0; lens.len()];
    let mut lens = lens.iter().enumerate().rev().filter(|(_, len)| **len > 1);
    for &Axis { len, stride, .. } in axes.iter().rev() {
        let mut covered = 1;
        while covered < len {
            let (i, own) = lens.next()?;
            strides[i] = covered * stride;
            covered *= own;
        }
        if covered != len {
            return None;
        }
    }
    lens.next().is_none().then_some(strides)
}

#[cfg(test)]
mod tests {
    use tacit_relations::TensorId;

    use super::*;

    const T: TensorId = TensorId(0);

    /// Checks slots against the view element by element.
    fn agree(view: &View, grid: &Grid, lens: &[usize]) -> bool {
        let Some(slots) = slots(view, grid, lens) else { return false };
        let (mut start, mut strides) = (0, vec![0; lens.len()]);
        for (slot, stride) in slots.iter().zip(grid.strides()) {
            match slot {
                Slot::Axis(i) => strides[*i] += stride,
                Slot::At(c) => start += c * stride,
            }
        }
        crate::expr::walk(lens, start, &strides, |i, at| assert_eq!(view.index(i), Some(at)));
        true
    }

    #[test]
    fn permutations_broadcasts_and_fixed_axes() {
        let grid = Grid::of_shape(&[3, 4, 5]);
        let whole = View::whole(T, &[3, 4, 5]);
        assert!(agree(&whole, &grid, &[3, 4, 5]));
        assert!(agree(&View::whole(T, &[60]), &grid, &[3, 4, 5]));
        assert!(!agree(
            &View { axes: vec![whole.axes[2], whole.axes[0], whole.axes[1]], ..whole.clone() },
            &grid,
            &[5, 12]
        ));
        assert!(agree(
            &View { axes: vec![whole.axes[2], whole.axes[0], whole.axes[1]], ..whole.clone() },
            &grid,
            &[5, 3, 4]
        ));
        let row = View { tensor: T, offset: 2 * 20 + 5, axes: vec![Axis::plain(7, 0), Axis::plain(5, 1)] };
        assert!(agree(&row, &grid, &[7, 5]));
        let slice = View { tensor: T, offset: 1, axes: vec![Axis::plain(4, 1)] };
        assert!(!agree(&slice, &grid, &[4]));
        let padded =
            View { tensor: T, offset: 0, axes: vec![Axis { len: 5, stride: 1, before: 1, valid: 4 }] };
        assert!(!agree(&padded, &grid, &[5]));
    }
}
