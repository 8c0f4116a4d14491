//! The quantised model: shapes, fixed point, graph, exact integer evaluator, canonical bytes.
//!
//! The quantised model *is* the model: a claim is about the integers that the rules of this crate produce. The
//! evaluator here is written from the operators' definitions; `tacit-relations` lowers the same operators to
//! relations and checks those; property tests hold the two equal.
//!
//! * [`Schema`]: what a record is: named features in fixed decimals with declared ranges, and the classes.
//! * [`Dataset`]: records with labels, in canonical form: what a test set's digest is of.
//! * [`Architecture`]: everything public about a model: graph, shapes, widths, shifts. Hashed into the card.
//! * [`Weights`]: the hidden integers. Zeroised when dropped.
//! * [`Model`]: both, as `MODEL.tacit` holds them.

mod architecture;
mod dataset;
mod decimal;
mod evaluate;
mod file;
mod fixed;
mod image;
mod operator;
mod schema;
pub mod testing;
mod varint;

pub use architecture::{
    Architecture, ArchitectureDigest, ArchitectureError, LOWERING_VERSION, Node, NodeId, OutputScale,
    ParamId, ParamSpec, ValueBounds, WeightsError,
};
pub use dataset::{Dataset, DatasetDigest, DatasetError, Grouping, Labels};
pub use decimal::{DecimalError, format_decimal, parse_decimal};
pub use evaluate::{Evaluation, EvaluationError, broadcast_index, evaluate};
pub use file::{Model, ModelDigest, ModelFileError, Weights};
pub use fixed::{requantise, round_half_up_shift, signed_width};
pub use operator::{Normalise, Op, Operand, Window, broadcast_shapes};
pub use schema::{Class, Feature, Schema, SchemaError};
