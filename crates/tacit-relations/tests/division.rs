//! Quotients and roots: whatever a prover puts for a hint, and for everything that follows from it, one value is accepted.

#![allow(clippy::unwrap_used)]

use tacit_relations::testing::arithmetic::{forged, holds};
use tacit_relations::testing::division::{case, wide};
use tacit_relations::{Inference, Relation, TensorId, Visibility, check, lower_inference};

#[test]
fn one_value_of_a_hint_is_accepted() {
    let (mut hints, mut lies) = (0, 0);
    let narrow = (0..60).map(|seed| case(seed, 1 + seed as usize % 4));
    for case in narrow.chain((0..4).map(wide)) {
        for relation in case.system.relations() {
            let Relation::Hint { y, .. } = relation else { continue };
            for at in 0..case.system.tensor(*y).len() {
                hints += 1;
                for delta in (-300..=300).filter(|d| *d != 0) {
                    let Some(trace) = forged(&case.system, &case.trace, *y, at, delta) else { continue };
                    assert!(
                        check(&case.system, &trace).is_err(),
                        "{}: element {at} off by {delta}",
                        case.name
                    );
                    assert!(!holds(&case.system, &trace), "{}: element {at} off by {delta}", case.name);
                    lies += 1;
                }
            }
        }
    }
    assert!(hints > 150 && lies > 50_000, "{hints} hints, {lies} lies");
}

/// What is normalised is bounded by its own bounds, not by the record's.
#[test]
fn values_far_from_the_record_are_normalised() {
    use tacit_model::testing::schema;
    use tacit_model::{Architecture, Model, Node, NodeId, Normalise, Op, OutputScale};
    let step = |x, multiplier, shift, hi| Node {
        op: Op::Normalise {
            x: NodeId(x),
            rule: Normalise { multipliers: vec![multiplier], shift, lo: 0, hi },
        },
    };
    let mut schema = schema(1, 0);
    (schema.features[0].min, schema.features[0].max) = (0, 1 << 20);
    let architecture = |second| Architecture {
        schema: schema.clone(),
        input_shape: vec![1],
        params: Vec::new(),
        nodes: vec![step(0, 1, 20, 1), second],
        output_exponent: 0,
        output_scale: OutputScale::Plain,
    };
    let model = Model::new(architecture(step(1, 1 << 50, 30, 1 << 30)), Vec::new()).unwrap();
    let case = tacit_relations::testing::random::inference("far".to_owned(), &model, 1, 1);
    check(&case.system, &case.trace).unwrap();
    let never = Node { op: Op::Requant { x: NodeId(0), shift: 0, lo: 0, hi: 0 } };
    let mut zero = architecture(step(1, i64::MIN, 0, 1));
    zero.nodes[0] = never;
    // Too large a constant for any system: an error, and no panic.
    let claim = Inference { samples: 1, input: Visibility::Hidden, output: Visibility::Hidden };
    assert!(lower_inference(&zero, claim).is_err());
}

/// Whatever else a prover changes, alone or with what follows.
#[test]
fn other_values_of_a_division_are_refused() {
    for seed in 0..30 {
        let case = case(seed, 2);
        let computed: Vec<TensorId> = case.system.relations().iter().filter_map(Relation::result).collect();
        for y in computed {
            for at in 0..case.system.tensor(y).len() {
                for delta in [1, -1, 7, -300, 1 << 40] {
                    let mut alone = case.trace.clone();
                    alone.values[y.0 as usize][at] += delta;
                    let all = forged(&case.system, &case.trace, y, at, delta);
                    for trace in [Some(alone), all].into_iter().flatten() {
                        assert!(
                            check(&case.system, &trace).is_err(),
                            "{}: tensor {} ({delta})",
                            case.name,
                            y.0
                        );
                        assert!(!holds(&case.system, &trace), "{}: tensor {} ({delta})", case.name, y.0);
                    }
                }
            }
        }
    }
}
