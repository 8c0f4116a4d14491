//! Pinned digests. They were computed by a separate implementation (Python integers, from the format at the crate's
//! head), so they hold the format and not only the code; they never change while the labels end in `/1`.

use tacit_digest::{Digest, Domain, Fr, Part, Salt, digest, hash, model_id};

fn salt() -> Salt {
    Salt::from_bytes(std::array::from_fn(|i| i as u8))
}

fn of(domain: Domain, parts: &[(u8, &[i64])], salt: &Salt) -> Digest {
    let parts: Vec<Part<'_>> = parts.iter().map(|&(width, values)| Part { width, values }).collect();
    digest(domain, &parts, salt).expect("in width")
}

fn weights() -> Digest {
    let a: Vec<i64> = (0..1000).map(|i| i * 37 % 256 - 128).collect();
    let b: Vec<i64> = (0..50).map(|i| i * 104_729 % (1 << 20) - (1 << 19)).collect();
    of(Domain::Weights, &[(8, &a), (20, &b)], &salt())
}

/// Test vectors that circomlib's implementations share (here from `poseidon-rs`'s own tests), as big-endian hex.
#[test]
fn circomlib_vectors() {
    let cases: [(&[u64], &str); 3] = [
        (&[1, 2], "115cc0f5e7d690413df64c6b9662e9cf2a3617f2743245519e19607a4417189a"),
        (&[1, 2, 0, 0, 0], "024058dd1e168f34bac462b6fffe58fd69982807e9884c1c6148182319cee427"),
        (
            &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
            "16159a551cbb66108281a48099fff949ae08afd7f1f2ec06de2ffb96b919b765",
        ),
    ];
    for (inputs, expected) in cases {
        let inputs: Vec<Fr> = inputs.iter().copied().map(Fr::from).collect();
        let mut bytes = hash(&inputs).to_bytes();
        bytes.reverse();
        assert_eq!(hex::encode(bytes), expected);
    }
}

#[test]
fn digests() {
    let cases = [
        (
            of(Domain::Weights, &[(8, &[3])], &Salt::PUBLIC),
            "14927e3e3c9ddb718ed8530fd3667eecd302a6dc07b975812b1afd6ac51b3015",
        ),
        (weights(), "f38ce4c8dbe9fc9177f6c30ff71c73618711efe0d40f06154183060ec863ea1f"),
        (
            of(Domain::Input, &[(64, &[i64::MIN, i64::MAX, 0, -1])], &salt()),
            "07f4868a75326f2eddf28223b01935aae6064149a2245624796134ea38cde10e",
        ),
        (
            of(Domain::Output, &[(1, &[]), (1, &[0, -1, 0])], &Salt::PUBLIC),
            "fd4686f131ecbafc3737c16c8be40a9a8f3cb7a713aff1d92402b87c4ab5b028",
        ),
        (
            of(Domain::Dataset, &[(13, &[-4096, 4095])], &Salt::PUBLIC),
            "1f18e6d1efc5d5550646ba9327c27e72d2dfd1f57cb6d4cfd2cb4a0eed60a811",
        ),
        (
            model_id(std::array::from_fn(|i| 100 + i as u8), &weights()),
            "8daa8f9aba38040b8937116e65fe1b72c080e18ef1b6d90f71046e979432f016",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found.to_string(), expected);
    }
}
