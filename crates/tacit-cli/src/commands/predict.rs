//! `tacit predict`

use serde_json::{Value, json};
use tacit_claim::{output_text, probabilities};
use tacit_core::files::{self, Access};
use tacit_data::{OutOfRangePolicy, ReadOptions, RowChoice};
use tacit_model::{Architecture, OutputScale};

use crate::args::model::Predict;
use crate::failure::Failure;
use crate::load;
use crate::outputs;
use crate::predictions::mean_absolute_error;
use crate::report::{BOLD, Report, count, plain, rate, table};

/// Answers shown on a terminal at most.
const SHOWN: usize = 200;

pub(crate) fn run(args: &Predict) -> Result<Report, Failure> {
    let inputs = [Some(&*args.model), Some(&*args.input)];
    outputs::check(args.output.as_deref(), &inputs, args.force.force)?;
    let model = load::model(&args.model)?;
    let architecture = model.architecture();
    let options = ReadOptions {
        out_of_range: if args.clip { OutOfRangePolicy::Clip } else { OutOfRangePolicy::Refuse },
        rows: if args.row.is_some() { RowChoice::One(args.row) } else { RowChoice::All },
    };
    let mut records =
        load::records(&args.input, architecture, args.labels.as_deref(), &options).map_err(|e| {
            let out_of_range = matches!(
                e.problem.as_ref(),
                tacit_data::Problem::Cell { problem: tacit_data::CellProblem::OutOfRange, .. }
            );
            let failure = Failure::from(e);
            if out_of_range {
                failure.advise(
                    "correct the record, choose others with --row, or pass --clip (a proof would refuse it)",
                )
            } else {
                failure
            }
        })?;
    let mut report = Report::default();
    load::tell(&records, &mut report);
    for row in &mut records.rows {
        for (value, f) in row.iter_mut().zip(&architecture.schema.features) {
            *value = (*value).clamp(f.min, f.max);
        }
    }
    if records.out_of_range_cells > 0 {
        report.warn(format!("{} clipped to the declared ranges", count(records.out_of_range_cells, "value")));
    }
    let first = args.row.unwrap_or(0);
    let answers = records
        .rows
        .iter()
        .enumerate()
        .map(|(i, record)| {
            let evaluation = model.run(record).map_err(tacit_core::CoreError::from)?;
            Ok(Answer::new(architecture, first + i, evaluation.output()))
        })
        .collect::<Result<Vec<_>, Failure>>()?;

    let right = records.labels.as_ref().map(|labels| {
        answers.iter().zip(labels).filter(|(a, label)| a.class_index == Some(**label)).count() as u64
    });
    // What is made of a logit is left out of the model, and its labels are not in the unit of the logit.
    let numbers = matches!(architecture.output_scale, OutputScale::Plain | OutputScale::Probabilities);
    let error = records
        .targets
        .as_ref()
        .filter(|_| numbers && answers.iter().all(|a| a.values.len() == 1))
        .map(|t| mean_absolute_error(answers.iter().map(|a| architecture.output_value(a.values[0])), t));
    if let Some(path) = &args.output {
        files::write(path, &csv(architecture, &answers)?, Access::Secret, args.force.force)?;
    }
    show(&mut report, args, architecture, &answers);
    if let Some(right) = right {
        report.field("right", rate(right, answers.len() as u64));
    }
    if let Some(error) = error {
        report.field("mean absolute error", format!("{error:.6}"));
    }
    report.set("mean_absolute_error", error);
    report.set("clipped_cells", records.out_of_range_cells);
    report.set("correct", right);
    report.set("records", answers.iter().map(Answer::json).collect::<Vec<_>>());
    report.set("output", args.output.as_ref().map(|p| p.display().to_string()));
    Ok(report)
}

/// What the model says of one record.
struct Answer {
    row: usize,
    class_index: Option<usize>,
    class: Option<String>,
    values: Vec<i64>,
    texts: Vec<String>,
    probabilities: Option<Vec<f64>>,
}

impl Answer {
    fn new(architecture: &Architecture, row: usize, values: &[i64]) -> Self {
        let class_index = architecture.predicted_class(values);
        Self {
            row,
            class_index,
            class: class_index.and_then(|i| architecture.schema.classes.get(i)).map(|c| plain(&c.name)),
            values: values.to_vec(),
            texts: values.iter().map(|v| output_text(architecture, *v)).collect(),
            probabilities: probabilities(architecture, values),
        }
    }

    fn json(&self) -> Value {
        json!({
            "row": self.row,
            "class": self.class,
            "values": self.values,
            "outputs": self.texts,
            "probabilities": self.probabilities,
        })
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![self.row.to_string()];
        cells.extend(self.class.clone());
        cells.extend(self.texts.iter().cloned());
        cells.extend(self.probabilities.iter().flatten().map(|p| format!("{p:.6}")));
        cells
    }
}

fn header(architecture: &Architecture, outputs: usize) -> Vec<String> {
    let classes = &architecture.schema.classes;
    let named = classes.len() == outputs;
    let logits = matches!(architecture.output_scale, OutputScale::SoftmaxLogits | OutputScale::SigmoidLogit);
    let what = match architecture.output_scale {
        OutputScale::Probabilities => "probability",
        OutputScale::Plain if classes.is_empty() => "value",
        _ => "logit",
    };
    let column = |kind: &str, i: usize| match () {
        () if named => format!("{kind} {}", plain(&classes[i].name)),
        () if outputs == 1 => kind.to_owned(),
        () => format!("{kind} {i}"),
    };
    let mut names = vec!["row".to_owned()];
    names.extend((!classes.is_empty()).then(|| "class".to_owned()));
    names.extend((0..outputs).map(|i| column(what, i)));
    if logits {
        names.extend((0..outputs).map(|i| column("probability", i)));
    }
    names
}

fn csv(architecture: &Architecture, answers: &[Answer]) -> Result<Vec<u8>, Failure> {
    let outputs = answers.first().map_or(0, |a| a.values.len());
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |e: csv::Error| Failure::new(format!("the answers cannot be written as CSV: {e}"));
    writer.write_record(header(architecture, outputs)).map_err(failed)?;
    for answer in answers {
        writer.write_record(answer.cells()).map_err(failed)?;
    }
    writer.into_inner().map_err(|e| Failure::new(format!("the answers cannot be written as CSV: {e}")))
}

fn show(report: &mut Report, args: &Predict, architecture: &Architecture, answers: &[Answer]) {
    if let Some(path) = &args.output {
        report.line(BOLD, format!("{} in {}", count(answers.len(), "answer"), path.display()));
        return;
    }
    let outputs = answers.first().map_or(0, |a| a.values.len());
    if let [answer] = answers
        && outputs > 8
    {
        for (name, cell) in header(architecture, outputs).into_iter().zip(answer.cells()) {
            report.line(crate::report::PLAIN, format!("{name}: {cell}"));
        }
        return;
    }
    let header = header(architecture, outputs);
    let mut shown = table(&header.iter().map(String::as_str).collect::<Vec<_>>());
    for answer in answers.iter().take(SHOWN) {
        shown.add_row(answer.cells());
    }
    report.table(shown);
    if answers.len() > SHOWN {
        report.note(format!("{} more; write all to a file with -o OUT.csv", answers.len() - SHOWN));
    }
}
