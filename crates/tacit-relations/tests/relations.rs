//! `Table`, `Max` and `ArgMax`: what they define, what the checker refuses, which systems are ill-formed.

#![allow(clippy::unwrap_used)]

use tacit_relations::{
    Assignment, Axis, Relation, RelationSystem, Segment, SystemError, TensorId, TensorSpec, TraceError, View,
    ViolationKind, check, trace,
};

fn tensor(shape: &[usize], segment: Segment, width: u8) -> TensorSpec {
    TensorSpec { shape: shape.to_vec(), bounds: (-8, 7), segment, width, constant: vec![] }
}

/// One relation over a hidden tensor of `shape`, with a result of `results` elements.
fn one(shape: &[usize], results: usize, relation: Relation) -> Result<RelationSystem, SystemError> {
    let tensors = vec![tensor(shape, Segment::Input, 4), tensor(&[results], Segment::Witness, 0)];
    RelationSystem::new(tensors, vec![relation])
}

fn given(x: &[i64]) -> Assignment {
    Assignment { weights: vec![], input: vec![x.to_vec()], public: vec![] }
}

fn x(shape: &[usize]) -> View {
    View::whole(TensorId(0), shape)
}

fn table(first: i64, values: &[i64]) -> Relation {
    Relation::Table { x: x(&[3]), first, values: values.into(), y: TensorId(1) }
}

/// The result for `x`, and that the checker accepts it and no other value of any element.
fn result(system: &RelationSystem, x: &[i64]) -> Vec<i64> {
    let honest = trace(system, &given(x)).unwrap();
    assert_eq!(check(system, &honest), Ok(()));
    let y = honest.tensor(TensorId(1)).to_vec();
    for element in 0..y.len() {
        for delta in [-1, 1] {
            let mut lie = honest.clone();
            lie.values[1][element] += delta;
            let violation = check(system, &lie).unwrap_err();
            assert_eq!(violation.kind, ViolationKind::Relation(0, system.relations()[0].kind()));
            assert_eq!(violation.element, element);
        }
    }
    y
}

#[test]
fn tables() {
    let system = one(&[3], 3, table(-2, &[40, 10, 0, -10])).unwrap();
    assert_eq!(result(&system, &[1, -2, -1]), [-10, 40, 10]);
    for (x, element) in [([0, 2, 0], 1), ([-3, 0, 0], 0), ([0, 0, 7], 2)] {
        let error = trace(&system, &given(&x)).unwrap_err();
        assert_eq!(error, TraceError::Domain { relation: 0, element });
        // Whatever result a prover claims there.
        let mut off = trace(&system, &given(&[0, 0, 0])).unwrap();
        off.values[0] = x.to_vec();
        let violation = check(&system, &off).unwrap_err();
        assert_eq!((violation.kind, violation.element), (ViolationKind::Relation(0, "Table"), element));
    }
    assert_eq!(one(&[3], 2, table(0, &[1])).unwrap_err(), SystemError::Relation { index: 0, kind: "Table" });
    for (first, values) in [(0, vec![]), (0, vec![1 << 60]), (i64::MIN, vec![0]), (0, vec![0; (1 << 20) + 1])]
    {
        assert!(one(&[3], 3, table(first, &values)).is_err(), "{first}, {} entries", values.len());
    }
}

#[test]
fn maxima() {
    let max = |shape: &[usize]| Relation::Max { x: x(shape), y: TensorId(1) };
    let system = one(&[2, 3], 2, max(&[2, 3])).unwrap();
    assert_eq!(result(&system, &[-3, -1, -2, 5, 7, 7]), [-1, 7]);
    assert_eq!(result(&one(&[2, 3], 6, max(&[6, 1])).unwrap(), &[1, -2, 3, 0, -8, 7]), [1, -2, 3, 0, -8, 7]);
    assert_eq!(result(&one(&[3], 1, max(&[3])).unwrap(), &[-8, -8, -7]), [-7]);
    // Padding is a zero like any other.
    let axes = vec![Axis { len: 4, stride: 1, before: 1, valid: 3 }];
    let padded = Relation::Max { x: View { axes, ..x(&[3]) }, y: TensorId(1) };
    assert_eq!(result(&one(&[3], 1, padded).unwrap(), &[-8, -8, -7]), [0]);
    assert!(one(&[2, 3], 3, max(&[2, 3])).is_err());
    assert!(one(&[1], 1, max(&[])).is_err(), "no axis to take the maximum over");
}

#[test]
fn selectors() {
    let arg_max = |shape: &[usize]| Relation::ArgMax { x: x(shape), y: TensorId(1) };
    let system = one(&[3, 3], 9, arg_max(&[3, 3])).unwrap();
    let selected = result(&system, &[-3, -1, -2, 7, 5, 7, 0, 0, 0]);
    assert_eq!(selected, [0, 1, 0, 1, 0, 0, 1, 0, 0], "the lowest index wins");
    assert_eq!(result(&one(&[2], 2, arg_max(&[2, 1])).unwrap(), &[3, -8]), [1, 1]);
    assert!(one(&[2, 3], 2, arg_max(&[2, 3])).is_err());
    assert!(one(&[1], 1, arg_max(&[])).is_err());
}

/// A result is as large as it can be, and the digest sees every entry of a table.
#[test]
fn magnitudes_and_digests() {
    let squares = |relation: Relation| {
        let mut tensors = vec![tensor(&[3], Segment::Input, 40), tensor(&[3], Segment::Witness, 0)];
        tensors.resize(4, tensor(&[3], Segment::Witness, 0));
        let square = |from: u32| {
            let v = View::whole(TensorId(from), &[3]);
            Relation::Product { a: v.clone(), c: v, y: TensorId(from + 1) }
        };
        RelationSystem::new(tensors, vec![relation, square(1), square(2)])
    };
    assert!(squares(table(0, &[0, 1 << 20, -1])).is_ok());
    assert_eq!(squares(table(0, &[0, 1 << 30, -1])).unwrap_err(), SystemError::Magnitude(3));
    assert!(squares(Relation::ArgMax { x: x(&[3]), y: TensorId(1) }).is_ok());
    let max = Relation::Max { x: x(&[3, 1]), y: TensorId(1) };
    assert_eq!(squares(max).unwrap_err(), SystemError::Magnitude(3));
    let digest = |values: &[i64]| one(&[3], 3, table(0, values)).unwrap().digest();
    assert_ne!(digest(&[1, 2, 3]), digest(&[1, 2, 4]));
    assert_ne!(digest(&[1, 2, 3]), digest(&[1, 2]));
}
