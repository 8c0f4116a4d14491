//! Small systems by hand with windows: convolutions, pooling and what moves elements about.

use super::Case;
use super::builder::{Builder, padded};
use crate::relation::Grouping;
use crate::system::{Segment, TensorId};
use crate::view::{Axis, View};

/// Systems of images.
#[must_use]
pub fn all() -> Vec<Case> {
    vec![
        convolution(),
        strided(),
        depthwise(),
        public_image(),
        max_pool(),
        sum_pool(),
        flattened(),
        stacked(),
    ]
}

/// A view of these lengths and strides.
fn view(tensor: TensorId, offset: usize, axes: &[(usize, usize)]) -> View {
    View { tensor, offset, axes: axes.iter().map(|&(len, stride)| Axis::plain(len, stride)).collect() }
}

/// Two samples of two channels, a border of zeros, kernels of three by two, a bias; the result is requantised and hidden.
#[must_use]
pub fn convolution() -> Case {
    let mut b = Builder::new("convolution with padding", 60);
    let (x, w, bias) = (b.input(&[2, 2, 3, 3], 5), b.weights(&[1, 2, 3, 2, 3], 4), b.weights(&[3], 7));
    let border = View {
        tensor: x,
        offset: 0,
        axes: vec![Axis::plain(2, 18), Axis::plain(2, 9), padded(5, 3, 1, 3), padded(4, 1, 0, 3)],
    };
    let x = b.affine(vec![(1, border)], 0);
    // [1][samples, y, x][channels, ky, kx]
    let a = view(x, 0, &[(1, 0), (2, 40), (3, 4), (3, 1), (2, 20), (3, 4), (2, 1)]);
    let c = b.shaped(w, &[1, 2, 3, 2, 3]);
    let bias = view(bias, 0, &[(1, 0), (2, 0), (3, 0), (3, 0), (3, 1)]);
    let y = b.grouped(a, c, Grouping { batch: 1, rows: 3 }, Some(bias));
    let y = b.all(y);
    b.to(Segment::Output).requant(y, 5, 0, 31);
    b.finish()
}

/// Strides and dilations, one output, no bias; the result is public.
#[must_use]
pub fn strided() -> Case {
    let mut b = Builder::new("strided and dilated convolution", 61);
    let (x, w) = (b.input(&[7, 5], 4), b.weights(&[2, 2], 5));
    let a = view(x, 0, &[(1, 0), (2, 15), (2, 2), (2, 10), (2, 2)]);
    let c = view(w, 0, &[(1, 0), (2, 2), (2, 1), (1, 0)]);
    b.to(Segment::Public).grouped(a, c, Grouping { batch: 1, rows: 2 }, None);
    b.finish()
}

/// Every channel with a kernel of its own: channels are batches.
#[must_use]
pub fn depthwise() -> Case {
    let mut b = Builder::new("depthwise convolution", 62);
    let (x, w) = (b.input(&[3, 4, 3], 5), b.weights(&[3, 1, 2, 2, 1], 5));
    let a = view(x, 0, &[(3, 12), (1, 0), (3, 3), (2, 1), (1, 0), (2, 3), (2, 1)]);
    let c = b.shaped(w, &[3, 1, 2, 2, 1]);
    let y = b.grouped(a, c, Grouping { batch: 1, rows: 3 }, None);
    let y = b.all(y);
    b.to(Segment::Public).requant(y, 3, -100, 100);
    b.finish()
}

/// Windows of values that the verifier has.
#[must_use]
pub fn public_image() -> Case {
    let mut b = Builder::new("convolution of a public image", 63);
    let (x, w) = (b.public(&[5, 5], (-9, 20)), b.weights(&[3, 3], 6));
    let a = view(x, 0, &[(1, 0), (3, 5), (3, 1), (3, 5), (3, 1)]);
    let c = view(w, 0, &[(1, 0), (3, 3), (3, 1), (1, 0)]);
    let y = b.grouped(a, c, Grouping { batch: 1, rows: 2 }, None);
    let y = b.all(y);
    b.to(Segment::Output).requant(y, 4, -50, 50);
    b.finish()
}

/// Overlapping windows, two axes of them compared at once.
#[must_use]
pub fn max_pool() -> Case {
    let mut b = Builder::new("largest of overlapping windows", 64);
    let x = b.input(&[2, 4, 5], 4);
    let windows = view(x, 0, &[(2, 20), (3, 5), (2, 2), (2, 5), (3, 1)]);
    let y = b.max_over(windows, 2);
    let (w, y) = (b.weights(&[12, 2], 4), b.shaped(y, &[1, 1, 12]));
    let w = b.shaped(w, &[1, 12, 2]);
    b.to(Segment::Public).contraction(y, w, None);
    b.finish()
}

/// Sums of windows, with a bias that repeats.
#[must_use]
pub fn sum_pool() -> Case {
    let mut b = Builder::new("sums of windows", 65);
    let (x, one) = (b.input(&[2, 4, 4], 5), b.constant(&[1], vec![1]));
    let a = view(x, 0, &[(1, 0), (2, 16), (2, 8), (2, 2), (2, 4), (2, 1)]);
    let c = view(one, 0, &[(1, 0), (2, 0), (2, 0), (1, 0)]);
    let y = b.grouped(a, c, Grouping { batch: 1, rows: 3 }, None);
    let y = b.all(y);
    b.to(Segment::Public).requant(y, 2, -16, 15);
    b.finish()
}

/// A dense layer over an image whose channels come last in memory.
#[must_use]
pub fn flattened() -> Case {
    let mut b = Builder::new("flattened image", 66);
    let (x, w) = (b.input(&[2, 3, 2, 2], 5), b.weights(&[12, 2], 4));
    // [samples, y, x, channels] as [samples, channels, y, x]
    let channels_first = view(x, 0, &[(2, 12), (2, 1), (3, 4), (2, 2)]);
    let flat = b.affine(vec![(1, channels_first)], 0);
    let (a, c) = (b.shaped(flat, &[1, 2, 12]), b.shaped(w, &[1, 12, 2]));
    let y = b.contraction(a, c, None);
    let y = b.all(y);
    b.to(Segment::Public).requant(y, 4, -64, 63);
    b.finish()
}

/// Two results side by side, one doubled in size by repetition, then windows over both.
#[must_use]
pub fn stacked() -> Case {
    let mut b = Builder::new("concatenated and enlarged", 67);
    let (x, z, w) = (b.input(&[1, 2, 2], 4), b.input(&[1, 4, 4], 4), b.weights(&[2, 2, 2], 4));
    let large = view(x, 0, &[(1, 4), (2, 2), (2, 0), (2, 1), (2, 0)]);
    let large = b.affine(vec![(1, large)], 0);
    let place = |tensor, before| View {
        tensor,
        offset: 0,
        axes: vec![padded(2, 16, before, 1), Axis::plain(4, 4), Axis::plain(4, 1)],
    };
    let both = b.affine(vec![(1, place(large, 0)), (1, place(z, 1))], 0);
    let a = view(both, 0, &[(1, 0), (3, 4), (3, 1), (2, 16), (2, 4), (2, 1)]);
    let c = view(w, 0, &[(1, 0), (2, 4), (2, 2), (2, 1), (1, 0)]);
    b.to(Segment::Output).grouped(a, c, Grouping { batch: 1, rows: 2 }, None);
    b.finish()
}
