//! Dense layers, convolutions and elementwise constants: everything with weights to round.

use tacit_model::{Op, Operand, broadcast_index};

use super::{Accumulator, Emitter, mapped};
use crate::convolution::{Matrices, Patches};
use crate::error::OnnxError;
use crate::evaluate::Plan;
use crate::graph::ValueId;
use crate::rounding::Layer;
use crate::tensor::Tensor;

/// Records needed before fitting anything says something about the model and not about the records.
const MIN_RECORDS_FOR_FITTING: usize = 64;
/// The same for patches of a convolution's records, which vary less.
const MIN_PATCHES_FOR_FITTING: usize = 256;
/// Most multiplications of one pass over the patches on which roundings of a convolution are compared.
const PATCH_WORK: usize = 1 << 24;
/// Most numbers in those patches.
const PATCH_NUMBERS: usize = 1 << 21;

impl Emitter<'_> {
    /// Bias width: a function of public widths and fan-in alone.
    fn bias_bits(&self, fan_in: usize) -> u8 {
        let fan_in_bits = fan_in.next_power_of_two().trailing_zeros() as u8;
        let product_bits = self.widths.activation_bits + self.widths.weight_bits;
        (product_bits + fan_in_bits).min(super::MAX_BIAS_BITS.max((product_bits + 2).min(40)))
    }

    pub(super) fn dense(
        &mut self,
        i: ValueId,
        x: ValueId,
        weight: &Tensor,
        bias: Option<&[f64]>,
    ) -> Result<Accumulator, OnnxError> {
        let x = self.quantised(x)?;
        let [rows, columns] = weight.shape[..] else { return Err(self.fail(i, "its weight is no matrix")) };
        let matrices = Matrices { groups: 1, rows, columns, taps: 1 };
        let bias_bits = self.bias_bits(rows);
        let (target, lo, hi) = self.clamp_of(i);
        let rounded = Layer {
            weight: &weight.data,
            bias,
            bias_of: &|j| j % columns,
            matrices: Some(matrices),
            fitted: x.values.len() >= MIN_RECORDS_FOR_FITTING,
            input_exponent: x.exponent,
            inputs: &x.values.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            targets: &self.targets(target),
            clamp: (lo, hi),
            weight_bits: self.widths.weight_bits,
            bias_bits,
            apply: |x: &[f64], w: &[f64]| matrices.apply(x, w, None),
        }
        .round();
        let (weights, biases) = rounded.reals();
        let values = mapped(&x.values, |x| matrices.apply(x, &weights, biases.as_deref()));
        let w = self.param(weight.shape.clone(), self.widths.weight_bits, rounded.weight.clone());
        let b = rounded.bias.clone().map(|b| self.param(vec![columns], bias_bits, b));
        let id = self.push(Op::MatMul { x: x.id, weight: w, bias: b });
        let exponent = x.exponent + rounded.weight_exponent;
        let grown = self.widths.weight_bits.into();
        Ok(Accumulator { id, exponent, values, rounded: Some(rounded), grown, kind: "dense" })
    }

    pub(super) fn conv(
        &mut self,
        i: ValueId,
        x: ValueId,
        (weight, bias): (&Tensor, Option<&[f64]>),
        strides: &[usize],
        dilations: &[usize],
    ) -> Result<Accumulator, OnnxError> {
        let x = self.quantised(x)?;
        let Plan::Patches(patches) = self.plan(i) else {
            return Err(self.fail(i, "it is no convolution"));
        };
        let matrices = patches.matrices;
        let outputs = matrices.outputs();
        let bias_bits = self.bias_bits(matrices.rows);
        let (target, lo, hi) = self.clamp_of(i);
        let (inputs, targets) = self.sample(&patches, &x.values, &self.targets(target));
        let count: usize = targets.iter().map(|t| t.len() / outputs).sum();
        let rounded = Layer {
            weight: &weight.data,
            bias,
            bias_of: &|j| j % outputs,
            matrices: Some(matrices),
            fitted: count >= MIN_PATCHES_FOR_FITTING,
            input_exponent: x.exponent,
            inputs: &inputs.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            targets: &targets.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            clamp: (lo, hi),
            weight_bits: self.widths.weight_bits,
            bias_bits,
            apply: |x: &[f64], w: &[f64]| matrices.apply(x, w, None),
        }
        .round();
        let (weights, biases) = rounded.reals();
        let values = mapped(&x.values, |x| patches.convolve(x, &weights, biases.as_deref()));
        let w = self.param(weight.shape.clone(), self.widths.weight_bits, rounded.weight.clone());
        let b = rounded.bias.clone().map(|b| self.param(vec![outputs], bias_bits, b));
        let (strides, dilations) = (strides.to_vec(), dilations.to_vec());
        let id = self.push(Op::Conv { x: x.id, weight: w, bias: b, strides, dilations });
        let exponent = x.exponent + rounded.weight_exponent;
        let grown = self.widths.weight_bits.into();
        Ok(Accumulator { id, exponent, values, rounded: Some(rounded), grown, kind: "convolution" })
    }

    /// Patches of the tuning records on which roundings are compared, and what the layer should give on them, position
    /// by position. All of them where that is little work, else as many of each record.
    fn sample(
        &self,
        patches: &Patches,
        rows: &[Vec<f64>],
        targets: &[&[f64]],
    ) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let m = patches.matrices;
        let numbers = m.groups * m.rows;
        let most = (PATCH_WORK / (numbers * m.columns)).min(PATCH_NUMBERS / numbers);
        let each = (most / rows.len()).clamp(1, patches.len());
        let one = |(record, (row, target)): (usize, (&Vec<f64>, &&[f64]))| {
            let (mut input, mut wanted) = (Vec::new(), Vec::new());
            for p in 0..each {
                // Records start at different positions, so that together they cover the borders as well.
                let position = (p * patches.len() / each + record * 7) % patches.len();
                patches.read(row, position, &mut input);
                wanted.extend((0..m.outputs()).map(|o| target[o * patches.len() + position]));
            }
            (input, wanted)
        };
        rows.iter().zip(targets).enumerate().map(one).unzip()
    }

    pub(super) fn affine(
        &mut self,
        i: ValueId,
        x: ValueId,
        scale: Option<&Tensor>,
        offset: Option<&Tensor>,
    ) -> Result<Accumulator, OnnxError> {
        let x = self.quantised(x)?;
        let shape = &self.graph.nodes[i].shape;
        // An offset as large as the value fits, also beside one that is kept finer than activations are.
        let own = 65 - x.lo.unsigned_abs().max(x.hi.unsigned_abs()).leading_zeros() as u8;
        let product = own + scale.map_or(0, |_| self.widths.weight_bits);
        let bias_bits = self.bias_bits(2).max(product.min(40));
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
            matrices: None,
            fitted: x.values.len() >= MIN_RECORDS_FOR_FITTING,
            input_exponent: x.exponent,
            inputs: &x.values.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            targets: &self.targets(target),
            clamp: (lo, hi),
            weight_bits: self.widths.weight_bits,
            bias_bits,
            apply: product,
        }
        .round();
        let (weights, biases) = rounded.reals();
        let values = mapped(&x.values, |x| {
            let mut y = product(x, &weights);
            if let Some(biases) = &biases {
                y.iter_mut().zip(&offset_at).for_each(|(y, &j)| *y += biases[j]);
            }
            y
        });
        let mut id = x.id;
        if let Some(t) = scale {
            let w = self.param(t.shape.clone(), self.widths.weight_bits, rounded.weight.clone());
            id = self.push(Op::Mul { a: Operand::Value(id), b: Operand::Param(w) });
        }
        if let (Some(t), Some(b)) = (offset, rounded.bias.clone()) {
            let b = self.param(t.shape.clone(), bias_bits, b);
            let terms = vec![(1, Operand::Value(id)), (1, Operand::Param(b))];
            id = self.push(Op::Linear { terms, offset: 0 });
        }
        let exponent = x.exponent + rounded.weight_exponent;
        let grown = self.widths.weight_bits.into();
        Ok(Accumulator { id, exponent, values, rounded: Some(rounded), grown, kind: "affine" })
    }
}
