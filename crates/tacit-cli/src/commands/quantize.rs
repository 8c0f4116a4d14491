//! `tacit quantize`

use std::path::{Path, PathBuf};

use comfy_table::Table;
use serde_json::{Value, json};
use tacit_core::files::{self, Access};
use tacit_data::{
    DataError, OutOfRangePolicy, Problem, ReadOptions, Records, Table as Cells, infer_schema, read_schema,
    schema_json,
};
use tacit_model::{Model, OutputScale, Schema};
use tacit_onnx::{Accuracy, LayerReport, OnnxError, QuantiseOptions, QuantiseReport, float_logits, quantise};

use crate::args::model::Quantize;
use crate::failure::Failure;
use crate::load;
use crate::outputs;
use crate::predictions::mean_absolute_error;
use crate::progress::Spinner;
use crate::report::{BOLD, DIM, Report, count, plain, rate, table};

pub(crate) fn run(args: &Quantize) -> Result<Report, Failure> {
    let inferred: Option<PathBuf> = args.schema.is_none().then(|| args.output.with_extension("schema.json"));
    let inputs = [Some(&*args.onnx), Some(&*args.data), args.schema.as_deref()];
    outputs::check([&*args.output], &inputs, args.force.force)?;
    if let Some(path) = &inferred {
        outputs::check([&**path], &inputs, true)?;
        files::check_absent(path, args.force.force).map_err(|e| {
            Failure::from(e)
                .advise("use it with --schema, or pass --force to replace it by one inferred from the data")
        })?;
    }
    let onnx = files::read(&args.onnx, tacit_onnx::MAX_FILE_BYTES as u64)?;
    let file_error = |e: OnnxError| {
        let failure = Failure::from(e);
        Failure { message: format!("{}: {}", args.onnx.display(), failure.message), ..failure }
    };
    let summary = tacit_onnx::probe(&onnx).map_err(file_error)?;

    let spinner = Spinner::new("reading the data");
    let data = Cells::read(&args.data, args.labels.as_deref())?;
    if let [input] = &summary.inputs[..]
        && let Some(sample) = fixed_axes(input)
    {
        // The model's own check comes after minutes of work, for a large one.
        data.check_axes(&sample)?;
    }
    let (mut schema, no_classes) = match &args.schema {
        Some(path) => (read_schema(path)?, None),
        None => inferred_schema(&data)?,
    };
    let clip = ReadOptions { out_of_range: OutOfRangePolicy::Clip, ..ReadOptions::default() };
    let mut records = data.records(&schema, &clip)?;
    tacit_core::Progress::stage(&spinner, "quantising");
    let options = QuantiseOptions {
        weight_bits: args.weight_bits,
        activation_bits: args.activation_bits,
        shape: args.shape.clone(),
        output: args.onnx_output.clone(),
        probabilities: args.probabilities,
        ..QuantiseOptions::default()
    };
    let mut result = quantise(&onnx, &schema, &records.rows, records.labels.as_deref(), &options);
    if inferred.is_some()
        && matches!(result, Err(OnnxError::ClassCount { outputs: 1, .. }))
        && data.has_numbers_for_labels()
    {
        // One output decides between two classes; more whole numbers are what it predicts.
        schema = infer_schema(&data, Some(Vec::new()))?;
        records = data.records(&schema, &clip)?;
        result = quantise(&onnx, &schema, &records.rows, None, &options);
    }
    let (model, found) = result.map_err(|e| match &inferred {
        Some(_) => inferred_error(args, &data, &schema, e).unwrap_or_else(file_error),
        None => file_error(e),
    })?;
    let outputs = model.architecture().output_len().map_err(|e| Failure::new(e.to_string()))?;
    if let Some(e) = no_classes.filter(|_| outputs != 1) {
        return Err(e.into());
    }
    data.check_axes(&model.architecture().input_shape)?;
    let errors = errors(&onnx, &schema, &records, &model, &options).map_err(file_error)?;
    drop(spinner);

    if let Some(path) = &inferred {
        files::write(path, schema_json(&schema).as_bytes(), Access::Public, args.force.force)?;
    }
    if let Err(e) = files::write(&args.output, &model.to_bytes(), Access::Secret, args.force.force) {
        if let Some(path) = inferred.as_ref().filter(|_| !args.force.force) {
            // It would be in the way of the next attempt.
            let _ = std::fs::remove_file(path);
        }
        return Err(e.into());
    }

    let mut report = Report::default();
    load::tell(&records, &mut report);
    if let (Some(label), true) = (data.label_name(), records.targets.is_some()) {
        report.note(format!(
            "the labels in `{}` are numbers that the model predicts, not classes",
            plain(label)
        ));
    }
    if let Some(first) = records.coarse_features.first() {
        let others = records.coarse_features.len() - 1;
        let others =
            if others > 0 { format!(" (and {} like it)", count(others, "other")) } else { String::new() };
        report.warn(format!(
            "feature `{}`{others} is rounded to fewer than 1000 steps over its range, for the float model's figures above as well: \
             give it more decimals in a schema, up to 9, or scale it in the data and the model",
            plain(first)
        ));
    }
    describe(&mut report, args, &model, &found, errors, inferred.as_deref());
    warnings(&mut report, &schema, &found, inferred.as_deref());
    Ok(report)
}

/// The axes of one sample, where the file gives all of them.
fn fixed_axes(input: &tacit_onnx::TensorInfo) -> Option<Vec<usize>> {
    let axes = input.shape.as_ref()?.get(1..)?.iter();
    axes.map(|n| usize::try_from((*n)?).ok()).collect()
}

/// A schema from the data; one without classes where the labels are numbers that cannot be classes, with the error that says
/// so for a model that turns out to have several outputs.
fn inferred_schema(data: &Cells) -> Result<(Schema, Option<DataError>), DataError> {
    match infer_schema(data, None) {
        Err(e)
            if matches!(*e.problem, Problem::NotAClass { .. } | Problem::TooManyClasses { .. })
                && data.has_numbers_for_labels() =>
        {
            Ok((infer_schema(data, Some(Vec::new()))?, Some(e)))
        }
        schema => Ok((schema?, None)),
    }
}

/// What does not fit together, where nobody wrote a schema: in words of the data.
fn inferred_error(
    args: &Quantize,
    data: &Cells,
    schema: &Schema,
    e: OnnxError,
) -> Result<Failure, OnnxError> {
    let (model, file) = (args.onnx.display(), args.data.display());
    let label = data.label_name().map(plain);
    let listed = |names: &mut dyn Iterator<Item = &str>, of: usize| {
        let shown: Vec<String> = names.take(4).map(plain).collect();
        format!("{}{}", shown.join(", "), if of > shown.len() { ", …" } else { "" })
    };
    match e {
        OnnxError::ClassCount { outputs, classes } => {
            let label = label.unwrap_or_default();
            let values = listed(&mut schema.classes.iter().map(|c| &*c.name), classes);
            Ok(Failure::new(format!(
                "{model}: the model has {} per sample, and {file} has {} in `{label}` ({values})",
                count(outputs, "output"),
                count(classes, "different label"),
            ))
            .advise(format!(
                "no schema was given, so the values of `{label}` were taken for classes: name the column of the classes with \
                 --labels, or pass a schema with the model's classes in the model's order with --schema"
            )))
        }
        OnnxError::FeatureCount { input, model: values, .. } => {
            let found = schema.features.len();
            let columns = listed(&mut schema.features.iter().map(|f| &*f.name), found);
            let (what, besides) = match (data.column_names(), &label) {
                (None, _) => (count(found, "value"), String::new()),
                (Some(_), None) => (count(found, "column"), String::new()),
                (Some(_), Some(label)) => (count(found, "column"), format!(" besides `{label}`")),
            };
            let name = if label.is_none() { "name the label column with --labels, " } else { "" };
            let message = format!(
                "{model}: the model's input `{}` takes {} per sample; {file} has {what}{besides} ({columns})",
                plain(&input),
                count(values, "value"),
            );
            Ok(Failure::new(message).advise(format!(
                "no schema was given, so every column was taken for a feature: {name}leave out columns that the model does not \
                 take, or pass --schema"
            )))
        }
        e => Err(e),
    }
}

/// Mean absolute errors of the float and of the quantised model.
#[derive(Clone, Copy)]
struct Errors {
    float: f64,
    quantised: f64,
}

/// The errors of a model that predicts one number per record, where the numbers are known.
fn errors(
    onnx: &[u8],
    schema: &Schema,
    records: &Records,
    model: &Model,
    options: &QuantiseOptions,
) -> Result<Option<Errors>, OnnxError> {
    let architecture = model.architecture();
    // What is made of a logit is left out of the model, and the numbers are not in the unit of the logit.
    let numbers = matches!(architecture.output_scale, OutputScale::Plain | OutputScale::Probabilities);
    let Some(targets) = records.targets.as_ref().filter(|_| numbers) else { return Ok(None) };
    let clipped = |row: &Vec<i64>| {
        row.iter().zip(&schema.features).map(|(v, f)| (*v).clamp(f.min, f.max)).collect::<Vec<_>>()
    };
    let rows: Vec<Vec<i64>> = records.rows.iter().map(clipped).collect();
    // The float model on the records as they are, as its accuracy is.
    let float = float_logits(onnx, schema, &records.rows, options)?;
    let quantised = rows
        .iter()
        .enumerate()
        .map(|(row, record)| match model.run(record) {
            Ok(evaluation) => Ok(evaluation.output().to_vec()),
            Err(e) => Err(OnnxError::Record { row, what: e.to_string() }),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if float.iter().map(Vec::len).chain(quantised.iter().map(Vec::len)).any(|outputs| outputs != 1) {
        return Ok(None);
    }
    Ok(Some(Errors {
        float: mean_absolute_error(float.iter().map(|outputs| outputs[0]), targets),
        quantised: mean_absolute_error(quantised.iter().map(|q| architecture.output_value(q[0])), targets),
    }))
}

fn describe(
    report: &mut Report,
    args: &Quantize,
    model: &Model,
    found: &QuantiseReport,
    errors: Option<Errors>,
    inferred: Option<&Path>,
) {
    let (architecture, path) = (model.architecture(), args.output.display().to_string());
    let saturated: u64 = found.layers.iter().map(|l| l.saturated).sum();
    report.line(BOLD, format!("Quantised {} on {}", args.onnx.display(), count(found.rows, "record")));
    let mut sides = table(&["", "float", "quantised"]);
    let mut rows = 0;
    if let (Some(f), Some(q)) = (found.float_accuracy, found.quantised_accuracy) {
        let shown = |a: Accuracy| rate(a.correct as u64, a.total as u64);
        sides.add_row([("right (calibration records)").to_owned(), shown(f), shown(q)]);
        rows += 1;
    }
    if let Some(e) = errors {
        let shown = |error: f64| format!("{error:.6}");
        sides.add_row([
            "mean absolute error\n(calibration records)".to_owned(),
            shown(e.float),
            shown(e.quantised),
        ]);
        rows += 1;
    }
    let widths = format!("{}-bit weights,\n{}-bit activations", found.weight_bits, args.activation_bits);
    sides.add_row(["arithmetic".to_owned(), "floats".to_owned(), widths]);
    if rows > 0 {
        report.table(sides);
    }
    report.field(
        "largest output error",
        format!("{:.6} (outputs reach {:.3})", found.max_error, found.largest_output),
    );
    if let Some(a) = found.agreement {
        report.field("same class as the float model", rate(a.correct as u64, a.total as u64));
    }
    report.field("saturated values", saturated.to_string());
    report.field("weights", architecture.weight_count().to_string());
    let dropped = found.dropped.iter().map(|d| format!("`{d}`")).collect::<Vec<_>>().join(", ");
    if !dropped.is_empty() {
        let (place, what) = match architecture.output_scale {
            OutputScale::Probabilities => ("left out after the probabilities", "probabilities"),
            OutputScale::Plain => ("left out after the outputs", "outputs"),
            _ => ("left out after the logits", "logits"),
        };
        report.field(place, format!("{dropped}: claims are about the {what} `{}`", found.output));
    }
    if found.probabilities_lost {
        report.note(
            "the model divides its probabilities by their sum, so that none follows from one output alone: --probabilities \
             keeps them",
        );
    }
    for note in found.notes() {
        report.note(note);
    }
    if args.layers {
        report.table(layers(&found.layers));
        report.line(DIM, "Scales are powers of two: an integer stands for integer / scale. Errors are against the float model, of all layers up to this one.");
    }
    report.field("model", format!("{path} (holds the weights: keep it)"));
    if let Some(schema) = inferred {
        report.field(
            "schema",
            format!("{} (inferred from the data: look at it before committing)", schema.display()),
        );
    }
    let accuracy = |a: Option<Accuracy>| match a {
        Some(a) => json!({ "correct": a.correct, "samples": a.total, "rate": a.rate() }),
        None => Value::Null,
    };
    report.set("model", path);
    report.set("schema", inferred.or(args.schema.as_deref()).map(|p| p.display().to_string()));
    report.set("schema_inferred", inferred.is_some());
    report.set("records", found.rows);
    report.set("float_accuracy", accuracy(found.float_accuracy));
    report.set("quantised_accuracy", accuracy(found.quantised_accuracy));
    report.set("float_mean_absolute_error", errors.map(|e| e.float));
    report.set("quantised_mean_absolute_error", errors.map(|e| e.quantised));
    report.set("agreement", accuracy(found.agreement));
    report.set("max_error", found.max_error);
    report.set("rms_error", found.rms_error);
    report.set("largest_output", found.largest_output);
    report.set("saturated_values", saturated);
    report.set("clipped_cells", found.clipped_cells());
    report.set("weights", architecture.weight_count());
    report.set("weight_bits", found.weight_bits);
    report.set("activation_bits", args.activation_bits);
    report.set("output", plain(&found.output));
    report.set("layers", found.layers.iter().map(layer).collect::<Vec<_>>());
    report.set("left_out", found.dropped.iter().map(|d| plain(d)).collect::<Vec<_>>());
}

/// The report layer by layer, two lines each, for eighty columns.
fn layers(layers: &[LayerReport]) -> Table {
    let mut out = table(&["layer", "scale", "range", "error", "cut off"]);
    for l in layers {
        let shape = l.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
        let weights = l.weight_exponent.map_or_else(|| "-".to_owned(), |e| format!("2^{e}"));
        out.add_row([
            format!("{}\n{} {shape}", short(&plain(&l.name)), l.kind),
            format!("w {weights}\nx 2^{}\n>> {}", l.exponent, l.shift),
            format!(
                "{} .. {}\nof {} .. {}",
                real(l.observed_min),
                real(l.observed_max),
                real(l.representable_min),
                real(l.representable_max)
            ),
            format!("max {}\nrms {}", real(l.max_error), real(l.rms_error)),
            format!("values {}\nweights {}\nbiases {}", l.saturated, l.clipped_weights, l.clipped_biases),
        ]);
    }
    out
}

/// The end of a long name, which tells layers apart.
fn short(name: &str) -> String {
    const MOST: usize = 18;
    match name.chars().count() {
        n if n > MOST => format!("…{}", name.chars().skip(n - MOST + 1).collect::<String>()),
        _ => name.to_owned(),
    }
}

/// Four digits of a number.
fn real(v: f64) -> String {
    match v.abs() {
        0.0 => "0".to_owned(),
        a if !(0.001..100_000.0).contains(&a) => format!("{v:.1e}"),
        a if a >= 1000.0 => format!("{v:.0}"),
        a => format!("{v:.*}", (3 - a.log10().floor() as i32).clamp(0, 4) as usize),
    }
}

fn layer(l: &LayerReport) -> Value {
    json!({
        "name": plain(&l.name),
        "kind": l.kind,
        "shape": l.shape,
        "weight_exponent": l.weight_exponent,
        "accumulator_exponent": l.accumulator_exponent,
        "exponent": l.exponent,
        "shift": l.shift,
        "observed": [l.observed_min, l.observed_max],
        "representable": [l.representable_min, l.representable_max],
        "max_error": l.max_error,
        "rms_error": l.rms_error,
        "saturated_values": l.saturated,
        "clipped_weights": l.clipped_weights,
        "clipped_biases": l.clipped_biases,
    })
}

/// Whether fewer are right than guessing would get, by more than three standard deviations of guessing: on few records, or with
/// a model that has learned nothing, somewhat fewer say nothing.
fn below_chance(found: Accuracy, classes: usize) -> bool {
    let (share, total) = (1.0 / classes as f64, found.total as f64);
    let expected = total * share;
    (found.correct as f64) < expected - 3.0 * (expected * (1.0 - share)).sqrt()
}

fn warnings(report: &mut Report, schema: &Schema, found: &QuantiseReport, inferred: Option<&Path>) {
    for warning in found.warnings() {
        report.warn(warning);
    }
    let Some(float) = found.float_accuracy else { return };
    let classes = schema.classes.len().max(1);
    if below_chance(float, classes) {
        let names =
            schema.classes.iter().take(8).map(|c| format!("`{}`", c.name)).collect::<Vec<_>>().join(", ");
        let remedy = match inferred {
            Some(path) => format!(
                "the schema puts the classes in the order {names}, the model may have another: change the order in {}, \
                 then run again with --schema and --force",
                path.display()
            ),
            None => format!("is {names} the order of the classes in the model's output?"),
        };
        report.warn(format!(
            "the float model does worse than chance on these labels, {}; {remedy}",
            rate(float.correct as u64, float.total as u64)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_not_below_chance() {
        let below = |correct, total, classes| below_chance(Accuracy { correct, total }, classes);
        for noise in [(33_296, 100_000, 3), (19, 60, 3), (0, 4, 2), (10, 10, 1), (0, 0, 2)] {
            assert!(!below(noise.0, noise.1, noise.2), "{noise:?}");
        }
        for wrong in [(2, 398, 2), (32_000, 100_000, 3), (0, 20, 2)] {
            assert!(below(wrong.0, wrong.1, wrong.2), "{wrong:?}");
        }
    }
}
