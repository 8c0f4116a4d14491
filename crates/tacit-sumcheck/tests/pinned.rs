//! Proofs as they were first made: they keep being accepted, and making them again gives the same bytes.
//!
//! `TACIT_REGENERATE_FIXTURES=1` writes them anew; a difference then is a new version of the protocol, whose
//! number is in the names. Randomness, salts and values are fixed.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;

use common::chunks;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_relations::testing::random::perceptron;
use tacit_relations::testing::{Case, selections};
use tacit_relations::{Commitment, Openings, RelationSystem, Segment, Silent, Statement};
use tacit_sumcheck::{PROTOCOL_VERSION, SumcheckEngine};

/// Totals of the claim in chunks.
const TOTALS: usize = 3;

/// What is proved of their sums.
fn verdict() -> RelationSystem {
    chunks::verdict(30, &[(-100_000, 100_000), (-5_000, 65_535), (-65_536, 100_000)])
}

/// What the certificate is bound to.
const BINDING: [u8; 32] = [11; 32];

fn path(name: &str) -> PathBuf {
    let name = format!("{name}-v{PROTOCOL_VERSION}.bin");
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Everything hidden; and tables beside public values.
fn cases() -> [(&'static str, Case); 2] {
    [("perceptron", perceptron(&[3, 4, 2], 8, 16, 1, 0)), ("table", selections::table())]
}

fn commitments(statement: &Statement) -> Vec<u8> {
    statement.commitments.values().flat_map(|c| c.0.clone()).collect()
}

fn certify(case: &Case, statement: &Statement, openings: &Openings) -> Vec<u8> {
    let weights: BTreeMap<_, _> =
        case.system.segment(Segment::Weights).map(|id| (id, case.trace.tensor(id))).collect();
    let (commitment, opening) = (&statement.commitments[&Segment::Weights], &openings[&Segment::Weights]);
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    SumcheckEngine.certify(&case.system, &weights, commitment, opening, BINDING, &mut rng, &Silent).unwrap()
}

/// All files by name, made now.
fn made() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for (name, case) in cases() {
        let (statement, openings) = common::statement(&case);
        files.push((format!("{name}-commitments"), commitments(&statement)));
        files.push((format!("{name}-proof"), common::prove(&case, &statement, &openings, 1).unwrap()));
        if openings.contains_key(&Segment::Weights) {
            files.push((format!("{name}-certificate"), certify(&case, &statement, &openings)));
        }
    }
    let claim = chunks::claim(TOTALS);
    files.push(("claim-merge".to_owned(), chunks::merge(&claim, &verdict()).unwrap()));
    for (i, (_, _, proof)) in claim.chunks.into_iter().enumerate() {
        files.push((format!("claim-chunk-{i}"), proof));
    }
    files
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// With the commitments of the file, whatever they would be now.
fn accept() {
    for (name, case) in cases() {
        let (mut statement, _) = common::statement(&case);
        let stored = read(&format!("{name}-commitments"));
        let mut rest = stored.as_slice();
        for commitment in statement.commitments.values_mut() {
            let (own, others) = rest.split_at(commitment.0.len());
            *commitment = Commitment(own.to_vec());
            rest = others;
        }
        common::verify(&statement, &read(&format!("{name}-proof"))).unwrap_or_else(|e| panic!("{name}: {e}"));
        if let Some(weights) = statement.commitments.get(&Segment::Weights) {
            let certificate = read(&format!("{name}-certificate"));
            let checked =
                SumcheckEngine.check_certificate(&case.system, weights, BINDING, &certificate, &Silent);
            checked.unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
    let mut claim = chunks::claim(TOTALS);
    for (i, (_, _, proof)) in claim.chunks.iter_mut().enumerate() {
        *proof = read(&format!("claim-chunk-{i}"));
    }
    chunks::verify(&claim, &read("claim-merge"), &verdict())
        .unwrap_or_else(|e| panic!("a claim in chunks: {e}"));
}

#[test]
fn what_was_made_is_accepted_and_made_again() {
    let made = made();
    if std::env::var_os("TACIT_REGENERATE_FIXTURES").is_some_and(|v| v == "1") {
        for (name, bytes) in &made {
            std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            std::fs::write(path(name), bytes).unwrap();
        }
    }
    accept();
    for (name, bytes) in made {
        assert!(read(&name) == bytes, "{name}: the protocol has changed without a new version");
    }
}
