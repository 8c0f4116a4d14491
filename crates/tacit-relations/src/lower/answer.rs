//! Lowering of claims that state facts of an answer and hide the answer.
//!
//! Which relation pins what:
//!
//! * The answer is a witness, defined by the model's own relations from the committed weights and the record. Every fact
//!   below reads that one tensor.
//! * The class is a public one-hot tensor, defined by `ArgMax` of the logits: the lowest index wins a tie, and no other
//!   tensor satisfies it. A single logit is compared with zero by `Requant{0, 0, 1}`, as for test sets.
//! * First classes and margins are *leads*: row `r` names a class `a_r` by a public one-hot row, which a `Contraction` with the
//!   logits turns into the class's own logit, and `lead[r, j] = logit[a_r] − logit[j] − offset[r, j]` is an `Affine` that a `Range`
//!   shows to be at least zero. Offsets are public. For a class among the first ones, against a class `j` that is not, the
//!   offset is 1 where `j` is the lower index (which wins a tie), else 0; every such pair has its own element, so the set is the
//!   one set of that size that comes first. Against another of the first ones it is minus the largest difference there can be,
//!   which says nothing. For a margin of at least `m` it is `m` against every other class, and 0 against itself.
//! * A bound on one output is a public row with a single 1 or −1: its `Contraction` with the answer, less a public number, is shown
//!   by a `Range` to be at least zero. Bounds from above are bounds from below on minus the output.
//! * Ranges end below 2^62, logits and offsets below 2^61: no difference wraps around the field.
//!
//! What the claim states (classes, offsets, numbers) is in public tensors and not in the relations, so that claims of one form
//! about one architecture share their relations, and an engine's keys for them.

use std::collections::BTreeMap;

use tacit_claim::{AnswerFact, Answers, Form};
use tacit_model::Architecture;

use super::division::all_ones;
use super::test_set::{Observer, one_hot};
use super::{First, LowerError, Lowering, Visibility};
use crate::relation::{Grouping, Relation};
use crate::system::{RelationSystem, Segment, TensorId};
use crate::view::{Axis, View};

/// A lowered claim about facts of an answer.
#[derive(Debug)]
pub struct LoweredFacts {
    /// The relations. Tensor 0 is the record.
    pub system: RelationSystem,
    /// Values of the public tensors that state the facts: every one but the record.
    pub public: BTreeMap<TensorId, Vec<i64>>,
}

/// Lowers one inference whose answer is hidden but for `facts`, which were checked by
/// [`AnswerFact::check_all`]. The system's tensors begin as those of [`super::lower_inference`] do.
///
/// # Errors
/// [`LowerError`].
pub fn lower_facts(
    architecture: &Architecture,
    input: Visibility,
    facts: &[AnswerFact],
) -> Result<LoweredFacts, LowerError> {
    let answers = Answers::of(architecture)?;
    let mut lowering = Lowering::new(1);
    let record = lowering.record(architecture, input);
    let record = View::whole(record, &lowering.batched(&architecture.input_shape));
    let output = lowering.model(architecture, First::Record(record), Segment::Witness)?;
    let mut observer = Observer::new(lowering, output, architecture, false)?;
    let mut public = BTreeMap::new();
    let (mut leads, mut floors) = (Vec::new(), Vec::new());
    for fact in facts {
        match fact {
            AnswerFact::Class { index } => {
                let class = observer.selector(Segment::Public);
                let classes = architecture.schema.classes.len();
                public.insert(class, one_hot(std::iter::once(*index as usize), classes));
            }
            AnswerFact::Top { indices } => leads.extend(first_classes(indices, &answers)),
            AnswerFact::Bound(bound) => match bound.from_below(&answers) {
                Some((Form::Output(output), at_least)) => floors.push(Floor { output, sign: 1, at_least }),
                Some((Form::Negated(output), at_least)) => floors.push(Floor { output, sign: -1, at_least }),
                Some((Form::Lead(class), at_least)) => leads.push(margin(class, at_least, &answers)),
                None => return Err(LowerError::Fact),
            },
        }
    }
    if !leads.is_empty() {
        observer.leads(&leads, &answers, &mut public);
    }
    if !floors.is_empty() {
        observer.floors(&floors, &answers, &mut public);
    }
    let Lowering { tensors, relations, .. } = observer.lowering;
    Ok(LoweredFacts { system: RelationSystem::new(tensors, relations)?, public })
}

/// `logit[class] − logit[j] ≥ offsets[j]` for every `j`.
struct Lead {
    class: usize,
    offsets: Vec<i64>,
}

/// `sign · output ≥ at_least`.
struct Floor {
    output: usize,
    sign: i64,
    at_least: i64,
}

/// Every class of the set comes before every other class.
fn first_classes<'a>(indices: &'a [u32], answers: &'a Answers<'_>) -> impl Iterator<Item = Lead> + 'a {
    indices.iter().map(|a| {
        let offset = |j: u32| match indices.binary_search(&j) {
            Ok(_) => -answers.span(),
            Err(_) => i64::from(j < *a),
        };
        Lead { class: *a as usize, offsets: (0..answers.len() as u32).map(offset).collect() }
    })
}

fn margin(class: usize, at_least: i64, answers: &Answers<'_>) -> Lead {
    Lead { class, offsets: (0..answers.len()).map(|j| if j == class { 0 } else { at_least }).collect() }
}

impl Observer {
    fn leads(&mut self, leads: &[Lead], answers: &Answers<'_>, public: &mut BTreeMap<TensorId, Vec<i64>>) {
        let (rows, n) = (leads.len(), answers.len());
        let (span, bounds) = (answers.span(), answers.bounds());
        let logits = self.rows().tensor;
        let lowering = &mut self.lowering;
        let which = lowering.push(vec![rows, n], (0, 1), Segment::Public, 0);
        public.insert(which, one_hot(leads.iter().map(|lead| lead.class), n));
        let own = lowering.push(vec![rows], (bounds.lo, bounds.hi), Segment::Witness, 0);
        lowering.relations.push(Relation::Contraction {
            a: View::whole(which, &[1, rows, n]),
            c: View::whole(logits, &[1, n, 1]),
            grouping: Grouping::MATRIX,
            bias: None,
            y: own,
        });
        let offsets = lowering.push(vec![rows, n], (-span.max(1), span.max(1)), Segment::Public, 0);
        public.insert(offsets, leads.iter().flat_map(|lead| lead.offsets.iter().copied()).collect());
        let lead = lowering.push(vec![rows, n], (0, 2 * span), Segment::Witness, 0);
        let own = View { tensor: own, offset: 0, axes: vec![Axis::plain(rows, 1), Axis::plain(n, 0)] };
        let each = View { tensor: logits, offset: 0, axes: vec![Axis::plain(rows, 0), Axis::plain(n, 1)] };
        let terms = vec![(1, own), (-1, each), (-1, View::whole(offsets, &[rows, n]))];
        lowering.relations.push(Relation::Affine { terms, offset: 0, y: lead });
        let x = View::whole(lead, &[rows, n]);
        lowering.relations.push(Relation::Range { x, lo: 0, hi: all_ones(2 * span) });
    }

    fn floors(&mut self, floors: &[Floor], answers: &Answers<'_>, public: &mut BTreeMap<TensorId, Vec<i64>>) {
        let (rows, n) = (floors.len(), answers.len());
        let (span, bounds) = (answers.span(), answers.bounds());
        let reach = bounds.lo.abs().max(bounds.hi.abs());
        let output = self.rows().tensor;
        let lowering = &mut self.lowering;
        let signs = lowering.push(vec![rows, n], (-1, 1), Segment::Public, 0);
        let row = |floor: &Floor| (0..n).map(|j| if j == floor.output { floor.sign } else { 0 }).collect();
        public.insert(signs, floors.iter().flat_map(|floor| -> Vec<i64> { row(floor) }).collect());
        let less = lowering.push(vec![rows], (-reach, reach), Segment::Public, 0);
        public.insert(less, floors.iter().map(|floor| -floor.at_least).collect());
        let beyond = lowering.push(vec![rows], (0, span), Segment::Witness, 0);
        lowering.relations.push(Relation::Contraction {
            a: View::whole(signs, &[1, rows, n]),
            c: View::whole(output, &[1, n, 1]),
            grouping: Grouping::MATRIX,
            bias: Some(View::whole(less, &[1, rows, 1])),
            y: beyond,
        });
        let x = View::whole(beyond, &[rows]);
        lowering.relations.push(Relation::Range { x, lo: 0, hi: all_ones(span) });
    }
}
