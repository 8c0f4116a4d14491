//! What must not drift: which columns are committed before the challenge, the length of a proof, the keys themselves.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::Case;
use common::proofs::{Keyed, setup};
use common::recorder::record;
use halo2curves::bn256::Fr;
use halo2curves::ff::Field;
use tacit_halo2::srs::{SrsPolicy, SrsStore};
use tacit_halo2::{VerifierKey, plan};
use tacit_relations::testing::builder::Builder;
use tacit_relations::testing::{random, systems};
use tacit_relations::{Grouping, HintRule, Relation, RelationSystem, Segment, TensorId, TensorSpec, View};

/// Gates that may read the challenge and what is computed from it.
const LATE_GATES: [&str; 4] = ["lane", "copied", "dot", "zero"];

fn field(value: i64) -> Fr {
    let magnitude = Fr::from(value.unsigned_abs());
    if value < 0 { -magnitude } else { magnitude }
}

/// A layer and an attention-like product whose values are so large that none occurs by chance: every tensor that a
/// contraction reads or defines can be looked for.
fn conspicuous() -> Case {
    let mut b = Builder::new("conspicuous values", 31);
    let (x, w, bias) = (b.input(&[2, 3], 20), b.weights(&[3, 2], 12), b.weights(&[2, 2], 24));
    let (a, c, bias) = (b.shaped(x, &[1, 2, 3]), b.shaped(w, &[1, 3, 2]), b.shaped(bias, &[1, 2, 2]));
    let y = b.contraction(a, c, Some(bias));
    let y = b.all(y);
    let z = b.requant(y, 4, -(1 << 19), (1 << 19) - 1);
    let (a, c) = (b.shaped(z, &[1, 2, 2]), b.shaped(x, &[1, 2, 3]));
    b.to(Segment::Public).contraction(a, c, None);
    b.finish().into()
}

/// Operands and results of contractions are committed before the challenge that checks them exists.
#[test]
fn contractions_are_committed_in_the_first_phase() {
    let mut cases = common::all();
    cases.push(conspicuous());
    for case in &cases {
        let circuit = case.circuit();
        let (one, two) = (record(&circuit, Fr::from(77)), record(&circuit, Fr::from(78)));
        let phases = one.cs.advice_column_phase();
        let first = phases.len() - 2;
        assert!(phases[..first].iter().all(|p| *p == 0) && phases[first..] == [1, 1], "{}", case.name);
        assert_eq!(one.cs.challenge_phase(), [0], "one challenge, after the first phase");
        assert_eq!((one.out_of_phase, two.out_of_phase), (0, 0), "{}", case.name);
        assert_eq!(
            one.advice[..first],
            two.advice[..first],
            "{}: the first phase knows the challenge",
            case.name
        );
        for (a, b) in &one.copies {
            let late = |p: &common::recorder::Place| !p.instance && p.column >= first;
            assert_eq!(late(a), late(b), "{}: a copy across the phases", case.name);
        }
        for (gate, _, polynomial) in one.polynomials() {
            let late = polynomial.evaluate(
                &|_| false,
                &|_| false,
                &|_| false,
                &|q| q.column_index() >= first,
                &|_| false,
                &|_| true,
                &|a| a,
                &|a, b| a || b,
                &|a, b| a || b,
                &|a, _| a,
            );
            assert!(!late || LATE_GATES.contains(&gate.as_str()), "{gate} reads the second phase");
        }
    }
    let case = cases.last().expect("just added");
    let recording = record(&case.circuit(), Fr::from(77));
    let first = recording.advice.len() - 2;
    let mut looked_for = 0;
    for r in case.system().relations() {
        let Relation::Contraction { a, c, bias, y, .. } = r else { continue };
        let mut read: Vec<TensorId> = vec![a.tensor, c.tensor, *y];
        read.extend(bias.iter().map(|b| b.tensor));
        for id in read {
            for value in case.trace.tensor(id) {
                let lane = case.system().tensor(id).width == 12;
                // Weights in the lane stand there limb by limb, offset-binary.
                let limbs: Vec<Fr> = if lane {
                    let bits = case.shape().limb_bits;
                    let u = (value + 2048) as u64;
                    (0..12u8.div_ceil(bits)).map(|i| Fr::from(u >> (i * bits) & ((1 << bits) - 1))).collect()
                } else {
                    vec![field(*value)]
                };
                for limb in limbs {
                    assert!(recording.advice[..first].iter().flatten().any(|v| *v == limb));
                    looked_for += 1;
                }
            }
        }
    }
    println!("{looked_for} values found in the first phase");
    let late: Vec<&Fr> = recording.advice[first..].iter().flatten().filter(|v| **v != Fr::ZERO).collect();
    assert!(!late.is_empty());
}

/// The proof of the medical example's perceptron, weights and input hidden.
#[test]
fn a_medical_proof_is_short() {
    let keyed = Keyed::new(random::perceptron(&[30, 32, 16, 2], 8, 16, 1, 0));
    let proof = keyed.prove();
    keyed.verify(&keyed.case.statement, &proof).expect("honest");
    println!("{} bytes in {:?}", proof.len(), keyed.case.shape());
    assert_eq!(proof.len(), keyed.verifier.proof_len());
    assert!(proof.len() <= 5_000, "{} bytes", proof.len());
}

/// A system that no circuit could hold is refused before it is laid out.
#[test]
fn what_is_too_large_is_refused_at_once() {
    let n = 1 << 20;
    let tensor = |shape: &[usize], segment, width: u8| TensorSpec {
        shape: shape.to_vec(),
        bounds: (-1, 1),
        segment,
        width,
        constant: Vec::new(),
    };
    let tensors = vec![
        tensor(&[n], Segment::Input, 2),
        tensor(&[n, n], Segment::Weights, 2),
        tensor(&[n], Segment::Witness, 0),
    ];
    let (a, c) = (View::whole(TensorId(0), &[1, 1, n]), View::whole(TensorId(1), &[1, n, n]));
    let relation = Relation::Contraction { a, c, grouping: Grouping::MATRIX, bias: None, y: TensorId(2) };
    let system = RelationSystem::new(tensors, vec![relation]).expect("well-formed");
    assert!(plan(&system).is_err());
}

/// Nor does one that commits to a single number and makes more of it than memory holds.
#[test]
fn what_grows_too_large_is_refused_on_the_way() {
    let n = 1 << 27;
    let tensor = |shape: &[usize], segment, width: u8| TensorSpec {
        shape: shape.to_vec(),
        bounds: (0, 3),
        segment,
        width,
        constant: Vec::new(),
    };
    let one = || vec![tensor(&[1], Segment::Input, 3), tensor(&[n], Segment::Witness, 0)];
    let x = View::broadcast(TensorId(0), &[1], &[n]).unwrap();
    let many = x.clone();
    for relation in [
        Relation::Hint { rule: HintRule::Root { x: x.clone() }, lo: 0, hi: 1, y: TensorId(1) },
        Relation::Product { a: x.clone(), c: x.clone(), y: TensorId(1) },
        Relation::Affine { terms: vec![(1, x)], offset: 0, y: TensorId(1) },
    ] {
        let mut tensors = one();
        if !matches!(relation, Relation::Hint { .. }) {
            tensors[1].bounds = (0, 9);
        }
        let system = RelationSystem::new(tensors, vec![relation]).expect("well-formed");
        assert!(plan(&system).is_err());
    }
    let system = RelationSystem::new(one(), vec![Relation::Range { x: many, lo: 0, hi: 2 }]);
    assert!(system.is_err() || plan(&system.unwrap()).is_err());
}

fn pinned() -> [(&'static str, Case); 3] {
    [
        ("perceptron 3-4-2", random::perceptron(&[3, 4, 2], 8, 16, 1, 0).into()),
        ("two batches, products of hidden tensors", systems::batched().into()),
        ("requantisation to a range that is no power of two", systems::requant(7, -100, 30).into()),
    ]
}

/// Keys under the development setup, which is the same everywhere. A change here is a change of the circuit: proofs made
/// before no longer verify, and the version of cached keys must be raised.
#[test]
fn verifying_keys_are_the_pinned_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SrsStore::open(folder.path());
    let mut found = BTreeMap::new();
    for (name, case) in pinned() {
        let shape = plan(case.system()).expect("small");
        store.add_unsafe_dev(shape.k).expect("a setup for tests");
        let srs = store.load(shape.k, &SrsPolicy::AllowDev, &mut |_| {}).expect("just added");
        let key = VerifierKey::generate(srs.params(), case.system(), shape).expect("fits");
        found.insert(name, hex::encode(key.fingerprint()));
    }
    let text: String = found.iter().map(|(name, print)| format!("{print} {name}\n")).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fingerprints.txt");
    if std::env::var_os("TACIT_REGENERATE_FIXTURES").is_some_and(|v| v == "1") {
        std::fs::write(&path, &text).expect("the fixture can be written");
    }
    let expected = std::fs::read_to_string(&path).expect("the fixture");
    assert_eq!(
        text, expected,
        "the circuits changed: if that is meant, run with TACIT_REGENERATE_FIXTURES=1"
    );
}

/// A key does not depend on who makes it or with which witness; it does on every constant of the system.
#[test]
fn keys_follow_the_system() {
    let params = setup(7);
    let mut seen = BTreeMap::new();
    for case in common::all() {
        let shape = case.shape();
        if shape.k != 7 {
            continue;
        }
        let print = VerifierKey::generate(&params, case.system(), shape).expect("fits").fingerprint();
        assert_eq!(seen.insert(print, case.name.clone()), None, "{}: another system's key", case.name);
    }
    assert!(seen.len() > 20);
}
