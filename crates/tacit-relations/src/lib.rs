//! The narrow waist: relations over integer tensors.
//!
//! Operators and claims *lower* to a [`RelationSystem`]; an [`Engine`] proves relation systems and knows nothing of
//! models. A [`Trace`] assigns integers to every tensor; the [`check`]er evaluates every relation directly and is the
//! reference that engines are tested against.
//!
//! ```text
//! Architecture + what is revealed ── lower ──► RelationSystem ─┐
//! weights, record ───────────────── trace ──► Trace ──────────┴─► Engine ──► proof
//! ```

mod check;
mod engine;
mod evaluate;
mod lower;
mod relation;
mod system;
mod tally;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
mod trace;
mod view;

pub use check::{Violation, ViolationKind, check};
pub use engine::{
    Commitment, Engine, EngineError, Opening, Openings, Progress, Refused, Silent, Statement, StatementError,
};
pub use lower::{
    Inference, LowerError, Lowered, LoweredFacts, TestSet, TestSetClaim, Visibility, committed_labels,
    lower_facts, lower_hidden_data, lower_inference, lower_test_set, lower_verdict,
};
pub use relation::{Grouping, Groups, HintRule, Relation, Sizes};
pub use system::{Part, RelationSystem, Segment, SystemError, TensorId, TensorSpec};
pub use tally::{Form, Observable, Tally, TallyError, rank, tally};
pub use trace::{Assignment, Trace, TraceError, trace};
pub use view::{Axis, View};
