//! Our own file of a setup for one `k`, made to load fast and to serve a verifier from its first bytes.
//!
//! Integers are little-endian; points are raw Montgomery coordinates, as the head of `points.rs` has them.
//!
//! | bytes | field |
//! | --- | --- |
//! | 0..8 | `"TACITSRS"` |
//! | 8..12 | version, 1 |
//! | 12..16 | `k` |
//! | 16..20 | origin: 0 made for development, 1 read from a `.ptau` file |
//! | 20..84 | BLAKE2b-512 of that file; zero for development. A ceremony's name follows from the hash |
//! | 84..212 | `G2`, the generator |
//! | 212..340 | `τ G2` |
//! | 340..372 | BLAKE2b-256 of the body |
//! | 372..404 | BLAKE2b-256 of bytes 0..372 |
//! | body | `τ^i G1` for `i < 2^k`, then the Lagrange basis, `2^k` points |
//!
//! The checksums find damage, not fraud: the folder that holds these files is trusted as the program is. Reading checks
//! the length before allocating, the checksums, and that every point is finite, on its curve and in the subgroup. That
//! the points are powers was checked when they were made or imported.

use std::io::{self, Read, Seek, SeekFrom, Write};

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use halo2_proofs::halo2curves::bn256::{G1Affine, G2Affine};
use halo2_proofs::halo2curves::serde::SerdeObject as _;

use super::points::{G1_BYTES, G2_BYTES, PointFault, extend_from_raw, g2_from_raw};
use super::{MAX_K, Srs, SrsFingerprint, SrsOrigin, SrsParts, VerifierSrs};

type Blake2b256 = Blake2b<U32>;

const MAGIC: [u8; 8] = *b"TACITSRS";
const VERSION: u32 = 1;
const ORIGIN_DEV: u32 = 0;
const ORIGIN_FILE: u32 = 1;
/// Bytes before the body.
pub(super) const HEAD_BYTES: usize = CHECKED_BYTES + 32;
/// Bytes of the head that its checksum covers.
const CHECKED_BYTES: usize = 8 + 4 + 4 + 4 + 64 + 2 * G2_BYTES + 32;
/// Bytes read or written at a time, a whole number of points.
const CHUNK: usize = 1 << 16;

/// Why a file of the store is refused.
#[derive(Debug, thiserror::Error)]
pub enum SrsFileError {
    /// The file could not be read.
    #[error("the file could not be read")]
    Io(#[from] io::Error),
    /// The first eight bytes are not `TACITSRS`.
    #[error("not a setup file: it does not begin with TACITSRS")]
    Magic,
    /// Another version of the format.
    #[error("version {found} of the setup format is not known; version {VERSION} is")]
    Version {
        /// The version found.
        found: u32,
    },
    /// `k` is out of bounds.
    #[error("k is {found}; 1 to {MAX_K} are possible")]
    K {
        /// The `k` found.
        found: u32,
    },
    /// The origin is none that is known, or a development setup names a file.
    #[error("the origin is not one that this version knows")]
    Origin,
    /// The file's length is not that of its `k`.
    #[error("the file has {found} bytes, and {expected} for its k")]
    Length {
        /// Bytes by `k`; of the head alone where that does not fit.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// The head does not match its checksum.
    #[error("the head does not match its checksum: the file is damaged")]
    HeadChecksum,
    /// The points do not match their checksum.
    #[error("the points do not match their checksum: the file is damaged")]
    BodyChecksum,
    /// A point of G1 is not usable; powers first, then the Lagrange basis.
    #[error("point {index} is refused: {fault}")]
    Point {
        /// Index among the points of the body.
        index: usize,
        /// What is wrong with it.
        fault: PointFault,
    },
    /// `τ G2` is not usable.
    #[error("the point of G2 is refused: {fault}")]
    PointG2 {
        /// What is wrong with it.
        fault: PointFault,
    },
    /// The first power, or the point of G2 beside `τ G2`, is not the generator.
    #[error("the first power or the first point of G2 is not the generator of its group")]
    NotGenerator,
}

/// Reads a setup from a file of `len` bytes.
///
/// # Errors
///
/// [`SrsFileError`] for whatever is wrong with the file.
pub fn read_srs(reader: &mut impl Read, len: u64) -> Result<Srs, SrsFileError> {
    read(reader, len).map(Srs::from)
}

/// Reads what a verifier needs from the first bytes of a file of `len` bytes.
///
/// # Errors
///
/// [`SrsFileError`] if the length is not that of the `k` in the head, or the head is damaged.
pub fn read_verifier(reader: &mut impl Read, len: u64) -> Result<VerifierSrs, SrsFileError> {
    let head = Head::read(reader, len)?;
    Ok(VerifierSrs::from_checked(head.origin, head.k, head.tau_g2()?))
}

/// The head of a file: checksum, magic, version, `k`, origin and length are checked, the points are not.
pub(super) struct Head {
    pub(super) origin: SrsOrigin,
    pub(super) k: u32,
    g2: [u8; G2_BYTES],
    tau_g2: [u8; G2_BYTES],
    body_checksum: [u8; 32],
}

impl Head {
    pub(super) fn read(reader: &mut impl Read, len: u64) -> Result<Self, SrsFileError> {
        if len < HEAD_BYTES as u64 {
            return Err(SrsFileError::Length { expected: HEAD_BYTES as u64, found: len });
        }
        let mut bytes = [0; HEAD_BYTES];
        reader.read_exact(&mut bytes)?;
        let mut fields = bytes.as_slice();
        if take(&mut fields) != MAGIC {
            return Err(SrsFileError::Magic);
        }
        let version = u32::from_le_bytes(take(&mut fields));
        if version != VERSION {
            return Err(SrsFileError::Version { found: version });
        }
        let checksum: [u8; 32] = Blake2b256::digest(&bytes[..CHECKED_BYTES]).into();
        if checksum != bytes[CHECKED_BYTES..] {
            return Err(SrsFileError::HeadChecksum);
        }
        let k = u32::from_le_bytes(take(&mut fields));
        if !(1..=MAX_K).contains(&k) {
            return Err(SrsFileError::K { found: k });
        }
        let tag = u32::from_le_bytes(take(&mut fields));
        let hash = take::<64>(&mut fields);
        let origin = match tag {
            ORIGIN_DEV if hash == [0; 64] => SrsOrigin::UnsafeDev,
            ORIGIN_FILE => SrsOrigin::of_file(hash),
            _ => return Err(SrsFileError::Origin),
        };
        let expected = HEAD_BYTES as u64 + ((2 * G1_BYTES as u64) << k);
        if len != expected {
            return Err(SrsFileError::Length { expected, found: len });
        }
        let (g2, tau_g2, body_checksum) = (take(&mut fields), take(&mut fields), take(&mut fields));
        Ok(Self { origin, k, g2, tau_g2, body_checksum })
    }

    /// `τ G2`, checked.
    pub(super) fn tau_g2(&self) -> Result<G2Affine, SrsFileError> {
        if self.g2.as_slice() != G2Affine::generator().to_raw_bytes() {
            return Err(SrsFileError::NotGenerator);
        }
        g2_from_raw(&self.tau_g2).map_err(|fault| SrsFileError::PointG2 { fault })
    }

    /// The fingerprint of the points of G2, as far as they are points.
    pub(super) fn fingerprint(&self) -> Result<SrsFingerprint, SrsFileError> {
        let point = G2Affine::from_raw_bytes(&self.tau_g2);
        let tau_g2 = point.ok_or(SrsFileError::PointG2 { fault: PointFault::NotOnCurve })?;
        Ok(SrsFingerprint::of(&G2Affine::generator(), &tau_g2))
    }
}

/// Takes the next `N` bytes of a head, of which there are enough: the fields add up to [`HEAD_BYTES`].
fn take<const N: usize>(fields: &mut &[u8]) -> [u8; N] {
    let (field, rest) = fields.split_first_chunk().expect("the fields of a head add up to its length");
    *fields = rest;
    *field
}

/// Reads the parts of a setup from a file of `len` bytes.
pub(super) fn read(reader: &mut impl Read, len: u64) -> Result<SrsParts, SrsFileError> {
    let head = Head::read(reader, len)?;
    let tau_g2 = head.tau_g2()?;
    let n = 1usize << head.k;
    let mut hasher = Blake2b256::new();
    let mut powers = points(reader, &mut hasher, 0, n)?;
    let lagrange = points(reader, &mut hasher, n, n)?;
    let checksum: [u8; 32] = hasher.finalize().into();
    if checksum != head.body_checksum {
        return Err(SrsFileError::BodyChecksum);
    }
    if powers.first() != Some(&G1Affine::generator()) {
        return Err(SrsFileError::NotGenerator);
    }
    powers.shrink_to_fit();
    Ok(SrsParts { origin: head.origin, k: head.k, powers, lagrange, tau_g2 })
}

/// Reads `count` points, of which the first is number `first` of the body.
fn points(
    reader: &mut impl Read,
    hasher: &mut Blake2b256,
    first: usize,
    count: usize,
) -> Result<Vec<G1Affine>, SrsFileError> {
    let mut points = Vec::with_capacity(count);
    let mut buffer = vec![0; CHUNK.min(count * G1_BYTES)];
    while points.len() < count {
        let size = CHUNK.min((count - points.len()) * G1_BYTES);
        let chunk = &mut buffer[..size];
        reader.read_exact(chunk)?;
        hasher.update(&*chunk);
        let done = first + points.len();
        extend_from_raw(&mut points, chunk)
            .map_err(|(i, fault)| SrsFileError::Point { index: done + i, fault })?;
    }
    Ok(points)
}

/// Writes a setup: `powers` and `lagrange` have `2^k` points each.
pub(super) fn write(
    out: &mut (impl Write + Seek),
    origin: &SrsOrigin,
    k: u32,
    powers: &[G1Affine],
    lagrange: &[G1Affine],
    tau_g2: &G2Affine,
) -> io::Result<()> {
    debug_assert!(powers.len() == 1 << k && lagrange.len() == 1 << k);
    out.write_all(&[0; HEAD_BYTES])?;
    let mut hasher = Blake2b256::new();
    let mut buffer = Vec::with_capacity(CHUNK);
    for points in powers.chunks(CHUNK / G1_BYTES).chain(lagrange.chunks(CHUNK / G1_BYTES)) {
        buffer.clear();
        for point in points {
            point.write_raw(&mut buffer)?;
        }
        hasher.update(&buffer);
        out.write_all(&buffer)?;
    }
    let (tag, hash) = match origin {
        SrsOrigin::UnsafeDev => (ORIGIN_DEV, [0; 64]),
        SrsOrigin::Imported { blake2b } => (ORIGIN_FILE, *blake2b),
        SrsOrigin::Ceremony(file) => (ORIGIN_FILE, file.hash()),
    };
    let mut head = Vec::with_capacity(HEAD_BYTES);
    head.extend(MAGIC);
    head.extend(VERSION.to_le_bytes());
    head.extend(k.to_le_bytes());
    head.extend(tag.to_le_bytes());
    head.extend(hash);
    head.extend(G2Affine::generator().to_raw_bytes());
    head.extend(tau_g2.to_raw_bytes());
    head.extend(hasher.finalize());
    head.extend(Blake2b256::digest(&head));
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&head)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use halo2_proofs::poly::commitment::ParamsProver as _;
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::srs::{CEREMONY_FILES, dev};

    fn sample(k: u32, origin: SrsOrigin) -> Vec<u8> {
        let parts = dev::setup(k, dev::draw_secret(ChaCha20Rng::seed_from_u64(7)));
        let mut out = Cursor::new(Vec::new());
        write(&mut out, &origin, k, &parts.powers, &parts.lagrange, &parts.tau_g2)
            .expect("a vector takes all");
        out.into_inner()
    }

    fn load(bytes: &[u8]) -> Result<Srs, SrsFileError> {
        read_srs(&mut &*bytes, bytes.len() as u64)
    }

    /// Recomputes both checksums, so that what lies behind them is reached.
    fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let body = Blake2b256::digest(&bytes[HEAD_BYTES..]);
        bytes[CHECKED_BYTES - 32..CHECKED_BYTES].copy_from_slice(&body);
        let head = Blake2b256::digest(&bytes[..CHECKED_BYTES]);
        bytes[CHECKED_BYTES..HEAD_BYTES].copy_from_slice(&head);
        bytes
    }

    #[test]
    fn round_trip() {
        let origins = [
            SrsOrigin::UnsafeDev,
            SrsOrigin::Imported { blake2b: [9; 64] },
            SrsOrigin::Ceremony(&CEREMONY_FILES[3]),
        ];
        for origin in origins {
            let bytes = sample(4, origin);
            assert_eq!(bytes.len(), HEAD_BYTES + 2 * 64 * 16);
            let srs = load(&bytes).expect("own output");
            let made = Srs::unsafe_dev(4, ChaCha20Rng::seed_from_u64(7));
            assert_eq!(*srs.origin(), origin);
            assert_eq!(srs.k(), 4);
            assert_eq!(srs.params().get_g(), made.params().get_g());
            assert_eq!(srs.fingerprint(), made.fingerprint());
            let verifier = read_verifier(&mut &bytes[..HEAD_BYTES], bytes.len() as u64).expect("own output");
            assert_eq!(*verifier.origin(), origin);
            assert_eq!(verifier.fingerprint(), srs.fingerprint());
            assert_eq!(verifier.params().s_g2(), srs.params().s_g2());
        }
    }

    #[test]
    fn each_fault_has_its_error() {
        let good = sample(3, SrsOrigin::UnsafeDev);
        let with = |at: usize, patch: &[u8]| {
            let mut bytes = good.clone();
            bytes[at..at + patch.len()].copy_from_slice(patch);
            bytes
        };
        let g = HEAD_BYTES;
        assert!(matches!(load(&with(0, b"t")), Err(SrsFileError::Magic)));
        assert!(matches!(load(&with(8, &[2])), Err(SrsFileError::Version { found: 2 })));
        assert!(matches!(load(&with(12, &[2])), Err(SrsFileError::HeadChecksum)));
        for k in [0, 29, u32::MAX] {
            let error = load(&resealed(with(12, &k.to_le_bytes())));
            assert!(matches!(error, Err(SrsFileError::K { found }) if found == k));
        }
        let longer = load(&resealed(with(12, &[28])));
        assert!(matches!(longer, Err(SrsFileError::Length { expected: 0x8_0000_0194, found: 1428 })));
        assert!(matches!(load(&resealed(with(16, &[2]))), Err(SrsFileError::Origin)));
        assert!(matches!(load(&resealed(with(20, &[2]))), Err(SrsFileError::Origin)));
        assert!(matches!(load(&resealed(with(84, &good[212..340]))), Err(SrsFileError::NotGenerator)));
        let zero = load(&resealed(with(212, &[0; 128])));
        assert!(matches!(zero, Err(SrsFileError::PointG2 { fault: PointFault::Infinity })));
        let off = load(&resealed(with(212, &[0xff; 8])));
        assert!(matches!(off, Err(SrsFileError::PointG2 { fault: PointFault::NotOnCurve })));
        let body = load(&with(g + 64, &good[g + 128..g + 192]));
        assert!(matches!(body, Err(SrsFileError::BodyChecksum)));
        let swapped = load(&resealed(with(g, &good[g + 64..g + 128])));
        assert!(matches!(swapped, Err(SrsFileError::NotGenerator)));
        for (index, patch, expected) in [
            (1, [0; 64], PointFault::Infinity),
            (7, [0xff; 64], PointFault::NotCanonical),
            (9, [1; 64], PointFault::NotOnCurve),
        ] {
            match load(&resealed(with(g + 64 * index, &patch))) {
                Err(SrsFileError::Point { index: at, fault }) => assert_eq!((at, fault), (index, expected)),
                other => panic!("{other:?}"),
            }
        }
        for len in [0, 7, HEAD_BYTES - 1, HEAD_BYTES, good.len() - 1] {
            assert!(matches!(load(&good[..len]), Err(SrsFileError::Length { .. })));
        }
        let mut trailing = good.clone();
        trailing.push(0);
        assert!(matches!(load(&trailing), Err(SrsFileError::Length { .. })));
        // The length is that of the file, and the file is shorter than it said.
        assert!(matches!(read_srs(&mut &good[..500], good.len() as u64), Err(SrsFileError::Io(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_flipped_bit_is_found(at in 0usize..1428, bit in 0u8..8, cut in prop::option::of(0usize..1428)) {
            let mut bytes = sample(3, SrsOrigin::UnsafeDev);
            bytes[at] ^= 1 << bit;
            bytes.truncate(cut.unwrap_or(bytes.len()));
            prop_assert!(load(&bytes).is_err());
        }
    }
}
