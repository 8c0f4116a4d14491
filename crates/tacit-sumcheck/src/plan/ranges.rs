//! Ranges as lookups of digits.
//!
//! A value in `[0, n)` is a form of digits of `bits` bits, each looked up in the range table. Where `n` is a power of two the
//! highest digit has a table of its own size or, where there are fewer values than such a table would have rows, is looked up a
//! second time, shifted to the range table's upper end; otherwise `n − 1 − value` is decomposed too. No sum of digits comes near the field's order, so a decomposition is one over the integers.

use tacit_relations::{Relation, RelationSystem, Segment, TensorId};

use super::build::Builder;
use super::{Check, Fill, Lookup, LookupTable, PublicVector, Quantity};
use crate::expr::Expr;
use crate::grid::Grid;

/// What the messages of one more table weigh, in lookups.
const MESSAGES: usize = 64;

/// The interval of every tensor that follows from what is enforced, not from what is declared: what a `Range` shows of a
/// whole witness tensor holds for every relation after it. No result of a system comes near 2^127; where an interval would, because
/// its operands' extremes never meet, it saturates.
pub(super) fn intervals(system: &RelationSystem) -> Vec<(i128, i128)> {
    let mut known: Vec<(i128, i128)> = system
        .tensors()
        .iter()
        .map(|t| match t.segment {
            Segment::Constant | Segment::Public => (t.bounds.0.into(), t.bounds.1.into()),
            _ if t.width > 0 => (-(1 << (t.width - 1)), (1 << (t.width - 1)) - 1),
            _ => (0, 0),
        })
        .collect();
    for relation in system.relations() {
        let of = |view: &tacit_relations::View| shown(view, known[view.tensor.0 as usize]);
        let product = |(a, b): (i128, i128), (c, d): (i128, i128)| {
            let all = [(a, c), (a, d), (b, c), (b, d)].map(|(x, y)| x.saturating_mul(y));
            (all.into_iter().fold(i128::MAX, i128::min), all.into_iter().fold(i128::MIN, i128::max))
        };
        let interval = match relation {
            Relation::Contraction { a, c, grouping, bias, .. } => {
                let (lo, hi) = product(of(a), of(c));
                let (blo, bhi) = bias.as_ref().map_or((0, 0), of);
                let k = grouping.sizes(a, c).map_or(0, |sizes| sizes.depth as i128);
                (k.saturating_mul(lo).saturating_add(blo), k.saturating_mul(hi).saturating_add(bhi))
            }
            Relation::Affine { terms, offset, .. } => {
                terms.iter().fold((i128::from(*offset), i128::from(*offset)), |(lo, hi), (by, view)| {
                    let by = i128::from(*by);
                    let (tlo, thi) = product((by, by), of(view));
                    (lo.saturating_add(tlo), hi.saturating_add(thi))
                })
            }
            Relation::Product { a, c, .. } => product(of(a), of(c)),
            Relation::Requant { x, shift, lo, hi, .. } => {
                let (xlo, xhi) = of(x);
                let round =
                    |x: i128| (x.saturating_add(1 << shift >> 1) >> shift).clamp((*lo).into(), (*hi).into());
                (round(xlo), round(xhi))
            }
            Relation::Table { values, .. } => {
                let values = values.iter().map(|&v| i128::from(v));
                (values.clone().min().unwrap_or(0), values.max().unwrap_or(0))
            }
            Relation::Max { x, .. } => of(x),
            Relation::ArgMax { .. } => (0, 1),
            Relation::Hint { lo, hi, .. } => ((*lo).into(), (*hi).into()),
            Relation::Range { x, lo, hi } => {
                let at = x.tensor.0 as usize;
                let spec = &system.tensors()[at];
                let (known_lo, known_hi) = known[at];
                let both = (known_lo.max((*lo).into()), known_hi.min((*hi).into()));
                let whole = spec.segment == Segment::Witness && x.is_identity(spec.len());
                if whole && both.0 <= both.1 {
                    known[at] = both;
                }
                continue;
            }
            _ => continue,
        };
        if let Some(y) = relation.result() {
            // The checker holds committed and public results to their bounds too.
            let own = &mut known[y.0 as usize];
            *own = match system.tensor(y).segment {
                Segment::Public | Segment::Output => (own.0.max(interval.0), own.1.min(interval.1)),
                _ => interval,
            };
            if own.0 > own.1 {
                *own = interval;
            }
        }
    }
    known
}

/// The interval of what a view shows of a tensor with this interval: padding is zero.
pub(super) fn shown(view: &tacit_relations::View, (lo, hi): (i128, i128)) -> (i128, i128) {
    let padded = view.axes.iter().any(|a| a.valid < a.len);
    if padded { (lo.min(0), hi.max(0)) } else { (lo, hi) }
}

/// Bits of the integers in `[0, n)`.
pub(super) fn bits_below(n: u128) -> usize {
    (128 - (n - 1).leading_zeros()) as usize
}

impl Builder<'_> {
    /// Looks `key` up in the table of `bits` bits.
    fn lookup(&mut self, lens: &[usize], key: Expr, bits: usize) {
        let table = self.table(LookupTable::Range { bits });
        self.lookups.push(Lookup { table, lens: lens.to_vec(), key, values: Vec::new() });
    }

    /// Bits of the table in which the highest digit of a value of `bits` bits is looked up: its own where that pays.
    fn top_bits(&self, lens: &[usize], bits: usize) -> usize {
        let top = bits - (bits.div_ceil(self.bits).max(1) - 1) * self.bits;
        let own = top > 0 && lens.iter().product::<usize>() >= MESSAGES + (1 << top);
        if own { top } else { self.bits }
    }

    /// Digits above the lowest of `quantity`, which has at most `bits` bits: their sum with weights, and the highest one.
    fn high_digits(
        &mut self,
        lens: &[usize],
        quantity: usize,
        from: usize,
        bits: usize,
    ) -> (Expr, Option<Expr>) {
        let count = bits.div_ceil(self.bits).max(1);
        let mut sum = Expr::default();
        let mut top = None;
        for i in from..count {
            let shift = (i * self.bits) as u32;
            let digit_bits = (i + 1 < count).then_some(self.bits as u32);
            let digit = self.witness(lens, Fill::Digit { quantity, shift, bits: digit_bits });
            let table = if i + 1 < count { self.bits } else { self.top_bits(lens, bits) };
            self.lookup(lens, digit.clone(), table);
            sum = sum.checked_add(&digit, 1 << shift).expect("digits stay below 2^120");
            top = Some(digit);
        }
        (sum, top)
    }

    /// Shows `expr ≥ 0` where it is below `2^bits` (an upper bound by whole digits comes with it); returns the highest digit.
    pub(super) fn show_nonnegative(&mut self, lens: &[usize], expr: &Expr, bits: usize) -> Expr {
        if bits <= self.bits {
            self.lookup(lens, expr.clone(), self.top_bits(lens, bits));
            return expr.clone();
        }
        let quantity = self.quantity(Quantity::Expr { expr: expr.clone(), lens: lens.to_vec() });
        let (high, top) = self.high_digits(lens, quantity, 1, bits);
        let low = expr.clone().checked_add(&high, -1).expect("expressions in ranges have small coefficients");
        self.lookup(lens, low, self.bits);
        top.expect("more than one digit")
    }

    /// A new value of at most `bits` bits that is shown not to be negative, and its highest digit.
    pub(super) fn new_nonnegative(
        &mut self,
        lens: &[usize],
        quantity: Quantity,
        bits: usize,
    ) -> (Expr, Expr) {
        let quantity = self.quantity(quantity);
        let (sum, top) = self.high_digits(lens, quantity, 0, bits);
        (sum, top.expect("at least one digit"))
    }

    /// With `value ≥ 0` shown by digits of which `top` is the highest: shows `value < n`.
    fn show_below(&mut self, lens: &[usize], value: &Expr, top: &Expr, n: u128) {
        let bits = bits_below(n);
        if n == 1 << bits {
            let spare = bits.div_ceil(self.bits).max(1) * self.bits - bits;
            if spare > 0 && self.top_bits(lens, bits) == self.bits {
                let shifted = Expr::default().checked_add(top, 1 << spare);
                self.lookup(lens, shifted.expect("digits are small"), self.bits);
            }
        } else {
            let rest = Expr::constant((n - 1) as i128).checked_add(value, -1);
            self.show_nonnegative(lens, &rest.expect("values in ranges are small"), bits);
        }
    }

    /// A new value that is shown to lie in `[0, n)`.
    pub(super) fn new_below(&mut self, lens: &[usize], quantity: Quantity, n: u128) -> Expr {
        if n == 1 {
            return Expr::constant(0);
        }
        let (value, top) = self.new_nonnegative(lens, quantity, bits_below(n));
        self.show_below(lens, &value, &top, n);
        value
    }

    /// Shows `expr` to lie in `[lo, hi]`.
    pub(super) fn show_in_range(&mut self, lens: &[usize], expr: &Expr, lo: i64, hi: i64) {
        let n = (i128::from(hi) - i128::from(lo) + 1) as u128;
        let value = expr.clone().checked_add(&Expr::constant(lo.into()), -1).expect("bounds are small");
        if n == 1 {
            self.checks.push(Check::Linear { lens: lens.to_vec(), expr: value });
            return;
        }
        let top = self.show_nonnegative(lens, &value, bits_below(n));
        self.show_below(lens, &value, &top, n);
    }

    /// Notes bounds of some elements of a committed tensor.
    pub(super) fn note_bounds(&mut self, view: &tacit_relations::View, lo: i64, hi: i64) {
        let id = view.tensor;
        let own = self.width_bounds(id);
        let len = self.system.tensor(id).len();
        let bounds = self.bounds.entry(id).or_insert_with(|| vec![own; len]);
        let mut padding = false;
        for i in 0..view.len() {
            match view.index(i) {
                Some(at) => bounds[at] = (bounds[at].0.max(lo), bounds[at].1.min(hi)),
                None => padding = true,
            }
        }
        if padding && !(lo..=hi).contains(&0) {
            self.checks.push(Check::Linear { lens: Vec::new(), expr: Expr::constant(1) });
        }
    }

    /// Bounds that follow from a committed tensor's width.
    pub(super) fn width_bounds(&self, id: TensorId) -> (i64, i64) {
        let width = self.system.tensor(id).width;
        (-(1 << (width - 1)), (1 << (width - 1)) - 1)
    }

    /// Shows every element of a committed tensor to lie in its bounds.
    pub(super) fn show_bounds(&mut self, id: TensorId) {
        let lens = self.grid(id).lens;
        let expr = self.tensor(id).clone();
        let own = self.width_bounds(id);
        let bounds = self.bounds.remove(&id).unwrap_or_default();
        let (lo, hi) = bounds.first().copied().unwrap_or(own);
        if bounds.iter().any(|b| b.0 > b.1) {
            self.checks.push(Check::Linear { lens: Vec::new(), expr: Expr::constant(1) });
            return;
        }
        if bounds.iter().all(|b| *b == (lo, hi)) {
            return self.show_in_range(&lens, &expr, lo, hi);
        }
        let spans = bounds.iter().map(|(lo, hi)| (i128::from(*hi) - i128::from(*lo)) as u128 + 1);
        let bits = spans.map(bits_below).max().unwrap_or(0).max(1);
        let lows = self.public(&lens, PublicVector::Values(bounds.iter().map(|b| b.0).collect()));
        let highs = self.public(&lens, PublicVector::Values(bounds.iter().map(|b| b.1).collect()));
        for (larger, smaller) in [(&expr, &lows), (&highs, &expr)] {
            let difference = larger.clone().checked_add(smaller, -1).expect("coefficients of one");
            self.show_nonnegative(&lens, &difference, bits);
        }
    }

    /// The certificate: every weight fits its width.
    pub(super) fn widths_of_weights(mut self) -> super::Plan {
        let weights: Vec<TensorId> = self.system.segment(Segment::Weights).collect();
        for id in weights {
            self.show_bounds(id);
        }
        self.finish()
    }

    /// Lengths of a tensor's axes.
    pub(super) fn lens(&self, id: TensorId) -> Vec<usize> {
        Grid::of_shape(&self.system.tensor(id).shape).lens
    }
}
