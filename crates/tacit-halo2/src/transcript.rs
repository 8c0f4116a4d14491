//! A transcript reader that accepts one encoding of every point.
//!
//! The library's point decoder ignores a flag bit, so two byte strings could be the same proof. This reader decodes,
//! encodes again and compares; scalars are canonical by their decoder.

use std::io;

use halo2_proofs::transcript::{Blake2bRead, Challenge255, Transcript, TranscriptRead, TranscriptReadBuffer};
use halo2curves::bn256::{Fr, G1Affine};
use halo2curves::group::GroupEncoding;

const ELEMENT: usize = 32;

/// Reads a proof; see the module's head.
#[derive(Debug)]
pub(crate) struct CanonicalRead<'a> {
    inner: Blake2bRead<&'a [u8], G1Affine, Challenge255<G1Affine>>,
    rest: &'a [u8],
}

impl<'a> CanonicalRead<'a> {
    pub(crate) fn new(proof: &'a [u8]) -> Self {
        Self { inner: Blake2bRead::init(proof), rest: proof }
    }

    /// Whether every byte has been read.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self) -> io::Result<&'a [u8]> {
        let (element, rest) = self
            .rest
            .split_at_checked(ELEMENT)
            .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the proof is cut short"))?;
        self.rest = rest;
        Ok(element)
    }
}

impl Transcript<G1Affine, Challenge255<G1Affine>> for CanonicalRead<'_> {
    fn squeeze_challenge(&mut self) -> Challenge255<G1Affine> {
        self.inner.squeeze_challenge()
    }

    fn common_point(&mut self, point: G1Affine) -> io::Result<()> {
        self.inner.common_point(point)
    }

    fn common_scalar(&mut self, scalar: Fr) -> io::Result<()> {
        self.inner.common_scalar(scalar)
    }
}

impl TranscriptRead<G1Affine, Challenge255<G1Affine>> for CanonicalRead<'_> {
    fn read_point(&mut self) -> io::Result<G1Affine> {
        let bytes = self.take()?;
        let point = self.inner.read_point()?;
        if point.to_bytes().as_ref() != bytes {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a point is not in canonical form"));
        }
        Ok(point)
    }

    fn read_scalar(&mut self) -> io::Result<Fr> {
        let _ = self.take()?;
        self.inner.read_scalar()
    }
}
