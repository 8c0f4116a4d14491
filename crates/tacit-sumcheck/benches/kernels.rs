//! The arithmetic kernels: group, commitments, integer sums. Throughput is per point, commitment or value.

#![expect(missing_docs, reason = "criterion_group! makes an undocumented public function")]
#![allow(dead_code, unused_imports, reason = "the modules are included as source, tests and all")]

#[path = "../src/group.rs"]
mod group;
#[path = "../src/hyrax.rs"]
mod hyrax;
#[path = "../src/pedersen.rs"]
mod pedersen;
#[path = "../src/wide.rs"]
mod wide;

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use halo2curves::ff::Field;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

use group::{Affine, F, Generators};
use hyrax::{Row, commit_rows};
use pedersen::Pedersen;
use wide::{ColumnSums, Limbs, dot, limbs};

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

fn scalars(len: usize) -> Vec<F> {
    let mut rng = rng();
    (0..len).map(|_| F::random(&mut rng)).collect()
}

/// Signed integers of `bits` bits.
fn integers(len: usize, bits: u32) -> Vec<i64> {
    let mut rng = rng();
    (0..len).map(|_| rng.next_u64() as i64 >> (64 - bits)).collect()
}

fn one_thread() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread")
}

fn fields(c: &mut Criterion) {
    let mut group = c.benchmark_group("field");
    let (a, b) = (scalars(2)[0], scalars(2)[1]);
    group.bench_function("multiply, dependent", |bench| {
        let mut x = a;
        bench.iter(|| {
            x *= b;
            x
        });
    });
    let mut many = scalars(1000);
    group.throughput(Throughput::Elements(1000));
    group.bench_function("multiply, independent", |bench| {
        bench.iter(|| many.iter_mut().for_each(|x| *x *= &b));
    });
}

fn points(c: &mut Criterion) {
    let mut group = c.benchmark_group("group");
    let pool = one_thread();
    let generators = Generators::get(512);
    let bytes: Vec<u8> = generators.rows.iter().flat_map(group::encode).collect();
    group.throughput(Throughput::Elements(512));
    group.bench_function("decode, one thread", |b| b.iter(|| pool.install(|| group::decode_all(&bytes))));
    group.bench_function("decode", |b| b.iter(|| group::decode_all(&bytes)));
    group.throughput(Throughput::Elements(1));
    group.bench_function("hash to curve", |b| b.iter(|| group::hash_to_curve(black_box(b"row 12345678"))));
}

fn msm(c: &mut Criterion) {
    let mut group = c.benchmark_group("msm");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    let pool = one_thread();
    let generators = Generators::get(1 << 17);
    for len in [1, 2, 8, 64, 128, 256, 512, 1024, 4096, 20_000, 1 << 16, 1 << 17] {
        let (scalars, bases): (_, &[Affine]) = (scalars(len), &generators.rows[..len]);
        group.throughput(Throughput::Elements(len as u64));
        group.bench_function(BenchmarkId::new("one thread", len), |b| {
            b.iter(|| pool.install(|| group::msm(&scalars, bases)))
        });
        group.bench_function(BenchmarkId::new("all", len), |b| b.iter(|| group::msm(&scalars, bases)));
    }
}

fn pedersen(c: &mut Criterion) {
    let mut group = c.benchmark_group("pedersen");
    let scalars = scalars(64);
    let tables = Pedersen::get();
    group.throughput(Throughput::Elements(32));
    group.bench_function("commit", |b| {
        b.iter(|| {
            scalars.as_chunks().0.iter().map(|[value, blind]| tables.commit(value, blind)).fold(
                (),
                |(), p| {
                    black_box(p);
                },
            );
        });
    });
}

fn hyrax(c: &mut Criterion) {
    let mut group = c.benchmark_group("hyrax");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    let pool = one_thread();
    for (columns, count) in [(64, 64), (256, 64), (1024, 64), (2048, 64), (4096, 64)] {
        let generators = Generators::get(columns);
        let blinds = scalars(count);
        for bits in [8, 16] {
            let values = integers(columns * count, bits);
            let rows: Vec<Row<'_>> = values.chunks(columns).map(|row| Row { runs: vec![(0, row)] }).collect();
            let id = |threads| BenchmarkId::new(threads, format!("{bits} bits, {count} x {columns}"));
            group.throughput(Throughput::Elements(values.len() as u64));
            group.bench_function(id("one thread"), |b| {
                b.iter(|| pool.install(|| commit_rows(&generators, &rows, &blinds)));
            });
            group.bench_function(id("all"), |b| b.iter(|| commit_rows(&generators, &rows, &blinds)));
        }
    }
}

fn wide(c: &mut Criterion) {
    let mut group = c.benchmark_group("wide");
    for bits in [8, 16, 24, 33, 64] {
        let weights: Vec<Limbs> = scalars(2048).iter().map(limbs).collect();
        let values = integers(2048, bits);
        group.throughput(Throughput::Elements(2048));
        group.bench_function(BenchmarkId::new("dot", bits), |b| b.iter(|| dot(&weights, &values)));
        let matrix = integers(2048 * 256, bits);
        group.throughput(Throughput::Elements(2048 * 256));
        group.bench_function(BenchmarkId::new("columns, one thread", bits), |b| {
            b.iter(|| {
                let mut sums = ColumnSums::new(2048);
                for (weight, row) in weights.iter().zip(matrix.chunks(2048)) {
                    sums.add(weight, 0, row);
                }
                sums.finish()
            });
        });
        group.bench_function(BenchmarkId::new("columns, all", bits), |b| {
            b.iter(|| {
                weights
                    .par_iter()
                    .zip(matrix.par_chunks(2048))
                    .fold(
                        || ColumnSums::new(2048),
                        |mut sums, (weight, row)| {
                            sums.add(weight, 0, row);
                            sums
                        },
                    )
                    .reduce_with(|mut a, b| {
                        a.merge(&b);
                        a
                    })
                    .map(|sums| sums.finish())
            });
        });
    }
}

criterion_group!(benches, fields, points, msm, pedersen, hyrax, wide);
criterion_main!(benches);
