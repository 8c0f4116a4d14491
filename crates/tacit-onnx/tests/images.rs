//! Random convolutions, poolings, movements and functions, written as protobuf here: the integers against tract's floats,
//! and this crate's own reading of the floats against tract's.

#![allow(clippy::unwrap_used)]

mod support;

use proptest::prelude::*;
use support::build::{Net, float, int, ints, text};
use support::{records, schema};
use tacit_model::{Architecture, Model, Op};
use tacit_onnx::{LayerReport, QuantiseOptions, QuantiseReport, float_logits, quantise};

/// Quantises a network of records of `shape` and holds it to the float model, with wide and narrow weights. Errors are
/// relative to the largest activation.
fn check(bytes: &[u8], shape: &[usize], tolerances: (f64, f64)) -> (Model, QuantiseReport) {
    let largest = |report: &QuantiseReport| {
        let of = |m: f64, l: &LayerReport| m.max(l.observed_max).max(-l.observed_min);
        report.layers.iter().fold(report.largest_output, of)
    };
    check_beside(bytes, shape, tolerances, largest)
}

/// The same, with errors relative to what `beside` takes from the report.
fn check_beside(
    bytes: &[u8],
    shape: &[usize],
    tolerances: (f64, f64),
    beside: impl Fn(&QuantiseReport) -> f64,
) -> (Model, QuantiseReport) {
    let schema = schema(shape.iter().product(), 3, -2000, 2000, 0);
    let calibration = records(&schema, 40, 1);
    let others = records(&schema, 6, 2);
    let float = float_logits(bytes, &schema, &others, &QuantiseOptions::default()).unwrap();
    let mut last = None;
    for (weight_bits, tolerance) in [(16, tolerances.0), (8, tolerances.1)] {
        let options = QuantiseOptions { weight_bits: Some(weight_bits), ..QuantiseOptions::default() };
        let (model, report) = quantise(bytes, &schema, &calibration, None, &options)
            .unwrap_or_else(|e| panic!("{weight_bits} bits: {e}"));
        let largest = beside(&report);
        assert!(
            report.reference_difference <= 1e-4 * largest + 1e-5,
            "this reading differs from tract's by {} of {largest}",
            report.reference_difference
        );
        for (record, want) in others.iter().zip(&float) {
            let output = model.run(record).unwrap().output().to_vec();
            assert_eq!(output.len(), want.len());
            for (q, want) in output.iter().zip(want) {
                let got = model.architecture().output_value(*q);
                assert!(
                    (got - want).abs() <= tolerance * largest,
                    "{weight_bits} bits: {got} for {want} beside {largest}\n{:#?}",
                    report.layers
                );
            }
        }
        last = Some((model, report));
    }
    last.unwrap()
}

const EXACT: (f64, f64) = (0.002, 0.002);
const LAYER: (f64, f64) = (0.003, 0.06);

fn count(architecture: &Architecture, f: impl Fn(&Op) -> bool) -> usize {
    architecture.nodes.iter().filter(|n| f(&n.op)).count()
}

/// One axis of a window.
#[derive(Debug, Clone, Copy)]
struct Axis {
    len: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    after: usize,
}

fn arb_axis() -> impl Strategy<Value = Axis> {
    (1usize..4, 1usize..4, 1usize..3, 0usize..3, 0usize..3, 0usize..5).prop_map(
        |(kernel, stride, dilation, before, after, more)| {
            let extent = (kernel - 1) * dilation + 1;
            let (before, after) = (before.min(extent - 1), after.min(extent - 1));
            Axis { len: extent + more, kernel, stride, dilation, before, after }
        },
    )
}

fn arb_axes() -> impl Strategy<Value = Vec<Axis>> {
    proptest::collection::vec(arb_axis(), 1..=2)
}

fn of(axes: &[Axis], f: impl Fn(&Axis) -> usize) -> Vec<usize> {
    axes.iter().map(f).collect()
}

fn pads(axes: &[Axis]) -> Vec<usize> {
    [of(axes, |a| a.before), of(axes, |a| a.after)].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn convolutions(
        axes in arb_axes(), groups in 1usize..4, channels in 1usize..3, outputs in 1usize..4,
        auto in prop::sample::select(vec!["", "SAME_UPPER", "SAME_LOWER", "VALID"]), norm: bool, bias: bool, seed: u64,
    ) {
        let mut net = Net::new(17, seed);
        let kernel = of(&axes, |a| a.kernel);
        let fan_in = channels * kernel.iter().product::<usize>();
        let weight = net.weight(&[&[groups * outputs, channels], &kernel[..]].concat(), fan_in);
        let biases = net.random(&[groups * outputs], -0.5, 0.5);
        let inputs = if bias { vec!["record", &weight, &biases] } else { vec!["record", &weight] };
        let mut attributes = vec![
            ints("strides", &of(&axes, |a| a.stride)),
            ints("dilations", &of(&axes, |a| a.dilation)),
            int("group", groups as i64),
        ];
        attributes.push(match auto {
            "" => ints("pads", &pads(&axes)),
            auto => text("auto_pad", auto),
        });
        let mut out = net.node("Conv", &inputs, attributes);
        if norm {
            let parts = [(0.5, 1.5), (-0.5, 0.5), (-0.5, 0.5), (0.5, 2.0)]
                .map(|(lo, hi)| net.random(&[groups * outputs], lo, hi));
            out = net.node("BatchNormalization", &[&out, &parts[0], &parts[1], &parts[2], &parts[3]], vec![]);
        }
        out = net.node("Relu", &[&out], vec![]);
        let shape = [&[groups * channels], &of(&axes, |a| a.len)[..]].concat();
        let (model, _) = check(&net.finish(&shape, &out), &shape, LAYER);
        prop_assert_eq!(count(model.architecture(), |op| matches!(op, Op::Conv { .. })), 1);
        prop_assert_eq!(count(model.architecture(), |op| matches!(op, Op::Mul { .. })), 0, "the norm is folded");
    }

    #[test]
    fn transposed_convolutions(
        axes in arb_axes(), groups in 1usize..3, channels in 1usize..3, outputs in 1usize..3, more in 0usize..2, seed: u64,
    ) {
        let mut net = Net::new(17, seed);
        let kernel = of(&axes, |a| a.kernel);
        let weight = net.weight(&[&[groups * channels, outputs], &kernel[..]].concat(), channels * kernel.iter().product::<usize>());
        let bias = net.random(&[groups * outputs], -0.5, 0.5);
        let attributes = vec![
            ints("strides", &of(&axes, |a| a.stride)),
            ints("dilations", &of(&axes, |a| a.dilation)),
            ints("pads", &pads(&axes)),
            ints("output_padding", &of(&axes, |a| more.min(a.stride - 1))),
            int("group", groups as i64),
        ];
        let out = net.node("ConvTranspose", &["record", &weight, &bias], attributes);
        let shape = [&[groups * channels], &of(&axes, |a| a.len)[..]].concat();
        check(&net.finish(&shape, &out), &shape, LAYER);
    }

    #[test]
    fn maxima_over_windows(axes in arb_axes(), channels in 1usize..3, ceil: bool, relu: bool, seed: u64) {
        let mut net = Net::new(17, seed);
        let mut x = "record".to_owned();
        if relu {
            x = net.node("Relu", &[&x], vec![]);
        }
        let attributes = vec![
            ints("kernel_shape", &of(&axes, |a| a.kernel)),
            ints("strides", &of(&axes, |a| a.stride)),
            ints("dilations", &of(&axes, |a| a.dilation)),
            ints("pads", &pads(&axes)),
            int("ceil_mode", ceil.into()),
        ];
        let out = net.node("MaxPool", &[&x], attributes);
        let shape = [&[channels], &of(&axes, |a| a.len)[..]].concat();
        check(&net.finish(&shape, &out), &shape, EXACT);
    }

    #[test]
    fn means_over_windows(axes in arb_axes(), channels in 1usize..3, ceil: bool, include: bool, same: bool, seed: u64) {
        let mut net = Net::new(17, seed);
        let mut attributes = vec![
            ints("kernel_shape", &of(&axes, |a| a.kernel)),
            ints("strides", &of(&axes, |a| a.stride)),
            int("count_include_pad", include.into()),
        ];
        if same {
            attributes.push(text("auto_pad", "SAME_UPPER"));
        } else {
            attributes.push(ints("pads", &[of(&axes, |a| a.before.min(a.kernel - 1)), of(&axes, |a| a.after.min(a.kernel - 1))].concat()));
            attributes.push(int("ceil_mode", ceil.into()));
        }
        let out = net.node("AveragePool", &["record"], attributes);
        let shape = [&[channels], &of(&axes, |a| a.len)[..]].concat();
        check(&net.finish(&shape, &out), &shape, EXACT);
    }

    /// By norms, by deviations, by sums of exponentials: errors are relative to the outputs, since squares dwarf them.
    #[test]
    fn divisions(
        kind in 0usize..8, channels in 1usize..4, h in 1usize..4, w in 2usize..6, relu: bool, seed: u64,
    ) {
        let mut net = Net::new(17, seed);
        let shape = [channels, h, w];
        let count = channels * h * w;
        let x = if relu { net.node("Relu", &["record"], vec![]) } else { "record".to_owned() };
        let over = |axis: usize| vec![ints("axes", &[axis])];
        let y = match kind {
            0 => {
                let (scale, bias) = (net.random(&[w], 0.5, 1.5), net.random(&[w], -0.5, 0.5));
                net.node("LayerNormalization", &[&x, &scale, &bias], vec![])
            }
            1 => {
                let scale = net.random(&shape, 0.5, 1.5);
                net.node("LayerNormalization", &[&x, &scale], vec![int("axis", 1), float("epsilon", 1.0)])
            }
            2 => {
                let (scale, bias) = (net.random(&[channels], 0.5, 1.5), net.random(&[channels], -0.5, 0.5));
                net.node("InstanceNormalization", &[&x, &scale, &bias], vec![])
            }
            3 => {
                let mean = net.node("ReduceMean", &[&x], over(3));
                let apart = net.node("Sub", &[&x, &mean], vec![]);
                let squares = net.node("Mul", &[&apart, &apart], vec![]);
                let variance = net.node("ReduceMean", &[&squares], over(3));
                let epsilon = net.scalar(0.01);
                let variance = net.node("Add", &[&variance, &epsilon], vec![]);
                let deviation = net.node("Sqrt", &[&variance], vec![]);
                net.node("Div", &[&apart, &deviation], vec![])
            }
            4 | 5 => {
                let norm = net.node(["ReduceL1", "ReduceL2"][kind - 4], &[&x], over(1 + seed as usize % 3));
                let one = net.scalar(1.0);
                let norm = net.node("Add", &[&norm, &one], vec![]);
                net.node("Div", &[&x, &norm], vec![])
            }
            6 => {
                let factor = net.scalar(1.5);
                let more = net.node("Mul", &[&x, &factor], vec![]);
                net.node("Softmax", &[&more], vec![int("axis", -1)])
            }
            _ => {
                let size = net.node("Abs", &[&x], vec![]);
                let more = net.random(&[channels, 1, 1], 0.5, 4.0);
                let size = net.node("Add", &[&size, &more], vec![]);
                net.node("Div", &[&more, &size], vec![])
            }
        };
        let flat = net.node("Flatten", &[&y], vec![]);
        let (weight, bias) = (net.weight(&[count, 3], count), net.random(&[3], -0.5, 0.5));
        let out = net.node("Gemm", &[&flat, &weight, &bias], vec![]);
        let (model, _) = check_beside(&net.finish(&shape, &out), &shape, (0.01, 0.06), |r| r.largest_output);
        // A function of one value may be a table.
        prop_assert!(kind == 7 || count_divisions(model.architecture()) > 0);
        prop_assert_eq!(&Model::from_bytes(&model.to_bytes()).unwrap(), &model);
    }
}

fn count_divisions(architecture: &Architecture) -> usize {
    count(architecture, |op| matches!(op, Op::Quotient { .. }))
}

/// A value of a random network and its shape per sample.
type Made = (String, Vec<usize>);

/// Adds a random operator to `net` that reads `made`.
fn random_step(net: &mut Net, made: &[Made]) -> Option<Made> {
    let pick = |net: &mut Net, n: usize| net.rng.range(0, n as i64 - 1) as usize;
    let (x, shape) = made[made.len() - 1 - pick(net, made.len().min(3))].clone();
    let [c, h, w] = shape[..] else { return None };
    let unary = |net: &mut Net, op: &str| Some((net.node(op, &[&x], vec![]), shape.clone()));
    match pick(net, 17) {
        0 => {
            let (o, k, s) = (1 + pick(net, 4), 1 + pick(net, 3.min(h).min(w)), 1 + pick(net, 2));
            let weight = net.weight(&[o, c, k, k], c * k * k);
            let bias = net.random(&[o], -0.5, 0.5);
            let y = net.node("Conv", &[&x, &weight, &bias], vec![ints("strides", &[s, s])]);
            Some((y, vec![o, (h - k) / s + 1, (w - k) / s + 1]))
        }
        1 => {
            let weight = net.weight(&[c, 1, 3, 3], 9);
            let y = net.node("Conv", &[&x, &weight], vec![ints("pads", &[1; 4]), int("group", c as i64)]);
            Some((y, shape))
        }
        2 => {
            let p =
                [(0.5, 1.5), (-0.5, 0.5), (-0.5, 0.5), (0.5, 2.0)].map(|(lo, hi)| net.random(&[c], lo, hi));
            Some((net.node("BatchNormalization", &[&x, &p[0], &p[1], &p[2], &p[3]], vec![]), shape))
        }
        3 | 4 => unary(net, "Relu"),
        5 => {
            let op = ["Sigmoid", "Tanh", "HardSwish", "Softplus", "Abs", "LeakyRelu"][pick(net, 6)];
            unary(net, op)
        }
        6 if h > 1 && w > 1 => {
            let op = ["MaxPool", "AveragePool"][pick(net, 2)];
            let attributes =
                vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2]), ints("pads", &[0, 1, 1, 0])];
            Some((net.node(op, &[&x], attributes), vec![c, h.div_ceil(2), w.div_ceil(2)]))
        }
        7 => {
            let (y, other) = made[pick(net, made.len())].clone();
            let op = ["Add", "Sub", "Mul"][pick(net, 3)];
            (other == shape).then(|| (net.node(op, &[&x, &y], vec![]), shape))
        }
        8 => {
            let (y, other) = made[pick(net, made.len())].clone();
            let fits = other.len() == 3 && other[1..] == shape[1..] && c + other[0] < 9;
            fits.then(|| (net.node("Concat", &[&x, &y], vec![int("axis", 1)]), vec![c + other[0], h, w]))
        }
        9 if h > 1 => {
            let [from, to, axis] = [1, h as i64, 2].map(|v| net.integers(&[v]));
            Some((net.node("Slice", &[&x, &from, &to, &axis], vec![]), vec![c, h - 1, w]))
        }
        10 => {
            let perm = [[0, 1, 3, 2], [0, 2, 1, 3], [0, 3, 1, 2]][pick(net, 3)];
            let to = perm[1..].iter().map(|&p| shape[p - 1]).collect();
            Some((net.node("Transpose", &[&x], vec![ints("perm", &perm)]), to))
        }
        11 => {
            let op = ["ReduceMean", "ReduceMax", "ReduceSum"][pick(net, 3)];
            let axis = pick(net, 3) + 1;
            let mut to = shape.clone();
            to[axis - 1] = 1;
            let y = match op {
                "ReduceSum" => {
                    let axes = net.integers(&[axis as i64]);
                    net.node(op, &[&x, &axes], vec![])
                }
                _ => net.node(op, &[&x], vec![ints("axes", &[axis])]),
            };
            Some((y, to))
        }
        12 => {
            let (s, o) = (net.random(&[c, 1, 1], -1.5, 1.5), net.random(&[1, w], -0.5, 0.5));
            let y = net.node("Mul", &[&x, &s], vec![]);
            Some((net.node("Add", &[&o, &y], vec![]), shape))
        }
        13 => {
            let (lo, hi) = (net.scalar(-0.75), net.scalar(1.5));
            Some((net.node("Clip", &[&x, &lo, &hi], vec![]), shape))
        }
        14 if h * w < 40 => {
            let scales = net.constant(&[4], &[1.0, 1.0, 2.0, 1.0]);
            let attributes = vec![
                text("mode", "nearest"),
                text("coordinate_transformation_mode", "asymmetric"),
                text("nearest_mode", "floor"),
            ];
            Some((net.node("Resize", &[&x, "", &scales], attributes), vec![c, 2 * h, w]))
        }
        15 => {
            let pads = net.integers(&[0, 0, 1, 0, 0, 0, 0, 1]);
            Some((net.node("Pad", &[&x, &pads], vec![]), vec![c, h + 1, w + 1]))
        }
        16 => {
            let slope = net.random(&[c, 1, 1], 0.0, 0.5);
            Some((net.node("PRelu", &[&x, &slope], vec![]), shape))
        }
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn random_networks(steps in 1usize..14, channels in 1usize..4, side in 2usize..7, seed: u64) {
        let mut net = Net::new(17, seed);
        let shape = vec![channels, side, side + 1];
        let mut made = vec![("record".to_owned(), shape.clone())];
        for _ in 0..steps {
            let next = random_step(&mut net, &made);
            made.extend(next.filter(|(_, shape)| shape.iter().product::<usize>() < 400));
        }
        let (x, last) = made.pop().unwrap();
        let flat = net.node("Flatten", &[&x], vec![]);
        let count = last.iter().product();
        let (weight, bias) = (net.weight(&[count, 3], count), net.random(&[3], -0.5, 0.5));
        let out = net.node("Gemm", &[&flat, &weight, &bias], vec![]);
        let (model, _) = check(&net.finish(&shape, &out), &shape, (0.01, 0.1));
        prop_assert_eq!(&Model::from_bytes(&model.to_bytes()).unwrap(), &model);
    }
}

#[test]
fn functions_follow_their_tables() {
    let a = |v| vec![float("alpha", v)];
    for (op, attributes, opset) in [
        ("Sigmoid", vec![], 17),
        ("Tanh", vec![], 17),
        ("Erf", vec![], 17),
        ("HardSigmoid", a(0.3), 17),
        ("Elu", a(0.7), 17),
        ("Selu", vec![], 17),
        ("LeakyRelu", a(0.2), 17),
        ("Softplus", vec![], 17),
        ("Softsign", vec![], 17),
        ("Gelu", vec![], 20),
        ("Gelu", vec![text("approximate", "tanh")], 20),
        ("HardSwish", vec![], 17),
        ("Mish", vec![], 18),
        ("Abs", vec![], 17),
        ("Exp", vec![], 17),
    ] {
        let mut net = Net::new(opset, 5);
        let (w, b) = (net.weight(&[4, 6], 1), net.random(&[6], -1.0, 1.0));
        let hidden = net.node("Gemm", &["record", &w, &b], vec![]);
        let active = net.node(op, &[&hidden], attributes);
        let (w, b) = (net.weight(&[6, 2], 6), net.random(&[2], -1.0, 1.0));
        let out = net.node("Gemm", &[&active, &w, &b], vec![]);
        check(&net.finish(&[4], &out), &[4], (0.003, 0.03));
    }
}
