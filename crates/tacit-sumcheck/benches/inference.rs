//! Inference with hidden weights and a hidden record: commitment, certificate, proof, verification; proof bytes, peak
//! memory, cost per requantised activation and the ratio to running the quantised model natively are printed.
//! `cargo bench -p tacit-sumcheck --bench inference [-- NAME]`; with `TACIT_SPANS=1` every span of one proof is printed.

#![expect(missing_docs, reason = "criterion_group! makes an undocumented public function")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use rand_core::OsRng;
use tacit_model::Model;
use tacit_model::testing::{mlp, record, vision};
use tacit_relations::{
    Assignment, Engine as _, Inference, Opening, Openings, Relation, Segment, Silent, Statement, TensorId,
    Trace, Visibility, lower_inference, trace,
};
use tacit_sumcheck::SumcheckEngine;

const ENGINE: SumcheckEngine = SumcheckEngine;

struct Work {
    statement: Statement,
    trace: Trace,
    openings: Openings,
    given: Assignment,
    commit: Duration,
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// A statement about `samples` records through a model, with its witness.
fn work(model: Model, samples: usize) -> Work {
    let claim = Inference { samples, input: Visibility::Hidden, output: Visibility::Public };
    let system = lower_inference(model.architecture(), claim).expect("the model is well-formed");
    let records = (0..samples as u64).flat_map(|i| record(model.architecture(), i)).collect();
    let given =
        Assignment { weights: model.weights().tensors().to_vec(), input: vec![records], public: vec![] };
    drop(model);
    let trace = trace(&system, &given).expect("the witness fits");
    let mut openings = Openings::new();
    let mut commitments = BTreeMap::new();
    let mut commit = Duration::ZERO;
    for segment in [Segment::Weights, Segment::Input] {
        let opening = Opening([segment as u8 + 1; 32]);
        let tensors: BTreeMap<TensorId, &[i64]> =
            system.segment(segment).map(|id| (id, trace.tensor(id))).collect();
        let (commitment, time) = timed(|| ENGINE.commit(&system, segment, &tensors, &opening));
        if segment == Segment::Weights {
            commit = time;
        }
        commitments.insert(segment, commitment.expect("values fit their widths"));
        openings.insert(segment, opening);
    }
    let public = system.segment(Segment::Public).map(|id| (id, trace.tensor(id).to_vec())).collect();
    Work {
        statement: Statement { system, binding: [1; 32], commitments, public },
        trace,
        openings,
        given,
        commit,
    }
}

/// Peak resident memory of this process so far, in MiB, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib / 1024)
}

fn prove(work: &Work) -> Vec<u8> {
    ENGINE
        .prove(&work.statement, &work.trace, &work.openings, &mut OsRng, &Silent)
        .expect("the trace satisfies the statement")
}

/// The certificate of the weights, made and checked once.
fn certify(work: &Work) {
    let (system, weights) = (&work.statement.system, &work.statement.commitments[&Segment::Weights]);
    let tensors: BTreeMap<TensorId, &[i64]> =
        system.segment(Segment::Weights).map(|id| (id, work.trace.tensor(id))).collect();
    let opening = &work.openings[&Segment::Weights];
    let (certificate, made) =
        timed(|| ENGINE.certify(system, &tensors, weights, opening, [1; 32], &mut OsRng, &Silent));
    let certificate = certificate.expect("weights fit their widths");
    let (checked, time) = timed(|| ENGINE.check_certificate(system, weights, [1; 32], &certificate, &Silent));
    checked.expect("it holds");
    println!(
        "  once: commitment {:?} ({} bytes), certificate {made:?} ({} bytes), checked in {time:?}, peak memory {:?} MiB",
        work.commit,
        weights.0.len(),
        certificate.len(),
        peak_memory(),
    );
}

fn row(c: &mut Criterion, name: &str, model: impl FnOnce() -> Model, samples: usize) {
    // Criterion's filter comes too late to spare the set-up of what it leaves out.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    if !wanted.is_empty() && !wanted.iter().any(|w| name.contains(w.as_str())) {
        return;
    }
    let work = work(model(), samples);
    let system = &work.statement.system;
    let activations: usize = system
        .relations()
        .iter()
        .filter(|r| matches!(r, Relation::Requant { .. }))
        .filter_map(Relation::result)
        .map(|y| system.tensor(y).len())
        .sum();
    let (_, native) = timed(|| trace(system, &work.given).expect("the witness fits"));
    let (proof, first) = timed(|| prove(&work));
    let (_, verified) = timed(|| ENGINE.verify(&work.statement, &proof, &Silent).expect("it holds"));
    println!(
        "{name}: proof {} bytes, proved in {first:?}, verified in {verified:?} (first time), natively {native:?} (ratio {:.0}), \
         {activations} requantised activations ({:.1} µs each), peak memory {:?} MiB ({} MiB of it for the proof, by estimate)",
        proof.len(),
        first.as_secs_f64() / native.as_secs_f64(),
        first.as_secs_f64() * 1e6 / activations as f64,
        peak_memory(),
        ENGINE.memory(system) >> 20,
    );
    if std::env::var_os("TACIT_SPANS").is_some() {
        let spans = tracing_subscriber::fmt()
            .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
            .finish();
        tracing::subscriber::with_default(spans, || prove(&work));
        return;
    }
    certify(&work);
    let mut group = c.benchmark_group(name);
    group.sample_size(10);
    group.bench_function("prove", |b| b.iter(|| prove(&work)));
    group.bench_function("verify", |b| {
        b.iter(|| ENGINE.verify(&work.statement, black_box(&proof), &Silent).expect("it holds"));
    });
    group.finish();
}

fn inference(c: &mut Criterion) {
    let mlp = |sizes: &'static [usize]| move || mlp(sizes, 8, 16, 1);
    row(c, "medical 30-32-16-2", mlp(&[30, 32, 16, 2]), 1);
    row(c, "digits 64-64-32-10", mlp(&[64, 64, 32, 10]), 1);
    row(c, "360 digits", mlp(&[64, 64, 32, 10]), 360);
    row(c, "4M weights", mlp(&[784, 1024, 2048, 512, 10]), 1);
    row(c, "18M weights", mlp(&[3072, 4096, 1152, 512, 10]), 1);
    row(c, "LeNet-5, mean pooling", || vision::lenet5(true, 1), 1);
    row(c, "LeNet-5, max pooling", || vision::lenet5(false, 1), 1);
    row(c, "100 images, LeNet-5", || vision::lenet5(true, 1), 100);
    row(c, "CNN of 264k weights", || vision::plain_cnn(1), 1);
    row(c, "ResNet-20", || vision::resnet20(1), 1);
}

criterion_group!(benches, inference);
criterion_main!(benches);
