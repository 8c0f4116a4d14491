//! `tacit quantize`

use std::path::{Path, PathBuf};

use comfy_table::Table;
use serde_json::{Value, json};
use tacit_core::files::{self, Access};
use tacit_data::{OutOfRangePolicy, ReadOptions, Table as Records, infer_schema, read_schema, schema_json};
use tacit_model::{Model, Schema};
use tacit_onnx::{Accuracy, LayerReport, OnnxError, QuantiseOptions, QuantiseReport, quantise};

use crate::args::model::Quantize;
use crate::failure::Failure;
use crate::load;
use crate::outputs;
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
    tacit_onnx::probe(&onnx).map_err(file_error)?;

    let spinner = Spinner::new("reading the data");
    let data = Records::read(&args.data, args.labels.as_deref())?;
    let schema = match &args.schema {
        Some(path) => read_schema(path).map_err(|e| {
            Failure::from(e).advise("a schema names features with decimals, min and max, and classes; `tacit quantize` without --schema writes one to start from")
        })?,
        None => infer_schema(&data, None)?,
    };
    let options = ReadOptions { out_of_range: OutOfRangePolicy::Clip, ..ReadOptions::default() };
    let records = data.records(&schema, &options)?;
    tacit_core::Progress::stage(&spinner, "quantising");
    let options = QuantiseOptions {
        weight_bits: args.weight_bits,
        activation_bits: args.activation_bits,
        shape: args.shape.clone(),
        output: args.onnx_output.clone(),
        probabilities: args.probabilities,
        ..QuantiseOptions::default()
    };
    let (model, found) =
        quantise(&onnx, &schema, &records.rows, records.labels.as_deref(), &options).map_err(file_error)?;
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
    describe(&mut report, args, &model, &found, inferred.as_deref());
    warnings(&mut report, &schema, &found, inferred.as_deref());
    Ok(report)
}

fn describe(
    report: &mut Report,
    args: &Quantize,
    model: &Model,
    found: &QuantiseReport,
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
        report.field(
            "left out after the logits",
            format!("{dropped}: claims are about the logits `{}`", found.output),
        );
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
    report.set("agreement", accuracy(found.agreement));
    report.set("max_error", found.max_error);
    report.set("rms_error", found.rms_error);
    report.set("largest_output", found.largest_output);
    report.set("saturated_values", saturated);
    report.set("clipped_cells", found.clipped_cells);
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

fn warnings(report: &mut Report, schema: &Schema, found: &QuantiseReport, inferred: Option<&Path>) {
    for warning in found.warnings() {
        report.warn(warning);
    }
    let Some(float) = found.float_accuracy else { return };
    let classes = schema.classes.len().max(1);
    if float.correct * classes < float.total {
        let names =
            schema.classes.iter().take(8).map(|c| format!("`{}`", c.name)).collect::<Vec<_>>().join(", ");
        let remedy = match inferred {
            Some(path) => format!(
                "the schema puts the classes in the order {names}, the model probably in another: change the order in {}, \
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
