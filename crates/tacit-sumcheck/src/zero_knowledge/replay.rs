//! The prover replayed: equal challenges, equal values, other randomness.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use halo2curves::ff::Field as _;
use halo2curves::group::{Curve as _, prime::PrimeCurveAffine as _};

use tacit_relations::testing::builder::Builder;

use super::*;
use crate::group::{Generators, Point};

/// What betrays a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// An element is the same in both runs: nothing fresh is in it.
    Repeated(Message),
    /// From one run to the other two elements move alike: one fresh element is in both.
    Alike(Message, Message),
    /// A scalar is a small integer.
    Small(Message),
    /// A fresh element does not do its work: this element should move and does not, or should not and does.
    Draw(Message),
}

/// How an element moves from one run to another; `None` where it stays. Up to sign.
fn movement(before: &Body, after: &Body) -> Option<[u8; 32]> {
    match (before, after) {
        (Body::Point(p), Body::Point(q)) => {
            let moved = (Point::from(*q) - p).to_affine();
            (!bool::from(moved.is_identity())).then(|| moved.x.to_bytes())
        }
        (Body::Scalar(a), Body::Scalar(b)) => {
            let moved = *b - a;
            (moved != F::ZERO).then(|| moved.to_bytes().min((-moved).to_bytes()))
        }
        _ => panic!("elements of two sorts"),
    }
}

/// Whether a scalar is a small integer, of either sign.
fn is_small(body: &Body) -> bool {
    let small = |f: F| f.to_bytes()[16..].iter().all(|b| *b == 0);
    matches!(body, Body::Scalar(f) if small(*f) || small(-*f))
}

/// Compares two runs with equal challenges and values, from an element on.
pub(super) fn compare(before: &Elements, after: &Elements, from: usize) -> Vec<Finding> {
    assert_eq!(before.kinds, after.kinds);
    let (mut findings, mut moved) = (Vec::new(), HashMap::new());
    for i in from..before.kinds.len() {
        let kind = before.kinds[i];
        match movement(&before.bodies[i], &after.bodies[i]) {
            None => findings.push(Finding::Repeated(kind)),
            Some(movement) => findings.extend(
                moved
                    .insert((matches!(before.bodies[i], Body::Point(_)), movement), kind)
                    .map(|k| Finding::Alike(k, kind)),
            ),
        }
        if is_small(&before.bodies[i]) || is_small(&after.bodies[i]) {
            findings.push(Finding::Small(kind));
        }
    }
    findings
}

/// What a variant of the engine does to its fresh elements: to the `i`-th, given those before.
type Tamper = Rc<dyn Fn(usize, F, &[F]) -> F>;

fn honest() -> Tamper {
    Rc::new(|_, fresh, _| fresh)
}

/// A tape that tampers with what `source` makes of each fresh element.
fn tape(tamper: &Tamper, source: impl Fn(usize, F) -> F + 'static) -> Tape {
    let (tamper, mut drawn) = (tamper.clone(), Vec::new());
    Box::new(move |fresh| {
        let given = tamper(drawn.len(), source(drawn.len(), fresh), &drawn);
        drawn.push(given);
        given
    })
}

impl Setting {
    /// A run with equal challenges.
    fn run(&self, seed: u64, tape: Tape) -> Elements {
        let transcript = self.transcript().programmed(equal_challenges(sigma(0)));
        self.read(transcript.clone(), &self.prove(transcript, seed, Some(tape)))
    }

    /// The prover replayed with all randomness fresh, and with only the masks fresh.
    fn replay(&self, tamper: &Tamper) -> Vec<Finding> {
        let first = self.run(1, tape(tamper, |_, fresh| fresh));
        let mut findings = compare(&first, &self.run(2, tape(tamper, |_, fresh| fresh)), 0);
        let masks = first.first(Message::Mask).unwrap();
        let other =
            move |i, fresh| if i < masks { fresh } else { derive("tacit/test mask", &[0; 32], i as u64) };
        findings.extend(compare(&first, &self.run(1, tape(tamper, other)), masks));
        findings
    }

    /// Adds one to each of these fresh elements in turn. Each must move its own message, by what it weighs
    /// there, and nothing that another fresh element hides.
    ///
    /// Fresh elements are drawn in this order: blindings of rows and of scalars, one for each point before
    /// the first messages of the Σ-protocols; `b₁ … b₅, k`; blindings of the masked vector and of its dot
    /// product; the mask's vector.
    fn draws(&self, tamper: &Tamper, draws: impl Iterator<Item = usize>) -> Vec<Finding> {
        let generators = Generators::get(self.plan.width);
        let (h, u) = (generators.h, generators.u);
        let before = self.run(1, tape(tamper, |_, fresh| fresh));
        let masks = before.first(Message::Mask).unwrap();
        let response = before.first(Message::Response).unwrap();
        let mut findings = Vec::new();
        for draw in draws {
            let next = move |i, fresh| if i == draw { fresh + F::ONE } else { fresh };
            let after = self.run(1, tape(tamper, next));
            // What must move by how much, and the only other things that may.
            let one = F::ONE;
            let response_to = |at: usize, by: Affine, i: usize| {
                vec![(masks + at, Body::Point(by)), (response + i, Body::Scalar(one))]
            };
            let (own, others): (Vec<(usize, Body)>, Vec<Message>) = match draw.checked_sub(masks) {
                None => (vec![(draw, Body::Point(h))], vec![Message::Response]),
                Some(0) => (response_to(0, u, 0), vec![]),
                Some(1) => (response_to(0, h, 1), vec![]),
                Some(2) => (response_to(1, u, 2), vec![]),
                Some(3) => (response_to(1, h, 3), vec![]),
                Some(4) => (response_to(2, h, 4), vec![]),
                Some(5) => (response_to(3, h, 5), vec![]),
                Some(6) => (response_to(4, h, 6), vec![]),
                Some(7) => (response_to(5, h, 8), vec![]),
                Some(j) => {
                    let base = generators.rows[j - 8];
                    (vec![(masks + 4, Body::Point(base))], vec![Message::Fold, Message::Folded])
                }
            };
            for i in 0..before.kinds.len() {
                let expected = own.iter().find(|(at, _)| *at == i).map(|(_, by)| by);
                let free = others.contains(&before.kinds[i])
                    // b₃·X: with b₃, and with every blinding in X.
                    || i == masks + 2 && (draw < masks || draw == masks + 2)
                    // The dot product of the mask is in a commitment of its own, and in a response.
                    || (i == masks + 5 || i == response + 7) && draw >= masks + 8;
                let fine = match (expected, &before.bodies[i], &after.bodies[i]) {
                    (None, a, b) => free || a == b,
                    (Some(Body::Point(by)), Body::Point(a), Body::Point(b)) => {
                        Point::from(*a) + by == Point::from(*b)
                    }
                    (Some(Body::Scalar(by)), Body::Scalar(a), Body::Scalar(b)) => *a + by == *b,
                    _ => false,
                };
                if !fine {
                    findings.push(Finding::Draw(before.kinds[i]));
                }
            }
        }
        findings
    }

    /// Number of fresh elements that a proof takes.
    fn drawn(&self) -> usize {
        let count = Rc::new(std::cell::Cell::new(0));
        let counter = count.clone();
        self.run(
            1,
            Box::new(move |fresh| {
                counter.set(counter.get() + 1);
                fresh
            }),
        );
        count.get()
    }
}

/// Small settings in which every kind of message occurs.
fn small() -> Vec<Setting> {
    let case = perceptron(&[2, 2], 4, 8, 1, 0);
    vec![Setting::new(&case), Setting::certificate(&case), Setting::new(&selections::maxima()[0])]
}

#[test]
fn nothing_is_shared_between_runs_or_between_messages() {
    for setting in settings() {
        let findings = setting.replay(&honest());
        assert_eq!(findings, [], "{}", setting.name);
    }
}

/// Each row of a column has a blinding of its own.
#[test]
fn every_row_has_a_blinding() {
    let setting = Setting::new(&several_rows());
    let columns = setting.plan.segment(Segment::Witness);
    let rows: Vec<usize> = columns.map(|c| c.layout.rows()).collect();
    assert!(rows.iter().any(|&n| n > 1));
    assert_eq!(setting.draws(&honest(), 0..rows.iter().sum()), []);
}

/// The same for rows that a statement commits: rows of equal values cannot be told from others, in one tensor, in two, or
/// in two segments with one salt.
#[test]
fn every_row_of_a_statement_has_a_blinding() {
    let mut b = Builder::new("rows of ones", 0);
    let ones = || vec![1; 3 * 64];
    b.weights_of(&[3, 64], 4, ones());
    b.weights_of(&[3, 64], 4, ones());
    b.input_of(&[3, 64], 4, ones());
    let case = b.finish();
    let mut seen = HashSet::new();
    for salt in [1, 2] {
        for segment in [Segment::Weights, Segment::Input] {
            let tensors = case.system.segment(segment).map(|id| (id, case.trace.tensor(id))).collect();
            let commitment = protocol::commit(&case.system, segment, &tensors, &Opening([salt; 32])).unwrap();
            seen.extend(commitment.0.as_chunks::<32>().0.to_vec());
        }
    }
    assert_eq!(seen.len(), 2 * 9);
}

#[test]
fn every_fresh_element_hides_one_message() {
    for setting in small() {
        let before = setting.run(1, tape(&honest(), |_, fresh| fresh));
        let draws = before.first(Message::Mask).unwrap() + 8 + setting.plan.width;
        assert_eq!(setting.drawn(), draws, "{}", setting.name);
        let findings = setting.draws(&honest(), 0..draws);
        assert_eq!(findings, [], "{}", setting.name);
    }
}

/// Variants of the engine that hide less. Each must be found, by replaying or by the work of the fresh
/// elements.
#[test]
fn variants_that_hide_less_are_found() {
    let setting = &small()[0];
    let honest = setting.run(1, tape(&honest(), |_, fresh| fresh));
    let masks = honest.first(Message::Mask).unwrap();
    let at = |kind: Message| honest.first(kind).unwrap();
    let zero = |at: usize| -> Tamper { Rc::new(move |i, fresh, _| if i == at { F::ZERO } else { fresh }) };
    let copy = |from: usize, to: usize| -> Tamper {
        Rc::new(move |i, fresh, drawn| if i == to { drawn[from] } else { fresh })
    };
    let stuck = |range: std::ops::Range<usize>| -> Tamper {
        Rc::new(
            move |i, fresh, _| {
                if range.contains(&i) { derive("tacit/test stuck", &[0; 32], i as u64) } else { fresh }
            },
        )
    };

    // Commitments that hide nothing, one of each kind: values sent as good as in clear.
    for kind in [Message::WitnessRow, Message::Lookup, Message::Round, Message::Product, Message::Evaluation]
    {
        let variant = zero(at(kind));
        assert!(setting.replay(&variant).contains(&Finding::Repeated(kind)), "{kind:?}");
        assert!(setting.draws(&variant, at(kind)..at(kind) + 1).contains(&Finding::Draw(kind)), "{kind:?}");
    }
    // Responses without a mask: field elements in clear.
    for mask in [0, 1, 2, 3, 4, 6, 7] {
        let variant = zero(masks + mask);
        let found = setting.draws(&variant, masks + mask..masks + mask + 1);
        assert!(found.contains(&Finding::Draw(Message::Response)), "{mask}");
        let replayed = setting.replay(&variant);
        assert!(replayed.contains(&Finding::Repeated(Message::Response)), "{mask}: {replayed:?}");
    }
    // There the first message is the identity, which has no encoding.
    let transcript = setting.transcript();
    let proof = setting.prove(transcript.clone(), 1, Some(tape(&zero(masks + 5), |_, fresh| fresh)));
    assert!(setting.verify(transcript, &proof).is_err());
    // One element of the vector without a mask: nothing that is sent repeats, but its mask does no work.
    let hole = masks + 8 + 5;
    assert!(setting.draws(&zero(hole), hole..hole + 1).contains(&Finding::Draw(Message::Mask)));
    // One blinding for two scalars, for two rows, for a row and a scalar.
    for (from, to) in [
        (at(Message::Round), at(Message::Evaluation)),
        (at(Message::Lookup), at(Message::Lookup) + 1),
        (0, 1),
        (1, at(Message::Round) + 1),
    ] {
        let (a, b) = (honest.kinds[from], honest.kinds[to]);
        let variant = copy(from, to);
        assert!(setting.replay(&variant).contains(&Finding::Alike(a, b)), "{a:?} and {b:?}");
        assert!(setting.draws(&variant, from..from + 1).contains(&Finding::Draw(b)), "{a:?} and {b:?}");
    }
    // One mask for two responses: of two values, of two blindings.
    for (from, to) in [(0, 2), (1, 3)] {
        let found = setting.replay(&copy(masks + from, masks + to));
        assert!(found.contains(&Finding::Alike(Message::Response, Message::Response)), "{found:?}");
    }
    // One mask for the whole vector.
    let flat: Tamper = Rc::new(move |i, fresh, drawn| if i > masks + 8 { drawn[masks + 8] } else { fresh });
    assert!(setting.replay(&flat).contains(&Finding::Alike(Message::Folded, Message::Folded)));
    // The same blindings, or the same masks, in two proofs.
    let found = setting.replay(&stuck(0..masks));
    assert!(found.contains(&Finding::Repeated(Message::WitnessRow)));
    assert!(found.contains(&Finding::Repeated(Message::Evaluation)));
    let found = setting.replay(&stuck(masks..usize::MAX));
    assert!(found.contains(&Finding::Repeated(Message::Response)));
    assert!(found.contains(&Finding::Repeated(Message::Folded)));
}

/// Whatever is said about a value, a scalar that is the value itself is seen.
#[test]
fn small_integers_are_noticed() {
    for (value, small) in [(F::ZERO, true), (-F::from(5), true), (F::from(1 << 40), true)] {
        assert_eq!(is_small(&Body::Scalar(value)), small);
    }
    assert!(!is_small(&Body::Scalar(F::MULTIPLICATIVE_GENERATOR.invert().unwrap())));
    assert!(!is_small(&Body::Point(Generators::get(1).u)));
}
