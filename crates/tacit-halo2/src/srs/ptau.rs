//! The `.ptau` files of snarkjs.
//!
//! All integers are little-endian. The file is `"ptau"`, version 1 (`u32`), the number of sections (`u32`), and the
//! sections, each an id (`u32`), a size in bytes (`u64`) and that many bytes:
//!
//! | id | holds |
//! | --- | --- |
//! | 1 | bytes of a coordinate (`u32`, 32), the base field's prime, `power` (`u32`), the ceremony's power (`u32`) |
//! | 2 | `τ^i G1` for `i < 2^(power+1) - 1` |
//! | 3 | `τ^i G2` for `i < 2^power` |
//! | 4, 5 | `α τ^i G1`, `β τ^i G1` for `i < 2^power` |
//! | 6 | `β G2` |
//! | 7 | the contributions |
//! | 12 | in files prepared for phase 2, the Lagrange bases of section 2 for `2^p` points, `p = 0 ..= power + 1` |
//! | 13, 14, 15 | the same of sections 3, 4, 5 |
//!
//! (snarkjs 0.7.6, `src/powersoftau_new.js`, `src/powersoftau_preparephase2.js`.) Points are raw, as the head of
//! `points.rs` has them.
//!
//! One pass reads and hashes the file; what is parsed is what is hashed. Sizes are compared with the real length before
//! anything is allocated. Of section 2 the first `2^k` points are kept and checked, of section 3 the first two, of
//! section 12 the bases that fit `k`; the rest is hashed only, and the contributions are not verified (`snarkjs
//! powersoftau verify` does that): the origin of a file is what its hash says.
//!
//! The Lagrange bases of section 12 are over the domain that `5^((r-1)/2^28)` generates, and `halo2_proofs` uses
//! `7^((r-1)/2^28)`; the points are put into the latter's order and checked against the powers. Where they do not
//! match they are left out, since they can be computed.

use std::collections::BTreeSet;
use std::io::{self, Read};

use blake2::{Blake2b512, Digest as _};
use halo2_proofs::halo2curves::bn256::{Fr, G1Affine, G2Affine};
use halo2_proofs::halo2curves::ff::{Field as _, FromUniformBytes as _, PrimeField as _};
use halo2_proofs::halo2curves::group::prime::PrimeCurveAffine as _;

use super::points::{
    Consistency, G1_BYTES, G2_BYTES, PointFault, extend_from_raw, g2_from_raw, root_of_unity,
};
use super::{MAX_K, SrsOrigin, SrsProgress, SrsStage};

const MAGIC: [u8; 4] = *b"ptau";
const VERSION: u32 = 1;
/// The base field's prime, little-endian.
const PRIME: [u8; 32] = [
    0x47, 0xfd, 0x7c, 0xd8, 0x16, 0x8c, 0x20, 0x3c, 0x8d, 0xca, 0x71, 0x68, 0x91, 0x6a, 0x81, 0x97, 0x5d,
    0x58, 0x81, 0x81, 0xb6, 0x45, 0x50, 0xb8, 0x29, 0xa0, 0x31, 0xe1, 0x72, 0x4e, 0x64, 0x30,
];
/// snarkjs's generator of the domain of `2^28` points is this to the power `(r - 1) / 2^28`.
const SNARKJS_NON_RESIDUE: u64 = 5;
/// Bytes read at a time, a whole number of points.
const CHUNK: usize = 1 << 20;
/// Smallest size for which a prepared Lagrange basis is kept.
const MIN_PREPARED_K: u32 = 8;

const HEADER: u32 = 1;
const TAU_G1: u32 = 2;
const TAU_G2: u32 = 3;
const LAGRANGE_G1: u32 = 12;

/// Why a `.ptau` file is refused.
#[derive(Debug, thiserror::Error)]
pub enum PtauError {
    /// The file could not be read.
    #[error("the file could not be read")]
    Io(#[from] io::Error),
    /// The size asked for is out of bounds.
    #[error("k is 1 to {MAX_K}, not {found}")]
    MaxK {
        /// The size asked for.
        found: u32,
    },
    /// The first four bytes are not `ptau`.
    #[error("not a .ptau file: it begins with the bytes {found:02x?}")]
    Magic {
        /// The bytes found.
        found: [u8; 4],
    },
    /// Another version of the format.
    #[error("version {found} of the .ptau format is not known; version {VERSION} is")]
    Version {
        /// The version found.
        found: u32,
    },
    /// The file ends too early.
    #[error("the file is cut short: {needed} bytes are needed at byte {position}, {left} are left")]
    Truncated {
        /// Where, in bytes from the start.
        position: u64,
        /// Bytes that should follow.
        needed: u64,
        /// Bytes that do.
        left: u64,
    },
    /// Bytes follow the last section.
    #[error("{bytes} bytes follow the last section")]
    Trailing {
        /// How many.
        bytes: u64,
    },
    /// A section appears twice.
    #[error("section {id} appears twice")]
    DuplicateSection {
        /// The section.
        id: u32,
    },
    /// A section that is needed is missing.
    #[error("section {id} is missing")]
    MissingSection {
        /// The section.
        id: u32,
    },
    /// A section that depends on the header, or on the powers, comes before it.
    #[error("section {id} comes before section {needs}, on which it depends")]
    SectionOrder {
        /// The section.
        id: u32,
        /// The section that should come first.
        needs: u32,
    },
    /// A section has not the size that the header's power gives it.
    #[error("section {id} has {found} bytes, and {expected} for this power")]
    SectionSize {
        /// The section.
        id: u32,
        /// Bytes by the header's power.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// The points are of another curve.
    #[error("the points are of another curve; BN254 (\"bn128\") is needed")]
    WrongCurve,
    /// The header's power is out of bounds.
    #[error("the header's power is {found}; 1 to {MAX_K} are possible")]
    Power {
        /// The power found.
        found: u32,
    },
    /// The ceremony's power is below that of the file or out of bounds.
    #[error("the ceremony's power is {found}, of a file of power {power}")]
    CeremonyPower {
        /// The ceremony's power found.
        found: u32,
        /// The file's power.
        power: u32,
    },
    /// A point is not usable.
    #[error("point {index} of section {section} is refused: {fault}")]
    Point {
        /// The section.
        section: u32,
        /// Index of the point in it.
        index: u64,
        /// What is wrong with it.
        fault: PointFault,
    },
    /// The first power is not the generator.
    #[error("the first point of section {section} is not the generator of its group")]
    NotGenerator {
        /// The section.
        section: u32,
    },
    /// `τ` is a root of unity: 1 in a file without any contribution.
    #[error("the secret is a root of unity: nobody has contributed to this setup")]
    NoContribution,
    /// The points are not the powers of one secret.
    #[error("the points are not successive powers of the secret of section {TAU_G2}")]
    Powers,
}

/// What a `.ptau` file holds for circuits of up to `2^k` rows, checked.
#[derive(Debug, Clone)]
pub struct PtauImport {
    /// Which file it is, by its hash.
    pub origin: SrsOrigin,
    /// The file's power.
    pub power: u32,
    /// The size kept: the smaller of the power and what was asked for.
    pub k: u32,
    /// `τ^i G1` for `i < 2^k`.
    pub powers: Vec<G1Affine>,
    /// `τ G2`.
    pub tau_g2: G2Affine,
    /// In files prepared for phase 2, Lagrange bases by size, in the order of `halo2_proofs`'s domains: every size from
    /// the smaller of 8 and `k` up to `k`, largest last.
    pub prepared: Vec<(u32, Vec<G1Affine>)>,
}

/// Reads and checks a `.ptau` file of `len` bytes, keeping what circuits of up to `2^max_k` rows need.
///
/// Reads all of it, for the hash. Takes memory for `2^k` points (64 bytes each), three times that where the file is
/// prepared.
///
/// # Errors
///
/// [`PtauError`] for whatever is wrong with the file, or if `max_k` is not 1 to [`MAX_K`].
pub fn read_ptau(
    reader: impl Read,
    len: u64,
    max_k: u32,
    progress: &mut dyn FnMut(SrsProgress),
) -> Result<PtauImport, PtauError> {
    if !(1..=MAX_K).contains(&max_k) {
        return Err(PtauError::MaxK { found: max_k });
    }
    let mut input = Input { reader, hasher: Blake2b512::new(), position: 0, len, progress };
    let magic = input.array()?;
    if magic != MAGIC {
        return Err(PtauError::Magic { found: magic });
    }
    let version = input.u32()?;
    if version != VERSION {
        return Err(PtauError::Version { found: version });
    }
    let mut found = Found { max_k, ..Found::default() };
    let mut seen = BTreeSet::new();
    for _ in 0..input.u32()? {
        let id = input.u32()?;
        let size = input.u64()?;
        if !seen.insert(id) {
            return Err(PtauError::DuplicateSection { id });
        }
        input.require(size)?;
        let end = input.position + size;
        found.section(id, size, &mut input)?;
        input.skip(end - input.position)?;
    }
    if input.position != len {
        return Err(PtauError::Trailing { bytes: len - input.position });
    }
    found.finish(&input.hasher.finalize().into(), input.progress)
}

/// What has been found so far.
#[derive(Default)]
struct Found {
    max_k: u32,
    power: Option<u32>,
    powers: Vec<G1Affine>,
    tau_g2: Option<G2Affine>,
    /// In snarkjs's order.
    lagrange: Vec<(u32, Vec<G1Affine>)>,
}

impl Found {
    /// Reads what is needed of a section of `size` bytes, which the file does have.
    fn section<R: Read>(&mut self, id: u32, size: u64, input: &mut Input<'_, R>) -> Result<(), PtauError> {
        if id == HEADER {
            self.power = Some(header(size, input)?);
            return Ok(());
        }
        let Some(power) = self.power else {
            // Only what the header gives no size to may come before it.
            return if (2..=6).contains(&id) || id == LAGRANGE_G1 {
                Err(PtauError::SectionOrder { id, needs: HEADER })
            } else {
                Ok(())
            };
        };
        let (g1, g2) = (G1_BYTES as u64, G2_BYTES as u64);
        let expected = match id {
            TAU_G1 => ((2 << power) - 1) * g1,
            TAU_G2 => (1 << power) * g2,
            4 | 5 => (1 << power) * g1,
            6 => g2,
            LAGRANGE_G1 => ((4 << power) - 1) * g1,
            _ => return Ok(()),
        };
        if size != expected {
            return Err(PtauError::SectionSize { id, expected, found: size });
        }
        let k = power.min(self.max_k);
        match id {
            TAU_G1 => self.powers = input.points(id, 0, 1 << k)?,
            TAU_G2 => {
                let mut point = |index| {
                    let raw = input.array::<G2_BYTES>()?;
                    g2_from_raw(&raw).map_err(|fault| PtauError::Point { section: TAU_G2, index, fault })
                };
                if point(0)? != G2Affine::generator() {
                    return Err(PtauError::NotGenerator { section: TAU_G2 });
                }
                self.tau_g2 = Some(point(1)?);
            }
            LAGRANGE_G1 => {
                let first = k.min(MIN_PREPARED_K);
                let before = (1 << first) - 1;
                input.skip(before * g1)?;
                for p in first..=k {
                    self.lagrange.push((p, input.points(id, (1 << p) - 1, 1 << p)?));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The checks that need everything, at a challenge drawn from the hash of the file.
    fn finish(self, hash: &[u8; 64], progress: &mut dyn FnMut(SrsProgress)) -> Result<PtauImport, PtauError> {
        let missing = |id| PtauError::MissingSection { id };
        let power = self.power.ok_or(missing(HEADER))?;
        let first = *self.powers.first().ok_or(missing(TAU_G1))?;
        let tau_g2 = self.tau_g2.ok_or(missing(TAU_G2))?;
        let k = power.min(self.max_k);
        let n = 1usize << k;
        if first != G1Affine::generator() {
            return Err(PtauError::NotGenerator { section: TAU_G1 });
        }
        // τ^(n/2) = 1 exactly if τ is in the domain of n/2 points.
        if self.powers[n / 2] == first {
            return Err(PtauError::NoContribution);
        }
        let total = 2 * n as u64;
        progress(SrsProgress { stage: SrsStage::Checking, done: 0, total });
        let digest: [u8; 64] =
            Blake2b512::new_with_prefix(b"tacit/srs/check/1").chain_update(hash).finalize().into();
        let check = Consistency::new(Fr::from_uniform_bytes(&digest), n);
        if !check.powers_match(&self.powers, &tau_g2) {
            return Err(PtauError::Powers);
        }
        progress(SrsProgress { stage: SrsStage::Checking, done: n as u64, total });
        let mut prepared = Vec::with_capacity(self.lagrange.len());
        for (p, points) in self.lagrange {
            let lagrange = reorder(&points, p);
            if check.lagrange_match(&self.powers[..1 << p], &lagrange, p) {
                prepared.push((p, lagrange));
            }
        }
        progress(SrsProgress { stage: SrsStage::Checking, done: total, total });
        let origin = SrsOrigin::of_file(*hash);
        Ok(PtauImport { origin, power, k, powers: self.powers, tau_g2, prepared })
    }
}

/// Reads section 1 and returns the power.
fn header<R: Read>(size: u64, input: &mut Input<'_, R>) -> Result<u32, PtauError> {
    // The coordinate's length comes first, and says how long the section is: another curve is told before another size.
    if size < 4 {
        return Err(PtauError::SectionSize { id: HEADER, expected: 44, found: size });
    }
    if input.u32()? != 32 {
        return Err(PtauError::WrongCurve);
    }
    if size != 44 {
        return Err(PtauError::SectionSize { id: HEADER, expected: 44, found: size });
    }
    if input.array()? != PRIME {
        return Err(PtauError::WrongCurve);
    }
    let power = input.u32()?;
    if !(1..=MAX_K).contains(&power) {
        return Err(PtauError::Power { found: power });
    }
    let found = input.u32()?;
    if !(power..=MAX_K).contains(&found) {
        return Err(PtauError::CeremonyPower { found, power });
    }
    Ok(power)
}

/// Puts the Lagrange points of `2^k` points from snarkjs's domain into the order of ours.
///
/// With `ω' = ω^e` (`ω'` theirs), their point `i` belongs to `ω'^i = ω^(e i)`.
fn reorder(points: &[G1Affine], k: u32) -> Vec<G1Affine> {
    let n = points.len();
    let e = discrete_log(snarkjs_root_of_unity(k), root_of_unity(k), k) as usize;
    let mut out = vec![G1Affine::identity(); n];
    for (i, point) in points.iter().enumerate() {
        out[e * i % n] = *point;
    }
    out
}

fn snarkjs_root_of_unity(k: u32) -> Fr {
    // (r - 1) / 2^28, by shifting the bytes of -1.
    let minus_one = num_limbs(-Fr::ONE);
    let shifted: [u64; 4] = std::array::from_fn(|i| {
        minus_one[i] >> Fr::S | minus_one.get(i + 1).map_or(0, |x| x << (64 - Fr::S))
    });
    (k..Fr::S).fold(Fr::from(SNARKJS_NON_RESIDUE).pow_vartime(shifted), |root, _| root.square())
}

/// Canonical little-endian limbs.
fn num_limbs(x: Fr) -> [u64; 4] {
    let bytes = x.to_repr();
    let (limbs, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|i| u64::from_le_bytes(limbs[i]))
}

/// The `e < 2^k` with `base^e = target`, for a `base` of order `2^k` and a `target` in its group, bit by bit
/// (Pohlig–Hellman).
fn discrete_log(target: Fr, base: Fr, k: u32) -> u64 {
    let mut e = 0;
    for bit in 0..k {
        let rest = target * base.pow_vartime([(1 << k) - e]);
        if rest.pow_vartime([1 << (k - 1 - bit)]) != Fr::ONE {
            e |= 1 << bit;
        }
    }
    e
}

/// A reader of known length that hashes what it reads.
struct Input<'a, R> {
    reader: R,
    hasher: Blake2b512,
    position: u64,
    len: u64,
    progress: &'a mut dyn FnMut(SrsProgress),
}

impl<R: Read> Input<'_, R> {
    /// Checks that `needed` more bytes are there.
    fn require(&self, needed: u64) -> Result<(), PtauError> {
        let left = self.len - self.position;
        if needed > left {
            return Err(PtauError::Truncated { position: self.position, needed, left });
        }
        Ok(())
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), PtauError> {
        let needed = buffer.len() as u64;
        self.require(needed)?;
        self.reader.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => PtauError::Truncated { position: self.position, needed, left: 0 },
            _ => PtauError::Io(error),
        })?;
        self.hasher.update(&*buffer);
        self.position += needed;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PtauError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, PtauError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, PtauError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Passes the next `size` bytes through `each` in chunks of whole points.
    fn chunks(
        &mut self,
        mut size: u64,
        mut each: impl FnMut(&[u8]) -> Result<(), PtauError>,
    ) -> Result<(), PtauError> {
        self.require(size)?;
        let mut buffer = vec![0; size.min(CHUNK as u64) as usize];
        while size > 0 {
            let chunk = &mut buffer[..size.min(CHUNK as u64) as usize];
            self.fill(chunk)?;
            size -= chunk.len() as u64;
            each(chunk)?;
            (self.progress)(SrsProgress { stage: SrsStage::Reading, done: self.position, total: self.len });
        }
        Ok(())
    }

    fn skip(&mut self, size: u64) -> Result<(), PtauError> {
        self.chunks(size, |_| Ok(()))
    }

    /// The next `count` points of G1, of which the first has index `first` in section `section`.
    fn points(&mut self, section: u32, first: u64, count: u64) -> Result<Vec<G1Affine>, PtauError> {
        let size = count * G1_BYTES as u64;
        self.require(size)?;
        let mut points = Vec::with_capacity(count as usize);
        self.chunks(size, |chunk| {
            let done = points.len() as u64;
            extend_from_raw(&mut points, chunk).map_err(|(i, fault)| {
                let index = first + done + i as u64;
                PtauError::Point { section, index, fault }
            })
        })?;
        Ok(points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        for k in 1..=10 {
            let root = snarkjs_root_of_unity(k);
            assert_eq!(root.pow_vartime([1 << k]), Fr::ONE);
            assert_ne!(root.pow_vartime([1 << (k - 1)]), Fr::ONE);
            let e = discrete_log(root, root_of_unity(k), k);
            assert_eq!(root_of_unity(k).pow_vartime([e]), root);
        }
    }
}
