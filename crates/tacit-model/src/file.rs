//! `MODEL.tacit`: magic, version, canonical postcard body, SHA-256 of the body. One encoding per model.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::architecture::{Architecture, ArchitectureError, WeightsError};
use crate::evaluate::{Evaluation, EvaluationError, evaluate};

const MAGIC: &[u8; 8] = b"TACITMDL";
const VERSION: u16 = 1;
/// Largest model file that is read.
const MAX_FILE: usize = 1 << 30;

/// The hidden integers of a model, one row-major tensor per parameter. Zeroised when dropped; never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
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

/// A quantised model: the public architecture and the hidden weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    architecture: Architecture,
    weights: Weights,
}

#[derive(Serialize, Deserialize)]
struct Body {
    architecture: Architecture,
    weights: Weights,
}

impl Model {
    /// Joins an architecture and weights after checking both.
    ///
    /// # Errors
    /// [`ModelFileError`] when either breaks a rule.
    pub fn new(architecture: Architecture, tensors: Vec<Vec<i64>>) -> Result<Self, ModelFileError> {
        architecture.validate()?;
        let weights = Weights::new(&architecture, tensors)?;
        Ok(Self { architecture, weights })
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
        let body = Body { architecture: self.architecture.clone(), weights: self.weights.clone() };
        let body = postcard::to_stdvec(&body).expect("a model holds no map and no float: postcard writes it");
        let mut out = Vec::with_capacity(body.len() + 42);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&Sha256::digest(&body));
        out.extend_from_slice(&body);
        out
    }

    /// Reads a file's bytes; refuses other formats, versions, damage, trailing bytes and non-canonical encodings.
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
        let decoded: Body = postcard::from_bytes(body).map_err(|e| E::Body(e.to_string()))?;
        let model = Self { architecture: decoded.architecture, weights: decoded.weights };
        model.architecture.validate()?;
        model.weights.check(&model.architecture)?;
        if model.to_bytes() != bytes {
            return Err(E::NotCanonical);
        }
        Ok(model)
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
    fn debug_shows_no_weight() {
        let model = small_mlp(1);
        let shown = format!("{:?}", model.weights());
        assert_eq!(shown, format!("Weights({} tensors, hidden)", model.weights().tensors().len()));
    }
}
