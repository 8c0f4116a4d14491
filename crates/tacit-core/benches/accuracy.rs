//! Accuracy claims about public test sets: proof, verification, proof bytes, peak memory, cost per record.
//! `cargo bench -p tacit-core --bench accuracy [-- NAME]`; `rows-100k` and `images-1k` take half a minute
//! and more and run only where named.
//! With `TACIT_MEMORY_MIB` a proof may take so much memory before it is cut into chunks.

#![expect(missing_docs, reason = "criterion_group! makes an undocumented public function")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use rand_core::OsRng;
use tacit_claim::{CardName, Context, EngineId, OwnerKey, Requirement};
use tacit_core::{
    Chunks, CommitRequest, Committed, DataFolder, Expectations, ProvedTestSet, Required, Silent, Supplied,
    TestData, TestSetProof, commit, prepare_accuracy, verify,
};
use tacit_model::testing::{mlp, record, vision};
use tacit_model::{Dataset, Labels, Model};
use zeroize::Zeroizing;

struct Work {
    folder: DataFolder,
    _kept: tempfile::TempDir,
    model: Model,
    committed: Committed,
    data: Dataset,
    required: Required,
    context: Context,
}

/// `samples` records labelled by the model itself, all but each tenth.
fn work(model: Model, samples: usize, claims: &[&str]) -> Work {
    let schema = &model.architecture().schema;
    let records: Vec<Vec<i64>> = (0..samples as u64).map(|i| record(model.architecture(), i)).collect();
    let label = |(i, record): (usize, &Vec<i64>)| {
        let answer = model.run(record).expect("records are in range");
        let class = model.architecture().predicted_class(answer.output()).expect("there are classes");
        (class + usize::from(i % 10 == 9)) as u32 % schema.classes.len() as u32
    };
    let indices = records.iter().enumerate().map(label).collect();
    let classes = schema.classes.iter().map(|c| c.name.clone()).collect();
    let labels = Labels::Classes { column: "y".to_owned(), classes, indices };
    let data = Dataset::new(schema, records, Some(labels), Vec::new()).expect("records fit the schema");
    let claims = claims.iter().flat_map(|c| Requirement::parse(c, schema, None).expect("well-formed"));
    let required = Required::These(claims.collect());
    let kept = tempfile::tempdir().expect("a folder");
    let folder = DataFolder::new(kept.path());
    let request = CommitRequest {
        model: &model,
        engines: &[EngineId::Sumcheck],
        owner: &OwnerKey::from_seed(&Zeroizing::new([1; 32])),
        name: CardName::new("bench").expect("a name"),
        public_weights: false,
        quantisation: None,
    };
    let committed = commit(&folder, &request, &mut OsRng, &Silent).expect("a card");
    Work { folder, _kept: kept, model, committed, data, required, context: Context::default() }
}

fn prove(work: &Work) -> ProvedTestSet {
    let request = TestSetProof {
        model: &work.model,
        card: &work.committed.card,
        points: work.committed.points.as_ref(),
        opening: Some(&work.committed.opening),
        data: &work.data,
        engine: EngineId::Sumcheck,
        reveal_weights: false,
        context: &work.context,
    };
    let mib = std::env::var("TACIT_MEMORY_MIB").ok().and_then(|m| m.parse::<u64>().ok());
    let chunks = Chunks::Within(mib.map_or(4 << 30, |mib| mib << 20));
    let ready = prepare_accuracy(
        &work.folder,
        &request,
        &work.required,
        TestData::Public,
        chunks,
        &mut OsRng,
        &Silent,
    )
    .expect("the model meets the requirements");
    ready.prove(&work.folder, &(), &mut OsRng, &Silent).expect("a proof")
}

fn check(work: &Work, proved: &ProvedTestSet) {
    let supplied = Supplied { points: work.committed.points.as_ref(), model: None, data: Some(&work.data) };
    let expected = Expectations::default();
    verify(&work.folder, &proved.bundle, &work.committed.card, supplied, &expected, &Silent)
        .expect("it holds");
}

/// Peak resident memory of this process so far, in MiB, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib / 1024)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

fn is_wanted(name: &str, unless_named: bool) -> bool {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    if wanted.is_empty() { !unless_named } else { wanted.iter().any(|w| name.contains(w.as_str())) }
}

/// Proves and verifies once and prints what that took.
fn once(name: &str, work: &Work) -> ProvedTestSet {
    let (proved, proving) = timed(|| prove(work));
    let ((), verifying) = timed(|| check(work, &proved));
    let samples = work.data.samples();
    println!(
        "{name}: prove {proving:.2?} ({:.1} µs a record), verify {verifying:.2?}, {} bytes, peak memory {:?} MiB",
        proving.as_secs_f64() * 1e6 / samples as f64,
        proved.bundle.to_bytes().len(),
        peak_memory(),
    );
    proved
}

fn row(c: &mut Criterion, name: &str, sizes: &[usize], samples: usize, claims: &[&str]) {
    if !is_wanted(name, false) {
        return;
    }
    let work = work(perceptron(sizes), samples, claims);
    let proved = once(name, &work);
    c.bench_function(&format!("{name} prove, checks included"), |b| b.iter(|| black_box(prove(&work))));
    c.bench_function(&format!("{name} verify"), |b| b.iter(|| check(&work, &proved)));
}

fn perceptron(sizes: &[usize]) -> Model {
    mlp(sizes, 8, 16, 1)
}

fn accuracy(c: &mut Criterion) {
    row(c, "digits-360", &[64, 64, 32, 10], 360, &["accuracy >= 0.9"]);
    let medical = ["accuracy >= 0.9", "recall[class 1] >= 0.8"];
    row(c, "medical-171", &[30, 32, 16, 2], 171, &medical);
    for (name, samples) in [("rows-1k", 1_000), ("rows-10k", 10_000), ("rows-100k", 100_000)] {
        if is_wanted(name, samples == 100_000) {
            once(name, &work(perceptron(&[30, 64, 32, 2]), samples, &["accuracy >= 0.9"]));
        }
    }
    for (name, mean_pooling) in
        [("images-1k LeNet-5, mean pooling", true), ("images-1k LeNet-5, max pooling", false)]
    {
        if is_wanted(name, true) {
            once(name, &work(vision::lenet5(mean_pooling, 1), 1_000, &["accuracy >= 0.9"]));
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(8));
    targets = accuracy
}
criterion_main!(benches);
