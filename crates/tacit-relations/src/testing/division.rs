//! Quotients and roots, lowered from small models.

use tacit_model::testing::{SplitMix, schema};
use tacit_model::{Architecture, Model, Node, NodeId, Normalise, Op, OutputScale};

use super::Case;
use super::random::inference;

/// Every case.
#[must_use]
pub fn all() -> Vec<Case> {
    (0..6).map(|seed| case(seed, 2 + seed as usize / 2)).chain((0..2).map(wide)).collect()
}

/// The model of these nodes, which have no weights, on records of `features` numbers.
fn without_weights(features: usize, nodes: Vec<Node>) -> Model {
    let architecture = Architecture {
        schema: schema(features, 0),
        input_shape: vec![features],
        params: Vec::new(),
        nodes,
        output_exponent: 0,
        output_scale: OutputScale::Plain,
    };
    Model::new(architecture, Vec::new()).expect("generated models are well-formed")
}

/// A quotient and a root of numbers of up to 57 bits by ones of up to 40, which take several lookups each; the divisor of
/// odd seeds is one sum for all.
///
/// # Panics
/// When the trace disagrees with the model's evaluator.
#[must_use]
pub fn wide(seed: u64) -> Case {
    let mut nodes = Vec::new();
    let mut push = |op: Op| -> NodeId {
        nodes.push(Node { op });
        NodeId(nodes.len() as u32)
    };
    let rule = Normalise { multipliers: vec![1 << 10], shift: 0, lo: -(1 << 20), hi: 1 << 20 };
    let x = push(Op::Normalise { x: NodeId(0), rule });
    let part = |start: usize| Op::Slice { x, starts: vec![start], shape: vec![2], steps: vec![1] };
    let (a, b) = (push(part(0)), push(part(2)));
    let a = push(Op::Scale { x: a, by: vec![(1 << 36) - 5], shape: vec![1] });
    let b = push(Op::Scale { x: b, by: vec![(1 << 19) + 3], shape: vec![1] });
    let b = if seed % 2 == 1 { push(Op::Sum { x: b, axes: 1 }) } else { b };
    let b = push(Op::Requant { x: b, shift: 0, lo: 1, hi: (1 << 39) - 1 });
    let quotient = push(Op::Quotient { a, b });
    let root = push(Op::Root { x: b });
    let node = |id: NodeId| tacit_model::Operand::Value(id);
    push(Op::Linear { terms: vec![(1, node(quotient)), (3, node(root))], offset: 0 });
    let model = without_weights(4, nodes);
    inference(format!("wide division, seed {seed}"), &model, 1 + seed as usize % 2, seed)
}

/// Quotients of one half of a record by the other or by its sum, and roots, by turns; bounds vary.
///
/// # Panics
/// When the trace disagrees with the model's evaluator.
#[must_use]
pub fn case(seed: u64, half: usize) -> Case {
    let mut rng = SplitMix(seed);
    let mut nodes = Vec::new();
    let mut push = |op: Op| -> NodeId {
        nodes.push(Node { op });
        NodeId(nodes.len() as u32)
    };
    let rule = Normalise { multipliers: vec![rng.range(1, 9)], shift: 4, lo: -256, hi: 255 };
    let x = push(Op::Normalise { x: NodeId(0), rule });
    let part = |start: usize| Op::Slice { x, starts: vec![start], shape: vec![half], steps: vec![1] };
    let (a, b) = (push(part(0)), push(part(half)));
    let b = if seed % 3 == 1 { push(Op::Sum { x: b, axes: 1 }) } else { b };
    let lo = rng.range(1, 3);
    let b = push(Op::Requant { x: b, shift: 0, lo, hi: lo + rng.range(0, 300) });
    let kind = if seed % 3 == 2 { "roots" } else { "quotients" };
    match kind {
        "roots" => {
            let root = push(Op::Root { x: b });
            if seed.is_multiple_of(2) {
                push(Op::Quotient { a, b });
                push(Op::Mul { a: tacit_model::Operand::Value(root), b: tacit_model::Operand::Value(a) });
            }
        }
        _ => {
            let quotient = push(Op::Quotient { a, b });
            if seed.is_multiple_of(2) {
                push(Op::Requant { x: quotient, shift: 1, lo: -20, hi: 20 });
            }
        }
    }
    let model = without_weights(2 * half, nodes);
    inference(format!("{kind}, seed {seed}"), &model, 1 + seed as usize % 2, seed)
}
