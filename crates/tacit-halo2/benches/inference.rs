//! Inference with hidden weights and a hidden record, both committed by Poseidon in the circuit: key generation, proof,
//! verification; proof bytes and peak memory are printed. `cargo bench -p tacit-halo2 --bench inference`.

#![expect(missing_docs, reason = "criterion_group! makes an undocumented public function")]

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use rand_core::OsRng;
use tacit_halo2::srs::{Srs, SrsPolicy};
use tacit_halo2::{Halo2Engine, ProverKey, VerifierKey, plan, prove};
use tacit_model::Model;
use tacit_model::testing::{mlp, record, vision};
use tacit_relations::{
    Assignment, Engine as _, Inference, Opening, Openings, Segment, Statement, TensorId, Trace, Visibility,
    lower_inference, trace,
};

/// A statement about a model, with its witness.
fn statement(model: &Model) -> (Statement, Trace, Openings) {
    let claim = Inference { samples: 1, input: Visibility::Hidden, output: Visibility::Public };
    let system = lower_inference(model.architecture(), claim).expect("the model is well-formed");
    let given = Assignment {
        weights: model.weights().tensors().to_vec(),
        input: vec![record(model.architecture(), 1)],
        public: vec![],
    };
    let trace = trace(&system, &given).expect("the witness fits");
    let engine = Halo2Engine::open(std::path::Path::new(""), SrsPolicy::NoDev);
    let mut openings = Openings::new();
    let mut commitments = BTreeMap::new();
    for segment in [Segment::Weights, Segment::Input] {
        let opening = Opening([segment as u8 + 1; 32]);
        let tensors: BTreeMap<TensorId, &[i64]> =
            system.segment(segment).map(|id| (id, trace.tensor(id))).collect();
        let commitment =
            engine.commit(&system, segment, &tensors, &opening).expect("values fit their widths");
        commitments.insert(segment, commitment);
        openings.insert(segment, opening);
    }
    let public = system.segment(Segment::Public).map(|id| (id, trace.tensor(id).to_vec())).collect();
    (Statement { system, binding: [1; 32], commitments, public }, trace, openings)
}

/// Peak resident memory of this process so far, in MiB, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib / 1024)
}

fn inference(c: &mut Criterion) {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    for (name, model) in [
        ("medical 30-32-16-2", mlp(&[30, 32, 16, 2], 8, 16, 1)),
        ("digits 64-64-32-10", mlp(&[64, 64, 32, 10], 8, 16, 1)),
        ("digits, convolutional, 3k weights", vision::digits_cnn(1)),
    ] {
        // Criterion's filter comes too late to spare the set-up of what it leaves out.
        if !wanted.is_empty() && !wanted.iter().any(|w| name.contains(w.as_str())) {
            continue;
        }
        let (statement, trace, openings) = statement(&model);
        let shape = plan(&statement.system).expect("small enough");
        let srs = Srs::unsafe_dev(shape.k, OsRng);
        let key = ProverKey::generate(srs.params(), &statement.system, shape).expect("the circuit fits");
        let verifier = key.verifier_key();
        let prove =
            || prove::prove(srs.params(), &key, &statement, &trace, &openings, &mut OsRng).expect("it holds");
        let proof = prove();
        println!("{name}: {shape:?}, proof {} bytes, peak memory {:?} MiB", proof.len(), peak_memory());
        let mut group = c.benchmark_group(name);
        group.sample_size(10);
        group.bench_function("plan", |b| b.iter(|| plan(black_box(&statement.system))));
        group.bench_function("proving key", |b| {
            b.iter(|| ProverKey::generate(srs.params(), &statement.system, shape).expect("the circuit fits"));
        });
        group.bench_function("verifying key", |b| {
            b.iter(|| {
                VerifierKey::generate(srs.params(), &statement.system, shape).expect("the circuit fits")
            });
        });
        group.bench_function("prove", |b| b.iter(prove));
        group.bench_function("verify", |b| {
            b.iter(|| {
                prove::verify(srs.params(), &verifier, &statement, black_box(&proof)).expect("it holds")
            });
        });
        group.finish();
    }
}

criterion_group!(benches, inference);
criterion_main!(benches);
