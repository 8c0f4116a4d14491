//! From the folded float graph to integer operators.

use tacit_model::{Node, NodeId, Op, Operand, ParamId, ParamSpec, broadcast_index, requantise};

use crate::QuantiseOptions;
use crate::calibration::Calibration;
use crate::error::OnnxError;
use crate::graph::{FloatGraph, FloatNode, FloatOp, ValueId, mat_mul};
use crate::normalise::InputStep;
use crate::report::LayerReport;
use crate::rounding::{Layer, Rounded, exp2, fitting_exponent};
use crate::tensor::{Tensor, transpose_map};

/// Widest difference of scales that a sum bridges by a public coefficient.
const MAX_SUM_GAP: i32 = 20;
/// Biases are no wider than this, in bits, unless a single product is about as wide. The format allows 40.
const MAX_BIAS_BITS: u8 = 32;

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

/// A float value's integer counterpart.
#[derive(Clone)]
struct Quantised {
    id: NodeId,
    exponent: i32,
    /// Integers on the tuning records.
    values: Vec<Vec<f64>>,
}

/// An exact result that waits for its requantisation.
struct Accumulator {
    id: NodeId,
    exponent: i32,
    values: Vec<Vec<f64>>,
    rounded: Option<Rounded>,
    kind: &'static str,
}

struct Emitter<'a> {
    graph: &'a FloatGraph,
    calibration: &'a Calibration,
    options: &'a QuantiseOptions,
    uses: Vec<usize>,
    /// Whether a node's value is the output, up to its shape.
    is_output: Vec<bool>,
    done: Vec<Option<Quantised>>,
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
    options: &QuantiseOptions,
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
    let mut emitter = Emitter { graph, calibration, options, uses, is_output, done, out };
    let first = emitter.push(Op::Normalise { x: NodeId(0), rule: step.rule.clone() });
    emitter.done[0] =
        Some(Quantised { id: first, exponent: step.exponent, values: calibration.first.clone() });
    for i in 1..graph.nodes.len() {
        if emitter.done[i].is_none() {
            emitter.node(i)?;
        }
    }
    emitter.finish()
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
            FloatOp::Reshape { x } => {
                let x = self.quantised(*x)?;
                let id = self.push(Op::Reshape { x: x.id, shape: node.shape.clone() });
                self.done[i] = Some(Quantised { id, ..x });
                return Ok(());
            }
            FloatOp::Transpose { x, perm } => {
                let map = transpose_map(&graph.nodes[*x].shape, perm);
                let x = self.quantised(*x)?;
                let id = self.push(Op::Transpose { x: x.id, perm: perm.clone() });
                let values = x.values.iter().map(|v| map.iter().map(|&j| v[j]).collect()).collect();
                self.done[i] = Some(Quantised { id, exponent: x.exponent, values });
                return Ok(());
            }
            FloatOp::MatMul { x, weight, bias } => self.dense(i, *x, weight, bias.as_deref())?,
            FloatOp::Affine { x, scale, offset } => self.affine(i, *x, scale.as_ref(), offset.as_ref())?,
            FloatOp::Sum { a, b, subtract } => self.sum(i, *a, *b, *subtract)?,
            FloatOp::Product { a, b } => self.product(i, *a, *b)?,
            FloatOp::Clamp { x, .. } => {
                let x = self.quantised(*x)?;
                Accumulator { id: x.id, exponent: x.exponent, values: x.values, rounded: None, kind: "clamp" }
            }
            FloatOp::Input | FloatOp::Alias { .. } | FloatOp::Tail(_) => {
                return Err(self.fail(i, "it stands where it cannot be quantised"));
            }
        };
        self.requantise(i, accumulator)
    }

    /// The clamp that bounds node `i`: its own, or that of its only reader, which is then done as well.
    fn clamp_of(&self, i: ValueId) -> (ValueId, f64, f64) {
        if let FloatOp::Clamp { lo, hi, .. } = self.graph.nodes[i].op {
            return (i, lo, hi);
        }
        if self.uses[i] == 1 {
            for (j, node) in self.graph.nodes.iter().enumerate().skip(i + 1) {
                if let FloatOp::Clamp { x, lo, hi } = node.op
                    && x == i
                {
                    return (j, lo, hi);
                }
            }
        }
        (i, f64::NEG_INFINITY, f64::INFINITY)
    }

    /// Reals of node `i` on the tuning records.
    fn targets(&self, i: ValueId) -> Vec<&[f64]> {
        self.calibration.real.iter().map(|values| values[i].as_slice()).collect()
    }

    /// Bias width: a function of public widths and fan-in alone.
    fn bias_bits(&self, fan_in: usize) -> u8 {
        let fan_in_bits = fan_in.next_power_of_two().trailing_zeros() as u8;
        let product_bits = self.options.activation_bits + self.options.weight_bits;
        (product_bits + fan_in_bits).min(MAX_BIAS_BITS.max((product_bits + 2).min(40)))
    }

    fn dense(
        &mut self,
        i: ValueId,
        x: ValueId,
        weight: &Tensor,
        bias: Option<&[f64]>,
    ) -> Result<Accumulator, OnnxError> {
        let x = self.quantised(x)?;
        let [k, n] = weight.shape[..] else { return Err(self.fail(i, "its weight is no matrix")) };
        let bias_bits = self.bias_bits(k);
        let (target, lo, hi) = self.clamp_of(i);
        let product =
            |x: &[f64], w: &[f64]| mat_mul(x, &Tensor { shape: vec![k, n], data: w.to_vec() }, None);
        let rounded = Layer {
            weight: &weight.data,
            bias,
            bias_of: &|j| j % n,
            dense: Some((k, n)),
            input_exponent: x.exponent,
            inputs: &x.values.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            targets: &self.targets(target),
            clamp: (lo, hi),
            weight_bits: self.options.weight_bits,
            bias_bits,
            apply: product,
        }
        .round();
        let reals: Vec<f64> = rounded.weight.iter().map(|&w| w as f64).collect();
        let values = x
            .values
            .iter()
            .map(|x| with_bias(product(x, &reals), rounded.bias.as_deref(), |j| j % n))
            .collect();
        let w = self.param(vec![k, n], self.options.weight_bits, rounded.weight.clone());
        let b = rounded.bias.clone().map(|b| self.param(vec![n], bias_bits, b));
        let id = self.push(Op::MatMul { x: x.id, weight: w, bias: b });
        let exponent = x.exponent + rounded.weight_exponent;
        Ok(Accumulator { id, exponent, values, rounded: Some(rounded), kind: "dense" })
    }

    fn affine(
        &mut self,
        i: ValueId,
        x: ValueId,
        scale: Option<&Tensor>,
        offset: Option<&Tensor>,
    ) -> Result<Accumulator, OnnxError> {
        let x = self.quantised(x)?;
        let shape = &self.graph.nodes[i].shape;
        let bias_bits = self.bias_bits(2);
        let (target, lo, hi) = self.clamp_of(i);
        let index = |t: Option<&Tensor>| -> Vec<usize> {
            let len: usize = shape.iter().product();
            t.map_or_else(Vec::new, |t| (0..len).map(|j| broadcast_index(j, shape, &t.shape)).collect())
        };
        let (scale_at, offset_at) = (index(scale), index(offset));
        let product = |x: &[f64], w: &[f64]| -> Vec<f64> {
            match w {
                [] => x.to_vec(),
                w => x.iter().zip(&scale_at).map(|(x, &j)| x * w[j]).collect(),
            }
        };
        let rounded = Layer {
            weight: scale.map_or(&[], |t| &t.data),
            bias: offset.map(|t| t.data.as_slice()),
            bias_of: &|j| offset_at[j],
            dense: None,
            input_exponent: x.exponent,
            inputs: &x.values.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            targets: &self.targets(target),
            clamp: (lo, hi),
            weight_bits: self.options.weight_bits,
            bias_bits,
            apply: product,
        }
        .round();
        let reals: Vec<f64> = rounded.weight.iter().map(|&w| w as f64).collect();
        let values = x
            .values
            .iter()
            .map(|x| with_bias(product(x, &reals), rounded.bias.as_deref(), |j| offset_at[j]))
            .collect();
        let mut id = x.id;
        if let Some(t) = scale {
            let w = self.param(t.shape.clone(), self.options.weight_bits, rounded.weight.clone());
            id = self.push(Op::Mul { a: Operand::Value(id), b: Operand::Param(w) });
        }
        if let (Some(t), Some(b)) = (offset, rounded.bias.clone()) {
            let b = self.param(t.shape.clone(), bias_bits, b);
            let terms = vec![(1, Operand::Value(id)), (1, Operand::Param(b))];
            id = self.push(Op::Linear { terms, offset: 0 });
        }
        let exponent = x.exponent + rounded.weight_exponent;
        Ok(Accumulator { id, exponent, values, rounded: Some(rounded), kind: "affine" })
    }

    fn sum(&mut self, i: ValueId, a: ValueId, b: ValueId, subtract: bool) -> Result<Accumulator, OnnxError> {
        let exponent = {
            let (ea, eb) = (self.quantised(a)?.exponent, self.quantised(b)?.exponent);
            ea.max(eb).min(ea.min(eb) + MAX_SUM_GAP)
        };
        let (qa, qb) = (self.at_most(a, exponent)?, self.at_most(b, exponent)?);
        let (ca, cb) = (exponent - qa.exponent, exponent - qb.exponent);
        let sign = if subtract { -1 } else { 1 };
        let terms = vec![(1i64 << ca, Operand::Value(qa.id)), (sign * (1i64 << cb), Operand::Value(qb.id))];
        let id = self.push(Op::Linear { terms, offset: 0 });
        let values =
            self.combined(i, (a, &qa), (b, &qb), |x, y| x * exp2(ca) + f64::from(sign as i32) * y * exp2(cb));
        Ok(Accumulator { id, exponent, values, rounded: None, kind: "sum" })
    }

    fn product(&mut self, i: ValueId, a: ValueId, b: ValueId) -> Result<Accumulator, OnnxError> {
        let (qa, qb) = (self.quantised(a)?, self.quantised(b)?);
        let id = self.push(Op::Mul { a: Operand::Value(qa.id), b: Operand::Value(qb.id) });
        let values = self.combined(i, (a, &qa), (b, &qb), |x, y| x * y);
        Ok(Accumulator { id, exponent: qa.exponent + qb.exponent, values, rounded: None, kind: "product" })
    }

    /// A value at its own scale or, where that is finer than `exponent`, at `exponent`.
    fn at_most(&mut self, i: ValueId, exponent: i32) -> Result<Quantised, OnnxError> {
        let mut q = self.quantised(i)?;
        let top = self.top();
        let (lo, hi) = (-top - 1, top);
        while let Ok(shift @ 1..) = u8::try_from((q.exponent - exponent).min(60)) {
            let id = self.push(Op::Requant { x: q.id, shift, lo, hi });
            let values = requantised(q.values, shift, lo, hi);
            q = Quantised { id, exponent: q.exponent - i32::from(shift), values };
        }
        Ok(q)
    }

    fn combined(
        &self,
        i: ValueId,
        (a, qa): (ValueId, &Quantised),
        (b, qb): (ValueId, &Quantised),
        f: impl Fn(f64, f64) -> f64,
    ) -> Vec<Vec<f64>> {
        let shape = &self.graph.nodes[i].shape;
        let at = |x: ValueId, j: usize| broadcast_index(j, shape, &self.graph.nodes[x].shape);
        let len: usize = shape.iter().product();
        let rows = qa.values.iter().zip(&qb.values);
        rows.map(|(x, y)| (0..len).map(|j| f(x[at(a, j)], y[at(b, j)])).collect()).collect()
    }

    /// Largest activation.
    fn top(&self) -> i64 {
        (1i64 << (self.options.activation_bits - 1)) - 1
    }

    /// Brings an exact result to the activation width, clamp included.
    fn requantise(&mut self, i: ValueId, acc: Accumulator) -> Result<(), OnnxError> {
        let (target, clamp_lo, clamp_hi) = self.clamp_of(i);
        let top = self.top();
        let (seen_lo, seen_hi) = self.calibration.ranges[target];
        let headroom = match self.is_output[target] {
            true => self.options.output_headroom_bits,
            false => self.options.headroom_bits,
        };
        let room = exp2(headroom.into());
        // A bound of the clamp is reached and never exceeded, so it needs no headroom.
        let magnitude =
            (seen_hi.abs() * room).min(clamp_hi.abs()).max((seen_lo.abs() * room).min(clamp_lo.abs()));
        // Where calibration saw only zeros, as many bits are dropped as the weights brought in.
        let unseen = acc.exponent - i32::from(self.options.weight_bits);
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
            clipped_weights: acc.rounded.as_ref().map_or(0, |r| r.clipped_weights),
            clipped_biases: acc.rounded.as_ref().map_or(0, |r| r.clipped_biases),
        });
        let values = requantised(acc.values, shift, lo, hi);
        self.done[target] = Some(Quantised { id, exponent, values });
        Ok(())
    }

    fn finish(mut self) -> Result<Emitted, OnnxError> {
        let output = self.quantised(self.graph.output)?;
        let unit = exp2(-output.exponent);
        let (mut sum, mut count) = (0.0, 0usize);
        for (got, want) in output.values.iter().zip(self.targets(self.graph.output)) {
            for (g, w) in got.iter().zip(want) {
                sum += (g * unit - w).powi(2);
                count += 1;
            }
        }
        self.out.error = (sum / count.max(1) as f64).sqrt();
        self.out.output_exponent = output.exponent;
        Ok(self.out)
    }
}

fn with_bias(mut values: Vec<f64>, bias: Option<&[i64]>, at: impl Fn(usize) -> usize) -> Vec<f64> {
    if let Some(bias) = bias {
        for (j, v) in values.iter_mut().enumerate() {
            *v += bias[at(j)] as f64;
        }
    }
    values
}

/// Integers held in floats stay exact here: accumulators lie below 2^53 wherever the format's own bound of 2^60 does not
/// already refuse them by a wide margin; a saturating conversion covers the rest.
fn requantised(rows: Vec<Vec<f64>>, shift: u8, lo: i64, hi: i64) -> Vec<Vec<f64>> {
    let one = |v: f64| requantise((v as i64).clamp(-(1 << 61), 1 << 61), shift, lo, hi) as f64;
    rows.into_iter().map(|row| row.into_iter().map(one).collect()).collect()
}
