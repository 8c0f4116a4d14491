//! Lowering: an architecture and what is revealed become a relation system. Knows nothing of proofs.
//!
//! Shapes operators (`Reshape`, `Transpose`) become views and cost nothing. Samples are the leading axis of every value.

use tacit_model::{Architecture, ArchitectureError, NodeId, Op, Operand, ParamId, signed_width};

pub(crate) mod test_set;

pub use test_set::{
    Lowered, TestSet, TestSetClaim, committed_labels, lower_hidden_data, lower_test_set, lower_verdict,
};

use test_set::Given;

use crate::relation::Relation;
use crate::system::{RelationSystem, Segment, SystemError, TensorId, TensorSpec};
use crate::view::{Axis, View};

/// Whether the verifier sees a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Committed.
    Hidden,
    /// Part of the claim.
    Public,
}

/// What an inference claim reveals. Weights are always committed: public ones through a public opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inference {
    /// Number of records.
    pub samples: usize,
    /// The record.
    pub input: Visibility,
    /// The answer.
    pub output: Visibility,
}

/// Why an architecture cannot be lowered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LowerError {
    /// The architecture is ill-formed.
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    /// The relations would be ill-formed.
    #[error("the model cannot be expressed as relations: {0}")]
    System(#[from] SystemError),
    /// No sample.
    #[error("a claim is about at least one record")]
    NoSamples,
    /// More weights of requirements than a verifier sets memory aside for.
    #[error(
        "the requirements weigh {actual} answers at once; at most {max} are: fewer groups, or more chunks"
    )]
    Weights {
        /// Most weights.
        max: usize,
        /// Weights of the claim: conditions, times records, times classes.
        actual: usize,
    },
}

/// Lowers one or several inferences of `architecture`.
///
/// The system's tensors are, in order: the record, the parameters in the architecture's order, then results. The
/// output is the last relation's result.
///
/// # Errors
/// [`LowerError`].
pub fn lower_inference(architecture: &Architecture, claim: Inference) -> Result<RelationSystem, LowerError> {
    if claim.samples == 0 {
        return Err(LowerError::NoSamples);
    }
    let mut lowering = Lowering::new(claim.samples);
    let input = lowering.record(architecture, claim.input);
    let record = View::whole(input, &lowering.batched(&architecture.input_shape));
    let output = match claim.output {
        Visibility::Public => Segment::Public,
        Visibility::Hidden => Segment::Output,
    };
    lowering.model(architecture, First::Record(record), output)?;
    Ok(RelationSystem::new(lowering.tensors, lowering.relations)?)
}

/// Where a model's computation begins.
enum First {
    /// At the record.
    Record(View),
    /// At a record that the verifier has: what it is normalised to, it computes itself.
    Public,
}

struct Lowering {
    tensors: Vec<TensorSpec>,
    relations: Vec<Relation>,
    samples: usize,
    /// Public tensors that the verifier computes, and from what.
    given: Vec<(TensorId, Given)>,
}

impl Lowering {
    const fn new(samples: usize) -> Self {
        Self { tensors: Vec::new(), relations: Vec::new(), samples, given: Vec::new() }
    }

    /// The model on every sample; the output's view.
    fn model(
        &mut self,
        architecture: &Architecture,
        first: First,
        output: Segment,
    ) -> Result<View, LowerError> {
        let values = architecture.validate()?;
        let params: Vec<TensorId> = architecture
            .params
            .iter()
            .map(|p| {
                let b = p.bounds();
                self.push(p.shape.clone(), (b.lo, b.hi), Segment::Weights, p.width)
            })
            .collect();
        let public = matches!(first, First::Public);
        let record = match first {
            First::Record(view) => view,
            First::Public => self.public_record(architecture),
        };
        let mut views = vec![record];
        for (j, node) in architecture.nodes.iter().enumerate() {
            let (shape, bounds) = (&values[j + 1].0, (values[j + 1].1.lo, values[j + 1].1.hi));
            let last = j + 1 == architecture.nodes.len();
            let segment = if last { output } else { Segment::Witness };
            let width = if segment == Segment::Output { signed_width(bounds.0, bounds.1) } else { 0 };
            let shape_of = |id: &NodeId| values[id.0 as usize].0.as_slice();
            let view = match &node.op {
                Op::Normalise { x: NodeId(0), rule } if public => {
                    let to = self.batched(shape);
                    let y = self.push(to.clone(), bounds, Segment::Public, 0);
                    self.given.push((y, Given::Normalised(rule.clone())));
                    View::whole(y, &to)
                }
                Op::Reshape { x, shape: to } => self.reshape(&views[x.0 as usize], shape_of(x), to, bounds),
                Op::Transpose { x, perm } => {
                    let from = &views[x.0 as usize];
                    let axes =
                        std::iter::once(from.axes[0]).chain(perm.iter().map(|&p| from.axes[p + 1])).collect();
                    View { axes, ..from.clone() }
                }
                op => {
                    let y = self.operator(
                        op,
                        &views,
                        &params,
                        architecture,
                        &values,
                        (shape, bounds),
                        (segment, width),
                    );
                    View::whole(y, &self.batched(shape))
                }
            };
            // An output is a result of its own: views of other tensors and what the verifier computes are copied.
            let given = public && matches!(node.op, Op::Normalise { x: NodeId(0), .. });
            let view = if last && (given || matches!(node.op, Op::Reshape { .. } | Op::Transpose { .. })) {
                View::whole(self.copy(view, shape, bounds, segment, width), &self.batched(shape))
            } else {
                view
            };
            views.push(view);
        }
        views.pop().ok_or(LowerError::NoSamples)
    }

    fn push(&mut self, shape: Vec<usize>, bounds: (i64, i64), segment: Segment, width: u8) -> TensorId {
        self.tensors.push(TensorSpec { shape, bounds, segment, width, constant: Vec::new() });
        TensorId(self.tensors.len() as u32 - 1)
    }

    fn constant(&mut self, values: Vec<i64>) -> TensorId {
        let lo = values.iter().copied().min().unwrap_or(0);
        let hi = values.iter().copied().max().unwrap_or(0);
        self.tensors.push(TensorSpec {
            shape: vec![values.len()],
            bounds: (lo, hi),
            segment: Segment::Constant,
            width: 0,
            constant: values,
        });
        TensorId(self.tensors.len() as u32 - 1)
    }

    /// The record as a public tensor, where anything but normalisation reads it.
    fn public_record(&mut self, architecture: &Architecture) -> View {
        let reads = |op: &Op| match op {
            Op::Normalise { .. } => false,
            Op::MatMul { x, .. }
            | Op::Requant { x, .. }
            | Op::Reshape { x, .. }
            | Op::Transpose { x, .. } => *x == NodeId(0),
            Op::Linear { terms, .. } => terms.iter().any(|(_, o)| *o == Operand::Value(NodeId(0))),
            Op::Mul { a, b } => [a, b].contains(&&Operand::Value(NodeId(0))),
        };
        if !architecture.nodes.iter().any(|node| reads(&node.op)) {
            // A view that nothing reads.
            return View { tensor: TensorId(0), offset: 0, axes: Vec::new() };
        }
        let x = self.record(architecture, Visibility::Public);
        self.given.push((x, Given::Record));
        View::whole(x, &self.batched(&architecture.input_shape))
    }

    /// A per-sample shape with the sample axis in front.
    fn batched(&self, shape: &[usize]) -> Vec<usize> {
        std::iter::once(self.samples).chain(shape.iter().copied()).collect()
    }

    /// The record and, where it is hidden, its declared ranges: one relation per run of features with equal bounds.
    fn record(&mut self, architecture: &Architecture, visibility: Visibility) -> TensorId {
        let features = &architecture.schema.features;
        let lo = features.iter().map(|f| f.min).min().unwrap_or(0);
        let hi = features.iter().map(|f| f.max).max().unwrap_or(0);
        let (segment, width) = match visibility {
            Visibility::Public => (Segment::Public, 0),
            Visibility::Hidden => (Segment::Input, architecture.schema.record_width()),
        };
        let shape = self.batched(&architecture.input_shape);
        let x = self.push(shape, (lo, hi), segment, width);
        if visibility == Visibility::Hidden {
            let mut start = 0;
            for run in features.chunk_by(|f, g| (f.min, f.max) == (g.min, g.max)) {
                let axes = vec![Axis::plain(self.samples, features.len()), Axis::plain(run.len(), 1)];
                let x = View { tensor: x, offset: start, axes };
                self.relations.push(Relation::Range { x, lo: run[0].min, hi: run[0].max });
                start += run.len();
            }
        }
        x
    }

    /// An operator that is a relation: defines and returns its result.
    #[allow(clippy::too_many_arguments)]
    fn operator(
        &mut self,
        op: &Op,
        views: &[View],
        params: &[TensorId],
        architecture: &Architecture,
        values: &[(Vec<usize>, tacit_model::ValueBounds)],
        (shape, bounds): (&[usize], (i64, i64)),
        (segment, width): (Segment, u8),
    ) -> TensorId {
        let to = self.batched(shape);
        let view = |id: &NodeId| views[id.0 as usize].clone();
        let param = |id: &ParamId, to: &[usize]| {
            View::broadcast(params[id.0 as usize], &architecture.params[id.0 as usize].shape, to)
                .expect("validation has checked that parameters broadcast")
        };
        let operand = |o: &Operand| match o {
            Operand::Param(id) => param(id, &to),
            Operand::Value(id) => broadcast_value(&views[id.0 as usize], &to),
        };
        match op {
            Op::Normalise { x, rule } => {
                let multipliers = self.constant(rule.multipliers.clone());
                let x = view(x);
                let n: usize = shape.iter().product();
                let c = View::broadcast(multipliers, &[rule.multipliers.len()], &[self.samples, n])
                    .expect("validation has checked the number of multipliers");
                let reach = rule.multipliers.iter().map(|m| m.abs()).max().unwrap_or(0)
                    * architecture
                        .schema
                        .features
                        .iter()
                        .map(|f| f.min.abs().max(f.max.abs()))
                        .max()
                        .unwrap_or(0);
                let scaled = self.push(to.clone(), (-reach, reach), Segment::Witness, 0);
                self.relations.push(Relation::Product { a: x, c, y: scaled });
                let y = self.push(to.clone(), bounds, segment, width);
                let x = View::whole(scaled, &to);
                self.relations.push(Relation::Requant { x, shift: rule.shift, lo: rule.lo, hi: rule.hi, y });
                y
            }
            Op::MatMul { x, weight, bias } => {
                let [k, n] = architecture.params[weight.0 as usize].shape[..] else {
                    unreachable!("validation has checked that the weight is a matrix")
                };
                let rows = to.iter().product::<usize>() / n;
                let x_shape: Vec<usize> = self.batched(&values[x.0 as usize].0);
                let x = self.contiguous(&view(x), &x_shape, &values[x.0 as usize].1);
                let a = View { axes: vec![Axis::plain(1, 0), Axis::plain(rows, k), Axis::plain(k, 1)], ..x };
                let c = View::whole(params[weight.0 as usize], &[1, k, n]);
                let bias = bias.map(|b| param(&b, &[1, rows, n]));
                let y = self.push(to, bounds, segment, width);
                self.relations.push(Relation::Contraction { a, c, bias, y });
                y
            }
            Op::Linear { terms, offset } => {
                let terms = terms.iter().map(|(c, o)| (*c, operand(o))).collect();
                let y = self.push(to.clone(), bounds, segment, width);
                self.relations.push(Relation::Affine { terms, offset: *offset, y });
                y
            }
            Op::Mul { a, b } => {
                let (a, c) = (operand(a), operand(b));
                let y = self.push(to.clone(), bounds, segment, width);
                self.relations.push(Relation::Product { a, c, y });
                y
            }
            Op::Requant { x, shift, lo, hi } => {
                let y = self.push(to, bounds, segment, width);
                self.relations.push(Relation::Requant { x: view(x), shift: *shift, lo: *lo, hi: *hi, y });
                y
            }
            Op::Reshape { .. } | Op::Transpose { .. } => unreachable!("views, handled by the caller"),
        }
    }

    /// The same elements under another shape: a view where the source is in order, a copy otherwise.
    fn reshape(&mut self, from: &View, shape: &[usize], to: &[usize], bounds: (i64, i64)) -> View {
        let from_shape = self.batched(shape);
        let source =
            self.contiguous(from, &from_shape, &tacit_model::ValueBounds { lo: bounds.0, hi: bounds.1 });
        View { offset: source.offset, ..View::whole(source.tensor, &self.batched(to)) }
    }

    /// A view whose elements are neighbours in the tensor: the view itself, or a copy of it.
    fn contiguous(&mut self, view: &View, shape: &[usize], bounds: &tacit_model::ValueBounds) -> View {
        let len = self.tensors[view.tensor.0 as usize].len();
        if view.is_identity(len) {
            return view.clone();
        }
        let y = self.push(shape.to_vec(), (bounds.lo, bounds.hi), Segment::Witness, 0);
        self.relations.push(Relation::Affine { terms: vec![(1, view.clone())], offset: 0, y });
        View::whole(y, shape)
    }

    fn copy(
        &mut self,
        view: View,
        shape: &[usize],
        bounds: (i64, i64),
        segment: Segment,
        width: u8,
    ) -> TensorId {
        let y = self.push(self.batched(shape), bounds, segment, width);
        self.relations.push(Relation::Affine { terms: vec![(1, view)], offset: 0, y });
        y
    }
}

/// A value's view (sample axis first) broadcast to the batched shape `to`.
fn broadcast_value(view: &View, to: &[usize]) -> View {
    let own = view.axes.len();
    let axes = to
        .iter()
        .enumerate()
        .map(|(i, &len)| {
            if i == 0 {
                return view.axes[0];
            }
            match (i + own).checked_sub(to.len()).filter(|&o| o > 0).map(|o| view.axes[o]) {
                Some(axis) if axis.len == len => axis,
                _ => Axis::plain(len, 0),
            }
        })
        .collect();
    View { axes, ..view.clone() }
}
