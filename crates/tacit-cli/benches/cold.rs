//! The command as a user meets it: a new process each time, the medical model from its file, by each engine.
//! Proving and verifying with the card's certificate checked or the keys in the cache, the first time, and
//! the peak memory of a proof. `cargo bench -p tacit-cli --bench cold`.

#![expect(missing_docs, reason = "criterion_group! makes an undocumented public function")]

use std::path::Path;
use std::process::{Command, Stdio};

use criterion::{Criterion, criterion_group, criterion_main};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The command in `folder`, which is also its home.
fn tacit(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tacit"));
    command
        .args(line.split_whitespace())
        .current_dir(folder)
        .env("XDG_DATA_HOME", folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn run(folder: &Path, line: &str) {
    let status = tacit(folder, line).status().expect("the command starts");
    assert!(status.success(), "tacit {line}");
}

/// Peak resident memory of a command in MiB, as the system counts it while it runs.
fn peak_memory(mut command: Command) -> Option<u64> {
    let mut child = command.spawn().ok()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = None;
    while child.try_wait().ok()?.is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line =
            text.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|l| l.trim().strip_suffix(" kB"));
        peak = peak.max(line.and_then(|l| l.trim().parse::<u64>().ok()).map(|kib| kib / 1024));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    peak
}

fn medical(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let data = format!("{REPOSITORY}/datasets/breast-cancer-wisconsin");
    let onnx = format!("{REPOSITORY}/examples/medical/model.onnx");
    run(folder, "srs unsafe-dev --k 10");
    run(
        folder,
        &format!(
            "quantize {onnx} --data {data}/train.csv --labels diagnosis --schema {data}/schema.json -o m.tacit"
        ),
    );
    // What is kept between runs, and is missing the first time.
    for (engine, kept) in [("sumcheck", "checked"), ("halo2", "keys")] {
        let commit = format!("commit m.tacit -o {engine} --engine {engine} --key {engine}/owner.key --force");
        run(folder, &format!("commit m.tacit -o {engine} --engine {engine}"));
        let prove = format!(
            "prove inference --model m.tacit --opening {engine}/opening.secret --input {data}/test.csv --row 0 \
             -o {engine}.proof --force"
        );
        let verify = format!("verify {engine}.proof --card {engine}/card.json --allow-dev-srs");
        run(folder, &prove);
        run(folder, &verify);
        let proof = std::fs::metadata(folder.join(format!("{engine}.proof"))).map_or(0, |m| m.len());
        let memory = peak_memory(tacit(folder, &prove));
        println!("{engine}: proof file {proof} bytes, peak memory of a proof {memory:?} MiB");

        let mut group = c.benchmark_group(format!("medical, cold, {engine}"));
        group.sample_size(10);
        group.bench_function("prove", |b| b.iter(|| run(folder, &prove)));
        group.bench_function("verify", |b| b.iter(|| run(folder, &verify)));
        let forget = || std::fs::remove_dir_all(folder.join("tacit").join(kept)).expect("it was kept");
        for (name, line) in [("prove, the first time", &prove), ("verify, the first time", &verify)] {
            group.bench_function(name, |b| {
                b.iter_batched(forget, |()| run(folder, line), criterion::BatchSize::PerIteration);
            });
        }
        group.bench_function("commit", |b| b.iter(|| run(folder, &commit)));
        group.finish();
    }
}

criterion_group!(benches, medical);
criterion_main!(benches);
