//! What Tacit's parties hand to one another: cards, claims, proof files, openings, identities. No proving code.
//!
//! * [`Card`]: what an owner says about a model, signed; its id is the SHA-256 of its canonical JSON.
//! * [`CardPoints`]: what is too large for the card, named by digest in it.
//! * [`Claim`]: what is claimed of a card's model; its [digest](Claim::digest) is what engines bind their proofs to.
//! * [`ProofChunk`]: a part of a proof, before it is merged.
//! * [`Bundle`]: a claim with an engine's proof, the proof file; [`Disclosure`]: the same with its card.
//! * [`WeightsOpening`], [`InputOpening`], [`DatasetOpening`], [`OutputOpening`]: secret files that open commitments.
//! * [`OwnerKey`], [`OwnerPublicKey`], [`Fingerprint`]: who signs.
//!
//! Commitments, model ids and salts are opaque bytes here; engines give them their meaning. Every format has one
//! encoding per value, a version, a size limit, and a reader that refuses everything else with a typed error.

extern crate self as tacit_claim;

mod answer;
mod bundle;
mod bytes;
mod card;
mod check;
mod chunk;
mod claim;
mod commitments;
mod disclosure;
pub mod encoding;
mod engine;
mod interval;
mod logit;
mod number;
mod opening;
mod owner;
mod points;
mod requirement;
mod salt;
pub mod secret_file;
mod sentence;
mod sniff;
pub mod strict_json;
mod test_set;
pub mod testing;
mod text;

pub use answer::{AnswerBound, AnswerError, AnswerFact, Answers, Form, Quantity, Side, Threshold};
pub use bundle::{Bundle, BundleError};
pub use bytes::{
    CardId, CertificateDigest, ClaimDigest, Commitment, CommitmentPin, HexError, ModelId, SchemaDigest,
};
#[doc(hidden)]
pub use bytes::{decode_hex, hex32, short_hex};
pub use card::{Accuracy, Card, CardError, OutOfRange, Policy, Quantisation, UnsignedCard};
pub use check::{ClaimMismatch, OpeningMismatch, RecordError};
pub use chunk::{ChunkError, ProofChunk};
pub use claim::{
    Attestation, Claim, ClaimError, ClaimKind, Inference, InputClaim, OutputClaim, WeightsClaim,
};
pub use commitments::{
    CardWeights, Commitments, CommittedModel, EngineCommitment, Halo2Parameters, SumcheckParameters,
};
pub use disclosure::{Disclosure, DisclosureError};
pub use encoding::EncodingError;
pub use engine::{EngineId, UnknownEngine};
pub use interval::clopper_pearson;
pub use opening::{
    CommittedInput, DatasetOpening, InputOpening, OutputOpening, WeightsOpening, schema_digest,
};
pub use owner::{
    BadSignature, Fingerprint, FingerprintError, ForeignFormat, NotOfFormat, OwnerKey, OwnerKeyError,
    OwnerPublicKey, OwnerSignature, PublicKeyError,
};
pub use points::{CardPoints, PointsError};
pub use requirement::{Comparison, Fraction, Metric, Requirement, RequirementError, Scope};
pub use salt::SaltBytes;
pub use secret_file::OpeningError;
pub use sentence::{answer_text, output_text, percent, probabilities};
#[doc(hidden)]
pub use serde;
pub use sniff::{FileKind, sniff};
pub use test_set::{AccuracyClaim, AnswersClaim, DataClaim, PredictionsClaim};
pub use text::{CardName, ColumnName, Context, TextError, is_deceptive};
