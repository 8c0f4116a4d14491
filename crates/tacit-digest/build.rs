//! Turns the parameters that `poseidon-rs` carries as decimal strings into a table of canonical bytes, so that a program
//! need not spend 80 ms on parsing them. The layout is given in `src/parameters.rs`.

use std::path::PathBuf;

use poseidon_rs::{Fr, load_constants};
use poseidon_rs_ff::PrimeField as _;

/// Canonical little-endian bytes: `into_repr` leaves Montgomery form.
fn bytes(x: &Fr) -> impl Iterator<Item = u8> {
    x.into_repr().0.into_iter().flat_map(u64::to_le_bytes)
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let constants = load_constants();
    let mut table = Vec::new();
    for (round_constants, mds) in constants.c.iter().zip(&constants.m) {
        table.extend(round_constants.iter().flat_map(bytes));
        table.extend(mds.iter().flatten().flat_map(bytes));
    }
    let folder = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo names the output folder"));
    std::fs::write(folder.join("parameters.bin"), table).expect("the output folder is writable");
}
