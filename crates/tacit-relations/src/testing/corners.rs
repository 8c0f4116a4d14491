//! Systems at the edges: a single element, sizes that are no powers of two, zeros everywhere, the largest values.

use super::Case;
use super::builder::{Builder, signed};
use crate::system::Segment;
use crate::view::{Axis, View};

/// Every system below.
#[must_use]
pub fn all() -> Vec<Case> {
    vec![ones(), odd_sizes(), zeros(), extremes(), wide(), nothing_to_prove(), public_only(), long_sums()]
}

/// Every tensor has one element.
#[must_use]
pub fn ones() -> Case {
    let mut b = Builder::new("one element", 40);
    let (x, w, bias) = (b.input(&[1], 1), b.weights(&[1, 1], 1), b.weights(&[1], 3));
    let [a, c, bias] = [x, w, bias].map(|id| b.shaped(id, &[1, 1, 1]));
    let y = b.contraction(a, c, Some(bias));
    let y = b.all(y);
    let z = b.requant(y.clone(), 0, -1, 1);
    let z = b.all(z);
    let p = b.product(z.clone(), y.clone());
    let p = b.all(p);
    b.to(Segment::Public).affine(vec![(-1, p), (1, z)], 7);
    b.range(y, -4, 4);
    b.finish()
}

/// Three batches of five rows, seven deep, three columns: every operand batched; then one row of thirteen columns.
#[must_use]
pub fn odd_sizes() -> Case {
    let mut b = Builder::new("sizes that are no powers of two", 41);
    let (x, w, v) = (b.input(&[3, 5, 7], 5), b.weights(&[3, 7, 3], 4), b.weights(&[45, 13], 3));
    let (a, c) = (b.shaped(x, &[3, 5, 7]), b.shaped(w, &[3, 7, 3]));
    let y = b.contraction(a, c, None);
    let y = b.all(y);
    let z = b.requant(y, 3, -100, 99);
    let (a, c) = (b.shaped(z, &[1, 1, 45]), b.shaped(v, &[1, 45, 13]));
    let axes = vec![Axis::plain(1, 0), Axis::plain(1, 0), Axis::plain(13, 3)];
    let bias = View { tensor: z, offset: 2, axes };
    b.to(Segment::Output).contraction(a, c, Some(bias));
    b.finish()
}

/// Every value is zero, and so is every result.
#[must_use]
pub fn zeros() -> Case {
    let mut b = Builder::new("all zero", 42);
    let (x, w) = (b.input_of(&[2, 3], 8, vec![0; 6]), b.weights_of(&[3, 5], 8, vec![0; 15]));
    let bias = b.weights_of(&[5], 16, vec![0; 5]);
    let (a, c) = (b.shaped(x, &[1, 2, 3]), b.shaped(w, &[1, 3, 5]));
    let bias = View::broadcast(bias, &[5], &[1, 2, 5]).expect("broadcasts");
    let y = b.contraction(a, c, Some(bias));
    let y = b.all(y);
    let z = b.requant(y.clone(), 8, -128, 127);
    let z = b.all(z);
    let p = b.product(z.clone(), y);
    let p = b.all(p);
    b.to(Segment::Output).affine(vec![(3, p), (-2, z)], 0);
    b.finish()
}

/// The largest and smallest values of 16-bit weights and inputs; a requantisation that saturates on both sides.
#[must_use]
pub fn extremes() -> Case {
    let mut b = Builder::new("extreme values", 43);
    let (lo, hi) = signed(16);
    let x = b.input_of(&[2, 3], 16, vec![lo, lo, lo, hi, hi, hi]);
    let w = b.weights_of(&[3, 2], 16, vec![lo, hi, lo, hi, lo, hi]);
    let (a, c) = (b.shaped(x, &[1, 2, 3]), b.shaped(w, &[1, 3, 2]));
    let y = b.contraction(a, c, None);
    let y = b.all(y);
    b.to(Segment::Public).requant(y.clone(), 16, lo, hi);
    b.to(Segment::Public).requant(y, 0, 0, 1);
    b.finish()
}

/// Inputs of 60 bits, shifted away.
#[must_use]
pub fn wide() -> Case {
    let mut b = Builder::new("60-bit values", 44);
    let (lo, hi) = signed(60);
    let x = b.input_of(&[4], 60, vec![lo, hi, 1 << 58, -(1 << 58)]);
    let x = b.all(x);
    let y = b.affine(vec![(-1, x.clone()), (2, x.clone())], 0);
    let y = b.all(y);
    b.to(Segment::Public).requant(y, 59, -2, 2);
    b.to(Segment::Output).affine(vec![(1, x.clone())], 0);
    b.range(x, lo, hi);
    b.finish()
}

/// Committed tensors that no relation reads.
#[must_use]
pub fn nothing_to_prove() -> Case {
    let mut b = Builder::new("no relation", 45);
    let _ = (b.input(&[3], 5), b.weights(&[5], 7), b.weights(&[2], 9));
    b.finish()
}

/// Nothing is hidden but results.
#[must_use]
pub fn public_only() -> Case {
    let mut b = Builder::new("nothing is committed", 46);
    let (p, q) = (b.public(&[2, 3], (-9, 9)), b.public(&[3, 2], (0, 5)));
    let (a, c) = (b.shaped(p, &[1, 2, 3]), b.shaped(q, &[1, 3, 2]));
    let y = b.contraction(a, c, None);
    let y = b.all(y);
    b.to(Segment::Public).requant(y, 1, -50, 50);
    b.finish()
}

/// Sums longer than a row of most layouts, of many terms and of much depth.
#[must_use]
pub fn long_sums() -> Case {
    let mut b = Builder::new("long sums", 47);
    let (x, w) = (b.input(&[33], 7), b.weights(&[33], 8));
    let (a, c) = (b.shaped(x, &[1, 1, 33]), b.shaped(w, &[1, 33, 1]));
    b.to(Segment::Public).contraction(a, c, None);
    let terms = (0..17)
        .map(|i| (i - 8, View { tensor: x, offset: i as usize, axes: vec![Axis::plain(9, 1)] }))
        .collect();
    b.to(Segment::Public).affine(terms, -1);
    b.finish()
}
