//! Small systems by hand. Together they use every relation in every way that a layout may treat differently.

use super::Case;
use super::builder::{Builder, padded};
use crate::system::Segment;
use crate::view::{Axis, View};

/// Systems of contractions, sums, products, requantisations and ranges.
#[must_use]
pub fn all() -> Vec<Case> {
    let mut cases = vec![
        lane(8, 2, 3),
        lane(12, 2, 2),
        lane(1, 2, 3),
        rows(),
        twice(),
        two_shapes(),
        both_witness(),
        batched(),
        padded_operands(),
        no_bias_unread(),
        residual(),
        affine(),
        product(),
        one_sided(),
        range(),
        public_operands(),
        output_of_contraction(),
        output_of_copy(),
        output_of_requant(),
        several_widths(),
        packed_across(),
        many_public(),
        negative_only(),
    ];
    for shift in [0, 1, 7, 20] {
        for (lo, hi) in [(-128, 127), (0, 255), (-100, 30), (3, 3)] {
            cases.push(requant(shift, lo, hi));
        }
    }
    cases
}

/// A dense layer: the matrix in the lane, a bias beside it, the result requantised and public.
#[must_use]
pub fn lane(width: u8, depth: usize, columns: usize) -> Case {
    let mut b = Builder::new(format!("dense layer of {width}-bit weights"), 1);
    let (x, w, bias) = (b.input(&[depth], 6), b.weights(&[depth, columns], width), b.weights(&[columns], 10));
    let (a, c) = (b.shaped(x, &[1, 1, depth]), b.shaped(w, &[1, depth, columns]));
    let bias = b.shaped(bias, &[1, 1, columns]);
    let y = b.contraction(a, c, Some(bias));
    let y = b.all(y);
    b.to(Segment::Public).requant(y, 4, -128, 127);
    b.finish()
}

/// Two rows against one matrix in the lane, the bias broadcast.
#[must_use]
pub fn rows() -> Case {
    let mut b = Builder::new("two rows against one matrix", 2);
    let (x, w, bias) = (b.input(&[2, 2], 4), b.weights(&[2, 3], 6), b.weights(&[3], 8));
    let (a, c) = (b.shaped(x, &[1, 2, 2]), b.shaped(w, &[1, 2, 3]));
    let bias = View::broadcast(bias, &[3], &[1, 2, 3]).expect("broadcasts");
    b.to(Segment::Public).contraction(a, c, Some(bias));
    b.finish()
}

/// One matrix in two contractions, with an odd number of columns.
#[must_use]
pub fn twice() -> Case {
    let mut b = Builder::new("one matrix used twice", 3);
    let (x, w) = (b.input(&[3], 4), b.weights(&[3, 3], 5));
    let c = b.shaped(w, &[1, 3, 3]);
    let a = b.shaped(x, &[1, 1, 3]);
    let y = b.contraction(a, c.clone(), None);
    let y = b.all(y);
    let z = b.requant(y, 3, -16, 15);
    let a = b.shaped(z, &[1, 1, 3]);
    b.to(Segment::Public).contraction(a, c, None);
    b.finish()
}

/// One matrix as two rows of six and as three rows of four.
#[must_use]
pub fn two_shapes() -> Case {
    let mut b = Builder::new("one matrix under two shapes", 23);
    let (x, z, w) = (b.input(&[2], 4), b.input(&[3], 4), b.weights(&[2, 6], 5));
    let (a, c) = (b.shaped(x, &[1, 1, 2]), b.shaped(w, &[1, 2, 6]));
    b.to(Segment::Public).contraction(a, c, None);
    let (a, c) = (b.shaped(z, &[1, 1, 3]), b.shaped(w, &[1, 3, 4]));
    b.to(Segment::Public).contraction(a, c, None);
    b.finish()
}

/// Both operands computed: `x xᵀ` through a transposed view.
#[must_use]
pub fn both_witness() -> Case {
    let mut b = Builder::new("both operands hidden results", 4);
    let x = b.input(&[2, 2], 8);
    let all = b.all(x);
    let z = b.requant(all, 2, -32, 31);
    let a = b.shaped(z, &[1, 2, 2]);
    let c =
        View { tensor: z, offset: 0, axes: vec![Axis::plain(1, 0), Axis::plain(2, 1), Axis::plain(2, 2)] };
    let y = b.contraction(a, c, None);
    let y = b.all(y);
    b.to(Segment::Public).requant(y, 5, -8, 7);
    b.finish()
}

/// Two batches, the right operand shared by broadcasting, the bias per batch.
#[must_use]
pub fn batched() -> Case {
    let mut b = Builder::new("two batches", 5);
    let (x, w, bias) = (b.input(&[2, 1, 2], 4), b.weights(&[2, 2], 4), b.weights(&[2, 2], 6));
    let a = b.shaped(x, &[2, 1, 2]);
    let c =
        View { tensor: w, offset: 0, axes: vec![Axis::plain(2, 0), Axis::plain(2, 2), Axis::plain(2, 1)] };
    let bias =
        View { tensor: bias, offset: 0, axes: vec![Axis::plain(2, 2), Axis::plain(1, 0), Axis::plain(2, 1)] };
    b.to(Segment::Public).contraction(a, c, Some(bias));
    b.finish()
}

/// Padding in both operands and in the bias.
#[must_use]
pub fn padded_operands() -> Case {
    let mut b = Builder::new("padded operands", 6);
    let (x, w, bias) = (b.input(&[2], 5), b.weights(&[2, 2], 4), b.weights(&[1], 4));
    let a =
        View { tensor: x, offset: 0, axes: vec![Axis::plain(1, 0), Axis::plain(1, 0), padded(4, 1, 1, 2)] };
    let c =
        View { tensor: w, offset: 0, axes: vec![Axis::plain(1, 0), padded(4, 2, 1, 2), padded(3, 1, 0, 2)] };
    let bias = View {
        tensor: bias,
        offset: 0,
        axes: vec![Axis::plain(1, 0), Axis::plain(1, 0), padded(3, 1, 2, 1)],
    };
    b.to(Segment::Public).contraction(a, c, Some(bias));
    b.finish()
}

/// A result of several rows that nothing reads.
#[must_use]
pub fn no_bias_unread() -> Case {
    let mut b = Builder::new("no bias, nothing reads the result", 7);
    let (x, w) = (b.input(&[2, 2], 4), b.weights(&[2, 2], 4));
    let (a, c) = (b.shaped(x, &[1, 2, 2]), b.shaped(w, &[1, 2, 2]));
    b.contraction(a, c, None);
    b.finish()
}

/// `y = W + X W`: the matrix is also the bias, through the very same view.
#[must_use]
pub fn residual() -> Case {
    let mut b = Builder::new("the matrix is also the bias", 8);
    let (x, w) = (b.input(&[2, 2], 4), b.weights(&[2, 2], 4));
    let (a, c) = (b.shaped(x, &[1, 2, 2]), b.shaped(w, &[1, 2, 2]));
    b.to(Segment::Public).contraction(a, c.clone(), Some(c));
    b.finish()
}

/// Several terms, negative coefficients, constants, padding, a plain copy, a copy of padding.
#[must_use]
pub fn affine() -> Case {
    let mut b = Builder::new("affine", 9);
    let (x, w) = (b.input(&[3], 5), b.weights(&[3], 4));
    let k = b.constant(&[3], vec![5, -7, 0]);
    let terms =
        vec![(3, b.all(x)), (-2, b.all(w)), (4, b.all(k)), (1, b.all(x)), (-1, b.all(x)), (7, b.all(w))];
    let y = b.affine(terms, -11);
    let pad = View { tensor: y, offset: 0, axes: vec![padded(5, 1, 1, 3)] };
    let copy = b.affine(vec![(1, pad)], 0);
    let reversed = View { tensor: copy, offset: 1, axes: vec![padded(4, 1, 0, 3)] };
    b.to(Segment::Public).affine(vec![(1, reversed)], 0);
    let (k, y) = (b.all(k), b.all(y));
    b.to(Segment::Public).affine(vec![(2, k)], 1);
    b.affine(vec![(0, y)], 0);
    b.finish()
}

/// Hidden times hidden, hidden times constant from either side, constant times constant, broadcast and padding.
#[must_use]
pub fn product() -> Case {
    let mut b = Builder::new("product", 10);
    let (x, w) = (b.input(&[2], 5), b.weights(&[2, 2], 4));
    let k = b.constant(&[2], vec![3, -2]);
    let x2 = View::broadcast(x, &[2], &[2, 2]).expect("broadcasts");
    let wv = b.shaped(w, &[2, 2]);
    b.to(Segment::Public).product(x2, wv);
    let (xv, kv) = (b.all(x), b.all(k));
    let left = b.product(kv.clone(), xv.clone());
    let left = b.all(left);
    b.to(Segment::Public).product(left, kv.clone());
    b.to(Segment::Public).product(kv.clone(), kv);
    let pad = View { tensor: x, offset: 0, axes: vec![padded(2, 1, 1, 1)] };
    b.to(Segment::Public).product(pad, xv);
    b.finish()
}

/// One requantisation over values on both sides of every boundary.
#[must_use]
pub fn requant(shift: u8, lo: i64, hi: i64) -> Case {
    let mut b = Builder::new(format!("requant by {shift} bits to {lo}..={hi}"), 11);
    let half = if shift == 0 { 0 } else { 1i64 << (shift - 1) };
    let at = |v: i64| (v << shift) - half;
    let values = vec![at(lo) - 1, at(lo), at(hi + 1) - 1, at(hi + 1), 0, -1, at(hi) * 3, at(lo) * 3 - 70];
    let width = values.iter().map(|v| tacit_model::signed_width(*v, *v)).max().unwrap_or(1) + 1;
    let x = b.input_of(&[8], width, values);
    let x = b.all(x);
    b.to(Segment::Public).requant(x, shift, lo, hi);
    b.finish()
}

/// A rectifier, and a clip from above, over a contraction's result and its padded view.
#[must_use]
pub fn one_sided() -> Case {
    let mut b = Builder::new("one-sided requant", 12);
    let (x, w) = (b.input(&[2], 4), b.weights(&[2, 2], 4));
    let (a, c) = (b.shaped(x, &[1, 1, 2]), b.shaped(w, &[1, 2, 2]));
    let y = b.contraction(a, c, None);
    let pad = View { tensor: y, offset: 1, axes: vec![padded(3, 1, 1, 1)] };
    b.to(Segment::Public).requant(pad, 0, -40, 5);
    let y = b.all(y);
    b.to(Segment::Public).requant(y, 1, 0, 63);
    b.finish()
}

/// Ranges: a power of two, another, a single value, one that padding satisfies.
#[must_use]
pub fn range() -> Case {
    let mut b = Builder::new("range", 13);
    let x = b.input_of(&[3], 6, vec![-5, 4, 9]);
    let k = b.constant(&[1], vec![17]);
    let first = View { tensor: x, offset: 0, axes: vec![Axis::plain(2, 1)] };
    b.range(first, -5, 10);
    let (all, k) = (b.all(x), b.all(k));
    b.range(all, -6, 9);
    b.range(k, 17, 17);
    let pad = View { tensor: x, offset: 2, axes: vec![padded(2, 1, 1, 1)] };
    b.range(pad, 0, 9);
    b.finish()
}

/// Public tensors as operands, given and computed.
#[must_use]
pub fn public_operands() -> Case {
    let mut b = Builder::new("public operands", 14);
    let (p, w, q) = (b.public(&[2], (-9, 9)), b.weights(&[2, 2], 4), b.public(&[2], (0, 5)));
    let (a, c) = (b.shaped(p, &[1, 1, 2]), b.shaped(w, &[1, 2, 2]));
    let bias = b.shaped(q, &[1, 1, 2]);
    let y = b.to(Segment::Public).contraction(a, c, Some(bias));
    let (y, q) = (b.all(y), b.all(q));
    b.to(Segment::Public).product(y, q);
    b.finish()
}

/// A contraction's result is the committed output.
#[must_use]
pub fn output_of_contraction() -> Case {
    let mut b = Builder::new("output is a contraction", 15);
    let (x, w) = (b.input(&[2], 4), b.weights(&[2, 3], 4));
    let (a, c) = (b.shaped(x, &[1, 1, 2]), b.shaped(w, &[1, 2, 3]));
    b.to(Segment::Output).contraction(a, c, None);
    b.finish()
}

/// The committed output is a plain copy of the input, its cells shared with it, and another part of sums.
#[must_use]
pub fn output_of_copy() -> Case {
    let mut b = Builder::new("output is a copy", 16);
    let x = b.input(&[3], 4);
    let x = b.all(x);
    b.to(Segment::Output).affine(vec![(1, x.clone())], 0);
    b.to(Segment::Output).affine(vec![(2, x)], 3);
    b.finish()
}

/// The committed output is requantised.
#[must_use]
pub fn output_of_requant() -> Case {
    let mut b = Builder::new("output is a requantisation", 17);
    let x = b.input(&[3], 9);
    let x = b.all(x);
    b.to(Segment::Output).requant(x, 3, -9, 10);
    b.finish()
}

/// Weights of several widths, in and out of the lane, more than one packed element, some used by nothing.
#[must_use]
pub fn several_widths() -> Case {
    let mut b = Builder::new("several widths", 18);
    let (v, w) = (b.weights(&[2], 11), b.weights(&[2, 2], 5));
    let _unused = b.weights(&[48], 5);
    let (u, t) = (b.weights(&[2, 1], 7), b.weights(&[1], 5));
    let a = b.shaped(v, &[1, 1, 2]);
    let (c, d) = (b.shaped(w, &[1, 2, 2]), b.shaped(u, &[1, 2, 1]));
    let y = b.contraction(a, c, None);
    let y = b.all(y);
    let z = b.requant(y, 6, -8, 7);
    let (a, bias) = (b.shaped(z, &[1, 1, 2]), b.shaped(t, &[1, 1, 1]));
    b.to(Segment::Public).contraction(a, d, Some(bias));
    b.finish()
}

/// Two matrices in the lane whose packed elements end in the middle of a row, other numbers between them.
#[must_use]
pub fn packed_across() -> Case {
    let mut b = Builder::new("packed elements end within a row", 20);
    let (x, v) = (b.input(&[3], 3), b.weights(&[3, 4], 16));
    let _between = b.weights(&[2], 16);
    let (w, z) = (b.weights(&[4, 3], 16), b.weights(&[1], 16));
    let (a, c) = (b.shaped(x, &[1, 1, 3]), b.shaped(v, &[1, 3, 4]));
    let y = b.contraction(a, c, None);
    let y = b.all(y);
    let y = b.requant(y, 12, -4, 3);
    let (a, c) = (b.shaped(y, &[1, 1, 4]), b.shaped(w, &[1, 4, 3]));
    let bias = View::broadcast(z, &[1], &[1, 1, 3]).expect("broadcasts");
    b.to(Segment::Public).contraction(a, c, Some(bias));
    b.finish()
}

/// More public values than the other rows of the circuit.
#[must_use]
pub fn many_public() -> Case {
    let mut b = Builder::new("many public values", 22);
    let p = b.public(&[180], (-3, 3));
    let first = View { tensor: p, offset: 5, axes: vec![Axis::plain(1, 1)] };
    b.range(first, -3, 3);
    b.finish()
}

/// Values that are never positive: bounds on one side of zero.
#[must_use]
pub fn negative_only() -> Case {
    let mut b = Builder::new("negative values only", 19);
    let p = b.public(&[3], (-900, -100));
    let p = b.all(p);
    b.to(Segment::Public).requant(p, 2, -150, -60);
    b.finish()
}
