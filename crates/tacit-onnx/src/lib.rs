//! ONNX to a quantised Tacit model, through tract: the only crate that sees ONNX or tract.
//!
//! [`quantise`] reads a dense or convolutional network of floats and returns a [`tacit_model::Model`] of exact integers together with a
//! [`QuantiseReport`] that says what the integers cost in accuracy. [`probe`] says what a file holds, supported or not.
//!
//! 1. The protobuf is decoded within limits and walked into a small float graph of `f64` constants, one record wide.
//!    Every constant is measured before it is read; whatever follows the logits is taken off.
//! 2. tract runs the original operators on the calibration records, behind a boundary that turns a panic into an error.
//!    The float graph must give the same numbers, or nothing is quantised.
//! 3. Functions written as several operators are put together, and affine steps folded into the layers, in `f64`.
//! 4. The record's first step is planned from the schema's declared ranges alone; weights get a width and a binary scale
//!    per tensor, activations one from what the calibration records reach, with headroom.
//! 5. Roundings are chosen on calibration records, and the integer model is measured against tract's outputs.
//!
//! Records are schema integers (value · 10^decimals). Nothing here prints, and no file or variable is read.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod axes;
mod calibration;
mod convolution;
mod emit;
mod equalise;
mod error;
mod evaluate;
mod expand;
mod fold;
mod function;
mod fuse;
mod graph;
mod guard;
mod import;
mod ml;
mod movement;
mod normalise;
mod operators;
mod outputs;
mod proto;
mod qdq;
mod quantise;
mod reference;
mod report;
mod rounding;
mod tail;
mod tensor;
mod upsample;
mod wire;

pub use axes::{AxisError, AxisLength};
pub use error::{OnnxError, UnsupportedNode};
pub use operators::{OPERATORS, Operator};
pub use outputs::{OnnxSummary, TensorInfo};
pub use proto::MAX_FILE_BYTES;
pub use quantise::{QuantiseOptions, float_logits, quantise};
pub use report::{Accuracy, Attempt, LayerReport, QuantiseReport};

/// Says what an ONNX file holds, supported or not.
///
/// # Errors
/// [`OnnxError::TooLarge`], [`OnnxError::Malformed`] and [`OnnxError::Panic`]: the bytes are no usable ONNX file.
pub fn probe(onnx: &[u8]) -> Result<OnnxSummary, OnnxError> {
    Ok(outputs::summarise(&proto::decode(onnx)?))
}
