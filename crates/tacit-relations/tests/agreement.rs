//! Evaluator = trace = checker, on random small models; the checker names what a changed trace breaks.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use tacit_model::testing::{mlp, record};
use tacit_relations::{
    Assignment, Inference, Relation, Segment, TensorId, ViolationKind, Visibility, check, lower_inference,
    trace,
};

fn hidden(samples: usize) -> Inference {
    Inference { samples, input: Visibility::Hidden, output: Visibility::Public }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn trace_agrees_with_the_evaluator(
        sizes in prop::collection::vec(1usize..6, 2..5),
        weight_bits in 2u8..=16,
        seed in any::<u64>(),
        samples in 1usize..4,
    ) {
        let model = mlp(&sizes, weight_bits, 16, seed);
        let system = lower_inference(model.architecture(), hidden(samples)).unwrap();
        let records: Vec<_> = (0..samples as u64).map(|i| record(model.architecture(), seed ^ i)).collect();
        let given = Assignment {
            weights: model.weights().tensors().to_vec(),
            input: vec![records.concat()],
            public: vec![],
        };
        let t = trace(&system, &given).unwrap();
        prop_assert_eq!(check(&system, &t), Ok(()));
        let output = system.relations().last().and_then(Relation::result).unwrap();
        let expected: Vec<i64> = records.iter().flat_map(|r| model.run(r).unwrap().output().to_vec()).collect();
        prop_assert_eq!(t.tensor(output), &expected[..]);
    }

    #[test]
    fn the_checker_sees_every_changed_element(seed in any::<u64>(), pick in any::<u64>(), delta in prop_oneof![-3i64..0, 1i64..4]) {
        let model = mlp(&[2, 3, 2], 8, 16, seed);
        let system = lower_inference(model.architecture(), hidden(1)).unwrap();
        let given = Assignment {
            weights: model.weights().tensors().to_vec(),
            input: vec![record(model.architecture(), seed)],
            public: vec![],
        };
        let honest = trace(&system, &given).unwrap();
        let tensors: Vec<TensorId> = (0..system.tensors().len() as u32)
            .map(TensorId)
            .filter(|id| matches!(system.tensor(*id).segment, Segment::Witness | Segment::Public | Segment::Constant))
            .collect();
        let id = tensors[pick as usize % tensors.len()];
        let element = (pick >> 32) as usize % system.tensor(id).len();
        let mut bad = honest;
        bad.values[id.0 as usize][element] += delta;
        let violation = check(&system, &bad).expect_err("a changed result must be seen");
        match violation.kind {
            ViolationKind::Tensor(t) => prop_assert_eq!(t, id),
            ViolationKind::Relation(index, kind) => prop_assert_eq!(system.relations()[index].kind(), kind),
        }
    }
}

/// Whatever bounds a system declares, magnitudes follow from widths.
#[test]
fn magnitudes_are_not_taken_on_trust() {
    use tacit_relations::{RelationSystem, SystemError, TensorSpec, View};
    let tensor =
        |segment, width| TensorSpec { shape: vec![1], bounds: (0, 1), segment, width, constant: vec![] };
    let square = |from: u32, y: u32| {
        let v = View::whole(TensorId(from), &[1]);
        Relation::Product { a: v.clone(), c: v, y: TensorId(y) }
    };
    let tensors = |n: usize| {
        let mut all = vec![tensor(Segment::Input, 40)];
        all.resize(n, tensor(Segment::Witness, 0));
        all
    };
    assert!(RelationSystem::new(tensors(2), vec![square(0, 1)]).is_ok());
    let refused = RelationSystem::new(tensors(3), vec![square(0, 1), square(1, 2)]);
    assert_eq!(refused.unwrap_err(), SystemError::Magnitude(2));
}

/// What is shown to lie in a range is no larger from there on; of a part of a tensor that says nothing.
#[test]
fn ranges_bound_what_is_computed_from_them() {
    use tacit_relations::{RelationSystem, SystemError, TensorSpec, View};
    let tensor =
        |segment, width| TensorSpec { shape: vec![2], bounds: (0, 1), segment, width, constant: vec![] };
    let whole = |at| View::whole(TensorId(at), &[2]);
    let square = |from: u32, y: u32| Relation::Product { a: whole(from), c: whole(from), y: TensorId(y) };
    let with = |x: Option<View>| {
        let range = x.map(|x| Relation::Range { x, lo: -(1 << 20), hi: 5 });
        let tensors =
            vec![tensor(Segment::Input, 40), tensor(Segment::Witness, 0), tensor(Segment::Witness, 0)];
        let relations = [Some(square(0, 1)), range, Some(square(1, 2))].into_iter().flatten().collect();
        RelationSystem::new(tensors, relations).map(|_| ())
    };
    assert_eq!(with(Some(whole(1))), Ok(()));
    for part in [None, Some(View::whole(TensorId(1), &[1])), Some(whole(0))] {
        assert_eq!(with(part), Err(SystemError::Magnitude(2)));
    }
}
