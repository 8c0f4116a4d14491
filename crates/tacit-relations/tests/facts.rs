//! Facts of answers: what is lowered holds for an answer just where the definition does.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use proptest::prelude::*;
use tacit_claim::{AnswerBound, AnswerFact, Answers};
use tacit_model::testing::{SplitMix, schema};
use tacit_model::{Architecture, Node, NodeId, Op, OutputScale};
use tacit_relations::{
    Assignment, LoweredFacts, Relation, Segment, Trace, Visibility, check, lower_facts, trace,
};

/// A model whose answer is the record, clamped to `[-most, most]`.
fn identity(outputs: usize, classes: usize, scale: OutputScale, most: i64) -> Architecture {
    let mut schema = schema(outputs, classes);
    for feature in &mut schema.features {
        (feature.min, feature.max) = (-2 * most, 2 * most);
    }
    Architecture {
        schema,
        input_shape: vec![outputs],
        params: Vec::new(),
        nodes: vec![Node { op: Op::Requant { x: NodeId(0), shift: 0, lo: -most, hi: most } }],
        output_exponent: 3,
        output_scale: scale,
    }
}

/// What the relations come to for a record, whether they hold or not: the trace without what a trace is checked for.
fn forced(lowered: &LoweredFacts, record: &[i64]) -> Trace {
    let mut system = lowered.system.tensors().to_vec();
    for spec in &mut system {
        if spec.segment != Segment::Constant {
            spec.bounds = (-(1 << 40), 1 << 40);
            spec.width = if spec.width > 0 { 50 } else { 0 };
        }
    }
    let system = tacit_relations::RelationSystem::new(system, lowered.system.relations().to_vec()).unwrap();
    let defined: HashSet<_> = system.relations().iter().filter_map(Relation::result).collect();
    let public = system.segment(Segment::Public).filter(|id| !defined.contains(id));
    let public = public.map(|id| lowered.public[&id].clone()).collect();
    trace(&system, &Assignment { weights: vec![], input: vec![record.to_vec()], public }).unwrap()
}

/// Whether every relation holds and every public tensor is what the claim says.
fn proved(architecture: &Architecture, fact: &AnswerFact, record: &[i64]) -> bool {
    let lowered = lower_facts(architecture, Visibility::Hidden, std::slice::from_ref(fact)).unwrap();
    let trace = forced(&lowered, record);
    let stated = lowered.public.iter().all(|(id, values)| trace.tensor(*id) == &values[..]);
    stated && check(&lowered.system, &trace).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn classes_and_first_classes_are_those_of_the_definition(n in 1usize..6, most in 1i64..4, seed in any::<u64>()) {
        let architecture = identity(n, n.max(2), OutputScale::Plain, most);
        let answers = Answers::of(&architecture).unwrap();
        let mut rng = SplitMix(seed);
        let record: Vec<i64> = (0..n).map(|_| rng.range(-most, most)).collect();
        for index in 0..n.max(2) as u32 {
            let fact = AnswerFact::Class { index };
            prop_assert_eq!(proved(&architecture, &fact, &record), fact.holds(&answers, &record), "{:?} {}", record, index);
        }
        for bits in 1..(1u32 << n) - 1 {
            let fact = AnswerFact::Top { indices: (0..n as u32).filter(|i| bits >> i & 1 == 1).collect() };
            prop_assert_eq!(proved(&architecture, &fact, &record), fact.holds(&answers, &record), "{:?} {:?}", record, fact);
        }
    }

    #[test]
    fn bounds_are_those_of_the_numbers(
        kind in 0usize..6,
        quantity in 0usize..4,
        sign in prop::sample::select(vec![">=", ">", "<=", "<"]),
        threshold in -99i64..100,
        seed in any::<u64>(),
    ) {
        use OutputScale as S;
        let (n, classes, scale) =
            [(3, 3, S::Plain), (1, 0, S::Plain), (1, 2, S::SigmoidLogit), (2, 2, S::SoftmaxLogits), (2, 2, S::SigmoidLogit), (3, 3, S::Probabilities)][kind];
        let architecture = identity(n, classes, scale, 9);
        let answers = Answers::of(&architecture).unwrap();
        let mut rng = SplitMix(seed);
        let at = rng.range(0, n as i64 - 1) as usize;
        let name = if classes > 0 { format!("class {}", if n == 1 { 1 } else { at }) } else { "0".to_owned() };
        let (text, threshold) = match quantity {
            0 => (format!("{name} {sign} "), threshold),
            1 => (format!("output[{name}] {sign} "), threshold),
            2 => (format!("probability[{name}] {sign} "), threshold.abs() + 1),
            _ => (format!("margin[{name}] {sign} "), threshold),
        };
        let text = format!("{text}{}", tacit_model::format_decimal(threshold, 2));
        let Ok(bound) = AnswerBound::parse(&text, &answers) else { return Ok(()) };
        let fact = AnswerFact::Bound(bound);
        for _ in 0..12 {
            let record: Vec<i64> = (0..n).map(|_| rng.range(-9, 9)).collect();
            let logits: Vec<f64> = record.iter().map(|v| *v as f64 / 8.0).collect();
            let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
            let probability = match scale {
                S::Plain => None,
                S::Probabilities => Some(logits[at]),
                S::SigmoidLogit => Some(sigmoid(logits[at])),
                S::SoftmaxLogits => Some(sigmoid(logits[at] - logits[1 - at])),
            };
            let others = logits.iter().enumerate().filter(|(j, _)| *j != at).map(|(_, v)| *v);
            let real = match (quantity, probability) {
                (0 | 2, Some(p)) => p,
                (3, _) => logits[at] - others.fold(f64::NEG_INFINITY, f64::max),
                _ => logits[at],
            };
            let wanted = threshold as f64 / 100.0;
            let expected = match sign { ">=" => real >= wanted, ">" => real > wanted, "<=" => real <= wanted, _ => real < wanted };
            prop_assert_eq!(fact.holds(&answers, &record), expected, "{} of {:?}", text, record);
            prop_assert_eq!(proved(&architecture, &fact, &record), expected, "{} of {:?}", text, record);
        }
    }
}

/// A bound is met by an answer on it and missed by one a unit away; a tie goes to the lower index.
#[test]
fn units_and_ties() {
    let architecture = identity(3, 3, OutputScale::Plain, 9);
    let answers = Answers::of(&architecture).unwrap();
    let bound = |text: &str| AnswerFact::Bound(AnswerBound::parse(text, &answers).unwrap());
    // Units of 1/8.
    for (text, least) in [
        ("output[class 0] >= 0.5", 4),
        ("output[class 0] > 0.5", 5),
        ("output[class 0] >= 0.51", 5),
        ("margin[class 0] > 0", 1),
    ] {
        assert!(proved(&architecture, &bound(text), &[least, 0, 0]), "{text}");
        assert!(!proved(&architecture, &bound(text), &[least - 1, 0, 0]), "{text}");
    }
    for (text, most) in
        [("output[class 0] <= 0.5", 4), ("output[class 0] < 0.5", 3), ("output[class 0] <= 0.51", 4)]
    {
        assert!(proved(&architecture, &bound(text), &[most, 0, 0]), "{text}");
        assert!(!proved(&architecture, &bound(text), &[most + 1, 0, 0]), "{text}");
    }
    let tie = [5, 5, 5];
    for index in 0..3 {
        assert_eq!(proved(&architecture, &AnswerFact::Class { index }, &tie), index == 0);
    }
    for indices in [vec![0, 1], vec![0, 2], vec![1, 2]] {
        let right = indices == [0, 1];
        assert_eq!(proved(&architecture, &AnswerFact::Top { indices }, &tie), right);
    }
}

/// What is claimed is no part of the relations: claims of one form share them.
#[test]
fn relations_do_not_depend_on_what_is_claimed() {
    let architecture = identity(4, 4, OutputScale::Plain, 9);
    let answers = Answers::of(&architecture).unwrap();
    let digest = |class, indices: &[u32], text: &str| {
        let bound = AnswerFact::Bound(AnswerBound::parse(text, &answers).unwrap());
        let facts =
            [AnswerFact::Class { index: class }, AnswerFact::Top { indices: indices.to_vec() }, bound];
        lower_facts(&architecture, Visibility::Hidden, &facts).unwrap().system.digest()
    };
    assert_eq!(digest(0, &[0, 1], "class 1 >= 0.5"), digest(3, &[2, 3], "class 2 < 0.25"));
    assert_ne!(digest(0, &[0, 1], "class 1 >= 0.5"), digest(0, &[0], "class 1 >= 0.5"));
}
