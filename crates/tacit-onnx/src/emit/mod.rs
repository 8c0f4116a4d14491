//! From the folded float graph to integer operators.

mod arithmetic;
mod division;
mod functions;
mod layers;
mod movements;

use std::sync::Arc;

use rayon::prelude::*;
use tacit_model::{Node, NodeId, Op, Operand, ParamId, ParamSpec, requantise};

use crate::calibration::Calibration;
use crate::error::OnnxError;
use crate::evaluate::Plan;
use crate::function::Function;
use crate::graph::{FloatGraph, FloatNode, FloatOp, ValueId};
use crate::normalise::InputStep;
use crate::report::LayerReport;
use crate::rounding::{Rounded, exp2, fitting_exponent};

/// Biases are no wider than this, in bits, unless a single product is about as wide. The format allows 40.
const MAX_BIAS_BITS: u8 = 32;
/// Width of values that only roots and divisors are made of, in bits: one of them decides about many elements.
const FINE_BITS: u8 = 32;
/// Most terms of a sum of products that are not requantised before.
const MAX_EXACT_TERMS: usize = 1 << 13;

/// The integer graph, its parameters, and what was decided on the way.
pub(crate) struct Emitted {
    pub(crate) nodes: Vec<Node>,
    pub(crate) params: Vec<ParamSpec>,
    pub(crate) tensors: Vec<Vec<i64>>,
    pub(crate) output_exponent: i32,
    pub(crate) layers: Vec<LayerReport>,
    /// For each layer the index of its requantisation among `nodes`, and whether its lower and upper bound are those of
    /// the activation width (and not of a ReLU or clip).
    pub(crate) width_bounds: Vec<(usize, bool, bool)>,
    /// Root mean square error of the outputs on the tuning records.
    pub(crate) error: f64,
}

/// Integers of one value on the tuning records, held in floats.
type Rows = Arc<Vec<Vec<f64>>>;

/// A float value's integer counterpart.
#[derive(Clone)]
struct Quantised {
    id: NodeId,
    exponent: i32,
    /// Smallest possible integer.
    lo: i64,
    /// Largest possible integer.
    hi: i64,
    values: Rows,
}

/// An exact result that waits for its requantisation.
struct Accumulator {
    id: NodeId,
    exponent: i32,
    values: Rows,
    rounded: Option<Rounded>,
    /// Bits that the operator added to the width of its operands.
    grown: i32,
    kind: &'static str,
}

/// Widths and margins of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Widths {
    pub(crate) weight_bits: u8,
    pub(crate) activation_bits: u8,
    pub(crate) headroom_bits: u8,
    pub(crate) output_headroom_bits: u8,
}

struct Emitter<'a> {
    graph: &'a FloatGraph,
    calibration: &'a Calibration,
    widths: Widths,
    /// The only reader of each value, where there is one.
    readers: Vec<Option<ValueId>>,
    /// Whether a node's value is the output, up to its shape.
    is_output: Vec<bool>,
    /// Whether only roots and divisors are made of a node's value.
    fine: Vec<bool>,
    done: Vec<Option<Quantised>>,
    /// Products that their sum takes as they are.
    exact: Vec<Option<Accumulator>>,
    out: Emitted,
}

/// Translates `graph`, whose record is the result of `step`.
///
/// # Errors
/// [`OnnxError::Node`] where no scale fits.
pub(crate) fn emit(
    graph: &FloatGraph,
    step: &InputStep,
    calibration: &Calibration,
    widths: Widths,
) -> Result<Emitted, OnnxError> {
    let uses = graph.uses();
    let mut is_output = vec![false; graph.nodes.len()];
    is_output[graph.output] = true;
    for i in (0..graph.nodes.len()).rev() {
        if let FloatOp::Reshape { x } | FloatOp::Transpose { x, .. } | FloatOp::Clamp { x, .. } =
            graph.nodes[i].op
            && is_output[i]
            && uses[x] == 1
        {
            is_output[x] = true;
        }
    }
    let out = Emitted {
        nodes: Vec::new(),
        params: Vec::new(),
        tensors: Vec::new(),
        output_exponent: 0,
        layers: Vec::new(),
        width_bounds: Vec::new(),
        error: 0.0,
    };
    let done = vec![None; graph.nodes.len()];
    let exact = graph.nodes.iter().map(|_| None).collect();
    let (readers, fine) = (graph.sole_readers(), only_divisors(graph));
    let mut emitter = Emitter { graph, calibration, widths, readers, is_output, fine, done, exact, out };
    let first = emitter.push(Op::Normalise { x: NodeId(0), rule: step.rule.clone() });
    emitter.done[0] = Some(Quantised {
        id: first,
        exponent: step.exponent,
        lo: step.rule.lo,
        hi: step.rule.hi,
        values: Arc::new(calibration.first.clone()),
    });
    for i in 1..graph.nodes.len() {
        if emitter.done[i].is_none() {
            emitter.node(i)?;
        }
    }
    emitter.finish()
}

/// For each value whether every reader is a root, divides by it, or passes it on to such ones alone.
fn only_divisors(graph: &FloatGraph) -> Vec<bool> {
    let mut fine = vec![true; graph.nodes.len()];
    let mut read = vec![false; graph.nodes.len()];
    for (j, node) in graph.nodes.iter().enumerate().rev() {
        fine[j] &= read[j] && j != graph.output && j != 0;
        for x in node.op.operands() {
            fine[x] &= match &node.op {
                FloatOp::Function { f: Function::Sqrt, .. } => true,
                FloatOp::Quotient { a, .. } => *a != x,
                FloatOp::Reshape { .. }
                | FloatOp::Transpose { .. }
                | FloatOp::Affine { .. }
                | FloatOp::Clamp { .. } => fine[j],
                _ => false,
            };
            read[x] = true;
        }
    }
    fine
}

impl Emitter<'_> {
    fn push(&mut self, op: Op) -> NodeId {
        self.out.nodes.push(Node { op });
        // Value 0 is the record.
        NodeId(u32::try_from(self.out.nodes.len()).unwrap_or(u32::MAX))
    }

    fn param(&mut self, shape: Vec<usize>, width: u8, values: Vec<i64>) -> ParamId {
        let shape = if shape.is_empty() { vec![1] } else { shape };
        self.out.params.push(ParamSpec { shape, width });
        self.out.tensors.push(values);
        ParamId(u32::try_from(self.out.params.len() - 1).unwrap_or(u32::MAX))
    }

    fn quantised(&self, i: ValueId) -> Result<Quantised, OnnxError> {
        self.done[i].clone().ok_or_else(|| self.fail(i, "its value was not translated"))
    }

    /// Where the elements of node `i` come from.
    fn plan(&self, i: ValueId) -> Plan {
        Plan::new(self.graph, i)
    }

    fn fail(&self, i: ValueId, what: &str) -> OnnxError {
        OnnxError::Node {
            node: self.graph.nodes[i].name.clone(),
            op: "quantisation".to_owned(),
            what: what.to_owned(),
        }
    }

    fn node(&mut self, i: ValueId) -> Result<(), OnnxError> {
        let graph = self.graph;
        let node: &FloatNode = &graph.nodes[i];
        let accumulator = match &node.op {
            FloatOp::MatMul { x, weight, bias } => self.dense(i, *x, weight, bias.as_deref())?,
            FloatOp::Conv { x, weight, bias, strides, dilations } => {
                self.conv(i, *x, (weight, bias.as_deref()), strides, dilations)?
            }
            FloatOp::Affine { x, scale, offset } => self.affine(i, *x, scale.as_ref(), offset.as_ref())?,
            FloatOp::Sum { a, b, subtract } => self.sum(i, *a, *b, *subtract)?,
            FloatOp::Product { a, b } => {
                let product = self.product(i, *a, *b)?;
                if self.is_summed(i) {
                    self.exact[i] = Some(product);
                    return Ok(());
                }
                product
            }
            FloatOp::Quotient { a, b } => self.quotient(i, *a, *b)?,
            FloatOp::Function { x, f: Function::Sqrt } => {
                let (root, hi) = self.root(i, *x)?;
                if self.fine[i] {
                    let Accumulator { id, exponent, values, .. } = root;
                    self.done[i] = Some(Quantised { id, exponent, lo: 0, hi, values });
                    return Ok(());
                }
                root
            }
            FloatOp::Step { x, or_equal } => {
                let x = self.quantised(*x)?;
                let (id, exponent, values) = (x.id, x.exponent, x.values);
                let kind = "comparison";
                let of = Accumulator { id, exponent, values, rounded: None, grown: 0, kind };
                self.done[i] = Some(self.step(of, *or_equal));
                return Ok(());
            }
            FloatOp::Total { x, axes, by } => self.total(i, *x, *axes, by)?,
            FloatOp::Function { x, f } => match self.function(i, *x, *f)? {
                functions::Applied::Exact(accumulator) => accumulator,
                functions::Applied::Done(value) => {
                    self.report_table(i, &value);
                    self.done[i] = Some(value);
                    return Ok(());
                }
            },
            FloatOp::Clamp { x, .. } => {
                let x = self.quantised(*x)?;
                Accumulator {
                    id: x.id,
                    exponent: x.exponent,
                    values: x.values,
                    rounded: None,
                    grown: 0,
                    kind: "clamp",
                }
            }
            FloatOp::Reshape { .. }
            | FloatOp::Transpose { .. }
            | FloatOp::Move { .. }
            | FloatOp::Concat { .. }
            | FloatOp::Largest { .. } => {
                self.done[i] = Some(self.movement(i)?);
                return Ok(());
            }
            FloatOp::Input | FloatOp::Alias { .. } | FloatOp::Tail(_) => {
                return Err(self.fail(i, "it stands where it cannot be quantised"));
            }
        };
        // A comparison is made with the exact result.
        if let Some(reader) = self.readers[i]
            && let FloatOp::Step { or_equal, .. } = graph.nodes[reader].op
        {
            self.done[reader] = Some(self.step(accumulator, or_equal));
            return Ok(());
        }
        self.requantise(i, accumulator)
    }

    /// Whether a product is only summed over, and no larger for it than the format allows.
    fn is_summed(&self, i: ValueId) -> bool {
        let reader = self.readers[i].map(|j| (&self.graph.nodes[j].op, self.graph.nodes[j].len()));
        let Some((FloatOp::Total { .. }, len)) = reader else { return false };
        self.widths.activation_bits <= 16 && self.graph.nodes[i].len() / len <= MAX_EXACT_TERMS
    }

    /// 1 where a value is above zero (or, with `or_equal`, zero), else 0.
    fn step(&mut self, of: Accumulator, or_equal: bool) -> Quantised {
        let (mut id, mut values) = (of.id, of.values);
        if or_equal {
            id = self.push(Op::Linear { terms: vec![(1, Operand::Value(id))], offset: 1 });
            values = mapped(&values, |row| row.iter().map(|v| v + 1.0).collect());
        }
        let id = self.push(Op::Requant { x: id, shift: 0, lo: 0, hi: 1 });
        let values = requantised(&values, 0, 0, 1);
        Quantised { id, exponent: 0, lo: 0, hi: 1, values }
    }

    /// The clamp that bounds node `i`: its own, or that of its only reader, which is then done as well.
    fn clamp_of(&self, i: ValueId) -> (ValueId, f64, f64) {
        if let FloatOp::Clamp { lo, hi, .. } = self.graph.nodes[i].op {
            return (i, lo, hi);
        }
        if let Some(j) = self.readers[i]
            && let FloatOp::Clamp { lo, hi, .. } = self.graph.nodes[j].op
        {
            return (j, lo, hi);
        }
        (i, f64::NEG_INFINITY, f64::INFINITY)
    }

    /// Reals of node `i` on the tuning records.
    fn targets(&self, i: ValueId) -> Vec<&[f64]> {
        self.calibration.real.iter().map(|values| values[i].as_slice()).collect()
    }

    /// Largest activation.
    fn top(&self) -> i64 {
        (1i64 << (self.widths.activation_bits - 1)) - 1
    }

    /// Largest value that node `i` is requantised to.
    fn top_of(&self, i: ValueId) -> i64 {
        if self.fine[i] { (1 << (FINE_BITS - 1)) - 1 } else { self.top() }
    }

    /// The largest magnitude that the result of node `i`, clamped as its reader says, has room for.
    fn magnitude(&self, i: ValueId) -> f64 {
        let (target, clamp_lo, clamp_hi) = self.clamp_of(i);
        let (seen_lo, seen_hi) = self.calibration.ranges[target];
        let headroom = match self.is_output[target] {
            true => self.widths.output_headroom_bits,
            false => self.widths.headroom_bits,
        };
        let room = exp2(headroom.into());
        // A bound of the clamp is reached and never exceeded, so it needs no headroom.
        (seen_hi.abs() * room).min(clamp_hi.abs()).max((seen_lo.abs() * room).min(clamp_lo.abs()))
    }

    /// Brings an exact result to its width, clamp included.
    fn requantise(&mut self, i: ValueId, acc: Accumulator) -> Result<(), OnnxError> {
        let (target, clamp_lo, clamp_hi) = self.clamp_of(i);
        let top = self.top_of(target);
        let (seen_lo, seen_hi) = self.calibration.ranges[target];
        let magnitude = self.magnitude(i);
        // Where calibration saw only zeros, as many bits are dropped as came in.
        let unseen = acc.exponent - acc.grown;
        let exponent = fitting_exponent(magnitude, top as f64).unwrap_or(unseen).min(acc.exponent);
        let shift = u8::try_from(acc.exponent - exponent).ok().filter(|&s| s <= 60).ok_or_else(|| {
            self.fail(i, "its values are too small beside what it computes with; no scale fits both")
        })?;
        let unit = exp2(exponent);
        let bound = |v: f64, width: i64| match v.is_finite() {
            true => (v * unit).round().clamp(-top as f64 - 1.0, top as f64) as i64,
            false => width,
        };
        let (lo, hi) = (bound(clamp_lo, -top - 1), bound(clamp_hi, top));
        let id = self.push(Op::Requant { x: acc.id, shift, lo, hi });
        self.out.width_bounds.push((self.out.nodes.len() - 1, lo == -top - 1, hi == top));
        let values = requantised(&acc.values, shift, lo, hi);
        let (max_error, rms_error) = self.errors(target, exponent, &values);
        self.out.layers.push(LayerReport {
            name: self.graph.nodes[i].name.clone(),
            kind: acc.kind,
            shape: self.graph.nodes[i].shape.clone(),
            weight_exponent: acc.rounded.as_ref().filter(|r| !r.weight.is_empty()).map(|r| r.weight_exponent),
            accumulator_exponent: acc.exponent,
            exponent,
            shift,
            observed_min: seen_lo,
            observed_max: seen_hi,
            representable_min: lo as f64 / unit,
            representable_max: hi as f64 / unit,
            saturated: 0,
            max_error,
            rms_error,
            clipped_weights: acc.rounded.as_ref().map_or(0, |r| r.clipped_weights),
            clipped_biases: acc.rounded.as_ref().map_or(0, |r| r.clipped_biases),
        });
        self.done[target] = Some(Quantised { id, exponent, lo, hi, values });
        Ok(())
    }

    /// Reports a function whose table gives the result.
    fn report_table(&mut self, i: ValueId, value: &Quantised) {
        let (seen_lo, seen_hi) = self.calibration.ranges[i];
        let (max_error, rms_error) = self.errors(i, value.exponent, &value.values);
        // A table's entries fit their width.
        self.out.width_bounds.push((self.out.nodes.len() - 1, false, false));
        self.out.layers.push(LayerReport {
            name: self.graph.nodes[i].name.clone(),
            kind: "table",
            shape: self.graph.nodes[i].shape.clone(),
            weight_exponent: None,
            accumulator_exponent: value.exponent,
            exponent: value.exponent,
            shift: 0,
            observed_min: seen_lo,
            observed_max: seen_hi,
            representable_min: value.lo as f64 * exp2(-value.exponent),
            representable_max: value.hi as f64 * exp2(-value.exponent),
            saturated: 0,
            max_error,
            rms_error,
            clipped_weights: 0,
            clipped_biases: 0,
        });
    }

    /// Largest and root mean square error of integers for node `i` on the tuning records.
    fn errors(&self, i: ValueId, exponent: i32, values: &[Vec<f64>]) -> (f64, f64) {
        let unit = exp2(-exponent);
        let (mut largest, mut sum, mut count) = (0.0f64, 0.0, 0usize);
        for (got, want) in values.iter().zip(self.targets(i)) {
            for (g, w) in got.iter().zip(want) {
                let error = (g * unit - w).abs();
                largest = largest.max(error);
                sum += error * error;
                count += 1;
            }
        }
        (largest, (sum / count.max(1) as f64).sqrt())
    }

    fn finish(mut self) -> Result<Emitted, OnnxError> {
        let output = self.quantised(self.graph.output)?;
        self.out.error = self.errors(self.graph.output, output.exponent, &output.values).1;
        self.out.output_exponent = output.exponent;
        Ok(self.out)
    }
}

/// Integers held in floats stay exact here: accumulators lie below 2^53 wherever the format's own bound of 2^60 does not
/// already refuse them by a wide margin; a saturating conversion covers the rest.
fn requantised(rows: &[Vec<f64>], shift: u8, lo: i64, hi: i64) -> Rows {
    let one = |v: &f64| requantise((*v as i64).clamp(-(1 << 61), 1 << 61), shift, lo, hi) as f64;
    mapped(rows, |row| row.iter().map(one).collect())
}

/// `f` of every tuning record.
fn mapped(rows: &[Vec<f64>], f: impl Fn(&[f64]) -> Vec<f64> + Sync) -> Rows {
    Arc::new(rows.par_iter().map(|row| f(row)).collect())
}
