//! The permutation by width, optimised and plain, and the digest of a model's weights.

#![expect(missing_docs, reason = "criterion_group! makes an undocumented public function")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tacit_digest::{Domain, Fr, Part, Salt, digest, permute, permute_reference};

fn permutation(c: &mut Criterion) {
    let mut group = c.benchmark_group("permutation");
    for width in [3usize, 9, 17] {
        let mut state: Vec<Fr> = (0..width as u64).map(Fr::from).collect();
        group.bench_function(BenchmarkId::new("optimised", width), |b| {
            b.iter(|| permute(black_box(&mut state)))
        });
        group.bench_function(BenchmarkId::new("reference", width), |b| {
            b.iter(|| permute_reference(black_box(&mut state)));
        });
    }
}

fn vectors(c: &mut Criterion) {
    let mut group = c.benchmark_group("digest of 8-bit values");
    group.sample_size(20);
    for count in [1_554usize, 18_000] {
        let values: Vec<i64> = (0..count).map(|i| (i * 37 % 256) as i64 - 128).collect();
        let parts = [Part { width: 8, values: &values }];
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| digest(Domain::Weights, black_box(&parts), &Salt::PUBLIC));
        });
    }
}

/// What a cold start pays: `poseidon-rs` parses every width from decimal strings.
fn constants(c: &mut Criterion) {
    let mut group = c.benchmark_group("constants");
    group.sample_size(10);
    group.bench_function("poseidon-rs, every width", |b| b.iter(poseidon_rs::load_constants));
}

criterion_group!(benches, permutation, vectors, constants);
criterion_main!(benches);
