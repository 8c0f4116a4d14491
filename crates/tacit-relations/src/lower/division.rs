//! Lowering of quotients and roots: hints that products and ranges pin.
//!
//! Which relation pins what, for every element:
//!
//! * `q = floor(n / d)`: `q` is a `Hint`, `p = q · d` a `Product`, the rest `r = n − p` an `Affine` that a `Range` shows not to be
//!   negative, and `s = d − 1 − r` another. So `0 ≤ r < d`, hence `d ≥ 1`, and `n = q · d + r` has one such `q`.
//! * `q = floor(sqrt(x))`: `q` is a `Hint` that is not negative, `p = q · q` a `Product`, and `r = x − p`, `s = 2q − r` are shown
//!   not to be negative. So `q² ≤ x < (q + 1)²`, which one such `q` satisfies.
//!
//! `Hint` and `Range` bound `q`, `r` and `s`; `RelationSystem::new` refuses products of 2^100 and more, so that none of these
//! equations wraps around the field.

use super::{Lowering, Target};
use crate::relation::{HintRule, Relation};
use crate::system::{Segment, TensorId};
use crate::view::View;

impl Lowering {
    /// `floor(n / d)` of views of the shape `to`, each with its bounds.
    pub(super) fn quotient(
        &mut self,
        (n, n_bounds): (View, (i64, i64)),
        (d, d_bounds): (View, (i64, i64)),
        to: &[usize],
        result: Target<'_>,
    ) -> View {
        let rule = HintRule::Quotient { n: n.clone(), d: d.clone() };
        let q = self.hint(rule, to, result.bounds);
        // The dividend less the rest.
        let p_bounds = (n_bounds.0 - d_bounds.1, n_bounds.1.max(0));
        let p = self.witness(to, p_bounds);
        self.relations.push(Relation::Product { a: View::whole(q, to), c: d.clone(), y: p });
        let largest = d_bounds.1 - 1;
        let rest = self.not_negative(vec![(1, n), (-1, View::whole(p, to))], 0, to, largest);
        self.not_negative(vec![(1, d), (-1, View::whole(rest, to))], -1, to, largest);
        self.answered(q, to, result)
    }

    /// `floor(sqrt(x))` of a view of the shape `to` with its bounds.
    pub(super) fn root(&mut self, x: View, bounds: (i64, i64), to: &[usize], result: Target<'_>) -> View {
        let q = self.hint(HintRule::Root { x: x.clone() }, to, (0, result.bounds.1));
        let root = View::whole(q, to);
        let p = self.witness(to, (0, bounds.1));
        self.relations.push(Relation::Product { a: root.clone(), c: root.clone(), y: p });
        let largest = 2 * result.bounds.1;
        let rest = self.not_negative(vec![(1, x), (-1, View::whole(p, to))], 0, to, largest);
        self.not_negative(vec![(2, root), (-1, View::whole(rest, to))], 0, to, largest);
        self.answered(q, to, result)
    }

    fn witness(&mut self, to: &[usize], bounds: (i64, i64)) -> TensorId {
        self.push(to.to_vec(), bounds, Segment::Witness, 0)
    }

    fn hint(&mut self, rule: HintRule, to: &[usize], (lo, hi): (i64, i64)) -> TensorId {
        let y = self.witness(to, (lo, hi));
        self.relations.push(Relation::Hint { rule, lo, hi, y });
        y
    }

    /// A sum that is shown to lie in `[0, 2^b − 1]`, the smallest such interval that holds `largest`.
    fn not_negative(&mut self, terms: Vec<(i64, View)>, offset: i64, to: &[usize], largest: i64) -> TensorId {
        let y = self.witness(to, (0, largest));
        self.relations.push(Relation::Affine { terms, offset, y });
        self.relations.push(Relation::Range { x: View::whole(y, to), lo: 0, hi: all_ones(largest) });
        y
    }

    /// A hint as an operator's result: itself, or a copy of it in the output's segment.
    fn answered(&mut self, q: TensorId, to: &[usize], result: Target<'_>) -> View {
        let view = View::whole(q, to);
        if !result.last {
            return view;
        }
        View::whole(self.copy(view, result.shape, result.bounds, result.segment, result.width), to)
    }
}

/// The smallest `2^b − 1` that is at least `value`.
pub(super) fn all_ones(value: i64) -> i64 {
    (value.unsigned_abs() + 1).next_power_of_two() as i64 - 1
}
