//! What a prover of a false claim may say: traces that tell one lie and compute all that follows from it, and the columns that
//! make such a lie as consistent as it can be.

use std::collections::{BTreeSet, HashSet};

use tacit_claim::Metric;
use tacit_model::Labels;
use tacit_relations::testing::arithmetic::forged;
use tacit_relations::{Relation, RelationSystem, Segment, TensorId, Trace};

use super::super::Stage;
use super::claims::{Claimed, System};
use crate::expr::Expr;
use crate::plan::{Fill, Part, Quantity};
use crate::witness::Misfit;

/// Columns of a proof.
pub(super) type Columns = Vec<Vec<i64>>;

/// What is lied about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum About {
    /// One record's observation: its class moved, its bit flipped, its error made smaller.
    Observation,
    /// The same, in the group that is ahead.
    Ahead,
    /// Selectors that select none, several, or with other coefficients; labels alike.
    Rows,
    /// What observations follow from: outputs, accumulators, maxima, ranks.
    Behind,
    /// Sums over classes, records and forms, and what they have beyond their thresholds.
    Total,
}

pub(super) const ABOUT: [About; 5] =
    [About::Observation, About::Ahead, About::Rows, About::Behind, About::Total];

/// A lie that would help.
pub(super) struct Lie {
    pub(super) about: About,
    pub(super) tensor: TensorId,
    pub(super) trace: Trace,
}

/// The relation that defines a tensor, and its place.
fn producer(system: &RelationSystem, id: TensorId) -> Option<(usize, &Relation)> {
    system.relations().iter().enumerate().find(|(_, r)| r.result() == Some(id))
}

/// The honest trace but for one tensor, and what follows from that.
pub(super) fn retold(
    system: &RelationSystem,
    honest: &Trace,
    id: TensorId,
    values: Vec<i64>,
) -> Option<Trace> {
    let mut trace = honest.clone();
    trace.values[id.0 as usize] = values;
    forged(system, &trace, id, 0, 0)
}

/// Whether the thresholds are content with a trace of the whole claim.
pub(super) fn comes_out(system: &RelationSystem, trace: &Trace) -> bool {
    let Some(Relation::Range { x, lo, hi }) = system.relations().last() else {
        panic!("thresholds come last")
    };
    x.elements(trace.tensor(x.tensor)).iter().all(|v| (lo..=hi).contains(&v))
}

/// The tensor of one observation per record, and whether it is a class.
pub(super) fn observations(claimed: &Claimed, system: &System) -> TensorId {
    let relations = system.stage.case.system.relations();
    let after = producer(&system.stage.case.system, system.logits).map_or(0, |(at, _)| at + 1);
    let is_it = |r: &&Relation| match (claimed.metric(), r) {
        (Metric::Top(_), Relation::Requant { .. }) => true,
        (Metric::MeanAbsoluteError, Relation::Affine { terms, .. }) => terms[0].0 == 2,
        (Metric::MeanSquaredError, Relation::Product { .. }) => true,
        (Metric::Top(_) | Metric::MeanAbsoluteError | Metric::MeanSquaredError, _) => false,
        (_, Relation::ArgMax { .. }) => true,
        (_, Relation::Contraction { bias, .. }) => bias.is_some(),
        _ => false,
    };
    let found = relations[after..].iter().rfind(is_it).and_then(Relation::result);
    found.unwrap_or_else(|| panic!("{}: nothing is observed", claimed.text))
}

/// Tells lies about one system; keeps those that help.
pub(super) struct Teller<'a> {
    claimed: &'a Claimed,
    system: &'a System,
    helps: &'a dyn Fn(&Trace) -> bool,
    observed: TensorId,
    pub(super) lies: Vec<Lie>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(claimed: &'a Claimed, system: &'a System, helps: &'a dyn Fn(&Trace) -> bool) -> Self {
        Self { claimed, system, helps, observed: observations(claimed, system), lies: Vec::new() }
    }

    fn relations(&self) -> &'a RelationSystem {
        &self.system.stage.case.system
    }

    fn honest(&self) -> &'a Trace {
        &self.system.stage.case.trace
    }

    /// Whether it helps that a tensor has these values.
    fn tell(&mut self, about: About, tensor: TensorId, values: Vec<i64>) -> bool {
        let told = retold(self.relations(), self.honest(), tensor, values);
        let told = told.filter(|trace| (self.helps)(trace));
        let helps = told.is_some();
        self.lies.extend(told.map(|trace| Lie { about, tensor, trace }));
        helps
    }

    fn row(&self, tensor: TensorId, record: usize, row: &[i64]) -> Vec<i64> {
        let mut values = self.honest().tensor(tensor).to_vec();
        values[record * row.len()..][..row.len()].copy_from_slice(row);
        values
    }

    /// Every record's class moved to every other, every bit flipped: how many of these help.
    pub(super) fn observations(&mut self, records: impl Iterator<Item = usize>, first: usize) {
        let values = self.honest().tensor(self.observed).to_vec();
        for i in records {
            let at = i - first;
            let about = if self.claimed.is_ahead(i) { About::Ahead } else { About::Observation };
            match self.claimed.metric() {
                Metric::Top(_) => {
                    let bit = 1 - values[at];
                    self.tell(about, self.observed, self.row(self.observed, at, &[bit]));
                }
                metric if metric.is_error() => {
                    // By one, by two, by all of it.
                    for smaller in BTreeSet::from([values[at] - 1, values[at] - 2, 0]) {
                        if (0..values[at]).contains(&smaller) {
                            self.tell(about, self.observed, self.row(self.observed, at, &[smaller]));
                        }
                    }
                }
                _ => {
                    let classes = self.claimed.architecture().schema.classes.len();
                    for class in (0..classes).filter(|c| *c != self.claimed.answers[i].predicted) {
                        let row: Vec<i64> = (0..classes).map(|c| i64::from(c == class)).collect();
                        self.tell(about, self.observed, self.row(self.observed, at, &row));
                    }
                }
            }
        }
    }

    /// Rows that are no selection (or no label), in one record and in all.
    pub(super) fn rows(&mut self) {
        let classes = self.claimed.architecture().schema.classes.len();
        if classes == 0 || matches!(self.claimed.metric(), Metric::Top(_)) && !self.claimed.hidden {
            return;
        }
        let mut tensors = Vec::new();
        if !matches!(self.claimed.metric(), Metric::Top(_)) {
            tensors.push(self.observed);
        }
        tensors.extend(self.relations().segment(Segment::Input).nth(1));
        for tensor in tensors {
            let honest: Vec<usize> = (self.honest().tensor(tensor).chunks(classes))
                .map(|row| row.iter().position(|v| *v == 1).expect("one-hot"))
                .collect();
            for other in 1..classes {
                for [own, by] in [[1, 1], [0, 0], [-1, 2], [2, -1], [-1, 1], [0, 2]] {
                    let row = |i: usize| -> Vec<i64> {
                        let (at, other) = (honest[i], (honest[i] + other) % classes);
                        let of = |c| if c == at { own } else { i64::from(c == other) * by };
                        (0..classes).map(of).collect()
                    };
                    for i in 0..honest.len() {
                        self.tell(About::Rows, tensor, self.row(tensor, i, &row(i)));
                    }
                    self.tell(About::Rows, tensor, (0..honest.len()).flat_map(row).collect());
                }
            }
            if classes > 2 {
                // Every class but one, less that one.
                let element = |i: usize| if i % classes == honest[i / classes] { -1 } else { 1 };
                self.tell(About::Rows, tensor, (0..classes * honest.len()).map(element).collect());
            }
        }
    }

    /// Outputs exchanged or made right, and accumulators likewise.
    pub(super) fn outputs(&mut self) {
        let Some((_, Relation::Requant { x, shift, .. })) = producer(self.relations(), self.system.logits)
        else {
            panic!("outputs are requantised")
        };
        let (n, width) = (self.claimed.answers.len(), self.honest().tensor(self.system.logits).len());
        let width = width / n;
        for (tensor, shift) in [(self.system.logits, 0), (x.tensor, *shift)] {
            for i in 0..n {
                let row = self.honest().tensor(tensor)[i * width..][..width].to_vec();
                if width > 1 {
                    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
                        let mut row = row.clone();
                        row.swap(a, b);
                        self.tell(About::Behind, tensor, self.row(tensor, i, &row));
                    }
                    continue;
                }
                let right = match self.claimed.data.labels() {
                    Some(Labels::Numbers { values, .. }) => {
                        values[i] << self.claimed.architecture().output_exponent
                    }
                    _ => i64::from(row[0] <= 0),
                };
                self.tell(About::Behind, tensor, self.row(tensor, i, &[right << shift]));
            }
        }
    }

    /// Committed records just out of their declared ranges.
    pub(super) fn records(&mut self) {
        let tensor = self.relations().segment(Segment::Input).next().expect("records are hidden");
        let schema = &self.claimed.architecture().schema;
        for i in 0..self.honest().tensor(tensor).len() {
            let feature = &schema.features[i % schema.features.len()];
            for value in [feature.min - 1, feature.max + 1] {
                self.tell(About::Rows, tensor, self.row(tensor, i, &[value]));
            }
        }
    }

    /// Every element of everything from the accumulators on, a little off or by just what is missing: for each the nearest
    /// lie in either direction that helps. `sums` are those over all records.
    pub(super) fn elements(&mut self, sums: &[i64], only_totals: bool) {
        let system = self.relations();
        let observed = producer(system, self.observed).map_or(0, |(at, _)| at);
        let from = producer(system, self.system.logits).map_or(0, |(at, _)| at.saturating_sub(1));
        let missing = self.claimed.tally.forms.iter().zip(sums).map(|(f, sum)| f.at_least - sum);
        let missing: BTreeSet<i64> = missing.filter(|m| *m > 0).collect();
        for (at, relation) in system.relations().iter().enumerate().skip(from) {
            let Some(tensor) = relation.result() else { continue };
            let about = match at.cmp(&observed) {
                std::cmp::Ordering::Less => About::Behind,
                std::cmp::Ordering::Equal => About::Rows,
                std::cmp::Ordering::Greater => About::Total,
            };
            // Observations of one number are told one by one elsewhere.
            let is_number =
                self.claimed.metric().is_error() || matches!(self.claimed.metric(), Metric::Top(_));
            if about == About::Rows && is_number || only_totals && about != About::Total {
                continue;
            }
            let honest = self.honest().tensor(tensor).to_vec();
            for i in 0..honest.len() {
                for sign in [1, -1] {
                    let by = BTreeSet::from([1, 2, 40]).into_iter();
                    let by = by.chain(missing.iter().copied().filter(|_| about == About::Total));
                    let _: bool = by.collect::<BTreeSet<i64>>().into_iter().any(|by| {
                        let mut values = honest.clone();
                        values[i] += sign * by;
                        self.tell(about, tensor, values)
                    });
                }
            }
        }
    }
}

/// How digits of a value that has none are made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    /// The highest is negative.
    Natural,
    /// Those of zero.
    Zero,
    /// Those of its magnitude.
    Magnitude,
}

impl Digits {
    fn of(self, v: i128) -> i128 {
        match self {
            _ if v >= 0 => v,
            Self::Natural => v,
            Self::Zero => 0,
            Self::Magnitude => -v,
        }
    }
}

type Told<'t> = &'t dyn Fn(&Quantity) -> Option<Vec<i128>>;

/// The columns of a trace where some quantities are what the prover says; the others follow.
fn refill(stage: &Stage, trace: &Trace, digits: Digits, told: Told<'_>) -> Option<Columns> {
    let mut columns = stage.fill(trace, Misfit::Ignore)?;
    for (i, column) in stage.plan.columns.iter().enumerate() {
        let Fill::Digit { quantity, shift, bits } = &column.fill else { continue };
        let quantity = &stage.plan.quantities[*quantity];
        let integers = match (told(quantity), quantity) {
            (Some(told), _) => told,
            (None, Quantity::Expr { expr, lens }) => {
                expr.integers(lens, &stage.values(&columns)).into_iter().map(|v| digits.of(v)).collect()
            }
            _ => continue,
        };
        let mask = bits.map_or(-1, |bits| (1i128 << bits) - 1);
        let cut = integers.iter().map(|v| i64::try_from(v >> shift & mask).ok());
        columns[i] = cut.collect::<Option<_>>()?;
    }
    stage.recount(&mut columns);
    Some(columns)
}

/// The columns of the truth, whether or not it is what the claim says.
pub(super) fn truth(stage: &Stage) -> Columns {
    refill(stage, &stage.case.trace, Digits::Natural, &|_| None).expect("the truth fits")
}

/// Parts of a requantisation whose result is a lie: nothing else changed, the remainder makes up for it, the distances do.
fn requantised(
    stage: &Stage,
    relation: &Relation,
    lie: &Lie,
    variant: usize,
    q: &Quantity,
) -> Option<Vec<i128>> {
    let (
        Relation::Requant { x, shift, lo, hi, y },
        Quantity::Requant { x: of, shift: by, lo: low, hi: high, part },
    ) = (relation, q)
    else {
        return None;
    };
    if (x, shift, lo, hi) != (of, by, low, high) {
        return None;
    }
    let operand = x.materialise(stage.case.trace.tensor(x.tensor));
    let (lo, hi, half) = (i128::from(*lo), i128::from(*hi), 1i128 << shift >> 1);
    let parts = operand.iter().zip(lie.trace.tensor(*y)).map(|(x, y)| {
        let (sum, y) = (i128::from(*x) + half, i128::from(*y));
        let rounded = sum >> shift;
        let (mut above, mut below) = ((rounded - hi).max(0), (lo - rounded).max(0));
        let mut rest = sum - (rounded << shift);
        match variant {
            1 => rest = sum - ((y + above - below) << shift),
            2 => (above, below) = ((rounded - y).max(0), (y - rounded).max(0)),
            _ => {}
        }
        match part {
            Part::Result => y - lo,
            Part::Above => above,
            Part::Below => below,
            Part::Remainder => rest,
            Part::Low { bits } => match variant {
                // The low part of the lie, in the true block.
                1 | 2 => y - lo,
                _ => (rounded - lo) & ((1 << bits) - 1),
            },
            Part::Block { bits, first } => match variant {
                2 => -i128::from(*first),
                _ => ((rounded - lo) >> bits) - i128::from(*first),
            },
            Part::Within { bits } => match variant {
                2..=4 => 1,
                5 => 0,
                _ => i128::from((rounded - lo) >> bits == 0),
            },
            Part::Beyond { bits } => match variant {
                2 | 3 => 0,
                4 | 5 => i128::from(y == hi),
                _ => i128::from((rounded - lo) >> bits > 0),
            },
        }
    });
    Some(parts.collect())
}

/// Every way to fill columns with a lie.
pub(super) fn columns(stage: &Stage, lie: &Lie) -> HashSet<Columns> {
    let system = &stage.case.system;
    let relation = producer(system, lie.tensor).map(|(_, r)| r);
    let told = |variant: usize, q: &Quantity| -> Option<Vec<i128>> {
        match (relation?, q) {
            (Relation::ArgMax { x, y }, Quantity::Maximum { x: of }) if x == of && variant % 2 == 1 => {
                let candidates = x.materialise(lie.trace.tensor(x.tensor));
                let width = x.axes.last().map_or(1, |a| a.len);
                let rows = candidates.chunks(width).zip(lie.trace.tensor(*y).chunks(width));
                let product =
                    |(c, s): (&[i64], &[i64])| c.iter().zip(s).map(|(c, s)| i128::from(c * s)).sum();
                Some(rows.map(product).collect())
            }
            (Relation::ArgMax { y, .. }, Quantity::Later { selector, along })
                if y == selector && variant > 1 =>
            {
                let later = |row: &[i64]| -> Vec<i128> {
                    let after = |j: usize| row[j + 1..].iter().map(|v| i128::from(*v)).sum();
                    (0..row.len()).map(|j| if variant > 3 { 0 } else { after(j) }).collect()
                };
                Some(stage.case.trace.tensor(*y).chunks(*along).flat_map(later).collect())
            }
            (relation @ Relation::Requant { .. }, q) => requantised(stage, relation, lie, variant, q),
            (_, Quantity::Expr { expr, .. }) => {
                let own = stage.plan.tensors[lie.tensor.0 as usize].as_ref();
                let own = own.filter(|own| *own == expr && variant == 1)?;
                let values = lie.trace.tensor(lie.tensor);
                (!own.terms.is_empty()).then(|| values.iter().map(|v| i128::from(*v)).collect())
            }
            _ => None,
        }
    };
    let mut all = HashSet::new();
    for variant in 0..6 {
        for digits in [Digits::Natural, Digits::Zero, Digits::Magnitude] {
            let filled = refill(stage, &lie.trace, digits, &|q| told(variant, q));
            all.extend(filled.filter(|c| stage.computable(c)));
        }
    }
    all
}

/// An equation or a lookup of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Check(usize),
    Lookup(usize),
}

/// What these columns break of the plan.
pub(super) fn broken(stage: &mut Stage, columns: &Columns) -> Vec<Item> {
    let checks = std::mem::take(&mut stage.plan.checks);
    let lookups = std::mem::take(&mut stage.plan.lookups);
    let tables = std::mem::take(&mut stage.plan.tables);
    let mut broken = Vec::new();
    let mut kept = Vec::with_capacity(checks.len());
    for (i, check) in checks.into_iter().enumerate() {
        stage.plan.checks.push(check);
        if !stage.satisfied(columns) {
            broken.push(Item::Check(i));
        }
        kept.extend(stage.plan.checks.pop());
    }
    for (i, lookup) in lookups.iter().enumerate() {
        let integers = |expr: &Expr| expr.integers(&lookup.lens, &stage.values(columns));
        let (keys, beside) = (integers(&lookup.key), lookup.values.iter().map(integers).collect::<Vec<_>>());
        let table = &tables[lookup.table];
        let is_row = |(j, key): (usize, &i128)| {
            let row = usize::try_from(*key).ok().filter(|&row| row < 1 << table.vars());
            row.is_some_and(|row| {
                table.key(row) == row
                    && table.values(row).map(i128::from).eq(beside.iter().map(|values| values[j]))
            })
        };
        if !keys.iter().enumerate().all(is_row) {
            broken.push(Item::Lookup(i));
        }
    }
    (stage.plan.checks, stage.plan.lookups, stage.plan.tables) = (kept, lookups, tables);
    broken
}
