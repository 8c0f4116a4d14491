//! Zero knowledge, tested.
//!
//! * [`replay`]: with equal challenges and equal values, two runs may share nothing, and every element that
//!   the prover draws hides one message and that message alone. Together with the simulator this is the
//!   argument: commitments, responses and the masked vector are a bijective image of what is drawn,
//!   everything else follows from them and the challenges.
//! * [`simulator`]: transcripts without a witness, which the production verifier accepts once a single
//!   challenge is programmed.
//! * [`clear`]: the protocol with some scalars sent in clear. What can be simulated above cannot be here.
//! * [`merges`]: the same for claims in chunks, merge included.
//! * [`attempts`]: masks are new for every attempt, even where the source of randomness is not.

mod attempts;
mod clear;
mod merges;
mod replay;
mod simulator;

use std::collections::BTreeMap;
use std::sync::Arc;

use halo2curves::ff::PrimeField as _;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_relations::testing::random::{Extra, perceptron, system};
use tacit_relations::testing::{Case, corners, division, selections};
use tacit_relations::{Opening, Openings, Refused, RelationSystem, Segment, Statement, Trace};

use crate::claims::Context;
use crate::expr::Values;
use crate::group::{Affine, F, decode};
use crate::party::{Message, Prover};
use crate::plan::Plan;
use crate::protocol;
use crate::transcript::{Oracle, Transcript, derive};
use crate::witness::{Misfit, fill};

/// What a prover makes of its fresh elements.
type Tape = Box<dyn FnMut(F) -> F>;

/// A statement with its plan and everything that proves it.
struct Setting {
    name: String,
    plan: Plan,
    statement: Statement,
    trace: Trace,
    openings: Openings,
}

impl Setting {
    fn new(case: &Case) -> Self {
        Self::planned(case, Plan::new(&case.system))
    }

    /// The certificate of a case's weights.
    fn certificate(case: &Case) -> Self {
        let ids: Vec<_> = case.system.segment(Segment::Weights).collect();
        let tensors = ids.iter().map(|id| case.system.tensor(*id).clone()).collect();
        let values = ids.iter().map(|id| case.trace.tensor(*id).to_vec()).collect();
        let system = RelationSystem::new(tensors, Vec::new()).unwrap();
        let plan = Plan::certificate(&system);
        let name = format!("certificate of {}", case.name);
        Self::planned(&Case { name, system, trace: Trace { values }, ..case.clone() }, plan)
    }

    fn planned(case: &Case, plan: Plan) -> Self {
        let system = case.system.clone();
        let (mut openings, mut commitments) = (Openings::new(), BTreeMap::new());
        for (i, segment) in Segment::COMMITTED.into_iter().enumerate() {
            let tensors: BTreeMap<_, _> =
                system.segment(segment).map(|id| (id, case.trace.tensor(id))).collect();
            if !tensors.is_empty() {
                let opening = Opening([i as u8 + 1; 32]);
                commitments.insert(segment, protocol::commit(&system, segment, &tensors, &opening).unwrap());
                openings.insert(segment, opening);
            }
        }
        let public = system.segment(Segment::Public).map(|id| (id, case.trace.tensor(id).to_vec())).collect();
        let statement = Statement { system, binding: [7; 32], commitments, public };
        Self { name: case.name.clone(), plan, statement, trace: case.trace.clone(), openings }
    }

    fn transcript(&self) -> Transcript {
        protocol::transcript("tacit/zero knowledge", &self.statement)
    }

    /// Calls `with` on the context of the prover or of a party without values.
    fn context<T>(&self, proving: bool, with: impl FnOnce(&Context<'_>) -> T) -> T {
        let publics = protocol::public_vectors(&self.plan, &self.statement);
        let mut values = Values {
            columns: Vec::new(),
            column_grids: &self.plan.column_grids,
            publics: &publics,
            public_grids: &self.plan.public_grids,
            views: &self.plan.views,
        };
        if proving {
            fill(&self.plan, &self.trace, &mut values, Misfit::Refuse).unwrap();
        }
        with(&Context { plan: &self.plan, values, proving })
    }

    /// The production prover on this transcript, its randomness by seed and tape.
    fn prove(&self, transcript: Transcript, seed: u64, tape: Option<Tape>) -> Vec<u8> {
        let mut prover = Prover::new(transcript, ChaCha20Rng::seed_from_u64(seed));
        prover.tape = tape;
        self.context(true, |context| protocol::prove_as(prover, context, &self.openings, None)).unwrap().0
    }

    /// The production verifier on this transcript.
    fn verify(&self, transcript: Transcript, proof: &[u8]) -> Result<Vec<(Message, usize)>, Refused> {
        protocol::verify_with(&self.plan, &self.statement, proof, transcript)
    }

    /// The elements of a proof that the verifier accepts on this transcript.
    fn read(&self, transcript: Transcript, proof: &[u8]) -> Elements {
        let inventory = self.verify(transcript, proof);
        let inventory = inventory.unwrap_or_else(|e| panic!("{}: {e}", self.name));
        Elements::new(proof, &inventory)
    }
}

/// A perceptron of which some columns have several rows.
fn several_rows() -> Case {
    perceptron(&[2, 33, 2], 4, 8, 2, 0)
}

/// Settings with all kinds of relations, all kinds of visibility, and a certificate.
fn settings() -> Vec<Setting> {
    let mut cases: Vec<Case> = (0..4).map(|seed| perceptron(&[3, 4, 2], 8, 16, 1, seed)).collect();
    cases.extend((0..6).map(|seed| system(seed, 1, &Extra::ALL)));
    cases.push(several_rows());
    cases.extend([selections::tables(), selections::maxima(), corners::all()].concat());
    cases.push(division::case(2, 1));
    let mut settings: Vec<Setting> = cases.iter().map(Setting::new).collect();
    settings.push(Setting::certificate(&cases[0]));
    settings
}

/// The `i`-th challenge that the Σ-protocols are programmed to get.
fn sigma(i: u64) -> F {
    derive("tacit/test response", &[0; 32], i)
}

/// An oracle programmed at the challenge of the Σ-protocols alone.
fn respond_with(e: F) -> Oracle {
    Arc::new(move |label, _| (label == "respond").then_some(e))
}

/// An oracle with this challenge for the Σ-protocols; its other answers depend on nothing but their number.
fn equal_challenges(e: F) -> Oracle {
    let other = |index| derive("tacit/test challenge", &[0; 32], index as u64);
    Arc::new(move |label, index| Some(if label == "respond" { e } else { other(index) }))
}

/// An element of a proof.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Body {
    Point(Affine),
    Scalar(F),
}

/// The elements of a proof, as they lie in its bytes: points, then scalars.
#[derive(Debug)]
struct Elements {
    kinds: Vec<Message>,
    bodies: Vec<Body>,
}

/// Whether a message is of group elements.
fn is_points(kind: Message) -> bool {
    !matches!(kind, Message::Response | Message::Folded)
}

impl Elements {
    /// Panics where the inventory does not account for every byte.
    fn new(proof: &[u8], inventory: &[(Message, usize)]) -> Self {
        let expand = |points: bool| {
            let of_sort = inventory.iter().filter(move |(kind, _)| is_points(*kind) == points);
            of_sort.flat_map(|&(kind, bytes)| std::iter::repeat_n(kind, bytes / 32))
        };
        let kinds: Vec<Message> = expand(true).chain(expand(false)).collect();
        let (elements, rest) = proof[4..].as_chunks::<32>();
        assert_eq!((kinds.len(), rest), (elements.len(), &[][..]), "every element is in the inventory");
        let body = |(kind, bytes): (&Message, &[u8; 32])| match is_points(*kind) {
            true => Body::Point(decode(bytes).unwrap()),
            false => Body::Scalar(Option::from(F::from_repr(*bytes)).unwrap()),
        };
        let bodies = kinds.iter().zip(elements).map(body).collect();
        Self { kinds, bodies }
    }

    /// Position of the first element of a kind.
    fn first(&self, kind: Message) -> Option<usize> {
        self.kinds.iter().position(|k| *k == kind)
    }

    fn point(&self, at: usize) -> Affine {
        match self.bodies[at] {
            Body::Point(point) => point,
            Body::Scalar(_) => panic!("element {at} is a scalar"),
        }
    }

    /// The `i`-th response.
    fn response(&self, i: usize) -> F {
        match self.bodies[self.first(Message::Response).unwrap() + i] {
            Body::Scalar(scalar) => scalar,
            Body::Point(_) => panic!("responses are scalars"),
        }
    }
}
