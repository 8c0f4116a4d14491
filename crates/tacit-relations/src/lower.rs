//! Lowering: an architecture and what is revealed become a relation system. Knows nothing of proofs.
//!
//! Operators that only move elements become views and cost nothing. Samples are the leading axis of every value.

use tacit_model::{Architecture, ArchitectureError, NodeId, Op, Operand, ParamId, ValueBounds, signed_width};

pub(crate) mod answer;
mod division;
pub(crate) mod test_set;

pub use answer::{LoweredFacts, lower_facts};
pub use test_set::{
    Lowered, TestSet, TestSetClaim, committed_labels, lower_hidden_data, lower_test_set, lower_verdict,
};

use test_set::Given;

use crate::relation::{Grouping, Relation};
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
    /// A fact of an answer that such a model cannot give.
    #[error("the model's answers have no such fact")]
    Fact,
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
            let view = match &node.op {
                Op::Normalise { x: NodeId(0), rule } if public => {
                    let to = self.batched(shape);
                    let y = self.push(to.clone(), bounds, Segment::Public, 0);
                    self.given.push((y, Given::Normalised(rule.clone())));
                    View::whole(y, &to)
                }
                op if op.is_movement() => self.movement(op, &views, &values, bounds),
                op => {
                    let to = Target { shape, bounds, segment, width, last };
                    self.operator(op, &views, &params, architecture, &values, to)
                }
            };
            // An output is a result of its own: views of other tensors and what the verifier computes are copied.
            let given = public && matches!(node.op, Op::Normalise { x: NodeId(0), .. });
            let view = if last && (given || node.op.is_movement()) {
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
        let reads = |op: &Op| {
            !matches!(op, Op::Normalise { .. }) && op.operands().contains(&Operand::Value(NodeId(0)))
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

    /// An operator that is a relation, or several: defines its result and returns a view of it.
    fn operator(
        &mut self,
        op: &Op,
        views: &[View],
        params: &[TensorId],
        architecture: &Architecture,
        values: &[(Vec<usize>, ValueBounds)],
        result: Target<'_>,
    ) -> View {
        let to = self.batched(result.shape);
        let view = |id: &NodeId| views[id.0 as usize].clone();
        let param = |id: &ParamId, to: &[usize]| {
            View::broadcast(params[id.0 as usize], &architecture.params[id.0 as usize].shape, to)
                .expect("validation has checked that parameters broadcast")
        };
        let operand = |o: &Operand| match o {
            Operand::Param(id) => param(id, &to),
            Operand::Value(id) => broadcast_value(&views[id.0 as usize], &to),
        };
        let bounds_of = |id: &NodeId| (values[id.0 as usize].1.lo, values[id.0 as usize].1.hi);
        match op {
            Op::Normalise { x, rule } => {
                let n: usize = result.shape.iter().product();
                let multipliers = self.constant(rule.multipliers.clone());
                let c = View::broadcast(multipliers, &[rule.multipliers.len()], &[self.samples, n])
                    .expect("validation has checked the number of multipliers");
                let (lo, hi) = bounds_of(x);
                let most = rule.multipliers.iter().map(|m| m.unsigned_abs()).max().unwrap_or(0);
                let reach = i128::from(most) * i128::from(lo.unsigned_abs().max(hi.unsigned_abs()));
                let reach = i64::try_from(reach).expect("validation has checked the products");
                let scaled = self.push(to.clone(), (-reach, reach), Segment::Witness, 0);
                self.relations.push(Relation::Product { a: view(x), c, y: scaled });
                let y = self.push(to.clone(), result.bounds, result.segment, result.width);
                let x = View::whole(scaled, &to);
                self.relations.push(Relation::Requant { x, shift: rule.shift, lo: rule.lo, hi: rule.hi, y });
                View::whole(y, &to)
            }
            Op::MatMul { x, weight, bias } => {
                let [k, n] = architecture.params[weight.0 as usize].shape[..] else {
                    unreachable!("validation has checked that the weight is a matrix")
                };
                let rows = to.iter().product::<usize>() / n;
                let x_shape: Vec<usize> = self.batched(&values[x.0 as usize].0);
                let x = self.contiguous(&view(x), &x_shape, bounds_of(x));
                let a = View { axes: vec![Axis::plain(1, 0), Axis::plain(rows, k), Axis::plain(k, 1)], ..x };
                let c = View::whole(params[weight.0 as usize], &[1, k, n]);
                let bias = bias.map(|b| param(&b, &[1, rows, n]));
                let y = self.push(to.clone(), result.bounds, result.segment, result.width);
                self.relations.push(Relation::Contraction { a, c, grouping: Grouping::MATRIX, bias, y });
                View::whole(y, &to)
            }
            Op::Conv { x, weight, bias, strides, dilations } => {
                let spec = &architecture.params[weight.0 as usize].shape;
                let bias = bias.map(|b| params[b.0 as usize]);
                let x = self.unpadded(&view(x), &self.batched(&values[x.0 as usize].0), bounds_of(x));
                self.convolution(&x, (params[weight.0 as usize], spec), bias, strides, dilations, result)
            }
            Op::Linear { terms, offset } => {
                let mut terms: Vec<(i64, View)> = terms.iter().map(|(c, o)| (*c, operand(o))).collect();
                let (to, order) = self.order_of(terms.iter().map(|(_, v)| v), &to, result.last);
                terms.iter_mut().for_each(|(_, v)| permute(v, &order));
                let y = self.push(to.clone(), result.bounds, result.segment, result.width);
                self.relations.push(Relation::Affine { terms, offset: *offset, y });
                restored(y, &to, &order)
            }
            Op::Mul { a, b } => self.product(operand(a), operand(b), &to, result),
            Op::Scale { x, by, shape } => {
                let multipliers = self.constant(by.clone());
                let c = View::broadcast(multipliers, shape, &to).expect("validation has checked the shape");
                self.product(view(x), c, &to, result)
            }
            Op::Requant { x, shift, lo, hi } => {
                let (x, y, view) = self.elementwise(view(x), &to, result);
                self.relations.push(Relation::Requant { x, shift: *shift, lo: *lo, hi: *hi, y });
                view
            }
            Op::Table { x, first, values } => {
                let (x, y, view) = self.elementwise(view(x), &to, result);
                self.relations.push(Relation::Table { x, first: *first, values: values[..].into(), y });
                view
            }
            Op::Quotient { a, b } => {
                let (n, d) = (operand(&Operand::Value(*a)), operand(&Operand::Value(*b)));
                self.quotient((n, bounds_of(a)), (d, bounds_of(b)), &to, result)
            }
            Op::Root { x } => self.root(view(x), bounds_of(x), &to, result),
            Op::Sum { x, axes } => {
                let mut a = view(x);
                a.axes.insert(0, Axis::plain(1, 0));
                let ones = self.constant(vec![1]);
                let depth = a.axes[a.axes.len() - axes..].iter().map(|a| Axis::plain(a.len, 0));
                let c_axes = std::iter::once(Axis::plain(1, 0)).chain(depth).chain([Axis::plain(1, 0)]);
                let c = View { tensor: ones, offset: 0, axes: c_axes.collect() };
                let grouping = Grouping { batch: 1, rows: a.axes.len() - 1 - axes };
                let y = self.push(to.clone(), result.bounds, result.segment, result.width);
                self.relations.push(Relation::Contraction { a, c, grouping, bias: None, y });
                View::whole(y, &to)
            }
            Op::Max { x, .. } => {
                let y = self.push(to.clone(), result.bounds, result.segment, result.width);
                self.relations.push(Relation::Max { x: view(x), y });
                View::whole(y, &to)
            }
            Op::Reshape { .. }
            | Op::Transpose { .. }
            | Op::Pad { .. }
            | Op::Slice { .. }
            | Op::Concat { .. }
            | Op::Broadcast { .. }
            | Op::Windows { .. } => unreachable!("movements, handled by the caller"),
        }
    }

    /// A product, in the memory order of its first whole operand.
    fn product(&mut self, mut a: View, mut c: View, to: &[usize], result: Target<'_>) -> View {
        let (to, order) = self.order_of([&a, &c].into_iter(), to, result.last);
        permute(&mut a, &order);
        permute(&mut c, &order);
        let y = self.push(to.clone(), result.bounds, result.segment, result.width);
        self.relations.push(Relation::Product { a, c, y });
        restored(y, &to, &order)
    }

    /// Operand, result and the result's view of a function of single elements, in the operand's memory order, so that an engine
    /// sees a result that is read whole.
    fn elementwise(&mut self, mut x: View, to: &[usize], result: Target<'_>) -> (View, TensorId, View) {
        let (to, order) = self.order_of([&x].into_iter(), to, result.last);
        permute(&mut x, &order);
        let y = self.push(to.clone(), result.bounds, result.segment, result.width);
        (x, y, restored(y, &to, &order))
    }

    /// The order of axes in which the first of the views that shows a tensor whole has them in memory, and the lengths in that
    /// order. The last result keeps its own order.
    fn order_of<'v>(
        &self,
        mut views: impl Iterator<Item = &'v View>,
        to: &[usize],
        last: bool,
    ) -> (Vec<usize>, Vec<usize>) {
        let own: Vec<usize> = (0..to.len()).collect();
        let whole = |view: &View| {
            let len = self.tensors[view.tensor.0 as usize].len();
            if view.is_identity(len) {
                return Some(own.clone());
            }
            let mut order = own.clone();
            order.sort_by_key(|&i| (view.axes[i].len > 1).then_some(std::cmp::Reverse(view.axes[i].stride)));
            let sorted = order.iter().map(|&i| view.axes[i]).collect();
            View { axes: sorted, ..view.clone() }.is_identity(len).then_some(order)
        };
        let order = if last { None } else { views.find_map(whole) }.unwrap_or_else(|| own.clone());
        (order.iter().map(|&i| to[i]).collect(), order)
    }

    /// Groups of channels are batches, samples and positions rows, outputs columns: the result lies in memory as
    /// `[groups, samples, positions.., outputs]`.
    fn convolution(
        &mut self,
        x: &View,
        (weight, spec): (TensorId, &[usize]),
        bias: Option<TensorId>,
        strides: &[usize],
        dilations: &[usize],
        result: Target<'_>,
    ) -> View {
        let (groups, channels, outputs) = (spec[0], spec[1], spec[spec.len() - 1]);
        let kernel = &spec[2..spec.len() - 1];
        let positions = &result.shape[1..];
        let (sample, channel, image) = (x.axes[0], x.axes[1], &x.axes[2..]);
        let mut axes = vec![Axis::plain(groups, channel.stride * channels), sample];
        axes.extend((0..kernel.len()).map(|i| stepped(positions[i], image[i].stride, strides[i])));
        axes.push(Axis::plain(channels, channel.stride));
        axes.extend((0..kernel.len()).map(|i| stepped(kernel[i], image[i].stride, dilations[i])));
        let a = View { axes, ..x.clone() };
        let c = View::whole(weight, spec);
        let grouping = Grouping { batch: 1, rows: 1 + positions.len() };
        let lead = [&[groups, self.samples], positions].concat();
        let to = [&lead[..], &[outputs]].concat();
        let bias = bias.map(|tensor| {
            let mut axes: Vec<Axis> = to.iter().map(|&len| Axis::plain(len, 0)).collect();
            axes[0].stride = outputs;
            axes[lead.len()].stride = 1;
            View { tensor, offset: 0, axes }
        });
        // The last result keeps its own order.
        let (segment, width) =
            if result.last { (Segment::Witness, 0) } else { (result.segment, result.width) };
        let y = self.push(to.clone(), result.bounds, segment, width);
        self.relations.push(Relation::Contraction { a, c, grouping, bias, y });
        let whole = View::whole(y, &to);
        let (group, output) = (whole.axes[0], whole.axes[lead.len()]);
        let mut axes = vec![whole.axes[1]];
        let view = match (groups, outputs) {
            (1, _) => {
                axes.push(output);
                axes.extend(&whole.axes[2..lead.len()]);
                View { axes, ..whole }
            }
            (_, 1) => {
                axes.push(group);
                axes.extend(&whole.axes[2..lead.len()]);
                View { axes, ..whole }
            }
            _ => {
                // Channels of several groups are no single axis: they are copied side by side.
                axes.extend([group, output]);
                axes.extend(&whole.axes[2..lead.len()]);
                let shape = self.batched(result.shape);
                let y = self.push(shape.clone(), result.bounds, Segment::Witness, 0);
                self.relations.push(Relation::Affine {
                    terms: vec![(1, View { axes, ..whole })],
                    offset: 0,
                    y,
                });
                View::whole(y, &shape)
            }
        };
        if !result.last {
            return view;
        }
        let y = self.copy(view, result.shape, result.bounds, result.segment, result.width);
        View::whole(y, &self.batched(result.shape))
    }

    /// An operator that only moves elements: another view where there is one, a copy elsewhere.
    fn movement(
        &mut self,
        op: &Op,
        views: &[View],
        values: &[(Vec<usize>, ValueBounds)],
        bounds: (i64, i64),
    ) -> View {
        let view = |id: &NodeId| views[id.0 as usize].clone();
        let of = |id: &NodeId| {
            let (shape, bounds) = &values[id.0 as usize];
            (shape.as_slice(), (bounds.lo, bounds.hi))
        };
        match op {
            Op::Reshape { x, shape } => self.reshape(&view(x), of(x).0, shape, bounds),
            Op::Transpose { x, perm } => {
                let from = view(x);
                let axes =
                    std::iter::once(from.axes[0]).chain(perm.iter().map(|&p| from.axes[p + 1])).collect();
                View { axes, ..from }
            }
            Op::Broadcast { x, shape } => broadcast_value(&view(x), &self.batched(shape)),
            Op::Pad { x, before, after } => {
                let mut view = view(x);
                for (i, axis) in view.axes[1..].iter_mut().enumerate() {
                    axis.len += before[i] + after[i];
                    axis.before += before[i];
                }
                view
            }
            Op::Slice { x, starts, shape, steps } => {
                let mut view = self.unpadded(&view(x), &self.batched(of(x).0), of(x).1);
                for (i, axis) in view.axes[1..].iter_mut().enumerate() {
                    view.offset += starts[i] * axis.stride;
                    *axis = stepped(shape[i], axis.stride, steps[i]);
                }
                view
            }
            Op::Windows { x, window } => {
                let mut view = self.unpadded(&view(x), &self.batched(of(x).0), of(x).1);
                let lead = view.axes.len() - window.kernel.len();
                let image = view.axes.split_off(lead);
                let lens: Vec<usize> = image.iter().map(|a| a.len).collect();
                let positions = window.positions(&lens).expect("validation has checked that windows fit");
                let axis =
                    |lens: &[usize], steps: &[usize], i: usize| stepped(lens[i], image[i].stride, steps[i]);
                view.axes.extend((0..image.len()).map(|i| axis(&positions, &window.strides, i)));
                view.axes.extend((0..image.len()).map(|i| axis(&window.kernel, &window.dilations, i)));
                view
            }
            Op::Concat { parts, axis } => {
                let total: usize = parts.iter().map(|p| of(p).0[*axis]).sum();
                let mut before = 0;
                let mut terms = Vec::with_capacity(parts.len());
                for part in parts {
                    let mut view = view(part);
                    let own = &mut view.axes[axis + 1];
                    let len = own.len;
                    own.before += before;
                    own.len = total;
                    before += len;
                    terms.push((1, view));
                }
                let mut shape = self.batched(of(&parts[0]).0);
                shape[axis + 1] = total;
                let y = self.push(shape.clone(), bounds, Segment::Witness, 0);
                self.relations.push(Relation::Affine { terms, offset: 0, y });
                View::whole(y, &shape)
            }
            _ => unreachable!("callers pass movements"),
        }
    }

    /// A view without padding: the view itself, or a copy of what it shows.
    fn unpadded(&mut self, view: &View, shape: &[usize], bounds: (i64, i64)) -> View {
        if view.axes.iter().all(|a| a.before == 0 && a.valid == a.len) {
            return view.clone();
        }
        self.copied(view, shape, bounds)
    }

    /// The same elements under another shape: a view where the source is in order, a copy otherwise.
    fn reshape(&mut self, from: &View, shape: &[usize], to: &[usize], bounds: (i64, i64)) -> View {
        let from_shape = self.batched(shape);
        let source = self.contiguous(from, &from_shape, bounds);
        View { offset: source.offset, ..View::whole(source.tensor, &self.batched(to)) }
    }

    /// A view whose elements are neighbours in the tensor: the view itself, or a copy of it.
    fn contiguous(&mut self, view: &View, shape: &[usize], bounds: (i64, i64)) -> View {
        let len = self.tensors[view.tensor.0 as usize].len();
        if view.is_identity(len) { view.clone() } else { self.copied(view, shape, bounds) }
    }

    fn copied(&mut self, view: &View, shape: &[usize], bounds: (i64, i64)) -> View {
        let y = self.push(shape.to_vec(), bounds, Segment::Witness, 0);
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

/// What the result of an operator is, per sample.
#[derive(Clone, Copy)]
struct Target<'a> {
    shape: &'a [usize],
    bounds: (i64, i64),
    segment: Segment,
    width: u8,
    /// Whether it is the model's output.
    last: bool,
}

/// An axis that goes `step` neighbours at a time; where it does not move at all, the step may be of any size.
fn stepped(len: usize, stride: usize, step: usize) -> Axis {
    Axis::plain(len, if len > 1 { stride * step } else { 0 })
}

/// Puts a view's axes in another order.
fn permute(view: &mut View, order: &[usize]) {
    view.axes = order.iter().map(|&i| view.axes[i]).collect();
}

/// A view in the original order of a tensor whose shape has its axes in `order`.
fn restored(tensor: TensorId, shape: &[usize], order: &[usize]) -> View {
    let whole = View::whole(tensor, shape);
    let mut axes = whole.axes.clone();
    for (place, &axis) in order.iter().enumerate() {
        axes[axis] = whole.axes[place];
    }
    View { axes, ..whole }
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
