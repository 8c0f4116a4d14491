//! From relations to columns, lookups and equations. Which constraint pins which value is said at each.

use std::sync::Arc;

use tacit_relations::{Grouping, Relation, Segment, Sizes, TensorId, View};

use super::build::Builder;
use super::ranges::{bits_below, shown};
use super::slots::slots;
use super::{Check, Contraction, Fill, Lookup, LookupTable, Part, Plan, PublicRange, PublicVector, Quantity};
use crate::expr::{Expr, Slot};

/// Coefficients beyond this are not multiplied further: the expression gets a column of its own.
const SMALL: i128 = 1 << 62;
/// Integers of a trace have at most this many bits.
const TRACE_BITS: usize = 64;
/// Most blocks of results that a requantisation tells apart by a table.
const MOST_BLOCKS: i128 = 1 << 12;

/// A requantisation.
struct Rule {
    x: View,
    shift: u8,
    lo: i64,
    hi: i64,
    y: TensorId,
}

/// The blocks of `2^bits` values that rounded values fall in; that of the results is number 0.
struct Blocks {
    bits: u8,
    first: i64,
    last: i64,
}

impl Builder<'_> {
    /// The plan of every relation.
    pub(super) fn relations(mut self) -> Plan {
        self.find_absorbed();
        for index in 0..self.system.relations().len() {
            self.relation(index);
        }
        for segment in Segment::COMMITTED {
            for id in self.system.segment(segment).collect::<Vec<_>>() {
                // Inputs and answers fit their widths; weights do by their certificate.
                if segment != Segment::Weights || self.bounds.contains_key(&id) {
                    self.show_bounds(id);
                }
            }
        }
        self.finish()
    }

    /// Accumulators that one requantisation reads whole need no column: they are a form of what it commits.
    fn find_absorbed(&mut self) {
        let system = self.system;
        let mut producers: Vec<Option<&Relation>> = vec![None; system.tensors().len()];
        for (index, relation) in system.relations().iter().enumerate() {
            if let Relation::Requant { x, y, .. } = relation {
                let (from, to) = (self.grid(x.tensor), self.grid(*y));
                let identity: Vec<Slot> = (0..to.lens.len()).map(Slot::Axis).collect();
                let whole = from == to && slots(x, &from, &to.lens).as_ref() == Some(&identity);
                let produced = matches!(
                    producers[x.tensor.0 as usize],
                    Some(Relation::Contraction { .. } | Relation::Product { .. } | Relation::Table { .. })
                );
                if whole && produced && system.tensor(x.tensor).segment == Segment::Witness {
                    self.absorbed.entry(x.tensor).or_insert(index);
                }
            }
            if let Some(y) = relation.result() {
                producers[y.0 as usize] = Some(relation);
            }
        }
    }

    fn relation(&mut self, index: usize) {
        let system = self.system;
        match &system.relations()[index] {
            Relation::Contraction { a, c, grouping, bias, y } => {
                self.contraction((a, c), *grouping, bias.as_ref(), *y)
            }
            Relation::Affine { terms, offset, y } => self.affine(terms, *offset, *y),
            Relation::Product { a, c, y } => {
                let lens = self.lens(*y);
                let (left, right) = (self.operand(a, &lens), self.operand(c, &lens));
                let result = self.result(*y);
                self.checks.push(Check::Elementwise { lens, left, right, result });
            }
            Relation::Requant { x, y, .. } => {
                if !self.planned[index] {
                    let lens = self.lens(*y);
                    let x = self.operand(x, &lens);
                    let accumulator = self.requant(index);
                    self.equal(&lens, x, &accumulator);
                }
            }
            Relation::Range { x, lo, hi } => self.range(x, *lo, *hi),
            Relation::Table { x, first, values, y } => {
                let lens = self.lens(*y);
                let x = self.operand(x, &lens);
                let key = self.small(&lens, x).checked_add(&Expr::constant((*first).into()), -1);
                let key = key.expect("small expressions");
                let result = self.result(*y);
                let values = vec![Arc::clone(values)];
                let table = self.table(LookupTable::Function { values });
                let values = vec![self.small(&lens, result)];
                self.lookups.push(Lookup { table, lens, key, values });
            }
            Relation::Hint { lo, hi, y, .. } => {
                let (lens, result) = (self.lens(*y), self.result(*y));
                self.show_in_range(&lens, &result, *lo, *hi);
            }
            Relation::Max { x, y } => self.max(x, *y),
            Relation::ArgMax { x, y } => self.argmax(x, *y),
            // A kind that this engine does not know can never be shown.
            _ => self.impossible(),
        }
    }

    fn impossible(&mut self) {
        self.checks.push(Check::Linear { lens: Vec::new(), expr: Expr::constant(1) });
    }

    /// `left = right` everywhere.
    fn equal(&mut self, lens: &[usize], left: Expr, right: &Expr) {
        let difference = match left.clone().checked_add(right, -1) {
            Some(difference) => difference,
            None => {
                let left = self.small(lens, left);
                left.checked_add(right, -1).expect("a column of its own shares no term")
            }
        };
        self.checks.push(Check::Linear { lens: lens.to_vec(), expr: difference });
    }

    /// The expression, or a column equal to it where its coefficients are large.
    fn small(&mut self, lens: &[usize], expr: Expr) -> Expr {
        if expr.constant.abs() <= SMALL && expr.terms.iter().all(|t| t.coefficient.abs() <= SMALL) {
            return expr;
        }
        let quantity = self.quantity(Quantity::Expr { expr: expr.clone(), lens: lens.to_vec() });
        let column = self.witness(lens, Fill::Digit { quantity, shift: 0, bits: None });
        let difference = expr.checked_add(&column, -1).expect("a new column shares no term");
        self.checks.push(Check::Linear { lens: lens.to_vec(), expr: difference });
        column
    }

    /// A requantisation: defines `y` and returns the form that `x` must equal.
    pub(super) fn requant(&mut self, index: usize) -> Expr {
        let Relation::Requant { x, shift, lo, hi, y } = &self.system.relations()[index] else {
            unreachable!("callers pass requantisations")
        };
        self.planned[index] = true;
        let rule = Rule { x: x.clone(), shift: *shift, lo: *lo, hi: *hi, y: *y };
        match self.blocks(&rule) {
            Some(blocks) => self.requant_by_blocks(&rule, blocks),
            None => self.requant_by_distances(&rule),
        }
    }

    /// The rounded values that `x` can have.
    fn rounded(&self, rule: &Rule) -> (i128, i128) {
        let (xlo, xhi) = shown(&rule.x, self.intervals[rule.x.tensor.0 as usize]);
        let half = 1i128 << rule.shift >> 1;
        (xlo.saturating_add(half) >> rule.shift, xhi.saturating_add(half) >> rule.shift)
    }

    /// Where the results are a power of two and `x` reaches beyond them into not too many blocks of as many: how many bits, and
    /// the first and the last block.
    fn blocks(&self, rule: &Rule) -> Option<Blocks> {
        let (lo, n) = (i128::from(rule.lo), (i128::from(rule.hi) - i128::from(rule.lo) + 1) as u128);
        let bits = bits_below(n);
        let (vlo, vhi) = self.rounded(rule);
        let (first, last) = (vlo.saturating_sub(lo) >> bits, vhi.saturating_sub(lo) >> bits);
        let (first, last) = (first.min(0), last.max(0));
        // Every multiple of a column stays far below what expressions hold.
        let small = bits + usize::from(rule.shift) <= 100;
        let few = last.saturating_sub(first) < MOST_BLOCKS;
        let fits = n == 1 << bits && bits > 0 && (first, last) != (0, 0) && few && small;
        fits.then_some(Blocks { bits: bits as u8, first: first as i64, last: last as i64 })
    }

    /// `x + 2^(shift-1) = 2^shift (lo + low + 2^bits · block) + remainder` with `0 ≤ remainder < 2^shift`, `0 ≤ low < 2^bits` and
    /// `block` between the first and the last: exactly one of each for every `x`. A row of the blocks' table fixes whether the block
    /// is that of the results (`within`) or one above (`beyond`), so `y = lo + within · low + beyond · (2^bits − 1)` is the
    /// clamped value and nothing else.
    fn requant_by_blocks(&mut self, rule: &Rule, blocks: Blocks) -> Expr {
        let Rule { x, shift, lo, hi, y } = rule;
        let Blocks { bits, first, last } = blocks;
        let lens = self.lens(*y);
        let part = |part| Quantity::Requant { x: x.clone(), shift: *shift, lo: *lo, hi: *hi, part };
        let low = self.new_below(&lens, part(Part::Low { bits }), 1 << bits);
        let column = |this: &mut Self, which| {
            let quantity = this.quantity(part(which));
            this.witness(&lens, Fill::Digit { quantity, shift: 0, bits: None })
        };
        let block = column(self, Part::Block { bits, first });
        let within = column(self, Part::Within { bits });
        let flag = |set: &dyn Fn(i64) -> bool| -> Arc<[i64]> {
            (first..=last).map(|block| i64::from(set(block))).collect()
        };
        let mut values = vec![within.clone()];
        let mut table = vec![flag(&|block| block == 0)];
        if last > 0 {
            values.push(column(self, Part::Beyond { bits }));
            table.push(flag(&|block| block > 0));
        }
        let beyond = values.get(1).cloned().unwrap_or_default();
        let table = self.table(LookupTable::Function { values: table });
        self.lookups.push(Lookup { table, lens: lens.clone(), key: block.clone(), values });

        let result = self.result(*y);
        let span = i128::from(*hi) - i128::from(*lo);
        let product = result
            .checked_add(&Expr::constant((*lo).into()), -1)
            .and_then(|rest| rest.checked_add(&beyond, -span))
            .expect("results and bounds are small");
        self.checks.push(Check::Elementwise {
            lens: lens.clone(),
            left: within,
            right: low.clone(),
            result: product,
        });

        let half = 1i128 << shift >> 1;
        let remainder = self.new_below(&lens, part(Part::Remainder), 1 << shift);
        let start = i128::from(*lo) + (i128::from(first) << bits);
        Expr::constant((start << shift) - half)
            .checked_add(&low, 1 << shift)
            .and_then(|x| x.checked_add(&block, 1 << (u32::from(*shift) + u32::from(bits))))
            .and_then(|x| x.checked_add(&remainder, 1))
            .expect("digits of 64 bits, shifted by at most 60, stay within 2^120")
    }

    /// `x + 2^(shift-1) = 2^shift (y + above − below) + remainder` with `y ∈ [lo, hi]`, `above, below ≥ 0`,
    /// `0 ≤ remainder < 2^shift`, `above · (hi − y) = 0`, `below · (y − lo) = 0`: for every `x` exactly one
    /// `y`. (If the rounded value exceeds `hi`, `above` is positive, so `y = hi`; in the same way for `lo`;
    /// within, either being positive would put the value on the wrong side.) Defines `y` and returns the form
    /// that `x` must equal.
    fn requant_by_distances(&mut self, rule: &Rule) -> Expr {
        let Rule { ref x, shift, lo, hi, y } = *rule;
        let lens = self.lens(y);
        let part = |part| Quantity::Requant { x: x.clone(), shift, lo, hi, part };
        let result = match self.system.tensor(y).segment {
            Segment::Witness => {
                let value =
                    self.new_below(&lens, part(Part::Result), (i128::from(hi) - i128::from(lo) + 1) as u128);
                value.checked_add(&Expr::constant(lo.into()), 1).expect("digits and bounds are small")
            }
            Segment::Public => {
                let view = View::whole(y, &self.system.tensor(y).shape);
                self.public_ranges.push(PublicRange { view, lo, hi });
                self.result(y)
            }
            _ => {
                let result = self.result(y);
                self.show_in_range(&lens, &result, lo, hi);
                result
            }
        };
        self.exprs[y.0 as usize] = Some(result.clone());

        let half = 1i128 << shift >> 1;
        let (vlo, vhi) = self.rounded(rule);
        let mut value = result.clone();
        for (which, excess, sign) in
            [(Part::Above, vhi - i128::from(hi), 1), (Part::Below, i128::from(lo) - vlo, -1)]
        {
            if excess <= 0 {
                continue;
            }
            let bits = bits_below(excess as u128 + 1).min(TRACE_BITS);
            let (distance, _) = self.new_nonnegative(&lens, part(which), bits);
            value = value.checked_add(&distance, sign).expect("digits are small");
            let room = if sign == 1 {
                Expr::constant(hi.into()).checked_add(&result, -1)
            } else {
                result.clone().checked_add(&Expr::constant(lo.into()), -1)
            };
            let room = room.expect("results and bounds are small");
            if room != Expr::default() {
                let zero = Expr::default();
                self.checks.push(Check::Elementwise {
                    lens: lens.clone(),
                    left: distance,
                    right: room,
                    result: zero,
                });
            }
        }
        let remainder = self.new_below(&lens, part(Part::Remainder), 1 << shift);
        let remainder = remainder.checked_add(&Expr::constant(half), -1).expect("digits are small");
        Expr::default()
            .checked_add(&value, 1 << shift)
            .and_then(|x| x.checked_add(&remainder, 1))
            .expect("digits of 64 bits, shifted by at most 60, stay within 2^120")
    }

    /// `y = Σ coefficient · view + offset`: the result is that form where nothing else defines it.
    fn affine(&mut self, terms: &[(i64, View)], offset: i64, y: TensorId) {
        let lens = self.lens(y);
        let operands: Vec<(i64, Expr)> =
            terms.iter().map(|(by, view)| (*by, self.operand(view, &lens))).collect();
        let sum = |operands: &[(i64, Expr)]| {
            operands
                .iter()
                .try_fold(Expr::constant(offset.into()), |sum, (by, e)| sum.checked_add(e, i128::from(*by)))
                .filter(|e| e.terms.len() <= 64 && e.terms.iter().all(|t| t.coefficient.abs() < 1 << 110))
        };
        let form = sum(&operands).unwrap_or_else(|| {
            // Even an operand that is always zero may be a form of large coefficients.
            let columns: Vec<(i64, Expr)> = operands
                .iter()
                .map(|(by, e)| {
                    let known = e.terms.is_empty();
                    (*by, if known { e.clone() } else { self.column_of(&lens, e.clone()) })
                })
                .collect();
            columns
                .iter()
                .try_fold(Expr::constant(offset.into()), |sum, (by, e)| sum.checked_add(e, i128::from(*by)))
                .expect("64-bit coefficients of new columns, and constants whose sum is below 2^100")
        });
        let free = self.system.tensor(y).segment == Segment::Witness && form.terms.len() <= 64;
        if free && self.exprs[y.0 as usize].is_none() && !self.absorbed.contains_key(&y) {
            self.exprs[y.0 as usize] = Some(form);
        } else {
            let result = self.result(y);
            self.equal(&lens, form, &result);
        }
    }

    /// A column equal to the expression.
    fn column_of(&mut self, lens: &[usize], expr: Expr) -> Expr {
        let quantity = self.quantity(Quantity::Expr { expr: expr.clone(), lens: lens.to_vec() });
        let column = self.witness(lens, Fill::Digit { quantity, shift: 0, bits: None });
        self.equal(lens, expr, &column);
        column
    }

    /// Bounds: of public values compared by the verifier, of committed tensors gathered, of others looked up.
    fn range(&mut self, x: &View, lo: i64, hi: i64) {
        match self.system.tensor(x.tensor).segment {
            Segment::Constant | Segment::Public => {
                self.public_ranges.push(PublicRange { view: x.clone(), lo, hi });
            }
            Segment::Witness => {
                let lens: Vec<usize> = x.axes.iter().map(|a| a.len).collect();
                let expr = self.operand(x, &lens);
                let expr = self.small(&lens, expr);
                self.show_in_range(&lens, &expr, lo, hi);
            }
            _ => self.note_bounds(x, lo, hi),
        }
    }

    /// The result of a relation over axes that fall into groups of these sizes, the last into one axis where
    /// `single` says so; a view of it where its own axes do not.
    fn grouped_result(&mut self, y: TensorId, sizes: &[usize], single: bool) -> (Vec<Vec<usize>>, Expr) {
        let own = self.lens(y);
        let mut rest = own.iter().copied();
        let groups: Option<Vec<Vec<usize>>> = sizes
            .iter()
            .map(|&size| {
                let (mut group, mut covered) = (Vec::new(), 1);
                while covered < size {
                    let len = rest.next()?;
                    group.push(len);
                    covered *= len;
                }
                (covered == size).then_some(group)
            })
            .collect();
        let fits = |groups: &Vec<Vec<usize>>| !single || groups.last().is_none_or(|group| group.len() <= 1);
        if let Some(groups) = groups.filter(fits) {
            return (groups, self.result(y));
        }
        let groups: Vec<Vec<usize>> = sizes.iter().map(|&size| vec![size]).collect();
        let lens: Vec<usize> = sizes.to_vec();
        let view = View::whole(y, &[self.system.tensor(y).len()]);
        if self.system.tensor(y).segment == Segment::Public {
            // Its natural expression is there for whoever else reads it.
            self.result(y);
            return (groups, self.public(&lens, PublicVector::View(view)));
        }
        self.result(y);
        (groups, self.viewed(&view, &lens))
    }

    fn contraction(&mut self, (a, c): (&View, &View), grouping: Grouping, bias: Option<&View>, y: TensorId) {
        let sizes = grouping.sizes(a, c).expect("a system's operands agree");
        let Sizes { batches: b, rows: m, columns: n, .. } = sizes;
        let groups = grouping.groups(a, c).expect("a system's operands agree");
        let k = groups.depth.iter().map(|axis| axis.len).collect::<Vec<_>>();
        let (groups, result) = self.grouped_result(y, &[b, m, n], false);
        let [batch, rows, columns] = groups.try_into().expect("three groups were asked for");
        let left = self.operand(a, &[&batch[..], &rows, &k].concat());
        let right = self.operand(c, &[&batch[..], &k, &columns].concat());
        let lens = [&batch[..], &rows, &columns].concat();
        let result = match bias {
            None => result,
            Some(bias) => {
                let bias = self.operand(bias, &lens);
                match result.clone().checked_add(&bias, -1) {
                    Some(difference) => difference,
                    None => {
                        let bias = self.column_of(&lens, bias);
                        result.checked_add(&bias, -1).expect("a new column shares no term")
                    }
                }
            }
        };
        let contraction = Contraction { batch, rows, columns, k, left, right, result };
        self.checks.push(Check::Contraction(Box::new(contraction)));
    }

    /// `Σ_k left · right = result` over the leading axes.
    fn row_sums(&mut self, lead: &[usize], k: usize, left: Expr, right: Expr, result: Expr) {
        self.checks.push(Check::Contraction(Box::new(Contraction {
            batch: lead.to_vec(),
            rows: Vec::new(),
            columns: Vec::new(),
            k: vec![k],
            left,
            right,
            result,
        })));
    }

    /// Each row of `selector` has a single one and zeros.
    fn one_hot(&mut self, lead: &[usize], k: usize, selector: &Expr) {
        let less_one = selector.clone().checked_add(&Expr::constant(1), -1).expect("a column");
        self.checks.push(Check::Elementwise {
            lens: [lead, &[k]].concat(),
            left: selector.clone(),
            right: less_one,
            result: Expr::default(),
        });
        self.row_sums(lead, k, selector.clone(), Expr::constant(1), Expr::constant(1));
    }

    /// Bits of a difference of two values of the viewed tensor.
    fn difference_bits(&self, x: &View) -> usize {
        let (lo, hi) = self.intervals[x.tensor.0 as usize];
        let spread = hi.max(0).saturating_sub(lo.min(0)).max(1);
        bits_below(spread as u128 + 1).min(TRACE_BITS)
    }

    /// `y` is at least every candidate (differences are not negative) and equal to one (a one-hot selector).
    fn max(&mut self, x: &View, y: TensorId) {
        let lead = self.lens(y);
        let k = x.len() / lead.iter().product::<usize>();
        let lens = [&lead[..], &[k]].concat();
        let candidates = self.operand(x, &lens);
        let candidates = self.small(&lens, candidates);
        let result = self.result(y);
        let result = self.small(&lead, result);
        let quantity = self.quantity(Quantity::Selector { x: x.clone(), along: k });
        let selector = self.witness(&lens, Fill::Digit { quantity, shift: 0, bits: None });
        self.one_hot(&lead, k, &selector);
        self.row_sums(&lead, k, selector, candidates.clone(), result.clone());
        let difference = result.checked_add(&candidates, -1).expect("small expressions");
        let bits = self.difference_bits(x);
        self.show_nonnegative(&lens, &difference, bits);
    }

    /// `y` is one-hot and selects a value that is at least every candidate and more than each before it.
    fn argmax(&mut self, x: &View, y: TensorId) {
        let k = x.axes.last().map_or(1, |a| a.len);
        let (mut groups, selector) = self.grouped_result(y, &[x.len() / k, k], true);
        groups.truncate(1);
        let lead = groups.remove(0);
        let lens = [&lead[..], &[k]].concat();
        // An axis of length one is in no tensor's grid.
        let axes: Vec<Slot> = (0..lens.len()).map(Slot::Axis).collect();
        let selector = if k == 1 { selector.compose(&axes[..lead.len()]) } else { selector };
        let candidates = self.operand(x, &lens);
        let candidates = self.small(&lens, candidates);
        self.one_hot(&lead, k, &selector);
        let quantity = self.quantity(Quantity::Maximum { x: x.clone() });
        let maximum = self.witness(&lead, Fill::Digit { quantity, shift: 0, bits: None });
        self.row_sums(&lead, k, selector.clone(), candidates.clone(), maximum.clone());
        // later[j] = Σ_{i > j} selector[i]
        let quantity = self.quantity(Quantity::Later { selector: y, along: k });
        let later = self.witness(&lens, Fill::Digit { quantity, shift: 0, bits: None });
        let triangle = (0..k * k).map(|i| i64::from(i / k > i % k)).collect();
        let triangle = self.public(&[k, k], PublicVector::Values(triangle));
        self.checks.push(Check::Contraction(Box::new(Contraction {
            batch: Vec::new(),
            rows: lead.clone(),
            columns: vec![k],
            k: vec![k],
            left: selector,
            right: triangle,
            result: later.clone(),
        })));
        let difference = maximum
            .checked_add(&candidates, -1)
            .and_then(|d| d.checked_add(&later, -1))
            .expect("small expressions");
        let bits = self.difference_bits(x);
        self.show_nonnegative(&lens, &difference, bits);
    }
}
