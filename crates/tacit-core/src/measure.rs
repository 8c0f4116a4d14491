//! What a model reaches on a test set, in words: for provers whose model misses a requirement.

use tacit_claim::{Comparison, Metric, Requirement, Scope, percent};
use tacit_model::{Architecture, Dataset, Labels};
use tacit_relations::{committed_labels, rank};

/// A requirement that the outputs miss: what is reached, in every group, and what is needed.
pub(crate) fn miss(
    requirement: &Requirement,
    architecture: &Architecture,
    data: &Dataset,
    outputs: &[i64],
) -> String {
    let schema = &architecture.schema;
    let grouping = requirement.scope.column().and_then(|c| data.grouping(c.as_str()));
    let groups = grouping.map_or(1, |g| g.groups.len());
    let group_of = |i: usize| grouping.map_or(0, |g| g.indices[i] as usize);
    let values: Vec<String> = match requirement.metric {
        Metric::MeanAbsoluteError | Metric::MeanSquaredError => {
            errors(requirement.metric, architecture, data, outputs, (groups, &group_of))
        }
        Metric::BalancedAccuracy => {
            let mut cells = vec![vec![(0, 0); schema.classes.len()]; groups];
            for (i, label, row) in labelled(data, outputs) {
                let right = architecture.predicted_class(row) == Some(label);
                let cell = &mut cells[group_of(i)][label];
                *cell = (cell.0 + u64::from(right), cell.1 + 1);
            }
            let recall = |(right, all): &(u64, u64)| *right as f64 / (*all).max(1) as f64;
            let mean = |classes: &Vec<_>| classes.iter().map(recall).sum::<f64>() / classes.len() as f64;
            cells.iter().map(|classes| format!("{:.4}", mean(classes))).collect()
        }
        metric => {
            let mut sums = vec![(0, 0); groups];
            for (i, label, row) in labelled(data, outputs) {
                let (part, whole) = match metric {
                    Metric::Top(k) => (u64::from(rank(row, label) < k as usize), 1),
                    _ => {
                        let predicted = architecture.predicted_class(row).unwrap_or(usize::MAX);
                        metric.counts(label, predicted).unwrap_or_default()
                    }
                };
                let sum: &mut (u64, u64) = &mut sums[group_of(i)];
                *sum = (sum.0 + part, sum.1 + whole);
            }
            if let (Metric::Accuracy, Scope::Overall, [(right, samples)]) =
                (metric, &requirement.scope, &sums[..])
            {
                let at_least = requirement.comparison == Comparison::AtLeast;
                let side = if at_least { "needed" } else { "allowed" };
                let count = requirement.bound.count(requirement.comparison, *samples);
                return format!("{right} of {samples} correct, {count} {side}");
            }
            sums.into_iter().map(rate).collect()
        }
    };
    let reached: Vec<String> = match grouping {
        None => values,
        Some(g) => {
            let named = g.groups.iter().zip(values);
            named.map(|(name, value)| format!("{value} for {}", name.escape_debug())).collect()
        }
    };
    let metric = requirement.metric.text(schema);
    format!("{metric} is {}; needed: {}", reached.join(", "), requirement.text(schema))
}

/// Every record's index, label and outputs.
fn labelled<'a>(data: &'a Dataset, outputs: &'a [i64]) -> impl Iterator<Item = (usize, usize, &'a [i64])> {
    let labels: &[u32] = match data.labels() {
        Some(Labels::Classes { indices, .. }) => indices,
        _ => &[],
    };
    let rows = outputs.chunks_exact(outputs.len() / data.samples());
    labels.iter().zip(rows).enumerate().map(|(i, (label, row))| (i, *label as usize, row))
}

fn rate((part, whole): (u64, u64)) -> String {
    if whole == 0 {
        "none of none".to_owned()
    } else {
        format!("{part} of {whole} ({})", percent(part, whole))
    }
}

/// The mean error of every group, as a decimal number.
fn errors(
    metric: Metric,
    architecture: &Architecture,
    data: &Dataset,
    outputs: &[i64],
    (groups, group_of): (usize, &dyn Fn(usize) -> usize),
) -> Vec<String> {
    let labels = committed_labels(architecture, data).unwrap_or_default();
    let mut sums = vec![(0.0, 0.0); groups];
    for (i, (output, label)) in outputs.iter().zip(labels).enumerate() {
        let error = architecture.output_value(*output) - architecture.output_value(label);
        let error = if metric == Metric::MeanSquaredError { error * error } else { error.abs() };
        let sum: &mut (f64, f64) = &mut sums[group_of(i)];
        *sum = (sum.0 + error, sum.1 + 1.0);
    }
    sums.into_iter().map(|(sum, count)| format!("{:.6}", sum / count)).collect()
}
