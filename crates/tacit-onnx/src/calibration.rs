//! What the float graph does on the calibration records.

use rayon::prelude::*;
use tacit_model::requantise;

use crate::convolution::Matrices;
use crate::evaluate::Runner;
use crate::graph::FloatGraph;
use crate::normalise::InputStep;

/// Most records whose values are looked at for ranges.
const RANGE_RECORDS: usize = 4096;
/// Most records on which roundings are compared.
const TUNING_RECORDS: usize = 512;
/// Most numbers kept of all tuning records together.
const TUNING_NUMBERS: usize = 1 << 24;
/// Most multiplications of one pass over the tuning records.
const TUNING_WORK: usize = 1 << 28;

/// Ranges and sample values of every node of one graph.
pub(crate) struct Calibration {
    /// Smallest and largest value of each node.
    pub(crate) ranges: Vec<(f64, f64)>,
    /// Per tuning record, the real value of each node.
    pub(crate) real: Vec<Vec<Vec<f64>>>,
    /// Per tuning record, the integers that the first step gives.
    pub(crate) first: Vec<Vec<f64>>,
}

/// At most `n` of `len` indices, evenly spread.
pub(crate) fn spread(len: usize, n: usize) -> impl Iterator<Item = usize> {
    let n = n.clamp(1, len.max(1));
    (0..n.min(len)).map(move |i| i * len / n)
}

impl Calibration {
    /// Runs `graph` (whose record is schema integers times `step.factors`) on `records` of schema integers.
    pub(crate) fn new(graph: &FloatGraph, step: &InputStep, records: &[Vec<i64>]) -> Self {
        let real = |record: &[i64]| -> Vec<f64> {
            record.iter().zip(&step.factors).map(|(&q, f)| q as f64 * f).collect()
        };
        let runner = Runner::new(graph);
        let nothing = || vec![(f64::INFINITY, f64::NEG_INFINITY); graph.nodes.len()];
        let wider = |a: (f64, f64), b: (f64, f64)| (a.0.min(b.0), a.1.max(b.1));
        let looked_at: Vec<usize> = spread(records.len(), RANGE_RECORDS).collect();
        let ranges = looked_at
            .par_iter()
            .fold(nothing, |mut ranges, &i| {
                for (range, values) in ranges.iter_mut().zip(runner.run(&real(&records[i]))) {
                    *range = values.iter().fold(*range, |range, &v| wider(range, (v, v)));
                }
                ranges
            })
            .reduce(nothing, |a, b| a.into_iter().zip(b).map(|(a, b)| wider(a, b)).collect());
        let numbers: usize = graph.nodes.iter().map(|n| n.len()).sum();
        let work: usize =
            graph.nodes.iter().map(|n| n.len() * Matrices::of(&n.op).map_or(1, |m| m.rows)).sum();
        let count = (TUNING_NUMBERS / numbers.max(1)).min(TUNING_WORK / work.max(1)).clamp(1, TUNING_RECORDS);
        let rows: Vec<usize> = spread(records.len(), count).collect();
        let rule = &step.rule;
        let first = |record: &[i64]| -> Vec<f64> {
            let m = |j: usize| rule.multipliers[j % rule.multipliers.len()];
            let u = |(j, q): (usize, &i64)| requantise(q * m(j), rule.shift, rule.lo, rule.hi) as f64;
            record.iter().enumerate().map(u).collect()
        };
        Self {
            ranges,
            real: rows.par_iter().map(|&i| runner.run(&real(&records[i]))).collect(),
            first: rows.iter().map(|&i| first(&records[i])).collect(),
        }
    }
}
