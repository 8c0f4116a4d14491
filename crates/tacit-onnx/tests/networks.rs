//! Whole networks of the kinds that people train: their classes after quantisation are those of the float model.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Instant;

use support::build::{Net, float, int, ints};
use support::schema;
use tacit_model::testing::SplitMix;
use tacit_model::{Model, Op, Schema};
use tacit_onnx::{QuantiseOptions, QuantiseReport, quantise};

/// Images of 8-bit pixels: a few soft blobs each, as photographs have more than noise does.
fn images(channels: usize, side: usize, count: usize, seed: u64) -> (Schema, Vec<Vec<i64>>) {
    let schema = schema(channels * side * side, 0, 0, 255, 10);
    let mut rng = SplitMix(seed);
    let image = |_| {
        let blobs: Vec<[f64; 4]> = (0..channels * 3)
            .map(|_| {
                [0, 0, 2, 60].map(|lo| rng.range(lo, if lo == 60 { 255 } else { side as i64 - 1 }) as f64)
            })
            .collect();
        let pixel = |i: usize| {
            let (c, y, x) = (i / (side * side), i / side % side, i % side);
            let of = |b: &[f64; 4]| {
                let d = (y as f64 - b[0]).powi(2) + (x as f64 - b[1]).powi(2);
                b[3] * (-d / (0.5 * b[2] * b[2] + 1.0)).exp()
            };
            blobs[3 * c..3 * c + 3].iter().map(of).sum::<f64>().min(255.0) as i64
        };
        (0..channels * side * side).map(pixel).collect()
    };
    (schema, (0..count).map(image).collect())
}

/// A network in the making, layer by layer.
struct Layers {
    net: Net,
}

impl Layers {
    fn conv(
        &mut self,
        x: &str,
        from: usize,
        to: usize,
        kernel: usize,
        stride: usize,
        groups: usize,
    ) -> String {
        let fan_in = from / groups * kernel * kernel;
        let w = self.net.weight(&[to, from / groups, kernel, kernel], fan_in / 2 + 1);
        let b = self.net.random(&[to], -0.1, 0.1);
        let pad = kernel / 2;
        self.net.node(
            "Conv",
            &[x, &w, &b],
            vec![ints("pads", &[pad; 4]), ints("strides", &[stride; 2]), int("group", groups as i64)],
        )
    }

    fn norm(&mut self, x: &str, channels: usize) -> String {
        let p = [(0.2, 3.0), (-0.3, 0.3), (-0.3, 0.3), (0.5, 2.0)]
            .map(|(lo, hi)| self.net.random(&[channels], lo, hi));
        self.net.node("BatchNormalization", &[x, &p[0], &p[1], &p[2], &p[3]], vec![])
    }

    fn relu(&mut self, x: &str) -> String {
        self.net.node("Relu", &[x], vec![])
    }

    fn dense(&mut self, x: &str, from: usize, to: usize) -> String {
        let (w, b) = (self.net.weight(&[to, from], from / 2 + 1), self.net.random(&[to], -0.1, 0.1));
        self.net.node("Gemm", &[x, &w, &b], vec![int("transB", 1)])
    }

    fn pool(&mut self, op: &str, x: &str) -> String {
        self.net.node(op, &[x], vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])])
    }

    /// Pixels to about a unit.
    fn start(seed: u64) -> (Self, String) {
        let mut net = Net::new(17, seed);
        let scale = net.scalar(255.0);
        let x = net.node("Div", &["record", &scale], vec![]);
        (Self { net }, x)
    }
}

fn run(name: &str, bytes: &[u8], schema: &Schema, calibration: &[Vec<i64>]) -> (Model, QuantiseReport) {
    let start = Instant::now();
    let (model, report) = quantise(bytes, schema, calibration, None, &QuantiseOptions::default()).unwrap();
    println!(
        "{name}: {:.1?}, {} bits, agreement {:?}, largest error {:.4} of {:.3}, equalised {}",
        start.elapsed(),
        report.weight_bits,
        report.agreement,
        report.max_error,
        report.output_range,
        report.equalised
    );
    let at: Vec<String> =
        report.tried.iter().map(|t| format!("{}: {:?}", t.weight_bits, t.shortfall)).collect();
    println!("  tried {at:?}; {} nodes", model.architecture().nodes.len());
    for warning in report.warnings() {
        println!("  {warning}");
    }
    (model, report)
}

/// Agreement on records that the calibration never saw is that of the calibration, up to a few.
fn holds(bytes: &[u8], model: &Model, schema: &Schema, others: &[Vec<i64>]) -> f64 {
    let float = tacit_onnx::float_logits(bytes, schema, others, &QuantiseOptions::default()).unwrap();
    let class = |logits: &[f64]| (0..logits.len()).fold(0, |b, i| if logits[i] > logits[b] { i } else { b });
    let same = |(record, logits): (&Vec<i64>, &Vec<f64>)| {
        let out = model.run(record).unwrap().output().to_vec();
        model.architecture().predicted_class(&out) == Some(class(logits))
    };
    others.iter().zip(&float).filter(|pair| same(*pair)).count() as f64 / others.len() as f64
}

#[test]
fn lenet() {
    let (schema, rows) = images(1, 28, 1200, 1);
    let (mut l, x) = Layers::start(3);
    let mut x = l.conv(&x, 1, 6, 5, 1, 1);
    x = l.relu(&x);
    x = l.pool("MaxPool", &x);
    x = l.conv(&x, 6, 16, 5, 1, 1);
    x = l.relu(&x);
    x = l.pool("MaxPool", &x);
    x = l.net.node("Flatten", &[&x], vec![]);
    for (from, to) in [(784, 120), (120, 84)] {
        x = l.dense(&x, from, to);
        x = l.relu(&x);
    }
    x = l.dense(&x, 84, 10);
    x = l.net.node("Softmax", &[&x], vec![]);
    let bytes = l.net.finish(&[1, 28, 28], &x);
    let (model, report) = run("LeNet", &bytes, &schema, &rows[..1000]);
    assert!(report.is_faithful(), "{:?}", report.agreement);
    assert!(holds(&bytes, &model, &schema, &rows[1000..]) >= 0.98);
    // Normalise; twice pad, convolve, requantise, windows, maximum; flatten; three dense layers.
    assert_eq!(model.architecture().nodes.len(), 1 + 2 * 5 + 1 + 6);
}

#[test]
fn residual_network() {
    let (schema, rows) = images(3, 16, 260, 2);
    let (mut l, x) = Layers::start(4);
    let mut x = l.conv(&x, 3, 8, 3, 1, 1);
    x = l.norm(&x, 8);
    x = l.relu(&x);
    for (from, to, stride) in [(8, 8, 1), (8, 16, 2)] {
        let mut y = l.conv(&x, from, to, 3, stride, 1);
        y = l.norm(&y, to);
        y = l.relu(&y);
        y = l.conv(&y, to, to, 3, 1, 1);
        y = l.norm(&y, to);
        if stride > 1 {
            x = l.conv(&x, from, to, 1, stride, 1);
            x = l.norm(&x, to);
        }
        x = l.net.node("Add", &[&x, &y], vec![]);
        x = l.relu(&x);
    }
    x = l.net.node("GlobalAveragePool", &[&x], vec![]);
    x = l.net.node("Flatten", &[&x], vec![]);
    x = l.dense(&x, 16, 10);
    let bytes = l.net.finish(&[3, 16, 16], &x);
    let (model, report) = run("ResNet", &bytes, &schema, &rows[..200]);
    assert!(report.is_faithful(), "{:?}", report.agreement);
    assert!(holds(&bytes, &model, &schema, &rows[200..]) >= 0.95);
    let muls = model.architecture().nodes.iter().filter(|n| matches!(n.op, Op::Mul { .. })).count();
    assert_eq!(muls, 0, "every normalisation is folded");
}

#[test]
fn depthwise_network() {
    let (schema, rows) = images(3, 16, 260, 5);
    let (mut l, x) = Layers::start(6);
    let mut x = l.conv(&x, 3, 8, 3, 2, 1);
    x = l.norm(&x, 8);
    x = l.net.node("HardSwish", &[&x], vec![]);
    for (from, to) in [(8, 16), (16, 16)] {
        x = l.conv(&x, from, from, 3, 1, from);
        x = l.norm(&x, from);
        x = l.relu(&x);
        // Squeeze and excite: a gate per channel.
        let mut gate = l.net.node("GlobalAveragePool", &[&x], vec![]);
        gate = l.conv(&gate, from, 4, 1, 1, 1);
        gate = l.relu(&gate);
        gate = l.conv(&gate, 4, from, 1, 1, 1);
        gate = l.net.node("HardSigmoid", &[&gate], vec![float("alpha", 1.0 / 6.0)]);
        x = l.net.node("Mul", &[&x, &gate], vec![]);
        x = l.conv(&x, from, to, 1, 1, 1);
        x = l.norm(&x, to);
    }
    x = l.net.node("GlobalAveragePool", &[&x], vec![]);
    x = l.net.node("Flatten", &[&x], vec![]);
    x = l.dense(&x, 16, 10);
    let bytes = l.net.finish(&[3, 16, 16], &x);
    let (model, report) = run("MobileNet", &bytes, &schema, &rows[..200]);
    assert!(report.is_faithful(), "{:?}", report.agreement);
    assert!(holds(&bytes, &model, &schema, &rows[200..]) >= 0.95);
}

#[test]
fn encoder_and_decoder() {
    let (_, rows) = images(1, 16, 150, 7);
    let schema = schema(256, 0, 0, 255, 0);
    let (mut l, x) = Layers::start(8);
    let first = l.conv(&x, 1, 8, 3, 1, 1);
    let first = l.relu(&first);
    let mut x = l.pool("AveragePool", &first);
    x = l.conv(&x, 8, 12, 3, 1, 1);
    x = l.net.node("Sigmoid", &[&x], vec![]);
    let (w, b) = (l.net.weight(&[12, 8, 2, 2], 12), l.net.random(&[8], -0.1, 0.1));
    x = l.net.node("ConvTranspose", &[&x, &w, &b], vec![ints("strides", &[2, 2])]);
    x = l.net.node("Concat", &[&x, &first], vec![int("axis", 1)]);
    x = l.conv(&x, 16, 1, 3, 1, 1);
    let bytes = l.net.finish(&[1, 16, 16], &x);
    let (_, report) = run("U-Net", &bytes, &schema, &rows);
    assert!(report.is_faithful(), "{} of {}", report.max_error, report.output_range);
}
