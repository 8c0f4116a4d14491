//! Keys on disk, so that they are made once per architecture and setup.
//!
//! A file is: magic (8 bytes), version (2), shape (k 4, slots 4, limb bits 1, lane width 1, two flags 1), the key's
//! fingerprint (32), BLAKE2b-256 of the body (32), body in the proving library's raw form. It lives in the user's own
//! folder and is written only by this program; the checksum finds damage, not malice. Whatever cannot be read is made
//! again.

use std::fs;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use halo2_proofs::SerdeFormat;
use halo2_proofs::plonk::{ProvingKey, VerifyingKey};
use halo2curves::bn256::G1Affine;

use crate::circuit::TacitCircuit;
use crate::prove::{ProverKey, VerifierKey};
use crate::shape::CircuitShape;
use crate::srs::SrsFingerprint;

const MAGIC: &[u8; 8] = b"TACITKEY";
/// Raised whenever the circuit of some relation system changes.
pub const CIRCUIT_VERSION: u16 = 1;
const HEADER: usize = 8 + 2 + 11 + 32 + 32;

/// A folder of keys.
#[derive(Debug, Clone)]
pub struct KeyCache {
    folder: PathBuf,
}

/// Which half of a key.
#[derive(Clone, Copy)]
enum Half {
    Prover,
    Verifier,
}

impl KeyCache {
    /// The cache in `folder`, which need not exist yet.
    #[must_use]
    pub fn open(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    fn path(&self, system: [u8; 32], srs: SrsFingerprint, half: Half) -> PathBuf {
        let ending = match half {
            Half::Prover => "pk",
            Half::Verifier => "vk",
        };
        self.folder.join(format!("{}-{}.{ending}", hex::encode(system), hex::encode(&srs.0[..8])))
    }

    /// The proving key of a relation system under a setup, if it is here and whole.
    #[must_use]
    pub fn prover(&self, system: [u8; 32], srs: SrsFingerprint) -> Option<ProverKey> {
        let (shape, fingerprint, body) = self.read(system, srs, Half::Prover)?;
        let pk = catch_unwind(AssertUnwindSafe(|| {
            ProvingKey::<G1Affine>::from_bytes::<TacitCircuit>(&body, SerdeFormat::RawBytesUnchecked, shape)
                .ok()
        }))
        .ok()
        .flatten()?;
        let key = ProverKey { system, shape, pk };
        (key.verifier_key().fingerprint() == fingerprint).then_some(key)
    }

    /// The verifying key of a relation system under a setup, if it is here and whole.
    #[must_use]
    pub fn verifier(&self, system: [u8; 32], srs: SrsFingerprint) -> Option<VerifierKey> {
        let (shape, fingerprint, body) = self.read(system, srs, Half::Verifier)?;
        let vk = catch_unwind(AssertUnwindSafe(|| {
            VerifyingKey::<G1Affine>::from_bytes::<TacitCircuit>(&body, SerdeFormat::RawBytes, shape).ok()
        }))
        .ok()
        .flatten()?;
        let key = VerifierKey { system, shape, vk };
        (key.fingerprint() == fingerprint).then_some(key)
    }

    /// Keeps a proving key and its verifying half.
    ///
    /// # Errors
    /// What the file system says.
    pub fn keep_prover(&self, system: [u8; 32], srs: SrsFingerprint, key: &ProverKey) -> io::Result<()> {
        let verifier = key.verifier_key();
        let body = key.pk.to_bytes(SerdeFormat::RawBytesUnchecked);
        self.write(system, srs, Half::Prover, (key.shape, verifier.fingerprint()), &body)?;
        self.keep_verifier(system, srs, &verifier)
    }

    /// Keeps a verifying key.
    ///
    /// # Errors
    /// What the file system says.
    pub fn keep_verifier(&self, system: [u8; 32], srs: SrsFingerprint, key: &VerifierKey) -> io::Result<()> {
        let body = key.vk.to_bytes(SerdeFormat::RawBytes);
        self.write(system, srs, Half::Verifier, (key.shape, key.fingerprint()), &body)
    }

    fn write(
        &self,
        system: [u8; 32],
        srs: SrsFingerprint,
        half: Half,
        (shape, fingerprint): (CircuitShape, [u8; 32]),
        body: &[u8],
    ) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(MAGIC)?;
        file.write_all(&CIRCUIT_VERSION.to_le_bytes())?;
        file.write_all(&shape_bytes(shape))?;
        file.write_all(&fingerprint)?;
        file.write_all(&checksum(body))?;
        file.write_all(body)?;
        file.persist(self.path(system, srs, half)).map_err(|e| e.error)?;
        Ok(())
    }

    fn read(
        &self,
        system: [u8; 32],
        srs: SrsFingerprint,
        half: Half,
    ) -> Option<(CircuitShape, [u8; 32], Vec<u8>)> {
        let mut bytes = fs::read(self.path(system, srs, half)).ok()?;
        let rest = bytes.strip_prefix(MAGIC)?;
        let (version, rest) = rest.split_first_chunk::<2>()?;
        let (shape, rest) = rest.split_first_chunk::<11>()?;
        let (fingerprint, rest) = rest.split_first_chunk::<32>()?;
        let (sum, body) = rest.split_first_chunk::<32>()?;
        if u16::from_le_bytes(*version) != CIRCUIT_VERSION || checksum(body) != *sum {
            return None;
        }
        let (shape, fingerprint) = (parse_shape(*shape), *fingerprint);
        bytes.drain(..HEADER);
        Some((shape, fingerprint, bytes))
    }
}

fn checksum(body: &[u8]) -> [u8; 32] {
    Blake2b::<U32>::digest(body).into()
}

fn shape_bytes(shape: CircuitShape) -> [u8; 11] {
    let mut out = [0; 11];
    out[..4].copy_from_slice(&shape.k.to_le_bytes());
    out[4..8].copy_from_slice(&(shape.slots as u32).to_le_bytes());
    out[8] = shape.limb_bits;
    out[9] = shape.lane_width;
    out[10] = u8::from(shape.reuses_matrices) | u8::from(shape.looks_up_functions) << 1;
    out
}

fn parse_shape([k0, k1, k2, k3, s0, s1, s2, s3, limb_bits, lane_width, flags]: [u8; 11]) -> CircuitShape {
    CircuitShape {
        k: u32::from_le_bytes([k0, k1, k2, k3]),
        slots: u32::from_le_bytes([s0, s1, s2, s3]) as usize,
        limb_bits,
        lane_width,
        reuses_matrices: flags & 1 != 0,
        looks_up_functions: flags & 2 != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_come_back() {
        for flags in 0..4 {
            let shape = CircuitShape {
                k: 17,
                slots: 6,
                limb_bits: 12,
                lane_width: 9,
                reuses_matrices: flags & 1 != 0,
                looks_up_functions: flags & 2 != 0,
            };
            assert_eq!(parse_shape(shape_bytes(shape)), shape);
        }
    }
}
