//! Small systems by hand with tables, maxima and their selectors.

use super::Case;
use super::builder::{Builder, padded};
use crate::system::Segment;
use crate::view::{Axis, View};

/// Systems with tables.
#[must_use]
pub fn tables() -> Vec<Case> {
    vec![table(), table_of_contraction(), tables_of_known_values()]
}

/// Systems with maxima and their selectors.
#[must_use]
pub fn maxima() -> Vec<Case> {
    vec![max(), arg_max(), arg_max_ties(), largest_of_contraction(), known_maxima()]
}

/// A table with a negative start and repeated values, shared by two relations, beside one of a single entry.
#[must_use]
pub fn table() -> Case {
    let mut b = Builder::new("table", 30);
    let x = b.input_of(&[5], 4, vec![-3, 2, 0, -1, 2]);
    let zeros = b.input_of(&[2], 2, vec![0, 0]);
    let (x, zeros) = (b.all(x), b.all(zeros));
    let values = [900, -7, 0, 11, -7, 1 << 40];
    b.to(Segment::Public).table(x.clone(), -3, &values);
    let last = View { offset: 1, axes: vec![padded(6, 1, 1, 4)], ..x };
    let y = b.table(last, -3, &values);
    b.to(Segment::Output).table(zeros, 0, &[-5]);
    let y = b.all(y);
    b.to(Segment::Public).affine(vec![(3, y)], 1);
    b.finish()
}

/// A table over a contraction's whole result, its own result read by another contraction.
#[must_use]
pub fn table_of_contraction() -> Case {
    let mut b = Builder::new("table of a contraction", 31);
    let (x, w) = (b.input(&[2], 2), b.weights(&[2, 3], 2));
    let (a, c) = (b.shaped(x, &[1, 1, 2]), b.shaped(w, &[1, 2, 3]));
    let y = b.contraction(a, c, None);
    let y = b.all(y);
    let values: Vec<i64> = (-8..=8).map(|v| v * v - 20).collect();
    let z = b.table(y, -8, &values);
    let (a, c) = (b.shaped(z, &[1, 1, 3]), b.shaped(w, &[1, 3, 2]));
    b.to(Segment::Public).contraction(a, c, None);
    b.finish()
}

/// Tables over public, constant and padded values.
#[must_use]
pub fn tables_of_known_values() -> Case {
    let mut b = Builder::new("tables of known values", 32);
    let (p, k) = (b.public(&[3], (-2, 2)), b.constant(&[2], vec![1, -2]));
    let (p, k) = (b.all(p), b.all(k));
    let values = [4, 1, 0, 1, 4];
    b.to(Segment::Public).table(p.clone(), -2, &values);
    b.to(Segment::Public).table(k, -2, &values);
    b.table(View { axes: vec![padded(2, 1, 2, 0)], ..p }, 0, &[6]);
    b.finish()
}

/// Groups of several sizes, ties, negative values only, padding, a single element.
#[must_use]
pub fn max() -> Case {
    let mut b = Builder::new("max", 33);
    let x = b.input_of(&[6], 5, vec![-16, -3, -3, 15, 2, 15]);
    let all = b.shaped(x, &[2, 3]);
    let y = b.to(Segment::Public).max(all);
    let y = b.shaped(y, &[1, 2]);
    b.to(Segment::Output).max(y);
    let alone = b.shaped(x, &[6, 1]);
    b.max(alone);
    let first = View { tensor: x, offset: 0, axes: vec![padded(4, 1, 1, 3)] };
    b.to(Segment::Public).max(first);
    let columns = View { tensor: x, offset: 0, axes: vec![Axis::plain(3, 1), Axis::plain(2, 3)] };
    let y = b.max(columns);
    let y = b.all(y);
    b.to(Segment::Public).affine(vec![(-2, y)], 0);
    b.finish()
}

/// Selectors of groups of several sizes, used as one-hot rows of a contraction.
#[must_use]
pub fn arg_max() -> Case {
    let mut b = Builder::new("arg max", 34);
    let (x, w) = (b.input_of(&[8], 6, vec![-32, 31, 7, 7, -1, -1, -2, -9]), b.weights(&[4, 2], 5));
    let rows = b.shaped(x, &[2, 4]);
    let y = b.arg_max(rows);
    let (a, c) = (b.shaped(y, &[1, 2, 4]), b.shaped(w, &[1, 4, 2]));
    b.to(Segment::Public).contraction(a, c, None);
    let alone = b.shaped(x, &[8, 1]);
    b.arg_max(alone);
    let short = View { tensor: x, offset: 1, axes: vec![padded(5, 2, 3, 2)] };
    b.to(Segment::Output).arg_max(short);
    b.finish()
}

/// Ties at every place, all of them included.
#[must_use]
pub fn arg_max_ties() -> Case {
    let mut b = Builder::new("arg max of equal values", 35);
    let x = b.input_of(&[5, 3], 3, vec![2, 2, 2, 1, 2, 2, 2, 1, 2, -4, -4, -4, 2, 2, 1]);
    let rows = b.shaped(x, &[5, 3]);
    b.to(Segment::Public).arg_max(rows);
    let copies = View { tensor: x, offset: 4, axes: vec![Axis::plain(4, 0)] };
    b.to(Segment::Public).arg_max(copies);
    b.finish()
}

/// The predicted class of two samples: selector and score of a contraction's whole result.
#[must_use]
pub fn largest_of_contraction() -> Case {
    let mut b = Builder::new("largest of a contraction", 36);
    let (x, w) = (b.input(&[2, 2], 5), b.weights(&[2, 3], 6));
    let (a, c) = (b.shaped(x, &[1, 2, 2]), b.shaped(w, &[1, 2, 3]));
    let y = b.contraction(a, c, None);
    let y = b.shaped(y, &[2, 3]);
    b.to(Segment::Public).arg_max(y.clone());
    b.to(Segment::Public).max(y);
    b.finish()
}

/// Maxima of public and constant values, and of padding alone.
#[must_use]
pub fn known_maxima() -> Case {
    let mut b = Builder::new("largest of known values", 37);
    let (p, k) = (b.public(&[4], (-90, 40)), b.constant(&[3], vec![-5, 17, 17]));
    let (p, k) = (b.shaped(p, &[2, 2]), b.all(k));
    b.to(Segment::Public).max(p.clone());
    b.to(Segment::Public).arg_max(p.clone());
    b.to(Segment::Public).max(k.clone());
    b.arg_max(k);
    let nothing = View { axes: vec![padded(3, 1, 3, 0)], ..p };
    b.max(nothing.clone());
    b.arg_max(nothing);
    b.finish()
}
