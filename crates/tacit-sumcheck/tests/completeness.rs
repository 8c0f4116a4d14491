//! Whatever the checker accepts, the engine proves.
#![allow(clippy::unwrap_used)]

mod common;

use common::accepts;
use tacit_relations::testing::by_hand;
use tacit_relations::testing::random::{Extra, network, perceptron, system};

#[test]
fn systems_by_hand() {
    for case in by_hand() {
        accepts(&case);
    }
}

#[test]
fn perceptrons() {
    for (seed, sizes) in [&[4, 3, 2][..], &[5, 2], &[30, 32, 16, 2], &[3, 1, 4, 1]].into_iter().enumerate() {
        for samples in [1, 3] {
            accepts(&perceptron(sizes, 8, 16, samples, seed as u64));
        }
    }
}

#[test]
fn networks() {
    for seed in 0..60 {
        accepts(&network(1 + seed as usize % 12, 1 + seed as usize % 3, seed));
    }
}

#[test]
fn random_systems() {
    for seed in 0..60 {
        accepts(&system(seed, 1 + seed as usize % 3, &Extra::ALL));
    }
}
