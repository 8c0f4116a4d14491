//! What hidden totals cost: a chunk of 180 digits with any number of totals, beside a proof of the same statement without
//! them; then the merge of two chunks and its verification.
//! `cargo bench -p tacit-sumcheck --bench chunks`.

#![expect(missing_docs, reason = "criterion_group! makes an undocumented public function")]

use std::collections::BTreeMap;

use criterion::{Criterion, criterion_group, criterion_main};
use rand_core::OsRng;
use tacit_model::testing::{mlp, record};
use tacit_relations::{
    Assignment, Axis, Engine as _, Grouping, Inference, Opening, Openings, Relation, RelationSystem, Segment,
    Silent, Statement, TensorId, TensorSpec, Trace, View, Visibility, lower_inference, trace,
};
use tacit_sumcheck::{Chunk, SumcheckEngine};

const ENGINE: SumcheckEngine = SumcheckEngine;
const SAMPLES: usize = 180;
const BINDING: [u8; 32] = [1; 32];

struct Work {
    statement: Statement,
    trace: Trace,
    openings: Openings,
    totals: TensorId,
}

/// Weighted sums of the first answers of hidden records.
fn work(totals: usize) -> Work {
    let model = mlp(&[64, 64, 32, 10], 8, 16, 1);
    let claim = Inference { samples: SAMPLES, input: Visibility::Hidden, output: Visibility::Hidden };
    let system = lower_inference(model.architecture(), claim).expect("the model is well-formed");
    let answers = system.segment(Segment::Output).next().expect("answers are hidden");
    let (mut tensors, mut relations) = (system.tensors().to_vec(), system.relations().to_vec());
    let spec =
        |len, bounds, segment, constant| TensorSpec { shape: vec![len], bounds, segment, width: 0, constant };
    let weights = (0..totals * SAMPLES).map(|i| (i * i % 3) as i64).collect();
    tensors.push(spec(totals * SAMPLES, (0, 2), Segment::Constant, weights));
    tensors.push(spec(totals, (-(1 << 40), 1 << 40), Segment::Witness, Vec::new()));
    let id = |back: usize| TensorId((tensors.len() - back) as u32);
    relations.push(Relation::Contraction {
        a: View::whole(id(2), &[1, totals, SAMPLES]),
        c: View {
            tensor: answers,
            offset: 0,
            axes: vec![Axis::plain(1, 0), Axis::plain(SAMPLES, 10), Axis::plain(1, 0)],
        },
        grouping: Grouping::MATRIX,
        bias: None,
        y: id(1),
    });
    let totals = id(1);
    let system = RelationSystem::new(tensors, relations).expect("well-formed");
    let records = (0..SAMPLES as u64).flat_map(|i| record(model.architecture(), i)).collect();
    let given =
        Assignment { weights: model.weights().tensors().to_vec(), input: vec![records], public: vec![] };
    let trace = trace(&system, &given).expect("the witness fits");
    let (mut openings, mut commitments) = (Openings::new(), BTreeMap::new());
    for segment in Segment::COMMITTED {
        let opening = Opening([segment as u8 + 1; 32]);
        let tensors = system.segment(segment).map(|id| (id, trace.tensor(id))).collect();
        let commitment = ENGINE.commit(&system, segment, &tensors, &opening).expect("values fit");
        commitments.insert(segment, commitment);
        openings.insert(segment, opening);
    }
    let statement = Statement { system, binding: BINDING, commitments, public: BTreeMap::new() };
    Work { statement, trace, openings, totals }
}

/// Every sum is below a bound.
fn verdict(totals: usize) -> RelationSystem {
    let (width, bounds) = (48, (-(1 << 47), (1 << 47) - 1));
    let sums =
        TensorSpec { shape: vec![totals], bounds, segment: Segment::Input, width, constant: Vec::new() };
    let range = Relation::Range { x: View::whole(TensorId(0), &[totals]), lo: -(1 << 40), hi: 1 << 40 };
    RelationSystem::new(vec![sums], vec![range]).expect("well-formed")
}

fn row(c: &mut Criterion, totals: usize) {
    let work = work(totals);
    let (statement, openings) = (&work.statement, &work.openings);
    let chunk = |index: u32| {
        let samples = SAMPLES as u64;
        let start = u64::from(index) * samples;
        Chunk { index, count: 2, samples: start..start + samples, totals: work.totals }
    };
    let prove_chunk = |index| {
        let proved = ENGINE.prove_chunk(statement, &chunk(index), &work.trace, openings, &mut OsRng, &Silent);
        proved.expect("the trace satisfies the statement")
    };
    let prove = || {
        let proved = ENGINE.prove(statement, &work.trace, openings, &mut OsRng, &Silent);
        proved.expect("the trace satisfies the statement")
    };
    let [(proof, secret), (other, other_secret)] = [0, 1].map(prove_chunk);
    let (secrets, verdict, without) = ([secret, other_secret], verdict(totals), prove());
    let merge = || {
        let merged = ENGINE.merge(&BINDING, &secrets, &verdict, &mut OsRng, &Silent);
        merged.expect("the sums are small")
    };
    let merged = merge();
    let begin = || ENGINE.chunk_verifier(BINDING, 2, 2 * SAMPLES as u64);
    let mut all = begin();
    all.chunk(statement, &chunk(0), &proof, &Silent).expect("it holds");
    all.chunk(statement, &chunk(1), &other, &Silent).expect("it holds");
    println!(
        "{totals} totals: chunk {} bytes, without totals {} bytes, merge {} bytes, secret {} bytes",
        proof.len(),
        without.len(),
        merged.len(),
        secrets[0].to_bytes().len()
    );
    let mut group = c.benchmark_group(format!("{totals} totals"));
    group.sample_size(20);
    group.bench_function("prove without", |b| b.iter(prove));
    group.bench_function("prove chunk", |b| b.iter(|| prove_chunk(0)));
    group.bench_function("verify without", |b| {
        b.iter(|| ENGINE.verify(statement, &without, &Silent).expect("it holds"));
    });
    group.bench_function("verify chunk", |b| {
        b.iter(|| begin().chunk(statement, &chunk(0), &proof, &Silent).expect("it holds"));
    });
    group.bench_function("merge", |b| b.iter(merge));
    group.bench_function("verify merge", |b| {
        b.iter(|| all.clone().finish(&verdict, &merged, &Silent).expect("it holds"));
    });
    group.finish();
}

fn chunks(c: &mut Criterion) {
    for totals in [1, 20, 200, 1000] {
        row(c, totals);
    }
}

criterion_group!(benches, chunks);
criterion_main!(benches);
