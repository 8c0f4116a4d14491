//! Systems and proofs that a hostile card or prover may come up with: the verifier refuses, it never panics.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tacit_model::testing::SplitMix;
use tacit_relations::testing::builder::Builder;
use tacit_relations::{
    Axis, Commitment, Grouping, HintRule, Relation, RelationSystem, Segment, Statement, TensorId, TensorSpec,
    View,
};

use super::Stage;
use crate::engine::PROOF;
use crate::group::{Generators, encode};
use crate::plan::Plan;
use crate::protocol;

/// A result whose own axes cut the groups of an arg max.
#[test]
fn arg_max_of_any_shape() {
    for (shape, x) in
        [(&[2, 3][..], &[6][..]), (&[4, 2, 3], &[4, 6]), (&[3, 2], &[2, 3]), (&[2, 3, 2], &[6, 2])]
    {
        let mut b = Builder::new(format!("arg max of shape {shape:?} over groups {x:?}"), 80);
        let input = b.input(&[x.iter().product()], 5);
        let view = b.shaped(input, x);
        for segment in [Segment::Witness, Segment::Output] {
            b.to(segment).arg_max(view.clone());
            let spec = b.tensors.last_mut().expect("it was pushed");
            spec.shape = shape.to_vec();
        }
        let stage = Stage::new(b.finish());
        assert!(stage.accepts(&stage.columns), "{}", stage.case.name);
        for column in 0..stage.columns.len() {
            let mut columns = stage.columns.clone();
            columns[column][0] += 1;
            assert!(!stage.accepts(&columns), "{}: column {column}", stage.case.name);
        }
    }
}

/// A value that is always zero may be multiplied by anything, again and again.
#[test]
fn multiples_of_zero() {
    let mut b = Builder::new("multiples of zero", 81);
    let x = b.input(&[3], 5);
    let x = b.all(x);
    let zero = b.constant(&[3], vec![0; 3]);
    let zero = b.all(zero);
    let mut y = b.product(x, zero);
    for by in [1 << 61, i64::MAX, i64::MIN + 1, 1 << 59, i64::MAX] {
        let view = b.all(y);
        y = b.affine(vec![(by, view)], 0);
    }
    let stage = Stage::new(b.finish());
    assert!(stage.accepts(&stage.columns));
}

/// Grows systems with parameters at every extreme.
struct Hostile {
    rng: SplitMix,
    tensors: Vec<TensorSpec>,
    relations: Vec<Relation>,
}

impl Hostile {
    fn pick(&mut self, n: usize) -> usize {
        self.rng.range(0, n as i64 - 1) as usize
    }

    fn extreme(&mut self, most: u32) -> i64 {
        let magnitude = match self.pick(4) {
            0 => i64::from(self.pick(3) as u8),
            1 => 1i64 << self.pick(most as usize),
            2 => ((1i128 << most) - 1) as i64,
            _ => self.rng.range(0, 300),
        };
        if self.pick(2) == 0 { magnitude } else { -magnitude }
    }

    fn shape_of(&mut self, mut len: usize) -> Vec<usize> {
        let mut shape = Vec::new();
        while len > 1 || self.pick(3) == 0 {
            let factors: Vec<usize> = (1..=len).filter(|f| len.is_multiple_of(*f)).collect();
            let factor = factors[self.pick(factors.len())];
            shape.push(factor);
            len /= factor;
        }
        shape
    }

    fn given(&mut self) {
        let len = [1, 2, 3, 5, 6, 70, 130][self.pick(7)];
        let shape = self.shape_of(len);
        let width = [1, 2, 8, 31, 44, 62][self.pick(6)];
        let half = 1i64 << (width - 1);
        let (segment, width, bounds, constant) = match self.pick(5) {
            0 | 1 => (Segment::Input, width, (-half, half - 1), vec![]),
            2 => (Segment::Weights, width, (-half, half - 1), vec![]),
            3 => {
                let c = if self.pick(2) == 0 { 0 } else { self.extreme(40) };
                (Segment::Constant, 0, (c.min(0), c.max(0)), vec![c; len])
            }
            _ => (Segment::Public, 0, (0, if self.pick(2) == 0 { 0 } else { half - 1 }), vec![]),
        };
        self.tensors.push(TensorSpec { shape, bounds, segment, width, constant });
    }

    fn view(&mut self, lens: &[usize]) -> View {
        let tensor = self.pick(self.tensors.len());
        let spec = &self.tensors[tensor];
        let (shape, len) = (spec.shape.clone(), spec.len());
        let whole = View::whole(TensorId(tensor as u32), &shape);
        if lens.iter().product::<usize>() == len && self.pick(2) == 0 {
            return View::whole(whole.tensor, lens);
        }
        let mut room = len - 1;
        let axes = lens
            .iter()
            .map(|&len| {
                let valid = if self.pick(3) == 0 { self.pick(len + 1) } else { len };
                let before = self.pick(len - valid + 1);
                let stride = if valid > 1 { self.pick(room / (valid - 1) + 1) } else { self.pick(9) };
                room -= valid.saturating_sub(1) * stride;
                Axis { len, stride, before, valid }
            })
            .collect();
        View { offset: self.pick(room + 1), axes, ..whole }
    }

    fn lens(&mut self) -> Vec<usize> {
        (0..self.pick(4)).map(|_| [1, 2, 3, 4, 7][self.pick(5)]).collect()
    }

    fn relation(&mut self) {
        let y = TensorId(self.tensors.len() as u32);
        let (relation, len) = match self.pick(9) {
            0 => {
                let [b, m, k, n] = std::array::from_fn(|_| [1, 2, 3, 4][self.pick(4)]);
                let (a, c) = (self.view(&[b, m, k]), self.view(&[b, k, n]));
                let bias = (self.pick(2) == 0).then(|| self.view(&[b, m, n]));
                (Relation::Contraction { a, c, grouping: Grouping::MATRIX, bias, y }, b * m * n)
            }
            1 | 2 => {
                let lens = self.lens();
                let terms = (0..[0, 1, 2, 3, 70][self.pick(5)])
                    .map(|_| (self.extreme(63), self.view(&lens)))
                    .collect();
                let offset = self.extreme(63);
                (Relation::Affine { terms, offset, y }, lens.iter().product())
            }
            3 => {
                let lens = self.lens();
                (Relation::Product { a: self.view(&lens), c: self.view(&lens), y }, lens.iter().product())
            }
            4 => {
                let lens = self.lens();
                let x = if self.pick(2) == 0 {
                    let id = self.pick(self.tensors.len());
                    View::whole(TensorId(id as u32), &[self.tensors[id].len()])
                } else {
                    self.view(&lens)
                };
                let (p, q) = (self.extreme(60), self.extreme(60));
                let shift = [0, 1, 20, 59, 60][self.pick(5)];
                let len = x.len();
                (Relation::Requant { x, shift, lo: p.min(q), hi: p.max(q), y }, len)
            }
            5 => {
                let lens = self.lens();
                let x = self.view(&lens);
                let values: Arc<[i64]> = (0..=self.pick(9)).map(|_| self.extreme(60)).collect();
                let first = self.extreme(60);
                (Relation::Table { x, first, values, y }, lens.iter().product())
            }
            6 => {
                let lens = [self.lens(), vec![[1, 2, 3, 5][self.pick(4)]]].concat();
                let x = self.view(&lens);
                if self.pick(2) == 0 {
                    let len = lens[..lens.len() - 1].iter().product();
                    (Relation::Max { x, y }, len)
                } else {
                    (Relation::ArgMax { x, y }, lens.iter().product())
                }
            }
            7 => {
                let lens = self.lens();
                let rule = if self.pick(2) == 0 {
                    HintRule::Root { x: self.view(&lens) }
                } else {
                    HintRule::Quotient { n: self.view(&lens), d: self.view(&lens) }
                };
                let (p, q) = (self.extreme(60), self.extreme(60));
                (Relation::Hint { rule, lo: p.min(q), hi: p.max(q), y }, lens.iter().product())
            }
            _ => {
                let lens = self.lens();
                let x = self.view(&lens);
                let (p, q) = match self.pick(4) {
                    0 => (i64::MIN, i64::MAX),
                    _ => (self.extreme(63), self.extreme(63)),
                };
                self.relations.push(Relation::Range { x, lo: p.min(q), hi: p.max(q) });
                if self.system().is_none() {
                    self.relations.pop();
                }
                return;
            }
        };
        let width = [1, 8, 62][self.pick(3)];
        let half = 1i64 << (width - 1);
        let (segment, width) = match self.pick(4) {
            0 => (Segment::Output, width),
            1 => (Segment::Public, 0),
            _ => (Segment::Witness, 0),
        };
        let shape = self.shape_of(len);
        self.tensors.push(TensorSpec { shape, bounds: (-half, half - 1), segment, width, constant: vec![] });
        self.relations.push(relation);
        if self.system().is_none() {
            self.tensors.pop();
            self.relations.pop();
        }
    }

    fn system(&self) -> Option<RelationSystem> {
        RelationSystem::new(self.tensors.clone(), self.relations.clone()).ok()
    }
}

/// A valid system by seed.
fn hostile(seed: u64) -> RelationSystem {
    let mut hostile = Hostile { rng: SplitMix(seed), tensors: Vec::new(), relations: Vec::new() };
    for _ in 0..=hostile.pick(4) {
        hostile.given();
    }
    for _ in 0..hostile.pick(9) {
        hostile.relation();
    }
    hostile.system().expect("it was checked at every step")
}

/// A statement about it whose commitments are points, and public values its bounds.
fn statement(system: &RelationSystem, plan: &Plan) -> Statement {
    let point = encode(&Generators::get(1).h);
    let commitments = Segment::COMMITTED
        .into_iter()
        .filter(|s| system.segment(*s).next().is_some())
        .map(|s| (s, Commitment(point.repeat(plan.segment(s).map(|c| c.layout.rows()).sum()))))
        .collect();
    let public = system
        .segment(Segment::Public)
        .map(|id| (id, vec![system.tensor(id).bounds.1; system.tensor(id).len()]))
        .collect::<BTreeMap<_, _>>();
    Statement { system: system.clone(), binding: [0; 32], commitments, public }
}

/// A proof of points alone, more than any of these systems asks for: read to its end.
fn long() -> Vec<u8> {
    let count = 6_000;
    let mut proof = u32::to_le_bytes(count).to_vec();
    proof.extend(encode(&Generators::get(1).u).repeat(count as usize));
    proof.extend([0; 32 * 64]);
    proof
}

#[test]
fn hostile_systems_do_not_panic() {
    let long = long();
    let count = super::cases(50, 150) as u64;
    let mut relations = 0;
    for seed in 0..count {
        let system = hostile(seed);
        relations += system.relations().len();
        let ran = std::panic::catch_unwind(|| {
            let plan = Plan::new(&system);
            let statement = statement(&system, &plan);
            statement.validate().expect("made to be valid");
            for proof in [&[][..], &long] {
                assert!(protocol::verify(PROOF, &plan, &statement, proof).is_err());
            }
        });
        assert!(ran.is_ok(), "seed {seed} panics: {system:?}");
    }
    println!("{count} hostile systems of {relations} relations");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_refused(
        seed in 0u64..40,
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        count in 0u32..20,
        framed in any::<bool>(),
    ) {
        let system = hostile(seed);
        let plan = Plan::new(&system);
        let statement = statement(&system, &plan);
        let proof = if framed { [&count.to_le_bytes()[..], &bytes].concat() } else { bytes };
        prop_assert!(protocol::verify(PROOF, &plan, &statement, &proof).is_err());
    }
}
