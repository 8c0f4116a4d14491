//! The pipeline: read, check, fold, scale, round, measure.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use rayon::prelude::*;
use tacit_model::{Architecture, Feature, Model, OutputScale, Schema};

use crate::axes::{self, AxisLength};
use crate::calibration::{Calibration, spread};
use crate::emit::{Emitted, Widths, emit};
use crate::equalise::{align, equalise};
use crate::error::OnnxError;
use crate::evaluate::Runner;
use crate::fold::fold;
use crate::fuse::fuse;
use crate::graph::FloatGraph;
use crate::import::{Imported, check_operators, import};
use crate::ml;
use crate::normalise::{self, InputStep};
use crate::outputs::choose;
use crate::proto::{decode, opset, reachable};
use crate::qdq;
use crate::reference::Reference;
use crate::report::{Accuracy, Attempt, QuantiseReport};
use crate::tail::{Tail, detach};
use crate::tensor::max_abs;
use crate::upsample;

/// Records on which tract and this crate's reading of the model are compared.
const CHECKED_RECORDS: usize = 256;
/// Most multiplications of that comparison, unless a few records take more.
const CHECKED_WORK: usize = 1 << 33;
/// Records compared whatever the work.
const MIN_CHECKED_RECORDS: usize = 8;
/// Largest difference allowed between the two, relative to the largest output: room for 32-bit against 64-bit floats.
const CHECK_TOLERANCE: f64 = 0.01;

/// Margins are as dense near zero as in the smallest of this many parts of them ...
const NEAR_SHARE: usize = 20;
/// ... which holds at least this many.
const MIN_NEAR: usize = 4;

/// Widths and margins. All of them shape the public architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantiseOptions {
    /// Signed width of weights in bits, `2..=16`. Where none is given, 8 unless the model then strays from the float model
    /// on the calibration records, and wider if so.
    pub weight_bits: Option<u8>,
    /// Signed width of activations in bits, `4..=24`.
    pub activation_bits: u8,
    /// Activations have room for `2^headroom_bits` times the largest value seen in calibration, `0..=8`.
    pub headroom_bits: u8,
    /// The same for the outputs, `0..=8`.
    pub output_headroom_bits: u8,
    /// Whether neurons may be rescaled before rounding, where that lowers the error. The function stays the same.
    pub equalise: bool,
    /// Whether a final softmax or sigmoid is part of the model, so that probabilities are proved and not only logits.
    pub probabilities: bool,
    /// Name of the output to quantise, for files with several.
    pub output: Option<String>,
    /// Lengths of the input's axes that the file leaves open, that of the samples aside.
    pub shape: Vec<AxisLength>,
}

impl Default for QuantiseOptions {
    fn default() -> Self {
        Self {
            weight_bits: None,
            activation_bits: 16,
            headroom_bits: 1,
            output_headroom_bits: 2,
            equalise: true,
            probabilities: false,
            output: None,
            shape: Vec::new(),
        }
    }
}

impl QuantiseOptions {
    fn check(&self) -> Result<(), OnnxError> {
        let within = |option, value: u8, lo: u8, hi: u8| match (lo..=hi).contains(&value) {
            true => Ok(()),
            false => Err(OnnxError::Options { option, value: value.into(), lo: lo.into(), hi: hi.into() }),
        };
        within("weight_bits", self.weight_bits.unwrap_or(8), 2, 16)?;
        within("activation_bits", self.activation_bits, 4, 24)?;
        within("headroom_bits", self.headroom_bits, 0, 8)?;
        within("output_headroom_bits", self.output_headroom_bits, 0, 8)
    }

    fn widths(&self, weight_bits: u8) -> Widths {
        Widths {
            weight_bits,
            activation_bits: self.activation_bits,
            headroom_bits: self.headroom_bits,
            output_headroom_bits: self.output_headroom_bits,
        }
    }
}

/// A float model up to its logits, with its reference.
struct FloatModel {
    graph: FloatGraph,
    tail: Tail,
    reference: Reference,
}

/// Reads `onnx` and quantises it: folded, scaled to `schema`'s ranges and calibrated on `calibration`.
///
/// `calibration` holds records of schema integers (value · 10^decimals, one per feature); values outside the declared ranges
/// are clipped to them, for the float model as well (but for its accuracy), and counted. `labels`, if given, holds the index
/// of each record's class. The result's outputs are the float model's logits: a final softmax or sigmoid is left out and named
/// in the architecture.
///
/// The work is deterministic: the same arguments give the same model.
///
/// # Errors
/// [`OnnxError`]; a file from anywhere may be given.
pub fn quantise(
    onnx: &[u8],
    schema: &Schema,
    calibration: &[Vec<i64>],
    labels: Option<&[usize]>,
    options: &QuantiseOptions,
) -> Result<(Model, QuantiseReport), OnnxError> {
    options.check()?;
    check_records(schema, calibration, labels)?;
    let given = calibration;
    let (calibration, clipped_features) = clipped(schema, calibration);
    let calibration = &calibration[..];
    let FloatModel { mut graph, tail, reference } = read(onnx, schema, options)?;

    let real = reals(schema, calibration);
    let logits = reference.run(&real)?;
    let logits = tail.outputs(logits);
    let reference_difference = self_check(&graph, &real, &logits)?;
    // What the float model says of the records as they were given; nothing where they are too large for it.
    let unclipped = match clipped_features.is_empty() {
        true => None,
        false => reference.run(&reals(schema, given)).ok().map(|rows| tail.outputs(rows)),
    };

    fold(&mut graph)?;
    let step = normalise::plan(&mut graph, schema, options.activation_bits)?;
    let job = Job {
        graph,
        step,
        tail,
        schema,
        calibration,
        labels,
        logits: &logits,
        unclipped: unclipped.as_deref(),
        clipped_features: &clipped_features,
        reference_difference,
    };
    let candidates = match &options.weight_bits {
        Some(bits) => std::slice::from_ref(bits),
        None => &AUTOMATIC_WIDTHS[..],
    };
    let mut best: Option<(Model, QuantiseReport)> = None;
    let mut tried = Vec::new();
    for &weight_bits in candidates {
        let (model, report) = job.attempt(options.widths(weight_bits), options.equalise)?;
        let shortfall = report.shortfall();
        let done = shortfall.is_none();
        tried.push(Attempt { weight_bits, shortfall });
        let better = |(_, least): &(Model, QuantiseReport)| report.deviation() < least.deviation();
        if best.as_ref().is_none_or(better) {
            best = Some((model, report));
        }
        if done {
            break;
        }
    }
    // There is always a width to try.
    let (model, mut report) = best.ok_or(OnnxError::NoRecords)?;
    report.tried = tried;
    Ok((model, report))
}

/// Weight widths where none is given, in bits: the first that keeps close to the float model.
const AUTOMATIC_WIDTHS: [u8; 4] = [8, 10, 12, 16];

/// A float model ready to be quantised, and what to measure it on.
struct Job<'a> {
    graph: FloatGraph,
    step: InputStep,
    tail: Tail,
    schema: &'a Schema,
    calibration: &'a [Vec<i64>],
    labels: Option<&'a [usize]>,
    /// The float model's outputs on the calibration records.
    logits: &'a [Vec<f64>],
    /// The same on the records before values were clipped, where any was.
    unclipped: Option<&'a [Vec<f64>]>,
    clipped_features: &'a [(String, usize)],
    reference_difference: f64,
}

impl Job<'_> {
    /// The model of given widths, and what it costs.
    fn attempt(&self, widths: Widths, equalised: bool) -> Result<(Model, QuantiseReport), OnnxError> {
        let emitted_of = |graph: &FloatGraph| {
            emit(graph, &self.step, &Calibration::new(graph, &self.step, self.calibration), widths)
        };
        let mut emitted = emitted_of(&self.graph)?;
        let mut was_equalised = false;
        if equalised {
            let mut balanced = self.graph.clone();
            equalise(&mut balanced);
            for mut variant in [self.graph.clone(), balanced] {
                if align(&mut variant, widths.weight_bits) {
                    let other = emitted_of(&variant)?;
                    if other.error < emitted.error {
                        emitted = other;
                        was_equalised = true;
                    }
                }
            }
        }
        let Emitted { nodes, params, tensors, output_exponent, mut layers, width_bounds, .. } = emitted;
        let architecture = Architecture {
            schema: self.schema.clone(),
            input_shape: self.graph.nodes[0].shape.clone(),
            params,
            nodes,
            output_exponent,
            output_scale: self.tail.scale,
        };
        let model = Model::new(architecture, tensors)?;
        let mut measured = Measured::new(&model, self.labels);
        let run = |(row, record): (usize, &Vec<i64>)| -> Result<(Vec<u64>, Vec<i64>), OnnxError> {
            let evaluation = model.run(record);
            let values = evaluation.map_err(|e| OnnxError::Record { row, what: e.to_string() })?.values;
            let cut = |&(node, lo, hi): &(usize, bool, bool)| saturated(&model, &values, node, lo, hi);
            Ok((width_bounds.iter().map(cut).collect(), values.last().cloned().unwrap_or_default()))
        };
        let results: Vec<_> = self.calibration.par_iter().enumerate().map(run).collect();
        for (row, (result, logits)) in results.into_iter().zip(self.logits).enumerate() {
            let (cut, outputs) = result?;
            layers.iter_mut().zip(cut).for_each(|(layer, cut)| layer.saturated += cut);
            measured.add(row, logits, &outputs, self.unclipped.map(|rows| &rows[row][..]));
        }
        let report = QuantiseReport {
            rows: self.calibration.len(),
            clipped_features: self.clipped_features.to_vec(),
            clipped_classes: measured.clipped_classes,
            weight_bits: widths.weight_bits,
            tried: Vec::new(),
            float_accuracy: self.labels.map(|_| measured.float),
            quantised_accuracy: self.labels.map(|_| measured.quantised),
            agreement: (!self.schema.classes.is_empty()).then_some(measured.agreement),
            expected_disagreement: (!self.schema.classes.is_empty())
                .then(|| measured.expected_disagreement()),
            max_error: measured.max_error,
            rms_error: measured.rms_error(),
            largest_output: measured.largest,
            output_range: (measured.highest - measured.lowest).max(0.0),
            reference_difference: self.reference_difference,
            equalised: was_equalised,
            probabilities: self.tail.scale == OutputScale::Probabilities,
            probabilities_lost: self.tail.probabilities_lost,
            output: self.tail.logits.clone(),
            dropped: self.tail.dropped.clone(),
            layers,
        };
        Ok((model, report))
    }
}

/// The float model's logits on `records` of schema integers, run by tract: what [`quantise`] measures against.
///
/// One row of outputs per record, in the order of the model's output tensor. Nothing is clipped here.
///
/// # Errors
/// [`OnnxError`]; a file from anywhere may be given.
pub fn float_logits(
    onnx: &[u8],
    schema: &Schema,
    records: &[Vec<i64>],
    options: &QuantiseOptions,
) -> Result<Vec<Vec<f64>>, OnnxError> {
    check_records(schema, records, None)?;
    let model = read(onnx, schema, options)?;
    Ok(model.tail.outputs(model.reference.run(&reals(schema, records))?))
}

/// Schema integers as real numbers.
fn reals(schema: &Schema, records: &[Vec<i64>]) -> Vec<Vec<f64>> {
    let decimals: Vec<f64> = schema.features.iter().map(|f| f64::powi(10.0, f.decimals.into())).collect();
    records.iter().map(|r| r.iter().zip(&decimals).map(|(&q, d)| q as f64 / d).collect()).collect()
}

/// Records with every value brought into its declared range, and in which features that changed how many, most first.
fn clipped(schema: &Schema, records: &[Vec<i64>]) -> (Vec<Vec<i64>>, Vec<(String, usize)>) {
    let mut cells = vec![0; schema.features.len()];
    let mut clip = |((&v, f), cells): ((&i64, &Feature), &mut usize)| {
        let inside = v.clamp(f.min, f.max);
        *cells += usize::from(inside != v);
        inside
    };
    let mut one = |r: &Vec<i64>| r.iter().zip(&schema.features).zip(&mut cells).map(&mut clip).collect();
    let records = records.iter().map(&mut one).collect();
    let names = schema.features.iter().map(|f| f.name.clone());
    let mut features: Vec<_> = names.zip(cells).filter(|(_, cells)| *cells > 0).collect();
    features.sort_by_key(|(_, cells)| std::cmp::Reverse(*cells));
    (records, features)
}

fn check_records(schema: &Schema, records: &[Vec<i64>], labels: Option<&[usize]>) -> Result<(), OnnxError> {
    if records.is_empty() {
        return Err(OnnxError::NoRecords);
    }
    for (row, record) in records.iter().enumerate() {
        if record.len() != schema.features.len() {
            let (values, features) = (record.len(), schema.features.len());
            let what = format!("it has {values} values; the schema names {features} features");
            return Err(OnnxError::Record { row, what });
        }
    }
    let Some(labels) = labels else { return Ok(()) };
    if labels.len() != records.len() {
        return Err(OnnxError::Labels(format!("{} labels for {} records", labels.len(), records.len())));
    }
    if let Some(label) = labels.iter().find(|&&l| l >= schema.classes.len()) {
        return Err(OnnxError::Labels(format!(
            "class {label}, but the schema names {}",
            schema.classes.len()
        )));
    }
    Ok(())
}

/// Reads a file up to its logits and prepares the reference run.
fn read(onnx: &[u8], schema: &Schema, options: &QuantiseOptions) -> Result<FloatModel, OnnxError> {
    let mut proto = decode(onnx)?;
    upsample::rewrite(&mut proto)?;
    let opset = opset(&proto);
    let Some(graph) = &mut proto.graph else {
        return Err(OnnxError::Malformed("the file holds no graph".to_owned()));
    };
    let output = choose(graph, options.output.as_deref())?;
    // Before anything else is read of them: all that is not supported is named at once.
    let (kept, _) = reachable(&graph.node, [output.as_str()]);
    check_operators(kept.iter().map(|&i| &graph.node[i]))?;
    axes::bind(graph, &options.shape)?;
    qdq::rewrite(graph, opset)?;
    ml::rewrite(graph, opset, &output, schema)?;
    let Imported { mut graph, input } = import(&proto, &output, onnx.len(), schema)?;
    fuse(&mut graph);
    let classes = schema.classes.len();
    let tail = detach(&mut graph, options.probabilities, classes)?;
    let outputs = graph.nodes[graph.output].len();
    if classes != 0 && classes != outputs && !(classes == 2 && outputs == 1) {
        return Err(OnnxError::ClassCount { outputs, classes });
    }
    let computed = if tail.one_of_two { 1 } else { outputs };
    let reference = Reference::new(proto, &input, &tail.logits, computed)?;
    Ok(FloatModel { graph, tail, reference })
}

/// Largest difference between tract's outputs and those of the own graph.
fn self_check(graph: &FloatGraph, real: &[Vec<f64>], logits: &[Vec<f64>]) -> Result<f64, OnnxError> {
    let magnitude = logits.iter().map(|l| max_abs(l)).fold(0.0, f64::max);
    let mut largest = 0.0f64;
    let runner = Runner::new(graph);
    let most = (CHECKED_WORK / graph.work()).clamp(MIN_CHECKED_RECORDS, CHECKED_RECORDS);
    for row in spread(real.len(), most) {
        let values = runner.run(&real[row]);
        let own = &values[graph.output];
        let differences: Vec<f64> = own.iter().zip(&logits[row]).map(|(a, b)| a - b).collect();
        let difference = max_abs(&differences);
        if own.len() != logits[row].len() || difference > CHECK_TOLERANCE * magnitude + 1e-6 {
            return Err(OnnxError::SelfCheck { row, difference, magnitude });
        }
        largest = largest.max(difference);
    }
    Ok(largest)
}

/// How many values a requantisation cut off for lack of width.
fn saturated(model: &Model, values: &[Vec<i64>], node: usize, lo: bool, hi: bool) -> u64 {
    let tacit_model::Op::Requant { x, shift, lo: low, hi: high } = &model.architecture().nodes[node].op
    else {
        return 0;
    };
    let cut = |v: &i64| {
        let rounded = tacit_model::round_half_up_shift(*v, *shift);
        (lo && rounded < *low) || (hi && rounded > *high)
    };
    values.get(x.0 as usize).map_or(0, |v| v.iter().filter(|v| cut(v)).count() as u64)
}

/// Running totals over the records.
struct Measured<'a> {
    architecture: &'a Architecture,
    labels: Option<&'a [usize]>,
    float: Accuracy,
    quantised: Accuracy,
    agreement: Accuracy,
    /// Rows that the float model decides otherwise before values are clipped.
    clipped_classes: usize,
    max_error: f64,
    squares: f64,
    outputs: usize,
    largest: f64,
    lowest: f64,
    highest: f64,
    /// By how much the float model's class wins, per row.
    margins: Vec<f64>,
}

impl<'a> Measured<'a> {
    fn new(model: &'a Model, labels: Option<&'a [usize]>) -> Self {
        let none = Accuracy { correct: 0, total: 0 };
        Self {
            architecture: model.architecture(),
            labels,
            float: none,
            quantised: none,
            agreement: none,
            clipped_classes: 0,
            max_error: 0.0,
            squares: 0.0,
            outputs: 0,
            largest: 0.0,
            lowest: f64::INFINITY,
            highest: f64::NEG_INFINITY,
            margins: Vec::new(),
        }
    }

    fn rms_error(&self) -> f64 {
        (self.squares / self.outputs.max(1) as f64).sqrt()
    }

    /// Probability that normal errors of the size seen turn a row's margin over: two outputs err where two compete, one
    /// where it is compared with zero. The larger of its mean over these rows and of what rows like them may expect, whose
    /// margins lie elsewhere, but as densely near zero as the smallest of these (the nearest-neighbour estimate of a density,
    /// Loftsgaarden and Quesenberry 1965).
    fn expected_disagreement(&mut self) -> f64 {
        let errors = if self.outputs == self.margins.len() { 1.0 } else { 2.0 };
        let deviation = self.rms_error() * f64::sqrt(errors);
        // An exact tie is the model's own, as of outputs that end in a ReLU, and no matter of errors.
        let rows = self.margins.len();
        self.margins.retain(|m| *m > 0.0);
        if deviation == 0.0 || self.margins.is_empty() {
            return 0.0;
        }
        // `P(N(0, deviation²) > margin) = erfc(margin / √2 / deviation) / 2`.
        let turned = |m: &f64| 0.5 * libm::erfc(m * FRAC_1_SQRT_2 / deviation);
        let here = self.margins.iter().map(turned).sum::<f64>() / rows as f64;
        let near = (rows / NEAR_SHARE).max(MIN_NEAR).min(self.margins.len());
        let (_, reach, _) = self.margins.select_nth_unstable_by(near - 1, f64::total_cmp);
        let density = near as f64 / rows as f64 / *reach;
        // `∫₀^∞ P(N(0, deviation²) > margin) d margin = deviation / √(2π)`.
        let elsewhere = density * deviation * (0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI);
        here.max(elsewhere.min(1.0))
    }

    /// Adds a row's outputs: the float model's, the integers, and the float model's on the record as it was given.
    fn add(&mut self, row: usize, logits: &[f64], outputs: &[i64], given: Option<&[f64]>) {
        for (want, &q) in logits.iter().zip(outputs) {
            let error = (self.architecture.output_value(q) - want).abs();
            self.max_error = self.max_error.max(error);
            self.squares += error * error;
            self.outputs += 1;
            self.largest = self.largest.max(want.abs());
            self.lowest = self.lowest.min(*want);
            self.highest = self.highest.max(*want);
        }
        let float = float_class(logits);
        let Some(quantised) = self.architecture.predicted_class(outputs) else { return };
        let count = |a: &mut Accuracy, right: bool| {
            a.correct += usize::from(right);
            a.total += 1;
        };
        count(&mut self.agreement, float == quantised);
        let given = given.map_or(float, float_class);
        self.clipped_classes += usize::from(given != float);
        self.margins.push(match logits {
            [logit] => logit.abs(),
            _ => {
                let others = logits.iter().enumerate().filter(|(i, _)| *i != float).map(|(_, v)| *v);
                logits[float] - others.fold(f64::NEG_INFINITY, f64::max)
            }
        });
        if let Some(label) = self.labels.and_then(|l| l.get(row)) {
            count(&mut self.float, given == *label);
            count(&mut self.quantised, quantised == *label);
        }
    }
}

/// The class that real logits predict, by the rule of [`Architecture::predicted_class`].
fn float_class(logits: &[f64]) -> usize {
    if let [logit] = logits {
        return usize::from(*logit > 0.0);
    }
    let mut best = 0;
    for (i, v) in logits.iter().enumerate() {
        if *v > logits[best] {
            best = i;
        }
    }
    best
}
