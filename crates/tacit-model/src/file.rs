//! `MODEL.tacit`: magic, version, canonical postcard body, SHA-256 of the body. One encoding per model.

use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::architecture::{Architecture, ArchitectureError, WeightsError};
use crate::evaluate::{Evaluation, EvaluationError, evaluate};
use crate::varint::{Reader, VarintError, Writer};

const MAGIC: &[u8; 8] = b"TACITMDL";
const VERSION: u16 = 1;
/// Largest model file that is read.
const MAX_FILE: usize = 1 << 30;

/// The hidden integers of a model, one row-major tensor per parameter. Zeroised when dropped; never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Weights(Vec<Vec<i64>>);

impl std::fmt::Debug for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Weights({} tensors, hidden)", self.0.len())
    }
}

impl Weights {
    /// Checks `tensors` against the architecture's shapes and widths.
    ///
    /// # Errors
    /// [`WeightsError`] names the parameter and element, never the value.
    pub fn new(architecture: &Architecture, tensors: Vec<Vec<i64>>) -> Result<Self, WeightsError> {
        let weights = Self(tensors);
        weights.check(architecture)?;
        Ok(weights)
    }

    /// Reads the weights at the end of a file; nothing may follow.
    fn read(architecture: &Architecture, bytes: &[u8]) -> Result<Self, ModelFileError> {
        let mut reader = Reader(bytes);
        let (expected, actual) = (architecture.params.len(), reader.length()?);
        if actual != expected {
            return Err(WeightsError::Count { expected, actual }.into());
        }
        let mut weights = Self(Vec::with_capacity(expected));
        for (param, spec) in architecture.params.iter().enumerate() {
            let (expected, actual) = (spec.len(), reader.length()?);
            if actual != expected {
                return Err(WeightsError::Length { param, expected, actual }.into());
            }
            weights.0.push(reader.values(actual)?);
        }
        if !reader.0.is_empty() {
            return Err(ModelFileError::NotCanonical);
        }
        weights.check(architecture)?;
        Ok(weights)
    }

    fn check(&self, architecture: &Architecture) -> Result<(), WeightsError> {
        if self.0.len() != architecture.params.len() {
            return Err(WeightsError::Count { expected: architecture.params.len(), actual: self.0.len() });
        }
        for (param, (values, spec)) in self.0.iter().zip(&architecture.params).enumerate() {
            if values.len() != spec.len() {
                return Err(WeightsError::Length { param, expected: spec.len(), actual: values.len() });
            }
            let b = spec.bounds();
            if let Some(element) = values.iter().position(|v| *v < b.lo || *v > b.hi) {
                return Err(WeightsError::Width { param, element, width: spec.width });
            }
        }
        Ok(())
    }

    /// Row-major tensors in the order of the architecture's parameters.
    #[must_use]
    pub fn tensors(&self) -> &[Vec<i64>] {
        &self.0
    }
}

/// SHA-256 of what a model file holds, architecture and weights. Whoever knows it can confirm a guess of the
/// weights, so it is a secret like them, and never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ModelDigest(pub [u8; 32]);

impl std::fmt::Debug for ModelDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ModelDigest(hidden)")
    }
}

/// A quantised model: the public architecture and the hidden weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    architecture: Architecture,
    weights: Weights,
    digest: ModelDigest,
}

/// Writes what the file holds after its checksum: canonical postcard of the architecture, then of the
/// weights.
fn write_body(architecture: &Architecture, weights: &Weights, mut sink: impl FnMut(&[u8])) {
    sink(&architecture_bytes(architecture));
    let mut writer = Writer::new(sink);
    writer.length(weights.0.len());
    for tensor in &weights.0 {
        writer.list(tensor);
    }
    writer.finish();
}

fn architecture_bytes(architecture: &Architecture) -> Vec<u8> {
    postcard::to_stdvec(architecture).expect("an architecture holds no map and no float: postcard writes it")
}

impl Model {
    /// Joins an architecture and weights after checking both.
    ///
    /// # Errors
    /// [`ModelFileError`] when either breaks a rule.
    pub fn new(architecture: Architecture, tensors: Vec<Vec<i64>>) -> Result<Self, ModelFileError> {
        architecture.validate()?;
        let weights = Weights::new(&architecture, tensors)?;
        let mut hash = Sha256::new();
        write_body(&architecture, &weights, |bytes| hash.update(bytes));
        Ok(Self { architecture, weights, digest: ModelDigest(hash.finalize().into()) })
    }

    /// The public half.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The hidden half.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Tells this model from any other. Secret, like the weights.
    #[must_use]
    pub fn digest(&self) -> ModelDigest {
        self.digest
    }

    /// Runs the model on one record of schema integers.
    ///
    /// # Errors
    /// [`EvaluationError`] when the record does not fit the schema.
    pub fn run(&self, record: &[i64]) -> Result<Evaluation, EvaluationError> {
        evaluate(&self.architecture, &self.weights, record)
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Most weights take a byte or two.
        let mut out = Vec::with_capacity(2 * self.architecture.weight_count() + 4096);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.digest.0);
        write_body(&self.architecture, &self.weights, |bytes| out.extend_from_slice(bytes));
        out
    }

    /// Reads a file's bytes; refuses other formats, versions, damage, trailing bytes and non-canonical
    /// encodings.
    ///
    /// # Errors
    /// [`ModelFileError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelFileError> {
        use ModelFileError as E;
        if bytes.len() > MAX_FILE {
            return Err(E::TooLarge(bytes.len()));
        }
        let rest = bytes.strip_prefix(MAGIC).ok_or(E::Magic)?;
        let (version, rest) = rest.split_first_chunk::<2>().ok_or(E::Truncated)?;
        if u16::from_le_bytes(*version) != VERSION {
            return Err(E::Version(u16::from_le_bytes(*version)));
        }
        let (checksum, body) = rest.split_first_chunk::<32>().ok_or(E::Truncated)?;
        if Sha256::digest(body).as_slice() != checksum {
            return Err(E::Checksum);
        }
        let (architecture, rest) =
            postcard::take_from_bytes::<Architecture>(body).map_err(|e| E::Body(e.to_string()))?;
        if !body.starts_with(&architecture_bytes(&architecture)) {
            return Err(E::NotCanonical);
        }
        architecture.validate()?;
        let weights = Weights::read(&architecture, rest)?;
        Ok(Self { architecture, weights, digest: ModelDigest(*checksum) })
    }
}

/// Why a model is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelFileError {
    /// Not a model file.
    #[error("not a Tacit model file (it does not begin with `TACITMDL`)")]
    Magic,
    /// Cut short.
    #[error("the model file is cut short")]
    Truncated,
    /// Larger than any model that is read.
    #[error("the model file has {0} bytes; at most {MAX_FILE} are read")]
    TooLarge(usize),
    /// Another version.
    #[error("model file version {0} is not supported (this build reads version {VERSION})")]
    Version(u16),
    /// Damaged.
    #[error("the model file is damaged: its checksum does not match")]
    Checksum,
    /// Undecodable.
    #[error("the model file cannot be decoded: {0}")]
    Body(String),
    /// A second encoding of the same model, or trailing bytes.
    #[error("the model file is not in canonical form")]
    NotCanonical,
    /// The architecture breaks a rule.
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    /// The weights do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl From<VarintError> for ModelFileError {
    fn from(e: VarintError) -> Self {
        match e {
            VarintError::Malformed => Self::Body("the weights are cut short or malformed".to_owned()),
            VarintError::NotShortest => Self::NotCanonical,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::small_mlp;

    #[test]
    fn round_trips_and_refuses_damage() {
        let model = small_mlp(1);
        let bytes = model.to_bytes();
        assert_eq!(Model::from_bytes(&bytes).as_ref(), Ok(&model));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(Model::from_bytes(&bad).is_err(), "flipped byte {at}");
            assert!(Model::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
        }
        let mut long = bytes;
        long.push(0);
        assert!(Model::from_bytes(&long).is_err());
    }

    #[test]
    fn one_digest_however_the_model_came() {
        let model = small_mlp(1);
        let read = Model::from_bytes(&model.to_bytes()).unwrap();
        assert_eq!(read.digest(), model.digest());
        assert_eq!(model.digest().0.as_slice(), Sha256::digest(&model.to_bytes()[42..]).as_slice());
        assert_ne!(small_mlp(2).digest(), model.digest());
    }

    /// A file with a valid checksum around an arbitrary body.
    #[test]
    fn the_body_has_one_encoding() {
        let bytes = small_mlp(1).to_bytes();
        let frame = |body: &[u8]| [&bytes[..10], &Sha256::digest(body), body].concat();
        assert_eq!(frame(&bytes[42..]), bytes);
        assert_eq!(
            Model::from_bytes(&frame(&[&bytes[42..], &[0]].concat())),
            Err(ModelFileError::NotCanonical)
        );
        // The last weight in one byte more: 0x80 carries on.
        let (last, rest) = bytes[42..].split_last().unwrap();
        let overlong = [rest, &[last | 0x80, 0]].concat();
        assert_eq!(Model::from_bytes(&frame(&overlong)), Err(ModelFileError::NotCanonical));
    }

    #[test]
    fn debug_shows_no_weight() {
        let model = small_mlp(1);
        let shown = format!("{:?}", model.weights());
        assert_eq!(shown, format!("Weights({} tensors, hidden)", model.weights().tensors().len()));
    }
}
