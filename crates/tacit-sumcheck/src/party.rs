//! Prover and verifier as the two parties of one protocol.
//!
//! Every message that depends on a hidden value is a Pedersen commitment `C = v·U + ρ·H` to one scalar. Commitments are
//! homomorphic, so a *scalar* of the protocol is a linear form in commitments: the verifier holds its coefficients, the
//! prover its value and blinding (Wahby et al. 2018, §4; Bünz et al., "Bulletproofs" (2018), §3 for the notation). The
//! protocol is written once against [`Party`] and run by both.

use halo2curves::ff::Field;
use rayon::prelude::*;

use crate::group::{Affine, F, Point, decode_all, encode, normalise};
use crate::pedersen::Pedersen;
use crate::transcript::Transcript;

/// What a message of a proof is. The inventory of a proof is made of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Message {
    /// Commitment to a row of a witness column.
    WitnessRow,
    /// Commitment to a coefficient of a round polynomial.
    Round,
    /// Commitment to an evaluation of a committed column.
    Evaluation,
    /// Commitment to a numerator or denominator inside the lookup tree.
    Lookup,
    /// Commitment to a product of two committed scalars.
    Product,
    /// First message of a Σ-protocol: a commitment to fresh randomness.
    Mask,
    /// Cross term of the inner-product argument about a masked vector.
    Fold,
    /// Response of a Σ-protocol: a hidden value under a fresh mask.
    Response,
    /// Element of the folded masked vector.
    Folded,
}

/// Kind and bytes of every message of a proof, in order.
pub type Inventory = Vec<(Message, usize)>;

/// The proof is not of the shape that the statement asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// A scalar of the protocol.
pub(crate) trait Linear: Clone {
    /// A scalar that everybody knows.
    fn known(value: F) -> Self;
    /// The value, where everybody knows it.
    fn as_known(&self) -> Option<F>;
    /// `self += by · other`.
    fn add(&mut self, other: &Self, by: &F);
    /// `self *= by`.
    fn scale(&mut self, by: &F);

    /// `self + by · other`.
    fn plus(mut self, other: &Self, by: F) -> Self {
        self.add(other, &by);
        self
    }

    /// `self - other`.
    fn minus(self, other: &Self) -> Self {
        self.plus(other, -F::ONE)
    }
}

/// A party of the protocol.
pub(crate) trait Party {
    /// Its view of a committed scalar.
    type Scalar: Linear + Send + Sync;

    /// Sends (or receives) commitments to `count` scalars; `values` is called by the prover only.
    fn commit(
        &mut self,
        kind: Message,
        count: usize,
        values: impl FnOnce() -> Vec<F>,
    ) -> Result<Vec<Self::Scalar>, Malformed>;

    /// Sends (or receives) group elements that are no commitments to scalars.
    fn points(
        &mut self,
        kind: Message,
        count: usize,
        points: impl FnOnce() -> Vec<Affine>,
    ) -> Result<Vec<Affine>, Malformed>;

    /// Sends (or receives) field elements.
    fn elements(
        &mut self,
        kind: Message,
        count: usize,
        elements: impl FnOnce() -> Vec<F>,
    ) -> Result<Vec<F>, Malformed>;

    /// A public coin, after everything said so far.
    fn challenge(&mut self, label: &str) -> F;

    /// To be shown at the end: `a · b = c`.
    fn require_product(&mut self, a: Self::Scalar, b: Self::Scalar, c: Self::Scalar);

    /// To be shown at the end: `scalar = 0`.
    fn require_zero(&mut self, scalar: Self::Scalar);

    /// What must be shown: products, then zeros.
    fn requirements(&mut self) -> Requirements<Self::Scalar>;

    /// The value of a scalar, which the prover alone has.
    fn value(&self, scalar: &Self::Scalar) -> Option<F>;

    /// `a · b`, committed unless one of them is known to everybody.
    fn multiply(&mut self, a: &Self::Scalar, b: &Self::Scalar) -> Result<Self::Scalar, Malformed> {
        let by_known = |known: F, other: &Self::Scalar| {
            let mut product = other.clone();
            product.scale(&known);
            product
        };
        if let Some(known) = a.as_known() {
            return Ok(by_known(known, b));
        }
        if let Some(known) = b.as_known() {
            return Ok(by_known(known, a));
        }
        let value = self.value(a).zip(self.value(b)).map(|(a, b)| a * b);
        let product = self.commit(Message::Product, 1, || value.into_iter().collect())?.remove(0);
        self.require_product(a.clone(), b.clone(), product.clone());
        Ok(product)
    }

    /// `count` challenges.
    fn challenges(&mut self, label: &str, count: usize) -> Vec<F> {
        (0..count).map(|_| self.challenge(label)).collect()
    }
}

/// What is left to show once every sum-check has run.
#[derive(Debug)]
pub(crate) struct Requirements<S> {
    /// Triples `(a, b, c)` with `a · b = c`.
    pub(crate) products: Vec<(S, S, S)>,
    /// Scalars that are zero.
    pub(crate) zeros: Vec<S>,
}

impl<S> Default for Requirements<S> {
    fn default() -> Self {
        Self { products: Vec::new(), zeros: Vec::new() }
    }
}

/// The prover's scalar.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) value: F,
    pub(crate) blind: F,
    known: bool,
}

impl Linear for Opened {
    fn known(value: F) -> Self {
        Self { value, blind: F::ZERO, known: true }
    }

    fn as_known(&self) -> Option<F> {
        self.known.then_some(self.value)
    }

    fn add(&mut self, other: &Self, by: &F) {
        self.value += other.value * by;
        self.blind += other.blind * by;
        self.known &= other.known;
    }

    fn scale(&mut self, by: &F) {
        self.value *= by;
        self.blind *= by;
    }
}

/// The prover: writes the proof.
pub(crate) struct Prover {
    transcript: Transcript,
    /// Fresh for every attempt.
    rng: rand_chacha::ChaCha20Rng,
    requirements: Requirements<Opened>,
    points: Vec<u8>,
    scalars: Vec<u8>,
    /// What tests make of the fresh elements, in the order in which they are drawn.
    #[cfg(test)]
    pub(crate) tape: Option<Box<dyn FnMut(F) -> F>>,
}

impl Prover {
    pub(crate) fn new(transcript: Transcript, rng: rand_chacha::ChaCha20Rng) -> Self {
        Self {
            transcript,
            rng,
            requirements: Requirements::default(),
            points: Vec::new(),
            scalars: Vec::new(),
            #[cfg(test)]
            tape: None,
        }
    }

    /// A fresh blinding or mask.
    pub(crate) fn random(&mut self) -> F {
        let fresh = F::random(&mut self.rng);
        #[cfg(test)]
        if let Some(tape) = &mut self.tape {
            return tape(fresh);
        }
        fresh
    }

    /// The proof: number of points (4 bytes, little-endian), points, field elements.
    pub(crate) fn finish(self) -> Vec<u8> {
        let count = (self.points.len() / 32) as u32;
        [&count.to_le_bytes(), &self.points[..], &self.scalars[..]].concat()
    }

    fn send(&mut self, points: &[Affine]) {
        for point in points {
            let bytes = encode(point);
            self.transcript.absorb("point", &bytes);
            self.points.extend_from_slice(&bytes);
        }
    }
}

impl Drop for Prover {
    /// Whoever has the generator's state and the proof opens everything.
    fn drop(&mut self) {
        use rand_core::SeedableRng as _;
        self.rng = rand_chacha::ChaCha20Rng::from_seed([0; 32]);
        std::hint::black_box(&self.rng);
    }
}

impl Party for Prover {
    type Scalar = Opened;

    fn commit(
        &mut self,
        _kind: Message,
        count: usize,
        values: impl FnOnce() -> Vec<F>,
    ) -> Result<Vec<Opened>, Malformed> {
        let values = values();
        debug_assert_eq!(values.len(), count);
        let scalars: Vec<Opened> =
            values.into_iter().map(|value| Opened { value, blind: self.random(), known: false }).collect();
        let pedersen = Pedersen::get();
        let points = scalars.par_iter().with_min_len(8).map(|s| pedersen.commit(&s.value, &s.blind));
        let points: Vec<Point> = points.collect();
        self.send(&normalise(&points));
        Ok(scalars)
    }

    fn points(
        &mut self,
        _kind: Message,
        count: usize,
        points: impl FnOnce() -> Vec<Affine>,
    ) -> Result<Vec<Affine>, Malformed> {
        let points = points();
        debug_assert_eq!(points.len(), count);
        self.send(&points);
        Ok(points)
    }

    fn elements(
        &mut self,
        _kind: Message,
        count: usize,
        elements: impl FnOnce() -> Vec<F>,
    ) -> Result<Vec<F>, Malformed> {
        let elements = elements();
        debug_assert_eq!(elements.len(), count);
        for element in &elements {
            let bytes = element.to_bytes();
            self.transcript.absorb("element", &bytes);
            self.scalars.extend_from_slice(&bytes);
        }
        Ok(elements)
    }

    fn challenge(&mut self, label: &str) -> F {
        self.transcript.challenge(label)
    }

    fn require_product(&mut self, a: Opened, b: Opened, c: Opened) {
        self.requirements.products.push((a, b, c));
    }

    fn require_zero(&mut self, scalar: Opened) {
        self.requirements.zeros.push(scalar);
    }

    fn requirements(&mut self) -> Requirements<Opened> {
        std::mem::take(&mut self.requirements)
    }

    fn value(&self, scalar: &Opened) -> Option<F> {
        Some(scalar.value)
    }
}

/// The verifier's scalar: a linear form in the points of the proof.
#[derive(Debug, Clone)]
pub(crate) struct Combination {
    pub(crate) constant: F,
    /// Index of a point and its coefficient; a point may occur more than once.
    pub(crate) terms: Vec<(u32, F)>,
}

impl Linear for Combination {
    fn known(value: F) -> Self {
        Self { constant: value, terms: Vec::new() }
    }

    fn as_known(&self) -> Option<F> {
        self.terms.is_empty().then_some(self.constant)
    }

    fn add(&mut self, other: &Self, by: &F) {
        self.constant += other.constant * by;
        self.terms.extend(other.terms.iter().map(|(i, c)| (*i, *c * by)));
    }

    fn scale(&mut self, by: &F) {
        self.constant *= by;
        for (_, c) in &mut self.terms {
            *c *= by;
        }
    }
}

/// The verifier: reads the proof.
pub(crate) struct Verifier<'p> {
    transcript: Transcript,
    requirements: Requirements<Combination>,
    bytes: &'p [u8],
    points: Vec<Affine>,
    scalars: &'p [u8],
    next_point: usize,
    inventory: Inventory,
}

impl<'p> Verifier<'p> {
    /// Reads the frame of a proof and decodes its points.
    pub(crate) fn new(transcript: Transcript, proof: &'p [u8]) -> Result<Self, Malformed> {
        let (count, rest) = proof.split_first_chunk::<4>().ok_or(Malformed("it is cut short"))?;
        let split = (u32::from_le_bytes(*count) as usize).checked_mul(32).filter(|&n| n <= rest.len());
        let (bytes, scalars) = rest.split_at(split.ok_or(Malformed("it announces more points than it has"))?);
        let points = decode_all(bytes).ok_or(Malformed("a point is not the encoding of one"))?;
        Ok(Self {
            transcript,
            requirements: Requirements::default(),
            bytes,
            points,
            scalars,
            next_point: 0,
            inventory: Vec::new(),
        })
    }

    /// The points of the proof, after checking that every message was read.
    pub(crate) fn finish(self) -> Result<Read, Malformed> {
        if self.next_point != self.points.len() || !self.scalars.is_empty() {
            return Err(Malformed("it is longer than the statement asks for"));
        }
        Ok(Read { points: self.points, inventory: self.inventory, transcript: self.transcript })
    }

    fn receive(&mut self, kind: Message, count: usize) -> Result<std::ops::Range<usize>, Malformed> {
        let range = self.next_point..self.next_point + count;
        if range.end > self.points.len() {
            return Err(Malformed("it has fewer points than the statement asks for"));
        }
        for bytes in self.bytes[32 * range.start..32 * range.end].chunks_exact(32) {
            self.transcript.absorb("point", bytes);
        }
        self.next_point = range.end;
        self.inventory.push((kind, 32 * count));
        Ok(range)
    }

    /// The commitment to a scalar.
    pub(crate) fn commitment(&self, scalar: &Combination) -> Point {
        let mut sum = Pedersen::get().commit(&scalar.constant, &F::ZERO);
        let (mut points, mut weights) = (Vec::new(), Vec::new());
        for (i, c) in &scalar.terms {
            let point = self.points[*i as usize];
            // An evaluation by itself, as most are.
            if *c == F::ONE {
                sum += point;
            } else {
                points.push(point);
                weights.push(*c);
            }
        }
        sum + crate::group::msm(&weights, &points)
    }

    /// Index in [`Read::points`] of the next point to be read.
    pub(crate) fn position(&self) -> usize {
        self.next_point
    }
}

/// A proof that was read to its end.
pub(crate) struct Read {
    pub(crate) points: Vec<Affine>,
    /// Kind and bytes of every message, in order.
    pub(crate) inventory: Inventory,
    pub(crate) transcript: Transcript,
}

impl Party for Verifier<'_> {
    type Scalar = Combination;

    fn commit(
        &mut self,
        kind: Message,
        count: usize,
        _values: impl FnOnce() -> Vec<F>,
    ) -> Result<Vec<Combination>, Malformed> {
        let range = self.receive(kind, count)?;
        Ok(range.map(|i| Combination { constant: F::ZERO, terms: vec![(i as u32, F::ONE)] }).collect())
    }

    fn points(
        &mut self,
        kind: Message,
        count: usize,
        _points: impl FnOnce() -> Vec<Affine>,
    ) -> Result<Vec<Affine>, Malformed> {
        let range = self.receive(kind, count)?;
        Ok(self.points[range].to_vec())
    }

    fn elements(
        &mut self,
        kind: Message,
        count: usize,
        _elements: impl FnOnce() -> Vec<F>,
    ) -> Result<Vec<F>, Malformed> {
        use halo2curves::ff::PrimeField as _;
        let mut elements = Vec::with_capacity(count.min(self.scalars.len() / 32));
        for _ in 0..count {
            let (bytes, rest) = self
                .scalars
                .split_first_chunk::<32>()
                .ok_or(Malformed("it has fewer field elements than the statement asks for"))?;
            let element = Option::<F>::from(F::from_repr(*bytes));
            elements.push(element.ok_or(Malformed("a field element is not in canonical form"))?);
            self.transcript.absorb("element", bytes);
            self.scalars = rest;
        }
        self.inventory.push((kind, 32 * count));
        Ok(elements)
    }

    fn challenge(&mut self, label: &str) -> F {
        self.transcript.challenge(label)
    }

    fn require_product(&mut self, a: Combination, b: Combination, c: Combination) {
        self.requirements.products.push((a, b, c));
    }

    fn require_zero(&mut self, scalar: Combination) {
        self.requirements.zeros.push(scalar);
    }

    fn requirements(&mut self) -> Requirements<Combination> {
        std::mem::take(&mut self.requirements)
    }

    fn value(&self, _scalar: &Combination) -> Option<F> {
        None
    }
}
