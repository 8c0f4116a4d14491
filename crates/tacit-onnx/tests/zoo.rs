//! The model zoo: files as scikit-learn, Keras, PyTorch and onnxruntime export them, against onnxruntime's floats.
//!
//! `zoo/make.py` wrote the models and what onnxruntime computes with them. Each model is quantised on every other record
//! and measured on all of them; a record that is refused counts as a disagreement.

#![allow(clippy::unwrap_used)]

#[path = "zoo/npz.rs"]
mod npz;
#[path = "zoo/set.rs"]
mod set;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use set::{Data, folder};
use tacit_model::OutputScale;
use tacit_onnx::{OnnxError, QuantiseOptions, float_logits, quantise};

/// What a model's outputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One score per class, or one for two classes; the data has labels.
    Classes,
    /// Numbers.
    Numbers,
    /// Numbers that are 0 or 1.
    Bits,
    /// Numbers of eight bits each.
    Bytes,
    /// Probabilities, which the model keeps.
    Probabilities,
}

use Kind::{Bits, Bytes, Classes, Numbers, Probabilities};

/// Model, data set, kind.
#[rustfmt::skip]
const READY: &[(&str, &str, Kind)] = &[
    ("keras_relu", "digits", Classes),
    ("keras_leaky_relu", "digits", Classes),
    ("keras_prelu", "digits", Classes),
    ("keras_elu", "digits", Classes),
    ("keras_selu", "digits", Classes),
    ("keras_sigmoid", "digits", Classes),
    ("keras_hard_sigmoid", "digits", Classes),
    ("keras_tanh", "digits", Classes),
    ("keras_softplus", "digits", Classes),
    ("keras_softsign", "digits", Classes),
    ("keras_gelu_tanh", "digits", Classes),
    ("keras_silu", "digits", Classes),
    ("keras_hard_silu", "digits", Classes),
    ("keras_relu6", "digits", Classes),
    ("keras_mish", "digits", Classes),
    ("keras_binary", "cancer", Classes),
    ("keras_lenet", "digits28", Classes),
    ("keras_separable", "digits28", Classes),
    ("keras_conv1d", "signals", Classes),
    ("logistic_binary", "cancer", Classes),
    ("logistic_binary_zipmap", "cancer", Classes),
    ("logistic_multinomial", "digits", Classes),
    ("logistic_multinomial_zipmap", "digits", Classes),
    ("logistic_raw_scores", "digits", Classes),
    ("logistic_text_labels", "cancer", Classes),
    ("logistic_robust", "cancer", Classes),
    ("logistic_one_vs_rest", "digits", Classes),
    ("linear_svc_binary", "cancer", Classes),
    ("linear_svc", "digits", Classes),
    ("sgd_classifier", "digits", Classes),
    ("ridge_classifier", "digits", Classes),
    ("discriminant", "digits", Classes),
    ("pca_logistic", "digits", Classes),
    ("pca_whitened_logistic", "digits", Classes),
    ("select_logistic", "cancer", Classes),
    ("union_logistic", "digits", Classes),
    ("ridge", "diabetes", Numbers),
    ("lasso", "diabetes", Numbers),
    ("elastic_net", "diabetes", Numbers),
    ("linear_regression", "diabetes", Numbers),
    ("linear_svr", "diabetes", Numbers),
    ("imputer_logistic", "cancer", Classes),
    ("binarizer_logistic", "digits", Classes),
    ("columns_logistic", "clinic", Classes),
    ("columns_mlp", "clinic", Classes),
    ("ordinal_logistic", "clinic", Classes),
    ("function_logistic", "cancer", Classes),
    ("vectorised_logistic", "cancer", Classes),
    ("mlp_identity", "digits", Classes),
    ("mlp_relu", "digits", Classes),
    ("mlp_tanh", "digits", Classes),
    ("mlp_logistic", "digits", Classes),
    ("mlp_binary", "cancer", Classes),
    ("mlp_binary_zipmap", "cancer", Classes),
    ("mlp_regressor", "diabetes", Numbers),
    ("mlp_regressor_tanh", "diabetes", Numbers),
    ("torch_relu", "digits", Classes),
    ("torch_leaky_relu", "digits", Classes),
    ("torch_prelu", "digits", Classes),
    ("torch_elu", "digits", Classes),
    ("torch_selu", "digits", Classes),
    ("torch_sigmoid", "digits", Classes),
    ("torch_hardsigmoid", "digits", Classes),
    ("torch_tanh", "digits", Classes),
    ("torch_hardtanh", "digits", Classes),
    ("torch_softplus", "digits", Classes),
    ("torch_softsign", "digits", Classes),
    ("torch_gelu", "digits", Classes),
    ("torch_gelu_tanh", "digits", Classes),
    ("torch_silu", "digits", Classes),
    ("torch_hardswish", "digits", Classes),
    ("torch_mish", "digits", Classes),
    ("torch_relu6", "digits", Classes),
    ("torch_gelu_dynamo", "digits", Classes),
    ("torch_gelu_tanh_dynamo", "digits", Classes),
    ("torch_silu_dynamo", "digits", Classes),
    ("torch_prelu_dynamo", "digits", Classes),
    ("torch_mlp", "digits", Classes),
    ("torch_mlp_dynamo", "digits", Classes),
    ("torch_mlp_batch_1", "digits", Classes),
    ("lenet_average_tanh", "digits28", Classes),
    ("lenet_average_relu", "digits28", Classes),
    ("lenet_max", "digits28", Classes),
    ("lenet_max_dynamo", "digits28", Classes),
    ("lenet_max_batch_1", "digits28", Classes),
    ("resnet", "patterns", Classes),
    ("resnet_dynamo", "patterns", Classes),
    ("mobilenet", "patterns", Classes),
    ("squeeze_excitation", "small_patterns", Classes),
    ("pools", "small_patterns", Classes),
    ("unet_nearest", "small_patterns", Numbers),
    ("unet_transposed", "small_patterns", Numbers),
    ("conv1d", "signals", Classes),
    ("autoencoder_squared", "digits", Numbers),
    ("autoencoder_absolute", "digits", Numbers),
    ("autoencoder", "digits", Numbers),
    ("torch_half", "digits", Classes),
    ("iris_filters", "strips", Numbers),
    ("torch_mlp_float16", "digits", Classes),
    ("lenet_max_float16", "digits28", Classes),
    ("normalizer_l1_logistic", "digits", Classes),
    ("normalizer_l2_logistic", "digits", Classes),
    ("normalizer_max_logistic", "digits", Classes),
    ("torch_celu", "digits", Classes),
    ("torch_layer_norm", "digits", Classes),
    ("torch_layer_norm_pieces", "digits", Classes),
    ("torch_layer_norm_dynamo", "digits", Classes),
    ("iris_code", "strips", Bits),
    ("iris_code_packed", "strips", Bytes),
];

/// Files of onnxruntime's quantiser: weights and activations of 8 bits.
#[rustfmt::skip]
const ROUNDED: &[(&str, &str, Kind)] = &[
    ("torch_mlp_qdq", "digits", Classes),
    ("torch_mlp_qoperator", "digits", Classes),
    ("lenet_average_relu_qdq", "digits28", Classes),
    ("lenet_average_relu_qoperator", "digits28", Classes),
    ("lenet_max_qdq", "digits28", Classes),
    ("lenet_max_qoperator", "digits28", Classes),
    ("torch_mlp_qdq_signed", "digits", Classes),
    ("lenet_max_qdq_channels", "digits28", Classes),
    ("squeeze_excitation_qoperator", "small_patterns", Classes),
    ("keras_relu_qoperator", "digits", Classes),
    ("keras_silu_qoperator", "digits", Classes),
    ("mobilenet_qoperator", "patterns", Classes),
    ("unet_nearest_qoperator", "small_patterns", Numbers),
    ("torch_leaky_relu_qoperator", "digits", Classes),
    ("torch_mlp_dynamic", "digits", Classes),
    ("lenet_max_dynamic", "digits28", Classes),
];

/// Models whose last softmax or sigmoid is kept: the probabilities themselves are compared.
#[rustfmt::skip]
const LIKELY: &[(&str, &str, Kind)] = &[
    ("logistic_binary", "cancer", Probabilities),
    ("logistic_multinomial", "digits", Probabilities),
    ("logistic_one_vs_rest", "digits", Probabilities),
    ("mlp_binary", "cancer", Probabilities),
    ("mlp_relu", "digits", Probabilities),
    ("keras_binary", "cancer", Probabilities),
    ("keras_relu", "digits", Probabilities),
];

/// Models that are refused, with a part of the error that names what is missing. Nothing else of the zoo may be refused.
#[rustfmt::skip]
const NOT_YET: &[(&str, &str, Kind, &str)] = &[
    ("polynomial_ridge", "diabetes", Numbers, "`ReduceProd` (nodes `ReduceProd`, `ReduceProd1`, "),
];

/// Share of records on which both name the same class.
const AGREEMENT: f64 = 0.995;
/// Share of records that may be lost against the float model.
const LOSS: f64 = 0.003;
/// Of [`ROUNDED`] files, the one that onnxruntime's own rounding of activations, which is not repeated, turns furthest from
/// the same weights without it: agreement and loss against onnxruntime.
const FAR_ROUNDED: (&str, f64, f64) = ("squeeze_excitation_qoperator", 0.98, 0.01);
/// Other exports of networks that are measured in full, which take a while: half of the records, 200, has to do.
const AGAIN: [&str; 3] = ["resnet_dynamo", "lenet_max_dynamo", "lenet_max_batch_1"];
/// Largest error of a number, relative to the range of the outputs.
const ERROR: f64 = 0.01;

/// The class of each record.
fn labels(data: &Data) -> Vec<usize> {
    data.arrays["labels"].data.iter().map(|&v| v as usize).collect()
}

/// What onnxruntime gives, one row per record.
fn outputs(data: &Data, model: &str) -> Vec<Vec<f64>> {
    data.arrays[&format!("out/{model}")].rows().map(<[f64]>::to_vec).collect()
}

/// Quantises one model and measures it; `Err` where it is refused.
fn measure(name: &str, data: &Data, kind: Kind) -> Result<Result<String, String>, OnnxError> {
    let onnx = fs::read(folder().join(format!("{name}.onnx"))).unwrap();
    let step = if AGAIN.contains(&name) { 2 } else { 1 };
    let records: Vec<Vec<i64>> = data.records().into_iter().step_by(step).collect();
    let want: Vec<Vec<f64>> = outputs(data, name).into_iter().step_by(step).collect();
    let classes = match kind {
        Classes => want[0].len().max(2),
        Numbers | Bits | Bytes | Probabilities => 0,
    };
    let options = QuantiseOptions { probabilities: kind == Probabilities, ..QuantiseOptions::default() };
    let half: Vec<Vec<i64>> = records.iter().step_by(2).cloned().collect();
    let (model, _) = quantise(&onnx, &data.schema(classes), &half, None, &options)?;
    if kind == Probabilities {
        assert_eq!(model.architecture().output_scale, OutputScale::Probabilities, "{name}");
    }
    let got: Vec<Option<Vec<i64>>> =
        records.iter().map(|r| model.run(r).ok().map(|e| e.output().to_vec())).collect();
    let rows = records.len() as f64;
    if kind == Bits || kind == Bytes {
        let bits = |v: f64| if kind == Bits { v as u8 & 1 } else { v as u8 };
        let width = if kind == Bits { 1 } else { 8 };
        let differ = |(got, want): (&Option<Vec<i64>>, &Vec<f64>)| -> u32 {
            let Some(got) = got else { return width * want.len() as u32 };
            let one = |(&q, &w): (&i64, &f64)| {
                let got = model.architecture().output_value(q);
                // Anything between two integers is wrong in every bit.
                if got.fract() == 0.0 { (bits(got) ^ bits(w)).count_ones() } else { width }
            };
            got.iter().zip(want).map(one).sum()
        };
        let differing: u32 = got.iter().zip(&want).map(differ).sum();
        let all = width as usize * want[0].len() * want.len();
        let agree = 1.0 - f64::from(differing) / all as f64;
        let text = format!("{differing} of {all} bits differ");
        return Ok(if agree >= AGREEMENT { Ok(text) } else { Err(text) });
    }
    if kind == Numbers || kind == Probabilities {
        let all = || want.iter().flatten().copied();
        let range = all().fold(f64::NEG_INFINITY, f64::max) - all().fold(f64::INFINITY, f64::min);
        let error = |(got, want): (&Option<Vec<i64>>, &Vec<f64>)| match got {
            // Of two probabilities that add up to one, the model keeps the second.
            Some(got) => got
                .iter()
                .zip(&want[want.len() - got.len()..])
                .map(|(&q, w)| (model.architecture().output_value(q) - w).abs())
                .fold(0.0, f64::max),
            None => f64::INFINITY,
        };
        let error = got.iter().zip(&want).map(error).fold(0.0, f64::max) / range;
        let text = format!("error {error:.5} of the range");
        return Ok(if error <= ERROR { Ok(text) } else { Err(text) });
    }
    let quantised: Vec<Option<usize>> =
        got.iter().map(|o| model.architecture().predicted_class(o.as_ref()?)).collect();
    // Where onnxruntime's one output is a probability, the border is one half; a logit's is zero.
    let border = match model.architecture().output_scale {
        OutputScale::SigmoidLogit => 0.5,
        _ => 0.0,
    };
    let float: Vec<usize> = want.iter().map(|row| class(row, border)).collect();
    let agree = quantised.iter().zip(&float).filter(|(q, f)| **q == Some(**f)).count() as f64 / rows;
    let labels: Vec<usize> = labels(data).into_iter().step_by(step).collect();
    let right = |f: &dyn Fn(usize) -> Option<usize>| {
        (0..labels.len()).filter(|&i| f(i) == Some(labels[i])).count() as f64 / rows
    };
    let (before, after) = (right(&|i| Some(float[i])), right(&|i| quantised[i]));
    let mut text = format!("agreement {agree:.4}, right {before:.4} before and {after:.4} after");
    if ROUNDED.iter().any(|r| r.0 == name) {
        // All that is lost is what onnxruntime's rounding of activations does: with the same weights and without it, the bars
        // of other files hold.
        let exact = float_logits(&onnx, &data.schema(classes), &records, &options)?;
        let exact: Vec<usize> = exact.iter().map(|row| class(row, 0.0)).collect();
        let agree = quantised.iter().zip(&exact).filter(|(q, f)| **q == Some(**f)).count() as f64 / rows;
        let before = right(&|i| Some(exact[i]));
        text += &format!("; unrounded: agreement {agree:.4}, right {before:.4} before");
        if agree < AGREEMENT || before - after > LOSS + 1e-9 {
            return Ok(Err(text));
        }
    }
    let (least, most) = match FAR_ROUNDED {
        (far, agreement, loss) if far == name => (agreement, loss),
        _ => (AGREEMENT, LOSS),
    };
    Ok(if agree >= least && before - after <= most + 1e-9 { Ok(text) } else { Err(text) })
}

/// The class that onnxruntime's scores name; the lowest on a tie.
fn class(scores: &[f64], border: f64) -> usize {
    if let [score] = scores {
        return usize::from(*score > border);
    }
    (0..scores.len()).rev().max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap()
}

fn agree(models: &[(&str, &str, Kind)]) {
    let mut failures = Vec::new();
    let mut sets: BTreeMap<&str, Data> = BTreeMap::new();
    for &(name, set, kind) in models {
        let data = sets.entry(set).or_insert_with(|| Data::read(set));
        match measure(name, data, kind) {
            Ok(Ok(text)) => println!("{name}: {text}"),
            Ok(Err(text)) => failures.push(format!("{name}: {text}")),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_integers_agree_with_onnxruntime() {
    agree(READY);
}

#[test]
fn quantised_files_agree_with_onnxruntime() {
    agree(ROUNDED);
}

#[test]
fn probabilities_agree_with_onnxruntime() {
    agree(LIKELY);
}

#[test]
fn what_is_not_supported_yet_is_refused_by_name() {
    for &(name, set, kind, part) in NOT_YET {
        let text = match measure(name, &Data::read(set), kind) {
            Err(error) => error.to_string(),
            Ok(Ok(text) | Err(text)) => panic!("{name} is read ({text}): move it to READY"),
        };
        assert!(text.contains(part), "{name}: {text}");
    }
}

#[test]
fn every_model_of_the_folder_is_measured() {
    let measured = READY.iter().chain(ROUNDED).map(|r| r.0);
    let listed: BTreeSet<String> = measured.chain(NOT_YET.iter().map(|r| r.0)).map(str::to_owned).collect();
    let files = fs::read_dir(folder()).unwrap().map(|f| f.unwrap().path());
    let models = files.filter(|f| f.extension().is_some_and(|e| e == "onnx"));
    let stored: BTreeSet<String> =
        models.map(|f| f.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(listed, stored);
}
