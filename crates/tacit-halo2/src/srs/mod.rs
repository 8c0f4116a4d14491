//! The structured reference string (SRS) of the KZG commitment scheme: where it comes from, how it is checked and kept.
//!
//! KZG (Kate, Zaverucha, Goldberg, ASIACRYPT 2010) needs `τ^i G1` for `i < 2^k`, the same points in the Lagrange basis
//! of the domain of `2^k` roots of unity, and `G2, τ G2`, for a secret `τ` that nobody may know: who knows it can
//! prove anything.
//!
//! * [`ptau`] reads the result of a ceremony in the `.ptau` format of snarkjs, checks curve, subgroup and powers, and
//!   recognises the published Perpetual Powers of Tau files ([`CEREMONY_FILES`]).
//! * [`Srs::unsafe_dev`] makes one for development. Nothing is ever made silently.
//! * [`file`](mod@file) is our own format, which loads in milliseconds; [`SrsStore`] is a folder of such files.
//!
//! [`SrsOrigin`] goes with the points everywhere, so that a verifier can refuse what was proved under a setup it does
//! not accept; [`SrsPolicy`] says what is accepted. The verifier reads the origin from its own store, never from a
//! proof.

mod ceremony;
mod dev;
pub mod file;
mod points;
pub mod ptau;
mod store;

use std::fmt;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use halo2_proofs::SerdeFormat;
use halo2_proofs::arithmetic::g_to_lagrange;
use halo2_proofs::halo2curves::bn256::{Bn256, Fq2, G1Affine, G2Affine};
use halo2_proofs::halo2curves::ff::PrimeField as _;
use halo2_proofs::halo2curves::group::prime::PrimeCurveAffine as _;
use halo2_proofs::poly::commitment::{Params as _, ParamsProver as _};
use halo2_proofs::poly::kzg::commitment::ParamsKZG;
use rand_core::RngCore;

pub use ceremony::{CEREMONY_FILES, CeremonyFile};
pub use file::SrsFileError;
pub use points::PointFault;
pub use ptau::{PtauError, PtauImport, read_ptau};
pub use store::{Damaged, SrsEntry, SrsListing, SrsStore, StoreError};

/// The largest `k` there is: the scalar field of BN254 has `2^28` roots of unity.
pub const MAX_K: u32 = 28;

/// Where a setup comes from, hence who would have to be honest for it to be sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SrsOrigin {
    /// A published file of the Perpetual Powers of Tau ceremony: sound if one of its contributors was honest.
    Ceremony(&'static CeremonyFile),
    /// Another `.ptau` file, named by the BLAKE2b-512 of its bytes: sound if whoever made it was honest.
    Imported {
        /// BLAKE2b-512 of the file.
        blake2b: [u8; 64],
    },
    /// Made for development: not sound.
    UnsafeDev,
}

impl SrsOrigin {
    /// The origin of a `.ptau` file with this BLAKE2b-512 hash.
    #[must_use]
    pub fn of_file(blake2b: [u8; 64]) -> Self {
        CeremonyFile::find(&blake2b).map_or(Self::Imported { blake2b }, Self::Ceremony)
    }

    /// Whether anything proved under it is worthless outside development.
    #[must_use]
    pub const fn is_unsafe_dev(&self) -> bool {
        matches!(self, Self::UnsafeDev)
    }

    /// Ceremony, then imported, then development: what a store prefers.
    const fn rank(&self) -> u8 {
        match self {
            Self::Ceremony(_) => 0,
            Self::Imported { .. } => 1,
            Self::UnsafeDev => 2,
        }
    }
}

impl fmt::Display for SrsOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ceremony(file) => write!(f, "Perpetual Powers of Tau, {}", file.name),
            Self::Imported { blake2b } => write!(f, "imported file, BLAKE2b {}…", hex::encode(&blake2b[..8])),
            Self::UnsafeDev => f.write_str("unsafe development setup"),
        }
    }
}

/// Which origins are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SrsPolicy {
    /// Only published ceremony files.
    CeremonyOnly,
    /// Ceremony files and other imported files.
    #[default]
    NoDev,
    /// Anything, development setups included.
    AllowDev,
    /// Exactly the setup with this fingerprint, whatever its origin.
    Exactly(SrsFingerprint),
}

impl SrsPolicy {
    /// Whether a setup is accepted.
    #[must_use]
    pub fn accepts(&self, origin: &SrsOrigin, fingerprint: &SrsFingerprint) -> bool {
        match self {
            Self::CeremonyOnly => matches!(origin, SrsOrigin::Ceremony(_)),
            Self::NoDev => !origin.is_unsafe_dev(),
            Self::AllowDev => true,
            Self::Exactly(wanted) => wanted == fingerprint,
        }
    }
}

/// Which `τ`: BLAKE2b-256 of a label, `G2` and `τ G2` (canonical little-endian coordinates). Setups of different size
/// cut from the same powers share it; keys and proofs made under one fingerprint mean nothing under another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SrsFingerprint(pub [u8; 32]);

impl SrsFingerprint {
    fn of(g2: &G2Affine, tau_g2: &G2Affine) -> Self {
        let mut hasher = Blake2b::<U32>::new_with_prefix(b"tacit/srs/1");
        for point in [g2, tau_g2] {
            for Fq2 { c0, c1 } in [point.x, point.y] {
                hasher.update(c0.to_repr());
                hasher.update(c1.to_repr());
            }
        }
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for SrsFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Progress of an import, an export or a derivation: `done` of `total`, in the units of the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SrsProgress {
    /// What is being done.
    pub stage: SrsStage,
    /// Done so far.
    pub done: u64,
    /// In all; 1 where the stage cannot tell.
    pub total: u64,
}

/// A stage of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SrsStage {
    /// Reading and hashing the file; in bytes.
    Reading,
    /// Checking the powers by pairing; in points.
    Checking,
    /// Computing a Lagrange basis, which takes seconds from `k = 12` on.
    LagrangeBasis,
    /// Writing files to the store; in files.
    Writing,
}

/// The points of a setup, checked, before they are put together.
struct SrsParts {
    origin: SrsOrigin,
    k: u32,
    /// `τ^i G1` for `i < 2^k`.
    powers: Vec<G1Affine>,
    /// Their Lagrange basis.
    lagrange: Vec<G1Affine>,
    /// `τ G2`.
    tau_g2: G2Affine,
}

/// A setup for circuits of up to `2^k` rows, checked, with its origin.
#[derive(Clone)]
pub struct Srs {
    origin: SrsOrigin,
    fingerprint: SrsFingerprint,
    params: ParamsKZG<Bn256>,
}

impl Srs {
    /// A setup for development with `2^k` powers of a secret drawn from `rng`. Whoever made it can prove anything.
    ///
    /// # Panics
    ///
    /// If `k` is 0 or above [`MAX_K`].
    #[must_use]
    pub fn unsafe_dev(k: u32, rng: impl RngCore) -> Self {
        assert!((1..=MAX_K).contains(&k), "k is 1 to {MAX_K}, not {k}");
        Self::from(dev::setup(k, dev::draw_secret(rng)))
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> &SrsOrigin {
        &self.origin
    }

    /// Base-2 logarithm of the number of rows.
    #[must_use]
    pub fn k(&self) -> u32 {
        self.params.k()
    }

    /// Which `τ`.
    #[must_use]
    pub fn fingerprint(&self) -> &SrsFingerprint {
        &self.fingerprint
    }

    /// The parameters as the proving system takes them.
    #[must_use]
    pub fn params(&self) -> &ParamsKZG<Bn256> {
        &self.params
    }

    /// What a verifier needs of it.
    #[must_use]
    pub fn verifier(&self) -> VerifierSrs {
        VerifierSrs::from_checked(self.origin, self.k(), self.params.s_g2())
    }

    /// The same setup for `2^k` rows, `k` at most [`Self::k`]: the first powers, and their Lagrange basis by a
    /// Fourier transform over the group, which takes half a second at `k = 10` and ten or more at `k = 14` (two cores).
    ///
    /// # Panics
    ///
    /// If `k` is 0 or above [`Self::k`].
    #[must_use]
    pub fn downsized(&self, k: u32) -> Self {
        assert!((1..=self.k()).contains(&k), "k is 1 to {}, not {k}", self.k());
        if k == self.k() {
            return self.clone();
        }
        let powers = self.params.get_g()[..1 << k].to_vec();
        let lagrange = lagrange_of(&powers, k);
        Self::from(SrsParts { origin: self.origin, k, powers, lagrange, tau_g2: self.params.s_g2() })
    }
}

impl From<SrsParts> for Srs {
    fn from(parts: SrsParts) -> Self {
        let SrsParts { origin, k, powers, lagrange, tau_g2 } = parts;
        debug_assert!(powers.len() == 1 << k && lagrange.len() == 1 << k);
        let g2 = G2Affine::generator();
        let fingerprint = SrsFingerprint::of(&g2, &tau_g2);
        Self { origin, fingerprint, params: blank().from_parts(k, powers, Some(lagrange), g2, tau_g2) }
    }
}

impl fmt::Debug for Srs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Srs {{ k: {}, origin: {}, fingerprint: {} }}", self.k(), self.origin, self.fingerprint)
    }
}

/// What verification needs of a setup: `k`, the generators and `τ G2`.
///
/// The SHPLONK verifier and `SingleStrategy` of `halo2_proofs` read `k`, `n`, `g[0]`, `g2` and `s_g2` and nothing else
/// (no instance column is committed to with KZG), so the parameters here hold one power and no Lagrange basis: they
/// cannot commit to anything.
#[derive(Clone)]
pub struct VerifierSrs {
    origin: SrsOrigin,
    fingerprint: SrsFingerprint,
    params: ParamsKZG<Bn256>,
}

impl VerifierSrs {
    fn from_checked(origin: SrsOrigin, k: u32, tau_g2: G2Affine) -> Self {
        let g2 = G2Affine::generator();
        let g = vec![G1Affine::generator()];
        let fingerprint = SrsFingerprint::of(&g2, &tau_g2);
        Self { origin, fingerprint, params: blank().from_parts(k, g, Some(Vec::new()), g2, tau_g2) }
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> &SrsOrigin {
        &self.origin
    }

    /// Base-2 logarithm of the number of rows.
    #[must_use]
    pub fn k(&self) -> u32 {
        self.params.k()
    }

    /// Which `τ`.
    #[must_use]
    pub fn fingerprint(&self) -> &SrsFingerprint {
        &self.fingerprint
    }

    /// The parameters as `verify_proof` takes them.
    #[must_use]
    pub fn params(&self) -> &ParamsKZG<Bn256> {
        &self.params
    }

    /// The same setup for circuits of `2^k` rows; free of cost, since a verifier keeps no powers.
    ///
    /// # Panics
    ///
    /// If `k` is 0 or above [`MAX_K`].
    #[must_use]
    pub fn with_k(&self, k: u32) -> Self {
        assert!((1..=MAX_K).contains(&k), "k is 1 to {MAX_K}, not {k}");
        Self::from_checked(self.origin, k, self.params.s_g2())
    }
}

impl fmt::Debug for VerifierSrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "VerifierSrs {{ k: {}, origin: {}, fingerprint: {} }}",
            self.k(),
            self.origin,
            self.fingerprint
        )
    }
}

/// Parameters for `k = 0` without content: `ParamsKZG::from_parts` is a method of an existing instance.
fn blank() -> ParamsKZG<Bn256> {
    /// `k`, one power, one Lagrange point, two points of G2.
    const LEN: usize = 4 + 2 * points::G1_BYTES + 2 * points::G2_BYTES;
    ParamsKZG::read_custom(&mut [0; LEN].as_slice(), SerdeFormat::RawBytesUnchecked)
        .expect("LEN bytes are parameters for k = 0 in the unchecked format")
}

/// The Lagrange basis of `2^k` powers.
fn lagrange_of(powers: &[G1Affine], k: u32) -> Vec<G1Affine> {
    g_to_lagrange(powers.iter().map(|p| p.to_curve()).collect(), k)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn bytes(params: &ParamsKZG<Bn256>) -> Vec<u8> {
        let mut out = Vec::new();
        params.write_custom(&mut out, SerdeFormat::RawBytes).expect("a vector takes all");
        out
    }

    #[test]
    fn dev_setup_is_that_of_the_library() {
        for k in [1, 2, 5, 8] {
            let ours = Srs::unsafe_dev(k, ChaCha20Rng::seed_from_u64(4));
            let theirs = ParamsKZG::<Bn256>::setup(k, ChaCha20Rng::seed_from_u64(4));
            assert!(bytes(ours.params()) == bytes(&theirs), "k = {k}");
        }
    }

    #[test]
    fn downsized_is_the_smaller_setup() {
        let large = Srs::unsafe_dev(6, ChaCha20Rng::seed_from_u64(5));
        let small = Srs::unsafe_dev(4, ChaCha20Rng::seed_from_u64(5));
        let cut = large.downsized(4);
        assert!(bytes(cut.params()) == bytes(small.params()));
        assert_eq!(cut.fingerprint(), large.fingerprint());
        assert_eq!(cut.verifier().with_k(6).k(), 6);
    }

    #[test]
    fn fingerprints_differ_by_secret() {
        let a = Srs::unsafe_dev(1, ChaCha20Rng::seed_from_u64(1));
        let b = Srs::unsafe_dev(1, ChaCha20Rng::seed_from_u64(2));
        assert_ne!(a.fingerprint(), b.fingerprint());
        assert!(SrsPolicy::Exactly(*a.fingerprint()).accepts(a.origin(), a.fingerprint()));
        assert!(!SrsPolicy::Exactly(*a.fingerprint()).accepts(b.origin(), b.fingerprint()));
        assert!(SrsPolicy::AllowDev.accepts(a.origin(), a.fingerprint()));
        assert!(!SrsPolicy::NoDev.accepts(a.origin(), a.fingerprint()));
        assert!(!SrsPolicy::CeremonyOnly.accepts(a.origin(), a.fingerprint()));
    }
}
