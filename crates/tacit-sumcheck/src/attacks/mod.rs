//! Dishonest provers: what no proof may show, tried with the prover's own algebra.
//!
//! A [`Stage`] is a case whose prover commits to any columns at all; [`Stage::satisfied`] says over the
//! integers whether columns are what the plan asks for, sharing nothing with the protocol. A [`Liar`] follows
//! the protocol but for one message. Where an attack would succeed against a verifier that draws a challenge
//! too early, the test says so by showing that it does succeed when the challenge is known in advance.

mod accuracy;
mod columns;
mod merges;
mod messages;
mod opening;
mod points;
mod selections;
mod systems;

use std::borrow::Cow;
use std::collections::BTreeMap;

use halo2curves::ff::Field as _;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_relations::testing::Case;
use tacit_relations::{Commitment, Opening, Openings, Segment, Statement, TensorId, Trace};

use crate::claims::Context;
use crate::engine::PROOF;
use crate::expr::{Expr, Source, Values};
use crate::group::{Affine, F, Generators, encode, f_from_i128};
use crate::hyrax::{Row, commit_rows};
use crate::party::{Malformed, Message, Opened, Party, Prover, Requirements};
use crate::plan::{Check, Fill, Plan};
use crate::protocol::{self, public_vectors, segment_blinds};
use crate::transcript::{Oracle, Transcript};
use crate::witness::{Misfit, fill, multiplicities};

/// How many cases are tried of each attack: `all` with `TACIT_TESTS_THOROUGH=1` in the environment, which takes minutes.
fn cases(usual: usize, all: usize) -> usize {
    if std::env::var("TACIT_TESTS_THOROUGH").as_deref() == Ok("1") { all } else { usual }
}

/// Public values of a statement.
type Public = BTreeMap<TensorId, Vec<i64>>;

/// A case whose prover commits to whatever it likes.
struct Stage {
    case: Case,
    plan: Plan,
    public: Public,
    publics: Vec<Vec<i64>>,
    openings: Openings,
    /// The honest columns.
    columns: Vec<Vec<i64>>,
}

impl Stage {
    fn new(case: Case) -> Self {
        let plan = Plan::new(&case.system);
        Self::planned(case, plan)
    }

    fn planned(case: Case, plan: Plan) -> Self {
        let mut stage = Self::empty(case, plan);
        stage.columns = stage.fill(&stage.case.trace, Misfit::Refuse).expect("the trace is honest");
        stage
    }

    /// Without columns: the case's trace may be of a statement that is false.
    fn empty(case: Case, plan: Plan) -> Self {
        let system = &case.system;
        let public = system.segment(Segment::Public).map(|id| (id, case.trace.tensor(id).to_vec())).collect();
        let openings = Segment::COMMITTED
            .into_iter()
            .filter(|s| system.segment(*s).next().is_some())
            .map(|s| (s, Opening([s as u8 + 1; 32])))
            .collect();
        let mut stage =
            Self { case, plan, public: Public::new(), publics: Vec::new(), openings, columns: Vec::new() };
        stage.claim(public);
        stage
    }

    /// Claims other public values.
    fn claim(&mut self, public: Public) {
        self.public = public;
        self.publics = public_vectors(&self.plan, &self.statement(BTreeMap::new()));
    }

    fn statement(&self, commitments: BTreeMap<Segment, Commitment>) -> Statement {
        let (system, public) = (self.case.system.clone(), self.public.clone());
        Statement { system, binding: [7; 32], commitments, public }
    }

    fn values(&self, columns: &[Vec<i64>]) -> Values<'_> {
        Values {
            columns: columns.iter().map(|c| Cow::Owned(c.clone())).collect(),
            column_grids: &self.plan.column_grids,
            publics: &self.publics,
            public_grids: &self.plan.public_grids,
            views: &self.plan.views,
        }
    }

    fn context(&self, columns: &[Vec<i64>], proving: bool) -> Context<'_> {
        Context { plan: &self.plan, values: self.values(columns), proving }
    }

    /// The columns that a trace, honest or not, leads to.
    fn fill<'a>(&'a self, trace: &'a Trace, misfit: Misfit) -> Option<Vec<Vec<i64>>> {
        let mut values = self.values(&[]);
        fill(&self.plan, trace, &mut values, misfit).ok()?;
        Some(values.columns.into_iter().map(Cow::into_owned).collect())
    }

    /// Counts lookups anew, those that miss left out.
    fn recount(&self, columns: &mut [Vec<i64>]) {
        for (i, column) in self.plan.columns.iter().enumerate() {
            if let Fill::Multiplicities { table } = column.fill {
                let values = self.values(columns);
                columns[i] =
                    multiplicities(&self.plan, table, &values, Misfit::Ignore).expect("misses are ignored");
            }
        }
    }

    /// Rows of all columns of the statement's segments, and their blinds.
    fn committed(&self, columns: &[Vec<i64>]) -> BTreeMap<Segment, Commitment> {
        let mut all = BTreeMap::new();
        for (segment, opening) in &self.openings {
            let own = || self.plan.columns.iter().zip(columns).filter(|(c, _)| c.segment == *segment);
            let blinds = segment_blinds(*segment, opening, own().map(|(c, _)| c.layout.rows()).sum());
            let rows: Vec<Row<'_>> = own().flat_map(|(c, v)| protocol::rows(&c.layout, v)).collect();
            let points = commit_rows(&Generators::get(self.plan.width), &rows, &blinds);
            all.insert(*segment, Commitment(points.iter().flat_map(encode).collect()));
        }
        all
    }

    /// Blinds of the statement's columns.
    fn blinds(&self) -> Vec<Vec<F>> {
        let mut blinds = Vec::new();
        for segment in Segment::COMMITTED {
            let rows: Vec<usize> = self.plan.segment(segment).map(|c| c.layout.rows()).collect();
            if let Some(opening) = self.openings.get(&segment) {
                let mut all = segment_blinds(segment, opening, rows.iter().sum()).into_iter();
                blinds.extend(rows.into_iter().map(|n| all.by_ref().take(n).collect::<Vec<_>>()));
            }
        }
        blinds
    }

    /// Whether the verifier takes a proof made with these columns and honest algebra.
    fn accepts(&self, columns: &[Vec<i64>]) -> bool {
        self.accepts_under(columns, None)
    }

    /// The same where the oracle answers challenges, for prover and verifier alike.
    fn accepts_under(&self, columns: &[Vec<i64>], oracle: Option<Oracle>) -> bool {
        let statement = self.statement(self.committed(columns));
        let context = self.context(columns, true);
        let transcript = transcript(&statement, oracle);
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let proof = protocol::prove_columns(&context, &self.openings, &mut rng, transcript.clone());
        let proof = proof.expect("every segment has an opening");
        statement.validate().is_ok() && self.verifies(&statement, &proof, transcript)
    }

    fn verifies(&self, statement: &Statement, proof: &[u8], transcript: Transcript) -> bool {
        protocol::verify_with(&self.plan, statement, proof, transcript).is_ok()
    }

    /// Columns that show tensors of this kind.
    fn columns_of(&self, wanted: impl Fn(&Fill) -> bool) -> Vec<usize> {
        (0..self.plan.columns.len()).filter(|&i| wanted(&self.plan.columns[i].fill)).collect()
    }

    /// Whether every expression of the plan stays within 127 bits: the prover's own arithmetic.
    fn computable(&self, columns: &[Vec<i64>]) -> bool {
        let largest = |v: &[i64]| v.iter().map(|v| v.unsigned_abs()).max().unwrap_or(0);
        let columns: Vec<u64> = columns.iter().map(|c| largest(c)).collect();
        let publics: Vec<u64> = self.publics.iter().map(|c| largest(c)).collect();
        // What a view shows is no larger than what it looks at.
        let mut seen: Vec<u64> = Vec::new();
        for viewed in &self.plan.views {
            let known = |source: Source| match source {
                Source::Column(i) => columns[i],
                Source::Public(i) => publics[i],
                Source::Viewed(i) => seen[i],
            };
            let largest = viewed
                .original
                .terms
                .iter()
                .map(|t| t.coefficient.unsigned_abs().saturating_mul(known(t.source).into()));
            let sum = largest.fold(viewed.original.constant.unsigned_abs(), u128::saturating_add);
            let Some(sum) = u64::try_from(sum).ok() else { return false };
            seen.push(sum);
        }
        let small = |expr: &Expr| {
            let reach = |source: Source| match source {
                Source::Column(i) => columns[i],
                Source::Public(i) => publics[i],
                Source::Viewed(i) => seen[i],
            };
            expr.terms
                .iter()
                .try_fold(expr.constant.unsigned_abs(), |sum, t| {
                    sum.checked_add(t.coefficient.unsigned_abs().checked_mul(reach(t.source).into())?)
                })
                .is_some_and(|sum| sum < 1 << 126)
        };
        let looked_up = self.plan.lookups.iter().all(|l| small(&l.key) && l.values.iter().all(small));
        looked_up
            && self.plan.checks.iter().all(|check| match check {
                Check::Linear { expr, .. } => small(expr),
                Check::Elementwise { left, right, result, .. } => {
                    [left, right, result].into_iter().all(small)
                }
                Check::Contraction(c) => [&c.left, &c.right, &c.result].into_iter().all(small),
            })
    }

    /// Whether columns are what the plan asks for: element by element, in the field.
    fn satisfied(&self, columns: &[Vec<i64>]) -> bool {
        let values = self.values(columns);
        let of = |expr: &Expr, lens: &[usize]| expr.integers(lens, &values);
        let in_field = |expr: &Expr, lens: &[usize]| -> Vec<F> {
            of(expr, lens).iter().map(|v| f_from_i128(*v)).collect()
        };
        let checks = self.plan.checks.iter().all(|check| match check {
            Check::Linear { lens, expr } => of(expr, lens).iter().all(|v| *v == 0),
            Check::Elementwise { lens, left, right, result } => {
                let (left, right) = (in_field(left, lens), in_field(right, lens));
                let products = left.iter().zip(&right).map(|(l, r)| *l * r);
                products.eq(in_field(result, lens))
            }
            Check::Contraction(c) => {
                let size = |lens: &[usize]| lens.iter().product::<usize>();
                let (b, m, k, n) = (size(&c.batch), size(&c.rows), size(&c.k), size(&c.columns));
                let left = in_field(&c.left, &[&c.batch[..], &c.rows, &c.k].concat());
                let right = in_field(&c.right, &[&c.batch[..], &c.k, &c.columns].concat());
                let result = in_field(&c.result, &[&c.batch[..], &c.rows, &c.columns].concat());
                (0..b * m * n).all(|i| {
                    let (batch, row, column) = (i / (m * n), i / n % m, i % n);
                    let term = |j| left[(batch * m + row) * k + j] * right[(batch * k + j) * n + column];
                    (0..k).map(term).sum::<F>() == result[i]
                })
            }
        });
        let tables = (0..self.plan.tables.len()).all(|t| {
            let spec = &self.plan.tables[t];
            let column = self.columns_of(|f| matches!(f, Fill::Multiplicities { table } if *table == t))[0];
            let mut owed: BTreeMap<(i128, Vec<i128>), i128> = BTreeMap::new();
            for lookup in self.plan.lookups.iter().filter(|l| l.table == t) {
                let keys = of(&lookup.key, &lookup.lens);
                let beside: Vec<Vec<i128>> = lookup.values.iter().map(|v| of(v, &lookup.lens)).collect();
                for (i, key) in keys.into_iter().enumerate() {
                    *owed.entry((key, beside.iter().map(|v| v[i]).collect())).or_default() += 1;
                }
            }
            for (j, count) in columns[column].iter().enumerate() {
                let row = (spec.key(j) as i128, spec.values(j).map(i128::from).collect());
                *owed.entry(row).or_default() -= i128::from(*count);
            }
            owed.values().all(|left| *left == 0)
        });
        // What views show is never committed; that it is what they say is asked of the plan itself.
        let views = self.plan.views.iter().all(|viewed| {
            let original = of(&viewed.original, &viewed.original_grid.lens);
            let shown = viewed.integers(&values);
            (0..viewed.view.len()).all(|i| shown[i] == viewed.view.index(i).map_or(0, |j| original[j]))
        });
        assert!(views, "a view shows something else");
        checks && tables
    }
}

/// The production transcript, answered by an oracle where there is one.
fn transcript(statement: &Statement, oracle: Option<Oracle>) -> Transcript {
    let transcript = protocol::transcript(PROOF, statement);
    match oracle {
        Some(oracle) => transcript.programmed(oracle),
        None => transcript,
    }
}

/// A prover that is honest but for some of the scalars that it commits to.
struct Liar {
    prover: Prover,
    /// What is off: kind of message, which of them, by how much.
    lies: Vec<(Message, usize, F)>,
    /// How many of each kind were committed so far.
    said: BTreeMap<Message, usize>,
}

impl Liar {
    fn new(transcript: Transcript, lies: Vec<(Message, usize, F)>) -> Self {
        let prover = Prover::new(transcript, ChaCha20Rng::seed_from_u64(4));
        Self { prover, lies, said: BTreeMap::new() }
    }

    /// Commits to the columns that come with the proof; all blinds, those of the statement's columns first.
    fn rows(&mut self, stage: &Stage, columns: &[Vec<i64>]) -> Vec<Vec<F>> {
        let mut blinds = stage.blinds();
        let mut points = Vec::new();
        for (column, values) in stage.plan.columns.iter().zip(columns).skip(blinds.len()) {
            let layout = &column.layout;
            let own: Vec<F> = (0..layout.rows()).map(|_| self.prover.random()).collect();
            points.extend(protocol::commit_vector(&Generators::get(stage.plan.width), layout, values, &own));
            blinds.push(own);
        }
        let count = points.len();
        self.prover.points(Message::WitnessRow, count, || points).expect("a prover reads nothing");
        blinds
    }
}

impl Party for Liar {
    type Scalar = Opened;

    fn commit(
        &mut self,
        kind: Message,
        count: usize,
        values: impl FnOnce() -> Vec<F>,
    ) -> Result<Vec<Opened>, Malformed> {
        let mut values = values();
        for value in &mut values {
            let at = self.said.entry(kind).or_default();
            for (_, _, by) in self.lies.iter().filter(|(k, i, _)| (k, i) == (&kind, &*at)) {
                *value += by;
            }
            *at += 1;
        }
        self.prover.commit(kind, count, || values)
    }

    fn points(
        &mut self,
        kind: Message,
        count: usize,
        points: impl FnOnce() -> Vec<Affine>,
    ) -> Result<Vec<Affine>, Malformed> {
        self.prover.points(kind, count, points)
    }

    fn elements(
        &mut self,
        kind: Message,
        count: usize,
        elements: impl FnOnce() -> Vec<F>,
    ) -> Result<Vec<F>, Malformed> {
        self.prover.elements(kind, count, elements)
    }

    fn challenge(&mut self, label: &str) -> F {
        self.prover.challenge(label)
    }

    fn require_product(&mut self, a: Opened, b: Opened, c: Opened) {
        self.prover.require_product(a, b, c);
    }

    fn require_zero(&mut self, scalar: Opened) {
        self.prover.require_zero(scalar);
    }

    fn requirements(&mut self) -> Requirements<Opened> {
        self.prover.requirements()
    }

    fn value(&self, scalar: &Opened) -> Option<F> {
        self.prover.value(scalar)
    }
}

/// An element that no honest message is off by.
fn off() -> F {
    F::from(0x5eed) + F::ONE
}
