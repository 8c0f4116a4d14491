//! How a view that is no expression falls into independent parts.

use tacit_relations::{Axis, View};

use crate::grid::Grid;
use crate::viewed::{Coordinate, Part};

/// Where each axis of `grid` (the viewed tensor's) takes its coordinate from when `view` is shown over `lens`, and the parts.
pub(crate) fn factor(view: &View, grid: &Grid, lens: &[usize]) -> (Vec<Coordinate>, Vec<Part>) {
    let factored = pieces(&view.axes, lens)
        .or_else(|| pieces(&view.merged(), lens))
        .and_then(|pieces| independent(&pieces, view.offset, grid, lens));
    factored.unwrap_or_else(|| {
        let (copy, walk) = ((0..lens.len()).collect(), view.axes.clone());
        let whole = Part { copy, original: 0..grid.lens.len(), walk, start: view.offset };
        (vec![Coordinate::Part; grid.lens.len()], vec![whole])
    })
}

/// For every axis of `lens` the axes that make it up, outermost first; `None` where the view's axes cut across.
fn pieces(axes: &[Axis], lens: &[usize]) -> Option<Vec<Vec<Axis>>> {
    let mut pieces = vec![Vec::new(); lens.len()];
    let mut own = axes.iter().rev().filter(|a| (a.len, a.valid) != (1, 1)).copied();
    let mut rest: Option<Axis> = None;
    for (piece, &len) in pieces.iter_mut().zip(lens).rev() {
        let mut left = len;
        while left > 1 {
            let axis = match rest.take() {
                Some(axis) => axis,
                None => own.next()?,
            };
            if left.is_multiple_of(axis.len) {
                left /= axis.len;
                piece.push(axis);
            } else if axis.len.is_multiple_of(left) && axis.valid == axis.len {
                piece.push(Axis::plain(left, axis.stride));
                rest = Some(Axis::plain(axis.len / left, axis.stride * left));
                left = 1;
            } else {
                return None;
            }
        }
        piece.reverse();
    }
    (rest.is_none() && own.next().is_none()).then_some(pieces)
}

/// A run of the grid's axes that nothing carries out of, and the axes of what is shown that walk along it.
struct Run {
    original: std::ops::Range<usize>,
    copy: Vec<usize>,
}

fn independent(
    pieces: &[Vec<Axis>],
    offset: usize,
    grid: &Grid,
    lens: &[usize],
) -> Option<(Vec<Coordinate>, Vec<Part>)> {
    let strides = grid.strides();
    let runs = runs(pieces, offset, grid)?;
    let mut axes = vec![Coordinate::Part; grid.lens.len()];
    let mut parts = Vec::new();
    for run in runs {
        let Some(last) = run.original.end.checked_sub(1) else { continue };
        let unit = strides[last];
        let size: usize = grid.lens[run.original.clone()].iter().product();
        let start = offset / unit % size;
        if run.copy.is_empty() {
            for axis in run.original {
                axes[axis] = Coordinate::At(offset / strides[axis] % grid.lens[axis]);
            }
            continue;
        }
        let walk = walk(&run.copy, pieces, lens, unit);
        match (&run.copy[..], run.original.len()) {
            ([copy], 1) if start == 0 && is_identity(&walk, size) => axes[last] = Coordinate::Same(*copy),
            _ => parts.push(Part { copy: run.copy, original: run.original, walk, start }),
        }
    }
    // Axes that walk along none only repeat or pad.
    let placed = |copy: usize| {
        parts.iter().any(|part| part.copy.contains(&copy)) || axes.contains(&Coordinate::Same(copy))
    };
    let still: Vec<usize> = (0..lens.len()).filter(|&copy| !placed(copy)).collect();
    let end = grid.lens.len();
    parts.extend(still.into_iter().map(|copy| Part {
        copy: vec![copy],
        original: end..end,
        walk: walk(&[copy], pieces, lens, 1),
        start: 0,
    }));
    Some((axes, parts))
}

/// Whether an axis moves through the tensor.
fn moves(axis: &Axis) -> bool {
    axis.stride > 0 && axis.valid > 1
}

/// The finest cut of the grid's axes into runs such that every axis of what is shown walks along one of them and never leaves
/// it.
fn runs(pieces: &[Vec<Axis>], offset: usize, grid: &Grid) -> Option<Vec<Run>> {
    let strides = grid.strides();
    // `joined[g]`: axis `g` and the one before it are of one run.
    let mut joined = vec![false; grid.lens.len()];
    let join = |joined: &mut Vec<bool>, first: usize, last: usize| {
        (first + 1..=last).for_each(|g| joined[g] = true);
    };
    // The axis whose coordinate an axis changes most slowly, and the first one that its stride divides.
    let touched = |axis: &Axis| -> Option<(usize, usize)> {
        let first = strides.iter().position(|s| *s <= axis.stride)?;
        let last = (first..strides.len()).find(|&g| axis.stride.is_multiple_of(strides[g]))?;
        Some((first, last))
    };
    for axes in pieces {
        let mut range: Option<(usize, usize)> = None;
        for axis in axes.iter().filter(|a| moves(a)) {
            let (first, last) = touched(axis)?;
            range = Some(range.map_or((first, last), |(f, l)| (f.min(first), l.max(last))));
        }
        if let Some((first, last)) = range {
            join(&mut joined, first, last);
        }
    }
    loop {
        let mut runs: Vec<Run> = Vec::new();
        for (g, joined) in joined.iter().enumerate() {
            match runs.last_mut() {
                Some(run) if *joined => run.original.end = g + 1,
                _ => runs.push(Run { original: g..g + 1, copy: Vec::new() }),
            }
        }
        let mut carried = None;
        for run in &mut runs {
            let unit = strides[run.original.end - 1];
            let size: usize = grid.lens[run.original.clone()].iter().product();
            let mut reach = offset / unit % size;
            for (copy, axes) in pieces.iter().enumerate() {
                let within = |axis: &&Axis| {
                    moves(axis) && touched(axis).is_some_and(|(first, _)| run.original.contains(&first))
                };
                if axes.iter().any(|axis| within(&axis)) {
                    run.copy.push(copy);
                    let own = axes.iter().filter(|a| moves(a));
                    reach += own.map(|a| a.stride / unit * (a.valid - 1)).sum::<usize>();
                }
            }
            if reach >= size {
                carried = Some(run.original.start);
            }
        }
        match carried {
            None => return Some(runs),
            // Views fit their tensors, so nothing carries out of the first axis.
            Some(0) => return None,
            Some(first) => joined[first] = true,
        }
    }
}

/// The axes that make up some axes of what is shown, strides counted in `unit`.
fn walk(copy: &[usize], pieces: &[Vec<Axis>], lens: &[usize], unit: usize) -> Vec<Axis> {
    let axes = copy.iter().flat_map(|&copy| match &pieces[copy][..] {
        [] => vec![Axis::plain(lens[copy], 0)],
        own => own.to_vec(),
    });
    // A stride that is never gone may be of any size.
    axes.map(|axis| Axis { stride: if moves(&axis) { axis.stride / unit } else { 0 }, ..axis }).collect()
}

/// Whether a walk shows `size` elements as they are.
fn is_identity(walk: &[Axis], size: usize) -> bool {
    let mut stride = 1;
    walk.iter().rev().all(|axis| {
        let plain = axis.before == 0 && axis.valid == axis.len && (axis.len == 1 || axis.stride == stride);
        stride *= axis.len;
        plain
    }) && stride == size
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tacit_relations::TensorId;

    use super::*;

    const T: TensorId = TensorId(0);

    /// Checks the parts against the view element by element; returns how many axes of the original are summed over.
    fn agree(view: &View, grid: &Grid, lens: &[usize]) -> usize {
        let (axes, parts) = factor(view, grid, lens);
        let strides = grid.strides();
        let own = Grid { lens: lens.to_vec() }.strides();
        for i in 0..lens.iter().product() {
            let coordinate = |copy: usize| i / own[copy] % lens[copy];
            let mut at = Some(0);
            for (axis, from) in axes.iter().enumerate() {
                let c = match from {
                    Coordinate::Same(copy) => coordinate(*copy),
                    Coordinate::At(c) => *c,
                    Coordinate::Part => continue,
                };
                at = at.map(|at| at + c * strides[axis]);
            }
            for part in &parts {
                let position = part.copy.iter().fold(0, |p, &copy| p * lens[copy] + coordinate(copy));
                let unit = part.original.end.checked_sub(1).map_or(0, |last| strides[last]);
                at = at.and_then(|at| Some(at + part.positions().nth(position)?? * unit));
            }
            assert_eq!(at, view.index(i), "element {i} of {view:?}");
        }
        parts.iter().map(|part| part.original.len()).sum()
    }

    #[test]
    fn windows_leave_samples_and_channels_alone() {
        // [samples, channels, height, width] as [samples, y, x, channels, ky, kx].
        let grid = Grid::of_shape(&[2, 3, 7, 9]);
        let axes = [(2, 189), (3, 18), (4, 2), (3, 63), (2, 9), (3, 1)];
        let axes: Vec<Axis> = axes.into_iter().map(|(len, stride)| Axis::plain(len, stride)).collect();
        let view = View { tensor: T, offset: 0, axes };
        assert_eq!(agree(&view, &grid, &[2, 3, 4, 3, 2, 3]), 2);
        let (axes, parts) = factor(&view, &grid, &[2, 3, 4, 3, 2, 3]);
        assert_eq!(axes[..2], [Coordinate::Same(0), Coordinate::Same(3)]);
        assert_eq!(parts.iter().map(|p| p.copy.clone()).collect::<Vec<_>>(), [[1, 4], [2, 5]]);
    }

    #[test]
    fn padding_and_flattening() {
        let grid = Grid::of_shape(&[2, 3, 4]);
        let mut padded = View::whole(T, &[2, 3, 4]);
        padded.axes[1] = Axis { len: 6, before: 2, ..padded.axes[1] };
        assert_eq!(agree(&padded, &grid, &[2, 6, 4]), 1);
        assert_eq!(agree(&View::whole(T, &[24]), &grid, &[24]), 3);
        assert_eq!(agree(&View::whole(T, &[2, 12]), &grid, &[2, 12]), 2);
        assert_eq!(agree(&View::whole(T, &[24]), &grid, &[2, 2, 6]), 2);
    }

    fn arbitrary() -> impl Strategy<Value = (View, Grid, Vec<usize>)> {
        let axis = (1usize..5, 0usize..5, any::<bool>(), 0usize..14, 0usize..3);
        (prop::collection::vec(axis, 0..4), prop::collection::vec(1usize..5, 0..4), 0usize..5, any::<bool>())
            .prop_map(|(axes, mut shape, offset, join)| {
                let axes: Vec<Axis> = axes
                    .into_iter()
                    .map(|(len, valid, padded, stride, before)| {
                        let valid = if padded { valid.min(len) } else { len };
                        Axis { len, stride, before: before.min(len - valid), valid }
                    })
                    .collect();
                let reach = offset + axes.iter().map(|a| a.valid.saturating_sub(1) * a.stride).sum::<usize>();
                // As many outermost elements as the view needs.
                let inner: usize = shape.iter().product();
                shape.insert(0, (reach + 1).div_ceil(inner));
                let view = View { tensor: T, offset, axes };
                let mut lens: Vec<usize> = view.axes.iter().map(|a| a.len).collect();
                if join && lens.len() > 1 {
                    let last = lens.pop().unwrap_or(1);
                    lens.last_mut().into_iter().for_each(|l| *l *= last);
                }
                (view, Grid::of_shape(&shape), lens)
            })
    }

    proptest! {
        #[test]
        fn parts_show_what_the_view_shows((view, grid, lens) in arbitrary()) {
            agree(&view, &grid, &lens);
        }
    }
}
