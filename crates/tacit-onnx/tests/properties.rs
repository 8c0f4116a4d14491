//! Random perceptrons, written as protobuf here, and random damage to valid files.

#![allow(clippy::unwrap_used)]

mod support;

use proptest::prelude::*;
use prost::Message as _;
use support::{expected, onnx, records, refused};
use tacit_model::testing::SplitMix;
use tacit_model::{Feature, Model, Schema};
use tacit_onnx::{OnnxError, QuantiseOptions, probe, quantise};
use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;

/// What a random perceptron is made of.
#[derive(Debug, Clone)]
struct Recipe {
    sizes: Vec<usize>,
    scaler: bool,
    batch_norm: bool,
    clip: bool,
    softmax: bool,
    weight_scale: f64,
    decimals: Vec<u8>,
    reach: Vec<i64>,
    seed: u64,
}

fn arb_recipe() -> impl Strategy<Value = Recipe> {
    (proptest::collection::vec(1usize..12, 2..5), any::<[bool; 4]>(), -2.0..2.0f64, any::<u64>())
        .prop_flat_map(|(sizes, [scaler, batch_norm, clip, softmax], magnitude, seed)| {
            let features = sizes[0];
            (
                proptest::collection::vec(0u8..6, features),
                proptest::collection::vec(1i64..1_000_000, features),
            )
                .prop_map(move |(decimals, reach)| Recipe {
                    softmax: softmax && sizes[sizes.len() - 1] > 1,
                    sizes: sizes.clone(),
                    scaler,
                    batch_norm,
                    clip,
                    weight_scale: 10f64.powf(magnitude),
                    decimals,
                    reach,
                    seed,
                })
        })
}

struct Builder {
    graph: pb::GraphProto,
    rng: SplitMix,
    last: String,
}

impl Builder {
    fn uniform(&mut self, lo: f64, hi: f64) -> f32 {
        (lo + (hi - lo) * (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64) as f32
    }

    fn constant(&mut self, dims: &[usize], data: Vec<f32>) -> String {
        let name = format!("c{}", self.graph.initializer.len());
        self.graph.initializer.push(pb::TensorProto {
            name: name.clone(),
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: DataType::Float as i32,
            raw_data: data.iter().flat_map(|v| v.to_le_bytes()).collect(),
            ..Default::default()
        });
        name
    }

    fn random(&mut self, dims: &[usize], lo: f64, hi: f64) -> String {
        let count = dims.iter().product::<usize>();
        let data = (0..count).map(|_| self.uniform(lo, hi)).collect();
        self.constant(dims, data)
    }

    fn node(&mut self, op: &str, constants: &[String]) {
        let output = format!("v{}", self.graph.node.len());
        let mut input = vec![self.last.clone()];
        input.extend(constants.iter().cloned());
        self.graph.node.push(pb::NodeProto {
            op_type: op.to_owned(),
            input,
            output: vec![output.clone()],
            ..Default::default()
        });
        self.last = output;
    }
}

fn build(recipe: &Recipe) -> (Vec<u8>, Schema) {
    use pb::tensor_shape_proto::{Dimension, dimension::Value as Dim};
    let features = recipe.sizes[0];
    let feature = |i: usize| Feature {
        name: format!("x{i}"),
        decimals: recipe.decimals[i],
        min: -recipe.reach[i] / 2,
        max: recipe.reach[i],
        unit: None,
        code: None,
        system: None,
    };
    let schema = Schema::new((0..features).map(feature).collect(), Vec::new()).unwrap();
    let real = |i: usize| recipe.reach[i] as f64 / 10f64.powi(recipe.decimals[i].into());
    let mut b =
        Builder { graph: pb::GraphProto::default(), rng: SplitMix(recipe.seed), last: "record".to_owned() };
    // A scaler that roughly fits the ranges, or weights that do, as training would give.
    if recipe.scaler {
        let mean = (0..features).map(|i| (b.uniform(0.0, 0.5) as f64 * real(i)) as f32).collect();
        let deviation = (0..features).map(|i| (b.uniform(0.1, 0.5) as f64 * real(i)) as f32).collect();
        let (mean, deviation) = (b.constant(&[features], mean), b.constant(&[features], deviation));
        b.node("Sub", &[mean]);
        b.node("Div", &[deviation]);
    }
    for (layer, pair) in recipe.sizes.windows(2).enumerate() {
        let (k, n) = (pair[0], pair[1]);
        let mut weight = Vec::with_capacity(k * n);
        for i in 0..k {
            for _ in 0..n {
                // Later layers neither grow nor shrink much, so that the errors of earlier ones do not either.
                let unit = match layer {
                    0 if recipe.scaler => recipe.weight_scale,
                    0 => recipe.weight_scale / real(i),
                    _ => 2.0 / (k as f64).sqrt(),
                };
                weight.push((f64::from(b.uniform(-1.0, 1.0)) * unit) as f32);
            }
        }
        let weight = b.constant(&[k, n], weight);
        let bias = b.random(&[n], -recipe.weight_scale, recipe.weight_scale);
        if b.rng.next_u64().is_multiple_of(2) {
            b.node("Gemm", &[weight, bias]);
        } else {
            b.node("MatMul", &[weight]);
            b.node("Add", &[bias]);
        }
        if layer + 2 < recipe.sizes.len() {
            if recipe.batch_norm {
                let parts =
                    [(0.5, 1.5), (-0.5, 0.5), (-0.5, 0.5), (0.5, 2.0)].map(|(lo, hi)| b.random(&[n], lo, hi));
                b.node("BatchNormalization", &parts);
            }
            if recipe.clip {
                let (lo, hi) = (
                    b.constant(&[], vec![0.0]),
                    b.constant(&[], vec![6.0 * recipe.weight_scale.max(1.0) as f32]),
                );
                b.node("Clip", &[lo, hi]);
            } else {
                b.node("Relu", &[]);
            }
        }
    }
    if recipe.softmax {
        b.node("Softmax", &[]);
    }
    let dims = [Dim::DimParam("N".to_owned()), Dim::DimValue(features as i64)];
    let shape = pb::TensorShapeProto {
        dim: dims.map(|d| Dimension { value: Some(d), ..Default::default() }).to_vec(),
    };
    let info = |name: &str, shape| pb::ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(pb::TypeProto {
            value: Some(pb::type_proto::Value::TensorType(pb::type_proto::Tensor {
                elem_type: DataType::Float as i32,
                shape,
            })),
            ..Default::default()
        }),
        ..Default::default()
    };
    b.graph.input = vec![info("record", Some(shape))];
    b.graph.output = vec![info(&b.last, None)];
    let model = pb::ModelProto {
        ir_version: 8,
        opset_import: vec![pb::OperatorSetIdProto { domain: String::new(), version: 17 }],
        graph: Some(b.graph),
        ..Default::default()
    };
    (model.encode_to_vec(), schema)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn random_perceptrons_keep_their_logits(recipe in arb_recipe()) {
        let (bytes, schema) = build(&recipe);
        let calibration = records(&schema, 200, recipe.seed);
        for (weight_bits, tolerance) in [(8, 0.05), (16, 0.003)] {
            let options = QuantiseOptions { weight_bits: Some(weight_bits), ..QuantiseOptions::default() };
            let (model, report) = quantise(&bytes, &schema, &calibration, None, &options).unwrap();
            // Outputs may be small differences of large activations.
            let largest = report.layers.iter().fold(0.0f64, |m, l| m.max(l.observed_max).max(-l.observed_min));
            prop_assert!(
                report.max_error <= tolerance * largest,
                "{weight_bits} bits: {} of {largest}\n{:#?}", report.max_error, report.layers
            );
            prop_assert_eq!(&Model::from_bytes(&model.to_bytes()).unwrap(), &model);
            for record in records(&schema, 20, recipe.seed ^ 1) {
                prop_assert!(model.run(&record).is_ok());
            }
        }
    }

    #[test]
    fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(attempt(&bytes).is_err());
        let _ = probe(&bytes);
    }
}

/// Tries to quantise whatever the bytes hold, for four features and two records.
fn attempt(bytes: &[u8]) -> Result<(), OnnxError> {
    let schema = support::schema(4, 4, -20_000, 20_000, 0);
    let rows = vec![vec![1, 2, 3, 4], vec![-20_000, 20_000, 0, 5]];
    quantise(bytes, &schema, &rows, None, &QuantiseOptions::default()).map(|_| ())
}

#[test]
fn damaged_files_never_panic() {
    let mut rng = SplitMix(1);
    let names: Vec<String> = expected().into_keys().chain(refused().into_keys()).collect();
    let mut accepted = 0;
    for name in &names {
        let good = onnx(name);
        for round in 0..60 {
            let mut bad = good.clone();
            match round % 3 {
                0 => bad.truncate(rng.range(0, good.len() as i64 - 1) as usize),
                1 => {
                    for _ in 0..rng.range(1, 4) {
                        let at = rng.range(0, bad.len() as i64 - 1) as usize;
                        bad[at] ^= 1 << rng.range(0, 7);
                    }
                }
                _ => {
                    let at = rng.range(0, bad.len() as i64 - 1) as usize;
                    let count = rng.range(1, 6) as usize;
                    let random: Vec<u8> = (0..count).map(|_| rng.next_u64() as u8).collect();
                    let end = (at + rng.range(0, 6) as usize).min(bad.len());
                    bad.splice(at..end, random);
                }
            }
            accepted += usize::from(attempt(&bad).is_ok());
            let _ = probe(&bad);
        }
    }
    // Damage in a weight's bytes leaves a valid file.
    assert!(accepted > 100, "only {accepted} of the damaged files got as far as a model");
}

#[test]
fn constants_cannot_outgrow_the_file() {
    // Two vectors of 8192, added as a column and a row: 2^26 elements out of 64 KiB.
    let mut b = Builder { graph: pb::GraphProto::default(), rng: SplitMix(0), last: String::new() };
    b.last = b.constant(&[8192, 1], vec![1.0; 8192]);
    let row = b.constant(&[1, 8192], vec![1.0; 8192]);
    b.node("Add", &[row]);
    let big = std::mem::replace(&mut b.last, "record".to_owned());
    b.node("MatMul", &[big]);
    let (good, _) = build(&Recipe {
        sizes: vec![4, 1],
        scaler: false,
        batch_norm: false,
        clip: false,
        softmax: false,
        weight_scale: 1.0,
        decimals: vec![0; 4],
        reach: vec![1; 4],
        seed: 0,
    });
    let mut model = pb::ModelProto::decode(&good[..]).unwrap();
    let mut graph = model.graph.take().unwrap();
    graph.node = b.graph.node;
    graph.initializer = b.graph.initializer;
    graph.output[0].name = b.last;
    model.graph = Some(graph);
    let error = attempt(&model.encode_to_vec()).unwrap_err();
    assert!(error.to_string().contains("grow far beyond"), "{error}");
}

#[test]
fn long_chains_and_deep_nesting_are_refused_or_read() {
    // A chain of more nodes than allowed.
    let mut b = Builder { graph: pb::GraphProto::default(), rng: SplitMix(0), last: "record".to_owned() };
    for _ in 0..5000 {
        b.node("Relu", &[]);
    }
    let model = pb::ModelProto { graph: Some(b.graph), ..Default::default() };
    assert!(matches!(attempt(&model.encode_to_vec()), Err(OnnxError::Malformed(_))));
    // A graph within an attribute within a graph, and so on.
    let mut graph = pb::GraphProto::default();
    for _ in 0..40 {
        let attribute = pb::AttributeProto { name: "body".into(), g: Some(graph), ..Default::default() };
        let node = pb::NodeProto { op_type: "Loop".into(), attribute: vec![attribute], ..Default::default() };
        graph = pb::GraphProto { node: vec![node], ..Default::default() };
    }
    let model = pb::ModelProto { graph: Some(graph), ..Default::default() };
    let error = attempt(&model.encode_to_vec()).unwrap_err();
    assert!(error.to_string().contains("nested too deeply"), "{error}");
}
