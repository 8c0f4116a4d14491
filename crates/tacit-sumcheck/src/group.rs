//! Grumpkin: the group that commitments live in, its generators, encodings and multi-scalar multiplication.
//!
//! Sums of many points are taken in rounds of independent affine additions that share one inversion: six
//! multiplications for an addition, where projective formulas need eleven or more. Running times depend on the
//! scalars.

use std::sync::{Arc, OnceLock, RwLock};

use blake2::{Blake2b512, Digest};
use halo2curves::{
    CurveAffine,
    ff::{Field, FromUniformBytes, PrimeField},
    group::{Curve, Group, prime::PrimeCurveAffine},
    grumpkin::{self, Fq},
};
use rayon::prelude::*;

/// Scalars of the group: the engine's field.
pub(crate) type F = grumpkin::Fr;
/// A point in projective coordinates.
pub(crate) type Point = grumpkin::G1;
/// A point in affine coordinates.
pub(crate) type Affine = grumpkin::G1Affine;

/// Domain of every generator; a change of it is a change of protocol.
const DOMAIN: &str = "tacit/grumpkin/1";

/// Bases nobody knows a relation between, by [`hash_to_curve`].
#[derive(Debug)]
pub(crate) struct Generators {
    /// Row generators `G_0, G_1, …`, from the messages `"row" ‖ index` (64 bits, little-endian).
    pub(crate) rows: Vec<Affine>,
    /// Blinding base `H`, from `"blind"`.
    pub(crate) h: Affine,
    /// Base `U` of committed scalars, from `"scalar"`.
    pub(crate) u: Affine,
}

impl Generators {
    /// At least `columns` row generators. The process keeps the longest list asked for so far.
    pub(crate) fn get(columns: usize) -> Arc<Self> {
        static CACHE: OnceLock<RwLock<Arc<Generators>>> = OnceLock::new();
        let cache = CACHE.get_or_init(|| RwLock::new(Arc::new(Self::extended(&[], 0))));
        // A poisoned lock still holds a whole list: the only write is one assignment.
        let known = Arc::clone(&cache.read().unwrap_or_else(|poisoned| poisoned.into_inner()));
        if known.rows.len() >= columns {
            return known;
        }
        // Outside the lock: two threads may compute the same points, but none waits holding it.
        let longer = Arc::new(Self::extended(&known.rows, columns.next_power_of_two()));
        let mut slot = cache.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if slot.rows.len() < longer.rows.len() {
            *slot = longer;
        }
        Arc::clone(&slot)
    }

    /// `columns` row generators, of which `known` are the first.
    fn extended(known: &[Affine], columns: usize) -> Self {
        let (u, h) = scalar_bases();
        let hash = |index: usize| {
            let mut message = *b"row\0\0\0\0\0\0\0\0";
            message[3..].copy_from_slice(&(index as u64).to_le_bytes());
            hash_to_curve(&message)
        };
        let new: Vec<Affine> = (known.len()..columns).into_par_iter().map(hash).collect();
        Self { rows: [known, &new].concat(), h, u }
    }
}

/// `U` and `H`, without any row generator.
pub(crate) fn scalar_bases() -> (Affine, Affine) {
    static BASES: OnceLock<(Affine, Affine)> = OnceLock::new();
    *BASES.get_or_init(|| (hash_to_curve(b"scalar"), hash_to_curve(b"blind")))
}

/// The point with even `y` at the first `x` that has one, of the uniform field elements made from BLAKE2b-512 of
/// [`DOMAIN`], the message's length (one byte), the message and a counter (one byte) from zero.
pub(crate) fn hash_to_curve(message: &[u8]) -> Affine {
    let length = [u8::try_from(message.len()).expect("messages are short")];
    let candidate = |counter: u8| {
        let hash = Blake2b512::new().chain_update(DOMAIN).chain_update(length).chain_update(message);
        let x = Fq::from_uniform_bytes(&hash.chain_update([counter]).finalize().into());
        let square = x * x * x + Affine::b();
        if square.jacobi() != 1 {
            return None;
        }
        let y = sqrt(&square)?;
        Some(Affine { x, y: if is_odd(&y) { -y } else { y } })
    };
    (0..=u8::MAX).find_map(candidate).expect("every other candidate succeeds")
}

/// The compressed encoding: `x` in 32 little-endian bytes, bit 254 the parity of `y`, bit 255 the identity.
pub(crate) fn encode(p: &Affine) -> [u8; 32] {
    let mut bytes = p.x.to_bytes();
    bytes[31] |= u8::from(is_odd(&p.y)) << 6 | u8::from(bool::from(p.is_identity())) << 7;
    bytes
}

/// The point that [`encode`] maps to these bytes; `None` for any other bytes and for the identity.
pub(crate) fn decode(bytes: &[u8; 32]) -> Option<Affine> {
    let mut x = *bytes;
    x[31] &= 0x3f;
    let x = Option::<Fq>::from(Fq::from_bytes(&x))?;
    let y = sqrt(&(x * x * x + Affine::b()))?;
    let point = Affine { x, y: if is_odd(&y) == (bytes[31] & 0x40 != 0) { y } else { -y } };
    (encode(&point) == *bytes).then_some(point)
}

fn is_odd(f: &Fq) -> bool {
    low_limb(f) % 2 == 1
}

/// Bits of a discrete logarithm looked up at a time; four times as many are the two-adicity of `p − 1`.
const LOG_BITS: usize = 7;

/// Tables for square roots, `g` being the root of unity of order `2^28`.
struct Roots {
    /// `g^(−j·2^(7i))` at `[i][j]`.
    powers: [Vec<Fq>; 4],
    /// The lowest limb of `g^(j·2^21)`, and `j`; sorted.
    logs: Vec<(u64, usize)>,
}

impl Roots {
    fn get() -> &'static Self {
        static ROOTS: OnceLock<Roots> = OnceLock::new();
        ROOTS.get_or_init(|| {
            let powers_of = |base: Fq| -> Vec<Fq> {
                std::iter::successors(Some(Fq::one()), |power| Some(power * base))
                    .take(1 << LOG_BITS)
                    .collect()
            };
            let raised = |base: Fq, i: usize| (0..i * LOG_BITS).fold(base, |power, _| power * power);
            let powers = std::array::from_fn(|i| powers_of(raised(Fq::ROOT_OF_UNITY_INV, i)));
            let logs = powers_of(raised(Fq::ROOT_OF_UNITY, 3));
            let mut logs: Vec<_> = logs.iter().enumerate().map(|(j, power)| (low_limb(power), j)).collect();
            logs.sort_unstable();
            Self { powers, logs }
        })
    }
}

fn low_limb(f: &Fq) -> u64 {
    <[u64; 4]>::from(*f)[0]
}

/// A square root, if there is one and it is not zero.
///
/// Tonelli–Shanks with the logarithm in the group of order `2^28` looked up in four digits (Sarkar 2020,
/// <https://eprint.iacr.org/2020/1407>).
fn sqrt(square: &Fq) -> Option<Fq> {
    /// `(t − 1)/2` for `p − 1 = 2^28·t`, most significant digit first, four bits each.
    const EXPONENT: &[u8; 57] = b"183227397098d014dc2822db40c0ac2e9419f4243cdcb848a1f0fac9f";
    let mut small = [Fq::one(); 16];
    for i in 1..16 {
        small[i] = small[i - 1] * square;
    }
    let mut power = Fq::one();
    for digit in EXPONENT {
        for _ in 0..4 {
            power *= power;
        }
        power *= small[usize::from(if *digit <= b'9' { digit - b'0' } else { digit - b'a' + 10 })];
    }
    // `root² = square·unit`, and `unit` is in the group of order `2^28`.
    let root = square * power;
    let unit = root * power;

    let roots = Roots::get();
    let mut raised = [unit; 4];
    for i in 1..4 {
        raised[i] = (0..LOG_BITS).fold(raised[i - 1], |power, _| power * power);
    }
    let mut log = 0;
    let digit = |log: usize, i: usize| (log >> (LOG_BITS * i)) % (1 << LOG_BITS);
    for i in 0..4 {
        let rest = (0..i).fold(raised[3 - i], |rest, j| rest * roots.powers[3 - i + j][digit(log, j)]);
        let found = roots.logs.binary_search_by_key(&low_limb(&rest), |(limb, _)| *limb).ok()?;
        log |= roots.logs[found].1 << (LOG_BITS * i);
    }
    let root = (0..4).fold(root, |root, i| root * roots.powers[i][digit(log / 2, i)]);
    (root * root == *square).then_some(root)
}

/// [`decode`] for points one after another, 32 bytes each; `None` if any is refused or bytes are left over.
pub(crate) fn decode_all(bytes: &[u8]) -> Option<Vec<Affine>> {
    let (points, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() {
        return None;
    }
    points.par_iter().with_min_len(32).map(decode).collect()
}

/// Affine coordinates of all points with one inversion per thread.
pub(crate) fn normalise(points: &[Point]) -> Vec<Affine> {
    let mut affine = vec![Affine::identity(); points.len()];
    let chunk = points.len().div_ceil(rayon::current_num_threads()).max(64);
    points.par_chunks(chunk).zip(affine.par_chunks_mut(chunk)).for_each(|(from, to)| {
        Point::batch_normalize(from, to);
    });
    affine
}

/// `Σ scalars[i]·bases[i]` over the shorter of the two lengths. Timing depends on the scalars.
pub(crate) fn msm(scalars: &[F], bases: &[Affine]) -> Point {
    let (scalars, bases): (Vec<[u64; 4]>, Vec<Affine>) = scalars
        .iter()
        .zip(bases)
        .filter(|(scalar, base)| !bool::from(scalar.is_zero() | base.is_identity()))
        .map(|(scalar, base)| (<[u64; 4]>::from(*scalar), *base))
        .unzip();
    // What a cache holds.
    const CHUNK: usize = 1 << 15;
    scalars
        .par_chunks(CHUNK)
        .zip(bases.par_chunks(CHUNK))
        .map(|(scalars, bases)| msm_chunk(scalars, bases))
        .sum()
}

/// [`msm`] of at least one point.
fn msm_chunk(scalars: &[[u64; 4]], bases: &[Affine]) -> Point {
    // One more than the longest scalar's, for the carry of balanced digits.
    let used = scalars.iter().fold([0; 4], |used, scalar| std::array::from_fn(|i| used[i] | scalar[i]));
    let bits = (0..4).map(|i| if used[i] == 0 { 0 } else { 64 * i + 65 - used[i].leading_zeros() as usize });
    let bits = bits.max().expect("four limbs");
    let width = (2..16)
        .min_by_key(|&width| bits.div_ceil(width) * (scalars.len() + (1 << width)))
        .expect("the range is not empty");
    let windows = bits.div_ceil(width);
    // One thread's share of the windows, but no more at a time than its cache holds.
    let share = windows.div_ceil(rayon::current_num_threads()).min((1 << 15) / scalars.len()).max(1);
    let partial = |first: usize| {
        let windows = share.min(windows - first);
        let mut entries = Vec::with_capacity(windows * scalars.len());
        for (index, scalar) in scalars.iter().enumerate() {
            for window in 0..windows {
                entries.extend(Entry::new(window, width, booth(scalar, first + window, width), index));
            }
        }
        horner(&bucket_sums(windows, width, &entries, |index| bases[index]))
    };
    let mut sums: Vec<Jacobian> =
        (0..windows.div_ceil(share)).into_par_iter().map(|job| partial(job * share)).collect();
    let mut total = sums.pop().unwrap_or(Jacobian::IDENTITY);
    for sum in sums.iter().rev() {
        for _ in 0..share * width {
            total = total.double();
        }
        total = total.add(&Point::from(*sum).to_affine());
    }
    total.into()
}

/// Digit `window` of `scalar` in base `2^width`, balanced: `−2^(width−1) ≤ digit ≤ 2^(width−1)`.
pub(crate) fn booth(scalar: &[u64; 4], window: usize, width: usize) -> i64 {
    // The bits of the window, and below them the top bit of the window before.
    let bits = |from: usize, count: usize| {
        let word = |i: usize| u128::from(scalar.get(i).copied().unwrap_or(0));
        let pair = word(from / 64) | word(from / 64 + 1) << 64;
        (pair >> (from % 64)) as i64 & ((1 << count) - 1)
    };
    let low = window * width;
    let digit = bits(low, width);
    let carry = if low == 0 { 0 } else { bits(low - 1, 1) };
    digit + carry - ((digit >> (width - 1)) << width)
}

/// A point to be added to, or taken from, a bucket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    bucket: u32,
    /// Twice the index of the point, and one more if it is to be subtracted.
    source: u32,
}

impl Entry {
    /// `digit` times the point at `index`, in `set`; nothing if the digit is zero.
    ///
    /// Digits are at most `2^(width−1)` in absolute value.
    pub(crate) fn new(set: usize, width: usize, digit: i64, index: usize) -> Option<Self> {
        let bucket = (set << (width - 1)) + (digit.unsigned_abs().checked_sub(1)? as usize);
        Some(Self { bucket: bucket as u32, source: (index as u32) << 1 | u32::from(digit < 0) })
    }
}

/// For each set of `2^(width−1)` buckets, `width` points `S_0, …` with
/// `Σ_k 2^k·S_k = Σ_j (j + 1)·(sum of bucket j)`. A later set's points follow those of the one before.
pub(crate) fn bucket_sums(
    sets: usize,
    width: usize,
    entries: &[Entry],
    point: impl Fn(usize) -> Affine,
) -> Vec<Affine> {
    // Sorted by bucket.
    let mut counts = vec![0; sets << (width - 1)];
    for entry in entries {
        counts[entry.bucket as usize] += 1;
    }
    let mut next = counts.clone();
    let mut total = 0;
    for slot in &mut next {
        (*slot, total) = (total, total + *slot);
    }
    let mut order = vec![0; entries.len()];
    for entry in entries {
        let slot = &mut next[entry.bucket as usize];
        order[*slot as usize] = entry.source;
        *slot += 1;
    }
    let signed = |i: usize| {
        // No branch on the sign: nothing could predict it.
        let Affine { x, y } = point(order[i] as usize >> 1);
        Affine { x, y: [y, -y][order[i] as usize % 2] }
    };
    let mut adder = Adder::default();
    let points = adder.halve(&mut counts, signed);
    let sums = adder.finish(points, &mut counts);
    let mut sums = sums.into_iter();
    let mut buckets: Vec<Affine> = counts
        .iter()
        .map(|&count| if count == 0 { Affine::identity() } else { sums.next().unwrap_or_default() })
        .collect();

    // Bucket `j` weighs `j + 1`: once in the sum of all, and by the bits of `j`. Adding neighbours and keeping the
    // odd ones takes off one bit after another.
    let mut odd = Vec::with_capacity(buckets.len());
    let mut counts = Vec::with_capacity(width * sets);
    for level in 1..width {
        odd.extend(buckets.iter().skip(1).step_by(2));
        counts.resize(counts.len() + sets, 1u32 << (width - 1 - level));
        let mut pairs = vec![2; buckets.len() / 2];
        buckets = adder.halve(&mut pairs, |i| buckets[i]);
    }
    // The sum of all joins the lowest bit.
    let bits = adder.finish(odd, &mut counts);
    let lowest = if width == 1 {
        buckets
    } else {
        let mut pairs = vec![2; sets];
        adder.halve(&mut pairs, |i| if i % 2 == 0 { buckets[i / 2] } else { bits[i / 2] })
    };
    (0..sets)
        .flat_map(|set| (0..width).map(move |bit| (set, bit)))
        .map(|(set, bit)| match bit {
            0 => lowest[set],
            _ if bit == width - 1 => Affine::identity(),
            _ => bits[bit * sets + set],
        })
        .collect()
}

/// `Σ_k 2^k·bits[k]` with `bits` as [`bucket_sums`] makes them, the sets being the digits of one number.
pub(crate) fn horner(bits: &[Affine]) -> Jacobian {
    bits.iter().rev().fold(Jacobian::IDENTITY, |sum, bit| sum.double().add(bit))
}

/// The sum of each pair.
pub(crate) fn add_pairs(count: usize, pair: impl Fn(usize) -> (Affine, Affine)) -> Vec<Affine> {
    let point = |i| if i % 2 == 0 { pair(i / 2).0 } else { pair(i / 2).1 };
    Adder::default().halve(&mut vec![2; count], point)
}

/// Additions that share an inversion.
#[derive(Default)]
struct Adder {
    /// Where each addition reads its two neighbouring operands and writes its sum.
    pairs: Vec<(u32, u32)>,
    /// The operands, two for each addition.
    operands: Vec<Affine>,
    /// For each addition, the product of the denominators before.
    products: Vec<Fq>,
}

impl Adder {
    /// Additions to one inversion, which costs about a hundred multiplications.
    const BATCH: usize = 256;

    /// Sums of runs of neighbouring points; no point for an empty run.
    fn finish(&mut self, mut points: Vec<Affine>, counts: &mut [u32]) -> Vec<Affine> {
        while counts.iter().any(|&count| count > 1) {
            points = self.halve(counts, |i| points[i]);
        }
        points
    }

    /// Adds neighbours in runs of `counts` points, whose lengths become half, rounded up.
    fn halve(&mut self, counts: &mut [u32], point: impl Fn(usize) -> Affine) -> Vec<Affine> {
        let total: u32 = counts.iter().map(|count| count.div_ceil(2)).sum();
        let mut sums = vec![Affine::identity(); total as usize];
        let (mut read, mut write) = (0, 0);
        for count in counts {
            for _ in 0..*count / 2 {
                self.pairs.push((read, write));
                read += 2;
                write += 1;
                if self.pairs.len() == Self::BATCH {
                    self.flush(&mut sums, &point);
                }
            }
            if *count % 2 == 1 {
                sums[write as usize] = point(read as usize);
                read += 1;
                write += 1;
            }
            *count = count.div_ceil(2);
        }
        self.flush(&mut sums, &point);
        sums
    }

    fn flush(&mut self, sums: &mut [Affine], point: impl Fn(usize) -> Affine) {
        let mut product = Fq::one();
        self.operands.clear();
        self.products.clear();
        for &(read, _) in &self.pairs {
            let operands = [point(read as usize), point(read as usize + 1)];
            self.products.push(product);
            product *= denominator(&operands[0], &operands[1]);
            self.operands.extend(operands);
        }
        let mut inverse = product.invert().unwrap_or(Fq::zero());
        let operands = self.operands.as_chunks().0;
        for ((&(_, write), [p, q]), product) in self.pairs.iter().zip(operands).zip(&self.products).rev() {
            sums[write as usize] = add_with(p, q, &(inverse * product));
            inverse *= denominator(p, q);
        }
        self.pairs.clear();
    }
}

/// What [`add_with`] needs the inverse of. Never zero.
#[inline(always)]
fn denominator(p: &Affine, q: &Affine) -> Fq {
    // No point of the curve has `y = 0`: the group's order is odd. So `y = 0` says identity.
    if p.x != q.x && p.y != Fq::zero() && q.y != Fq::zero() {
        q.x - p.x
    } else if p == q && p.y != Fq::zero() {
        p.y.double()
    } else {
        Fq::one()
    }
}

/// `p + q`, given the inverse of their [`denominator`].
#[inline(always)]
fn add_with(p: &Affine, q: &Affine, inverse: &Fq) -> Affine {
    let slope = if p.x != q.x && p.y != Fq::zero() && q.y != Fq::zero() {
        (q.y - p.y) * inverse
    } else if q.y == Fq::zero() {
        return *p;
    } else if p.y == Fq::zero() {
        return *q;
    } else if p.y == q.y {
        let square = p.x * p.x;
        (square.double() + square) * inverse
    } else {
        return Affine::identity();
    };
    let x = slope * slope - p.x - q.x;
    Affine { x, y: slope * (p.x - x) - p.y }
}

/// A point `(x/z², y/z³)`: what doubles fastest. The identity has `z = 0`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Jacobian {
    x: Fq,
    y: Fq,
    z: Fq,
}

impl Jacobian {
    /// The neutral element.
    pub(crate) const IDENTITY: Self = Self { x: Fq::one(), y: Fq::one(), z: Fq::zero() };

    /// Twice the point (`dbl-2009-l` of the Explicit-Formulas Database).
    pub(crate) fn double(&self) -> Self {
        let a = self.x * self.x;
        let b = self.y * self.y;
        let c = b * b;
        let xb = self.x + b;
        let d = (xb * xb - a - c).double();
        let e = a.double() + a;
        let x = e * e - d.double();
        Self { x, y: e * (d - x) - c.double().double().double(), z: (self.y * self.z).double() }
    }

    /// The sum with an affine point.
    pub(crate) fn add(&self, other: &Affine) -> Self {
        if other.y == Fq::zero() {
            return *self;
        }
        if self.z == Fq::zero() {
            return Self { x: other.x, y: other.y, z: Fq::one() };
        }
        let zz = self.z * self.z;
        let h = other.x * zz - self.x;
        let r = other.y * (zz * self.z) - self.y;
        if h == Fq::zero() {
            return if r == Fq::zero() { self.double() } else { Self::IDENTITY };
        }
        let hh = h * h;
        let hhh = hh * h;
        let v = self.x * hh;
        let x = r * r - hhh - v.double();
        Self { x, y: r * (v - x) - self.y * hhh, z: self.z * h }
    }
}

impl From<Affine> for Jacobian {
    fn from(p: Affine) -> Self {
        Self::IDENTITY.add(&p)
    }
}

impl From<Jacobian> for Point {
    fn from(p: Jacobian) -> Self {
        if p.z == Fq::zero() {
            return Self::identity();
        }
        Self { x: p.x * p.z, y: p.y, z: p.z * p.z * p.z }
    }
}

/// The field element of a signed integer.
pub(crate) fn f_from_i64(v: i64) -> F {
    let magnitude = F::from(v.unsigned_abs());
    if v < 0 { -magnitude } else { magnitude }
}

/// The field element of a signed integer.
pub(crate) fn f_from_i128(v: i128) -> F {
    // The library's `from_u128` doubles and adds, bit by bit.
    let magnitude = v.unsigned_abs();
    let magnitude = F::from_raw([magnitude as u64, (magnitude >> 64) as u64, 0, 0]);
    if v < 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::HashSet;

    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};

    #[test]
    fn generators_are_distinct_and_a_longer_list_extends_a_shorter_one() {
        let short = Generators::get(5).rows.clone();
        let long = Generators::get(300);
        assert!(long.rows.len() >= 300);
        assert_eq!(short[..5], long.rows[..5]);
        let mut seen: HashSet<[u8; 32]> = long.rows.iter().map(encode).collect();
        assert!(seen.insert(encode(&long.h)) && seen.insert(encode(&long.u)));
        assert_eq!(seen.len(), long.rows.len() + 2);
        assert_eq!(long.rows[7], hash_to_curve(b"row\x07\0\0\0\0\0\0\0"));
    }

    #[test]
    fn encodings_round_trip_and_nothing_else_decodes() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let points: Vec<Affine> = (0..100).map(|_| Affine::random(&mut rng)).collect();
        let bytes: Vec<u8> = points.iter().flat_map(encode).collect();
        assert_eq!(decode_all(&bytes), Some(points.clone()));
        assert_eq!(decode_all(&bytes[..bytes.len() - 1]), None);
        assert_eq!(decode_all(&[]), Some(vec![]));
        for point in &points {
            assert_eq!(decode(&encode(point)), Some(*point));
            assert_eq!(decode(&encode(&-point)), Some(-point));
            let mut flagged = encode(point);
            flagged[31] |= 0x80;
            assert_eq!(decode(&flagged), None);
        }
        assert_eq!(decode(&encode(&Affine::identity())), None);
        assert_eq!(decode(&[0xff; 32]), None);
        let mut modulus = [0u8; 32];
        for (byte, digits) in modulus.iter_mut().rev().zip(grumpkin::Fq::MODULUS.as_bytes()[2..].chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
        }
        assert_eq!(decode(&modulus), None, "x = p");
        let mut refused = 0;
        for _ in 0..200 {
            let mut random = [0; 32];
            rng.fill_bytes(&mut random);
            random[31] &= 0x6f;
            match decode(&random) {
                Some(point) => assert_eq!(encode(&point), random),
                None => refused += 1,
            }
        }
        assert!(refused > 50);
    }

    #[test]
    fn encodings_are_those_of_the_library() {
        let mut rng = ChaCha20Rng::seed_from_u64(9);
        for _ in 0..50 {
            let point = Affine::random(&mut rng);
            assert_eq!(encode(&point), halo2curves::group::GroupEncoding::to_bytes(&point).as_ref());
        }
    }

    #[test]
    fn square_roots() {
        let mut rng = ChaCha20Rng::seed_from_u64(10);
        assert_eq!(sqrt(&Fq::ZERO), None);
        let units = std::iter::successors(Some(Fq::ROOT_OF_UNITY), |unit| Some(unit * unit)).take(30);
        let random = (0..200).map(|_| Fq::random(&mut rng));
        for f in random.chain(units).chain([Fq::ONE, -Fq::ONE, Fq::from(4)]) {
            let library = Option::<Fq>::from(f.sqrt());
            match (sqrt(&f), library) {
                (Some(ours), Some(library)) => assert!(ours == library || ours == -library),
                (ours, library) => assert_eq!(ours, library),
            }
        }
    }

    fn naive(scalars: &[F], bases: &[Affine]) -> Point {
        scalars.iter().zip(bases).map(|(s, b)| b * s).sum()
    }

    #[test]
    fn msm_matches_naive() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        for len in [0, 1, 2, 3, 7, 31, 32, 33, 100, 700] {
            let bases: Vec<Affine> = (0..len).map(|_| Affine::random(&mut rng)).collect();
            let scalars: Vec<F> = (0..len)
                .map(|i| match i % 5 {
                    0 => F::ZERO,
                    1 => F::ONE,
                    2 => -F::ONE,
                    3 => F::from(rng.next_u64()),
                    _ => F::random(&mut rng),
                })
                .collect();
            assert_eq!(msm(&scalars, &bases), naive(&scalars, &bases), "{len}");
        }
    }

    #[test]
    fn msm_in_pieces() {
        let mut rng = ChaCha20Rng::seed_from_u64(12);
        let some: Vec<Affine> = (0..50).map(|_| Affine::random(&mut rng)).collect();
        let bases: Vec<Affine> = some.iter().cycle().take((1 << 15) + 100).copied().collect();
        let scalars: Vec<F> = bases.iter().map(|_| F::random(&mut rng)).collect();
        let mut folded = vec![F::ZERO; some.len()];
        scalars.iter().enumerate().for_each(|(i, scalar)| folded[i % some.len()] += scalar);
        assert_eq!(msm(&scalars, &bases), naive(&folded, &some));
    }

    #[test]
    fn msm_of_short_scalars() {
        let mut rng = ChaCha20Rng::seed_from_u64(11);
        for bits in 1..=64 {
            let bases: Vec<Affine> = (0..40).map(|_| Affine::random(&mut rng)).collect();
            let scalars: Vec<F> = bases.iter().map(|_| F::from(rng.next_u64() >> (64 - bits))).collect();
            assert_eq!(msm(&scalars, &bases), naive(&scalars, &bases), "{bits}");
        }
    }

    #[test]
    fn msm_with_coinciding_points() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let base = Affine::random(&mut rng);
        for len in [2, 3, 64, 400] {
            let same = vec![base; len];
            let signs: Vec<Affine> = (0..len).map(|i| if i % 2 == 0 { base } else { -base }).collect();
            let scalar = F::random(&mut rng);
            let equal = vec![scalar; len];
            let random: Vec<F> = (0..len).map(|_| F::random(&mut rng)).collect();
            for bases in [&same, &signs] {
                assert_eq!(msm(&equal, bases), naive(&equal, bases));
                assert_eq!(msm(&random, bases), naive(&random, bases));
            }
        }
    }

    #[test]
    fn integers() {
        for v in [0, 1, -1, i64::MAX, i64::MIN] {
            assert_eq!(f_from_i64(v) + F::from(1 << 63), F::from((v as u64) ^ (1 << 63)));
            assert_eq!(f_from_i64(v), f_from_i128(v.into()));
        }
        assert_eq!(f_from_i128(i128::MIN), -F::from(2).pow([127]));
        assert_eq!(f_from_i128(i128::MAX), F::from(2).pow([127]) - F::ONE);
    }
}
