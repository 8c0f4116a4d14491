//! What a model reaches on a test set, in words: for provers whose model misses a requirement.

use tacit_claim::{Comparison, Metric, Requirement, Scope, percent};
use tacit_model::{Architecture, Dataset, Labels};
use tacit_relations::rank;

/// What was reached and what is needed.
pub(crate) struct Miss(pub(crate) String);

/// A requirement that the outputs miss, in words; of several groups, every one is told.
pub(crate) fn miss(
    requirement: &Requirement,
    architecture: &Architecture,
    data: &Dataset,
    outputs: &[i64],
) -> Miss {
    let schema = &architecture.schema;
    let width = outputs.len() / data.samples();
    let needed = requirement.text(schema);
    let Some(Labels::Classes { indices, .. }) = data.labels() else {
        return Miss(format!("the model misses `{needed}`"));
    };
    let records =
        outputs.chunks_exact(width).zip(indices).enumerate().map(|(i, (row, label))| {
            (i, *label as usize, architecture.predicted_class(row).unwrap_or(0), row)
        });
    let grouping = requirement.scope.column().and_then(|c| data.grouping(c.as_str()));
    let groups = grouping.map_or(1, |g| g.groups.len());
    let mut sums = vec![(0u64, 0u64); groups];
    for (i, label, predicted, row) in records {
        let group = grouping.map_or(0, |g| g.indices[i] as usize);
        let (part, whole) = match requirement.metric {
            Metric::Top(k) => (u64::from(rank(row, label) < k as usize), 1),
            metric => metric.counts(label, predicted).unwrap_or_default(),
        };
        sums[group].0 += part;
        sums[group].1 += whole;
    }
    if requirement.scope == Scope::Overall && requirement.metric == Metric::Accuracy {
        let (right, samples) = sums[0];
        let (count, side) = match requirement.comparison {
            Comparison::AtLeast => (requirement.bound.count_up(samples), "needed"),
            Comparison::AtMost => (requirement.bound.count_down(samples), "allowed"),
        };
        return Miss(format!("{right} of {samples} correct, {count} {side}"));
    }
    if sums.iter().all(|(_, whole)| *whole == 0) {
        return Miss(format!("the model misses `{needed}`"));
    }
    let rate = |(part, whole): (u64, u64)| {
        if whole == 0 {
            "none of none".to_owned()
        } else {
            format!("{part} of {whole} ({})", percent(part, whole))
        }
    };
    let reached: Vec<String> = match grouping {
        None => vec![rate(sums[0])],
        Some(g) => g
            .groups
            .iter()
            .zip(sums)
            .map(|(name, s)| format!("{} for {}", rate(s), name.escape_debug()))
            .collect(),
    };
    Miss(format!("{} is {}; needed: {needed}", requirement.metric.text(schema), reached.join(", ")))
}
