//! Convolutional networks of well-known shapes with random weights, for tests and benchmarks.

use super::SplitMix;
use crate::architecture::{Architecture, Node, NodeId, OutputScale, ParamId, ParamSpec};
use crate::file::Model;
use crate::operator::{Normalise, Op, Operand, Window};
use crate::schema::{Class, Feature, Schema};

/// Widest activation.
const TOP: i64 = (1 << 15) - 1;
const WEIGHT_BITS: u8 = 8;

/// A network being put together, layer by layer; images are `[channels, height, width]`.
struct Network {
    architecture: Architecture,
    /// The value that the next layer reads.
    at: NodeId,
    shape: Vec<usize>,
}

impl Network {
    /// Pixels of 8 bits as activations.
    fn new(shape: [usize; 3], classes: usize) -> Self {
        let pixel = |i: usize| Feature {
            name: format!("pixel {i}"),
            decimals: 0,
            min: 0,
            max: 255,
            unit: None,
            code: None,
            system: None,
        };
        let classes = (0..classes).map(|i| Class { name: format!("class {i}") }).collect();
        let features = (0..shape.iter().product()).map(pixel).collect();
        let rule = Normalise { multipliers: vec![64], shift: 0, lo: -TOP - 1, hi: TOP };
        let architecture = Architecture {
            schema: Schema::new(features, classes).expect("generated names are unique"),
            input_shape: shape.to_vec(),
            params: Vec::new(),
            nodes: vec![Node { op: Op::Normalise { x: NodeId(0), rule } }],
            output_exponent: 8,
            output_scale: OutputScale::SoftmaxLogits,
        };
        Self { architecture, at: NodeId(1), shape: shape.to_vec() }
    }

    fn push(&mut self, op: Op) -> NodeId {
        self.architecture.nodes.push(Node { op });
        self.at = NodeId(self.architecture.nodes.len() as u32);
        self.at
    }

    fn param(&mut self, shape: Vec<usize>, width: u8) -> ParamId {
        self.architecture.params.push(ParamSpec { shape, width });
        ParamId(self.architecture.params.len() as u32 - 1)
    }

    fn requant(&mut self, shift: u8, lo: i64) {
        let x = self.at;
        self.push(Op::Requant { x, shift, lo, hi: TOP });
    }

    /// Bits that a sum of random products gains.
    fn shift(fan_in: usize) -> u8 {
        WEIGHT_BITS - 1 + (fan_in.ilog2() / 2) as u8
    }

    fn pad(&mut self, by: usize) {
        if by > 0 {
            let border = vec![0, by, by];
            let x = self.at;
            self.push(Op::Pad { x, before: border.clone(), after: border });
            self.shape[1..].iter_mut().for_each(|len| *len += 2 * by);
        }
    }

    /// A square kernel, `outputs` in each group, requantised from `lo` on.
    fn conv(&mut self, [outputs, kernel, stride, pad, groups]: [usize; 5], lo: i64) {
        self.pad(pad);
        let channels = self.shape[0] / groups;
        let weight = self.param(vec![groups, channels, kernel, kernel, outputs], WEIGHT_BITS);
        let bias = self.param(vec![groups * outputs], 24);
        let x = self.at;
        let (strides, dilations) = (vec![stride; 2], vec![1; 2]);
        self.push(Op::Conv { x, weight, bias: Some(bias), strides, dilations });
        self.shape[0] = groups * outputs;
        self.shape[1..].iter_mut().for_each(|len| *len = (*len - kernel) / stride + 1);
        self.requant(Self::shift(channels * kernel * kernel), lo);
    }

    /// Windows of two by two: their mean or their maximum.
    fn pool(&mut self, mean: bool) {
        let window = Window { kernel: vec![2; 2], strides: vec![2; 2], dilations: vec![1; 2] };
        let x = self.at;
        let x = self.push(Op::Windows { x, window });
        if mean {
            self.push(Op::Sum { x, axes: 2 });
            self.requant(2, -TOP - 1);
        } else {
            self.push(Op::Max { x, axes: 2 });
        }
        self.shape[1..].iter_mut().for_each(|len| *len /= 2);
    }

    /// `last + other`.
    fn add(&mut self, other: NodeId) {
        let terms = vec![(1, Operand::Value(self.at)), (1, Operand::Value(other))];
        self.push(Op::Linear { terms, offset: 0 });
        self.requant(0, 0);
    }

    fn dense(&mut self, outputs: usize, lo: i64) {
        let inputs = self.shape.iter().product();
        let x = self.at;
        if self.shape.len() > 1 {
            self.push(Op::Reshape { x, shape: vec![inputs] });
        }
        let weight = self.param(vec![inputs, outputs], WEIGHT_BITS);
        let bias = self.param(vec![outputs], 24);
        let x = self.at;
        self.push(Op::MatMul { x, weight, bias: Some(bias) });
        self.shape = vec![outputs];
        self.requant(Self::shift(inputs), lo);
    }

    /// Random weights.
    fn finish(self, seed: u64) -> Model {
        let mut rng = SplitMix(seed);
        let tensors = self.architecture.params.iter().map(|spec| {
            let b = spec.bounds();
            (0..spec.len()).map(|_| rng.range(b.lo, b.hi)).collect()
        });
        let tensors = tensors.collect();
        Model::new(self.architecture, tensors).expect("generated models are well-formed")
    }
}

/// A network of some 3,000 weights on 8×8: two convolutions with mean pooling, two dense layers; ReLU.
#[must_use]
pub fn digits_cnn(seed: u64) -> Model {
    let mut net = Network::new([1, 8, 8], 10);
    net.conv([8, 3, 1, 1, 1], 0);
    net.pool(true);
    net.conv([16, 3, 1, 1, 1], 0);
    net.pool(true);
    net.dense(24, 0);
    net.dense(10, -TOP - 1);
    net.finish(seed)
}

/// LeNet-5 (LeCun et al. 1998) on 28×28: two convolutions, each followed by pooling, three dense layers; ReLU.
#[must_use]
pub fn lenet5(mean_pooling: bool, seed: u64) -> Model {
    let mut net = Network::new([1, 28, 28], 10);
    net.conv([6, 5, 1, 2, 1], 0);
    net.pool(mean_pooling);
    net.conv([16, 5, 1, 0, 1], 0);
    net.pool(mean_pooling);
    net.dense(120, 0);
    net.dense(84, 0);
    net.dense(10, -TOP - 1);
    net.finish(seed)
}

/// A plain network of some 264,000 weights on 3×32×32: four convolutions of three by three, pooling after every second one,
/// two dense layers.
#[must_use]
pub fn plain_cnn(seed: u64) -> Model {
    let mut net = Network::new([3, 32, 32], 10);
    net.conv([16, 3, 1, 1, 1], 0);
    net.conv([16, 3, 2, 1, 1], 0);
    net.conv([32, 3, 1, 1, 1], 0);
    net.conv([32, 3, 2, 1, 1], 0);
    net.dense(120, 0);
    net.dense(10, -TOP - 1);
    net.finish(seed)
}

/// ResNet-20 (He et al. 2015) on 3×32×32, some 274,000 weights: a first convolution, three stages of three blocks of two, the mean
/// over all positions, one dense layer.
#[must_use]
pub fn resnet20(seed: u64) -> Model {
    let mut net = Network::new([3, 32, 32], 10);
    net.conv([16, 3, 1, 1, 1], 0);
    for (stage, channels) in [16, 32, 64].into_iter().enumerate() {
        for block in 0..3 {
            let (from, shape) = (net.at, net.shape.clone());
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            net.conv([channels, 3, stride, 1, 1], 0);
            net.conv([channels, 3, 1, 1, 1], -TOP - 1);
            let inner = net.at;
            let around = if stride == 2 {
                (net.at, net.shape) = (from, shape);
                net.conv([channels, 1, 2, 0, 1], -TOP - 1);
                std::mem::replace(&mut net.at, inner)
            } else {
                from
            };
            net.add(around);
        }
    }
    let x = net.at;
    net.push(Op::Sum { x, axes: 2 });
    net.requant(6, 0);
    net.shape = vec![64];
    net.dense(10, -TOP - 1);
    net.finish(seed)
}

#[cfg(test)]
mod tests {
    use super::super::record;
    use super::*;

    #[test]
    fn networks_have_the_sizes_they_say() {
        for (name, model, weights) in [
            ("digits", digits_cnn(1), 3_058),
            ("LeNet-5", lenet5(false, 1), 61_706),
            ("plain", plain_cnn(1), 264_000),
            ("ResNet-20", resnet20(1), 274_000),
        ] {
            let count = model.architecture().weight_count();
            assert!(count.abs_diff(weights) < weights / 20, "{name}: {count} weights");
            let output = model.run(&record(model.architecture(), 3)).expect("in range");
            assert!(output.output().iter().any(|v| *v != 0), "{name} says something");
        }
    }
}
